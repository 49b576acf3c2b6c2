"""Plays workers and clients of workflows against the engine. After each decision the laws of workflows hold as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final

from rescind.model.commands import Deferred, Refused, Started
from rescind.model.ids import ExecutionId, TaskId, WorkerId, task_id_from_key
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import ExecutionStatus
from rescind.model.workflow_commands import (
    AnyWorkflowCommand,
    CancelWorkflow,
    CompleteWorkflow,
    FailWorkflow,
    PassStatus,
    ScheduleChildWorkflow,
    ScheduleTask,
    SuspendWorkflow,
)
from rescind.model.workflow_events import AnyWorkflowEvent
from rescind.model.workflows import (
    NoWorkflow,
    PollWorkflow,
    StartWorkflow,
    Submitted,
    SubmitWorkflowCommands,
    WorkflowClaimed,
)
from rescind_server.engine.state import Decision
from rescind_server.engine.workflow_entities import Workflow, workflow_of
from server_stub.tests.engine.driver import Stage
from server_stub.tests.engine.workflow_laws import check_workflows

_STATUS_OF: Final[Mapping[type, PassStatus]] = {
    CompleteWorkflow: PassStatus.COMPLETED,
    FailWorkflow: PassStatus.FAILED,
    CancelWorkflow: PassStatus.CANCELLED,
}


class WorkflowStage(Stage):
    """An engine, its clock, and those who run workflows with it."""

    def __init__(self, *, worker: str | None = None, lease_ms: int = 10_000, seed: int = 0) -> None:
        super().__init__(worker=worker, lease_ms=lease_ms, seed=seed)
        self._polls = count(1)

    def _take(self, decision: Decision) -> Decision:
        super()._take(decision)
        check_workflows(self.engine)
        return decision

    def begin(self, name: str = "x", *, kind: str = "flow", **options: Any) -> ExecutionId:
        """Start a workflow; `name` stands for its id."""
        execution_id = workflow_id(name)
        reply = self.ask(StartWorkflow(kind, execution_id=execution_id, **options))
        assert isinstance(reply, Started)
        return reply.execution_id

    def begin_pass(self, name: str = "x", **options: Any) -> WorkflowClaimed:
        """Start a workflow, and claim it."""
        self.begin(name, **options)
        return self.claim()

    def poll(
        self,
        worker: str = "w",
        *,
        wait_ms: int | None = None,
        kinds: Sequence[str] = (),
        lease_ms: int | None = None,
        pass_ms: int | None = None,
    ) -> Deferred | WorkflowClaimed | NoWorkflow:
        """Poll; answered at once if there is work."""
        poll = PollWorkflow(
            f"poll-{next(self._polls)}",
            WorkerId(worker),
            kinds=tuple(kinds),
            wait_ms=wait_ms,
            lease_ms=lease_ms,
            pass_ms=pass_ms,
        )
        reply = self.ask(poll)
        assert isinstance(reply, Deferred | WorkflowClaimed | NoWorkflow)
        return reply

    def claim(self, worker: str = "w", **options: Any) -> WorkflowClaimed:
        """Claim what is there."""
        claimed = self.poll(worker, wait_ms=0, **options)
        assert isinstance(claimed, WorkflowClaimed), "there is nothing to claim"
        return claimed

    def nothing_to_claim(self) -> bool:
        """Whether a poll finds nothing."""
        return self.poll(wait_ms=0) == NoWorkflow()

    def submit(
        self,
        claimed: WorkflowClaimed,
        *commands: AnyWorkflowCommand,
        status: PassStatus | None = None,
        cleaning_up: bool = False,
        foreign: bool = False,
    ) -> Submitted | Refused:
        """Tell what a pass gave; as a client that cannot name its claim if it is `foreign`."""
        if status is None:
            last = type(commands[-1]) if commands else SuspendWorkflow
            status = _STATUS_OF.get(last, PassStatus.SUSPENDED)
        reply = self.ask(
            SubmitWorkflowCommands(
                claimed.execution_id,
                tuple(commands),
                status,
                None if foreign else claimed.claim,
                None if foreign else claimed.sequence + 1,
                cleaning_up,
            )
        )
        assert isinstance(reply, Submitted | Refused)
        return reply

    def workflow(self, name: str = "x") -> Workflow:
        """What the engine remembers of a workflow, in memory or closed."""
        execution_id = workflow_id(name)
        return workflow_of(self.engine.execution(execution_id) or self.closed[execution_id])

    def log(self, name: str = "x", since: int = 0) -> list[str]:
        """The types of a workflow's events."""
        return [logged.event.event_type for logged in self.workflow(name).log[since:]]

    def last_logged(self, name: str = "x") -> AnyWorkflowEvent:
        """The last event of a workflow's log."""
        return self.workflow(name).log[-1].event

    def status_of(self, name: str = "x") -> ExecutionStatus:
        """Where a workflow stands."""
        return self.execution(workflow_id(name)).status


def workflow_id(name: str) -> ExecutionId:
    """The id for which a name stands in a test."""
    return ExecutionId(task_id_from_key(f"workflow {name}"))


def task_id(name: str) -> TaskId:
    """The id for which the name of a task stands in a test."""
    return task_id_from_key(f"task {name}")


def schedules(name: str, *, kind: str = "work", **options: Any) -> ScheduleTask:
    """The command that schedules a task."""
    return ScheduleTask(kind, task_id(name), **options)


def starts_child(
    name: str, *, kind: str = "flow", value: Payload = NULL_PAYLOAD, **options: Any
) -> ScheduleChildWorkflow:
    """The command that starts a child of this name, whose id stands for the same name."""
    return ScheduleChildWorkflow(name, kind, workflow_id(name), value, **options)
