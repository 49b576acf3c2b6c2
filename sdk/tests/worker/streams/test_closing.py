"""What `ctx.closing` does with the resource that it is given."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from rescind import InvalidInput
from rescind.testing import MockTaskContext, run


def seen_after_a_cancel_in_the_block(resource: Any, look: Callable[[Any], object]) -> list[object]:
    """What `look` found when the work was told to stop in a block that holds the resource; nothing if it raised."""
    ctx = MockTaskContext()
    seen: list[object] = []

    def work() -> None:
        with ctx.closing(resource) as tied:
            ctx.cancel()
            seen.append(look(tied))

    with pytest.raises(asyncio.CancelledError):
        work()
    return seen


class Closable:
    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_what_is_left_in_order_is_closed_once() -> None:
    ctx, resource = MockTaskContext(), Closable()
    with ctx.closing(resource) as same:
        assert same is resource
    ctx.cancel()
    assert resource.closed == 1


def test_what_is_entered_too_late_is_closed_at_once() -> None:
    ctx, resource = MockTaskContext(cancelled=True), Closable()
    with pytest.raises(asyncio.CancelledError), ctx.closing(resource):
        pytest.fail("it ran")
    assert resource.closed == 1


def test_an_error_of_the_block_passes_if_nobody_cancelled() -> None:
    ctx = MockTaskContext()
    with pytest.raises(LookupError), ctx.closing(Closable()):
        raise LookupError


def test_what_cannot_be_closed_is_refused() -> None:
    with pytest.raises(InvalidInput, match="neither `aclose` nor `close`"):
        MockTaskContext().closing(3)  # type: ignore[call-overload]


def test_what_is_closed_asynchronously_needs_an_async_block() -> None:
    class Asynchronous:
        async def aclose(self) -> None: ...

    with pytest.raises(InvalidInput, match="use `async with"), MockTaskContext().closing(Asynchronous()):
        pass


@asynccontextmanager
async def opened_asynchronously(opened: list[str]) -> AsyncIterator[str]:
    opened.append("opened")
    yield "value"
    opened.append("closed")


@contextmanager
def opened_plainly(resource: Any) -> Iterator[Any]:
    try:
        yield resource
    finally:
        resource.close()


def test_a_context_manager_is_opened_and_its_value_is_tied() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        seen = seen_after_a_cancel_in_the_block(opened_plainly(ours), lambda tied: (tied is ours, theirs.recv(1)))
    assert seen == [(True, b"")]


def test_a_context_manager_is_not_opened_for_work_that_is_to_stop() -> None:
    resource = Closable()
    with (
        pytest.raises(asyncio.CancelledError),
        MockTaskContext(cancelled=True).closing(opened_plainly(resource)),
    ):
        pytest.fail("it ran")
    assert resource.closed == 0


def test_a_context_manager_may_handle_an_error_of_the_block() -> None:
    class Forgiving:
        def __enter__(self) -> None: ...

        def __exit__(self, *error: object) -> bool:
            return True

    with MockTaskContext().closing(Forgiving()):
        raise LookupError


def test_an_asynchronous_context_manager_needs_an_async_block() -> None:
    with pytest.raises(InvalidInput, match="use `async with"), MockTaskContext().closing(opened_asynchronously([])):
        pass


def test_an_asynchronous_context_manager_is_opened_and_closed_in_async_code() -> None:
    opened: list[str] = []

    async def main() -> None:
        async with MockTaskContext().closing(opened_asynchronously(opened)) as value:
            assert value == "value"
            assert opened == ["opened"]

    run(main())
    assert opened == ["opened", "closed"]


def test_what_arrived_before_the_cut_and_was_not_read_is_not_read_any_more() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(b"too late")
        assert seen_after_a_cancel_in_the_block(ours, lambda tied: tied.recv(8)) == []


def test_the_descriptor_of_what_was_cut_is_no_other_files_until_the_block_is_left() -> None:
    ours, theirs = socket.socketpair()
    number = ours.fileno()
    with theirs:
        (seen,) = seen_after_a_cancel_in_the_block(ours, lambda _: os.path.sameopenfile(number, number))
    assert seen
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_socket_that_is_tied_twice_is_cut_and_closed() -> None:
    ours, theirs = socket.socketpair()
    with theirs, MockTaskContext().closing(ours):
        assert seen_after_a_cancel_in_the_block(ours, lambda _: theirs.recv(1)) == [b""]


def test_what_has_no_socket_is_closed_by_the_cancel() -> None:
    assert seen_after_a_cancel_in_the_block(Closable(), lambda tied: tied.closed) == [1]


def test_the_neighbours_of_a_stream_on_the_same_client_are_left_alone() -> None:
    class Client:
        def __init__(self, *connections: socket.socket) -> None:
            self._connections = list(connections)

    class Stream(Closable):
        def __init__(self, client: Client) -> None:
            self._client = client
            self.response = Closable()

    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"still there")
        assert seen_after_a_cancel_in_the_block(Stream(Client(ours)), lambda _: ours.recv(11)) == [b"still there"]


def test_a_file_that_a_thread_is_reading_does_not_hold_up_the_cancel() -> None:
    ctx, (source, sink) = MockTaskContext(), os.pipe()
    lines = os.fdopen(source, "rb")
    begun = threading.Event()

    def read() -> None:
        begun.set()
        with pytest.raises(asyncio.CancelledError), ctx.closing(lines):
            lines.read()

    reading = threading.Thread(target=read)
    reading.start()
    begun.wait()
    ctx.cancel()
    os.close(sink)  # a closed pipe ends the read; nothing else does
    reading.join()
    assert lines.closed
