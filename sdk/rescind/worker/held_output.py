"""What programs write while no session works: kept for a while, and told over the next one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from rescind.model.ids import Lease, TaskId
from rescind.model.messages import FromWorker, TaskAlive
from rescind.model.output import OutputPiece, StreamName, event_of, piece_of

_MOST_BYTES: Final = 4 * 1024 * 1024
"""The most that is kept of all programs together. Of what does not fit, how much it was is told."""
# What a message takes besides the bytes in it.
_PER_MESSAGE: Final = 512


class HeldOutput:
    """The output that the other side cannot have got. It holds nothing until `begin`, nor after `end`."""

    def __init__(self, most: int = _MOST_BYTES) -> None:
        """Hold nothing yet; `most` is in bytes."""
        self._most = most
        self._is_holding = False
        self._messages: list[TaskAlive] = []
        self._bytes = 0
        self._left_out: Counter[tuple[TaskId, Lease, StreamName]] = Counter()

    def begin(self) -> None:
        """A session was cut: hold what comes."""
        self._is_holding = True

    def end(self) -> None:
        """A session works, and was told what is held."""
        self._is_holding = False
        self._messages.clear()
        self._bytes = 0
        self._left_out.clear()

    def note(self, message: FromWorker) -> None:
        """Hold a message if it tells what a program wrote."""
        if not self._is_holding or not isinstance(message, TaskAlive):
            return
        for event in message.streamed:
            piece = piece_of(event)
            if piece is None:
                continue
            key = (message.task_id, message.lease, piece.stream)
            # Once some of an output was left out, so is what follows: it would stand in the wrong place.
            if key in self._left_out or self._bytes + len(piece.data) > self._most:
                self._left_out[key] += piece.size
            else:
                self._messages.append(message)
                self._bytes += len(piece.data) + _PER_MESSAGE

    def __iter__(self) -> Iterator[TaskAlive]:
        yield from self._messages
        for (task_id, lease, stream), size in self._left_out.items():
            told = event_of(task_id, OutputPiece(stream, "", size))
            yield TaskAlive(task_id, lease, advanced=True, streamed=(told,))
