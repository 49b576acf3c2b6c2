"""The work ended otherwise than with a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rescind.errors.base import RescindError

if TYPE_CHECKING:
    from uuid import UUID

    from rescind.model.cause import CancelCause
    from rescind.model.status import FailureKind


class OutcomeError(RescindError):
    """The work was carried out, and ended otherwise than with a result."""


class TaskFailed(OutcomeError):
    """A task failed for good.

    Attributes:
        task_id: the task.
        kind: its kind.
        error: the text of its last failure, as the task raised it.
        failure_kind: ERROR, TIMED_OUT, WORKER_LOST or REJECTED.
        attempts: how many attempts were made.
    """

    def __init__(
        self, task_id: UUID, kind: str, error: str, failure_kind: FailureKind | None = None, attempts: int = 1
    ) -> None:
        super().__init__(f"Task {kind!r} (id={task_id}) failed: {error}")
        self.task_id = task_id
        self.kind = kind
        self.error = error
        self.failure_kind = failure_kind
        self.attempts = attempts


class TaskTimedOut(TaskFailed):
    """A task failed because one of its time-outs ran out."""


class TaskCancelled(OutcomeError):
    """A task that this agent awaited was cancelled; the agent itself goes on.

    Attributes:
        task_id: the task.
        kind: its kind.
        cause: why it was cancelled, by whom.
    """

    def __init__(self, task_id: UUID, kind: str, cause: CancelCause | None = None) -> None:
        super().__init__(f"Task {kind!r} (id={task_id}) was cancelled")
        self.task_id = task_id
        self.kind = kind
        self.cause = cause


class AllTasksFailed(OutcomeError):
    """A race that nobody can win any more.

    Attributes:
        errors: one TaskFailed or TaskCancelled per task that ended without success, in input order.
    """

    def __init__(self, errors: Sequence[TaskFailed | TaskCancelled]) -> None:
        super().__init__("All tasks failed: " + "; ".join(str(error) for error in errors))
        self.errors = tuple(errors)


class StepFailed(OutcomeError):
    """The function given to ``ctx.run`` raised. Recorded, so a recovered agent sees the same.

    Attributes:
        step: the name of the step.
        error_type: the class name of what it raised.
        error: its text.
    """

    def __init__(self, step: str, error_type: str, error: str) -> None:
        super().__init__(f"Step {step!r} raised {error_type}: {error}")
        self.step = step
        self.error_type = error_type
        self.error = error


class ChildFailed(OutcomeError):
    """An agent that this one spawned failed.

    Attributes:
        child_id: the child.
        kind: its kind.
        error_type: the class name of what ended it; empty if it was not its code that failed.
        error: the text of its failure.
        failure_kind: ERROR; or REJECTED if it could not be started.
    """

    def __init__(
        self, child_id: str, kind: str, error_type: str, error: str, failure_kind: FailureKind | None = None
    ) -> None:
        said = f"{error_type}: {error}" if error_type else error
        super().__init__(f"Child agent {kind!r} (id={child_id}) failed: {said}")
        self.child_id = child_id
        self.kind = kind
        self.error_type = error_type
        self.error = error
        self.failure_kind = failure_kind


class ChildBudgetExceeded(ChildFailed):
    """An agent that this one spawned failed because its budget was used up."""


class ChildCancelled(OutcomeError):
    """An agent that this one spawned was cancelled; this one goes on.

    Attributes:
        child_id: the child.
        kind: its kind.
        cause: why it was cancelled, by whom.
    """

    def __init__(self, child_id: str, kind: str, cause: CancelCause | None = None) -> None:
        super().__init__(f"Child agent {kind!r} (id={child_id}) was cancelled")
        self.child_id = child_id
        self.kind = kind
        self.cause = cause


class BudgetExceeded(OutcomeError):
    """This agent has used up more than whoever spawned it allows.

    Attributes:
        name: the limit: ``max_tokens``, ``max_cost_usd`` or ``max_tokens_per_call``.
        limit: how much is allowed.
        used: how much was used.
    """

    def __init__(self, name: str, limit: float, used: float) -> None:
        super().__init__(f"the budget is used up: {name} is {limit:g}, and {used:g} was used")
        self.name = name
        self.limit = limit
        self.used = used


class DeadlineExceeded(OutcomeError, TimeoutError):
    """The deadline of ``ctx.fail_after`` passed before its block was left."""


class TimerCancelled(OutcomeError):
    """A timer that this workflow awaited was cancelled.

    Attributes:
        timer_id: the timer.
    """

    def __init__(self, timer_id: str) -> None:
        super().__init__(f"Timer {timer_id!r} was cancelled")
        self.timer_id = timer_id


class PromiseRejected(OutcomeError):
    """A promise that this workflow awaited was rejected.

    Attributes:
        name: the promise.
        error: why, in the words of whoever rejected it.
    """

    def __init__(self, name: str, error: str) -> None:
        super().__init__(f"Promise rejected: {name}: {error}")
        self.name = name
        self.error = error


class PromiseTimeout(OutcomeError, TimeoutError):
    """A promise that this workflow awaited was settled by nobody in time.

    Attributes:
        name: the promise.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"Promise timeout: {name}")
        self.name = name


class ChildWorkflowFailed(OutcomeError):
    """A child workflow failed, or could not be started.

    Attributes:
        execution_id: the child.
        name: its name within its parent.
        error: the text of its failure.
    """

    def __init__(self, execution_id: str, name: str, error: str) -> None:
        super().__init__(f"Child workflow failed: {name} ({execution_id}): {error}")
        self.execution_id = execution_id
        self.name = name
        self.error = error


class ChildWorkflowCancelled(ChildWorkflowFailed):
    """A child workflow was cancelled; its parent goes on.

    Attributes:
        cause: why it was cancelled, by whom; None if the server does not say.
    """

    def __init__(self, execution_id: str, name: str, error: str, cause: CancelCause | None = None) -> None:
        super().__init__(execution_id, name, error)
        self.cause = cause


class ExecutionFailed(OutcomeError):
    """An execution ended as FAILED.

    Attributes:
        execution_id: the execution.
        error_type: the class name of what its code raised.
        error: its text.
    """

    def __init__(self, execution_id: str, error_type: str, error: str) -> None:
        super().__init__(f"Execution {execution_id!r} failed: {error_type}: {error}")
        self.execution_id = execution_id
        self.error_type = error_type
        self.error = error


class ExecutionWasCancelled(OutcomeError):
    """An execution ended as CANCELLED: what its caller sees.

    Attributes:
        execution_id: the execution.
        cause: why it was cancelled, by whom.
    """

    def __init__(self, execution_id: str, cause: CancelCause | None) -> None:
        why = f" ({cause})" if cause else ""
        super().__init__(f"Execution {execution_id!r} was cancelled{why}")
        self.execution_id = execution_id
        self.cause = cause
