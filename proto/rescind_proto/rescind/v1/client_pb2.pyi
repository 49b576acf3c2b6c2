# Generated from proto/rescind/v1/client.proto by `nox -s proto`. Do not edit: change that file, and run it again.
from rescind_proto.rescind.v1 import values_pb2 as _values_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StuckReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STUCK_REASON_UNSPECIFIED: _ClassVar[StuckReason]
    STUCK_REASON_NOT_STOPPED: _ClassVar[StuckReason]
    STUCK_REASON_WORKER_AWAY: _ClassVar[StuckReason]
    STUCK_REASON_NO_HEARTBEAT: _ClassVar[StuckReason]
    STUCK_REASON_NOT_ACKNOWLEDGED: _ClassVar[StuckReason]
    STUCK_REASON_STOP_WAITS: _ClassVar[StuckReason]

class AuditAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIT_ACTION_UNSPECIFIED: _ClassVar[AuditAction]
    AUDIT_ACTION_START: _ClassVar[AuditAction]
    AUDIT_ACTION_SIGNAL: _ClassVar[AuditAction]
    AUDIT_ACTION_CANCEL: _ClassVar[AuditAction]
    AUDIT_ACTION_CANCEL_TASK: _ClassVar[AuditAction]
    AUDIT_ACTION_CREATE_TOKEN: _ClassVar[AuditAction]
    AUDIT_ACTION_REVOKE_TOKEN: _ClassVar[AuditAction]
    AUDIT_ACTION_ADD_WEBHOOK: _ClassVar[AuditAction]
    AUDIT_ACTION_REMOVE_WEBHOOK: _ClassVar[AuditAction]
    AUDIT_ACTION_ENABLE_WEBHOOK: _ClassVar[AuditAction]
    AUDIT_ACTION_ROTATE_WEBHOOK_SECRET: _ClassVar[AuditAction]
    AUDIT_ACTION_RETRY: _ClassVar[AuditAction]

class EventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_TYPE_UNSPECIFIED: _ClassVar[EventType]
    EVENT_TYPE_EXECUTION_STARTED: _ClassVar[EventType]
    EVENT_TYPE_EXECUTION_ACTIVATED: _ClassVar[EventType]
    EVENT_TYPE_EXECUTION_SUSPENDED: _ClassVar[EventType]
    EVENT_TYPE_EXECUTION_RELEASED: _ClassVar[EventType]
    EVENT_TYPE_EXECUTION_PARKED: _ClassVar[EventType]
    EVENT_TYPE_EXECUTION_CANCEL_REQUESTED: _ClassVar[EventType]
    EVENT_TYPE_EXECUTION_COMPLETED: _ClassVar[EventType]
    EVENT_TYPE_EXECUTION_FAILED: _ClassVar[EventType]
    EVENT_TYPE_EXECUTION_CANCELLED: _ClassVar[EventType]
    EVENT_TYPE_TASK_SCHEDULED: _ClassVar[EventType]
    EVENT_TYPE_TASK_STARTED: _ClassVar[EventType]
    EVENT_TYPE_TASK_ATTEMPT_FAILED: _ClassVar[EventType]
    EVENT_TYPE_TASK_CANCEL_REQUESTED: _ClassVar[EventType]
    EVENT_TYPE_TASK_COMPLETED: _ClassVar[EventType]
    EVENT_TYPE_TASK_FAILED: _ClassVar[EventType]
    EVENT_TYPE_TASK_CANCELLED: _ClassVar[EventType]
    EVENT_TYPE_RESULT_DISCARDED: _ClassVar[EventType]
    EVENT_TYPE_STOP_REQUESTED: _ClassVar[EventType]
    EVENT_TYPE_STOP_DELIVERED: _ClassVar[EventType]
    EVENT_TYPE_STOP_ENDED: _ClassVar[EventType]
    EVENT_TYPE_WAIT_STARTED: _ClassVar[EventType]
    EVENT_TYPE_WAIT_SETTLED: _ClassVar[EventType]
    EVENT_TYPE_WITHDRAWN: _ClassVar[EventType]
    EVENT_TYPE_TIMER_STARTED: _ClassVar[EventType]
    EVENT_TYPE_TIMER_FIRED: _ClassVar[EventType]
    EVENT_TYPE_SIGNAL_RECEIVED: _ClassVar[EventType]
    EVENT_TYPE_SIGNALS_TAKEN: _ClassVar[EventType]
    EVENT_TYPE_SIGNAL_RETURNED: _ClassVar[EventType]
    EVENT_TYPE_ENTRY_APPENDED: _ClassVar[EventType]
    EVENT_TYPE_CHECKPOINT_SAVED: _ClassVar[EventType]
    EVENT_TYPE_STEP_BEGUN: _ClassVar[EventType]
    EVENT_TYPE_STEP_RECORDED: _ClassVar[EventType]
    EVENT_TYPE_SIGNAL_REFUSED: _ClassVar[EventType]
    EVENT_TYPE_CHILD_SPAWNED: _ClassVar[EventType]
    EVENT_TYPE_CHILD_CANCEL_REQUESTED: _ClassVar[EventType]
    EVENT_TYPE_CHILD_SIGNALLED: _ClassVar[EventType]
    EVENT_TYPE_CHILD_ENDED: _ClassVar[EventType]
    EVENT_TYPE_PARENT_SIGNALLED: _ClassVar[EventType]
    EVENT_TYPE_USAGE_REPORTED: _ClassVar[EventType]
    EVENT_TYPE_EXECUTION_RETRIED: _ClassVar[EventType]
STUCK_REASON_UNSPECIFIED: StuckReason
STUCK_REASON_NOT_STOPPED: StuckReason
STUCK_REASON_WORKER_AWAY: StuckReason
STUCK_REASON_NO_HEARTBEAT: StuckReason
STUCK_REASON_NOT_ACKNOWLEDGED: StuckReason
STUCK_REASON_STOP_WAITS: StuckReason
AUDIT_ACTION_UNSPECIFIED: AuditAction
AUDIT_ACTION_START: AuditAction
AUDIT_ACTION_SIGNAL: AuditAction
AUDIT_ACTION_CANCEL: AuditAction
AUDIT_ACTION_CANCEL_TASK: AuditAction
AUDIT_ACTION_CREATE_TOKEN: AuditAction
AUDIT_ACTION_REVOKE_TOKEN: AuditAction
AUDIT_ACTION_ADD_WEBHOOK: AuditAction
AUDIT_ACTION_REMOVE_WEBHOOK: AuditAction
AUDIT_ACTION_ENABLE_WEBHOOK: AuditAction
AUDIT_ACTION_ROTATE_WEBHOOK_SECRET: AuditAction
AUDIT_ACTION_RETRY: AuditAction
EVENT_TYPE_UNSPECIFIED: EventType
EVENT_TYPE_EXECUTION_STARTED: EventType
EVENT_TYPE_EXECUTION_ACTIVATED: EventType
EVENT_TYPE_EXECUTION_SUSPENDED: EventType
EVENT_TYPE_EXECUTION_RELEASED: EventType
EVENT_TYPE_EXECUTION_PARKED: EventType
EVENT_TYPE_EXECUTION_CANCEL_REQUESTED: EventType
EVENT_TYPE_EXECUTION_COMPLETED: EventType
EVENT_TYPE_EXECUTION_FAILED: EventType
EVENT_TYPE_EXECUTION_CANCELLED: EventType
EVENT_TYPE_TASK_SCHEDULED: EventType
EVENT_TYPE_TASK_STARTED: EventType
EVENT_TYPE_TASK_ATTEMPT_FAILED: EventType
EVENT_TYPE_TASK_CANCEL_REQUESTED: EventType
EVENT_TYPE_TASK_COMPLETED: EventType
EVENT_TYPE_TASK_FAILED: EventType
EVENT_TYPE_TASK_CANCELLED: EventType
EVENT_TYPE_RESULT_DISCARDED: EventType
EVENT_TYPE_STOP_REQUESTED: EventType
EVENT_TYPE_STOP_DELIVERED: EventType
EVENT_TYPE_STOP_ENDED: EventType
EVENT_TYPE_WAIT_STARTED: EventType
EVENT_TYPE_WAIT_SETTLED: EventType
EVENT_TYPE_WITHDRAWN: EventType
EVENT_TYPE_TIMER_STARTED: EventType
EVENT_TYPE_TIMER_FIRED: EventType
EVENT_TYPE_SIGNAL_RECEIVED: EventType
EVENT_TYPE_SIGNALS_TAKEN: EventType
EVENT_TYPE_SIGNAL_RETURNED: EventType
EVENT_TYPE_ENTRY_APPENDED: EventType
EVENT_TYPE_CHECKPOINT_SAVED: EventType
EVENT_TYPE_STEP_BEGUN: EventType
EVENT_TYPE_STEP_RECORDED: EventType
EVENT_TYPE_SIGNAL_REFUSED: EventType
EVENT_TYPE_CHILD_SPAWNED: EventType
EVENT_TYPE_CHILD_CANCEL_REQUESTED: EventType
EVENT_TYPE_CHILD_SIGNALLED: EventType
EVENT_TYPE_CHILD_ENDED: EventType
EVENT_TYPE_PARENT_SIGNALLED: EventType
EVENT_TYPE_USAGE_REPORTED: EventType
EVENT_TYPE_EXECUTION_RETRIED: EventType

class StartRequest(_message.Message):
    __slots__ = ("kind", "input", "execution_id", "queue", "labels", "by", "workflow")
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
    BY_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    kind: str
    input: _values_pb2.Payload
    execution_id: str
    queue: str
    labels: _containers.ScalarMap[str, str]
    by: str
    workflow: bool
    def __init__(self, kind: _Optional[str] = ..., input: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., execution_id: _Optional[str] = ..., queue: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., by: _Optional[str] = ..., workflow: bool = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("execution_id", "created")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    created: bool
    def __init__(self, execution_id: _Optional[str] = ..., created: bool = ...) -> None: ...

class StartManyRequest(_message.Message):
    __slots__ = ("starts",)
    STARTS_FIELD_NUMBER: _ClassVar[int]
    starts: _containers.RepeatedCompositeFieldContainer[StartRequest]
    def __init__(self, starts: _Optional[_Iterable[_Union[StartRequest, _Mapping]]] = ...) -> None: ...

class StartResult(_message.Message):
    __slots__ = ("started", "refused")
    STARTED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    started: Started
    refused: Refused
    def __init__(self, started: _Optional[_Union[Started, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("error", "message")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    error: str
    message: str
    def __init__(self, error: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class StartManyReply(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[StartResult]
    def __init__(self, results: _Optional[_Iterable[_Union[StartResult, _Mapping]]] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ("execution_id",)
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    def __init__(self, execution_id: _Optional[str] = ...) -> None: ...

class ExecutionFilter(_message.Message):
    __slots__ = ("statuses", "kind", "queue", "created_by", "labels", "created_before", "created_after", "organisation", "worker_id", "id_prefix", "parent_id", "stopping")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CREATED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AFTER_FIELD_NUMBER: _ClassVar[int]
    ORGANISATION_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    STOPPING_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedScalarFieldContainer[_values_pb2.ExecutionStatus]
    kind: str
    queue: str
    created_by: str
    labels: _containers.ScalarMap[str, str]
    created_before: int
    created_after: int
    organisation: str
    worker_id: str
    id_prefix: str
    parent_id: str
    stopping: bool
    def __init__(self, statuses: _Optional[_Iterable[_Union[_values_pb2.ExecutionStatus, str]]] = ..., kind: _Optional[str] = ..., queue: _Optional[str] = ..., created_by: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., created_before: _Optional[int] = ..., created_after: _Optional[int] = ..., organisation: _Optional[str] = ..., worker_id: _Optional[str] = ..., id_prefix: _Optional[str] = ..., parent_id: _Optional[str] = ..., stopping: bool = ...) -> None: ...

class TaskFilter(_message.Message):
    __slots__ = ("statuses", "kind", "queue", "worker_id", "execution_id", "created_by", "labels", "scheduled_before", "organisation", "scheduled_after", "agent", "stopping", "unsettled")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    ORGANISATION_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_AFTER_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    STOPPING_FIELD_NUMBER: _ClassVar[int]
    UNSETTLED_FIELD_NUMBER: _ClassVar[int]
    statuses: _containers.RepeatedScalarFieldContainer[_values_pb2.TaskStatus]
    kind: str
    queue: str
    worker_id: str
    execution_id: str
    created_by: str
    labels: _containers.ScalarMap[str, str]
    scheduled_before: int
    organisation: str
    scheduled_after: int
    agent: str
    stopping: bool
    unsettled: bool
    def __init__(self, statuses: _Optional[_Iterable[_Union[_values_pb2.TaskStatus, str]]] = ..., kind: _Optional[str] = ..., queue: _Optional[str] = ..., worker_id: _Optional[str] = ..., execution_id: _Optional[str] = ..., created_by: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., scheduled_before: _Optional[int] = ..., organisation: _Optional[str] = ..., scheduled_after: _Optional[int] = ..., agent: _Optional[str] = ..., stopping: bool = ..., unsettled: bool = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("filter", "page_size", "page_token")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: ExecutionFilter
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[_Union[ExecutionFilter, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListReply(_message.Message):
    __slots__ = ("executions", "next_page_token")
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    executions: _containers.RepeatedCompositeFieldContainer[ExecutionView]
    next_page_token: str
    def __init__(self, executions: _Optional[_Iterable[_Union[ExecutionView, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListTasksRequest(_message.Message):
    __slots__ = ("filter", "page_size", "page_token")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: TaskFilter
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[_Union[TaskFilter, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListTasksReply(_message.Message):
    __slots__ = ("tasks", "next_page_token")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[ListedTask]
    next_page_token: str
    def __init__(self, tasks: _Optional[_Iterable[_Union[ListedTask, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListWorkersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListWorkersReply(_message.Message):
    __slots__ = ("workers", "next_page_token")
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[WorkerView]
    next_page_token: str
    def __init__(self, workers: _Optional[_Iterable[_Union[WorkerView, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AuditFilter(_message.Message):
    __slots__ = ("since", "who", "execution_id")
    SINCE_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    since: int
    who: str
    execution_id: str
    def __init__(self, since: _Optional[int] = ..., who: _Optional[str] = ..., execution_id: _Optional[str] = ...) -> None: ...

class ListAuditRequest(_message.Message):
    __slots__ = ("filter", "page_size", "page_token")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    filter: AuditFilter
    page_size: int
    page_token: str
    def __init__(self, filter: _Optional[_Union[AuditFilter, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAuditReply(_message.Message):
    __slots__ = ("records", "next_page_token")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[AuditRecord]
    next_page_token: str
    def __init__(self, records: _Optional[_Iterable[_Union[AuditRecord, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetStuckRequest(_message.Message):
    __slots__ = ("limit", "quiet_ms")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    QUIET_MS_FIELD_NUMBER: _ClassVar[int]
    limit: int
    quiet_ms: int
    def __init__(self, limit: _Optional[int] = ..., quiet_ms: _Optional[int] = ...) -> None: ...

class GetServerRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CountRequest(_message.Message):
    __slots__ = ("executions", "tasks", "hard")
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    HARD_FIELD_NUMBER: _ClassVar[int]
    executions: ExecutionFilter
    tasks: TaskFilter
    hard: bool
    def __init__(self, executions: _Optional[_Union[ExecutionFilter, _Mapping]] = ..., tasks: _Optional[_Union[TaskFilter, _Mapping]] = ..., hard: bool = ...) -> None: ...

class CountReply(_message.Message):
    __slots__ = ("count", "descendants", "tasks", "attempts")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    DESCENDANTS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    count: int
    descendants: int
    tasks: int
    attempts: int
    def __init__(self, count: _Optional[int] = ..., descendants: _Optional[int] = ..., tasks: _Optional[int] = ..., attempts: _Optional[int] = ...) -> None: ...

class SignalRequest(_message.Message):
    __slots__ = ("execution_id", "name", "value", "by")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    name: str
    value: _values_pb2.Payload
    by: str
    def __init__(self, execution_id: _Optional[str] = ..., name: _Optional[str] = ..., value: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., by: _Optional[str] = ...) -> None: ...

class Signalled(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class CancelExecutionRequest(_message.Message):
    __slots__ = ("execution_id", "reason", "hard", "by")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    HARD_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    reason: str
    hard: bool
    by: str
    def __init__(self, execution_id: _Optional[str] = ..., reason: _Optional[str] = ..., hard: bool = ..., by: _Optional[str] = ...) -> None: ...

class CancelTaskRequest(_message.Message):
    __slots__ = ("execution_id", "task_id", "reason", "mode", "by")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    task_id: str
    reason: str
    mode: _values_pb2.CancelMode
    by: str
    def __init__(self, execution_id: _Optional[str] = ..., task_id: _Optional[str] = ..., reason: _Optional[str] = ..., mode: _Optional[_Union[_values_pb2.CancelMode, str]] = ..., by: _Optional[str] = ...) -> None: ...

class CancelAnswered(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _values_pb2.CancelTaskResult
    def __init__(self, result: _Optional[_Union[_values_pb2.CancelTaskResult, str]] = ...) -> None: ...

class CancelWhereRequest(_message.Message):
    __slots__ = ("executions", "tasks", "reason", "hard", "by")
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    HARD_FIELD_NUMBER: _ClassVar[int]
    BY_FIELD_NUMBER: _ClassVar[int]
    executions: ExecutionFilter
    tasks: TaskFilter
    reason: str
    hard: bool
    by: str
    def __init__(self, executions: _Optional[_Union[ExecutionFilter, _Mapping]] = ..., tasks: _Optional[_Union[TaskFilter, _Mapping]] = ..., reason: _Optional[str] = ..., hard: bool = ..., by: _Optional[str] = ...) -> None: ...

class CancelProgress(_message.Message):
    __slots__ = ("seen", "counts", "done")
    SEEN_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    seen: int
    counts: _containers.RepeatedCompositeFieldContainer[CancelCount]
    done: bool
    def __init__(self, seen: _Optional[int] = ..., counts: _Optional[_Iterable[_Union[CancelCount, _Mapping]]] = ..., done: bool = ...) -> None: ...

class CancelCount(_message.Message):
    __slots__ = ("result", "count")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    result: _values_pb2.CancelTaskResult
    count: int
    def __init__(self, result: _Optional[_Union[_values_pb2.CancelTaskResult, str]] = ..., count: _Optional[int] = ...) -> None: ...

class HistoryRequest(_message.Message):
    __slots__ = ("execution_id", "after")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    after: int
    def __init__(self, execution_id: _Optional[str] = ..., after: _Optional[int] = ...) -> None: ...

class HistoryBatch(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("execution_id", "after", "output")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    after: int
    output: bool
    def __init__(self, execution_id: _Optional[str] = ..., after: _Optional[int] = ..., output: bool = ...) -> None: ...

class WatchBatch(_message.Message):
    __slots__ = ("seen", "is_kept_output")
    SEEN_FIELD_NUMBER: _ClassVar[int]
    IS_KEPT_OUTPUT_FIELD_NUMBER: _ClassVar[int]
    seen: _containers.RepeatedCompositeFieldContainer[Seen]
    is_kept_output: bool
    def __init__(self, seen: _Optional[_Iterable[_Union[Seen, _Mapping]]] = ..., is_kept_output: bool = ...) -> None: ...

class Seen(_message.Message):
    __slots__ = ("history_event", "streamed_event")
    HISTORY_EVENT_FIELD_NUMBER: _ClassVar[int]
    STREAMED_EVENT_FIELD_NUMBER: _ClassVar[int]
    history_event: HistoryEvent
    streamed_event: _values_pb2.StreamedEvent
    def __init__(self, history_event: _Optional[_Union[HistoryEvent, _Mapping]] = ..., streamed_event: _Optional[_Union[_values_pb2.StreamedEvent, _Mapping]] = ...) -> None: ...

class WaitEndedRequest(_message.Message):
    __slots__ = ("execution_id",)
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    def __init__(self, execution_id: _Optional[str] = ...) -> None: ...

class ExecutionView(_message.Message):
    __slots__ = ("execution_id", "kind", "queue", "status", "input", "output", "failure", "cause", "parked", "labels", "created_by", "created_at", "ended_at", "checkpoint", "parent_id", "budget", "usage", "is_workflow", "stopping", "children_stopping")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    PARKED_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    IS_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    STOPPING_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_STOPPING_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    kind: str
    queue: str
    status: _values_pb2.ExecutionStatus
    input: _values_pb2.Payload
    output: _values_pb2.Payload
    failure: _values_pb2.Failure
    cause: _values_pb2.CancelCause
    parked: str
    labels: _containers.ScalarMap[str, str]
    created_by: str
    created_at: int
    ended_at: int
    checkpoint: int
    parent_id: str
    budget: _values_pb2.Budget
    usage: _values_pb2.Usage
    is_workflow: bool
    stopping: int
    children_stopping: int
    def __init__(self, execution_id: _Optional[str] = ..., kind: _Optional[str] = ..., queue: _Optional[str] = ..., status: _Optional[_Union[_values_pb2.ExecutionStatus, str]] = ..., input: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., output: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_values_pb2.Failure, _Mapping]] = ..., cause: _Optional[_Union[_values_pb2.CancelCause, _Mapping]] = ..., parked: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., created_by: _Optional[str] = ..., created_at: _Optional[int] = ..., ended_at: _Optional[int] = ..., checkpoint: _Optional[int] = ..., parent_id: _Optional[str] = ..., budget: _Optional[_Union[_values_pb2.Budget, _Mapping]] = ..., usage: _Optional[_Union[_values_pb2.Usage, _Mapping]] = ..., is_workflow: bool = ..., stopping: _Optional[int] = ..., children_stopping: _Optional[int] = ...) -> None: ...

class StopView(_message.Message):
    __slots__ = ("attempt", "state", "requested_at", "delivered_at", "ended_at", "forced_at", "deliveries")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    DELIVERED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    FORCED_AT_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    attempt: int
    state: _values_pb2.StopState
    requested_at: int
    delivered_at: int
    ended_at: int
    forced_at: int
    deliveries: int
    def __init__(self, attempt: _Optional[int] = ..., state: _Optional[_Union[_values_pb2.StopState, str]] = ..., requested_at: _Optional[int] = ..., delivered_at: _Optional[int] = ..., ended_at: _Optional[int] = ..., forced_at: _Optional[int] = ..., deliveries: _Optional[int] = ...) -> None: ...

class TaskView(_message.Message):
    __slots__ = ("task_id", "kind", "queue", "status", "attempts", "stop_state", "stops", "input", "output", "failure", "cause", "cancel_requested_at", "scheduled_at", "started_at", "ended_at", "worker_id", "progress", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    STOP_STATE_FIELD_NUMBER: _ClassVar[int]
    STOPS_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_AT_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    kind: str
    queue: str
    status: _values_pb2.TaskStatus
    attempts: int
    stop_state: _values_pb2.StopState
    stops: _containers.RepeatedCompositeFieldContainer[StopView]
    input: _values_pb2.Payload
    output: _values_pb2.Payload
    failure: _values_pb2.Failure
    cause: _values_pb2.CancelCause
    cancel_requested_at: int
    scheduled_at: int
    started_at: int
    ended_at: int
    worker_id: str
    progress: float
    labels: _containers.ScalarMap[str, str]
    def __init__(self, task_id: _Optional[str] = ..., kind: _Optional[str] = ..., queue: _Optional[str] = ..., status: _Optional[_Union[_values_pb2.TaskStatus, str]] = ..., attempts: _Optional[int] = ..., stop_state: _Optional[_Union[_values_pb2.StopState, str]] = ..., stops: _Optional[_Iterable[_Union[StopView, _Mapping]]] = ..., input: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., output: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_values_pb2.Failure, _Mapping]] = ..., cause: _Optional[_Union[_values_pb2.CancelCause, _Mapping]] = ..., cancel_requested_at: _Optional[int] = ..., scheduled_at: _Optional[int] = ..., started_at: _Optional[int] = ..., ended_at: _Optional[int] = ..., worker_id: _Optional[str] = ..., progress: _Optional[float] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class CheckpointView(_message.Message):
    __slots__ = ("sequence", "state", "at", "leaf_entry_id")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    LEAF_ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    state: _values_pb2.Payload
    at: int
    leaf_entry_id: str
    def __init__(self, sequence: _Optional[int] = ..., state: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., at: _Optional[int] = ..., leaf_entry_id: _Optional[str] = ...) -> None: ...

class ChildView(_message.Message):
    __slots__ = ("execution_id", "kind", "parent_close", "status")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PARENT_CLOSE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    kind: str
    parent_close: _values_pb2.ParentClosePolicy
    status: _values_pb2.ExecutionStatus
    def __init__(self, execution_id: _Optional[str] = ..., kind: _Optional[str] = ..., parent_close: _Optional[_Union[_values_pb2.ParentClosePolicy, str]] = ..., status: _Optional[_Union[_values_pb2.ExecutionStatus, str]] = ...) -> None: ...

class ExecutionDetails(_message.Message):
    __slots__ = ("execution", "tasks", "entries", "checkpoints", "children")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    execution: ExecutionView
    tasks: _containers.RepeatedCompositeFieldContainer[TaskView]
    entries: _containers.RepeatedCompositeFieldContainer[_values_pb2.EntryRecord]
    checkpoints: _containers.RepeatedCompositeFieldContainer[CheckpointView]
    children: _containers.RepeatedCompositeFieldContainer[ChildView]
    def __init__(self, execution: _Optional[_Union[ExecutionView, _Mapping]] = ..., tasks: _Optional[_Iterable[_Union[TaskView, _Mapping]]] = ..., entries: _Optional[_Iterable[_Union[_values_pb2.EntryRecord, _Mapping]]] = ..., checkpoints: _Optional[_Iterable[_Union[CheckpointView, _Mapping]]] = ..., children: _Optional[_Iterable[_Union[ChildView, _Mapping]]] = ...) -> None: ...

class AttemptView(_message.Message):
    __slots__ = ("number", "worker_id", "started_at", "last_contact", "progress", "stop_state", "stop_due", "deliveries", "acknowledged")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    LAST_CONTACT_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    STOP_STATE_FIELD_NUMBER: _ClassVar[int]
    STOP_DUE_FIELD_NUMBER: _ClassVar[int]
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    number: int
    worker_id: str
    started_at: int
    last_contact: int
    progress: float
    stop_state: _values_pb2.StopState
    stop_due: int
    deliveries: int
    acknowledged: bool
    def __init__(self, number: _Optional[int] = ..., worker_id: _Optional[str] = ..., started_at: _Optional[int] = ..., last_contact: _Optional[int] = ..., progress: _Optional[float] = ..., stop_state: _Optional[_Union[_values_pb2.StopState, str]] = ..., stop_due: _Optional[int] = ..., deliveries: _Optional[int] = ..., acknowledged: bool = ...) -> None: ...

class ListedTask(_message.Message):
    __slots__ = ("execution_id", "agent", "task", "at_work")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    AT_WORK_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    agent: str
    task: TaskView
    at_work: _containers.RepeatedCompositeFieldContainer[AttemptView]
    def __init__(self, execution_id: _Optional[str] = ..., agent: _Optional[str] = ..., task: _Optional[_Union[TaskView, _Mapping]] = ..., at_work: _Optional[_Iterable[_Union[AttemptView, _Mapping]]] = ...) -> None: ...

class WorkerView(_message.Message):
    __slots__ = ("worker_id", "queues", "agents", "tasks", "slots", "running", "held", "connected", "last_contact", "lease_ends", "stopping", "unresponsive", "workflows", "polls")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    LAST_CONTACT_FIELD_NUMBER: _ClassVar[int]
    LEASE_ENDS_FIELD_NUMBER: _ClassVar[int]
    STOPPING_FIELD_NUMBER: _ClassVar[int]
    UNRESPONSIVE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    POLLS_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    queues: _containers.RepeatedScalarFieldContainer[str]
    agents: _containers.RepeatedScalarFieldContainer[str]
    tasks: _containers.RepeatedScalarFieldContainer[str]
    slots: int
    running: int
    held: int
    connected: bool
    last_contact: int
    lease_ends: int
    stopping: int
    unresponsive: int
    workflows: _containers.RepeatedScalarFieldContainer[str]
    polls: bool
    def __init__(self, worker_id: _Optional[str] = ..., queues: _Optional[_Iterable[str]] = ..., agents: _Optional[_Iterable[str]] = ..., tasks: _Optional[_Iterable[str]] = ..., slots: _Optional[int] = ..., running: _Optional[int] = ..., held: _Optional[int] = ..., connected: bool = ..., last_contact: _Optional[int] = ..., lease_ends: _Optional[int] = ..., stopping: _Optional[int] = ..., unresponsive: _Optional[int] = ..., workflows: _Optional[_Iterable[str]] = ..., polls: bool = ...) -> None: ...

class StuckTask(_message.Message):
    __slots__ = ("reason", "since", "listed")
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    LISTED_FIELD_NUMBER: _ClassVar[int]
    reason: StuckReason
    since: int
    listed: ListedTask
    def __init__(self, reason: _Optional[_Union[StuckReason, str]] = ..., since: _Optional[int] = ..., listed: _Optional[_Union[ListedTask, _Mapping]] = ...) -> None: ...

class WaitingWork(_message.Message):
    __slots__ = ("is_agent", "queue", "kind", "count", "since", "workers", "is_workflow", "workers_of_workflow")
    IS_AGENT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    IS_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    WORKERS_OF_WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    is_agent: bool
    queue: str
    kind: str
    count: int
    since: int
    workers: int
    is_workflow: bool
    workers_of_workflow: int
    def __init__(self, is_agent: bool = ..., queue: _Optional[str] = ..., kind: _Optional[str] = ..., count: _Optional[int] = ..., since: _Optional[int] = ..., workers: _Optional[int] = ..., is_workflow: bool = ..., workers_of_workflow: _Optional[int] = ...) -> None: ...

class ParkedAgents(_message.Message):
    __slots__ = ("kind", "count", "reason", "execution_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    kind: str
    count: int
    reason: str
    execution_id: str
    def __init__(self, kind: _Optional[str] = ..., count: _Optional[int] = ..., reason: _Optional[str] = ..., execution_id: _Optional[str] = ...) -> None: ...

class Stuck(_message.Message):
    __slots__ = ("tasks", "task_count", "waiting", "parked")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    TASK_COUNT_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    PARKED_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[StuckTask]
    task_count: int
    waiting: _containers.RepeatedCompositeFieldContainer[WaitingWork]
    parked: _containers.RepeatedCompositeFieldContainer[ParkedAgents]
    def __init__(self, tasks: _Optional[_Iterable[_Union[StuckTask, _Mapping]]] = ..., task_count: _Optional[int] = ..., waiting: _Optional[_Iterable[_Union[WaitingWork, _Mapping]]] = ..., parked: _Optional[_Iterable[_Union[ParkedAgents, _Mapping]]] = ...) -> None: ...

class ServerFacts(_message.Message):
    __slots__ = ("version", "now", "started_at", "store", "store_path", "durability", "store_problem", "store_bytes", "store_free_bytes", "open_executions", "queued_tasks", "running_attempts", "connected_workers", "known_workers")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    STORE_PATH_FIELD_NUMBER: _ClassVar[int]
    DURABILITY_FIELD_NUMBER: _ClassVar[int]
    STORE_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    STORE_BYTES_FIELD_NUMBER: _ClassVar[int]
    STORE_FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    OPEN_EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_TASKS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_WORKERS_FIELD_NUMBER: _ClassVar[int]
    KNOWN_WORKERS_FIELD_NUMBER: _ClassVar[int]
    version: str
    now: int
    started_at: int
    store: str
    store_path: str
    durability: str
    store_problem: str
    store_bytes: int
    store_free_bytes: int
    open_executions: int
    queued_tasks: int
    running_attempts: int
    connected_workers: int
    known_workers: int
    def __init__(self, version: _Optional[str] = ..., now: _Optional[int] = ..., started_at: _Optional[int] = ..., store: _Optional[str] = ..., store_path: _Optional[str] = ..., durability: _Optional[str] = ..., store_problem: _Optional[str] = ..., store_bytes: _Optional[int] = ..., store_free_bytes: _Optional[int] = ..., open_executions: _Optional[int] = ..., queued_tasks: _Optional[int] = ..., running_attempts: _Optional[int] = ..., connected_workers: _Optional[int] = ..., known_workers: _Optional[int] = ...) -> None: ...

class AuditRecord(_message.Message):
    __slots__ = ("at", "who", "action", "result", "subject", "execution_id", "task_id", "sequence", "source", "reason", "forced")
    AT_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FORCED_FIELD_NUMBER: _ClassVar[int]
    at: int
    who: str
    action: AuditAction
    result: str
    subject: str
    execution_id: str
    task_id: str
    sequence: int
    source: str
    reason: str
    forced: bool
    def __init__(self, at: _Optional[int] = ..., who: _Optional[str] = ..., action: _Optional[_Union[AuditAction, str]] = ..., result: _Optional[str] = ..., subject: _Optional[str] = ..., execution_id: _Optional[str] = ..., task_id: _Optional[str] = ..., sequence: _Optional[int] = ..., source: _Optional[str] = ..., reason: _Optional[str] = ..., forced: bool = ...) -> None: ...

class HistoryEvent(_message.Message):
    __slots__ = ("sequence", "at", "type", "task_id", "attempt", "details")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    at: int
    type: EventType
    task_id: str
    attempt: int
    details: bytes
    def __init__(self, sequence: _Optional[int] = ..., at: _Optional[int] = ..., type: _Optional[_Union[EventType, str]] = ..., task_id: _Optional[str] = ..., attempt: _Optional[int] = ..., details: _Optional[bytes] = ...) -> None: ...
