"""Ties a stream to its task: when the work is to stop, the socket under it is shut and the stream is closed."""

from __future__ import annotations

import inspect
import socket
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from rescind.errors import InvalidInput

if TYPE_CHECKING:
    from rescind.runtime.task_context import TaskContext

ResourceT = TypeVar("ResourceT")

# Where libraries keep what they read from; a stream of a language model's client has a `response`.
_INNER: Final = ("response", "_response", "raw", "_connection", "sock", "_sock", "fp", "_fp", "_original_response")
_DEEPEST: Final = 8


class Closing(Generic[ResourceT]):
    """What `TaskContext.closing` returns: a context manager, plain on a thread, asynchronous in async code."""

    def __init__(self, context: TaskContext, resource: ResourceT) -> None:
        """Made by a task's context."""
        if not callable(getattr(resource, "aclose", None)) and not callable(getattr(resource, "close", None)):
            raise InvalidInput(f"closing() was given {resource!r}, which has neither `aclose` nor `close`.")
        self._context = context
        self._resource = resource
        self._is_left = False

    def __enter__(self) -> ResourceT:
        if self._context.is_cancelled:
            self._leave(_plain_close(self._resource))
        self._context.check_cancelled()
        self._context.on_cancel(self._stop)
        return self._resource

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_left = True
        self._context._forget(self._stop)
        with suppress(*self._expected()):
            self._leave(_plain_close(self._resource))
        # A read that was cut looks like an error, or like an end; it is neither.
        if error is None or isinstance(error, Exception):
            self._context.check_cancelled()

    async def __aenter__(self) -> ResourceT:
        if self._context.is_cancelled:
            await _closed(self._resource)
        self._context.check_cancelled()
        self._context.on_cancel(self._stop)
        return self._resource

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_left = True
        self._context._forget(self._stop)
        with suppress(*self._expected()):
            await _closed(self._resource)
        if error is None or isinstance(error, Exception):
            self._context.check_cancelled()

    def _expected(self) -> tuple[type[BaseException], ...]:
        """What closing a stream may raise whose socket was shut under it."""
        return (Exception,) if self._context.is_cancelled else ()

    def _leave(self, waits: object) -> None:
        if inspect.isawaitable(waits):
            if inspect.iscoroutine(waits):
                waits.close()
            raise InvalidInput(f"{self._resource!r} is closed asynchronously: use `async with ctx.closing(…)`.")

    def _stop(self) -> None:
        """The work is to stop. Called while a thread may be reading; closing alone would not wake it."""
        if self._is_left:
            return
        under = socket_under(self._resource)
        if under is not None:
            with suppress(OSError):
                under.shutdown(socket.SHUT_RDWR)
        elif callable(getattr(self._resource, "close", None)) and not hasattr(self._resource, "aclose"):
            with suppress(Exception):
                self._leave(_plain_close(self._resource))


def socket_under(resource: Any) -> Any:
    """The socket that a response or a stream is read from; None if it cannot be found."""
    seen: set[int] = set()
    level = [resource]
    for _ in range(_DEEPEST):
        inner = []
        for each in level:
            if isinstance(each, socket.socket) or (hasattr(each, "shutdown") and hasattr(each, "recv")):
                return each
            inner += [found for found in _inside(each) if id(found) not in seen]
        seen.update(map(id, inner))
        level = inner
    return None


def _inside(thing: Any) -> list[Any]:
    found = []
    extensions = getattr(thing, "extensions", None)
    if isinstance(extensions, dict) and (stream := extensions.get("network_stream")) is not None:
        with suppress(Exception):
            found.append(stream.get_extra_info("socket"))
    for name in _INNER:
        with suppress(Exception):  # properties of closed responses raise what they like
            found.append(getattr(thing, name, None))
    return [each for each in found if each is not None]


def _plain_close(resource: Any) -> Any:
    """Close it; returns what must be awaited, where there is no other way."""
    close = getattr(resource, "close", None) or resource.aclose
    return close()


async def _closed(resource: Any) -> None:
    close = getattr(resource, "aclose", None) or resource.close
    waits = close()
    if inspect.isawaitable(waits):
        await waits
