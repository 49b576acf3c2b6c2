"""What an operator is shown: tasks wherever they are, workers, work that is stuck, and the server itself."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from rescind.model.ids import ExecutionId, Instant, TaskId, WorkerId
from rescind.model.status import StopState
from rescind.model.views import TaskView


class AttemptView(msgspec.Struct, frozen=True, gc=False):
    """An attempt that may still be running, whatever its task's status says.

    Attributes:
        number: its number within the task, from 1.
        worker_id: who runs it.
        started_at: when it was claimed.
        last_contact: when its code last gave a sign of life; when it was claimed, if it never did.
        progress: the last that its code reported, between 0 and 1.
        stop_state: how far its stopping has come; None if it was not ordered to stop.
        stop_due: when its grace ends, if it was ordered or asked to stop. One that runs on after that is unresponsive.
        deliveries: how often it was told to stop, with the order that stands.
        acknowledged: whether its worker has said that it has that order.
    """

    number: int
    worker_id: WorkerId
    started_at: Instant
    last_contact: Instant
    progress: float | None = None
    stop_state: StopState | None = None
    stop_due: Instant | None = None
    deliveries: int = 0
    acknowledged: bool = False


class ListedTask(msgspec.Struct, frozen=True, gc=False):
    """A task in a list of tasks of several executions.

    Attributes:
        execution_id: the execution that it belongs to.
        agent: the kind of that execution.
        task: the task as it stands.
        at_work: those of its attempts that may still be running.
    """

    execution_id: ExecutionId
    agent: str
    task: TaskView
    at_work: tuple[AttemptView, ...] = ()


class StillStopping(NamedTuple):
    """What is still being stopped of an execution that is cancelled, or has ended.

    Attributes:
        attempts: how many attempts of its own tasks.
        children: of how many of its children something is, at whatever level below. Those that were left on their own
            are not among them.
    """

    attempts: int = 0
    children: int = 0

    @property
    def total(self) -> int:
        """Of both; 0 if all has stopped that belongs to it."""
        return self.attempts + self.children


class CancelReach(msgspec.Struct, frozen=True, gc=False):
    """What a cancel of many would reach. What is counted once is not counted again.

    Attributes:
        executions: those that are selected; 0 where tasks are.
        descendants: executions below them that would be cancelled with them, at whatever level.
        tasks: open tasks that would be cancelled: those selected, or those of all these executions.
        attempts: how many attempts of tasks would be told to stop.
    """

    executions: int = 0
    descendants: int = 0
    tasks: int = 0
    attempts: int = 0


class WorkerView(msgspec.Struct, frozen=True, gc=False):
    """A worker that is connected, or whose attempts are still its own.

    Attributes:
        worker_id: its id.
        queues: where it takes work from.
        agents: the kinds of agents that it can run.
        tasks: the kinds of tasks that it can run.
        slots: how many attempts it runs at once.
        running: how many it runs now, those that are being stopped included.
        held: how many agents are in its memory.
        connected: whether its session is open.
        last_contact: when it last gave a sign of life.
        lease_ends: when its attempts are lost, if it is not connected.
        stopping: how many of its attempts were ordered to stop and have not yet stopped.
        unresponsive: how many of those run on after the end of their grace.
        workflows: the kinds of workflows that it runs.
        polls: whether it has no session, and asks for its work: it is never connected, and there until `lease_ends`.
    """

    worker_id: WorkerId
    queues: tuple[str, ...]
    agents: tuple[str, ...]
    tasks: tuple[str, ...]
    slots: int
    running: int
    held: int
    connected: bool
    last_contact: Instant
    lease_ends: Instant | None = None
    stopping: int = 0
    unresponsive: int = 0
    workflows: tuple[str, ...] = ()
    polls: bool = False


class RunningWork(msgspec.Struct, frozen=True, gc=False):
    """Something that a worker runs now: an attempt of a task, or a pass of an agent or a workflow.

    Attributes:
        subject: ``task``, ``agent`` or ``workflow``.
        execution_id: the execution that it belongs to.
        agent: the kind of that execution.
        kind: of a task, its kind; else the same as `agent`.
        task_id: the task; None of a pass.
        number: the attempt's number within the task, or that of the run of the agent's or workflow's code, from 1.
        since: when the attempt was claimed; None of a pass, of which no time is kept.
        is_stopping: whether it was told to stop.
    """

    subject: str
    execution_id: ExecutionId
    agent: str
    kind: str
    task_id: TaskId | None
    number: int
    since: Instant | None
    is_stopping: bool


class StuckReason(StrEnum):
    """Why a task is listed as stuck."""

    NOT_STOPPED = "NOT_STOPPED"
    """Its worker has the order to stop, and it runs on after the end of its grace."""
    WORKER_AWAY = "WORKER_AWAY"
    """It runs on a worker that is not connected."""
    NO_HEARTBEAT = "NO_HEARTBEAT"
    """It runs, and has given no sign of life for longer than was asked about."""
    NOT_ACKNOWLEDGED = "NOT_ACKNOWLEDGED"
    """It was told to stop more than once; its worker is connected, and has not said that it has the order."""
    STOP_WAITS = "STOP_WAITS"
    """It is to stop, and its worker is not connected: the order waits for it."""


STUCK_ADVICE: Final[Mapping[StuckReason, str]] = {
    StuckReason.NOT_STOPPED: (
        "End it by force: rescind cancel --task ID --force. Code on a thread that does not look ends with its worker."
    ),
    StuckReason.WORKER_AWAY: "Bring its worker back; when the worker's lease ends, it is tried elsewhere.",
    StuckReason.NO_HEARTBEAT: "See whether it still does something; else cancel it: rescind cancel --task ID.",
    StuckReason.NOT_ACKNOWLEDGED: (
        "The order is sent again until it is acknowledged. If its worker hangs, end that: its attempts are lost then."
    ),
    StuckReason.STOP_WAITS: (
        "Its worker is told when it comes back. If its lease ends first, the stop is LOST: look there whether it runs."
    ),
}
"""What to do about each."""


class StuckTask(msgspec.Struct, frozen=True, gc=False):
    """A task that an operator should look at.

    Attributes:
        reason: why.
        since: since when it is so.
        listed: the task.
    """

    reason: StuckReason
    since: Instant
    listed: ListedTask


class WaitingWork(msgspec.Struct, frozen=True, gc=False):
    """Work of one queue and kind that waits for a worker.

    Attributes:
        is_agent: whether agents wait; else tasks, or workflows.
        queue: where.
        kind: of what kind.
        count: how many; some that were cancelled while they waited may be among them.
        since: when the oldest was scheduled or started.
        workers: how many connected workers take this kind from this queue, whether they have room or not.
        is_workflow: whether workflows wait.
        workers_of_workflow: of agents, how many workers run a workflow of this kind from this queue: perhaps one was
            meant.
    """

    is_agent: bool
    queue: str
    kind: str
    count: int
    since: Instant
    workers: int
    is_workflow: bool = False
    workers_of_workflow: int = 0

    @property
    def sort(self) -> str:
        """What waits, in a word: ``agent``, ``task`` or ``workflow``."""
        if self.is_workflow:
            return "workflow"
        return "agent" if self.is_agent else "task"


class ParkedAgents(msgspec.Struct, frozen=True, gc=False):
    """Executions whose code cannot go on from its journal, and that wait for another deployment.

    Attributes:
        kind: of which agent.
        count: how many.
        reason: why one of them waits.
        execution_id: which one that is.
    """

    kind: str
    count: int
    reason: str
    execution_id: ExecutionId


class Stuck(msgspec.Struct, frozen=True, gc=False):
    """All that does not go on by itself.

    Attributes:
        tasks: the tasks, those that are stuck for longest first.
        task_count: how many there are; those that are not in `tasks` included.
        waiting: what waits for a worker, by queue and kind; also what has workers that are merely busy.
        parked: what waits for another deployment.
    """

    tasks: tuple[StuckTask, ...] = ()
    task_count: int = 0
    waiting: tuple[WaitingWork, ...] = ()
    parked: tuple[ParkedAgents, ...] = ()


class ServerFacts(msgspec.Struct, frozen=True, gc=False):
    """A server, as it says of itself.

    Attributes:
        version: the version of Rescind that it runs.
        now: its clock, in microseconds since the Unix epoch.
        started_at: when it began to serve.
        store: ``memory`` or ``sqlite``.
        store_path: the store's file.
        durability: what a commit waits for; ``none`` for memory.
        store_problem: why the store cannot take commits, if it cannot.
        store_bytes: the size of the file, with what stands beside it, in bytes.
        store_free_bytes: the room on its disk, in bytes.
        open_executions: how many executions have not ended, or still have work to stop.
        queued_tasks: how many tasks wait for a worker; some that were cancelled meanwhile may be among them.
        running_attempts: how many attempts run, those that are being stopped included.
        connected_workers: how many workers have an open session.
        known_workers: how many workers are connected, or may still come back to their attempts.
    """

    version: str
    now: Instant
    started_at: Instant
    store: str
    store_path: str | None = None
    durability: str = "none"
    store_problem: str | None = None
    store_bytes: int | None = None
    store_free_bytes: int | None = None
    open_executions: int = 0
    queued_tasks: int = 0
    running_attempts: int = 0
    connected_workers: int = 0
    known_workers: int = 0
