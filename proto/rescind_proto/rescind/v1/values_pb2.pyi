# Generated from proto/rescind/v1/values.proto by `nox -s proto`. Do not edit: change that file, and run it again.
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CancelSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANCEL_SOURCE_UNSPECIFIED: _ClassVar[CancelSource]
    CANCEL_SOURCE_REQUEST: _ClassVar[CancelSource]
    CANCEL_SOURCE_RACE_LOST: _ClassVar[CancelSource]
    CANCEL_SOURCE_DEADLINE: _ClassVar[CancelSource]
    CANCEL_SOURCE_SCOPE_LEFT: _ClassVar[CancelSource]
    CANCEL_SOURCE_PARENT: _ClassVar[CancelSource]
    CANCEL_SOURCE_DISCONNECT: _ClassVar[CancelSource]
    CANCEL_SOURCE_REPLACED: _ClassVar[CancelSource]
    CANCEL_SOURCE_SHUTDOWN: _ClassVar[CancelSource]

class TaskStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_STATUS_UNSPECIFIED: _ClassVar[TaskStatus]
    TASK_STATUS_PENDING: _ClassVar[TaskStatus]
    TASK_STATUS_RUNNING: _ClassVar[TaskStatus]
    TASK_STATUS_COMPLETED: _ClassVar[TaskStatus]
    TASK_STATUS_FAILED: _ClassVar[TaskStatus]
    TASK_STATUS_CANCELLED: _ClassVar[TaskStatus]

class ExecutionStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXECUTION_STATUS_UNSPECIFIED: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_PENDING: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_RUNNING: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_WAITING: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_CANCELLING: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_COMPLETED: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_FAILED: _ClassVar[ExecutionStatus]
    EXECUTION_STATUS_CANCELLED: _ClassVar[ExecutionStatus]

class StopState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STOP_STATE_UNSPECIFIED: _ClassVar[StopState]
    STOP_STATE_REQUESTED: _ClassVar[StopState]
    STOP_STATE_DELIVERED: _ClassVar[StopState]
    STOP_STATE_STOPPED: _ClassVar[StopState]
    STOP_STATE_KILLED: _ClassVar[StopState]
    STOP_STATE_LOST: _ClassVar[StopState]

class CancelTaskResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANCEL_TASK_RESULT_UNSPECIFIED: _ClassVar[CancelTaskResult]
    CANCEL_TASK_RESULT_CANCELLED: _ClassVar[CancelTaskResult]
    CANCEL_TASK_RESULT_ALREADY_CANCELLED: _ClassVar[CancelTaskResult]
    CANCEL_TASK_RESULT_ALREADY_COMPLETED: _ClassVar[CancelTaskResult]
    CANCEL_TASK_RESULT_ALREADY_FAILED: _ClassVar[CancelTaskResult]
    CANCEL_TASK_RESULT_NOT_FOUND: _ClassVar[CancelTaskResult]

class CancelMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANCEL_MODE_UNSPECIFIED: _ClassVar[CancelMode]
    CANCEL_MODE_TRY: _ClassVar[CancelMode]
    CANCEL_MODE_WAIT: _ClassVar[CancelMode]
    CANCEL_MODE_ABANDON: _ClassVar[CancelMode]
    CANCEL_MODE_FORCE: _ClassVar[CancelMode]

class ParentClosePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PARENT_CLOSE_POLICY_UNSPECIFIED: _ClassVar[ParentClosePolicy]
    PARENT_CLOSE_POLICY_CANCEL: _ClassVar[ParentClosePolicy]
    PARENT_CLOSE_POLICY_ABANDON: _ClassVar[ParentClosePolicy]

class Persistence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PERSISTENCE_UNSPECIFIED: _ClassVar[Persistence]
    PERSISTENCE_FULL: _ClassVar[Persistence]
    PERSISTENCE_MINIMAL: _ClassVar[Persistence]
    PERSISTENCE_EPHEMERAL: _ClassVar[Persistence]

class FailureKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_KIND_UNSPECIFIED: _ClassVar[FailureKind]
    FAILURE_KIND_ERROR: _ClassVar[FailureKind]
    FAILURE_KIND_TIMED_OUT: _ClassVar[FailureKind]
    FAILURE_KIND_WORKER_LOST: _ClassVar[FailureKind]
    FAILURE_KIND_REJECTED: _ClassVar[FailureKind]
CANCEL_SOURCE_UNSPECIFIED: CancelSource
CANCEL_SOURCE_REQUEST: CancelSource
CANCEL_SOURCE_RACE_LOST: CancelSource
CANCEL_SOURCE_DEADLINE: CancelSource
CANCEL_SOURCE_SCOPE_LEFT: CancelSource
CANCEL_SOURCE_PARENT: CancelSource
CANCEL_SOURCE_DISCONNECT: CancelSource
CANCEL_SOURCE_REPLACED: CancelSource
CANCEL_SOURCE_SHUTDOWN: CancelSource
TASK_STATUS_UNSPECIFIED: TaskStatus
TASK_STATUS_PENDING: TaskStatus
TASK_STATUS_RUNNING: TaskStatus
TASK_STATUS_COMPLETED: TaskStatus
TASK_STATUS_FAILED: TaskStatus
TASK_STATUS_CANCELLED: TaskStatus
EXECUTION_STATUS_UNSPECIFIED: ExecutionStatus
EXECUTION_STATUS_PENDING: ExecutionStatus
EXECUTION_STATUS_RUNNING: ExecutionStatus
EXECUTION_STATUS_WAITING: ExecutionStatus
EXECUTION_STATUS_CANCELLING: ExecutionStatus
EXECUTION_STATUS_COMPLETED: ExecutionStatus
EXECUTION_STATUS_FAILED: ExecutionStatus
EXECUTION_STATUS_CANCELLED: ExecutionStatus
STOP_STATE_UNSPECIFIED: StopState
STOP_STATE_REQUESTED: StopState
STOP_STATE_DELIVERED: StopState
STOP_STATE_STOPPED: StopState
STOP_STATE_KILLED: StopState
STOP_STATE_LOST: StopState
CANCEL_TASK_RESULT_UNSPECIFIED: CancelTaskResult
CANCEL_TASK_RESULT_CANCELLED: CancelTaskResult
CANCEL_TASK_RESULT_ALREADY_CANCELLED: CancelTaskResult
CANCEL_TASK_RESULT_ALREADY_COMPLETED: CancelTaskResult
CANCEL_TASK_RESULT_ALREADY_FAILED: CancelTaskResult
CANCEL_TASK_RESULT_NOT_FOUND: CancelTaskResult
CANCEL_MODE_UNSPECIFIED: CancelMode
CANCEL_MODE_TRY: CancelMode
CANCEL_MODE_WAIT: CancelMode
CANCEL_MODE_ABANDON: CancelMode
CANCEL_MODE_FORCE: CancelMode
PARENT_CLOSE_POLICY_UNSPECIFIED: ParentClosePolicy
PARENT_CLOSE_POLICY_CANCEL: ParentClosePolicy
PARENT_CLOSE_POLICY_ABANDON: ParentClosePolicy
PERSISTENCE_UNSPECIFIED: Persistence
PERSISTENCE_FULL: Persistence
PERSISTENCE_MINIMAL: Persistence
PERSISTENCE_EPHEMERAL: Persistence
FAILURE_KIND_UNSPECIFIED: FailureKind
FAILURE_KIND_ERROR: FailureKind
FAILURE_KIND_TIMED_OUT: FailureKind
FAILURE_KIND_WORKER_LOST: FailureKind
FAILURE_KIND_REJECTED: FailureKind

class Payload(_message.Message):
    __slots__ = ("data", "encoding")
    DATA_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    encoding: str
    def __init__(self, data: _Optional[bytes] = ..., encoding: _Optional[str] = ...) -> None: ...

class CancelCause(_message.Message):
    __slots__ = ("source", "by", "reason", "trace_parent")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TRACE_PARENT_FIELD_NUMBER: _ClassVar[int]
    source: CancelSource
    by: str
    reason: str
    trace_parent: str
    def __init__(self, source: _Optional[_Union[CancelSource, str]] = ..., by: _Optional[str] = ..., reason: _Optional[str] = ..., trace_parent: _Optional[str] = ...) -> None: ...

class Budget(_message.Message):
    __slots__ = ("max_tokens", "max_cost_usd", "max_tokens_per_call")
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_USD_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_PER_CALL_FIELD_NUMBER: _ClassVar[int]
    max_tokens: int
    max_cost_usd: float
    max_tokens_per_call: int
    def __init__(self, max_tokens: _Optional[int] = ..., max_cost_usd: _Optional[float] = ..., max_tokens_per_call: _Optional[int] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("tokens", "cost_usd")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    COST_USD_FIELD_NUMBER: _ClassVar[int]
    tokens: int
    cost_usd: float
    def __init__(self, tokens: _Optional[int] = ..., cost_usd: _Optional[float] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("kind", "message", "error_type", "retryable", "details")
    KIND_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    kind: FailureKind
    message: str
    error_type: str
    retryable: bool
    details: Payload
    def __init__(self, kind: _Optional[_Union[FailureKind, str]] = ..., message: _Optional[str] = ..., error_type: _Optional[str] = ..., retryable: bool = ..., details: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("status", "output", "failure", "cause", "attempts")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    status: TaskStatus
    output: Payload
    failure: Failure
    cause: CancelCause
    attempts: int
    def __init__(self, status: _Optional[_Union[TaskStatus, str]] = ..., output: _Optional[_Union[Payload, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., cause: _Optional[_Union[CancelCause, _Mapping]] = ..., attempts: _Optional[int] = ...) -> None: ...

class RetryPolicy(_message.Message):
    __slots__ = ("max_attempts", "initial_interval_ms", "backoff", "maximum_interval_ms", "non_retryable", "retry_timeouts")
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    INITIAL_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    NON_RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    RETRY_TIMEOUTS_FIELD_NUMBER: _ClassVar[int]
    max_attempts: int
    initial_interval_ms: int
    backoff: float
    maximum_interval_ms: int
    non_retryable: _containers.RepeatedScalarFieldContainer[str]
    retry_timeouts: bool
    def __init__(self, max_attempts: _Optional[int] = ..., initial_interval_ms: _Optional[int] = ..., backoff: _Optional[float] = ..., maximum_interval_ms: _Optional[int] = ..., non_retryable: _Optional[_Iterable[str]] = ..., retry_timeouts: bool = ...) -> None: ...

class TaskOptions(_message.Message):
    __slots__ = ("retry", "schedule_to_start_ms", "start_to_close_ms", "schedule_to_close_ms", "heartbeat_ms", "idle_ms", "grace_ms", "parent_close", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RETRY_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_START_MS_FIELD_NUMBER: _ClassVar[int]
    START_TO_CLOSE_MS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_CLOSE_MS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    IDLE_MS_FIELD_NUMBER: _ClassVar[int]
    GRACE_MS_FIELD_NUMBER: _ClassVar[int]
    PARENT_CLOSE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    retry: RetryPolicy
    schedule_to_start_ms: int
    start_to_close_ms: int
    schedule_to_close_ms: int
    heartbeat_ms: int
    idle_ms: int
    grace_ms: int
    parent_close: ParentClosePolicy
    labels: _containers.ScalarMap[str, str]
    def __init__(self, retry: _Optional[_Union[RetryPolicy, _Mapping]] = ..., schedule_to_start_ms: _Optional[int] = ..., start_to_close_ms: _Optional[int] = ..., schedule_to_close_ms: _Optional[int] = ..., heartbeat_ms: _Optional[int] = ..., idle_ms: _Optional[int] = ..., grace_ms: _Optional[int] = ..., parent_close: _Optional[_Union[ParentClosePolicy, str]] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Signal(_message.Message):
    __slots__ = ("name", "value", "sequence")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: Payload
    sequence: int
    def __init__(self, name: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...

class StreamedEvent(_message.Message):
    __slots__ = ("kind", "value", "task_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    kind: str
    value: Payload
    task_id: str
    def __init__(self, kind: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ..., task_id: _Optional[str] = ...) -> None: ...

class EntryRecord(_message.Message):
    __slots__ = ("entry_id", "entry_type", "role", "content", "turn_id", "at")
    ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRY_TYPE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    entry_id: str
    entry_type: str
    role: str
    content: Payload
    turn_id: str
    at: int
    def __init__(self, entry_id: _Optional[str] = ..., entry_type: _Optional[str] = ..., role: _Optional[str] = ..., content: _Optional[_Union[Payload, _Mapping]] = ..., turn_id: _Optional[str] = ..., at: _Optional[int] = ...) -> None: ...
