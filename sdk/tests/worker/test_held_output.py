"""What programs wrote last is told again over the next session, numbered, or how much of it was left out."""

from __future__ import annotations

from rescind.model.ids import Lease, TaskId
from rescind.model.messages import FromWorker, StreamedEvent, TaskAlive, TaskReported
from rescind.model.output import OutputPiece, StreamName, event_of, piece_of
from rescind.model.payload import Payload
from rescind.worker.held_output import HeldOutput

TASK = TaskId("t-1")


def written(text: str, stream: StreamName = "stdout", left_out: int = 0, lease: int = 1) -> TaskAlive:
    return TaskAlive(TASK, Lease(lease), streamed=(event_of(TASK, OutputPiece(stream, text, left_out)),))


def told(held: HeldOutput) -> list[tuple[int | None, str, str, int]]:
    pieces = ((message.offset, piece_of(event)) for message in held for event in message.streamed)
    return [(offset, piece.stream, piece.text, piece.left_out) for offset, piece in pieces if piece is not None]


def offset_of(message: FromWorker) -> int | None:
    assert isinstance(message, TaskAlive)
    return message.offset


def test_each_piece_says_how_much_its_attempt_wrote_before_it_to_the_same_output() -> None:
    held = HeldOutput()
    pieces = (written("€", left_out=2), written("x", "stderr"), written("b"), written("c", lease=2), written("d"))
    assert [offset_of(held.numbered(each)) for each in pieces] == [0, 0, 5, 0, 6]


def test_nothing_is_held_where_no_session_can_be_cut() -> None:
    held = HeldOutput()
    held.numbered(written("before"))
    assert told(held) == []


def test_what_was_on_its_way_is_told_again_however_many_sessions_are_tried() -> None:
    held = HeldOutput()
    held.begin()
    held.numbered(written("sent"))
    assert told(held) == [(0, "stdout", "sent", 0)]
    held.arrived()
    held.numbered(written("1", "stderr"))
    assert told(held) == [(0, "stdout", "sent", 0), (0, "stderr", "1", 0)]


def test_of_what_does_not_fit_it_is_told_how_much_it_was_and_where() -> None:
    held = HeldOutput(most=2_000)
    held.begin()
    held.numbered(written("e", "stderr"))
    for text in ("x" * 400, "y" * 400, "z"):
        held.numbered(written(text, left_out=1))
    assert told(held) == [
        (0, "stderr", "", 1),
        (0, "stdout", "", 401),
        (401, "stdout", "y" * 400, 1),
        (802, "stdout", "z", 1),
    ]


def test_what_was_left_out_of_attempts_that_ended_is_forgotten_when_it_was_told() -> None:
    held = HeldOutput(most=600)
    held.begin()
    held.numbered(written("a"))
    held.numbered(TaskReported(TASK, Lease(1)))
    held.numbered(written("b", lease=2))
    assert told(held) == [(0, "stdout", "", 1), (0, "stdout", "b", 0)]
    held.arrived()
    assert told(held) == [(0, "stdout", "b", 0)]


def test_what_no_program_wrote_is_neither_numbered_nor_held() -> None:
    held = HeldOutput()
    held.begin()
    for message in (
        TaskAlive(TASK, Lease(1), progress=0.5),
        TaskAlive(TASK, Lease(1), streamed=(StreamedEvent("token", Payload(b'"x"'), TASK),)),
    ):
        assert held.numbered(message) is message
    assert told(held) == []
