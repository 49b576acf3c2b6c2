"""The real engine inside a test, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.task import TaskDefinition
from rescind.authoring.workflow import WorkflowDefinition
from rescind.backends.native.client_port import NativeClientPort
from rescind.embedding import Embedded
from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId, Instant
from rescind.model.views import ExecutionDetails
from rescind.runtime.ports import ClientPort
from rescind.testing.virtual_time import VirtualTimeLoop, virtual_loop
from rescind.testing.waiting_executions import waiting_executions
from rescind_server.host.driver import Host


class VirtualClock:
    """The engine's time, from a virtual event loop."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        start = loop.start
        self._start = int(start.timestamp()) * 1_000_000 + start.microsecond

    def now(self) -> Instant:
        """See `Clock.now`."""
        return Instant(self._start + self._loop.microseconds())

    def call_at(self, due: Instant, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """See `Clock.call_at`."""
        return self._loop.call_at((due - self._start) / 1_000_000, callback)


class Environment(Embedded):
    """A whole Rescind in virtual time: every sleep, time-out, retry delay and deadline takes no real time.

    The same seed gives the same run, byte for byte. It needs an event loop in virtual time: `rescind.testing.run`, or
    the pytest plugin's.
    """

    def __init__(
        self,
        agents: Iterable[AgentDefinition[Any, Any]] = (),
        tasks: Iterable[TaskDefinition[Any, Any]] = (),
        workflows: Iterable[WorkflowDefinition[Any, Any]] = (),
        *,
        seed: int = 0,
        **options: Any,
    ) -> None:
        """See `Embedded`; the clock is the event loop's."""
        super().__init__(agents, tasks, workflows, seed=seed, **options)
        self._loop: VirtualTimeLoop | None = None
        self._opened_at = 0

    async def __aenter__(self) -> Self:
        self._loop = virtual_loop()
        self._opened_at = self._loop.microseconds()
        self._clock = VirtualClock(self._loop)
        await super().__aenter__()
        self._loop.describers.append(self._describe_standstill)
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._loop is not None:
            self._loop.describers.remove(self._describe_standstill)
            self._loop = None
        await super().__aexit__(error_type, error, traceback)

    @property
    def seed(self) -> int:
        """The seed of this run: a test that draws at random should draw from this."""
        return self._seed

    def now(self) -> datetime:
        """The virtual time, in UTC."""
        return virtual_loop().now()

    def elapsed(self) -> timedelta:
        """The virtual time since the environment was opened."""
        return timedelta(microseconds=virtual_loop().microseconds() - self._opened_at)

    async def settled(self) -> None:
        """Return when all that can happen at this instant has happened: messages have arrived, code has stopped."""
        await virtual_loop().settled()

    async def kill_worker(self) -> None:
        """Lose every worker, as ``kill -9`` does: nothing of it is told to anybody, and its messages are lost.

        Agents are taken up by the next worker at once. Attempts stay the lost worker's until its lease ends.
        """
        for worker, session in self._workers:
            session.cut()
            worker.abandon()
        self._workers.clear()
        # Once around the event loop: the engine has noticed when the caller goes on.
        await asyncio.sleep(0)

    def __repr__(self) -> str:
        if self._loop is None:
            return f"<Environment seed={self._seed}, not open>"
        seconds = (self._loop.microseconds() - self._opened_at) / 1_000_000
        elapsed = f"{seconds:.6f}".rstrip("0").rstrip(".")
        count = len(self.host.execution_ids())
        return f"<Environment seed={self._seed}, open, +{elapsed} s, {count} execution{'' if count == 1 else 's'}>"

    def _describe_standstill(self) -> Iterator[str]:
        workers = [worker for worker, _ in self._workers]
        return waiting_executions(self.host, workers, self.agents, self.tasks, self.workflows)

    def _client_port(self, host: Host) -> ClientPort:
        return SettledClientPort(host)


class SettledClientPort(NativeClientPort):
    """Answers questions when the dust of this instant has settled, so that a test sees no half-done stop."""

    async def describe(self, execution_id: ExecutionId) -> ExecutionDetails:
        await virtual_loop().settled()
        return await super().describe(execution_id)

    async def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        await virtual_loop().settled()
        return await super().history(execution_id, after)
