"""The table of cancellation.md, section 6: one function per row, over the port, so they behave alike everywhere.

Each function takes the port first and futures that were checked to belong to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from rescind.errors import AllTasksFailed, InvalidInput
from rescind.model.agent_values import JoinAllTimeoutResult, SettledResult
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import TaskId
from rescind.model.operations import TasksSettled, WaitCondition
from rescind.model.options import LONGEST_MS
from rescind.model.outcome import Outcome
from rescind.model.status import TaskStatus
from rescind.runtime.future import AgentTaskFutureRaw, wire_id
from rescind.runtime.ports import DurablePort
from rescind.runtime.task_results import error_of, value_of

Futures = Sequence[AgentTaskFutureRaw]
T = TypeVar("T")


async def join_all(port: DurablePort, futures: Futures) -> list[Any]:
    """Wait until all have completed; the first that cannot is raised."""
    if not futures:
        return []
    settled = await port.await_tasks(_ids(futures), WaitCondition.ALL_COMPLETED)
    outcomes = dict(settled.ended)
    for future in futures:
        outcome = outcomes.get(wire_id(future))
        if outcome is not None and outcome.status is not TaskStatus.COMPLETED:
            raise error_of(future, outcome)
    return [value_of(future, outcomes[wire_id(future)]) for future in futures]


async def join_all_settled(port: DurablePort, futures: Futures) -> SettledResult[Any]:
    """Wait until all have ended, however."""
    result: SettledResult[Any] = SettledResult()
    if futures:
        settled = await port.await_tasks(_ids(futures), WaitCondition.ALL_ENDED)
        _sort_in(result, futures, settled)
    return result


async def join_all_with_timeout(
    port: DurablePort, futures: Futures, timeout_ms: int, confirm_ms: int | None
) -> JoinAllTimeoutResult[Any]:
    """Wait until all have ended or the deadline has come; what is open then is cancelled."""
    check_time(timeout_ms, "timeout_ms")
    check_confirm(confirm_ms)
    if not futures:
        return JoinAllTimeoutResult()
    settled = await port.await_tasks(
        _ids(futures), WaitCondition.ALL_ENDED, timeout_ms=timeout_ms, losers=CancelSource.DEADLINE
    )
    result: JoinAllTimeoutResult[Any] = JoinAllTimeoutResult(timed_out=settled.timed_out)
    _sort_in(result, futures, settled)
    await confirm(port, settled.cancelled, confirm_ms)
    return result


async def select_ok(port: DurablePort, futures: Futures) -> tuple[Any, list[AgentTaskFutureRaw]]:
    """Wait for the first success; give it with the other futures, which go on."""
    winner, value, _ = await _first_success(port, futures, losers=None)
    return value, _all_but_one(futures, winner)


async def select_ok_with_cancel(port: DurablePort, futures: Futures, confirm_ms: int | None) -> tuple[Any, list[UUID]]:
    """Wait for the first success; the others are cancelled in the same step."""
    check_confirm(confirm_ms)
    _, value, cancelled = await _first_success(port, futures, losers=CancelSource.RACE_LOST)
    await confirm(port, cancelled, confirm_ms)
    return value, [UUID(task_id) for task_id in cancelled]


async def select_n_ok(
    port: DurablePort, futures: Futures, count: int, losers: CancelSource | None, confirm_ms: int | None
) -> list[tuple[AgentTaskFutureRaw, Any]]:
    """Wait for the first `count` successes, in the order in which they came."""
    check_confirm(confirm_ms)
    _check_not_empty(futures, "select_n_ok")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= len(futures):
        raise InvalidInput(
            f"select_n_ok was asked for {count!r} of {len(futures)} futures; ask for 1 to {len(futures)}."
        )
    settled = await port.await_tasks(_ids(futures), WaitCondition.SOME_COMPLETED, needed=count, losers=losers)
    await confirm(port, settled.cancelled, confirm_ms)
    winners = [
        (future, value_of(future, outcome))
        for task_id, outcome in settled.ended
        if outcome.status is TaskStatus.COMPLETED
        for future in futures
        if wire_id(future) == task_id
    ]
    if len(winners) < count:
        raise _all_failed(futures, dict(settled.ended))
    return winners[:count]


async def hedge(
    port: DurablePort,
    start: Callable[[T], AgentTaskFutureRaw],
    inputs: Sequence[T],
    stagger_ms: int,
    confirm_ms: int | None,
) -> Any:
    """Start one task after the other until one succeeds: the next after each stagger, or at once after a failure."""
    check_time(stagger_ms, "stagger_ms")
    check_confirm(confirm_ms)
    _check_not_empty(inputs, "hedge")
    started: list[AgentTaskFutureRaw] = []
    # Whoever leaves without a winner, by an error or a cancel, has not lost them a race.
    source = CancelSource.SCOPE_LEFT
    outcomes: dict[TaskId, Outcome] = {}
    waiting = list(inputs)
    try:
        while waiting or len(outcomes) < len(started):
            if waiting:
                started.append(start(waiting.pop(0)))
            open_ids = [wire_id(future) for future in started if wire_id(future) not in outcomes]
            settled = await port.await_tasks(
                open_ids, WaitCondition.ANY_ENDED, timeout_ms=stagger_ms if waiting else None
            )
            outcomes.update(settled.ended)
            for task_id, outcome in settled.ended:
                if outcome.status is TaskStatus.COMPLETED:
                    winner = next(future for future in started if wire_id(future) == task_id)
                    source = CancelSource.RACE_LOST
                    return value_of(winner, outcome)
        raise _all_failed(started, outcomes)
    finally:
        left = [wire_id(future) for future in started if wire_id(future) not in outcomes]
        if left:
            port.leave_tasks(left, cause_by(port, source))
            await confirm(port, left, confirm_ms)


async def confirm(port: DurablePort, task_ids: Sequence[TaskId], confirm_ms: int | None) -> None:
    """Wait, for some time, until nothing of these cancelled tasks is at work any more."""
    if confirm_ms is not None and task_ids:
        await port.await_stopped(task_ids, confirm_ms)


def cause_by(port: DurablePort, source: CancelSource, reason: str | None = None) -> CancelCause:
    """A cause that this agent or workflow brings about."""
    return CancelCause(source, f"{port.sort}:{port.execution_id}", reason)


def check_time(value: int, name: str) -> None:
    """Refuse what is no time in milliseconds: InvalidInput."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidInput(f"{name} is {value!r}; give whole milliseconds, 0 or more.")
    if value > LONGEST_MS:
        raise InvalidInput(f"{name} is longer than 100 years. Give a shorter time, or leave it out for no limit.")


def check_confirm(confirm_ms: int | None) -> None:
    """Refuse a `confirm_ms` that is no time, before anything is cancelled: InvalidInput."""
    if confirm_ms is not None:
        check_time(confirm_ms, "confirm_ms")


async def _first_success(
    port: DurablePort, futures: Futures, losers: CancelSource | None
) -> tuple[AgentTaskFutureRaw, Any, Sequence[TaskId]]:
    _check_not_empty(futures, "select_ok_with_cancel" if losers else "select_ok")
    settled = await port.await_tasks(_ids(futures), WaitCondition.SOME_COMPLETED, losers=losers)
    for task_id, outcome in settled.ended:
        if outcome.status is TaskStatus.COMPLETED:
            winner = next(future for future in futures if wire_id(future) == task_id)
            return winner, value_of(winner, outcome), settled.cancelled
    raise _all_failed(futures, dict(settled.ended))


def _ids(futures: Futures) -> list[TaskId]:
    return [wire_id(future) for future in futures]


def _all_but_one(futures: Futures, winner: AgentTaskFutureRaw) -> list[AgentTaskFutureRaw]:
    """The futures without one position of the winner."""
    place = next(place for place, future in enumerate(futures) if future is winner)
    return [future for at, future in enumerate(futures) if at != place]


def _sort_in(result: SettledResult[Any], futures: Futures, settled: TasksSettled) -> None:
    outcomes = dict(settled.ended)
    cancelled = set(settled.cancelled)
    for future in futures:
        task_id = wire_id(future)
        outcome = outcomes.get(task_id)
        if outcome is None or task_id in cancelled or outcome.status is TaskStatus.CANCELLED:
            result.cancelled.append(task_id)
        elif outcome.status is TaskStatus.COMPLETED:
            result.completed.append((task_id, value_of(future, outcome)))
        else:
            result.failed.append((task_id, outcome.failure.message if outcome.failure else ""))


def _all_failed(futures: Futures, outcomes: Mapping[TaskId, Outcome]) -> AllTasksFailed:
    # Of several that are needed, some may have completed: too few, and no cause of the failure.
    ends = [(future, outcomes[wire_id(future)]) for future in futures if wire_id(future) in outcomes]
    return AllTasksFailed(
        [error_of(future, outcome) for future, outcome in ends if outcome.status is not TaskStatus.COMPLETED]
    )


def _check_not_empty(members: Sequence[object], name: str) -> None:
    if not members:
        raise InvalidInput(f"{name} was given nothing to choose from. Give at least one.")
