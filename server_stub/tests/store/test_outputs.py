"""What stores keep of outputs: the last of each, in order, and how much is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rescind import TaskContext, agent, task
from rescind.model.agent_values import StreamEvent
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.output import OutputPiece, StreamName
from rescind.runtime.agent_context import AgentContext
from rescind.testing import Environment
from rescind_server.store.memory import MemoryStore
from rescind_server.store.outputs import KEPT_OUTPUT, Tail
from rescind_server.store.port import Store
from rescind_server.store.sqlite import SqliteStore

ONE = ExecutionId("one")
TASK = TaskId("task")


@task("says")
async def says(ctx: TaskContext, pieces: list[Any]) -> None:
    for piece in pieces:
        ctx.stream(StreamEvent("output", piece))


@agent("spokesman")
async def spokesman(ctx: AgentContext, pieces: list[Any]) -> None:
    await ctx.schedule(says, pieces)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store.db")
    yield opened
    opened.close()


async def with_execution(store: Store) -> None:
    async with Environment(agents=[spokesman], tasks=[says], store=store) as env:
        await (await env.start(spokesman, [], id=ONE)).result()


def pieces(events: Sequence[StreamedEvent]) -> list[OutputPiece]:
    return [msgspec.json.decode(event.value.data, type=OutputPiece) for event in events]


def written(kept: Sequence[OutputPiece], stream: StreamName) -> bytes:
    return b"".join(piece.data for piece in kept if piece.stream == stream)


def left_out(kept: Sequence[OutputPiece], stream: StreamName) -> int:
    return sum(piece.left_out for piece in kept if piece.stream == stream)


@pytest.mark.rescind
async def test_output_is_kept_in_order_byte_by_byte(store: Store) -> None:
    await with_execution(store)
    await store.keep_outputs({(ONE, TASK): [OutputPiece.of("stdout", b"a\xff"), OutputPiece.of("stderr", b"oh")]})
    await store.keep_outputs({(ONE, TASK): [OutputPiece.of("stdout", b"b", 7)]})
    assert pieces(store.output(ONE)) == [
        OutputPiece.of("stdout", b"a\xff"),
        OutputPiece.of("stderr", b"oh"),
        OutputPiece.of("stdout", b"b", 7),
    ]
    assert {event.task_id for event in store.output(ONE)} == {TASK}


@pytest.mark.rescind
async def test_the_oldest_goes_and_how_much_it_was_is_told_of_each_stream(store: Store) -> None:
    await with_execution(store)
    sent = {"stdout": b"", "stderr": b""}
    for number in range(40):
        data = {"stdout": b"%6d\n" % number * 9_000, "stderr": b"%2d" % number * 50}
        await store.keep_outputs(
            {(ONE, TASK): [OutputPiece.of("stdout", data["stdout"]), OutputPiece.of("stderr", data["stderr"])]}
        )
        sent = {stream: sent[stream] + data[stream] for stream in sent}
    kept = pieces(store.output(ONE))
    for stream in ("stdout", "stderr"):
        assert sent[stream].endswith(written(kept, stream))
        assert left_out(kept, stream) + len(written(kept, stream)) == len(sent[stream])
    size = len(written(kept, "stdout")) + len(written(kept, "stderr"))
    assert 0.9 * KEPT_OUTPUT < size < 1.1 * KEPT_OUTPUT


@pytest.mark.rescind
async def test_each_task_has_its_own(store: Store) -> None:
    await with_execution(store)
    long = [OutputPiece.of("stdout", b"x" * 3 * KEPT_OUTPUT)]
    await store.keep_outputs({(ONE, TASK): long, (ONE, TaskId("quiet")): [OutputPiece.of("stdout", b"word")]})
    await store.keep_outputs({(ONE, TASK): long})
    (only,) = [event for event in store.output(ONE) if event.task_id == "quiet"]
    assert pieces([only]) == [OutputPiece("stdout", "word")]


@pytest.mark.rescind
async def test_nothing_is_kept_of_an_execution_that_is_not(store: Store) -> None:
    await store.keep_outputs({(ONE, TASK): [OutputPiece.of("stdout", b"a")]})
    assert store.output(ONE) == []


@pytest.mark.rescind
async def test_it_goes_with_its_execution(store: Store) -> None:
    await with_execution(store)
    await store.keep_outputs({(ONE, TASK): [OutputPiece.of("stdout", b"a")]})
    ended = await store.oldest_end()
    assert ended is not None
    assert not await store.remove_closed(type(ended)(ended + 1), 1_000)
    assert store.output(ONE) == []


def test_pieces_of_one_byte_take_no_more_than_their_share() -> None:
    tail = Tail()
    tail.add(OutputPiece.of("stderr" if number % 2 else "stdout", b"x") for number in range(100_000))
    assert sum(1 for _ in tail.pieces()) < 50_000
    assert left_out(list(tail.pieces()), "stdout") + len(written(list(tail.pieces()), "stdout")) == 50_000


def test_what_is_let_go_is_still_counted() -> None:
    tail = Tail()
    tail.add([OutputPiece.of("stdout", b"abc", 2)])
    tail.let_go()
    tail.add([OutputPiece.of("stdout", b"d")])
    assert list(tail.pieces()) == [OutputPiece("stdout", "", 5), OutputPiece("stdout", "d")]
