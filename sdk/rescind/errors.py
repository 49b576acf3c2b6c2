"""The one error tree. A branch says who must act.

```text
RescindError
├── RequestError              mend the call
│   ├── InvalidInput          also a ValueError: a value that cannot be meant
│   │   ├── PayloadTooLarge
│   │   └── NotSupported      this backend cannot do it; another can
│   ├── NotFound              also a LookupError
│   ├── UnknownKind · DuplicateKind
│   ├── AlreadyExists         the same id or key, another request
│   ├── ExecutionEnded        the right id, too late
│   ├── NotClaimed            a pass over a workflow that this worker no longer holds
│   ├── LimitReached          one more than is taken
│   ├── NotPermitted
│   │   └── NotAuthenticated  no token, or none that is valid
│   ├── ForeignFuture         a future of another agent
│   ├── ContextNotActive      a context used outside its agent or task
│   └── WrongEventLoop
├── OutcomeError              the work ended otherwise
│   ├── TaskFailed
│   │   └── TaskTimedOut
│   ├── TaskCancelled
│   ├── AllTasksFailed
│   ├── StepFailed            the function given to ``ctx.run`` raised
│   ├── ChildFailed           an agent that this one spawned
│   │   └── ChildBudgetExceeded
│   ├── ChildCancelled
│   ├── BudgetExceeded        this agent's own, as whoever spawned it has set it
│   ├── DeadlineExceeded      also a TimeoutError: ``ctx.fail_after``
│   ├── TimerCancelled        a workflow's timer was cancelled
│   ├── PromiseRejected · PromiseTimeout
│   ├── ChildWorkflowFailed
│   │   └── ChildWorkflowCancelled
│   ├── ExecutionFailed
│   └── ExecutionWasCancelled what a caller sees; the agent itself sees ExecutionCancelled
├── AuthoringError            mend the agent's code, or its test
│   ├── NonDeterminismError
│   │   └── DeterminismViolation  a workflow's; tells both sides
│   ├── NotDurableError
│   └── NotMocked
├── StoreError                mend the disk or the file; nothing that was answered is lost
├── AddressUnavailable        choose another address to serve at
├── ServerUnavailable         try again; nothing that was accepted is lost
│   ├── NotAllAnswered        some executions did not answer; it names them
│   ├── RateLimited           more calls than this token may make
│   └── TlsFailed             no encrypted connection; see to the certificates
└── NonRetryable              raised by a task: do not try it again

asyncio.CancelledError
└── ExecutionCancelled        this agent is being cancelled; clean up, then let it pass
```

``ExecutionCancelled`` is no ``RescindError`` and no ``Exception``: code that catches ordinary errors must not
catch its own cancellation (cancellation.md, invariant 9).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from rescind.model.cause import CancelCause
    from rescind.model.status import FailureKind


class RescindError(Exception):
    """Anything that Rescind itself raises, except the cancellation of the running code."""


class RequestError(RescindError):
    """The call cannot be carried out as it stands."""


class InvalidInput(RequestError, ValueError):
    """A value that cannot be meant: wrong type, negative time, empty selection, not JSON."""


class PayloadTooLarge(InvalidInput):
    """An input, output, state or signal is larger than the limit (4 MiB unless set otherwise)."""


class NotSupported(InvalidInput):
    """The backend that was asked cannot do this, or cannot know it: a Temporal cluster, where a server can."""


class NotFound(RequestError, LookupError):
    """No such execution or task for this caller."""


class UnknownKind(RequestError):
    """No agent or task of this kind is registered where it is needed."""


class DuplicateKind(RequestError):
    """Two agents, or two tasks, were registered under one kind."""


class AlreadyExists(RequestError):
    """An execution with this id or idempotency key exists and was started with another request."""


class ExecutionEnded(RequestError):
    """The execution has ended, so it can take no more signals or work."""


class NotClaimed(RequestError):
    """The workflow is not claimed by who reports a pass over it: drop the pass. Another is made, or was."""


class LimitReached(RequestError):
    """One more than is taken: of signals to one workflow, 10,000."""


class NotPermitted(RequestError):
    """The caller may not do this. Says nothing about whether the id exists."""


class NotAuthenticated(NotPermitted):
    """The server asks for a token, and none came with the call, or one that is unknown, expired or revoked."""


class ForeignFuture(RequestError):
    """A future that another agent scheduled was given to this agent's context."""


class ContextNotActive(RequestError):
    """A context was used while its agent or task was not running, or from another event loop or thread."""


class WrongEventLoop(RequestError):
    """Virtual time needs its own event loop, and this is another."""


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


class AuthoringError(RescindError):
    """The code of an agent, or of its test, must be mended."""


class NonDeterminismError(AuthoringError):
    """An agent that ran again took another path than its journal.

    The execution is parked, not failed: deploy code that takes the recorded path, and it goes on.
    """


class DeterminismViolation(NonDeterminismError):
    """A workflow's code asked for something else than its event log holds.

    Attributes:
        mismatch: what differs: ``TypeMismatch``, ``OperationNameMismatch``, ``TaskTypeMismatch``,
            ``ChildWorkflowMismatch``, ``PromiseNameMismatch``, ``TimerIdMismatch``, ``StateKeyMismatch``; or
            ``MissingCommand``, where the log holds what the code did not ask for.
        sequence: the number of the event in the log.
        expected: what the log holds.
        actual: what the code asked for; empty if nothing.
        place: file and line of the code; empty if not known.
    """

    def __init__(self, mismatch: str, sequence: int, expected: str, actual: str, place: str = "") -> None:
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in mismatch).strip()
        got = f"got {actual!r}" if actual else "the code asked for nothing"
        super().__init__(
            f"Determinism violation: {words.capitalize()} at sequence {sequence}: expected {expected!r}, {got}"
            f"{f' at {place}' if place else ''}. Deploy code that takes the recorded path."
        )
        self.mismatch = mismatch
        self.sequence = sequence
        self.expected = expected
        self.actual = actual
        self.place = place


class NotDurableError(AuthoringError):
    """An agent's body reached outside: a socket, a thread, a file. Use ``ctx.run`` or a task."""


class NotMocked(AuthoringError):
    """The agent under test asked a mock for something that the test did not set."""


class StoreError(RescindError):
    """What must last cannot be written or read: a full disk, a locked file, a file of something else."""


class AddressUnavailable(RescindError):
    """A server cannot serve at its address: another program does, or the address is not of this machine."""


class ServerUnavailable(RescindError):
    """The server, or the connection to it, is gone. Try again: what was accepted is not lost."""


class NotAllAnswered(ServerUnavailable):
    """Some executions could not be asked of their tasks. What the others told was given before this is raised.

    Attributes:
        execution_ids: those that did not answer.
        found: how many tasks of the others were found.
    """

    def __init__(self, execution_ids: Sequence[str], found: int) -> None:
        these = f"execution {execution_ids[0]!r}"
        if len(execution_ids) > 1:
            these = f"{len(execution_ids):,} executions, {execution_ids[0]!r} among them"
        super().__init__(f"no worker answered soon for the tasks of {these}. Start workers for them, and try again.")
        self.execution_ids = tuple(execution_ids)
        self.found = found


class RateLimited(ServerUnavailable):
    """This token makes more calls than it may. Wait a moment, and make fewer; nothing of this call was carried out."""


class TlsFailed(ServerUnavailable):
    """There is a server, and no TLS with it: one of both certificates is missing, expired, or not trusted."""


class NonRetryable(RescindError):
    """Raised by a task to say that another attempt cannot help."""


class ExecutionCancelled(asyncio.CancelledError):
    """This agent is being cancelled. Clean up if you must, then let it pass.

    Raised at the await where the agent stands, and again at each further await outside ``ctx.shield()``
    (cancellation.md, section 7).

    Attributes:
        cause: why, by whom.
    """

    def __init__(self, cause: CancelCause | None = None) -> None:
        super().__init__(*(() if cause is None else (str(cause),)))
        self.cause = cause
