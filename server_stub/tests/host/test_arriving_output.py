"""What programs write arrives once, whatever is told twice, and what is lost on its way is counted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rescind import StoreError
from rescind.model.ids import ExecutionId, Lease, TaskId
from rescind.model.messages import FromWorker, StreamedEvent, TaskAlive
from rescind.model.output import MOST_LEFT_OUT, OutputPiece, StreamName, event_of, piece_of
from rescind.model.payload import Payload
from rescind.worker.held_output import HeldOutput
from rescind_server.engine.state import Decision
from rescind_server.host.arriving_output import ArrivingOutput, CountedOutput
from rescind_server.host.kept_output import KeptOutput
from rescind_server.store.memory import MemoryStore
from rescind_server.store.outputs import AttemptOutput, Placed, Written

ONE = ExecutionId("one")
TASK = TaskId("task")


class KnowingStore(MemoryStore):
    """Keeps output of executions that it does not hold."""

    def __init__(self) -> None:
        super().__init__()
        self.known = AttemptOutput()
        self.size = 0

    def output_size(self, execution_id: ExecutionId) -> int:
        return self.size

    def attempt_output(self, execution_id: ExecutionId, task_id: TaskId) -> AttemptOutput:
        return self.known


@pytest.fixture
def store() -> KnowingStore:
    return KnowingStore()


class Arriving:
    """What a host takes of what workers tell it."""

    def __init__(self, store: MemoryStore) -> None:
        self.counted = CountedOutput(store)

    def told(self, text: str, offset: int | None, lease: int = 1, stream: StreamName = "stdout") -> list[object]:
        """What is new of a piece: its text, or how much is missing, as a number."""
        place = (Lease(lease), offset) if offset is not None else None
        placed = self.counted.unseen(ONE, TASK, OutputPiece(stream, text), place)
        return [each.piece.left_out or each.piece.text for each in placed]


def test_what_is_told_twice_is_taken_once(store: KnowingStore) -> None:
    arriving = Arriving(store)
    assert arriving.told("abc", 0) == ["abc"]
    assert arriving.told("abc", 0) == []
    assert arriving.told("bcd", 1) == ["d"]
    assert arriving.told("abc", 0, stream="stderr") == ["abc"]
    assert arriving.counted.size(ONE) == 7


def test_what_was_lost_on_its_way_is_counted_where_it_would_stand(store: KnowingStore) -> None:
    arriving = Arriving(store)
    assert [*arriving.told("a", 0), *arriving.told("d", 3), *arriving.told("b", 1)] == ["a", 2, "d"]


def test_each_attempt_counts_from_its_own_beginning(store: KnowingStore) -> None:
    arriving = Arriving(store)
    assert [*arriving.told("ab", 0), *arriving.told("cd", 0, lease=2)] == ["ab", "cd"]
    assert arriving.counted.attempt(ONE, TASK) == AttemptOutput(2, {"stdout": 2})


def test_a_server_that_was_started_anew_goes_on_from_what_it_kept(store: KnowingStore) -> None:
    store.known, store.size = AttemptOutput(1, {"stdout": 4}), 10
    arriving = Arriving(store)
    placed = list(arriving.counted.unseen(ONE, TASK, OutputPiece("stdout", "cdef"), (Lease(1), 2)))
    assert placed == [Placed(10, OutputPiece("stdout", "ef"))]


def test_while_the_store_cannot_be_read_nothing_is_taken_for_lost(
    store: KnowingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> AttemptOutput:
        raise StoreError("the disk is away")

    monkeypatch.setattr(store, "attempt_output", fails)
    monkeypatch.setattr(store, "output_size", fails)
    assert Arriving(store).told("ef", 4) == ["ef"]


def test_without_an_offset_everything_is_new(store: KnowingStore) -> None:
    arriving = Arriving(store)
    assert [*arriving.told("a", None), *arriving.told("a", None)] == ["a", "a"]


@pytest.mark.parametrize("offset", [-1, MOST_LEFT_OUT + 1, 2**63 - 1])
def test_an_offset_that_cannot_be_is_not_believed(store: KnowingStore, offset: int) -> None:
    assert Arriving(store).told("a", offset) == []


def test_so_much_left_out_as_cannot_be_is_no_output() -> None:
    absurd = Payload(b'{"stream":"stdout","text":"","left_out":%d}' % 2**62)
    assert piece_of(StreamedEvent("output", absurd, TASK)) is None


def test_counts_that_are_in_the_store_are_forgotten_and_looked_up_again(store: KnowingStore) -> None:
    counted = CountedOutput(store)
    for number in range(1_001):
        list(counted.unseen(ExecutionId(f"e-{number}"), TASK, OutputPiece("stdout", "a"), None))
    counted.forget_all_but({ExecutionId("e-7")})
    store.size = 5
    assert [counted.size(ExecutionId(each)) for each in ("e-7", "e-8")] == [1, 5]


# ── what waits to be written ───────────────────────────────────────────────────────────────────────────────────────


def placed(at: int, text: str, stream: StreamName = "stdout") -> Placed:
    return Placed(at, OutputPiece(stream, text))


def shown(arriving: ArrivingOutput) -> list[tuple[int, str, str, int]]:
    found = [each for _, each in arriving.of(ONE)]
    return [(each.at, each.piece.stream, each.piece.text, each.piece.left_out) for each in found]


def test_what_does_not_fit_into_memory_is_counted_and_so_is_what_follows_it(store: KnowingStore) -> None:
    arriving = ArrivingOutput(CountedOutput(store), most=450)
    for at, text in ((0, "a" * 300), (300, "b" * 300), (600, "c")):
        arriving.add(ONE, TASK, placed(at, text))
    arriving.add(ONE, TASK, placed(601, "e", "stderr"))
    arriving.add(ONE, TASK, placed(602, "d"))
    whole, *left_out = shown(arriving)
    assert whole == (0, "stdout", "a" * 300, 0)
    assert left_out == [(301, "stdout", "", 302), (601, "stderr", "", 1)]


def test_pieces_that_alternate_between_outputs_take_no_more_when_it_is_full(store: KnowingStore) -> None:
    arriving = ArrivingOutput(CountedOutput(store), most=0)
    for at in range(10_000):
        arriving.add(ONE, TASK, placed(at, "x", "stderr" if at % 2 else "stdout"))
    assert [(stream, size) for _, stream, _, size in shown(arriving)] == [("stdout", 5_000), ("stderr", 5_000)]


def test_what_could_not_be_written_is_counted_before_what_came_since(store: KnowingStore) -> None:
    arriving = ArrivingOutput(CountedOutput(store))
    arriving.add(ONE, TASK, placed(5, "new"))
    arriving.count_as_left_out({(ONE, TASK): Written([placed(0, "ab"), placed(2, "cde")])})
    assert shown(arriving) == [(0, "stdout", "", 5), (5, "stdout", "new", 0)]


# ── a worker and a host, and sessions between them that are cut ────────────────────────────────────────────────────


def arrive(output: KeptOutput, messages: Sequence[FromWorker]) -> str:
    """What those who watch see of what a worker tells; what is missing as ``<number>``."""
    seen = ""
    for message in messages:
        assert isinstance(message, TaskAlive)
        assert message.offset is not None
        decision = Decision(
            streamed=[(ONE, each) for each in message.streamed], offsets={0: (message.lease, message.offset)}
        )
        output.take([decision])
        for _, event in decision.streamed:
            piece = piece_of(event)
            assert piece is not None
            seen += f"{piece.text}<{piece.left_out}>" if piece.left_out else piece.text
    return seen


def says(held: HeldOutput, text: str) -> FromWorker:
    return held.numbered(TaskAlive(TASK, Lease(1), streamed=(event_of(TASK, OutputPiece("stdout", text)),)))


@pytest.mark.asyncio
@pytest.mark.parametrize("arrived", range(5))
async def test_wherever_a_session_is_cut_what_was_written_is_seen_once(store: KnowingStore, arrived: int) -> None:
    """Some pieces were on their way when the session was cut; the next is cut before its welcome, and delivers."""
    held, output = HeldOutput(), KeptOutput(store)
    held.begin()
    sent = [says(held, text) for text in ("ab", "cd", "ef", "gh")]
    seen = arrive(output, sent[:arrived])
    seen += arrive(output, [*held][: arrived + 1])
    says(held, "ij")
    seen += arrive(output, [*held])
    assert seen == "abcdefghij"
    await output.close()


@pytest.mark.asyncio
async def test_what_the_worker_could_not_hold_is_told_as_missing_unless_it_had_arrived(store: KnowingStore) -> None:
    held, output = HeldOutput(most=1_100), KeptOutput(store)
    held.begin()
    first = says(held, "ab")
    seen = arrive(output, [first])
    for text in ("cd", "ef", "gh"):
        says(held, text)
    assert seen + arrive(output, [*held]) == "ab<2>efgh"
    await output.close()
