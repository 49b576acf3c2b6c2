"""`rescind cancel`: one execution, one of its tasks, or all that conditions select."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rescind.cli.conditions import conditions_of, execution_filter, task_filter
from rescind.cli.options import Remote, json_option, remote_options
from rescind.cli.printable import printable
from rescind.cli.refusals import (
    EXIT_BAD_INPUT,
    EXIT_NOT_COMPLETED,
    EXIT_NOT_FOUND,
    EXIT_REFUSED,
    EXIT_UNREACHABLE,
    Refused,
    refusals_in_one_line,
)
from rescind.cli.remote import ask_either, print_json
from rescind.cli.times import counted
from rescind.errors import InvalidInput, NotAllAnswered
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.status import CancelMode, CancelTaskResult
from rescind.model.texts import checked_task_id

if TYPE_CHECKING:
    from rescind.client.connecting import Client
    from rescind.temporal import TemporalClient

_MET: Final = {
    CancelTaskResult.CANCELLED: "is cancelled by this request.",
    CancelTaskResult.ALREADY_CANCELLED: "was cancelled before.",
    CancelTaskResult.ALREADY_COMPLETED: "had completed before.",
    CancelTaskResult.ALREADY_FAILED: "had failed before.",
}
_COUNTED: Final = {
    CancelTaskResult.CANCELLED: "cancelled by this request",
    CancelTaskResult.ALREADY_CANCELLED: "cancelled before",
    CancelTaskResult.ALREADY_COMPLETED: "completed before",
    CancelTaskResult.ALREADY_FAILED: "failed before",
    CancelTaskResult.NOT_FOUND: "gone",
}

Counts = Mapping[CancelTaskResult, int]
ResultT = TypeVar("ResultT")


@click.command()
@click.argument("execution_id", metavar="[ID]", required=False)
@click.option("--task", "task_id", metavar="TASK_ID", help="Cancel only this task of the execution.")
@click.option(
    "--mode",
    type=click.Choice([mode.value.lower() for mode in CancelMode], case_sensitive=False),
    help="How a task is cancelled. try, the default: at once, then its work is stopped. wait: its work is asked to "
    "stop, and decides. abandon: at once, and its work is left alone. force: as --force.",
)
@click.option(
    "--where",
    metavar="CONDITIONS",
    help="Cancel all open executions for which they hold, as 'queue=default status=waiting age>1h label.team=eu'; "
    "values with spaces are quoted.",
)
@click.option("--tasks", "of_tasks", is_flag=True, help="With --where: cancel open tasks, not executions.")
@click.option("--yes", is_flag=True, help="With --where: do not ask before it is done.")
@click.option("--reason", help="Why, in words; its code, its tasks and its history see them.")
@click.option(
    "--hard",
    "--force",
    "hard",
    is_flag=True,
    help="End an execution at once, without its clean-up, and work without its grace; also what is being stopped "
    "already.",
)
@remote_options("The server to ask.", clusters=True)
@json_option("Print one JSON object: what the request met, or how many met what.")
def cancel(
    execution_id: str | None,
    task_id: str | None,
    mode: str | None,
    where: str | None,
    of_tasks: bool,
    yes: bool,
    reason: str | None,
    hard: bool,
    remote: Remote,
    as_json: bool,
) -> None:
    """Cancel an execution: its code is told, its work is stopped. Or one task, or all that conditions select.

    Conditions are name=value with the names status, kind, queue, creator, worker, agent, label.NAME, and for tasks
    execution; and age>1h or age<1h.

    Repeating it is harmless; with --force it ends at once what an earlier request is still stopping. The exit code is 4
    if what is named had ended otherwise before.
    """
    _check_together(execution_id, task_id, mode, where, of_tasks=of_tasks, yes=yes, hard=hard)
    if where is not None:
        selection = _selection(where, of_tasks=of_tasks)
        _cancel_many(remote, selection, reason, hard=hard, yes=yes, as_json=as_json)
    elif task_id is not None:
        how = CancelMode.FORCE if hard else CancelMode((mode or CancelMode.TRY).upper())
        execution = execution_id or ""
        known = _task_id(task_id)
        result = _ask_to_cancel(
            remote, lambda client: client.cancel_task(known, reason, mode=how, execution_id=execution)
        )
        named = {"task_id": task_id} | ({"execution_id": execution_id} if execution_id is not None else {})
        _tell_one(f"task {task_id}", named, result, as_json=as_json)
    else:
        assert execution_id is not None
        result = _ask_to_cancel(remote, lambda client: client.handle(execution_id).cancel(reason, hard=hard))
        _tell_one(f"execution {execution_id}", {"execution_id": execution_id}, result, as_json=as_json)


def _check_together(
    execution_id: str | None,
    task_id: str | None,
    mode: str | None,
    where: str | None,
    *,
    of_tasks: bool,
    yes: bool,
    hard: bool,
) -> None:
    wrong = [
        (where is None and execution_id is None and task_id is None, "give an ID, --task, or --where."),
        (where is not None and (execution_id or task_id) is not None, "give --where alone, or an ID or --task."),
        (where is None and (of_tasks or yes), "--tasks and --yes go with --where."),
        (mode is not None and task_id is None, "--mode goes with --task."),
        (hard and mode not in (None, "force"), "--force is a mode of its own: leave --mode out."),
    ]
    for is_wrong, message in wrong:
        if is_wrong:
            raise Refused(message, EXIT_BAD_INPUT)


def _task_id(given: str) -> str:
    try:
        return checked_task_id(given)
    except InvalidInput:
        raise Refused(
            f"{given!r} is no task id. Give one as `rescind tasks` and `rescind show` tell it.", EXIT_BAD_INPUT
        ) from None


def _ask_to_cancel(remote: Remote, work: Callable[[Client | TemporalClient], Awaitable[ResultT]]) -> ResultT:
    """As `ask_either`. Whoever lost the server meanwhile cannot know whether it took the request, and need not know."""
    try:
        return ask_either(remote, work)
    except Refused as refused:
        if refused.exit_code != EXIT_UNREACHABLE:
            raise
        raise Refused(f"{refused.message} Repeat it: that is harmless.", EXIT_UNREACHABLE) from None


def _selection(where: str, *, of_tasks: bool) -> ExecutionFilter | TaskFilter:
    conditions = conditions_of(where)
    if not conditions:
        raise Refused("--where is empty, and would select everything. Give a condition; age>0s is all.", EXIT_BAD_INPUT)
    return task_filter(conditions) if of_tasks else execution_filter(conditions)


def _tell_one(what: str, named: dict[str, str], result: CancelTaskResult, *, as_json: bool) -> None:
    if result is CancelTaskResult.NOT_FOUND:
        raise Refused(f"there is no {what}.", EXIT_NOT_FOUND)
    if as_json:
        print_json({**named, "result": result.value})
    if not result.ok:
        raise Refused(f"{what} {_MET[result]}", EXIT_REFUSED)
    if not as_json:
        click.echo(f"{printable(what[0].upper() + what[1:])} {_MET[result]}")


def _cancel_many(
    remote: Remote,
    selection: ExecutionFilter | TaskFilter,
    reason: str | None,
    *,
    hard: bool,
    yes: bool,
    as_json: bool,
) -> None:
    sort = "execution" if isinstance(selection, ExecutionFilter) else "task"
    found, unanswered = ask_either(remote, lambda client: _count(client, selection))
    counts: Counts = {}
    if found:
        if not yes:
            _ask_before(counted(found, sort))
        counts, unanswered = _ask_to_cancel(
            remote, lambda client: _cancelled(client, selection, reason, found, hard=hard)
        )
    _tell_many(found, counts, sort, unanswered, as_json=as_json)
    if unanswered is not None:
        with refusals_in_one_line():
            raise unanswered


def _tell_many(found: int, counts: Counts, sort: str, unanswered: NotAllAnswered | None, *, as_json: bool) -> None:
    if as_json:
        results = {result.value: counts.get(result, 0) for result in CancelTaskResult}
        silent = {"unanswered": list(unanswered.execution_ids)} if unanswered is not None else {}
        print_json({"found": found, "seen": sum(counts.values()), "results": results, **silent})
    elif not counts:
        click.echo(f"No open {sort} is selected; nothing was cancelled.")
    else:
        for result, meaning in _COUNTED.items():
            if counts.get(result):
                click.echo(f"{counts[result]} {meaning}")


def _ask_before(what: str) -> None:
    if not sys.stdin.isatty():
        raise Refused(f"it would cancel {what}. There is no terminal to ask at: give --yes to do it.", EXIT_BAD_INPUT)
    if not click.confirm(f"This cancels {what}. Go on?", err=True):
        raise Refused("nothing was cancelled.", EXIT_NOT_COMPLETED)


async def _count(
    client: Client | TemporalClient, selection: ExecutionFilter | TaskFilter
) -> tuple[int, NotAllAnswered | None]:
    try:
        return await client.count(selection), None
    except NotAllAnswered as error:
        return error.found, error


async def _cancelled(
    client: Client | TemporalClient,
    selection: ExecutionFilter | TaskFilter,
    reason: str | None,
    found: int,
    *,
    hard: bool,
) -> tuple[Counts, NotAllAnswered | None]:
    counts: Counts = {}
    unanswered: NotAllAnswered | None = None
    console = Console(stderr=True)
    progress = Progress(
        TextColumn("Cancelling"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with progress:
        bar = progress.add_task("", total=found)
        try:
            async with aclosing(client.cancel_where(selection, reason, hard=hard)) as steps:
                async for counts in steps:
                    progress.update(bar, completed=min(found, sum(counts.values())))
        except NotAllAnswered as error:
            unanswered = error
        progress.update(bar, completed=found)
    return counts, unanswered
