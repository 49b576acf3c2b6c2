"""How tasks and workers look to people: a line for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from rescind.cli.columns import columns, print_whole
from rescind.cli.demo_bars import COLOURS
from rescind.cli.times import age_in_words
from rescind.model.ids import Instant
from rescind.model.overviews import AttemptView, ListedTask, WorkerView
from rescind.model.status import STOP_ENDED, StopState, TaskStatus

_TASK_HEADINGS: Final = ("EXECUTION", "TASK", "KIND", "STATUS", "STOP", "ATTEMPTS", "WORKER", "QUEUE", "AGE")
_WORKER_HEADINGS: Final = ("WORKER", "STATE", "RUNNING", "STOPPING", "AGENTS HELD", "QUEUES", "LAST CONTACT", "RUNS")

# Of a worker that has not come back since the server was started anew, only what it runs is known.
_UNKNOWN: Final = "-"
_MOST_NAMED: Final = 3


def show_tasks(console: Console, shown: Sequence[ListedTask], now: Instant) -> None:
    """A line for each task; nothing if there is none."""
    if shown:
        print_whole(console, columns(_TASK_HEADINGS, [_task_row(listed, now) for listed in shown]))


def show_workers(console: Console, shown: Sequence[WorkerView], now: Instant) -> None:
    """A line for each worker; nothing if there is none."""
    if shown:
        print_whole(console, columns(_WORKER_HEADINGS, [_worker_row(worker, now) for worker in shown]))


def stop_in_words(listed: ListedTask, now: Instant) -> Text:
    """How far the stopping of a task has come; empty for one that nobody wants to stop."""
    for attempt in listed.at_work:
        if attempt.stop_due is not None:
            return _being_stopped(attempt, attempt.stop_due, now)
    task = listed.task
    if task.stop_state is not None:
        return Text(task.stop_state.value, "" if task.stop_state in STOP_ENDED else "yellow")
    if task.status is not TaskStatus.CANCELLED:
        return Text()
    if listed.at_work:
        return Text("left at work", "yellow")
    return Text("never ran" if not task.attempts else "nothing to stop")


def _being_stopped(attempt: AttemptView, due: Instant, now: Instant) -> Text:
    state = "asked to stop" if attempt.stop_state is None else attempt.stop_state.value
    if attempt.stop_state is StopState.DELIVERED or attempt.stop_state is None:
        state = state if now <= due else f"{state}, unresponsive for {age_in_words(now - due)}"
    elif now > due:
        state = f"{state}, overdue for {age_in_words(now - due)}"
    if attempt.deliveries > 1 and not attempt.acknowledged:
        state += f", told {attempt.deliveries} times and not acknowledged"
    return Text(state, "red" if now > due else "yellow")


def _task_row(listed: ListedTask, now: Instant) -> Sequence[str | Text]:
    task = listed.task
    return (
        listed.execution_id,
        task.task_id,
        task.kind,
        Text(task.status.value, COLOURS[task.status]),
        stop_in_words(listed, now),
        str(task.attempts),
        ", ".join(attempt.worker_id for attempt in listed.at_work),
        task.queue,
        age_in_words(_seen_until(listed, now) - task.scheduled_at),
    )


def _seen_until(listed: ListedTask, now: Instant) -> Instant:
    """A task that has ended, and is still at work, grows older: its stopping is told by the same clock."""
    ended_at = listed.task.ended_at
    return now if ended_at is None or listed.at_work else ended_at


def runs_in_words(workers: Sequence[WorkerView]) -> str:
    """What these workers run between them: ``agents a, b; tasks c; workflows d``. Of each sort the first few."""
    sorts = {
        "agents": {kind for worker in workers for kind in worker.agents},
        "tasks": {kind for worker in workers for kind in worker.tasks},
        "workflows": {kind for worker in workers for kind in worker.workflows},
    }
    return "; ".join(f"{sort} {_first_of(sorted(kinds))}" for sort, kinds in sorts.items() if kinds)


def _first_of(kinds: Sequence[str]) -> str:
    rest = len(kinds) - _MOST_NAMED
    return ", ".join(kinds[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _worker_row(worker: WorkerView, now: Instant) -> Sequence[str | Text]:
    stopping = f"{worker.stopping}" + (f" ({worker.unresponsive} unresponsive)" if worker.unresponsive else "")
    return (
        worker.worker_id,
        _state(worker, now),
        f"{worker.running} of {worker.slots}" if worker.slots else str(worker.running),
        Text(stopping, "red" if worker.unresponsive else ""),
        str(worker.held),
        ", ".join(worker.queues) or _UNKNOWN,
        f"{age_in_words(now - worker.last_contact)} ago" if worker.last_contact else _UNKNOWN,
        runs_in_words([worker]) or _UNKNOWN,
    )


def _state(worker: WorkerView, now: Instant) -> Text:
    if worker.connected and not worker.queues:
        return Text("leaving", "yellow")
    if worker.connected:
        return Text("connected", "green")
    if worker.polls:
        return Text("polls", "green")
    if worker.lease_ends is None:
        return Text("away", "yellow")
    return Text(f"away, lost in {age_in_words(worker.lease_ends - now)}", "yellow")
