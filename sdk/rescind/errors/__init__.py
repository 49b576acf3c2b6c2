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

from rescind.errors.authoring import (
    AuthoringError,
    DeterminismViolation,
    NonDeterminismError,
    NotDurableError,
    NotMocked,
)
from rescind.errors.availability import (
    AddressUnavailable,
    NotAllAnswered,
    RateLimited,
    ServerUnavailable,
    StoreError,
    TlsFailed,
)
from rescind.errors.base import (
    ExecutionCancelled,
    NonRetryable,
    RescindError,
)
from rescind.errors.outcomes import (
    AllTasksFailed,
    BudgetExceeded,
    ChildBudgetExceeded,
    ChildCancelled,
    ChildFailed,
    ChildWorkflowCancelled,
    ChildWorkflowFailed,
    DeadlineExceeded,
    ExecutionFailed,
    ExecutionWasCancelled,
    OutcomeError,
    PromiseRejected,
    PromiseTimeout,
    StepFailed,
    TaskCancelled,
    TaskFailed,
    TaskTimedOut,
    TimerCancelled,
)
from rescind.errors.requests import (
    AlreadyExists,
    ContextNotActive,
    DuplicateKind,
    ExecutionEnded,
    ForeignFuture,
    InvalidInput,
    LimitReached,
    NotAuthenticated,
    NotClaimed,
    NotFound,
    NotPermitted,
    NotSupported,
    PayloadTooLarge,
    RequestError,
    UnknownKind,
    WrongEventLoop,
)

__all__ = [
    "AddressUnavailable",
    "AllTasksFailed",
    "AlreadyExists",
    "AuthoringError",
    "BudgetExceeded",
    "ChildBudgetExceeded",
    "ChildCancelled",
    "ChildFailed",
    "ChildWorkflowCancelled",
    "ChildWorkflowFailed",
    "ContextNotActive",
    "DeadlineExceeded",
    "DeterminismViolation",
    "DuplicateKind",
    "ExecutionCancelled",
    "ExecutionEnded",
    "ExecutionFailed",
    "ExecutionWasCancelled",
    "ForeignFuture",
    "InvalidInput",
    "LimitReached",
    "NonDeterminismError",
    "NonRetryable",
    "NotAllAnswered",
    "NotAuthenticated",
    "NotClaimed",
    "NotDurableError",
    "NotFound",
    "NotMocked",
    "NotPermitted",
    "NotSupported",
    "OutcomeError",
    "PayloadTooLarge",
    "PromiseRejected",
    "PromiseTimeout",
    "RateLimited",
    "RequestError",
    "RescindError",
    "ServerUnavailable",
    "StepFailed",
    "StoreError",
    "TaskCancelled",
    "TaskFailed",
    "TaskTimedOut",
    "TimerCancelled",
    "TlsFailed",
    "UnknownKind",
    "WrongEventLoop",
]
