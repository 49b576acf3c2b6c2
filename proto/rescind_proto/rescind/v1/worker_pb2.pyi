# Generated from proto/rescind/v1/worker.proto by `nox -s proto`. Do not edit: change that file, and run it again.
from rescind_proto.rescind.v1 import operations_pb2 as _operations_pb2
from rescind_proto.rescind.v1 import values_pb2 as _values_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Recovery(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECOVERY_UNSPECIFIED: _ClassVar[Recovery]
    RECOVERY_REPLAY: _ClassVar[Recovery]
    RECOVERY_CHECKPOINT: _ClassVar[Recovery]
RECOVERY_UNSPECIFIED: Recovery
RECOVERY_REPLAY: Recovery
RECOVERY_CHECKPOINT: Recovery

class WorkerBatch(_message.Message):
    __slots__ = ("hello", "messages")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    messages: _containers.RepeatedCompositeFieldContainer[WorkerMessage]
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., messages: _Optional[_Iterable[_Union[WorkerMessage, _Mapping]]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol_version", "instance", "sdk")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    instance: str
    sdk: str
    def __init__(self, protocol_version: _Optional[int] = ..., instance: _Optional[str] = ..., sdk: _Optional[str] = ...) -> None: ...

class ServerBatch(_message.Message):
    __slots__ = ("welcome", "messages")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    messages: _containers.RepeatedCompositeFieldContainer[ServerMessage]
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., messages: _Optional[_Iterable[_Union[ServerMessage, _Mapping]]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("protocol_version", "server", "payload_limit")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_LIMIT_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    server: str
    payload_limit: int
    def __init__(self, protocol_version: _Optional[int] = ..., server: _Optional[str] = ..., payload_limit: _Optional[int] = ...) -> None: ...

class ServerMessage(_message.Message):
    __slots__ = ("agent_activation", "agent_eviction", "task_activation", "stop_order")
    AGENT_ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    AGENT_EVICTION_FIELD_NUMBER: _ClassVar[int]
    TASK_ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    STOP_ORDER_FIELD_NUMBER: _ClassVar[int]
    agent_activation: AgentActivation
    agent_eviction: AgentEviction
    task_activation: TaskActivation
    stop_order: StopOrder
    def __init__(self, agent_activation: _Optional[_Union[AgentActivation, _Mapping]] = ..., agent_eviction: _Optional[_Union[AgentEviction, _Mapping]] = ..., task_activation: _Optional[_Union[TaskActivation, _Mapping]] = ..., stop_order: _Optional[_Union[StopOrder, _Mapping]] = ...) -> None: ...

class AgentActivation(_message.Message):
    __slots__ = ("execution_id", "run", "number", "now", "resolutions", "cancel", "start")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    RESOLUTIONS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    run: int
    number: int
    now: int
    resolutions: _containers.RepeatedCompositeFieldContainer[_operations_pb2.Resolution]
    cancel: _values_pb2.CancelCause
    start: AgentStart
    def __init__(self, execution_id: _Optional[str] = ..., run: _Optional[int] = ..., number: _Optional[int] = ..., now: _Optional[int] = ..., resolutions: _Optional[_Iterable[_Union[_operations_pb2.Resolution, _Mapping]]] = ..., cancel: _Optional[_Union[_values_pb2.CancelCause, _Mapping]] = ..., start: _Optional[_Union[AgentStart, _Mapping]] = ...) -> None: ...

class AgentStart(_message.Message):
    __slots__ = ("kind", "queue", "organisation", "input", "parent_id", "labels", "state", "checkpoint_sequence", "entries", "base_position", "journal", "trace_parent", "started_at", "budget", "usage")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    ORGANISATION_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    BASE_POSITION_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    TRACE_PARENT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    queue: str
    organisation: str
    input: _values_pb2.Payload
    parent_id: str
    labels: _containers.ScalarMap[str, str]
    state: _values_pb2.Payload
    checkpoint_sequence: int
    entries: _containers.RepeatedCompositeFieldContainer[_values_pb2.EntryRecord]
    base_position: int
    journal: _containers.RepeatedCompositeFieldContainer[JournalEntry]
    trace_parent: str
    started_at: int
    budget: _values_pb2.Budget
    usage: _values_pb2.Usage
    def __init__(self, kind: _Optional[str] = ..., queue: _Optional[str] = ..., organisation: _Optional[str] = ..., input: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., parent_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., state: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., checkpoint_sequence: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[_values_pb2.EntryRecord, _Mapping]]] = ..., base_position: _Optional[int] = ..., journal: _Optional[_Iterable[_Union[JournalEntry, _Mapping]]] = ..., trace_parent: _Optional[str] = ..., started_at: _Optional[int] = ..., budget: _Optional[_Union[_values_pb2.Budget, _Mapping]] = ..., usage: _Optional[_Union[_values_pb2.Usage, _Mapping]] = ...) -> None: ...

class JournalEntry(_message.Message):
    __slots__ = ("number", "now", "resolutions", "cancel", "issued")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    RESOLUTIONS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    ISSUED_FIELD_NUMBER: _ClassVar[int]
    number: int
    now: int
    resolutions: _containers.RepeatedCompositeFieldContainer[_operations_pb2.Resolution]
    cancel: _values_pb2.CancelCause
    issued: _containers.RepeatedCompositeFieldContainer[Issued]
    def __init__(self, number: _Optional[int] = ..., now: _Optional[int] = ..., resolutions: _Optional[_Iterable[_Union[_operations_pb2.Resolution, _Mapping]]] = ..., cancel: _Optional[_Union[_values_pb2.CancelCause, _Mapping]] = ..., issued: _Optional[_Iterable[_Union[Issued, _Mapping]]] = ...) -> None: ...

class Issued(_message.Message):
    __slots__ = ("position", "operation", "subject", "count")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    position: int
    operation: str
    subject: str
    count: int
    def __init__(self, position: _Optional[int] = ..., operation: _Optional[str] = ..., subject: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class AgentEviction(_message.Message):
    __slots__ = ("execution_id", "run")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    run: int
    def __init__(self, execution_id: _Optional[str] = ..., run: _Optional[int] = ...) -> None: ...

class TaskActivation(_message.Message):
    __slots__ = ("task_id", "lease", "execution_id", "kind", "input", "attempt", "grace_ms", "queue", "heartbeat_ms", "labels", "trace_parent")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    GRACE_MS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TRACE_PARENT_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    lease: int
    execution_id: str
    kind: str
    input: _values_pb2.Payload
    attempt: int
    grace_ms: int
    queue: str
    heartbeat_ms: int
    labels: _containers.ScalarMap[str, str]
    trace_parent: str
    def __init__(self, task_id: _Optional[str] = ..., lease: _Optional[int] = ..., execution_id: _Optional[str] = ..., kind: _Optional[str] = ..., input: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., attempt: _Optional[int] = ..., grace_ms: _Optional[int] = ..., queue: _Optional[str] = ..., heartbeat_ms: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., trace_parent: _Optional[str] = ...) -> None: ...

class StopOrder(_message.Message):
    __slots__ = ("task_id", "lease", "cause", "decided", "force")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    DECIDED_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    lease: int
    cause: _values_pb2.CancelCause
    decided: bool
    force: bool
    def __init__(self, task_id: _Optional[str] = ..., lease: _Optional[int] = ..., cause: _Optional[_Union[_values_pb2.CancelCause, _Mapping]] = ..., decided: bool = ..., force: bool = ...) -> None: ...

class WorkerMessage(_message.Message):
    __slots__ = ("worker_joined", "worker_left", "worker_alive", "agent_progress", "step_reported", "agent_parked", "task_reported", "stop_reported", "task_alive")
    WORKER_JOINED_FIELD_NUMBER: _ClassVar[int]
    WORKER_LEFT_FIELD_NUMBER: _ClassVar[int]
    WORKER_ALIVE_FIELD_NUMBER: _ClassVar[int]
    AGENT_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    STEP_REPORTED_FIELD_NUMBER: _ClassVar[int]
    AGENT_PARKED_FIELD_NUMBER: _ClassVar[int]
    TASK_REPORTED_FIELD_NUMBER: _ClassVar[int]
    STOP_REPORTED_FIELD_NUMBER: _ClassVar[int]
    TASK_ALIVE_FIELD_NUMBER: _ClassVar[int]
    worker_joined: WorkerJoined
    worker_left: WorkerLeft
    worker_alive: WorkerAlive
    agent_progress: AgentProgress
    step_reported: StepReported
    agent_parked: AgentParked
    task_reported: TaskReported
    stop_reported: StopReported
    task_alive: TaskAlive
    def __init__(self, worker_joined: _Optional[_Union[WorkerJoined, _Mapping]] = ..., worker_left: _Optional[_Union[WorkerLeft, _Mapping]] = ..., worker_alive: _Optional[_Union[WorkerAlive, _Mapping]] = ..., agent_progress: _Optional[_Union[AgentProgress, _Mapping]] = ..., step_reported: _Optional[_Union[StepReported, _Mapping]] = ..., agent_parked: _Optional[_Union[AgentParked, _Mapping]] = ..., task_reported: _Optional[_Union[TaskReported, _Mapping]] = ..., stop_reported: _Optional[_Union[StopReported, _Mapping]] = ..., task_alive: _Optional[_Union[TaskAlive, _Mapping]] = ...) -> None: ...

class AgentKind(_message.Message):
    __slots__ = ("kind", "recovery", "cleanup_budget_ms")
    KIND_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_FIELD_NUMBER: _ClassVar[int]
    CLEANUP_BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    recovery: Recovery
    cleanup_budget_ms: int
    def __init__(self, kind: _Optional[str] = ..., recovery: _Optional[_Union[Recovery, str]] = ..., cleanup_budget_ms: _Optional[int] = ...) -> None: ...

class WorkerJoined(_message.Message):
    __slots__ = ("worker_id", "session", "queues", "agents", "tasks", "task_slots", "running", "silence_ms", "agent_slots", "workflows")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    QUEUES_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    TASK_SLOTS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    SILENCE_MS_FIELD_NUMBER: _ClassVar[int]
    AGENT_SLOTS_FIELD_NUMBER: _ClassVar[int]
    WORKFLOWS_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    session: int
    queues: _containers.RepeatedScalarFieldContainer[str]
    agents: _containers.RepeatedCompositeFieldContainer[AgentKind]
    tasks: _containers.RepeatedScalarFieldContainer[str]
    task_slots: int
    running: _containers.RepeatedScalarFieldContainer[int]
    silence_ms: int
    agent_slots: int
    workflows: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, worker_id: _Optional[str] = ..., session: _Optional[int] = ..., queues: _Optional[_Iterable[str]] = ..., agents: _Optional[_Iterable[_Union[AgentKind, _Mapping]]] = ..., tasks: _Optional[_Iterable[str]] = ..., task_slots: _Optional[int] = ..., running: _Optional[_Iterable[int]] = ..., silence_ms: _Optional[int] = ..., agent_slots: _Optional[int] = ..., workflows: _Optional[_Iterable[str]] = ...) -> None: ...

class WorkerLeft(_message.Message):
    __slots__ = ("worker_id", "session", "handed_back")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    HANDED_BACK_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    session: int
    handed_back: bool
    def __init__(self, worker_id: _Optional[str] = ..., session: _Optional[int] = ..., handed_back: bool = ...) -> None: ...

class WorkerAlive(_message.Message):
    __slots__ = ("worker_id",)
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    def __init__(self, worker_id: _Optional[str] = ...) -> None: ...

class AgentCompleted(_message.Message):
    __slots__ = ("output",)
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    output: _values_pb2.Payload
    def __init__(self, output: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ...) -> None: ...

class AgentFailed(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: _values_pb2.Failure
    def __init__(self, failure: _Optional[_Union[_values_pb2.Failure, _Mapping]] = ...) -> None: ...

class AgentCancelled(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AgentEnding(_message.Message):
    __slots__ = ("agent_completed", "agent_failed", "agent_cancelled")
    AGENT_COMPLETED_FIELD_NUMBER: _ClassVar[int]
    AGENT_FAILED_FIELD_NUMBER: _ClassVar[int]
    AGENT_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    agent_completed: AgentCompleted
    agent_failed: AgentFailed
    agent_cancelled: AgentCancelled
    def __init__(self, agent_completed: _Optional[_Union[AgentCompleted, _Mapping]] = ..., agent_failed: _Optional[_Union[AgentFailed, _Mapping]] = ..., agent_cancelled: _Optional[_Union[AgentCancelled, _Mapping]] = ...) -> None: ...

class AgentProgress(_message.Message):
    __slots__ = ("execution_id", "run", "number", "operations", "ending", "streamed")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    ENDING_FIELD_NUMBER: _ClassVar[int]
    STREAMED_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    run: int
    number: int
    operations: _containers.RepeatedCompositeFieldContainer[_operations_pb2.Operation]
    ending: AgentEnding
    streamed: _containers.RepeatedCompositeFieldContainer[_values_pb2.StreamedEvent]
    def __init__(self, execution_id: _Optional[str] = ..., run: _Optional[int] = ..., number: _Optional[int] = ..., operations: _Optional[_Iterable[_Union[_operations_pb2.Operation, _Mapping]]] = ..., ending: _Optional[_Union[AgentEnding, _Mapping]] = ..., streamed: _Optional[_Iterable[_Union[_values_pb2.StreamedEvent, _Mapping]]] = ...) -> None: ...

class StepReported(_message.Message):
    __slots__ = ("execution_id", "run", "position", "value", "failure")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    run: int
    position: int
    value: _values_pb2.Payload
    failure: _values_pb2.Failure
    def __init__(self, execution_id: _Optional[str] = ..., run: _Optional[int] = ..., position: _Optional[int] = ..., value: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_values_pb2.Failure, _Mapping]] = ...) -> None: ...

class AgentParked(_message.Message):
    __slots__ = ("execution_id", "run", "problem")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    run: int
    problem: str
    def __init__(self, execution_id: _Optional[str] = ..., run: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class TaskReported(_message.Message):
    __slots__ = ("task_id", "lease", "output", "failure", "cancelled")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    lease: int
    output: _values_pb2.Payload
    failure: _values_pb2.Failure
    cancelled: bool
    def __init__(self, task_id: _Optional[str] = ..., lease: _Optional[int] = ..., output: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_values_pb2.Failure, _Mapping]] = ..., cancelled: bool = ...) -> None: ...

class StopReported(_message.Message):
    __slots__ = ("task_id", "lease", "state", "discarded_bytes", "executor", "decided", "force")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DISCARDED_BYTES_FIELD_NUMBER: _ClassVar[int]
    EXECUTOR_FIELD_NUMBER: _ClassVar[int]
    DECIDED_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    lease: int
    state: _values_pb2.StopState
    discarded_bytes: int
    executor: str
    decided: bool
    force: bool
    def __init__(self, task_id: _Optional[str] = ..., lease: _Optional[int] = ..., state: _Optional[_Union[_values_pb2.StopState, str]] = ..., discarded_bytes: _Optional[int] = ..., executor: _Optional[str] = ..., decided: bool = ..., force: bool = ...) -> None: ...

class TaskAlive(_message.Message):
    __slots__ = ("task_id", "lease", "progress", "message", "advanced", "streamed", "offset")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ADVANCED_FIELD_NUMBER: _ClassVar[int]
    STREAMED_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    lease: int
    progress: float
    message: str
    advanced: bool
    streamed: _containers.RepeatedCompositeFieldContainer[_values_pb2.StreamedEvent]
    offset: int
    def __init__(self, task_id: _Optional[str] = ..., lease: _Optional[int] = ..., progress: _Optional[float] = ..., message: _Optional[str] = ..., advanced: bool = ..., streamed: _Optional[_Iterable[_Union[_values_pb2.StreamedEvent, _Mapping]]] = ..., offset: _Optional[int] = ...) -> None: ...
