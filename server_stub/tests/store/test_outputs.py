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
from rescind_server.store import outputs
from rescind_server.store.memory import MemoryStore
from rescind_server.store.outputs import KEPT_OUTPUT, MOST_TOLD, AttemptOutput, Placed, Tail, Written
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


def wrote(*pieces: OutputPiece, at: int = 0, attempt: AttemptOutput | None = None) -> Written:
    """What a task wrote, where no other task wrote meanwhile."""
    placed = []
    for piece in pieces:
        placed.append(Placed(at, piece))
        at += piece.size
    return Written(placed, attempt or AttemptOutput())


def pieces(events: Sequence[StreamedEvent]) -> list[OutputPiece]:
    return [msgspec.json.decode(event.value.data, type=OutputPiece) for event in events]


def written(kept: Sequence[OutputPiece], stream: StreamName) -> bytes:
    return b"".join(piece.data for piece in kept if piece.stream == stream)


def left_out(kept: Sequence[OutputPiece], stream: StreamName) -> int:
    return sum(piece.left_out for piece in kept if piece.stream == stream)


@pytest.mark.rescind
async def test_output_is_kept_in_order_byte_by_byte(store: Store) -> None:
    await with_execution(store)
    await store.keep_outputs({(ONE, TASK): wrote(OutputPiece.of("stdout", b"a\xff"), OutputPiece.of("stderr", b"oh"))})
    await store.keep_outputs({(ONE, TASK): wrote(OutputPiece.of("stdout", b"b", 7), at=4)})
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
            {(ONE, TASK): wrote(OutputPiece.of("stdout", data["stdout"]), OutputPiece.of("stderr", data["stderr"]))}
        )
        sent = {stream: sent[stream] + data[stream] for stream in sent}
    kept = pieces(store.output(ONE))
    for stream in ("stdout", "stderr"):
        assert sent[stream].endswith(written(kept, stream))
        assert left_out(kept, stream) + len(written(kept, stream)) == len(sent[stream])
    size = len(written(kept, "stdout")) + len(written(kept, "stderr"))
    assert 0.9 * KEPT_OUTPUT < size < 1.1 * KEPT_OUTPUT


@pytest.mark.rescind
async def test_who_goes_on_behind_a_place_gets_what_came_after_it_of_every_task(store: Store) -> None:
    await with_execution(store)
    other = TaskId("other")
    await store.keep_outputs(
        {(ONE, TASK): wrote(OutputPiece("stdout", "ab")), (ONE, other): wrote(OutputPiece("stderr", "cd"), at=2)}
    )
    await store.keep_outputs({(ONE, TASK): wrote(OutputPiece("stdout", "ef", 3), at=4)})
    assert store.output_size(ONE) == 9
    behind = [[(piece.text, piece.left_out) for piece in pieces(store.output(ONE, place))] for place in (2, 3, 4, 5, 7)]
    assert sorted(behind[0]) == [("cd", 0), ("ef", 3)]
    assert sorted(behind[1]) == [("d", 0), ("ef", 3)]
    assert behind[2:] == [[("ef", 3)], [("f", 3)], [("", 2)]]
    assert store.output(ONE, 9) == []


@pytest.mark.rescind
async def test_it_is_known_how_far_the_attempt_that_wrote_last_has_come(store: Store) -> None:
    await with_execution(store)
    assert store.attempt_output(ONE, TASK) == AttemptOutput()
    for lease, at in ((3, 0), (4, 2)):
        attempt = AttemptOutput(lease, {"stdout": 2})
        await store.keep_outputs({(ONE, TASK): wrote(OutputPiece("stdout", "ab"), at=at, attempt=attempt)})
    assert store.attempt_output(ONE, TASK) == AttemptOutput(4, {"stdout": 2})


@pytest.mark.rescind
async def test_no_block_is_read_that_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await with_execution(store)
    size = 900_000
    await store.keep_outputs({(ONE, TASK): wrote(OutputPiece.of("stdout", b"x" * size))})
    read, decode = [], outputs._block

    def decoded(block: bytes) -> outputs.Block:
        read.append(block)
        return decode(block)

    monkeypatch.setattr(outputs, "_block", decoded)
    assert sum(piece.size for piece in pieces(store.output(ONE, size - 40_000))) == 40_000
    assert len(read) == 2
    store.close()


@pytest.mark.rescind
async def test_each_task_has_its_own(store: Store) -> None:
    await with_execution(store)
    long = wrote(OutputPiece.of("stdout", b"x" * 3 * KEPT_OUTPUT))
    await store.keep_outputs({(ONE, TASK): long, (ONE, TaskId("quiet")): wrote(OutputPiece.of("stdout", b"word"))})
    await store.keep_outputs({(ONE, TASK): long})
    (only,) = [event for event in store.output(ONE) if event.task_id == "quiet"]
    assert pieces([only]) == [OutputPiece("stdout", "word")]


@pytest.mark.rescind
async def test_nothing_is_kept_of_an_execution_that_is_not(store: Store) -> None:
    await store.keep_outputs({(ONE, TASK): wrote(OutputPiece.of("stdout", b"a"))})
    assert store.output(ONE) == []


@pytest.mark.rescind
async def test_of_many_tasks_no_more_is_told_at_once_than_fits_into_memory(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await with_execution(store)
    tasks, size = [TaskId(f"task-{number}") for number in range(40)], 900_000
    for each in tasks:
        await store.keep_outputs({(ONE, each): wrote(OutputPiece.of("stdout", each.encode() * (size // len(each))))})
    told = store.output(ONE)
    assert sum(len(piece.data) for piece in pieces(told)) < 1.1 * MOST_TOLD
    for each in tasks:
        kept = pieces([event for event in told if event.task_id == each])
        assert left_out(kept, "stdout") + len(written(kept, "stdout")) == size // len(each) * len(each)
        assert (each.encode() * size).endswith(written(kept, "stdout"))
    store.close()


@pytest.mark.rescind
async def test_it_goes_with_its_execution(store: Store) -> None:
    await with_execution(store)
    await store.keep_outputs({(ONE, TASK): wrote(OutputPiece.of("stdout", b"a"))})
    ended = await store.oldest_end()
    assert ended is not None
    assert not await store.remove_closed(type(ended)(ended + 1), 1_000)
    assert store.output(ONE) == []


def test_pieces_of_one_byte_take_no_more_than_their_share() -> None:
    tail = Tail()
    tail.add(wrote(*(OutputPiece.of("stderr" if number % 2 else "stdout", b"x") for number in range(100_000))))
    assert sum(1 for _ in tail.pieces()) < 50_000
    assert left_out(list(tail.pieces()), "stdout") + len(written(list(tail.pieces()), "stdout")) == 50_000


def test_what_is_let_go_is_still_counted() -> None:
    tail = Tail()
    tail.add(wrote(OutputPiece.of("stdout", b"abc", 2)))
    tail.let_go()
    tail.add(wrote(OutputPiece.of("stdout", b"d"), at=5))
    assert list(tail.pieces()) == [OutputPiece("stdout", "", 5), OutputPiece("stdout", "d")]
