"""One agent's engine, on the worker's side: it decides what the agent sees, from what the server has told.

The agent's code runs in the worker as always. A worker that only this engine knows stands for the tasks: what they
came to at the server is reported in its name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from rescind_proto.flovyn.v1 import agent_pb2 as wire

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import CancelTaskFromOutside, Command, SignalExecution, StartExecution
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId, WorkerId
from rescind.model.messages import (
    AgentKind,
    AgentProgress,
    StopReported,
    TaskActivation,
    TaskReported,
    ToWorker,
    WorkerJoined,
)
from rescind.model.operations import AnyOperation, CancelTask, ScheduleTask
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelMode, FailureKind, ParentClosePolicy, StopState, TaskStatus
from rescind_server.engine.entities import Execution, OpenOperation, Phase, StepWait
from rescind_server.engine.machine import Engine
from rescind_server.engine.signal_queue import Selecting, selects

_AGENT_WORKER: Final = WorkerId("agent")
_TASK_WORKER: Final = WorkerId("tasks")
_KIND: Final = "task"
_SLOTS: Final = 1_000_000
# The server tries again, and measures times: here a task has one attempt, which lasts until the server says its end.
_OPTIONS: Final = {
    policy: TaskOptions(RetryPolicy(max_attempts=1), parent_close=policy) for policy in ParentClosePolicy
}
_TIMED_OUT: Final = "task timed out"
"""How the server begins to say that a task's time is over."""


class LocalRun:
    """The agent and its tasks, as this worker knows them.

    Attributes:
        execution_id: the agent's id.
        told: what the engine has to tell, in order: to the worker that runs the agent, and to the tasks' worker.
    """

    def __init__(self, info: wire.AgentExecutionInfo, trace_parent: str, kind: AgentKind, now: Callable[[], Instant]):
        """Make the engine, and let it start the agent: its first activation is in `told`.

        Args:
            info: the agent, as the server gave it.
            trace_parent: the span that it was started in; empty if there is none.
            kind: what the worker says of the agents of this kind.
            now: the time.
        """
        self.execution_id = ExecutionId(info.id)
        self.told: deque[ToWorker] = deque()
        self._now = now
        self._engine = Engine(watches_attempts=False)
        self._leases: dict[TaskId, Lease] = {}
        self._last: Execution | None = None
        queue = info.queue or "default"
        self.decide(
            StartExecution(
                kind.kind,
                Payload(info.input) if info.input else NULL_PAYLOAD,
                self.execution_id,
                queue,
                _labels(info.metadata),
                trace_parent=trace_parent or None,
            )
        )
        self.decide(WorkerJoined(_TASK_WORKER, 1, (queue,), tasks=(_KIND,), task_slots=_SLOTS, agent_slots=0))
        self.decide(WorkerJoined(_AGENT_WORKER, 1, (queue,), (kind,), agent_slots=1))

    def decide(self, command: Command) -> None:
        """Decide a command."""
        closed = None if self._engine.holds(self.execution_id) else self._last
        self._take(self._engine.decide(command, self._now(), closed).pushes)

    def come_due(self) -> bool:
        """Decide what the time has come for; returns whether there was something."""
        decision = self._engine.come_due(self._now())
        if decision is None:
            return False
        self._take(decision.pushes)
        return True

    def seconds_until_due(self) -> float | None:
        """How long until `come_due` has something to decide; None if nothing waits for a time."""
        due = self._engine.next_due()
        return None if due is None else max(0.0, (due - self._now()) / 1_000_000)

    def _take(self, pushes: Sequence[tuple[object, ToWorker]]) -> None:
        for _, message in pushes:
            if isinstance(message, TaskActivation):
                self._leases[message.task_id] = message.lease
            else:
                self.told.append(message)
        execution = self._engine.execution(self.execution_id)
        if execution is not None:
            self._last = execution

    @property
    def _execution(self) -> Execution:
        assert self._last is not None, "it began with the start"
        return self._last

    # ── the agent ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def kind(self) -> str:
        """The agent's kind."""
        return self._execution.kind

    @property
    def run(self) -> int:
        """The number of the run of its code."""
        return self._execution.run

    @property
    def only_waits(self) -> bool:
        """Whether nothing of it is at work here: no code, and no side effect."""
        execution = self._execution
        is_at_work = any(isinstance(each, StepWait) for each in execution.open.values())
        return execution.phase is Phase.IDLE and not is_at_work

    def open_operations(self) -> list[OpenOperation]:
        """What it waits for."""
        return list(self._execution.open.values())

    def take_progress(self, progress: AgentProgress) -> None:
        """Decide what the agent's code asked for."""
        operations = tuple(_known_here(each) for each in progress.operations)
        self.decide(msgspec.structs.replace(progress, operations=operations, streamed=()))

    def has_signal_for(self, operation: Selecting) -> bool:
        """Whether a signal is here that an operation selects."""
        return any(selects(operation, signal) for signal in self._execution.signals)

    def take_signal(self, name: str, value: Payload) -> None:
        """The server has handed over a signal."""
        self.decide(SignalExecution(self.execution_id, name, value))

    # ── its tasks ───────────────────────────────────────────────────────────────────────────────────────────────────

    def is_open(self, task_id: TaskId) -> bool:
        """Whether the agent has such a task, whose end is not known here."""
        task = self._execution.tasks.get(task_id)
        return task is not None and task.outcome is None

    def open_tasks(self) -> list[TaskId]:
        """The tasks whose ends are not known here."""
        return [task_id for task_id, task in self._execution.tasks.items() if task.outcome is None]

    @property
    def task_count(self) -> int:
        """How many tasks it has scheduled."""
        return len(self._execution.tasks)

    def take_end(self, task_id: TaskId, result: wire.TaskResultEntry) -> None:
        """The server tells how a task stands; what is no end, or known already, changes nothing."""
        if not self.is_open(task_id):
            return
        lease = self._leases[task_id]
        match result.status.upper():
            case TaskStatus.COMPLETED:
                is_null = result.output in (b"", NULL_PAYLOAD.data)
                self.decide(TaskReported(task_id, lease, output=None if is_null else Payload(result.output)))
            case TaskStatus.FAILED:
                self.decide(TaskReported(task_id, lease, failure=_failure(result.error)))
            case TaskStatus.CANCELLED:
                cause = CancelCause(CancelSource.REQUEST, "server", "the server says that it is cancelled")
                self.decide(CancelTaskFromOutside(self.execution_id, task_id, cause))
            case _:
                pass

    def let_stop(self, task_id: TaskId, lease: Lease) -> None:
        """A task's work was to be stopped: whether it has, this protocol does not tell."""
        self.decide(StopReported(task_id, lease, StopState.LOST))


def _known_here(operation: AnyOperation) -> AnyOperation:
    """An operation as this engine is to take it: the rest of it is the server's."""
    match operation:
        case ScheduleTask():
            options = _OPTIONS[operation.options.parent_close]
            return msgspec.structs.replace(operation, kind=_KIND, queue=None, options=options)
        case CancelTask():
            return msgspec.structs.replace(operation, mode=CancelMode.TRY)
        case _:
            return operation


def _failure(error: str) -> Failure:
    is_late = error.lower().startswith(_TIMED_OUT)
    return Failure(FailureKind.TIMED_OUT if is_late else FailureKind.ERROR, error)


def _labels(metadata: bytes) -> dict[str, str]:
    try:
        return msgspec.json.decode(metadata, type=dict[str, str]) if metadata else {}
    except msgspec.DecodeError:
        return {}  # another server's, of another shape: nothing depends on it
