"""Keeps the last of what the programs of tasks write, so that who comes late sees what they wrote so far."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from rescind.errors import StoreError
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.output import OutputPiece, event_of, piece_of
from rescind_server.engine.state import Decision
from rescind_server.store.outputs import Outputs
from rescind_server.store.port import Store

_LOG: Final = logging.getLogger(__name__)
_BETWEEN_WRITES: Final = 0.25
_BETWEEN_FAILURES: Final = 5.0


class KeptOutput:
    """Gathers what is streamed, and hands it to the store a few times per second. Tasks without output cost nothing.

    It is no part of the history, and no commit waits for it: a crash may take what was streamed in the last moment.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._arrived: dict[tuple[ExecutionId, TaskId], list[OutputPiece]] = defaultdict(list)
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._is_closed = False

    def take(self, decisions: Sequence[Decision]) -> None:
        """Keep the output that these decisions brought along."""
        for decision in decisions:
            for execution_id, event in decision.streamed:
                piece = piece_of(event)
                if piece is not None and event.task_id is not None:
                    self._arrived[execution_id, event.task_id].append(piece)
        if self._arrived:
            self._write_later(_BETWEEN_WRITES)

    async def at_rest(self) -> None:
        """Return when nothing is being written: until the next await, `so_far` tells all, and all of it once."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    def so_far(self, execution_id: ExecutionId) -> Sequence[StreamedEvent]:
        """What an execution's tasks wrote, as far as it is kept. To be asked for after `at_rest`."""
        arrived = [
            event_of(task_id, piece)
            for (whose, task_id), pieces in self._arrived.items()
            if whose == execution_id
            for piece in pieces
        ]
        return [*self._store.output(execution_id), *arrived]

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
        outputs, self._arrived = self._arrived, defaultdict(list)
        self._writing = asyncio.get_running_loop().create_task(self._write(outputs), name="rescind output")

    async def _write(self, outputs: Outputs) -> None:
        pause = _BETWEEN_WRITES
        try:
            await self._store.keep_outputs(outputs)
        except StoreError as error:
            _LOG.warning("what programs wrote is not kept: %s", error)
            self._count_as_left_out(outputs)
            pause = _BETWEEN_FAILURES
        finally:
            self._writing = None
        if self._arrived:
            self._write_later(pause)

    def _count_as_left_out(self, outputs: Outputs) -> None:
        """Of what could not be written, how much it was is written later."""
        for key, pieces in outputs.items():
            lost: dict[str, OutputPiece] = {}
            for piece in pieces:
                before = lost[piece.stream].left_out if piece.stream in lost else 0
                lost[piece.stream] = OutputPiece(piece.stream, "", before + len(piece.data) + piece.left_out)
            self._arrived[key][:0] = lost.values()
