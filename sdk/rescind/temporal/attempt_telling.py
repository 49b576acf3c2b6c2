"""What a running attempt tells its workflow: events that it streams, in batches, since each signal is kept for ever."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError

from rescind.model.messages import StopReported, StreamedEvent, TaskAlive
from rescind.temporal import names
from rescind.temporal.payloads import record_to_temporal
from rescind.temporal.records import AttemptAlive, AttemptOrder, AttemptOverrun, Limit

_LOG: Final = logging.getLogger("rescind.worker")

FIRST_PAUSE: Final = 0.1
"""The shortest time between two batches, in seconds. It grows with their number: histories are bounded."""
_GROWTH: Final = 1.02
_LONGEST_PAUSE: Final = 5.0
_MOST_KEPT: Final = 1_000
_MOST_BYTES: Final = 256 * 1024


class AttemptTelling:
    """Sends signals to the workflow of one attempt. What cannot be sent is logged, and lost: nothing depends on it."""

    def __init__(self, workflow: WorkflowHandle[Any, Any], order: AttemptOrder) -> None:
        self._workflow = workflow
        self._order = order
        self._progress: float | None = None
        self._message: str | None = None
        self._streamed: list[StreamedEvent] = []
        self._bytes = 0
        self._left_out = 0
        self._pause = FIRST_PAUSE
        self._has_news = asyncio.Event()

    def note(self, alive: TaskAlive) -> None:
        """The attempt has told something. Of more than there is room for, the latest is left out."""
        if alive.progress is not None:
            self._progress, self._message = alive.progress, alive.message
        for event in alive.streamed:
            self._bytes += len(event.value.data)
            if len(self._streamed) < _MOST_KEPT and self._bytes <= _MOST_BYTES:
                self._streamed.append(event)
            else:
                self._left_out += 1
        if alive.progress is not None or alive.streamed:
            self._has_news.set()

    async def run(self) -> None:
        """Send what there is, again and again, until cancelled."""
        while True:
            await self._has_news.wait()
            await self.flush()
            await asyncio.sleep(self._pause)
            self._pause = min(_LONGEST_PAUSE, self._pause * _GROWTH)

    async def flush(self) -> None:
        """Send what there is now."""
        if not self._has_news.is_set():
            return
        self._has_news.clear()
        if self._left_out:
            _LOG.warning("task %s streamed too much: %s events were left out", self._order.task_id, self._left_out)
        alive = AttemptAlive(
            self._order.task_id, self._order.lease, self._progress, self._message, tuple(self._streamed)
        )
        self._streamed, self._bytes, self._left_out = [], 0, 0
        await self._signal(names.ALIVE_SIGNAL, alive)

    async def delivered(self, report: StopReported) -> None:
        """The work was told to stop, and takes its time."""
        await self._signal(names.DELIVERED_SIGNAL, report)

    async def overrun(self, limit: Limit) -> None:
        """The attempt has reached one of its limits."""
        await self._signal(names.OVERRUN_SIGNAL, AttemptOverrun(self._order.lease, limit))

    async def _signal(self, name: str, record: Any) -> None:
        try:
            await self._workflow.signal(name, record_to_temporal(record))
        except RPCError as error:
            _LOG.warning("task %s could not tell its workflow %s: %s", self._order.task_id, name, error)
