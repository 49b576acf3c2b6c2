"""What is true of workflows after every decision, and that what would be restored is what is remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec

from rescind.model.status import ExecutionStatus
from rescind.model.workflow_events import (
    ChildWorkflowCompleted,
    ChildWorkflowFailed,
    LoggedEvent,
    PromiseRejected,
    PromiseResolved,
    PromiseTimeout,
    RetryRequested,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCancelled,
    TimerFired,
    WorkflowCancelled,
    WorkflowCompleted,
    WorkflowExecutionFailed,
    WorkflowStarted,
)
from rescind_server.engine.entities import Execution, Phase
from rescind_server.engine.machine import Engine
from rescind_server.engine.naming import has_uuid
from rescind_server.engine.state import State
from rescind_server.engine.workflow_entities import Workflow, workflow_of
from rescind_server.store.workflow_records import WorkflowRecord, record_of_workflow, workflow_of_record

TASK_ENDS: Final = TaskCompleted | TaskFailed | TaskCancelled
PROMISE_ENDS: Final = PromiseResolved | PromiseRejected | PromiseTimeout
CHILD_ENDS: Final = ChildWorkflowCompleted | ChildWorkflowFailed
ENDS: Final = WorkflowCompleted | WorkflowExecutionFailed | WorkflowCancelled
FOLDED: Final = ("promise_ids", "child_names", "state", "ended_tasks", "signals", "retries")


def check_log(log: Sequence[LoggedEvent]) -> None:
    """Numbers without a gap, times that never go back, one end of each thing, and nothing behind the workflow's own."""
    assert [logged.sequence for logged in log] == list(range(1, len(log) + 1))
    assert all(before.at <= after.at for before, after in pairwise(log))
    assert isinstance(log[0].event, WorkflowStarted)
    ends: Counter[tuple[str, str]] = Counter()
    for number, logged in enumerate(log):
        event = logged.event
        if isinstance(event, TASK_ENDS):
            ends["task", event.task_execution_id] += 1
        elif isinstance(event, TimerFired | TimerCancelled):
            ends["timer", event.timer_id] += 1
        elif isinstance(event, PROMISE_ENDS):
            ends["promise", event.promise_id] += 1
        elif isinstance(event, CHILD_ENDS):
            ends["child", event.child_workflow_execution_id] += 1
        elif isinstance(event, ENDS) and number + 1 < len(log):
            assert isinstance(log[number + 1].event, RetryRequested), "something stands behind the workflow's end"
    assert all(count == 1 for count in ends.values()), f"something ended twice: {ends}"


def check_workflows(engine: Engine, *, restores: bool = True) -> None:
    """Claims, wake-ups, timers and, if asked for, folds, as they stand between two decisions."""
    state = engine._state
    assert not state.workflows.offered
    for execution in state.executions.values():
        if execution.workflow is not None:
            check_log(execution.workflow.log)
            _check_claim(state, execution)
            _check_due(state, execution)
            _check_ends_are_told(state, execution)
            if restores:
                check_restored(execution)
    for worker in state.workflows.workers.values():
        assert worker.claims
        for execution in worker.claims.values():
            assert workflow_of(execution).worker_id == worker.worker_id
            assert execution.phase is Phase.IN_FLIGHT
    for name, execution in state.workflows.claimed_by.items():
        assert workflow_of(execution).poll == name


def _check_claim(state: State, execution: Execution) -> None:
    workflow = workflow_of(execution)
    assert (workflow.worker_id is not None) == (execution.phase is Phase.IN_FLIGHT)
    if execution.ended:
        assert execution.phase is Phase.IDLE
        return
    expected = {
        Phase.QUEUED: ExecutionStatus.PENDING,
        Phase.IN_FLIGHT: ExecutionStatus.RUNNING,
        Phase.IDLE: ExecutionStatus.WAITING,
    }[execution.phase]
    assert execution.status in (expected, ExecutionStatus.CANCELLING)
    assert (execution.status is ExecutionStatus.CANCELLING) == (execution.cause is not None)
    if execution.phase is Phase.IDLE:
        assert not workflow.has_news, "a workflow waits, and was not told what happened"
    if execution.phase is Phase.QUEUED:
        waiting = state.workflows.polls.values()
        assert not any(_takes(poll, execution) for poll in waiting), "a workflow is queued beside a poll that takes it"
        of_queue = state.workflows.backlog[execution.queue]
        heap = of_queue[execution.organisation, execution.kind, has_uuid(execution.execution_id)]
        assert any(each is execution for _, each in heap), "nobody can find a workflow that is queued"


def _takes(poll: Any, execution: Execution) -> bool:
    return (
        poll.queue == execution.queue
        and (not poll.kinds or execution.kind in poll.kinds)
        and poll.organisation in (None, execution.organisation)
        and (not poll.only_uuids or has_uuid(execution.execution_id))
    )


def _check_due(state: State, execution: Execution) -> None:
    workflow = workflow_of(execution)
    if workflow.timeout_at is not None and not execution.ended:
        assert workflow.timeout is not None, "nothing ends a workflow that has a longest time"
        assert workflow.timeout.subject is execution
        assert workflow.timeout.due == workflow.timeout_at > execution.created_at
    else:
        assert workflow.timeout is None, "a workflow that has no time-out, or has ended, can time out"
    for timer in workflow.timers.values():
        is_set = timer.deadline is not None and timer.deadline.subject is not None
        assert is_set == (not timer.is_over and not execution.ended), "a timer that is over can fire, or one never will"
    for promise in workflow.promises.values():
        is_set = promise.deadline is not None and promise.deadline.subject is not None
        assert is_set == (promise.due is not None and not promise.is_settled and not execution.ended)
        assert execution.ended or state.workflows.promises[promise.promise_id] is execution
    if not execution.ended and execution.status is ExecutionStatus.CANCELLING:
        assert execution.cleanup is not None, "nothing ends the clean-up of a workflow"
        assert execution.cleanup.subject is execution


def _check_ends_are_told(state: State, execution: Execution) -> None:
    """Nothing that the workflow may wait for has ended without its log telling so."""
    workflow = workflow_of(execution)
    if execution.ended:
        return
    scheduled = {each.event.task_execution_id for each in workflow.log if isinstance(each.event, TaskScheduled)}
    assert scheduled == set(execution.tasks)
    for task in execution.tasks.values():
        assert (task.outcome is not None) == (task.task_id in workflow.ended_tasks)
    for child in workflow.children.values():
        known = state.executions.get(child.execution_id)
        is_told = known is None or workflow_of(known).is_told
        # One that failed, and goes on by hand, was told of all the same.
        assert not is_told or child.is_over or (known is not None and not known.ended), "a child's end was not told"


def check_restored(execution: Execution) -> None:
    """What comes back from the record and the log is what is remembered."""
    workflow = workflow_of(execution)
    record = msgspec.msgpack.decode(msgspec.msgpack.encode(record_of_workflow(workflow)), type=WorkflowRecord)
    log = msgspec.msgpack.decode(msgspec.msgpack.encode(workflow.log), type=list[LoggedEvent])
    restored = workflow_of_record(record, log)
    assert restored is not None
    assert restored.log == workflow.log
    assert record_of_workflow(restored) == record_of_workflow(workflow)
    for name in FOLDED:
        assert getattr(restored, name) == getattr(workflow, name), name
    # Of those that were started from outside the log does not tell: they name their parents themselves.
    assert _things(restored) == _things(workflow)


def _things(workflow: Workflow) -> list[object]:
    told = [
        child for child in workflow.children.values() if any(_starts(each, child.execution_id) for each in workflow.log)
    ]
    return [
        {each.timer_id: (each.due, each.is_over) for each in workflow.timers.values()},
        {each.promise_id: (each.name, each.due, each.is_settled) for each in workflow.promises.values()},
        {each.execution_id: (each.name, each.is_over) for each in told},
    ]


def _starts(logged: LoggedEvent, child_id: str) -> bool:
    return getattr(logged.event, "child_workflow_execution_id", None) == child_id
