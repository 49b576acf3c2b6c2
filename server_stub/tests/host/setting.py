"""A host over a store that commits when it is allowed to, and what its one worker and its clients see of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import (
    CancelExecution,
    Reply,
    SignalExecution,
    StartExecution,
)
from rescind.model.ids import ExecutionId, TaskId, WorkerId
from rescind.model.messages import (
    AgentActivation,
    AgentCompleted,
    AgentKind,
    AgentProgress,
    TaskActivation,
    ToWorker,
    WorkerJoined,
)
from rescind.model.operations import ScheduleTask
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.testing.virtual_time import virtual_loop
from rescind_server.engine.machine import Engine
from rescind_server.engine.state import Decision
from rescind_server.host.clock import WallClock
from rescind_server.host.driver import Host
from rescind_server.host.watchers import Seen, Subscription
from rescind_server.store.memory import MemoryStore

X = ExecutionId("x")
TASK = TaskId("t")
CAUSE = CancelCause(CancelSource.REQUEST, "client:test")
START = StartExecution("agent", NULL_PAYLOAD, X)


class SlowStore(MemoryStore):
    """Commits when it is allowed to, or fails.

    Attributes:
        is_open: set while commits go through.
        commits: the decisions of each commit that was begun.
        failure: what the next commit raises.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.commits: list[Sequence[Decision]] = []
        self.failure: Exception | None = None

    async def commit(self, decisions: Sequence[Decision]) -> None:
        self.commits.append(decisions)
        await self.is_open.wait()
        if self.failure is not None:
            raise self.failure
        await super().commit(decisions)


@dataclass
class Setting:
    """A host over a slow store, with one worker."""

    store: SlowStore = field(default_factory=SlowStore)
    read_clock: Callable[[], int] | None = None
    received: list[ToWorker] = field(default_factory=list)
    host: Host = field(init=False)

    async def __aenter__(self) -> Setting:
        self.host = Host(Engine(), self.store, WallClock(self.read_clock))
        self.host.start()
        self.host.attach(WorkerId("w"), 1, self.received.extend)
        self.host.tell(WorkerJoined(WorkerId("w"), 1, ("default",), (AgentKind("agent"),), ("work",)))
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.host.close()

    def activation(self) -> AgentActivation:
        return next(each for each in reversed(self.received) if isinstance(each, AgentActivation))

    async def schedule(self) -> TaskActivation:
        """Start an agent that schedules one task; returns its activation."""
        await self.host.ask(START)
        self.host.tell(AgentProgress(X, 1, 1, (ScheduleTask(1, TASK, "work", NULL_PAYLOAD),)))
        await settle()
        return next(each for each in self.received if isinstance(each, TaskActivation))

    async def end(self) -> None:
        """Let the agent complete."""
        activation = self.activation()
        self.host.tell(AgentProgress(X, activation.run, activation.number, (), AgentCompleted(Payload(b"1"))))
        await settle()


async def settle() -> None:
    """Return when everything that can run has run."""
    await virtual_loop().settled()


async def read(subscription: Subscription) -> list[Seen]:
    """What a follower can read by now."""
    told: list[Seen] = []

    async def read_on() -> None:
        while True:
            told.append(await subscription.get())

    reader = asyncio.create_task(read_on())
    await settle()
    reader.cancel()
    return told


async def asks(host: Host, *commands: StartExecution | CancelExecution | SignalExecution) -> list[asyncio.Task[Reply]]:
    tasks = [asyncio.create_task(host.ask(command)) for command in commands]
    await settle()
    return tasks
