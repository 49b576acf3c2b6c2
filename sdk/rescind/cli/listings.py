"""`rescind tasks` and `rescind workers`: what is at work, and where."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final, TypeVar

import click
import msgspec

from rescind.cli.columns import console_for_lines
from rescind.cli.conditions import conditions_given, conditions_of, task_filter
from rescind.cli.listings_view import show_tasks, show_workers
from rescind.cli.operator_json import listed_task_document, worker_document
from rescind.cli.options import Remote, age_options, json_option, limit_option, remote_options
from rescind.cli.refusals import refusals_in_one_line
from rescind.cli.remote import ask_either, print_json
from rescind.errors import NotAllAnswered
from rescind.model.ids import Instant
from rescind.model.status import TaskStatus

ItemT = TypeVar("ItemT")

_SERVER: Final = "The server to ask."


@click.command()
@click.option("--stopping", is_flag=True, help="Only those that are cancelled, or asked to stop, and still run.")
@click.option("--all", "of_all", is_flag=True, help="Those that have ended too, as long as their execution is open.")
@click.option(
    "--status",
    multiple=True,
    type=click.Choice([status.value for status in TaskStatus], case_sensitive=False),
    help="Only those that stand so; may be given several times.",
)
@click.option("--kind", help="Only those of this kind.")
@click.option("--queue", help="Only those on this queue.")
@click.option("--worker", help="Only those that this worker runs.")
@click.option("--execution", metavar="ID", help="Only those of this execution, also if it has ended.")
@click.option("--agent", metavar="KIND", help="Only those of executions of this kind.")
@click.option("--creator", help="Only those of executions that this caller started.")
@click.option("--label", multiple=True, metavar="NAME=VALUE", help="Only those with this label.")
@age_options("scheduled")
@click.option("--where", default="", metavar="CONDITIONS", help="The same in words: 'queue=default age>1h'.")
@limit_option()
@remote_options(_SERVER, clusters=True)
@json_option("Print one JSON object: tasks, and whether there are more.")
def tasks(stopping: bool, of_all: bool, where: str, limit: int, remote: Remote, as_json: bool, **given: Any) -> None:
    """List the tasks that are not over: neither ended, nor ended and still at work. The oldest first.

    A cancelled task is shown with how far its stopping has come.
    """
    selection = task_filter([*conditions_given(**given), *conditions_of(where)])
    named = bool(selection.statuses or selection.execution_id is not None or of_all)
    selection = msgspec.structs.replace(selection, stopping=stopping, unsettled=not named and not stopping)
    shown, more, unanswered = ask_either(remote, lambda client: _told(client.tasks(selection), limit))
    with refusals_in_one_line():
        if as_json:
            silent = {"unanswered": list(unanswered.execution_ids)} if unanswered is not None else {}
            print_json({"tasks": [listed_task_document(each) for each in shown], "more": more, **silent})
        else:
            show_tasks(console_for_lines(), shown, _now())
            tell_rest("task", limit, any_shown=bool(shown), more=more)
        if unanswered is not None:
            raise unanswered


async def _told(items: AsyncGenerator[ItemT, None], limit: int) -> tuple[list[ItemT], bool, NotAllAnswered | None]:
    """As `first_of`; and what is raised behind them, if some executions of a cluster did not answer."""
    found: list[ItemT] = []
    try:
        async with aclosing(items):
            async for item in items:
                if len(found) == limit:
                    return found, True, None
                found.append(item)
    except NotAllAnswered as error:
        return found, False, error
    return found, False, None


@click.command()
@limit_option()
@remote_options(_SERVER, clusters=True)
@json_option("Print one JSON object: workers, and whether there are more.")
def workers(limit: int, remote: Remote, as_json: bool) -> None:
    """List the workers that are connected, or may still come back to what they run."""
    shown, more = ask_either(remote, lambda client: first_of(client.workers(), limit))
    if as_json:
        print_json({"workers": [worker_document(each) for each in shown], "more": more})
        return
    show_workers(console_for_lines(), shown, _now())
    tell_rest("worker", limit, any_shown=bool(shown), more=more)


async def first_of(items: AsyncGenerator[ItemT, None], limit: int) -> tuple[list[ItemT], bool]:
    """The first of these, at most `limit`, and whether there are more."""
    found: list[ItemT] = []
    async with aclosing(items):
        async for item in items:
            if len(found) == limit:
                return found, True
            found.append(item)
    return found, False


def tell_rest(sort: str, limit: int, *, any_shown: bool, more: bool) -> None:
    """Say that a list is empty, or not whole; on stderr, away from what is listed."""
    if not any_shown:
        click.echo(f"No {sort}s.", err=True)
    if more:
        shown = "this one" if limit == 1 else f"these {limit}"
        click.echo(f"There are more than {shown}: --limit shows them.", err=True)


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000)
