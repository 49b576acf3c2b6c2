"""Ties a stream to its task: when the work is to stop, the socket under it is cut and the stream is closed."""

from __future__ import annotations

import asyncio
import inspect
import io
import socket
import threading
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from rescind.errors import InvalidInput
from rescind.runtime.stream_sockets import cut, sockets_under

if TYPE_CHECKING:
    from rescind.runtime.task_context import TaskContext

ResourceT = TypeVar("ResourceT")

# How long after a cut to look whether the library has opened another connection: it was connecting, or it tried again.
_LOOK_AGAIN_AFTER: Final = 0.05
_LOOK_AGAIN_AT_LEAST_EVERY: Final = 1.0


class Closable(Protocol):
    """What is closed with `close`, be it plain or asynchronous."""

    def close(self) -> object:
        """Close it."""


class AsynchronouslyClosable(Protocol):
    """What is closed with `aclose`."""

    def aclose(self) -> Coroutine[Any, Any, object]:
        """Close it."""


ClosableT = TypeVar("ClosableT", bound=Closable | AsynchronouslyClosable)


class Closing(Generic[ResourceT]):
    """What `TaskContext.closing` returns: a context manager, plain on a thread, asynchronous in async code."""

    def __init__(self, context: TaskContext, resource: Any) -> None:
        """Made by a task's context."""
        self._opens = _opens(resource)
        if not self._opens and not _has(resource, "aclose") and not _has(resource, "close"):
            raise InvalidInput(
                f"closing() was given {resource!r}, which has neither `aclose` nor `close`, and is no context manager."
            )
        self._context = context
        self._manager = resource
        self._resource: Any = None if self._opens else resource
        self._lock = threading.Lock()
        self._is_left = False
        self._held: list[socket.socket] = []

    def __enter__(self) -> ResourceT:
        if self._context.is_cancelled and not self._opens:
            self._refuse_to_wait(_plain_close(self._resource))
        self._context.check_cancelled()
        if self._opens:
            if not hasattr(self._manager, "__enter__"):
                raise self._needs_async()
            self._resource = self._manager.__enter__()
        self._context.on_cancel(self._stop)
        resource: ResourceT = self._resource
        return resource

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._context._forget(self._stop)
        self._leave()
        is_handled = None
        try:
            with suppress(*self._expected()):
                if self._opens:
                    is_handled = self._manager.__exit__(error_type, error, traceback)
                else:
                    self._refuse_to_wait(_plain_close(self._resource))
        finally:
            self._release()
        self._explain(error)
        return is_handled

    async def __aenter__(self) -> ResourceT:
        if self._context.is_cancelled:
            await self._closed_unopened()
        self._context.check_cancelled()
        if self._opens:
            self._resource = await self._manager.__aenter__()
        self._context.on_cancel(self._stop)
        resource: ResourceT = self._resource
        return resource

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._is_left = True
        self._context._forget(self._stop)
        is_handled = None
        with suppress(*self._expected()):
            if self._opens:
                is_handled = await self._manager.__aexit__(error_type, error, traceback)
            else:
                await _closed(self._resource)
        self._explain(error)
        return is_handled

    def _expected(self) -> tuple[type[BaseException], ...]:
        """What closing a stream may raise whose socket was cut."""
        return (Exception,) if self._context.is_cancelled else ()

    def _explain(self, error: BaseException | None) -> None:
        """A read that was cut looks like an error, or like an end; it is neither."""
        if error is None or isinstance(error, Exception):
            self._context.check_cancelled()

    async def _closed_unopened(self) -> None:
        if not self._opens:
            await _closed(self._resource)
        elif isinstance(self._manager, Coroutine):
            self._manager.close()  # nobody will await it, and that is as it should be

    def _refuse_to_wait(self, waits: object) -> None:
        if inspect.isawaitable(waits):
            if inspect.iscoroutine(waits):
                waits.close()
            raise self._needs_async()

    def _needs_async(self) -> InvalidInput:
        return InvalidInput(f"{self._manager!r} is closed asynchronously: use `async with ctx.closing(…)`.")

    def _stop(self) -> None:
        """The work is to stop. Called while a thread may be reading."""
        if not self._cut() and not self._is_left:
            self._close_without_socket()
        with suppress(RuntimeError):  # no loop runs under a mock; it is called once then
            self._look_again(asyncio.get_running_loop(), _LOOK_AGAIN_AFTER)

    def _look_again(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        def look() -> None:
            self._cut()
            self._look_again(loop, min(2 * seconds, _LOOK_AGAIN_AT_LEAST_EVERY))

        if not self._is_left and not self._context._is_lost:
            loop.call_later(seconds, look)

    def _cut(self) -> bool:
        """Cut what is open now; returns whether there was something."""
        with self._lock:
            if self._is_left:
                return False
            return self._cut_all()

    def _cut_all(self) -> bool:
        connected = sockets_under(self._resource)
        self._held += [held for each in connected if (held := cut(each)) is not None]
        return bool(connected)

    def _leave(self) -> None:
        with self._lock:
            self._is_left = True
            if self._context.is_cancelled:
                # Also where nobody called `_stop`: code that has begun a thread of its own leaves it reading.
                self._cut_all()

    def _release(self) -> None:
        """The library has let go of its connections: nobody reads any more."""
        for each in self._held:
            each.close()
        self._held.clear()

    def _close_without_socket(self) -> None:
        """Close what has nothing to be cut. Files are left: their `close` would wait for the read that is to end."""
        if isinstance(self._resource, io.IOBase) or hasattr(self._resource, "aclose"):
            return
        if _has(self._resource, "close"):
            with suppress(Exception):  # the block closes it once more, and what that raises is heard
                self._refuse_to_wait(_plain_close(self._resource))


def _has(resource: Any, name: str) -> bool:
    return callable(getattr(resource, name, None))


def _opens(resource: Any) -> bool:
    """Whether it is a context manager whose value is to be tied. Some are coroutines, and bring their `close` along."""
    is_manager = hasattr(resource, "__enter__") or hasattr(resource, "__aenter__")
    is_closed_itself = _has(resource, "aclose") or _has(resource, "close")
    return is_manager and (isinstance(resource, Coroutine) or not is_closed_itself)


def _plain_close(resource: Any) -> Any:
    """Close it; returns what must be awaited, where there is no other way."""
    close = getattr(resource, "close", None) or resource.aclose
    return close()


async def _closed(resource: Any) -> None:
    close = getattr(resource, "aclose", None) or resource.close
    waits = close()
    if inspect.isawaitable(waits):
        await waits
