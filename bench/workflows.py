"""How many events the bare engine writes to the logs of workflows.

``python -m bench.workflows ROUNDS`` prints the samples as JSON.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from typing import Final

from rescind.model.ids import ExecutionId, Instant, TaskId, WorkerId, task_id_from_key
from rescind.model.messages import TaskActivation, TaskReported, WorkerJoined
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.workflow_commands import (
    AnyWorkflowCommand,
    CompleteWorkflow,
    PassStatus,
    ScheduleTask,
    SetState,
    StartTimer,
)
from rescind.model.workflows import PollWorkflow, StartWorkflow, SubmitWorkflowCommands, WorkflowClaimed
from rescind_server.engine.machine import Engine

_TASKS: Final = 10
_POLL: Final = PollWorkflow("p", WorkerId("w"), wait_ms=0)


def workflow_events(count: int) -> tuple[int, float]:
    """So many workflows, each with ten tasks, a timer and a value: events in their logs, and seconds."""
    engine = Engine()
    engine.decide(WorkerJoined(WorkerId("t"), 1, ("default",), tasks=("t",), task_slots=_TASKS), Instant(1))
    ids = [ExecutionId(task_id_from_key(f"workflow {number}")) for number in range(count)]
    tasks = [[task_id_from_key(f"{number}/{each}") for each in range(_TASKS)] for number in range(count)]
    gc.collect()
    begun = time.perf_counter()
    events = sum(_run(engine, execution_id, its) for execution_id, its in zip(ids, tasks, strict=True))
    return events, time.perf_counter() - begun


def _run(engine: Engine, execution_id: ExecutionId, tasks: list[TaskId]) -> int:
    started = engine.decide(StartWorkflow("f", execution_id=execution_id), Instant(2))
    _claim(engine)
    commands: tuple[AnyWorkflowCommand, ...] = (
        *(ScheduleTask("t", each) for each in tasks),
        StartTimer("s", 60_000),
        SetState("k"),
    )
    scheduled = engine.decide(SubmitWorkflowCommands(execution_id, commands), Instant(3))
    events = len(started.logged) + len(scheduled.logged)
    for _, message in scheduled.pushes:
        assert isinstance(message, TaskActivation)
        reported = engine.decide(TaskReported(message.task_id, message.lease, NULL_PAYLOAD), Instant(4))
        events += len(reported.logged)
    _claim(engine)
    last = SubmitWorkflowCommands(execution_id, (CompleteWorkflow(),), PassStatus.COMPLETED)
    return events + len(engine.decide(last, Instant(5)).logged)


def _claim(engine: Engine) -> None:
    assert isinstance(engine.decide(_POLL, Instant(3)).reply, WorkflowClaimed)


if __name__ == "__main__":
    samples = []
    for _ in range(int(sys.argv[1])):
        events, seconds = workflow_events(2_000)
        samples.append(events / seconds)
    print(json.dumps(samples))
