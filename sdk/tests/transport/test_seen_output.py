"""Who follows what programs write, and comes back, goes on where it was: nothing twice, nothing passed over."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from rescind.model.ids import TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.output import OutputPiece, StreamName, event_of, piece_of
from rescind.model.payload import Payload
from rescind.transport.seen_output import SeenOutput

TASK = TaskId("t-1")


def written(text: str, stream: StreamName = "stdout", *, left_out: int = 0, task: TaskId = TASK) -> StreamedEvent:
    return event_of(task, OutputPiece(stream, text, left_out))


def shown(seen: SeenOutput, events: Iterable[StreamedEvent], *, is_kept: bool) -> list[tuple[str, str, int]]:
    unseen = (seen.unseen(event, is_kept=is_kept) for event in events)
    pieces = (piece_of(event) for event in unseen if event is not None)
    return [(piece.stream, piece.text, piece.left_out) for piece in pieces if piece is not None]


def test_at_first_all_is_shown() -> None:
    seen = SeenOutput()
    assert shown(seen, [written("kept")], is_kept=True) == [("stdout", "kept", 0)]
    assert shown(seen, [written("live")], is_kept=False) == [("stdout", "live", 0)]


@pytest.mark.parametrize("kept", [["abcdef"], ["ab", "cdef"], ["abc", "def"], ["a", "b", "c", "d", "e", "f"]])
def test_behind_a_cut_what_was_written_meanwhile_is_shown_once(kept: list[str]) -> None:
    seen = SeenOutput()
    shown(seen, [written("abc")], is_kept=False)
    seen.begin_again()
    assert "".join(text for _, text, _ in shown(seen, map(written, kept), is_kept=True)) == "def"
    assert shown(seen, [written("gh")], is_kept=False) == [("stdout", "gh", 0)]


def test_each_output_of_each_task_is_counted_alone() -> None:
    seen, other = SeenOutput(), TaskId("t-2")
    shown(seen, [written("ab"), written("xyz", "stderr"), written("1", task=other)], is_kept=False)
    seen.begin_again()
    again = [written("abc"), written("xyz", "stderr"), written("12", task=other)]
    assert shown(seen, again, is_kept=True) == [("stdout", "c", 0), ("stdout", "2", 0)]


def test_what_is_kept_no_more_counts_as_told() -> None:
    seen = SeenOutput()
    shown(seen, [written("abc", left_out=2)], is_kept=False)
    seen.begin_again()
    # Of the first ten bytes nothing is kept; five of them were told of before.
    assert shown(seen, [written("", left_out=10), written("k")], is_kept=True) == [
        ("stdout", "", 5),
        ("stdout", "k", 0),
    ]


def test_a_cut_while_it_is_told_again_shows_nothing_twice() -> None:
    seen = SeenOutput()
    shown(seen, [written("abc")], is_kept=False)
    seen.begin_again()
    assert shown(seen, [written("a")], is_kept=True) == []
    seen.begin_again()
    assert shown(seen, [written("abcd")], is_kept=True) == [("stdout", "d", 0)]


def test_a_server_that_kept_less_than_was_shown_costs_nothing_of_what_follows() -> None:
    seen = SeenOutput()
    shown(seen, [written("abcdef")], is_kept=False)
    seen.begin_again()
    assert shown(seen, [written("abc")], is_kept=True) == []
    assert shown(seen, [written("gh")], is_kept=False) == [("stdout", "gh", 0)]


def test_a_cut_within_a_character_shows_its_bytes() -> None:
    seen = SeenOutput()
    shown(seen, [event_of(TASK, OutputPiece.of("stdout", "ä".encode()[:1]))], is_kept=False)
    seen.begin_again()
    (rest,) = [seen.unseen(written("äb"), is_kept=True)]
    assert rest is not None
    piece = piece_of(rest)
    assert piece is not None
    assert piece.data == "äb".encode()[1:]


def test_events_of_other_kinds_pass() -> None:
    token = StreamedEvent("token", Payload(b'"x"'), TASK)
    assert SeenOutput().unseen(token, is_kept=False) is token
