"""The context of a task: what its code may say while it runs, and how it hears that it is to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Final, Literal, Protocol, overload
from uuid import UUID

from rescind.authoring.conversion import encode
from rescind.errors import InvalidInput
from rescind.model.agent_values import StreamEvent
from rescind.model.cause import CancelCause
from rescind.model.messages import StreamedEvent
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT, Payload
from rescind.model.texts import checked_text
from rescind.runtime.closing import ClosableT, Closing, ResourceT

LogLevel = Literal["debug", "info", "warn", "error"]
_LEVELS: Final = ("debug", "info", "warn", "error")
CancelHook = Callable[[], Awaitable[None] | None]


class Sent:
    """What a report returns: it has been made already; awaiting it, as in the Rust SDK, changes nothing."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


_SENT: Final = Sent()


class TaskPort(Protocol):
    """What a task's context needs of whoever runs the task."""

    def report(
        self,
        *,
        progress: float | None = None,
        message: str | None = None,
        advanced: bool = False,
        streamed: StreamedEvent | None = None,
    ) -> None:
        """Say that the attempt is alive, and what it has to tell. Never waits, never fails."""

    def make_folder(self) -> Path:
        """Make a folder that is removed when the attempt has ended."""


class TaskContext:
    """What a task works with. Its methods may be called from the task's own thread or event loop.

    Reports take effect at once and never wait; they may be awaited nevertheless.

    Attributes:
        execution_id: the execution that scheduled the task.
        kind: the task's kind.
        attempt: which attempt this is, from 1.
        labels: the labels given when it was scheduled.
    """

    def __init__(
        self,
        port: TaskPort,
        *,
        task_id: str,
        execution_id: str,
        kind: str,
        attempt: int,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Made by a worker, not by a task."""
        self._port = port
        self._task_id = task_id
        self.execution_id = execution_id
        self.kind = kind
        self.attempt = attempt
        self.labels: Mapping[str, str] = labels or {}
        self._cause: CancelCause | None = None
        self._hooks: list[CancelHook] = []
        self._on_hook: Callable[[CancelHook], None] | None = None
        self._is_lost = False
        self._folder: Path | None = None

    @property
    def task_id(self) -> UUID:
        """The task's id."""
        return UUID(self._task_id)

    @property
    def task_execution_id(self) -> UUID:
        """The Rust SDK's name for `task_id`."""
        return self.task_id

    def report_progress(self, progress: float, message: str | None = None) -> Sent:
        """Say how far the work is.

        Args:
            progress: between 0 and 1.
            message: words about it.

        Raises:
            InvalidInput: `progress` is outside, or `message` is no text.
        """
        if not 0.0 <= progress <= 1.0:
            raise InvalidInput(f"Progress must be between 0.0 and 1.0, and this is {progress!r}.")
        event = self._event("progress", {"progress": progress, "details": message})
        if message is not None:
            message = checked_text(message, "a message", longest=DEFAULT_PAYLOAD_LIMIT, may_be_empty=True)
        self._port.report(progress=progress, message=message, advanced=True, streamed=event)
        return _SENT

    def heartbeat(self) -> Sent:
        """Say that the work goes on: ends the silence that the `heartbeat` time-out measures."""
        self._port.report()
        return _SENT

    def log(self, level: LogLevel, message: str) -> Sent:
        """Write to the task's log, for those who watch."""
        if level not in _LEVELS:
            raise InvalidInput(f"{level!r} is no level. Levels: {', '.join(_LEVELS)}.")
        self._port.report(streamed=self._event("log", {"level": level, "message": message}))
        return _SENT

    def stream(self, event: StreamEvent) -> Sent:
        """Tell those who watch; not kept."""
        self._port.report(advanced=True, streamed=self._event(event.kind, event.value))
        return _SENT

    def stream_token(self, text: str) -> Sent:
        """Stream a piece of generated text."""
        return self.stream(StreamEvent.token(text))

    def stream_progress(self, progress: float, details: str | None = None) -> Sent:
        """Stream how far the work is; values outside 0 to 1 are clamped."""
        return self.stream(StreamEvent.progress(progress, details))

    def stream_data_value(self, data: Any) -> Sent:
        """Stream any JSON value."""
        return self.stream(StreamEvent.data(data))

    def stream_error(self, message: str, code: str | None = None) -> Sent:
        """Stream an error that does not end the task."""
        return self.stream(StreamEvent.error(message, code))

    @property
    def folder(self) -> Path:
        """A folder of this attempt's own, made when it is first asked for.

        It is removed with all that is in it when the attempt has ended, however it ended; if its worker dies, by the
        next one that starts on the machine.
        """
        if self._folder is None:
            self._folder = self._port.make_folder()
        return self._folder

    @overload
    def closing(self, resource: AbstractContextManager[ResourceT, bool | None]) -> Closing[ResourceT]: ...
    @overload
    def closing(self, resource: AbstractAsyncContextManager[ResourceT, bool | None]) -> Closing[ResourceT]: ...
    @overload
    def closing(self, resource: ClosableT) -> Closing[ClosableT]: ...
    def closing(self, resource: Any) -> Closing[Any]:
        """Tie a stream or a client to the task: it is closed when its block is left, or when the work is to stop.

        ``with ctx.closing(response) as stream`` on a thread, ``async with`` in async code. Whatever has `aclose` or
        `close` will do, or is a context manager that opens something: responses of httpx, aiohttp, requests and
        urllib, sockets, and the streams and clients of language models. On a thread that is reading, the socket under
        it is cut, so that the read ends at once; the block is then left with asyncio.CancelledError, whatever the
        library made of that.

        A client of httpx, or one of a language model that is made of it, covers its requests from their beginning;
        tie one of the task's own, since all of its connections are cut.

        Raises:
            InvalidInput: it cannot be closed, or it is left by the wrong kind of `with`.
        """
        return Closing(self, resource)

    @property
    def is_cancelled(self) -> bool:
        """Whether the work is to stop."""
        return self._cause is not None

    def cancel_cause(self) -> CancelCause | None:
        """Why the work is to stop, and who wanted it; None as long as it is not."""
        return self._cause

    def check_cancelled(self) -> None:
        """Raise asyncio.CancelledError if the work is to stop: how code on a thread cooperates.

        Raises:
            asyncio.CancelledError: `except Exception` does not catch it.
        """
        if self._cause is not None:
            raise asyncio.CancelledError(str(self._cause))

    async def check_cancellation(self) -> None:
        """The Rust SDK's name for `check_cancelled`."""
        self.check_cancelled()

    def on_cancel(self, hook: CancelHook) -> None:
        """Have a clean-up run when the work was told to stop.

        For async code it runs after the code has ended; for code on a thread it runs when the order comes, so that it
        can close what the thread is blocked in. It is cut when the task's grace is over. Hooks run in the order in
        which they were given, each once; what they raise is logged. Given after the order came, it runs at once.
        """
        if not callable(hook):
            raise InvalidInput(f"on_cancel() was given {hook!r}. Give it a function without parameters.")
        if self._on_hook is not None:
            self._on_hook(hook)
        else:
            self._hooks.append(hook)

    def _forget(self, hook: CancelHook) -> None:
        with suppress(ValueError):
            self._hooks.remove(hook)

    def _event(self, kind: str, value: Any) -> StreamedEvent:
        payload: Payload = encode(value, what=f"streamed {kind}")
        return StreamedEvent(checked_text(kind, "a streamed event's kind"), payload, None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.kind!r} {self._task_id}, attempt {self.attempt}>"


def tell_cancelled(context: TaskContext, cause: CancelCause) -> None:
    """For whoever runs the task: from now on, its work is to stop. The first cause is kept."""
    if context._cause is None:
        context._cause = cause


def tell_lost(context: TaskContext) -> None:
    """For whoever runs the task: its worker is lost, so nobody waits for its end any more."""
    context._is_lost = True


def is_lost(context: TaskContext) -> bool:
    """Whether the worker that ran it is lost."""
    return context._is_lost


def take_hooks(context: TaskContext, later: Callable[[CancelHook], None]) -> list[CancelHook]:
    """For whoever runs the task: the clean-ups that were asked for; those still to come go to `later`."""
    hooks, context._hooks = context._hooks, []
    context._on_hook = later
    return hooks
