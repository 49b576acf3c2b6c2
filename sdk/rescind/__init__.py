"""Rescind: durable agents whose work can be taken back.

Write agents and tasks with `agent` and `task`; test them with `rescind.testing`; run them with `embedded`, or on a
server with `Worker` and `Client`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rescind.model.version import VERSION

if TYPE_CHECKING:
    from rescind.authoring.agent import AgentDefinition, agent
    from rescind.authoring.registry import Registry
    from rescind.authoring.task import TaskDefinition, task
    from rescind.client.client import ExecutionHandle
    from rescind.client.connecting import Client
    from rescind.embedding import Embedded, embedded
    from rescind.errors import (
        AddressUnavailable,
        AllTasksFailed,
        AlreadyExists,
        AuthoringError,
        ContextNotActive,
        DeadlineExceeded,
        DuplicateKind,
        ExecutionCancelled,
        ExecutionEnded,
        ExecutionFailed,
        ExecutionWasCancelled,
        ForeignFuture,
        InvalidInput,
        NonDeterminismError,
        NonRetryable,
        NotAuthenticated,
        NotDurableError,
        NotFound,
        NotMocked,
        NotPermitted,
        NotSupported,
        OutcomeError,
        PayloadTooLarge,
        RateLimited,
        RequestError,
        RescindError,
        ServerUnavailable,
        StepFailed,
        StoreError,
        TaskCancelled,
        TaskFailed,
        TaskTimedOut,
        TlsFailed,
        UnknownKind,
        WrongEventLoop,
    )
    from rescind.model.agent_values import (
        EntryRole,
        EntryType,
        JoinAllTimeoutResult,
        LoadedMessage,
        Losers,
        ReplaceAfter,
        SettledResult,
        StreamEvent,
        TaskOutcome,
        TokenUsage,
    )
    from rescind.model.cause import CancelCause, CancelSource
    from rescind.model.options import RetryPolicy, ScheduleAgentTaskOptions
    from rescind.model.status import (
        CancelMode,
        CancelTaskResult,
        ExecutionStatus,
        FailureKind,
        ParentClosePolicy,
        StopState,
        TaskStatus,
    )
    from rescind.runtime.agent_context import AgentContext
    from rescind.runtime.future import AgentTaskFuture, AgentTaskFutureRaw
    from rescind.runtime.task_context import TaskContext
    from rescind.settings import Tls
    from rescind.worker.connecting import Worker

__version__ = VERSION

# Each name is opened when it is first asked for. All of them together take longer than the rest of a process's start:
# a server needs no agent's runtime, who writes agents no engine, and who only asks a server neither.
_PLACES = {
    "rescind.authoring.agent": ("AgentDefinition", "agent"),
    "rescind.authoring.registry": ("Registry",),
    "rescind.authoring.task": ("TaskDefinition", "task"),
    "rescind.client.client": ("ExecutionHandle",),
    "rescind.client.connecting": ("Client",),
    "rescind.embedding": ("Embedded", "embedded"),
    "rescind.errors": (
        "AddressUnavailable",
        "AllTasksFailed",
        "AlreadyExists",
        "AuthoringError",
        "ContextNotActive",
        "DeadlineExceeded",
        "DuplicateKind",
        "ExecutionCancelled",
        "ExecutionEnded",
        "ExecutionFailed",
        "ExecutionWasCancelled",
        "ForeignFuture",
        "InvalidInput",
        "NonDeterminismError",
        "NonRetryable",
        "NotAuthenticated",
        "NotDurableError",
        "NotFound",
        "NotMocked",
        "NotPermitted",
        "NotSupported",
        "OutcomeError",
        "PayloadTooLarge",
        "RateLimited",
        "RequestError",
        "RescindError",
        "ServerUnavailable",
        "StepFailed",
        "StoreError",
        "TaskCancelled",
        "TaskFailed",
        "TaskTimedOut",
        "TlsFailed",
        "UnknownKind",
        "WrongEventLoop",
    ),
    "rescind.model.agent_values": (
        "EntryRole",
        "EntryType",
        "JoinAllTimeoutResult",
        "LoadedMessage",
        "Losers",
        "ReplaceAfter",
        "SettledResult",
        "StreamEvent",
        "TaskOutcome",
        "TokenUsage",
    ),
    "rescind.model.cause": ("CancelCause", "CancelSource"),
    "rescind.model.options": ("RetryPolicy", "ScheduleAgentTaskOptions"),
    "rescind.model.status": (
        "CancelMode",
        "CancelTaskResult",
        "ExecutionStatus",
        "FailureKind",
        "ParentClosePolicy",
        "StopState",
        "TaskStatus",
    ),
    "rescind.runtime.agent_context": ("AgentContext",),
    "rescind.runtime.future": ("AgentTaskFuture", "AgentTaskFutureRaw"),
    "rescind.runtime.task_context": ("TaskContext",),
    "rescind.settings": ("Tls",),
    "rescind.worker.connecting": ("Worker",),
}
_LATER = {name: place for place, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        value = getattr(import_module(_LATER[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "AddressUnavailable",
    "AgentContext",
    "AgentDefinition",
    "AgentTaskFuture",
    "AgentTaskFutureRaw",
    "AllTasksFailed",
    "AlreadyExists",
    "AuthoringError",
    "CancelCause",
    "CancelMode",
    "CancelSource",
    "CancelTaskResult",
    "Client",
    "ContextNotActive",
    "DeadlineExceeded",
    "DuplicateKind",
    "Embedded",
    "EntryRole",
    "EntryType",
    "ExecutionCancelled",
    "ExecutionEnded",
    "ExecutionFailed",
    "ExecutionHandle",
    "ExecutionStatus",
    "ExecutionWasCancelled",
    "FailureKind",
    "ForeignFuture",
    "InvalidInput",
    "JoinAllTimeoutResult",
    "LoadedMessage",
    "Losers",
    "NonDeterminismError",
    "NonRetryable",
    "NotAuthenticated",
    "NotDurableError",
    "NotFound",
    "NotMocked",
    "NotPermitted",
    "NotSupported",
    "OutcomeError",
    "ParentClosePolicy",
    "PayloadTooLarge",
    "RateLimited",
    "Registry",
    "ReplaceAfter",
    "RequestError",
    "RescindError",
    "RetryPolicy",
    "ScheduleAgentTaskOptions",
    "ServerUnavailable",
    "SettledResult",
    "StepFailed",
    "StopState",
    "StoreError",
    "StreamEvent",
    "TaskCancelled",
    "TaskContext",
    "TaskDefinition",
    "TaskFailed",
    "TaskOutcome",
    "TaskStatus",
    "TaskTimedOut",
    "Tls",
    "TlsFailed",
    "TokenUsage",
    "UnknownKind",
    "Worker",
    "WrongEventLoop",
    "agent",
    "embedded",
    "task",
]
