"""What programs wrote last: numbered, and told again over the next session, since it may be lost with one that is cut.

Whoever it is told drops what has arrived before (`TaskAlive.offset`), and counts what is missing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from rescind.model.ids import Lease, TaskId
from rescind.model.messages import FromWorker, StopReported, TaskAlive, TaskReported
from rescind.model.output import OutputPiece, StreamName, event_of, piece_of
from rescind.model.status import STOP_ENDED

_MOST_BYTES: Final = 4 * 1024 * 1024
"""The most that is kept of all programs together. Of what does not fit, how much it was is told."""
# What a message takes besides the bytes in it.
_PER_MESSAGE: Final = 512
_MOST_LEFT_OUT: Final = 10_000

_Key = tuple[TaskId, Lease, StreamName]


class _Held(NamedTuple):
    message: TaskAlive
    key: _Key
    offset: int
    end: int
    size: int


class HeldOutput:
    """The output that the other side may not have got. It keeps nothing until `begin`."""

    def __init__(self, most: int = _MOST_BYTES) -> None:
        """Hold nothing yet; `most` is in bytes."""
        self._most = most
        self._is_holding = False
        self._held: deque[_Held] = deque()
        self._bytes = 0
        self._sizes: dict[Lease, Counter[StreamName]] = {}
        # What no longer fits, as one piece of each output: where it begins, and where it ends.
        self._left_out: dict[_Key, tuple[int, int]] = {}

    def begin(self) -> None:
        """The session may be cut: hold the last of what comes."""
        self._is_holding = True

    def arrived(self) -> None:
        """The other side has answered over a session that was told everything: what was left out is known there."""
        self._forget_ended()

    def numbered(self, message: FromWorker) -> FromWorker:
        """A message as it is sent: one that tells what a program wrote, with its offset. Such a one is held."""
        if isinstance(message, TaskReported) or (isinstance(message, StopReported) and message.state in STOP_ENDED):
            self._sizes.pop(message.lease, None)
        if not isinstance(message, TaskAlive) or len(message.streamed) != 1:
            return message
        piece = piece_of(message.streamed[0])
        if piece is None:
            return message
        sizes = self._sizes.setdefault(message.lease, Counter())
        offset = sizes[piece.stream]
        sizes[piece.stream] += piece.size
        message = msgspec.structs.replace(message, offset=offset)
        if self._is_holding:
            key = message.task_id, message.lease, piece.stream
            size = len(piece.data) + _PER_MESSAGE
            self._held.append(_Held(message, key, offset, offset + piece.size, size))
            self._bytes += size
            while self._bytes > self._most:
                self._let_go(self._held.popleft())
        return message

    def __iter__(self) -> Iterator[TaskAlive]:
        """What is to be told over a new session: first how much does not fit any more, then what is held."""
        for (task_id, lease, stream), (offset, end) in self._left_out.items():
            told = event_of(task_id, OutputPiece(stream, "", end - offset))
            yield TaskAlive(task_id, lease, advanced=True, streamed=(told,), offset=offset)
        for held in self._held:
            yield held.message

    def _let_go(self, held: _Held) -> None:
        self._bytes -= held.size
        offset, _ = self._left_out.get(held.key, (held.offset, held.end))
        self._left_out[held.key] = offset, held.end
        if len(self._left_out) > _MOST_LEFT_OUT:
            self._forget_ended()

    def _forget_ended(self) -> None:
        self._left_out = {key: place for key, place in self._left_out.items() if key[1] in self._sizes}
