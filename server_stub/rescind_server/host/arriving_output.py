"""What programs write, as it arrives: each byte once, with its place, and no more of it than fits into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rescind.errors import StoreError
from rescind.model.ids import ExecutionId, Lease, TaskId
from rescind.model.output import MOST_LEFT_OUT, OutputPiece, StreamName
from rescind_server.store.outputs import AttemptOutput, Outputs, Placed, Written
from rescind_server.store.port import Store

MOST_BYTES: Final = 16 * 1024 * 1024
"""The most that waits to be written, of all executions together. Of what does not fit, how much it was is written."""

_MOST_COUNTED: Final = 1_000
# What a piece takes besides the bytes in it.
_PER_PIECE: Final = 128


class CountedOutput:
    """How much the programs of each execution have written, so that what is told twice or lost on its way shows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sizes: dict[ExecutionId, int] = {}
        self._attempts: dict[ExecutionId, dict[TaskId, AttemptOutput]] = {}

    def size(self, execution_id: ExecutionId) -> int:
        """How many bytes an execution's programs have written by now, all together."""
        known = self._sizes.get(execution_id)
        return self._stored_size(execution_id) if known is None else known

    def attempt(self, execution_id: ExecutionId, task_id: TaskId) -> AttemptOutput:
        """How far the attempt has come that wrote last of a task."""
        return self._attempts[execution_id][task_id].copy()

    def unseen(
        self, execution_id: ExecutionId, task_id: TaskId, piece: OutputPiece, place: tuple[Lease, int] | None
    ) -> Iterator[Placed]:
        """What of a piece is new, and before that how much was lost on its way, if something was.

        Args:
            execution_id: the execution.
            task_id: its task.
            piece: what arrived.
            place: the attempt's lease, and how much it has written before to the same output; None if that was not
                said: then all of it is new.
        """
        attempts = self._attempts.setdefault(execution_id, {})
        attempt = attempts.get(task_id)
        if attempt is None:
            attempt = attempts[task_id] = self._stored_attempt(execution_id, task_id, piece.stream, place)
        lease = place[0] if place is not None else attempt.lease
        if lease != attempt.lease:
            attempt = attempts[task_id] = AttemptOutput(lease)
        have = attempt.sizes.get(piece.stream, 0)
        offset = place[1] if place is not None else have
        # What nobody can have written is no worker of ours: its numbers would fit into no file.
        is_absurd = not 0 <= offset <= MOST_LEFT_OUT or self.size(execution_id) > MOST_LEFT_OUT
        if is_absurd or offset + piece.size <= have:
            return
        if offset > have:
            yield self._placed(execution_id, OutputPiece(piece.stream, "", offset - have))
        yield self._placed(execution_id, piece.behind(have - offset) if offset < have else piece)
        attempt.sizes[piece.stream] = offset + piece.size

    def forget_all_but(self, waiting: set[ExecutionId]) -> None:
        """Everything is in the store but for these: of many executions the counts are looked up there again."""
        if len(self._sizes) > _MOST_COUNTED:
            for execution_id in self._sizes.keys() - waiting:
                del self._sizes[execution_id]
                self._attempts.pop(execution_id, None)

    def _placed(self, execution_id: ExecutionId, piece: OutputPiece) -> Placed:
        at = self.size(execution_id)
        self._sizes[execution_id] = at + piece.size
        return Placed(at, piece)

    def _stored_size(self, execution_id: ExecutionId) -> int:
        try:
            return self._store.output_size(execution_id)
        except StoreError:
            return 0

    def _stored_attempt(
        self, execution_id: ExecutionId, task_id: TaskId, stream: StreamName, place: tuple[Lease, int] | None
    ) -> AttemptOutput:
        try:
            return self._store.attempt_output(execution_id, task_id)
        except StoreError:
            # What came before cannot be known: it is neither repeated nor missing.
            return AttemptOutput() if place is None else AttemptOutput(place[0], {stream: place[1]})


class ArrivingOutput:
    """What waits to be written, bounded in bytes."""

    def __init__(self, counted: CountedOutput, most: int = MOST_BYTES) -> None:
        """Hold nothing yet; `most` is in bytes."""
        self._counted = counted
        self._most = most
        self._bytes = 0
        self._pieces: dict[tuple[ExecutionId, TaskId], list[Placed]] = {}
        self._left_out: dict[tuple[ExecutionId, TaskId], dict[StreamName, Placed]] = {}

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, execution_id: ExecutionId, task_id: TaskId, placed: Placed) -> None:
        """Hold a piece, or how much it was."""
        key = execution_id, task_id
        pieces = self._pieces.setdefault(key, [])
        left_out = self._left_out.get(key, {})
        size = len(placed.piece.data) + _PER_PIECE
        # Once some of an output was left out, so is what follows: it would stand in the wrong place.
        if placed.piece.stream in left_out or self._bytes + size > self._most:
            self._leave_out(key, placed)
        else:
            pieces.append(placed)
            self._bytes += size

    def count_as_left_out(self, outputs: Outputs) -> None:
        """These could not be written: only how much it was is written later, before what has come since."""
        for key, written in outputs.items():
            lost: dict[StreamName, Placed] = {}
            for placed in written.pieces:
                _count(lost, placed)
            self._pieces[key] = [*lost.values(), *self._pieces.get(key, ())]

    def of(self, execution_id: ExecutionId) -> Iterator[tuple[TaskId, Placed]]:
        """What an execution's tasks wrote of this."""
        for key in self._pieces:
            if key[0] == execution_id:
                for placed in self._all(key):
                    yield key[1], placed

    def outputs(self) -> Outputs:
        """All of it."""
        return {key: Written(self._all(key), self._counted.attempt(*key)) for key in self._pieces}

    def executions(self) -> set[ExecutionId]:
        """Whose it is."""
        return {execution_id for execution_id, _ in self._pieces}

    def _all(self, key: tuple[ExecutionId, TaskId]) -> list[Placed]:
        return [*self._pieces[key], *self._left_out.get(key, {}).values()]

    def _leave_out(self, key: tuple[ExecutionId, TaskId], placed: Placed) -> None:
        _count(self._left_out.setdefault(key, {}), placed)


def _count(left_out: dict[StreamName, Placed], placed: Placed) -> None:
    """One more that is left out: of each output together they end where the last one ended."""
    stream, size = placed.piece.stream, placed.piece.size
    before = left_out[stream].piece.left_out if stream in left_out else 0
    left_out[stream] = Placed(placed.at - before, OutputPiece(stream, "", before + size))
