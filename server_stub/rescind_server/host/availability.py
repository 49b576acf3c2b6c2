"""Whether a host takes commands, and who waits for that to change."""

from __future__ import annotations

import asyncio

from rescind.errors import ServerUnavailable, StoreError


class Availability:
    """Open, suspended for as long as the store takes no commits, or over for good.

    Attributes:
        trouble: why it is suspended; None while it is not.
        over: why nothing is taken any more; None before that.
        change: set at the next change. Take it before you look, and wait behind that.
    """

    def __init__(self) -> None:
        self.trouble: StoreError | None = None
        self.over: str | None = None
        self.change = asyncio.Event()

    def is_open(self) -> bool:
        """Whether commands are taken."""
        return self.trouble is None and self.over is None

    def ensure(self, cause: BaseException | None = None) -> None:
        """Raises StoreError while it is suspended, and ServerUnavailable when it is over, because of `cause`."""
        if self.over is not None:
            raise ServerUnavailable(self.over) from cause
        if self.trouble is not None:
            raise StoreError(str(self.trouble)) from self.trouble

    def suspend(self, trouble: StoreError) -> None:
        """Take nothing until `resume`."""
        self.trouble = trouble
        self._tell()

    def resume(self) -> None:
        """Take commands again."""
        self.trouble = None
        self._tell()

    def end(self, reason: str) -> None:
        """Take nothing any more; the first reason is kept."""
        self.over = self.over or reason
        self._tell()

    def _tell(self) -> None:
        told, self.change = self.change, asyncio.Event()
        told.set()
