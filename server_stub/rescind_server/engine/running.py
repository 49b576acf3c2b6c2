"""What workers run at this moment, for those who look after them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING

from rescind.model.ids import WorkerId
from rescind.model.overviews import RunningWork
from rescind.model.status import ExecutionStatus
from rescind_server.engine.entities import Attempt, Execution, Phase
from rescind_server.engine.viewing import stop_due

if TYPE_CHECKING:
    from rescind_server.engine.machine import Engine
    from rescind_server.engine.state import State


def work_of(engine: Engine, worker_ids: Iterable[WorkerId], most: int) -> Mapping[WorkerId, Sequence[RunningWork]]:
    """What each of these workers runs.

    Args:
        engine: in whose memory to look.
        worker_ids: which; one that is not known runs nothing.
        most: how many at most of each: first attempts of tasks, those that run for longest, then passes.
    """
    return {worker_id: _work_of(engine._state, worker_id, most) for worker_id in worker_ids}


def _work_of(state: State, worker_id: WorkerId, most: int) -> list[RunningWork]:
    worker = state.workers.get(worker_id)
    attempts = worker.running.values() if worker is not None else ()
    found = [_attempt(attempt) for attempt in nsmallest(most, attempts, key=_started_at)]
    found += map(_pass, islice(_passes(state, worker_id), most - len(found)))
    return found


def _passes(state: State, worker_id: WorkerId) -> Iterator[Execution]:
    worker = state.workers.get(worker_id)
    held = worker.held.values() if worker is not None else ()
    yield from (execution for execution in held if execution.phase is Phase.IN_FLIGHT)
    polling = state.workflows.workers.get(worker_id)
    yield from polling.claims.values() if polling is not None else ()


def _started_at(attempt: Attempt) -> int:
    return attempt.started_at


def _attempt(attempt: Attempt) -> RunningWork:
    task, execution = attempt.task, attempt.task.execution
    return RunningWork(
        "task",
        execution.execution_id,
        execution.kind,
        task.kind,
        task.task_id,
        attempt.number,
        attempt.started_at,
        is_stopping=stop_due(attempt) is not None,
    )


def _pass(execution: Execution) -> RunningWork:
    return RunningWork(
        "workflow" if execution.workflow is not None else "agent",
        execution.execution_id,
        execution.kind,
        execution.kind,
        None,
        execution.run,
        None,
        is_stopping=execution.status is ExecutionStatus.CANCELLING,
    )
