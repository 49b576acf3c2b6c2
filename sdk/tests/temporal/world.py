"""A worker and a client on a queue of their own, on a real server, and the tasks that the agents of these tests use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

from temporalio.client import WorkflowHistory

from rescind import AgentDefinition, ExecutionHandle, StreamEvent, TaskContext, TaskDefinition, task
from rescind.client.records import TaskRecord
from rescind.model.status import STOP_ENDED
from rescind.temporal import TemporalClient, TemporalReplayer, TemporalWorker

LONGEST: Final = 60.0
"""What is waited for that is not there by then, in seconds, is taken for lost."""

CAUSES: Final[dict[str, str]] = {}
"""By task id, the cause that its code saw."""


@task("nap")
async def nap(ctx: TaskContext, seconds: float) -> float:
    """Give its time back after that time; cancelled, remember why."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        CAUSES[str(ctx.task_id)] = str(ctx.cancel_cause())
        raise
    return seconds


@task("breaks", max_retries=0)
async def breaks(ctx: TaskContext, seconds: float) -> None:
    """Fail after a time, for good."""
    await asyncio.sleep(seconds)
    raise ValueError(f"broken after {seconds} s")


@task("lingers")
async def lingers(ctx: TaskContext, seconds: float) -> str:
    """Never end by itself; when cancelled, take this long to stop, and bring a result."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.sleep(seconds)
    return "late"


TASKS: Final[tuple[TaskDefinition[Any, Any], ...]] = (nap, breaks, lingers)


class World:
    """Where agents of a test run.

    Attributes:
        address: the server.
        client: calls it.
        queue: the queue that is this test's own.
    """

    def __init__(self, address: str, client: TemporalClient, queue: str) -> None:
        self.address = address
        self.client = client
        self.queue = queue
        self._agents: dict[str, AgentDefinition[Any, Any]] = {}
        self._options: dict[str, Any] = {}
        self._started: list[str] = []

    async def start(self, agent: AgentDefinition[Any, Any], given: Any = None, **options: Any) -> ExecutionHandle[Any]:
        """Start an agent on this world's queue."""
        handle: ExecutionHandle[Any] = await self.client.start(agent, given, queue=self.queue, **options)
        self._started.append(handle.id)
        return handle

    def worker(
        self, agents: Iterable[AgentDefinition[Any, Any]], tasks: Iterable[Any] = TASKS, **options: Any
    ) -> TemporalWorker:
        """One more worker of this world's queue."""
        agents = tuple(agents)
        self._agents |= {each.kind: each for each in agents}
        self._options |= {name: options[name] for name in ("payload_limit", "lease_ms") if name in options}
        return TemporalWorker(
            self.address, agents=agents, tasks=tasks, queue=self.queue, shutdown_grace_ms=100, **options
        )

    async def replay(self) -> None:
        """Run again whatever was started here, over all that Temporal knows of it: it must take the same path."""
        replayer = TemporalReplayer(self._agents.values(), **self._options)
        for execution_id in self._started:
            for history in await histories(self.client, execution_id):
                await replayer.replay(history)


@asynccontextmanager
async def world(
    address: str,
    agents: Iterable[AgentDefinition[Any, Any]] = (),
    tasks: Iterable[Any] = TASKS,
    *,
    replays: bool = True,
    **options: Any,
) -> AsyncIterator[World]:
    """A world with one worker; without agents, with none.

    When a test has passed, its agents are run again over their histories; `replays` False is for those whose code
    cannot be run, or changes.
    """
    async with asyncio.timeout(LONGEST), TemporalClient(address, by="client:test") as client:
        made = World(address, client, f"queue-{uuid4()}")
        if not agents:
            yield made
            return
        async with made.worker(agents, tasks, **options):
            yield made
            if replays:
                await made.replay()


async def histories(client: TemporalClient, execution_id: str) -> list[WorkflowHistory]:
    """Temporal's own histories of an execution: one for each run of its workflow, the first first."""
    cluster = client.port.client
    last = await cluster.get_workflow_handle(execution_id).fetch_history()
    run_id = last.events[0].workflow_execution_started_event_attributes.first_execution_run_id
    found: list[WorkflowHistory] = []
    while run_id:
        found.append(await cluster.get_workflow_handle(execution_id, run_id=run_id).fetch_history())
        run_id = found[-1].events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found


async def stopped(handle: ExecutionHandle[Any]) -> list[TaskRecord]:
    """The tasks of an execution when nothing of them is at work any more."""
    while True:
        tasks = await handle.tasks()
        if all(stop.state in STOP_ENDED for each in tasks for stop in each.stops):
            return tasks
        await asyncio.sleep(0.02)


async def its_code_runs(handle: ExecutionHandle[Any]) -> None:
    """Return when some task of an execution has streamed something."""
    async for seen in handle.follow(output=True):
        if isinstance(seen, StreamEvent):
            return


async def eventually(holds: Callable[[], bool]) -> None:
    """Return when something holds that nobody tells of."""
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
