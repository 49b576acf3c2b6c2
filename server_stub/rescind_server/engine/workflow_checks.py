"""What is wrong with a submission, before anything of it is recorded: a bad command refuses all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from rescind.model.commands import Refused
from rescind.model.status import ExecutionStatus
from rescind.model.workflow_commands import (
    AnyWorkflowCommand,
    CancelWorkflow,
    CompleteWorkflow,
    CreatePromise,
    FailWorkflow,
    PassStatus,
    ResolvePromise,
    ScheduleChildWorkflow,
    ScheduleTask,
    StartTimer,
    SuspendWorkflow,
)
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import State
from rescind_server.engine.workflow_entities import workflow_of

_UUID_LENGTH: Final = 36
_ENDINGS: Final[Mapping[type, PassStatus]] = {
    CompleteWorkflow: PassStatus.COMPLETED,
    FailWorkflow: PassStatus.FAILED,
    CancelWorkflow: PassStatus.CANCELLED,
    SuspendWorkflow: PassStatus.SUSPENDED,
}


class Checks:
    """Looks at the commands of one submission, in order: what an earlier one makes counts for the later ones."""

    def __init__(self, state: State, execution: Execution) -> None:
        self._state = state
        self._execution = execution
        self._workflow = workflow_of(execution)
        self._timers: set[str] = set()
        self._promises: set[str] = set()
        self._tasks: dict[str, str] = {}
        self._children: dict[str, str] = {}

    def problem(self, commands: Sequence[AnyWorkflowCommand], status: PassStatus) -> Refused | None:
        """Why these commands cannot be taken; None if they can."""
        for place, command in enumerate(commands):
            ends_with = _ENDINGS.get(type(command))
            if ends_with is not None and (place < len(commands) - 1 or ends_with is not status):
                return _bad(
                    f"command {place + 1} of {len(commands)} is {_name(command)}, and the pass ended {status.value}. "
                    "It must be the last, and go with the status."
                )
            check = _CHECKS.get(type(command))
            refused = check(self, command) if check is not None else None
            if refused is not None:
                return refused
        return None

    def task(self, command: ScheduleTask) -> Refused | None:
        """Its id is a UUID that is free, or belongs to the same task of this workflow."""
        task_id = command.task_execution_id
        if not _is_uuid(task_id):
            return _bad(f"{task_id!r} is no task id. Give a UUID, in lower case with hyphens.")
        if not command.kind:
            return _bad(f"task {task_id!r} has no kind. Give one.")
        known = self._execution.tasks.get(task_id)
        kind = known.kind if known is not None else self._tasks.get(task_id)
        owner = self._state.workflows.tasks.get(task_id, self._execution)
        is_taken = owner is not self._execution or task_id in self._state.named_tasks
        if is_taken or (kind is not None and kind != command.kind):
            return task_is_taken(task_id)
        self._tasks[task_id] = command.kind
        return None

    def timer(self, command: StartTimer) -> Refused | None:
        """Its id was not used before."""
        if command.timer_id in self._workflow.timers or command.timer_id in self._timers:
            return Refused("AlreadyExists", f"there is a timer {command.timer_id!r} already. Choose another id.")
        self._timers.add(command.timer_id)
        return None

    def promise(self, command: CreatePromise) -> Refused | None:
        """Its name was not used before."""
        name = command.promise_name
        if name in self._workflow.promise_ids or name in self._promises:
            return Refused("AlreadyExists", f"there is a promise {name!r} already. Choose another name.")
        self._promises.add(name)
        return None

    def resolve(self, command: ResolvePromise) -> Refused | None:
        """It is one of this workflow."""
        known = (self._workflow.promises, self._workflow.promise_ids, self._promises)
        if not any(command.promise_id in names for names in known):
            return Refused("NotFound", f"this workflow has no promise {command.promise_id!r}. Create it first.")
        return None

    def child(self, command: ScheduleChildWorkflow) -> Refused | None:
        """Its id is a UUID that is free, and its name was not used before; or both are the same child's."""
        child_id = command.child_workflow_execution_id
        # The name of an organisation may stand before it.
        if not _is_uuid(child_id[-_UUID_LENGTH:]):
            return _bad(f"{child_id!r} is no workflow id. Give a UUID, in lower case with hyphens.")
        if not command.workflow_kind:
            return _bad(f"child {command.child_execution_name!r} has no kind; drawn workflows are not offered.")
        known = self._workflow.children.get(child_id)
        name = known.name if known is not None else self._children.get(child_id)
        is_taken = known is None and (child_id in self._state.executions or child_id in self._state.taken)
        wanted = command.child_execution_name
        if is_taken or (name is not None and name != wanted):
            return Refused("AlreadyExists", f"execution {child_id!r} exists, and is another. Choose another id.")
        # The end of a child is looked up by its name: that of a second one would be taken for the first one's.
        if name is None and (wanted in self._workflow.child_names or wanted in self._children.values()):
            return Refused("AlreadyExists", f"there is a child {wanted!r} already. Choose another name.")
        self._children[child_id] = wanted
        return None


_CHECKS: Final[Mapping[type, Callable[[Checks, Any], Refused | None]]] = {
    ScheduleTask: Checks.task,
    StartTimer: Checks.timer,
    CreatePromise: Checks.promise,
    ResolvePromise: Checks.resolve,
    ScheduleChildWorkflow: Checks.child,
}


def wrong_pass(execution: Execution, claim: int | None, first_sequence: int | None) -> Refused | None:
    """Why a submission is none of the pass that is being made; None if it is."""
    execution_id = execution.execution_id
    if execution.ended:
        return ended(execution)
    if execution.status is ExecutionStatus.PENDING or not workflow_of(execution).worker_id:
        return Refused("NotClaimed", f"workflow {execution_id!r} is not claimed. Poll for work, and run what is given.")
    if claim is not None and claim != execution.run:
        return Refused(
            "NotClaimed", f"claim {claim} of workflow {execution_id!r} is over; claim {execution.run} stands. Drop it."
        )
    if first_sequence is None:
        return None
    workflow = workflow_of(execution)
    if first_sequence > len(workflow.log) + 1:
        return _bad(
            f"a pass that begins at event {first_sequence} has seen what workflow {execution_id!r} does not have; "
            f"its log ends at {len(workflow.log)}. Read it anew."
        )
    if first_sequence <= workflow.claimed_at:
        return Refused(
            "NotClaimed",
            f"the pass began at event {first_sequence} of workflow {execution_id!r}, which was at "
            f"{workflow.claimed_at} when it was claimed: an older pass, or one sent twice. Drop it.",
        )
    return None


def ended(execution: Execution) -> Refused:
    """The refusal for a workflow that takes nothing any more."""
    return Refused(
        "ExecutionEnded", f"workflow {execution.execution_id!r} is {execution.status.value}; it takes nothing more."
    )


def task_is_taken(task_id: str) -> Refused:
    """The refusal for a task's id that another task has."""
    return Refused("AlreadyExists", f"task {task_id!r} exists, and is another. Choose another id.")


def not_found(execution_id: str) -> Refused:
    """The refusal for an id that is no workflow's."""
    return Refused("NotFound", f"no workflow {execution_id!r}. Check the id, or list the executions.")


def _bad(message: str) -> Refused:
    return Refused("InvalidInput", message)


def _name(command: AnyWorkflowCommand) -> str:
    return str(type(command).__struct_config__.tag)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
