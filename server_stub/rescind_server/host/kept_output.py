"""Keeps the last of what the programs of tasks write, so that who comes late sees what they wrote so far."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Final

from rescind.errors import StoreError
from rescind.model.ids import ExecutionId
from rescind.model.messages import StreamedEvent
from rescind.model.output import event_of, piece_of
from rescind_server.engine.state import Decision
from rescind_server.host.arriving_output import MOST_BYTES, ArrivingOutput, CountedOutput
from rescind_server.store.outputs import Outputs
from rescind_server.store.port import Store

_LOG: Final = logging.getLogger(__name__)
_BETWEEN_WRITES: Final = 0.25
_BETWEEN_FAILURES: Final = 5.0


class KeptOutput:
    """Gathers what is streamed, and hands it to the store a few times per second. Tasks without output cost nothing.

    It is no part of the history, and no commit waits for it: a crash may take what was streamed in the last moment,
    unless the worker still has it and tells it again.
    """

    def __init__(self, store: Store, most: int = MOST_BYTES) -> None:
        """Keep nothing yet; `most` is how many bytes wait at most to be written."""
        self._store = store
        self._most = most
        self._counted = CountedOutput(store)
        self._arrived = ArrivingOutput(self._counted, most)
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._is_closed = False

    def take(self, decisions: Sequence[Decision]) -> None:
        """Keep the output that these decisions brought along.

        What of it was told before is taken out of them, and where some was lost on its way, how much is put in.
        """
        for decision in decisions:
            if decision.streamed:
                decision.streamed = list(self._unseen(decision))
                decision.offsets = {}
        if self._arrived:
            self._write_later(_BETWEEN_WRITES)

    async def at_rest(self) -> None:
        """Return when nothing is being written: until the next await, `so_far` tells all, and all of it once."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    def so_far(self, execution_id: ExecutionId, behind: int = 0) -> Sequence[StreamedEvent]:
        """What an execution's tasks wrote, as far as it is kept. To be asked for after `at_rest`.

        Args:
            execution_id: the execution.
            behind: how many of the bytes that its programs wrote are left away, counted as by `size`.
        """
        arrived: list[StreamedEvent] = []
        for task_id, placed in self._arrived.of(execution_id):
            seen = max(0, behind - placed.at)
            if seen < placed.piece.size:
                arrived.append(event_of(task_id, placed.piece.behind(seen) if seen else placed.piece))
        return [*self._store.output(execution_id, behind), *arrived]

    def size(self, execution_id: ExecutionId) -> int:
        """How many bytes the programs of an execution have written by now, in all, kept or not."""
        return self._counted.size(execution_id)

    def _unseen(self, decision: Decision) -> Iterator[tuple[ExecutionId, StreamedEvent]]:
        for number, (execution_id, event) in enumerate(decision.streamed):
            piece = piece_of(event)
            if piece is None or event.task_id is None:
                yield execution_id, event
                continue
            place = decision.offsets.get(number)
            for placed in self._counted.unseen(execution_id, event.task_id, piece, place):
                self._arrived.add(execution_id, event.task_id, placed)
                yield execution_id, event if placed.piece is piece else event_of(event.task_id, placed.piece)

    async def close(self) -> None:
        """Write what is still to be written."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        await self.at_rest()
        if self._arrived:
            self._begin_to_write()
            await self.at_rest()

    def _write_later(self, pause: float) -> None:
        if self._timer is None and self._writing is None and not self._is_closed:
            self._timer = asyncio.get_running_loop().call_later(pause, self._begin_to_write)

    def _begin_to_write(self) -> None:
        self._timer = None
        outputs = self._arrived.outputs()
        self._arrived = ArrivingOutput(self._counted, self._most)
        self._writing = asyncio.get_running_loop().create_task(self._write(outputs), name="rescind output")

    async def _write(self, outputs: Outputs) -> None:
        pause = _BETWEEN_WRITES
        try:
            await self._store.keep_outputs(outputs)
        except StoreError as error:
            _LOG.warning("what programs wrote is not kept: %s", error)
            self._arrived.count_as_left_out(outputs)
            pause = _BETWEEN_FAILURES
        else:
            self._counted.forget_all_but(self._arrived.executions())
        finally:
            self._writing = None
        if self._arrived:
            self._write_later(pause)
