# Generated from proto/flovyn/v1/agent.proto by `nox -s proto`. Do not edit: change that file, and run it again.
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WaitMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WAIT_MODE_UNSPECIFIED: _ClassVar[WaitMode]
    WAIT_MODE_ALL: _ClassVar[WaitMode]
    WAIT_MODE_ANY: _ClassVar[WaitMode]

class AgentStreamEventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGENT_STREAM_EVENT_TYPE_UNSPECIFIED: _ClassVar[AgentStreamEventType]
    AGENT_TOKEN: _ClassVar[AgentStreamEventType]
    AGENT_PROGRESS: _ClassVar[AgentStreamEventType]
    AGENT_DATA: _ClassVar[AgentStreamEventType]
    AGENT_ERROR: _ClassVar[AgentStreamEventType]
    AGENT_TOOL_START: _ClassVar[AgentStreamEventType]
    AGENT_TOOL_END: _ClassVar[AgentStreamEventType]
WAIT_MODE_UNSPECIFIED: WaitMode
WAIT_MODE_ALL: WaitMode
WAIT_MODE_ANY: WaitMode
AGENT_STREAM_EVENT_TYPE_UNSPECIFIED: AgentStreamEventType
AGENT_TOKEN: AgentStreamEventType
AGENT_PROGRESS: AgentStreamEventType
AGENT_DATA: AgentStreamEventType
AGENT_ERROR: AgentStreamEventType
AGENT_TOOL_START: AgentStreamEventType
AGENT_TOOL_END: AgentStreamEventType

class PollAgentRequest(_message.Message):
    __slots__ = ("worker_id", "org_id", "queue", "timeout_seconds", "agent_capabilities", "worker_pool_id")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    AGENT_CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    WORKER_POOL_ID_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    org_id: str
    queue: str
    timeout_seconds: int
    agent_capabilities: _containers.RepeatedScalarFieldContainer[str]
    worker_pool_id: str
    def __init__(self, worker_id: _Optional[str] = ..., org_id: _Optional[str] = ..., queue: _Optional[str] = ..., timeout_seconds: _Optional[int] = ..., agent_capabilities: _Optional[_Iterable[str]] = ..., worker_pool_id: _Optional[str] = ...) -> None: ...

class PollAgentResponse(_message.Message):
    __slots__ = ("agent_execution", "traceparent")
    AGENT_EXECUTION_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    agent_execution: AgentExecutionInfo
    traceparent: str
    def __init__(self, agent_execution: _Optional[_Union[AgentExecutionInfo, _Mapping]] = ..., traceparent: _Optional[str] = ...) -> None: ...

class AgentExecutionInfo(_message.Message):
    __slots__ = ("id", "kind", "org_id", "input", "queue", "created_at_ms", "current_checkpoint_seq", "persistence_mode", "agent_definition_id", "worker_pool_id", "metadata", "parent_execution_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    CURRENT_CHECKPOINT_SEQ_FIELD_NUMBER: _ClassVar[int]
    PERSISTENCE_MODE_FIELD_NUMBER: _ClassVar[int]
    AGENT_DEFINITION_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_POOL_ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    PARENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: str
    org_id: str
    input: bytes
    queue: str
    created_at_ms: int
    current_checkpoint_seq: int
    persistence_mode: str
    agent_definition_id: str
    worker_pool_id: str
    metadata: bytes
    parent_execution_id: str
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[str] = ..., org_id: _Optional[str] = ..., input: _Optional[bytes] = ..., queue: _Optional[str] = ..., created_at_ms: _Optional[int] = ..., current_checkpoint_seq: _Optional[int] = ..., persistence_mode: _Optional[str] = ..., agent_definition_id: _Optional[str] = ..., worker_pool_id: _Optional[str] = ..., metadata: _Optional[bytes] = ..., parent_execution_id: _Optional[str] = ...) -> None: ...

class GetEntriesRequest(_message.Message):
    __slots__ = ("agent_execution_id", "after_entry_id")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    after_entry_id: str
    def __init__(self, agent_execution_id: _Optional[str] = ..., after_entry_id: _Optional[str] = ...) -> None: ...

class AgentEntryChunk(_message.Message):
    __slots__ = ("entry",)
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    entry: AgentEntry
    def __init__(self, entry: _Optional[_Union[AgentEntry, _Mapping]] = ...) -> None: ...

class AgentEntry(_message.Message):
    __slots__ = ("id", "parent_id", "entry_type", "role", "content", "turn_id", "token_usage", "created_at_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRY_TYPE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_USAGE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    parent_id: str
    entry_type: str
    role: str
    content: bytes
    turn_id: str
    token_usage: TokenUsage
    created_at_ms: int
    def __init__(self, id: _Optional[str] = ..., parent_id: _Optional[str] = ..., entry_type: _Optional[str] = ..., role: _Optional[str] = ..., content: _Optional[bytes] = ..., turn_id: _Optional[str] = ..., token_usage: _Optional[_Union[TokenUsage, _Mapping]] = ..., created_at_ms: _Optional[int] = ...) -> None: ...

class TokenUsage(_message.Message):
    __slots__ = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHE_READ_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    def __init__(self, input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., cache_read_tokens: _Optional[int] = ..., cache_write_tokens: _Optional[int] = ...) -> None: ...

class AppendEntryRequest(_message.Message):
    __slots__ = ("agent_execution_id", "parent_id", "entry_type", "role", "content", "turn_id", "token_usage", "idempotency_key")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRY_TYPE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    TOKEN_USAGE_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    parent_id: str
    entry_type: str
    role: str
    content: bytes
    turn_id: str
    token_usage: TokenUsage
    idempotency_key: str
    def __init__(self, agent_execution_id: _Optional[str] = ..., parent_id: _Optional[str] = ..., entry_type: _Optional[str] = ..., role: _Optional[str] = ..., content: _Optional[bytes] = ..., turn_id: _Optional[str] = ..., token_usage: _Optional[_Union[TokenUsage, _Mapping]] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class AppendEntryResponse(_message.Message):
    __slots__ = ("entry_id", "already_existed")
    ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    ALREADY_EXISTED_FIELD_NUMBER: _ClassVar[int]
    entry_id: str
    already_existed: bool
    def __init__(self, entry_id: _Optional[str] = ..., already_existed: bool = ...) -> None: ...

class GetCheckpointRequest(_message.Message):
    __slots__ = ("agent_execution_id",)
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    def __init__(self, agent_execution_id: _Optional[str] = ...) -> None: ...

class GetCheckpointResponse(_message.Message):
    __slots__ = ("checkpoint",)
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    checkpoint: AgentCheckpoint
    def __init__(self, checkpoint: _Optional[_Union[AgentCheckpoint, _Mapping]] = ...) -> None: ...

class AgentCheckpoint(_message.Message):
    __slots__ = ("id", "sequence", "leaf_entry_id", "state", "created_at_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LEAF_ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    sequence: int
    leaf_entry_id: str
    state: bytes
    created_at_ms: int
    def __init__(self, id: _Optional[str] = ..., sequence: _Optional[int] = ..., leaf_entry_id: _Optional[str] = ..., state: _Optional[bytes] = ..., created_at_ms: _Optional[int] = ...) -> None: ...

class SubmitCheckpointRequest(_message.Message):
    __slots__ = ("agent_execution_id", "leaf_entry_id", "state", "cumulative_token_usage")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    LEAF_ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CUMULATIVE_TOKEN_USAGE_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    leaf_entry_id: str
    state: bytes
    cumulative_token_usage: TokenUsage
    def __init__(self, agent_execution_id: _Optional[str] = ..., leaf_entry_id: _Optional[str] = ..., state: _Optional[bytes] = ..., cumulative_token_usage: _Optional[_Union[TokenUsage, _Mapping]] = ...) -> None: ...

class SubmitCheckpointResponse(_message.Message):
    __slots__ = ("checkpoint_id", "sequence")
    CHECKPOINT_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    checkpoint_id: str
    sequence: int
    def __init__(self, checkpoint_id: _Optional[str] = ..., sequence: _Optional[int] = ...) -> None: ...

class ScheduleAgentTaskChunk(_message.Message):
    __slots__ = ("header", "input_chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    INPUT_CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: ScheduleAgentTaskHeader
    input_chunk: bytes
    def __init__(self, header: _Optional[_Union[ScheduleAgentTaskHeader, _Mapping]] = ..., input_chunk: _Optional[bytes] = ...) -> None: ...

class ScheduleAgentTaskHeader(_message.Message):
    __slots__ = ("agent_execution_id", "task_kind", "queue", "max_retries", "timeout_ms", "idempotency_key", "idempotency_key_ttl_seconds", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_KIND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    MAX_RETRIES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_MS_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    task_kind: str
    queue: str
    max_retries: int
    timeout_ms: int
    idempotency_key: str
    idempotency_key_ttl_seconds: int
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, agent_execution_id: _Optional[str] = ..., task_kind: _Optional[str] = ..., queue: _Optional[str] = ..., max_retries: _Optional[int] = ..., timeout_ms: _Optional[int] = ..., idempotency_key: _Optional[str] = ..., idempotency_key_ttl_seconds: _Optional[int] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ScheduleAgentTaskResponse(_message.Message):
    __slots__ = ("task_execution_id", "idempotency_key_used", "idempotency_key_new")
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_USED_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_NEW_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    idempotency_key_used: bool
    idempotency_key_new: bool
    def __init__(self, task_execution_id: _Optional[str] = ..., idempotency_key_used: bool = ..., idempotency_key_new: bool = ...) -> None: ...

class CompleteAgentRequest(_message.Message):
    __slots__ = ("agent_execution_id", "output")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    output: bytes
    def __init__(self, agent_execution_id: _Optional[str] = ..., output: _Optional[bytes] = ...) -> None: ...

class FailAgentRequest(_message.Message):
    __slots__ = ("agent_execution_id", "error", "stack_trace", "failure_type")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    STACK_TRACE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_TYPE_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    error: str
    stack_trace: str
    failure_type: str
    def __init__(self, agent_execution_id: _Optional[str] = ..., error: _Optional[str] = ..., stack_trace: _Optional[str] = ..., failure_type: _Optional[str] = ...) -> None: ...

class SuspendAgentRequest(_message.Message):
    __slots__ = ("agent_execution_id", "wait_for_signal", "wait_for_task", "wait_for_tasks", "wait_for_child_event", "wait_for_all_children", "reason")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_TASK_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_TASKS_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_CHILD_EVENT_FIELD_NUMBER: _ClassVar[int]
    WAIT_FOR_ALL_CHILDREN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    wait_for_signal: str
    wait_for_task: str
    wait_for_tasks: WaitForTasks
    wait_for_child_event: WaitForChildEvent
    wait_for_all_children: WaitForAllChildren
    reason: str
    def __init__(self, agent_execution_id: _Optional[str] = ..., wait_for_signal: _Optional[str] = ..., wait_for_task: _Optional[str] = ..., wait_for_tasks: _Optional[_Union[WaitForTasks, _Mapping]] = ..., wait_for_child_event: _Optional[_Union[WaitForChildEvent, _Mapping]] = ..., wait_for_all_children: _Optional[_Union[WaitForAllChildren, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class WaitForTasks(_message.Message):
    __slots__ = ("task_ids", "mode")
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    task_ids: _containers.RepeatedScalarFieldContainer[str]
    mode: WaitMode
    def __init__(self, task_ids: _Optional[_Iterable[str]] = ..., mode: _Optional[_Union[WaitMode, str]] = ...) -> None: ...

class WaitForChildEvent(_message.Message):
    __slots__ = ("child_execution_ids",)
    CHILD_EXECUTION_IDS_FIELD_NUMBER: _ClassVar[int]
    child_execution_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, child_execution_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class WaitForAllChildren(_message.Message):
    __slots__ = ("child_execution_ids",)
    CHILD_EXECUTION_IDS_FIELD_NUMBER: _ClassVar[int]
    child_execution_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, child_execution_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ResumeAgentRequest(_message.Message):
    __slots__ = ("agent_execution_id", "worker_id")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    worker_id: str
    def __init__(self, agent_execution_id: _Optional[str] = ..., worker_id: _Optional[str] = ...) -> None: ...

class ResumeAgentResponse(_message.Message):
    __slots__ = ("success", "agent", "traceparent")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    success: bool
    agent: AgentExecutionInfo
    traceparent: str
    def __init__(self, success: bool = ..., agent: _Optional[_Union[AgentExecutionInfo, _Mapping]] = ..., traceparent: _Optional[str] = ...) -> None: ...

class SignalAgentRequest(_message.Message):
    __slots__ = ("agent_execution_id", "signal_name", "signal_value")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_VALUE_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    signal_name: str
    signal_value: bytes
    def __init__(self, agent_execution_id: _Optional[str] = ..., signal_name: _Optional[str] = ..., signal_value: _Optional[bytes] = ...) -> None: ...

class SignalAgentResponse(_message.Message):
    __slots__ = ("signal_id", "agent_resumed")
    SIGNAL_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_RESUMED_FIELD_NUMBER: _ClassVar[int]
    signal_id: str
    agent_resumed: bool
    def __init__(self, signal_id: _Optional[str] = ..., agent_resumed: bool = ...) -> None: ...

class ConsumeSignalsRequest(_message.Message):
    __slots__ = ("agent_execution_id", "signal_name", "signal_pattern")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_PATTERN_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    signal_name: str
    signal_pattern: str
    def __init__(self, agent_execution_id: _Optional[str] = ..., signal_name: _Optional[str] = ..., signal_pattern: _Optional[str] = ...) -> None: ...

class ConsumeSignalsResponse(_message.Message):
    __slots__ = ("signals",)
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    signals: _containers.RepeatedCompositeFieldContainer[AgentSignal]
    def __init__(self, signals: _Optional[_Iterable[_Union[AgentSignal, _Mapping]]] = ...) -> None: ...

class AgentSignal(_message.Message):
    __slots__ = ("id", "signal_name", "signal_value", "created_at_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_VALUE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    signal_name: str
    signal_value: bytes
    created_at_ms: int
    def __init__(self, id: _Optional[str] = ..., signal_name: _Optional[str] = ..., signal_value: _Optional[bytes] = ..., created_at_ms: _Optional[int] = ...) -> None: ...

class HasSignalRequest(_message.Message):
    __slots__ = ("agent_execution_id", "signal_name")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    signal_name: str
    def __init__(self, agent_execution_id: _Optional[str] = ..., signal_name: _Optional[str] = ...) -> None: ...

class HasSignalResponse(_message.Message):
    __slots__ = ("has_signal",)
    HAS_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    has_signal: bool
    def __init__(self, has_signal: bool = ...) -> None: ...

class GetAgentTaskResultRequest(_message.Message):
    __slots__ = ("agent_execution_id", "task_execution_id")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    task_execution_id: str
    def __init__(self, agent_execution_id: _Optional[str] = ..., task_execution_id: _Optional[str] = ...) -> None: ...

class GetAgentTaskResultResponse(_message.Message):
    __slots__ = ("status", "output", "error")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    status: str
    output: bytes
    error: str
    def __init__(self, status: _Optional[str] = ..., output: _Optional[bytes] = ..., error: _Optional[str] = ...) -> None: ...

class GetAgentTaskResultsRequest(_message.Message):
    __slots__ = ("agent_execution_id", "task_execution_ids")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_IDS_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    task_execution_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, agent_execution_id: _Optional[str] = ..., task_execution_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class GetAgentTaskResultsResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[TaskResultEntry]
    def __init__(self, results: _Optional[_Iterable[_Union[TaskResultEntry, _Mapping]]] = ...) -> None: ...

class TaskResultEntry(_message.Message):
    __slots__ = ("task_execution_id", "status", "output", "error")
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    task_execution_id: str
    status: str
    output: bytes
    error: str
    def __init__(self, task_execution_id: _Optional[str] = ..., status: _Optional[str] = ..., output: _Optional[bytes] = ..., error: _Optional[str] = ...) -> None: ...

class GetAgentTaskCountRequest(_message.Message):
    __slots__ = ("agent_execution_id",)
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    def __init__(self, agent_execution_id: _Optional[str] = ...) -> None: ...

class GetAgentTaskCountResponse(_message.Message):
    __slots__ = ("task_count",)
    TASK_COUNT_FIELD_NUMBER: _ClassVar[int]
    task_count: int
    def __init__(self, task_count: _Optional[int] = ...) -> None: ...

class CancelAgentTaskRequest(_message.Message):
    __slots__ = ("agent_execution_id", "task_execution_id", "reason")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    task_execution_id: str
    reason: str
    def __init__(self, agent_execution_id: _Optional[str] = ..., task_execution_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class CancelAgentTaskResponse(_message.Message):
    __slots__ = ("cancelled", "status")
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    cancelled: bool
    status: str
    def __init__(self, cancelled: bool = ..., status: _Optional[str] = ...) -> None: ...

class StreamAgentDataRequest(_message.Message):
    __slots__ = ("agent_execution_id", "sequence", "event_type", "payload", "timestamp_ms")
    AGENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    agent_execution_id: str
    sequence: int
    event_type: AgentStreamEventType
    payload: str
    timestamp_ms: int
    def __init__(self, agent_execution_id: _Optional[str] = ..., sequence: _Optional[int] = ..., event_type: _Optional[_Union[AgentStreamEventType, str]] = ..., payload: _Optional[str] = ..., timestamp_ms: _Optional[int] = ...) -> None: ...

class StreamAgentDataResponse(_message.Message):
    __slots__ = ("acknowledged",)
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    acknowledged: bool
    def __init__(self, acknowledged: bool = ...) -> None: ...

class SpawnChildAgentRequest(_message.Message):
    __slots__ = ("org_id", "parent_execution_id", "agent_kind", "input", "queue", "system_prompt", "tools", "model", "max_budget_tokens", "mode", "template_slug")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_KIND_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_PROMPT_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MAX_BUDGET_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_SLUG_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    parent_execution_id: str
    agent_kind: str
    input: bytes
    queue: str
    system_prompt: str
    tools: _containers.RepeatedScalarFieldContainer[str]
    model: str
    max_budget_tokens: int
    mode: str
    template_slug: str
    def __init__(self, org_id: _Optional[str] = ..., parent_execution_id: _Optional[str] = ..., agent_kind: _Optional[str] = ..., input: _Optional[bytes] = ..., queue: _Optional[str] = ..., system_prompt: _Optional[str] = ..., tools: _Optional[_Iterable[str]] = ..., model: _Optional[str] = ..., max_budget_tokens: _Optional[int] = ..., mode: _Optional[str] = ..., template_slug: _Optional[str] = ...) -> None: ...

class SpawnChildAgentResponse(_message.Message):
    __slots__ = ("child_execution_id", "status")
    CHILD_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    child_execution_id: str
    status: str
    def __init__(self, child_execution_id: _Optional[str] = ..., status: _Optional[str] = ...) -> None: ...

class SendParentSignalRequest(_message.Message):
    __slots__ = ("org_id", "child_execution_id", "signal_name", "payload")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    CHILD_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    child_execution_id: str
    signal_name: str
    payload: bytes
    def __init__(self, org_id: _Optional[str] = ..., child_execution_id: _Optional[str] = ..., signal_name: _Optional[str] = ..., payload: _Optional[bytes] = ...) -> None: ...

class SendParentSignalResponse(_message.Message):
    __slots__ = ("delivered",)
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    delivered: bool
    def __init__(self, delivered: bool = ...) -> None: ...

class SendChildSignalRequest(_message.Message):
    __slots__ = ("org_id", "parent_execution_id", "child_execution_id", "signal_name", "payload")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    CHILD_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    parent_execution_id: str
    child_execution_id: str
    signal_name: str
    payload: bytes
    def __init__(self, org_id: _Optional[str] = ..., parent_execution_id: _Optional[str] = ..., child_execution_id: _Optional[str] = ..., signal_name: _Optional[str] = ..., payload: _Optional[bytes] = ...) -> None: ...

class SendChildSignalResponse(_message.Message):
    __slots__ = ("delivered",)
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    delivered: bool
    def __init__(self, delivered: bool = ...) -> None: ...

class PollChildEventsRequest(_message.Message):
    __slots__ = ("org_id", "parent_execution_id", "child_execution_ids")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    CHILD_EXECUTION_IDS_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    parent_execution_id: str
    child_execution_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, org_id: _Optional[str] = ..., parent_execution_id: _Optional[str] = ..., child_execution_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class PollChildEventsResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[ChildEventInfo]
    def __init__(self, events: _Optional[_Iterable[_Union[ChildEventInfo, _Mapping]]] = ...) -> None: ...

class ChildEventInfo(_message.Message):
    __slots__ = ("child_execution_id", "event_type", "output", "error", "signal_name", "signal_payload")
    CHILD_EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    child_execution_id: str
    event_type: str
    output: bytes
    error: str
    signal_name: str
    signal_payload: bytes
    def __init__(self, child_execution_id: _Optional[str] = ..., event_type: _Optional[str] = ..., output: _Optional[bytes] = ..., error: _Optional[str] = ..., signal_name: _Optional[str] = ..., signal_payload: _Optional[bytes] = ...) -> None: ...
