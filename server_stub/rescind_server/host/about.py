"""What a server knows of itself that no engine and no store can tell."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from rescind.model.ids import Instant

_FILES: Final = ("", "-wal", "-shm")
"""What stands beside a SQLite file in use."""


class Disk(NamedTuple):
    """The room that a store takes, and what is left beside it, in bytes; None for memory."""

    taken: int | None = None
    free: int | None = None


class About(msgspec.Struct, frozen=True):
    """One server.

    Attributes:
        version: the version of Rescind that it runs.
        started_at: when it began to serve.
        store: ``memory`` or ``sqlite``.
        store_path: the store's file.
        durability: what a commit waits for; ``none`` for memory.
    """

    version: str = ""
    started_at: Instant = Instant(0)
    store: str = "memory"
    store_path: str | None = None
    durability: str = "none"

    def disk(self) -> Disk:
        """The room that the store takes, and what is left. Looks at the disk."""
        if self.store_path is None:
            return Disk()
        files = [Path(self.store_path + suffix) for suffix in _FILES]
        try:
            taken = sum(file.stat().st_size for file in files if file.exists())
            return Disk(taken, shutil.disk_usage(files[0].parent).free)
        except OSError:
            # The file is gone, or its disk: the store's own troubles tell it.
            return Disk()
