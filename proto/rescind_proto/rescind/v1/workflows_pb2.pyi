# Generated from proto/rescind/v1/workflows.proto by `nox -s proto`. Do not edit: change that file, and run it again.
from rescind_proto.rescind.v1 import values_pb2 as _values_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StartWorkflowRequest(_message.Message):
    __slots__ = ("kind", "input", "execution_id", "queue", "labels", "idempotency_key", "idempotency_key_ttl_seconds", "version", "priority_ms", "timeout_ms", "by")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_MS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    kind: str
    input: _values_pb2.Payload
    execution_id: str
    queue: str
    labels: _containers.ScalarMap[str, str]
    idempotency_key: str
    idempotency_key_ttl_seconds: int
    version: str
    priority_ms: int
    timeout_ms: int
    by: str
    def __init__(self, kind: _Optional[str] = ..., input: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., execution_id: _Optional[str] = ..., queue: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., idempotency_key: _Optional[str] = ..., idempotency_key_ttl_seconds: _Optional[int] = ..., version: _Optional[str] = ..., priority_ms: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., by: _Optional[str] = ...) -> None: ...

class WorkflowExists(_message.Message):
    __slots__ = ("execution_id", "created")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    created: bool
    def __init__(self, execution_id: _Optional[str] = ..., created: bool = ...) -> None: ...

class SignalWithStartRequest(_message.Message):
    __slots__ = ("start", "name", "value")
    START_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    start: StartWorkflowRequest
    name: str
    value: _values_pb2.Payload
    def __init__(self, start: _Optional[_Union[StartWorkflowRequest, _Mapping]] = ..., name: _Optional[str] = ..., value: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ...) -> None: ...

class SettlePromiseRequest(_message.Message):
    __slots__ = ("promise", "by_key", "value", "error")
    PROMISE_FIELD_NUMBER: _ClassVar[int]
    BY_KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    promise: str
    by_key: bool
    value: _values_pb2.Payload
    error: str
    def __init__(self, promise: _Optional[str] = ..., by_key: bool = ..., value: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., error: _Optional[str] = ...) -> None: ...

class SettlePromiseReply(_message.Message):
    __slots__ = ("already",)
    ALREADY_FIELD_NUMBER: _ClassVar[int]
    already: bool
    def __init__(self, already: bool = ...) -> None: ...

class RetryWorkflowRequest(_message.Message):
    __slots__ = ("execution_id", "reason", "by")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    reason: str
    by: str
    def __init__(self, execution_id: _Optional[str] = ..., reason: _Optional[str] = ..., by: _Optional[str] = ...) -> None: ...

class RetryWorkflowReply(_message.Message):
    __slots__ = ("attempt",)
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    def __init__(self, attempt: _Optional[int] = ...) -> None: ...

class GetLogRequest(_message.Message):
    __slots__ = ("execution_id", "after")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    after: int
    def __init__(self, execution_id: _Optional[str] = ..., after: _Optional[int] = ...) -> None: ...

class LogBatch(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[WorkflowLogEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[WorkflowLogEvent, _Mapping]]] = ...) -> None: ...

class WorkflowLogEvent(_message.Message):
    __slots__ = ("sequence", "at", "type", "data")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    at: int
    type: str
    data: bytes
    def __init__(self, sequence: _Optional[int] = ..., at: _Optional[int] = ..., type: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class ClaimWorkflowRequest(_message.Message):
    __slots__ = ("worker_id", "queue", "kinds", "wait_ms", "cleanup_budgets_ms")
    class CleanupBudgetsMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    WAIT_MS_FIELD_NUMBER: _ClassVar[int]
    CLEANUP_BUDGETS_MS_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    queue: str
    kinds: _containers.RepeatedScalarFieldContainer[str]
    wait_ms: int
    cleanup_budgets_ms: _containers.ScalarMap[str, int]
    def __init__(self, worker_id: _Optional[str] = ..., queue: _Optional[str] = ..., kinds: _Optional[_Iterable[str]] = ..., wait_ms: _Optional[int] = ..., cleanup_budgets_ms: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ClaimWorkflowReply(_message.Message):
    __slots__ = ("execution_id", "claim", "kind", "queue", "organisation", "input", "sequence", "now", "created_at", "version", "labels", "trace_parent")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    ORGANISATION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TRACE_PARENT_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    claim: int
    kind: str
    queue: str
    organisation: str
    input: _values_pb2.Payload
    sequence: int
    now: int
    created_at: int
    version: str
    labels: _containers.ScalarMap[str, str]
    trace_parent: str
    def __init__(self, execution_id: _Optional[str] = ..., claim: _Optional[int] = ..., kind: _Optional[str] = ..., queue: _Optional[str] = ..., organisation: _Optional[str] = ..., input: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., sequence: _Optional[int] = ..., now: _Optional[int] = ..., created_at: _Optional[int] = ..., version: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., trace_parent: _Optional[str] = ...) -> None: ...

class SubmitWorkflowRequest(_message.Message):
    __slots__ = ("execution_id", "claim", "commands", "status", "seen", "cleaning_up")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    CLEANING_UP_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    claim: int
    commands: _containers.RepeatedCompositeFieldContainer[WorkflowLogCommand]
    status: str
    seen: int
    cleaning_up: bool
    def __init__(self, execution_id: _Optional[str] = ..., claim: _Optional[int] = ..., commands: _Optional[_Iterable[_Union[WorkflowLogCommand, _Mapping]]] = ..., status: _Optional[str] = ..., seen: _Optional[int] = ..., cleaning_up: bool = ...) -> None: ...

class WorkflowLogCommand(_message.Message):
    __slots__ = ("type", "data")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    type: str
    data: bytes
    def __init__(self, type: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class SubmitWorkflowReply(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class HoldWorkflowsRequest(_message.Message):
    __slots__ = ("worker_id", "claims")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    claims: _containers.RepeatedCompositeFieldContainer[HeldWorkflow]
    def __init__(self, worker_id: _Optional[str] = ..., claims: _Optional[_Iterable[_Union[HeldWorkflow, _Mapping]]] = ...) -> None: ...

class HeldWorkflow(_message.Message):
    __slots__ = ("execution_id", "claim")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    claim: int
    def __init__(self, execution_id: _Optional[str] = ..., claim: _Optional[int] = ...) -> None: ...

class HoldWorkflowsReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReleaseWorkflowRequest(_message.Message):
    __slots__ = ("execution_id", "claim")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    claim: int
    def __init__(self, execution_id: _Optional[str] = ..., claim: _Optional[int] = ...) -> None: ...

class ReleaseWorkflowReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
