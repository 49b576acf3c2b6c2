"""How executions look to people: a list of them, or one with its tasks along the time and its conversation."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from rescind.cli.columns import columns, print_whole
from rescind.cli.demo_bars import COLOURS, QUIET
from rescind.cli.demo_view import View
from rescind.cli.demo_words import length_of_time
from rescind.cli.execution_json import value_of
from rescind.cli.execution_parts import MARGIN, as_json, checkpoint_lines, entry_lines, journal_lines, stop_lines
from rescind.cli.family import STILL_STOPPING, Member, family_lines
from rescind.cli.printable import printable
from rescind.cli.timeline import Timeline
from rescind.cli.times import local_time
from rescind.cli.workflow_parts import event_lines
from rescind.client.records import History, TaskRecord
from rescind.model.children import NOTHING_USED, Budget
from rescind.model.ids import Instant
from rescind.model.status import TERMINAL_EXECUTION, ExecutionStatus, TaskStatus
from rescind.model.views import ExecutionDetails, ExecutionView
from rescind.model.workflow_events import LoggedEvent

_STATUS_COLOURS: Final = {
    ExecutionStatus.COMPLETED: "green",
    ExecutionStatus.FAILED: "red",
    ExecutionStatus.CANCELLED: "yellow",
    ExecutionStatus.CANCELLING: "yellow",
    ExecutionStatus.RUNNING: "cyan",
}
_LIST_HEADINGS: Final = ("ID", "KIND", "STATUS", "QUEUE", "STARTED", "TOOK")
_TASK_HEADINGS: Final = ("", "ID", "KIND", "STATUS", "ATTEMPTS", "STOP", "")
_MARGIN: Final = MARGIN


def show_list(console: Console, views: Iterable[ExecutionView]) -> None:
    """A line for each execution."""
    rows = [
        (view.execution_id, view.kind, status_of(view), view.queue, local_time(view.created_at), _took(view))
        for view in views
    ]
    print_whole(console, columns(_LIST_HEADINGS, rows))


def show_execution(
    console: Console,
    details: ExecutionDetails,
    told: History,
    family: Sequence[Member] = (),
    log: Sequence[LoggedEvent] = (),
) -> None:
    """One execution, with all that belongs to it; of a workflow, with its event log."""
    view, tasks = details.execution, [TaskRecord(task) for task in details.tasks]
    heading = Text.assemble((printable(view.execution_id), "bold"), _MARGIN, printable(view.kind), _MARGIN)
    print_whole(console, [heading.append_text(status_of(view)), *_facts(view)])
    if tasks:
        print_whole(console, [Text(), *_bars(console, tasks, told), Text(), *_tasks(tasks)])
    for lines in (
        family_lines(family),
        stop_lines(tasks),
        entry_lines(details.entries),
        checkpoint_lines(details.checkpoints, view.created_at),
        journal_lines(told, view) if not log else event_lines(log, view),
    ):
        if lines:
            print_whole(console, [Text(), *lines])


def status_of(view: ExecutionView) -> Text:
    """Its status, in its colour; of one that has ended also that something of it, or below it, still stops."""
    return Text(view.status.value + _still_stopping(view), _STATUS_COLOURS.get(view.status, ""))


def ending_in_words(view: ExecutionView) -> str:
    """How an execution ended, after how long, and why if it did not complete."""
    why = view.failure.message if view.failure is not None else view.cause
    told = f"{view.status.value} after {_took(view)}{_still_stopping(view)}"
    return told + (f": {printable(str(why))}" if why is not None else "")


def stopping_in_words(view: ExecutionView) -> str:
    """What of an execution that is cancelled, or has ended, still stops: ``2 at work, in 1 child``; or nothing."""
    below = view.children_stopping or 0
    own = (view.stopping or 0) - below
    parts = [f"{own:,} at work"] if own else []
    return ", ".join(parts + ([f"in {below:,} {'child' if below == 1 else 'children'}"] if below else []))


def _still_stopping(view: ExecutionView) -> str:
    return STILL_STOPPING if view.stopping and view.status in TERMINAL_EXECUTION else ""


def _facts(view: ExecutionView) -> list[Text]:
    facts = [(Text(name, QUIET), value) for name, value in _named_facts(view)]
    # They need no heading.
    return columns(("", ""), facts, margin=_MARGIN)[1:]


def _named_facts(view: ExecutionView) -> Iterator[tuple[str, str]]:
    yield "queue", view.queue
    if view.labels:
        yield "labels", " ".join(f"{name}={value}" for name, value in view.labels.items())
    yield "started", f"{local_time(view.created_at)} by {view.created_by}"
    if view.parent_id is not None:
        yield "parent", view.parent_id
    if view.ended_at is not None:
        yield "ended", f"{local_time(view.ended_at)}, after {_took(view)}"
    yield "input", as_json(value_of(view.input))
    if view.output is not None:
        yield "output", as_json(value_of(view.output))
    if view.failure is not None:
        yield "error", view.failure.message
    if view.cause is not None:
        yield "cancelled", str(view.cause)
    if view.stopping:
        yield "stopping", stopping_in_words(view)
    if view.parked is not None:
        yield "parked", view.parked
    if view.budget is not None or view.usage != NOTHING_USED:
        yield "used", _used(view)


def _used(view: ExecutionView) -> str:
    budget, usage = view.budget or Budget(), view.usage
    tokens = "" if budget.max_tokens is None else f" of {budget.max_tokens}"
    cost = "" if budget.max_cost_usd is None else f" of {budget.max_cost_usd:g}"
    return f"{usage.tokens}{tokens} tokens, {usage.cost_usd:g}{cost} USD"


def _bars(console: Console, tasks: Sequence[TaskRecord], told: History) -> Sequence[Text]:
    timeline = Timeline.of(told)
    # What goes on is drawn up to now. The server's clock may be another one, and ahead of this.
    now = timeline.ended_at or Instant(max(timeline.seen_at, time.time_ns() // 1_000))
    now = max(now, timeline.seen_at)
    names = {str(task.view.task_id): f"{number} {printable(task.kind)}" for number, task in enumerate(tasks, start=1)}
    return View(console, "real").lanes(timeline, names, now, now - (timeline.began_at or now))


def _tasks(tasks: Sequence[TaskRecord]) -> list[Text]:
    rows = [
        (
            str(number),
            task.view.task_id,
            task.kind,
            Text(task.status.value, COLOURS[task.status]),
            str(task.attempts),
            _stop(task),
            task.error or (str(task.cause) if task.cause is not None else ""),
        )
        for number, task in enumerate(tasks, start=1)
    ]
    return columns(_TASK_HEADINGS, rows, margin=_MARGIN)


def _stop(task: TaskRecord) -> str:
    """How far the stopping of the last attempt has come, and how long that took."""
    if not task.stops:
        if task.status is not TaskStatus.CANCELLED:
            return ""
        return "never ran" if not task.attempts else "nothing to stop"
    stop = task.stops[-1]
    took = f" in {length_of_time(stop.ended_at - stop.requested_at)}" if stop.ended_at is not None else ""
    return stop.state.value + took


def _took(view: ExecutionView) -> str:
    return length_of_time(view.ended_at - view.created_at) if view.ended_at is not None else ""
