"""What programs write while the server is away is told when it is back, or how much of it was left out."""

from __future__ import annotations

from rescind.model.ids import Lease, TaskId
from rescind.model.messages import StreamedEvent, TaskAlive
from rescind.model.output import OutputPiece, StreamName, event_of, piece_of
from rescind.model.payload import Payload
from rescind.worker.held_output import HeldOutput

TASK = TaskId("t-1")


def written(text: str, stream: StreamName = "stdout", left_out: int = 0) -> TaskAlive:
    return TaskAlive(TASK, Lease(1), streamed=(event_of(TASK, OutputPiece(stream, text, left_out)),))


def told(held: HeldOutput) -> list[tuple[str, str, int]]:
    pieces = (piece_of(event) for message in held for event in message.streamed)
    return [(piece.stream, piece.text, piece.left_out) for piece in pieces if piece is not None]


def test_nothing_is_held_while_a_session_works() -> None:
    held = HeldOutput()
    held.note(written("before"))
    held.begin()
    held.note(written("meanwhile"))
    assert told(held) == [("stdout", "meanwhile", 0)]
    held.end()
    held.note(written("after"))
    assert told(held) == []


def test_it_is_held_until_a_session_works_however_many_are_tried() -> None:
    held = HeldOutput()
    held.begin()
    held.note(written("1"))
    held.begin()
    held.note(written("2", "stderr"))
    assert told(held) == [("stdout", "1", 0), ("stderr", "2", 0)]


def test_of_what_does_not_fit_it_is_told_how_much_it_was() -> None:
    held = HeldOutput(most=1_000)
    held.begin()
    for text in ("x" * 400, "y" * 400, "z", "w" * 20):
        held.note(written(text, left_out=1))
    held.note(written("e", "stderr"))
    assert told(held) == [("stdout", "x" * 400, 1), ("stderr", "e", 0), ("stdout", "", 424)]


def test_what_no_program_wrote_is_not_held() -> None:
    held = HeldOutput()
    held.begin()
    held.note(TaskAlive(TASK, Lease(1), progress=0.5))
    held.note(TaskAlive(TASK, Lease(1), streamed=(StreamedEvent("token", Payload(b'"x"'), TASK),)))
    assert told(held) == []
