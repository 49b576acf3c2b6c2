"""Rescind: durable agents whose work can be taken back.

Write agents and tasks with `agent` and `task`; test them with `rescind.testing`; run them with `embedded`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rescind.authoring.agent import AgentDefinition, agent
from rescind.authoring.registry import Registry
from rescind.authoring.task import TaskDefinition, task
from rescind.errors import (
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
    NotDurableError,
    NotFound,
    NotMocked,
    NotPermitted,
    OutcomeError,
    PayloadTooLarge,
    RequestError,
    RescindError,
    ServerUnavailable,
    StepFailed,
    StoreError,
    TaskCancelled,
    TaskFailed,
    TaskTimedOut,
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

if TYPE_CHECKING:
    from rescind.client.client import Client, ExecutionHandle
    from rescind.embedding import Embedded, embedded

__version__ = "0.1.0"

# Opened when first asked for: who only writes agents needs neither engine nor worker.
_LATER = {
    "Client": "rescind.client.client",
    "ExecutionHandle": "rescind.client.client",
    "Embedded": "rescind.embedding",
    "embedded": "rescind.embedding",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        from importlib import import_module  # noqa: PLC0415 - see _LATER

        value = getattr(import_module(_LATER[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
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
    "NotDurableError",
    "NotFound",
    "NotMocked",
    "NotPermitted",
    "OutcomeError",
    "ParentClosePolicy",
    "PayloadTooLarge",
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
    "TokenUsage",
    "UnknownKind",
    "WrongEventLoop",
    "agent",
    "embedded",
    "task",
]
