"""`rescind cancel --where`: what would be hit, then step by step, with what the requests met."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rescind.cli.options import Remote
from rescind.cli.refusals import EXIT_BAD_INPUT, EXIT_NOT_COMPLETED, EXIT_UNREACHABLE, Refused, refusals_in_one_line
from rescind.cli.remote import ask_either, print_json
from rescind.cli.times import counted
from rescind.errors import NotAllAnswered, NotSupported
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.overviews import CancelReach
from rescind.model.status import CancelTaskResult

if TYPE_CHECKING:
    from rescind.client.connecting import Client
    from rescind.temporal import TemporalClient

_COUNTED: Final = {
    CancelTaskResult.CANCELLED: "cancelled by this request",
    CancelTaskResult.ALREADY_CANCELLED: "cancelled before",
    CancelTaskResult.ALREADY_COMPLETED: "completed before",
    CancelTaskResult.ALREADY_FAILED: "failed before",
    CancelTaskResult.NOT_FOUND: "gone",
}

Counts = Mapping[CancelTaskResult, int]
ResultT = TypeVar("ResultT")


class _Found(NamedTuple):
    """What a filter selects.

    Attributes:
        number: how many.
        reach: what a cancel of them would reach; None where that is not told.
        unanswered: who did not answer.
    """

    number: int
    reach: CancelReach | None = None
    unanswered: NotAllAnswered | None = None


def ask_to_cancel(remote: Remote, work: Callable[[Client | TemporalClient], Awaitable[ResultT]]) -> ResultT:
    """As `ask_either`. Whoever lost the server meanwhile cannot know whether it took the request, and need not know."""
    try:
        return ask_either(remote, work)
    except Refused as refused:
        if refused.exit_code != EXIT_UNREACHABLE:
            raise
        raise Refused(f"{refused.message} Repeat it: that is harmless.", EXIT_UNREACHABLE) from None


def tell_reach(remote: Remote, selection: ExecutionFilter | TaskFilter, *, hard: bool, as_json: bool) -> None:
    """Tell what a cancel of all that a filter selects would hit, and cancel nothing."""
    found = ask_either(remote, lambda client: _find(client, selection, hard=hard))
    if as_json:
        reach = found.reach
        hits = {"descendants": reach.descendants, "tasks": reach.tasks, "attempts": reach.attempts} if reach else {}
        silent = {"unanswered": list(found.unanswered.execution_ids)} if found.unanswered is not None else {}
        print_json({"found": found.number, "dry_run": True, **hits, **silent})
    else:
        click.echo(f"It would cancel {_in_words(found, selection)}. Nothing was cancelled.")
    if found.unanswered is not None:
        with refusals_in_one_line():
            raise found.unanswered


def cancel_many(
    remote: Remote,
    selection: ExecutionFilter | TaskFilter,
    reason: str | None,
    *,
    hard: bool,
    yes: bool,
    as_json: bool,
) -> None:
    sort = "execution" if isinstance(selection, ExecutionFilter) else "task"
    selected = ask_either(remote, lambda client: _find(client, selection, hard=hard))
    found, unanswered = selected.number, selected.unanswered
    counts: Counts = {}
    if found:
        if not yes:
            _ask_before(_in_words(selected, selection))
        counts, unanswered = ask_to_cancel(
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


async def _find(client: Client | TemporalClient, selection: ExecutionFilter | TaskFilter, *, hard: bool) -> _Found:
    try:
        reach = await client.reach(selection, hard=hard)
    except NotSupported:
        try:
            return _Found(await client.count(selection))
        except NotAllAnswered as error:
            return _Found(error.found, unanswered=error)
    return _Found(reach.executions if isinstance(selection, ExecutionFilter) else reach.tasks, reach)


def _in_words(found: _Found, selection: ExecutionFilter | TaskFilter) -> str:
    """What would be hit: ``2 executions, 1 execution below, 5 open tasks and 4 running attempts``."""
    is_of_executions = isinstance(selection, ExecutionFilter)
    parts = [counted(found.number, "execution" if is_of_executions else "task")]
    if found.reach is not None:
        if found.reach.descendants:
            parts.append(f"{counted(found.reach.descendants, 'execution')} below")
        if found.reach.tasks and is_of_executions:
            parts.append(counted(found.reach.tasks, "open task"))
        if found.reach.attempts:
            parts.append(counted(found.reach.attempts, "running attempt"))
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


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
