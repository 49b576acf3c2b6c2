# Generated from proto/rescind/v1/operations.proto by `nox -s proto`. Do not edit: change that file, and run it again.
from rescind_proto.rescind.v1 import values_pb2 as _values_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WaitCondition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WAIT_CONDITION_UNSPECIFIED: _ClassVar[WaitCondition]
    WAIT_CONDITION_ALL_COMPLETED: _ClassVar[WaitCondition]
    WAIT_CONDITION_ALL_ENDED: _ClassVar[WaitCondition]
    WAIT_CONDITION_SOME_COMPLETED: _ClassVar[WaitCondition]
    WAIT_CONDITION_ANY_ENDED: _ClassVar[WaitCondition]
WAIT_CONDITION_UNSPECIFIED: WaitCondition
WAIT_CONDITION_ALL_COMPLETED: WaitCondition
WAIT_CONDITION_ALL_ENDED: WaitCondition
WAIT_CONDITION_SOME_COMPLETED: WaitCondition
WAIT_CONDITION_ANY_ENDED: WaitCondition

class ScheduleTask(_message.Message):
    __slots__ = ("position", "task_id", "kind", "input", "queue", "options")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    position: int
    task_id: str
    kind: str
    input: _values_pb2.Payload
    queue: str
    options: _values_pb2.TaskOptions
    def __init__(self, position: _Optional[int] = ..., task_id: _Optional[str] = ..., kind: _Optional[str] = ..., input: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., queue: _Optional[str] = ..., options: _Optional[_Union[_values_pb2.TaskOptions, _Mapping]] = ...) -> None: ...

class CancelTask(_message.Message):
    __slots__ = ("position", "task_id", "cause", "mode")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    position: int
    task_id: str
    cause: _values_pb2.CancelCause
    mode: _values_pb2.CancelMode
    def __init__(self, position: _Optional[int] = ..., task_id: _Optional[str] = ..., cause: _Optional[_Union[_values_pb2.CancelCause, _Mapping]] = ..., mode: _Optional[_Union[_values_pb2.CancelMode, str]] = ...) -> None: ...

class LeaveTasks(_message.Message):
    __slots__ = ("position", "task_ids", "cause")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    position: int
    task_ids: _containers.RepeatedScalarFieldContainer[str]
    cause: _values_pb2.CancelCause
    def __init__(self, position: _Optional[int] = ..., task_ids: _Optional[_Iterable[str]] = ..., cause: _Optional[_Union[_values_pb2.CancelCause, _Mapping]] = ...) -> None: ...

class AwaitTasks(_message.Message):
    __slots__ = ("position", "task_ids", "condition", "needed", "deadline", "losers")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    NEEDED_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    LOSERS_FIELD_NUMBER: _ClassVar[int]
    position: int
    task_ids: _containers.RepeatedScalarFieldContainer[str]
    condition: WaitCondition
    needed: int
    deadline: int
    losers: _values_pb2.CancelSource
    def __init__(self, position: _Optional[int] = ..., task_ids: _Optional[_Iterable[str]] = ..., condition: _Optional[_Union[WaitCondition, str]] = ..., needed: _Optional[int] = ..., deadline: _Optional[int] = ..., losers: _Optional[_Union[_values_pb2.CancelSource, str]] = ...) -> None: ...

class AwaitStopped(_message.Message):
    __slots__ = ("position", "task_ids", "deadline")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TASK_IDS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    position: int
    task_ids: _containers.RepeatedScalarFieldContainer[str]
    deadline: int
    def __init__(self, position: _Optional[int] = ..., task_ids: _Optional[_Iterable[str]] = ..., deadline: _Optional[int] = ...) -> None: ...

class AwaitSignal(_message.Message):
    __slots__ = ("position", "pattern", "is_glob")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    IS_GLOB_FIELD_NUMBER: _ClassVar[int]
    position: int
    pattern: str
    is_glob: bool
    def __init__(self, position: _Optional[int] = ..., pattern: _Optional[str] = ..., is_glob: bool = ...) -> None: ...

class DrainSignals(_message.Message):
    __slots__ = ("position", "pattern", "is_glob")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    IS_GLOB_FIELD_NUMBER: _ClassVar[int]
    position: int
    pattern: str
    is_glob: bool
    def __init__(self, position: _Optional[int] = ..., pattern: _Optional[str] = ..., is_glob: bool = ...) -> None: ...

class PeekSignal(_message.Message):
    __slots__ = ("position", "pattern", "is_glob")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    IS_GLOB_FIELD_NUMBER: _ClassVar[int]
    position: int
    pattern: str
    is_glob: bool
    def __init__(self, position: _Optional[int] = ..., pattern: _Optional[str] = ..., is_glob: bool = ...) -> None: ...

class ReturnSignals(_message.Message):
    __slots__ = ("position", "signals")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    position: int
    signals: _containers.RepeatedCompositeFieldContainer[_values_pb2.Signal]
    def __init__(self, position: _Optional[int] = ..., signals: _Optional[_Iterable[_Union[_values_pb2.Signal, _Mapping]]] = ...) -> None: ...

class StartTimer(_message.Message):
    __slots__ = ("position", "due")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    position: int
    due: int
    def __init__(self, position: _Optional[int] = ..., due: _Optional[int] = ...) -> None: ...

class Withdraw(_message.Message):
    __slots__ = ("position", "target")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    position: int
    target: int
    def __init__(self, position: _Optional[int] = ..., target: _Optional[int] = ...) -> None: ...

class AppendEntry(_message.Message):
    __slots__ = ("position", "entry_id", "entry_type", "role", "content", "turn_id")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRY_TYPE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    position: int
    entry_id: str
    entry_type: str
    role: str
    content: _values_pb2.Payload
    turn_id: str
    def __init__(self, position: _Optional[int] = ..., entry_id: _Optional[str] = ..., entry_type: _Optional[str] = ..., role: _Optional[str] = ..., content: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., turn_id: _Optional[str] = ...) -> None: ...

class SaveCheckpoint(_message.Message):
    __slots__ = ("position", "state")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    position: int
    state: _values_pb2.Payload
    def __init__(self, position: _Optional[int] = ..., state: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ...) -> None: ...

class Flush(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: int
    def __init__(self, position: _Optional[int] = ...) -> None: ...

class BeginStep(_message.Message):
    __slots__ = ("position", "name")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    position: int
    name: str
    def __init__(self, position: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...

class SpawnChild(_message.Message):
    __slots__ = ("position", "child_id", "kind", "input", "queue", "labels", "parent_close", "persistence", "budget")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CHILD_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PARENT_CLOSE_FIELD_NUMBER: _ClassVar[int]
    PERSISTENCE_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    position: int
    child_id: str
    kind: str
    input: _values_pb2.Payload
    queue: str
    labels: _containers.ScalarMap[str, str]
    parent_close: _values_pb2.ParentClosePolicy
    persistence: _values_pb2.Persistence
    budget: _values_pb2.Budget
    def __init__(self, position: _Optional[int] = ..., child_id: _Optional[str] = ..., kind: _Optional[str] = ..., input: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., queue: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., parent_close: _Optional[_Union[_values_pb2.ParentClosePolicy, str]] = ..., persistence: _Optional[_Union[_values_pb2.Persistence, str]] = ..., budget: _Optional[_Union[_values_pb2.Budget, _Mapping]] = ...) -> None: ...

class CancelChild(_message.Message):
    __slots__ = ("position", "child_id", "cause", "hard", "within_ms")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CHILD_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    HARD_FIELD_NUMBER: _ClassVar[int]
    WITHIN_MS_FIELD_NUMBER: _ClassVar[int]
    position: int
    child_id: str
    cause: _values_pb2.CancelCause
    hard: bool
    within_ms: int
    def __init__(self, position: _Optional[int] = ..., child_id: _Optional[str] = ..., cause: _Optional[_Union[_values_pb2.CancelCause, _Mapping]] = ..., hard: bool = ..., within_ms: _Optional[int] = ...) -> None: ...

class LeaveChildren(_message.Message):
    __slots__ = ("position", "child_ids", "cause")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CHILD_IDS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    position: int
    child_ids: _containers.RepeatedScalarFieldContainer[str]
    cause: _values_pb2.CancelCause
    def __init__(self, position: _Optional[int] = ..., child_ids: _Optional[_Iterable[str]] = ..., cause: _Optional[_Union[_values_pb2.CancelCause, _Mapping]] = ...) -> None: ...

class AwaitChildren(_message.Message):
    __slots__ = ("position", "child_ids", "condition", "deadline", "with_signals", "only_first")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CHILD_IDS_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    WITH_SIGNALS_FIELD_NUMBER: _ClassVar[int]
    ONLY_FIRST_FIELD_NUMBER: _ClassVar[int]
    position: int
    child_ids: _containers.RepeatedScalarFieldContainer[str]
    condition: WaitCondition
    deadline: int
    with_signals: bool
    only_first: bool
    def __init__(self, position: _Optional[int] = ..., child_ids: _Optional[_Iterable[str]] = ..., condition: _Optional[_Union[WaitCondition, str]] = ..., deadline: _Optional[int] = ..., with_signals: bool = ..., only_first: bool = ...) -> None: ...

class SignalChild(_message.Message):
    __slots__ = ("position", "child_id", "name", "value")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CHILD_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    position: int
    child_id: str
    name: str
    value: _values_pb2.Payload
    def __init__(self, position: _Optional[int] = ..., child_id: _Optional[str] = ..., name: _Optional[str] = ..., value: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ...) -> None: ...

class SignalParent(_message.Message):
    __slots__ = ("position", "name", "value")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    position: int
    name: str
    value: _values_pb2.Payload
    def __init__(self, position: _Optional[int] = ..., name: _Optional[str] = ..., value: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ...) -> None: ...

class ReportUsage(_message.Message):
    __slots__ = ("position", "usage")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    position: int
    usage: _values_pb2.Usage
    def __init__(self, position: _Optional[int] = ..., usage: _Optional[_Union[_values_pb2.Usage, _Mapping]] = ...) -> None: ...

class Operation(_message.Message):
    __slots__ = ("schedule_task", "cancel_task", "leave_tasks", "await_tasks", "await_stopped", "await_signal", "drain_signals", "peek_signal", "start_timer", "withdraw", "append_entry", "save_checkpoint", "flush", "begin_step", "return_signals", "spawn_child", "cancel_child", "leave_children", "await_children", "signal_child", "signal_parent", "report_usage")
    SCHEDULE_TASK_FIELD_NUMBER: _ClassVar[int]
    CANCEL_TASK_FIELD_NUMBER: _ClassVar[int]
    LEAVE_TASKS_FIELD_NUMBER: _ClassVar[int]
    AWAIT_TASKS_FIELD_NUMBER: _ClassVar[int]
    AWAIT_STOPPED_FIELD_NUMBER: _ClassVar[int]
    AWAIT_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    DRAIN_SIGNALS_FIELD_NUMBER: _ClassVar[int]
    PEEK_SIGNAL_FIELD_NUMBER: _ClassVar[int]
    START_TIMER_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_FIELD_NUMBER: _ClassVar[int]
    APPEND_ENTRY_FIELD_NUMBER: _ClassVar[int]
    SAVE_CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FIELD_NUMBER: _ClassVar[int]
    BEGIN_STEP_FIELD_NUMBER: _ClassVar[int]
    RETURN_SIGNALS_FIELD_NUMBER: _ClassVar[int]
    SPAWN_CHILD_FIELD_NUMBER: _ClassVar[int]
    CANCEL_CHILD_FIELD_NUMBER: _ClassVar[int]
    LEAVE_CHILDREN_FIELD_NUMBER: _ClassVar[int]
    AWAIT_CHILDREN_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_CHILD_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_PARENT_FIELD_NUMBER: _ClassVar[int]
    REPORT_USAGE_FIELD_NUMBER: _ClassVar[int]
    schedule_task: ScheduleTask
    cancel_task: CancelTask
    leave_tasks: LeaveTasks
    await_tasks: AwaitTasks
    await_stopped: AwaitStopped
    await_signal: AwaitSignal
    drain_signals: DrainSignals
    peek_signal: PeekSignal
    start_timer: StartTimer
    withdraw: Withdraw
    append_entry: AppendEntry
    save_checkpoint: SaveCheckpoint
    flush: Flush
    begin_step: BeginStep
    return_signals: ReturnSignals
    spawn_child: SpawnChild
    cancel_child: CancelChild
    leave_children: LeaveChildren
    await_children: AwaitChildren
    signal_child: SignalChild
    signal_parent: SignalParent
    report_usage: ReportUsage
    def __init__(self, schedule_task: _Optional[_Union[ScheduleTask, _Mapping]] = ..., cancel_task: _Optional[_Union[CancelTask, _Mapping]] = ..., leave_tasks: _Optional[_Union[LeaveTasks, _Mapping]] = ..., await_tasks: _Optional[_Union[AwaitTasks, _Mapping]] = ..., await_stopped: _Optional[_Union[AwaitStopped, _Mapping]] = ..., await_signal: _Optional[_Union[AwaitSignal, _Mapping]] = ..., drain_signals: _Optional[_Union[DrainSignals, _Mapping]] = ..., peek_signal: _Optional[_Union[PeekSignal, _Mapping]] = ..., start_timer: _Optional[_Union[StartTimer, _Mapping]] = ..., withdraw: _Optional[_Union[Withdraw, _Mapping]] = ..., append_entry: _Optional[_Union[AppendEntry, _Mapping]] = ..., save_checkpoint: _Optional[_Union[SaveCheckpoint, _Mapping]] = ..., flush: _Optional[_Union[Flush, _Mapping]] = ..., begin_step: _Optional[_Union[BeginStep, _Mapping]] = ..., return_signals: _Optional[_Union[ReturnSignals, _Mapping]] = ..., spawn_child: _Optional[_Union[SpawnChild, _Mapping]] = ..., cancel_child: _Optional[_Union[CancelChild, _Mapping]] = ..., leave_children: _Optional[_Union[LeaveChildren, _Mapping]] = ..., await_children: _Optional[_Union[AwaitChildren, _Mapping]] = ..., signal_child: _Optional[_Union[SignalChild, _Mapping]] = ..., signal_parent: _Optional[_Union[SignalParent, _Mapping]] = ..., report_usage: _Optional[_Union[ReportUsage, _Mapping]] = ...) -> None: ...

class TaskCancelAnswered(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _values_pb2.CancelTaskResult
    def __init__(self, result: _Optional[_Union[_values_pb2.CancelTaskResult, str]] = ...) -> None: ...

class TaskEnd(_message.Message):
    __slots__ = ("task_id", "outcome")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    outcome: _values_pb2.Outcome
    def __init__(self, task_id: _Optional[str] = ..., outcome: _Optional[_Union[_values_pb2.Outcome, _Mapping]] = ...) -> None: ...

class TasksSettled(_message.Message):
    __slots__ = ("ended", "cancelled", "timed_out")
    ENDED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    ended: _containers.RepeatedCompositeFieldContainer[TaskEnd]
    cancelled: _containers.RepeatedScalarFieldContainer[str]
    timed_out: bool
    def __init__(self, ended: _Optional[_Iterable[_Union[TaskEnd, _Mapping]]] = ..., cancelled: _Optional[_Iterable[str]] = ..., timed_out: bool = ...) -> None: ...

class TaskStop(_message.Message):
    __slots__ = ("task_id", "state")
    TASK_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    task_id: str
    state: _values_pb2.StopState
    def __init__(self, task_id: _Optional[str] = ..., state: _Optional[_Union[_values_pb2.StopState, str]] = ...) -> None: ...

class TasksStopped(_message.Message):
    __slots__ = ("states",)
    STATES_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedCompositeFieldContainer[TaskStop]
    def __init__(self, states: _Optional[_Iterable[_Union[TaskStop, _Mapping]]] = ...) -> None: ...

class SignalsTaken(_message.Message):
    __slots__ = ("signals",)
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    signals: _containers.RepeatedCompositeFieldContainer[_values_pb2.Signal]
    def __init__(self, signals: _Optional[_Iterable[_Union[_values_pb2.Signal, _Mapping]]] = ...) -> None: ...

class SignalPeeked(_message.Message):
    __slots__ = ("present",)
    PRESENT_FIELD_NUMBER: _ClassVar[int]
    present: bool
    def __init__(self, present: bool = ...) -> None: ...

class TimerFired(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Acknowledged(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StepRecorded(_message.Message):
    __slots__ = ("value", "failure")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    value: _values_pb2.Payload
    failure: _values_pb2.Failure
    def __init__(self, value: _Optional[_Union[_values_pb2.Payload, _Mapping]] = ..., failure: _Optional[_Union[_values_pb2.Failure, _Mapping]] = ...) -> None: ...

class ChildCancelAnswered(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _values_pb2.CancelTaskResult
    def __init__(self, result: _Optional[_Union[_values_pb2.CancelTaskResult, str]] = ...) -> None: ...

class ChildEnd(_message.Message):
    __slots__ = ("child_id", "outcome", "usage")
    CHILD_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    child_id: str
    outcome: _values_pb2.Outcome
    usage: _values_pb2.Usage
    def __init__(self, child_id: _Optional[str] = ..., outcome: _Optional[_Union[_values_pb2.Outcome, _Mapping]] = ..., usage: _Optional[_Union[_values_pb2.Usage, _Mapping]] = ...) -> None: ...

class ChildSignal(_message.Message):
    __slots__ = ("child_id", "signal", "after")
    CHILD_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    child_id: str
    signal: _values_pb2.Signal
    after: int
    def __init__(self, child_id: _Optional[str] = ..., signal: _Optional[_Union[_values_pb2.Signal, _Mapping]] = ..., after: _Optional[int] = ...) -> None: ...

class ChildrenSettled(_message.Message):
    __slots__ = ("ended", "signals", "timed_out")
    ENDED_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    ended: _containers.RepeatedCompositeFieldContainer[ChildEnd]
    signals: _containers.RepeatedCompositeFieldContainer[ChildSignal]
    timed_out: bool
    def __init__(self, ended: _Optional[_Iterable[_Union[ChildEnd, _Mapping]]] = ..., signals: _Optional[_Iterable[_Union[ChildSignal, _Mapping]]] = ..., timed_out: bool = ...) -> None: ...

class SignalSent(_message.Message):
    __slots__ = ("delivered",)
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    delivered: bool
    def __init__(self, delivered: bool = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("task_cancel_answered", "tasks_settled", "tasks_stopped", "signals_taken", "signal_peeked", "timer_fired", "acknowledged", "step_recorded", "child_cancel_answered", "children_settled", "signal_sent")
    TASK_CANCEL_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    TASKS_SETTLED_FIELD_NUMBER: _ClassVar[int]
    TASKS_STOPPED_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_TAKEN_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_PEEKED_FIELD_NUMBER: _ClassVar[int]
    TIMER_FIRED_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    STEP_RECORDED_FIELD_NUMBER: _ClassVar[int]
    CHILD_CANCEL_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_SETTLED_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_SENT_FIELD_NUMBER: _ClassVar[int]
    task_cancel_answered: TaskCancelAnswered
    tasks_settled: TasksSettled
    tasks_stopped: TasksStopped
    signals_taken: SignalsTaken
    signal_peeked: SignalPeeked
    timer_fired: TimerFired
    acknowledged: Acknowledged
    step_recorded: StepRecorded
    child_cancel_answered: ChildCancelAnswered
    children_settled: ChildrenSettled
    signal_sent: SignalSent
    def __init__(self, task_cancel_answered: _Optional[_Union[TaskCancelAnswered, _Mapping]] = ..., tasks_settled: _Optional[_Union[TasksSettled, _Mapping]] = ..., tasks_stopped: _Optional[_Union[TasksStopped, _Mapping]] = ..., signals_taken: _Optional[_Union[SignalsTaken, _Mapping]] = ..., signal_peeked: _Optional[_Union[SignalPeeked, _Mapping]] = ..., timer_fired: _Optional[_Union[TimerFired, _Mapping]] = ..., acknowledged: _Optional[_Union[Acknowledged, _Mapping]] = ..., step_recorded: _Optional[_Union[StepRecorded, _Mapping]] = ..., child_cancel_answered: _Optional[_Union[ChildCancelAnswered, _Mapping]] = ..., children_settled: _Optional[_Union[ChildrenSettled, _Mapping]] = ..., signal_sent: _Optional[_Union[SignalSent, _Mapping]] = ...) -> None: ...

class Resolution(_message.Message):
    __slots__ = ("position", "answer")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    position: int
    answer: Answer
    def __init__(self, position: _Optional[int] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ...) -> None: ...
