# Generated from proto/flovyn/v1/flovyn.proto by `nox -s proto`. Do not edit: change that file, and run it again.
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorkflowStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORKFLOW_STATUS_UNSPECIFIED: _ClassVar[WorkflowStatus]
    RUNNING: _ClassVar[WorkflowStatus]
    SUSPENDED: _ClassVar[WorkflowStatus]
    COMPLETED: _ClassVar[WorkflowStatus]
    CANCELLED: _ClassVar[WorkflowStatus]
    FAILED: _ClassVar[WorkflowStatus]

class CommandType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMMAND_TYPE_UNSPECIFIED: _ClassVar[CommandType]
    RECORD_OPERATION: _ClassVar[CommandType]
    SET_STATE: _ClassVar[CommandType]
    CLEAR_STATE: _ClassVar[CommandType]
    SCHEDULE_TASK: _ClassVar[CommandType]
    COMPLETE_WORKFLOW: _ClassVar[CommandType]
    FAIL_WORKFLOW: _ClassVar[CommandType]
    SUSPEND_WORKFLOW: _ClassVar[CommandType]
    CANCEL_WORKFLOW: _ClassVar[CommandType]
    CREATE_PROMISE: _ClassVar[CommandType]
    RESOLVE_PROMISE: _ClassVar[CommandType]
    SCHEDULE_CHILD_WORKFLOW: _ClassVar[CommandType]
    START_TIMER: _ClassVar[CommandType]
    CANCEL_TIMER: _ClassVar[CommandType]
    REQUEST_CANCEL_CHILD_WORKFLOW: _ClassVar[CommandType]

class StreamEventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STREAM_EVENT_TYPE_UNSPECIFIED: _ClassVar[StreamEventType]
    TOKEN: _ClassVar[StreamEventType]
    PROGRESS: _ClassVar[StreamEventType]
    DATA: _ClassVar[StreamEventType]
    ERROR: _ClassVar[StreamEventType]
WORKFLOW_STATUS_UNSPECIFIED: WorkflowStatus
RUNNING: WorkflowStatus
SUSPENDED: WorkflowStatus
COMPLETED: WorkflowStatus
CANCELLED: WorkflowStatus
FAILED: WorkflowStatus
COMMAND_TYPE_UNSPECIFIED: CommandType
RECORD_OPERATION: CommandType
SET_STATE: CommandType
CLEAR_STATE: CommandType
SCHEDULE_TASK: CommandType
COMPLETE_WORKFLOW: CommandType
FAIL_WORKFLOW: CommandType
SUSPEND_WORKFLOW: CommandType
CANCEL_WORKFLOW: CommandType
CREATE_PROMISE: CommandType
RESOLVE_PROMISE: CommandType
SCHEDULE_CHILD_WORKFLOW: CommandType
START_TIMER: CommandType
CANCEL_TIMER: CommandType
REQUEST_CANCEL_CHILD_WORKFLOW: CommandType
STREAM_EVENT_TYPE_UNSPECIFIED: StreamEventType
TOKEN: StreamEventType
PROGRESS: StreamEventType
DATA: StreamEventType
ERROR: StreamEventType

class PollRequest(_message.Message):
    __slots__ = ("worker_id", "org_id", "queue", "timeout_seconds", "worker_pool_id", "workflow_capabilities")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WORKER_POOL_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    org_id: str
    queue: str
    timeout_seconds: int
    worker_pool_id: str
    workflow_capabilities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, worker_id: _Optional[str] = ..., org_id: _Optional[str] = ..., queue: _Optional[str] = ..., timeout_seconds: _Optional[int] = ..., worker_pool_id: _Optional[str] = ..., workflow_capabilities: _Optional[_Iterable[str]] = ...) -> None: ...

class PollResponse(_message.Message):
    __slots__ = ("workflow_execution", "traceparent")
    WORKFLOW_EXECUTION_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    workflow_execution: WorkflowExecution
    traceparent: str
    def __init__(self, workflow_execution: _Optional[_Union[WorkflowExecution, _Mapping]] = ..., traceparent: _Optional[str] = ...) -> None: ...

class WorkflowExecution(_message.Message):
    __slots__ = ("id", "kind", "org_id", "input", "queue", "priority_ms", "created_at_ms", "current_sequence", "workflow_definition_id", "team_id", "worker_pool_id", "workflow_version", "workflow_definition_snapshot", "workflow_task_time_millis")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_MS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    CURRENT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_DEFINITION_ID_FIELD_NUMBER: _ClassVar[int]
    TEAM_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_POOL_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_DEFINITION_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TASK_TIME_MILLIS_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: str
    org_id: str
    input: bytes
    queue: str
    priority_ms: int
    created_at_ms: int
    current_sequence: int
    workflow_definition_id: str
    team_id: str
    worker_pool_id: str
    workflow_version: str
    workflow_definition_snapshot: str
    workflow_task_time_millis: int
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[str] = ..., org_id: _Optional[str] = ..., input: _Optional[bytes] = ..., queue: _Optional[str] = ..., priority_ms: _Optional[int] = ..., created_at_ms: _Optional[int] = ..., current_sequence: _Optional[int] = ..., workflow_definition_id: _Optional[str] = ..., team_id: _Optional[str] = ..., worker_pool_id: _Optional[str] = ..., workflow_version: _Optional[str] = ..., workflow_definition_snapshot: _Optional[str] = ..., workflow_task_time_millis: _Optional[int] = ...) -> None: ...

class SubscriptionRequest(_message.Message):
    __slots__ = ("worker_id", "org_id", "queue")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    org_id: str
    queue: str
    def __init__(self, worker_id: _Optional[str] = ..., org_id: _Optional[str] = ..., queue: _Optional[str] = ...) -> None: ...

class WorkAvailableEvent(_message.Message):
    __slots__ = ("org_id", "queue", "timestamp_ms")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    queue: str
    timestamp_ms: int
    def __init__(self, org_id: _Optional[str] = ..., queue: _Optional[str] = ..., timestamp_ms: _Optional[int] = ...) -> None: ...

class StartWorkflowRequest(_message.Message):
    __slots__ = ("org_id", "workflow_kind", "input", "metadata", "queue", "priority_seconds", "workflow_definition_id", "parent_workflow_execution_id", "workflow_version", "idempotency_key", "idempotency_key_ttl_seconds")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_KIND_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_DEFINITION_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_VERSION_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    workflow_kind: str
    input: bytes
    metadata: _containers.ScalarMap[str, str]
    queue: str
    priority_seconds: int
    workflow_definition_id: str
    parent_workflow_execution_id: str
    workflow_version: str
    idempotency_key: str
    idempotency_key_ttl_seconds: int
    def __init__(self, org_id: _Optional[str] = ..., workflow_kind: _Optional[str] = ..., input: _Optional[bytes] = ..., metadata: _Optional[_Mapping[str, str]] = ..., queue: _Optional[str] = ..., priority_seconds: _Optional[int] = ..., workflow_definition_id: _Optional[str] = ..., parent_workflow_execution_id: _Optional[str] = ..., workflow_version: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., idempotency_key_ttl_seconds: _Optional[int] = ...) -> None: ...

class StartWorkflowResponse(_message.Message):
    __slots__ = ("workflow_execution_id", "idempotency_key_used", "idempotency_key_new")
    WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_USED_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_NEW_FIELD_NUMBER: _ClassVar[int]
    workflow_execution_id: str
    idempotency_key_used: bool
    idempotency_key_new: bool
    def __init__(self, workflow_execution_id: _Optional[str] = ..., idempotency_key_used: bool = ..., idempotency_key_new: bool = ...) -> None: ...

class StartChildWorkflowRequest(_message.Message):
    __slots__ = ("parent_workflow_execution_id", "child_execution_name", "org_id", "workflow_kind", "workflow_definition_id", "input", "queue", "priority_seconds")
    PARENT_WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    CHILD_EXECUTION_NAME_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_KIND_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_DEFINITION_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    parent_workflow_execution_id: str
    child_execution_name: str
    org_id: str
    workflow_kind: str
    workflow_definition_id: str
    input: bytes
    queue: str
    priority_seconds: int
    def __init__(self, parent_workflow_execution_id: _Optional[str] = ..., child_execution_name: _Optional[str] = ..., org_id: _Optional[str] = ..., workflow_kind: _Optional[str] = ..., workflow_definition_id: _Optional[str] = ..., input: _Optional[bytes] = ..., queue: _Optional[str] = ..., priority_seconds: _Optional[int] = ...) -> None: ...

class StartChildWorkflowResponse(_message.Message):
    __slots__ = ("child_workflow_execution_id",)
    CHILD_WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    child_workflow_execution_id: str
    def __init__(self, child_workflow_execution_id: _Optional[str] = ...) -> None: ...

class GetVisualWorkflowDefinitionByIdRequest(_message.Message):
    __slots__ = ("workflow_definition_id",)
    WORKFLOW_DEFINITION_ID_FIELD_NUMBER: _ClassVar[int]
    workflow_definition_id: str
    def __init__(self, workflow_definition_id: _Optional[str] = ...) -> None: ...

class GetVisualWorkflowDefinitionByIdResponse(_message.Message):
    __slots__ = ("workflow_definition_id", "kind", "name", "description", "definition", "version")
    WORKFLOW_DEFINITION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    workflow_definition_id: str
    kind: str
    name: str
    description: str
    definition: str
    version: int
    def __init__(self, workflow_definition_id: _Optional[str] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., definition: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ResolvePromiseRequest(_message.Message):
    __slots__ = ("promise_id", "value")
    PROMISE_ID_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    promise_id: str
    value: bytes
    def __init__(self, promise_id: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class RejectPromiseRequest(_message.Message):
    __slots__ = ("promise_id", "error")
    PROMISE_ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    promise_id: str
    error: str
    def __init__(self, promise_id: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class SignalWithStartWorkflowRequest(_message.Message):
    __slots__ = ("org_id", "workflow_id", "workflow_kind", "workflow_input", "queue", "priority_seconds", "workflow_version", "metadata", "signal_name", "signal_value", "idempotency_key_ttl_seconds")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_KIND_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_INPUT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_VERSION_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_VALUE_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    workflow_id: str
    workflow_kind: str
    workflow_input: bytes
    queue: str
    priority_seconds: int
    workflow_version: str
    metadata: _containers.ScalarMap[str, str]
    signal_name: str
    signal_value: bytes
    idempotency_key_ttl_seconds: int
    def __init__(self, org_id: _Optional[str] = ..., workflow_id: _Optional[str] = ..., workflow_kind: _Optional[str] = ..., workflow_input: _Optional[bytes] = ..., queue: _Optional[str] = ..., priority_seconds: _Optional[int] = ..., workflow_version: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., signal_name: _Optional[str] = ..., signal_value: _Optional[bytes] = ..., idempotency_key_ttl_seconds: _Optional[int] = ...) -> None: ...

class SignalWithStartWorkflowResponse(_message.Message):
    __slots__ = ("workflow_execution_id", "workflow_created", "signal_event_sequence")
    WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_CREATED_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_EVENT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    workflow_execution_id: str
    workflow_created: bool
    signal_event_sequence: int
    def __init__(self, workflow_execution_id: _Optional[str] = ..., workflow_created: bool = ..., signal_event_sequence: _Optional[int] = ...) -> None: ...

class SignalWorkflowRequest(_message.Message):
    __slots__ = ("org_id", "workflow_execution_id", "signal_name", "signal_value")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_VALUE_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    workflow_execution_id: str
    signal_name: str
    signal_value: bytes
    def __init__(self, org_id: _Optional[str] = ..., workflow_execution_id: _Optional[str] = ..., signal_name: _Optional[str] = ..., signal_value: _Optional[bytes] = ...) -> None: ...

class SignalWorkflowResponse(_message.Message):
    __slots__ = ("signal_event_sequence",)
    SIGNAL_EVENT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    signal_event_sequence: int
    def __init__(self, signal_event_sequence: _Optional[int] = ...) -> None: ...

class GetEventsRequest(_message.Message):
    __slots__ = ("workflow_execution_id",)
    WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    workflow_execution_id: str
    def __init__(self, workflow_execution_id: _Optional[str] = ...) -> None: ...

class GetEventsResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[WorkflowEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[WorkflowEvent, _Mapping]]] = ...) -> None: ...

class WorkflowEvent(_message.Message):
    __slots__ = ("sequence_number", "event_type", "event_data")
    SEQUENCE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_DATA_FIELD_NUMBER: _ClassVar[int]
    sequence_number: int
    event_type: str
    event_data: bytes
    def __init__(self, sequence_number: _Optional[int] = ..., event_type: _Optional[str] = ..., event_data: _Optional[bytes] = ...) -> None: ...

class SubmitWorkflowCommandsRequest(_message.Message):
    __slots__ = ("workflow_execution_id", "commands", "status")
    WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    workflow_execution_id: str
    commands: _containers.RepeatedCompositeFieldContainer[WorkflowCommand]
    status: WorkflowStatus
    def __init__(self, workflow_execution_id: _Optional[str] = ..., commands: _Optional[_Iterable[_Union[WorkflowCommand, _Mapping]]] = ..., status: _Optional[_Union[WorkflowStatus, str]] = ...) -> None: ...

class WorkflowCommand(_message.Message):
    __slots__ = ("command_type", "sequence_number", "record_operation", "set_state", "clear_state", "schedule_task", "complete_workflow", "fail_workflow", "suspend_workflow", "cancel_workflow", "create_promise", "resolve_promise", "schedule_child_workflow", "start_timer", "cancel_timer", "request_cancel_child_workflow")
    COMMAND_TYPE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    RECORD_OPERATION_FIELD_NUMBER: _ClassVar[int]
    SET_STATE_FIELD_NUMBER: _ClassVar[int]
    CLEAR_STATE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TASK_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    FAIL_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    SUSPEND_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    CANCEL_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    CREATE_PROMISE_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_PROMISE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_CHILD_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    START_TIMER_FIELD_NUMBER: _ClassVar[int]
    CANCEL_TIMER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_CANCEL_CHILD_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    command_type: CommandType
    sequence_number: int
    record_operation: RecordOperationCommand
    set_state: SetStateCommand
    clear_state: ClearStateCommand
    schedule_task: ScheduleTaskCommand
    complete_workflow: CompleteWorkflowCommand
    fail_workflow: FailWorkflowCommand
    suspend_workflow: SuspendWorkflowCommand
    cancel_workflow: CancelWorkflowCommand
    create_promise: CreatePromiseCommand
    resolve_promise: ResolvePromiseCommand
    schedule_child_workflow: ScheduleChildWorkflowCommand
    start_timer: StartTimerCommand
    cancel_timer: CancelTimerCommand
    request_cancel_child_workflow: RequestCancelChildWorkflowCommand
    def __init__(self, command_type: _Optional[_Union[CommandType, str]] = ..., sequence_number: _Optional[int] = ..., record_operation: _Optional[_Union[RecordOperationCommand, _Mapping]] = ..., set_state: _Optional[_Union[SetStateCommand, _Mapping]] = ..., clear_state: _Optional[_Union[ClearStateCommand, _Mapping]] = ..., schedule_task: _Optional[_Union[ScheduleTaskCommand, _Mapping]] = ..., complete_workflow: _Optional[_Union[CompleteWorkflowCommand, _Mapping]] = ..., fail_workflow: _Optional[_Union[FailWorkflowCommand, _Mapping]] = ..., suspend_workflow: _Optional[_Union[SuspendWorkflowCommand, _Mapping]] = ..., cancel_workflow: _Optional[_Union[CancelWorkflowCommand, _Mapping]] = ..., create_promise: _Optional[_Union[CreatePromiseCommand, _Mapping]] = ..., resolve_promise: _Optional[_Union[ResolvePromiseCommand, _Mapping]] = ..., schedule_child_workflow: _Optional[_Union[ScheduleChildWorkflowCommand, _Mapping]] = ..., start_timer: _Optional[_Union[StartTimerCommand, _Mapping]] = ..., cancel_timer: _Optional[_Union[CancelTimerCommand, _Mapping]] = ..., request_cancel_child_workflow: _Optional[_Union[RequestCancelChildWorkflowCommand, _Mapping]] = ...) -> None: ...

class RecordOperationCommand(_message.Message):
    __slots__ = ("operation_name", "result")
    OPERATION_NAME_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    operation_name: str
    result: bytes
    def __init__(self, operation_name: _Optional[str] = ..., result: _Optional[bytes] = ...) -> None: ...

class SetStateCommand(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: bytes
    def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class ClearStateCommand(_message.Message):
    __slots__ = ("key",)
    KEY_FIELD_NUMBER: _ClassVar[int]
    key: str
    def __init__(self, key: _Optional[str] = ...) -> None: ...

class ScheduleTaskCommand(_message.Message):
    __slots__ = ("kind", "input", "task_execution_id", "max_retries", "timeout_ms", "queue", "priority_seconds", "idempotency_key", "idempotency_key_ttl_seconds")
    KIND_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_RETRIES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    input: bytes
    task_execution_id: str
    max_retries: int
    timeout_ms: int
    queue: str
    priority_seconds: int
    idempotency_key: str
    idempotency_key_ttl_seconds: int
    def __init__(self, kind: _Optional[str] = ..., input: _Optional[bytes] = ..., task_execution_id: _Optional[str] = ..., max_retries: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., queue: _Optional[str] = ..., priority_seconds: _Optional[int] = ..., idempotency_key: _Optional[str] = ..., idempotency_key_ttl_seconds: _Optional[int] = ...) -> None: ...

class CompleteWorkflowCommand(_message.Message):
    __slots__ = ("output",)
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    output: bytes
    def __init__(self, output: _Optional[bytes] = ...) -> None: ...

class FailWorkflowCommand(_message.Message):
    __slots__ = ("error", "stack_trace", "failure_type")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    STACK_TRACE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_TYPE_FIELD_NUMBER: _ClassVar[int]
    error: str
    stack_trace: str
    failure_type: str
    def __init__(self, error: _Optional[str] = ..., stack_trace: _Optional[str] = ..., failure_type: _Optional[str] = ...) -> None: ...

class SuspendWorkflowCommand(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class CancelWorkflowCommand(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class CreatePromiseCommand(_message.Message):
    __slots__ = ("promise_id", "timeout_ms", "idempotency_key", "idempotency_key_ttl_seconds")
    PROMISE_ID_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    promise_id: str
    timeout_ms: int
    idempotency_key: str
    idempotency_key_ttl_seconds: int
    def __init__(self, promise_id: _Optional[str] = ..., timeout_ms: _Optional[int] = ..., idempotency_key: _Optional[str] = ..., idempotency_key_ttl_seconds: _Optional[int] = ...) -> None: ...

class ResolvePromiseCommand(_message.Message):
    __slots__ = ("promise_id", "value")
    PROMISE_ID_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    promise_id: str
    value: bytes
    def __init__(self, promise_id: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class ScheduleChildWorkflowCommand(_message.Message):
    __slots__ = ("child_execution_name", "workflow_kind", "workflow_definition_id", "child_workflow_execution_id", "input", "queue", "priority_seconds")
    CHILD_EXECUTION_NAME_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_KIND_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_DEFINITION_ID_FIELD_NUMBER: _ClassVar[int]
    CHILD_WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    child_execution_name: str
    workflow_kind: str
    workflow_definition_id: str
    child_workflow_execution_id: str
    input: bytes
    queue: str
    priority_seconds: int
    def __init__(self, child_execution_name: _Optional[str] = ..., workflow_kind: _Optional[str] = ..., workflow_definition_id: _Optional[str] = ..., child_workflow_execution_id: _Optional[str] = ..., input: _Optional[bytes] = ..., queue: _Optional[str] = ..., priority_seconds: _Optional[int] = ...) -> None: ...

class StartTimerCommand(_message.Message):
    __slots__ = ("timer_id", "duration_ms")
    TIMER_ID_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    timer_id: str
    duration_ms: int
    def __init__(self, timer_id: _Optional[str] = ..., duration_ms: _Optional[int] = ...) -> None: ...

class CancelTimerCommand(_message.Message):
    __slots__ = ("timer_id",)
    TIMER_ID_FIELD_NUMBER: _ClassVar[int]
    timer_id: str
    def __init__(self, timer_id: _Optional[str] = ...) -> None: ...

class RequestCancelChildWorkflowCommand(_message.Message):
    __slots__ = ("child_execution_name", "child_workflow_execution_id", "reason")
    CHILD_EXECUTION_NAME_FIELD_NUMBER: _ClassVar[int]
    CHILD_WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    child_execution_name: str
    child_workflow_execution_id: str
    reason: str
    def __init__(self, child_execution_name: _Optional[str] = ..., child_workflow_execution_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class SdkInfo(_message.Message):
    __slots__ = ("language", "sdk_version", "runtime_version", "os", "arch", "hostname")
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SDK_VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_VERSION_FIELD_NUMBER: _ClassVar[int]
    OS_FIELD_NUMBER: _ClassVar[int]
    ARCH_FIELD_NUMBER: _ClassVar[int]
    HOSTNAME_FIELD_NUMBER: _ClassVar[int]
    language: str
    sdk_version: str
    runtime_version: str
    os: str
    arch: str
    hostname: str
    def __init__(self, language: _Optional[str] = ..., sdk_version: _Optional[str] = ..., runtime_version: _Optional[str] = ..., os: _Optional[str] = ..., arch: _Optional[str] = ..., hostname: _Optional[str] = ...) -> None: ...

class ExecutionSpan(_message.Message):
    __slots__ = ("span_id", "parent_span_id", "span_type", "workflow_id", "task_id", "start_time_unix_ns", "end_time_unix_ns", "is_error", "error_type", "error_message", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    SPAN_TYPE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    END_TIME_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    IS_ERROR_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    span_id: str
    parent_span_id: str
    span_type: str
    workflow_id: str
    task_id: str
    start_time_unix_ns: int
    end_time_unix_ns: int
    is_error: bool
    error_type: str
    error_message: str
    attributes: _containers.ScalarMap[str, str]
    def __init__(self, span_id: _Optional[str] = ..., parent_span_id: _Optional[str] = ..., span_type: _Optional[str] = ..., workflow_id: _Optional[str] = ..., task_id: _Optional[str] = ..., start_time_unix_ns: _Optional[int] = ..., end_time_unix_ns: _Optional[int] = ..., is_error: bool = ..., error_type: _Optional[str] = ..., error_message: _Optional[str] = ..., attributes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ReportExecutionSpansRequest(_message.Message):
    __slots__ = ("sdk_info", "spans")
    SDK_INFO_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    sdk_info: SdkInfo
    spans: _containers.RepeatedCompositeFieldContainer[ExecutionSpan]
    def __init__(self, sdk_info: _Optional[_Union[SdkInfo, _Mapping]] = ..., spans: _Optional[_Iterable[_Union[ExecutionSpan, _Mapping]]] = ...) -> None: ...

class ReportExecutionSpansResponse(_message.Message):
    __slots__ = ("accepted_count", "rejected_count")
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REJECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    accepted_count: int
    rejected_count: int
    def __init__(self, accepted_count: _Optional[int] = ..., rejected_count: _Optional[int] = ...) -> None: ...

class QueryWorkflowRequest(_message.Message):
    __slots__ = ("workflow_execution_id", "query_name", "params")
    WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    QUERY_NAME_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    workflow_execution_id: str
    query_name: str
    params: bytes
    def __init__(self, workflow_execution_id: _Optional[str] = ..., query_name: _Optional[str] = ..., params: _Optional[bytes] = ...) -> None: ...

class QueryWorkflowResponse(_message.Message):
    __slots__ = ("result", "error")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    result: bytes
    error: str
    def __init__(self, result: _Optional[bytes] = ..., error: _Optional[str] = ...) -> None: ...

class SubmitTaskRequest(_message.Message):
    __slots__ = ("workflow_execution_id", "org_id", "kind", "input", "metadata", "max_retries", "timeout_ms", "idempotency_key", "idempotency_key_ttl_seconds", "queue", "worker_pool_id")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    MAX_RETRIES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    WORKER_POOL_ID_FIELD_NUMBER: _ClassVar[int]
    workflow_execution_id: str
    org_id: str
    kind: str
    input: bytes
    metadata: _containers.ScalarMap[str, str]
    max_retries: int
    timeout_ms: int
    idempotency_key: str
    idempotency_key_ttl_seconds: int
    queue: str
    worker_pool_id: str
    def __init__(self, workflow_execution_id: _Optional[str] = ..., org_id: _Optional[str] = ..., kind: _Optional[str] = ..., input: _Optional[bytes] = ..., metadata: _Optional[_Mapping[str, str]] = ..., max_retries: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., idempotency_key: _Optional[str] = ..., idempotency_key_ttl_seconds: _Optional[int] = ..., queue: _Optional[str] = ..., worker_pool_id: _Optional[str] = ...) -> None: ...

class SubmitTaskResponse(_message.Message):
    __slots__ = ("task_execution_id", "idempotency_key_used", "idempotency_key_new")
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_USED_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_NEW_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    idempotency_key_used: bool
    idempotency_key_new: bool
    def __init__(self, task_execution_id: _Optional[str] = ..., idempotency_key_used: bool = ..., idempotency_key_new: bool = ...) -> None: ...

class PollTaskRequest(_message.Message):
    __slots__ = ("worker_id", "org_id", "worker_labels", "timeout_seconds", "queue", "worker_pool_id")
    class WorkerLabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_LABELS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    WORKER_POOL_ID_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    org_id: str
    worker_labels: _containers.ScalarMap[str, str]
    timeout_seconds: int
    queue: str
    worker_pool_id: str
    def __init__(self, worker_id: _Optional[str] = ..., org_id: _Optional[str] = ..., worker_labels: _Optional[_Mapping[str, str]] = ..., timeout_seconds: _Optional[int] = ..., queue: _Optional[str] = ..., worker_pool_id: _Optional[str] = ...) -> None: ...

class PollTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: TaskExecutionInfo
    def __init__(self, task: _Optional[_Union[TaskExecutionInfo, _Mapping]] = ...) -> None: ...

class TaskExecutionInfo(_message.Message):
    __slots__ = ("task_execution_id", "kind", "input", "workflow_execution_id", "execution_count", "queue", "worker_pool_id", "traceparent")
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_COUNT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    WORKER_POOL_ID_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    kind: str
    input: bytes
    workflow_execution_id: str
    execution_count: int
    queue: str
    worker_pool_id: str
    traceparent: str
    def __init__(self, task_execution_id: _Optional[str] = ..., kind: _Optional[str] = ..., input: _Optional[bytes] = ..., workflow_execution_id: _Optional[str] = ..., execution_count: _Optional[int] = ..., queue: _Optional[str] = ..., worker_pool_id: _Optional[str] = ..., traceparent: _Optional[str] = ...) -> None: ...

class CompleteTaskRequest(_message.Message):
    __slots__ = ("task_execution_id", "output")
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    output: bytes
    def __init__(self, task_execution_id: _Optional[str] = ..., output: _Optional[bytes] = ...) -> None: ...

class FailTaskRequest(_message.Message):
    __slots__ = ("task_execution_id", "error")
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    error: str
    def __init__(self, task_execution_id: _Optional[str] = ..., error: _Optional[str] = ...) -> None: ...

class ReportProgressRequest(_message.Message):
    __slots__ = ("task_execution_id", "progress", "details")
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    progress: float
    details: str
    def __init__(self, task_execution_id: _Optional[str] = ..., progress: _Optional[float] = ..., details: _Optional[str] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("task_execution_id",)
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    def __init__(self, task_execution_id: _Optional[str] = ...) -> None: ...

class CancelTaskRequest(_message.Message):
    __slots__ = ("task_execution_id",)
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    def __init__(self, task_execution_id: _Optional[str] = ...) -> None: ...

class LogMessageRequest(_message.Message):
    __slots__ = ("task_execution_id", "level", "message")
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    level: str
    message: str
    def __init__(self, task_execution_id: _Optional[str] = ..., level: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class GetStateRequest(_message.Message):
    __slots__ = ("task_execution_id", "key")
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    key: str
    def __init__(self, task_execution_id: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class GetStateResponse(_message.Message):
    __slots__ = ("value", "found")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    value: bytes
    found: bool
    def __init__(self, value: _Optional[bytes] = ..., found: bool = ...) -> None: ...

class SetStateRequest(_message.Message):
    __slots__ = ("task_execution_id", "key", "value")
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    key: str
    value: bytes
    def __init__(self, task_execution_id: _Optional[str] = ..., key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class ClearStateRequest(_message.Message):
    __slots__ = ("task_execution_id", "key")
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    key: str
    def __init__(self, task_execution_id: _Optional[str] = ..., key: _Optional[str] = ...) -> None: ...

class ClearAllStateRequest(_message.Message):
    __slots__ = ("task_execution_id",)
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    def __init__(self, task_execution_id: _Optional[str] = ...) -> None: ...

class GetStateKeysRequest(_message.Message):
    __slots__ = ("task_execution_id",)
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    def __init__(self, task_execution_id: _Optional[str] = ...) -> None: ...

class GetStateKeysResponse(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ...) -> None: ...

class StreamTaskDataRequest(_message.Message):
    __slots__ = ("task_execution_id", "workflow_execution_id", "sequence", "type", "payload", "timestamp_ms")
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    workflow_execution_id: str
    sequence: int
    type: StreamEventType
    payload: str
    timestamp_ms: int
    def __init__(self, task_execution_id: _Optional[str] = ..., workflow_execution_id: _Optional[str] = ..., sequence: _Optional[int] = ..., type: _Optional[_Union[StreamEventType, str]] = ..., payload: _Optional[str] = ..., timestamp_ms: _Optional[int] = ...) -> None: ...

class StreamTaskDataResponse(_message.Message):
    __slots__ = ("acknowledged",)
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    acknowledged: bool
    def __init__(self, acknowledged: bool = ...) -> None: ...

class WorkerRegistrationRequest(_message.Message):
    __slots__ = ("worker_name", "worker_version", "worker_type", "org_id", "team_id", "host_name", "process_id", "workflows", "tasks", "metadata", "agents")
    WORKER_NAME_FIELD_NUMBER: _ClassVar[int]
    WORKER_VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKER_TYPE_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    TEAM_ID_FIELD_NUMBER: _ClassVar[int]
    HOST_NAME_FIELD_NUMBER: _ClassVar[int]
    PROCESS_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    worker_name: str
    worker_version: str
    worker_type: str
    org_id: str
    team_id: str
    host_name: str
    process_id: str
    workflows: _containers.RepeatedCompositeFieldContainer[WorkflowCapability]
    tasks: _containers.RepeatedCompositeFieldContainer[TaskCapability]
    metadata: bytes
    agents: _containers.RepeatedCompositeFieldContainer[AgentCapability]
    def __init__(self, worker_name: _Optional[str] = ..., worker_version: _Optional[str] = ..., worker_type: _Optional[str] = ..., org_id: _Optional[str] = ..., team_id: _Optional[str] = ..., host_name: _Optional[str] = ..., process_id: _Optional[str] = ..., workflows: _Optional[_Iterable[_Union[WorkflowCapability, _Mapping]]] = ..., tasks: _Optional[_Iterable[_Union[TaskCapability, _Mapping]]] = ..., metadata: _Optional[bytes] = ..., agents: _Optional[_Iterable[_Union[AgentCapability, _Mapping]]] = ...) -> None: ...

class WorkflowCapability(_message.Message):
    __slots__ = ("kind", "name", "description", "timeout_seconds", "cancellable", "tags", "retry_policy", "metadata", "version", "content_hash", "input_schema", "output_schema")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    CANCELLABLE_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    RETRY_POLICY_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    description: str
    timeout_seconds: int
    cancellable: bool
    tags: _containers.RepeatedScalarFieldContainer[str]
    retry_policy: bytes
    metadata: bytes
    version: str
    content_hash: str
    input_schema: bytes
    output_schema: bytes
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., timeout_seconds: _Optional[int] = ..., cancellable: bool = ..., tags: _Optional[_Iterable[str]] = ..., retry_policy: _Optional[bytes] = ..., metadata: _Optional[bytes] = ..., version: _Optional[str] = ..., content_hash: _Optional[str] = ..., input_schema: _Optional[bytes] = ..., output_schema: _Optional[bytes] = ...) -> None: ...

class TaskCapability(_message.Message):
    __slots__ = ("kind", "name", "description", "timeout_seconds", "cancellable", "tags", "retry_policy", "input_schema", "output_schema", "metadata")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    CANCELLABLE_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    RETRY_POLICY_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    description: str
    timeout_seconds: int
    cancellable: bool
    tags: _containers.RepeatedScalarFieldContainer[str]
    retry_policy: bytes
    input_schema: bytes
    output_schema: bytes
    metadata: bytes
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., timeout_seconds: _Optional[int] = ..., cancellable: bool = ..., tags: _Optional[_Iterable[str]] = ..., retry_policy: _Optional[bytes] = ..., input_schema: _Optional[bytes] = ..., output_schema: _Optional[bytes] = ..., metadata: _Optional[bytes] = ...) -> None: ...

class AgentCapability(_message.Message):
    __slots__ = ("kind", "name", "description", "input_schema", "metadata")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    description: str
    input_schema: bytes
    metadata: bytes
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., input_schema: _Optional[bytes] = ..., metadata: _Optional[bytes] = ...) -> None: ...

class WorkerRegistrationResponse(_message.Message):
    __slots__ = ("worker_id", "success", "error", "workflow_conflicts", "task_conflicts")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    TASK_CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    success: bool
    error: str
    workflow_conflicts: _containers.RepeatedCompositeFieldContainer[WorkflowConflict]
    task_conflicts: _containers.RepeatedCompositeFieldContainer[TaskConflict]
    def __init__(self, worker_id: _Optional[str] = ..., success: bool = ..., error: _Optional[str] = ..., workflow_conflicts: _Optional[_Iterable[_Union[WorkflowConflict, _Mapping]]] = ..., task_conflicts: _Optional[_Iterable[_Union[TaskConflict, _Mapping]]] = ...) -> None: ...

class WorkflowConflict(_message.Message):
    __slots__ = ("kind", "reason", "existing_worker_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXISTING_WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    kind: str
    reason: str
    existing_worker_id: str
    def __init__(self, kind: _Optional[str] = ..., reason: _Optional[str] = ..., existing_worker_id: _Optional[str] = ...) -> None: ...

class TaskConflict(_message.Message):
    __slots__ = ("kind", "reason", "existing_worker_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXISTING_WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    kind: str
    reason: str
    existing_worker_id: str
    def __init__(self, kind: _Optional[str] = ..., reason: _Optional[str] = ..., existing_worker_id: _Optional[str] = ...) -> None: ...

class WorkerHeartbeatRequest(_message.Message):
    __slots__ = ("worker_id", "workflow_kinds", "task_kinds", "health_info")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_KINDS_FIELD_NUMBER: _ClassVar[int]
    TASK_KINDS_FIELD_NUMBER: _ClassVar[int]
    HEALTH_INFO_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    workflow_kinds: _containers.RepeatedScalarFieldContainer[str]
    task_kinds: _containers.RepeatedScalarFieldContainer[str]
    health_info: bytes
    def __init__(self, worker_id: _Optional[str] = ..., workflow_kinds: _Optional[_Iterable[str]] = ..., task_kinds: _Optional[_Iterable[str]] = ..., health_info: _Optional[bytes] = ...) -> None: ...
