"""`rescind list`, `rescind show` and `rescind history`: look at executions, and change nothing."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from rescind.cli.columns import console_for_lines
from rescind.cli.execution_json import details_document, execution_document
from rescind.cli.execution_view import show_execution, show_list
from rescind.cli.options import address_option, json_option, labels_given
from rescind.cli.remote import ask, print_json
from rescind.client.records import History, TaskRecord
from rescind.model.agent_values import LoadedMessage
from rescind.model.filters import ExecutionFilter
from rescind.model.status import ExecutionStatus
from rescind.model.views import ExecutionView

if TYPE_CHECKING:
    from rescind.client.connecting import ConnectedClient

_SERVER = "The server to ask."


@click.command("list")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in ExecutionStatus], case_sensitive=False),
    help="Only those that stand so; may be given several times.",
)
@click.option("--kind", help="Only those of this kind.")
@click.option("--queue", help="Only those on this queue.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Only those with this label.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="How many at most.")
@address_option(_SERVER)
@json_option("Print one JSON object: executions, and whether there are more.")
def list_executions(
    statuses: tuple[str, ...],
    kind: str | None,
    queue: str | None,
    labels: tuple[str, ...],
    limit: int,
    address: str,
    as_json: bool,
) -> None:
    """List executions, the newest first."""
    selection = ExecutionFilter(
        statuses=tuple(map(ExecutionStatus, statuses)), kind=kind, queue=queue, labels=labels_given(labels)
    )
    found = ask(address, lambda client: _first(client, selection, limit + 1))
    shown, more = found[:limit], len(found) > limit
    if as_json:
        print_json({"executions": [execution_document(view) for view in shown], "more": more})
        return
    if shown:
        show_list(console_for_lines(), shown)
    else:
        click.echo("There is no such execution.", err=True)
    if more:
        click.echo(f"There are more than these {limit}: --limit shows them.", err=True)


async def _first(client: ConnectedClient, selection: ExecutionFilter, most: int) -> list[ExecutionView]:
    found: list[ExecutionView] = []
    async with aclosing(client.list(selection)) as views:  # type: ignore[type-var]  # a generator, told as an iterator
        async for view in views:
            found.append(view)
            if len(found) == most:
                break
    return found


@click.command()
@click.argument("execution_id", metavar="ID")
@address_option(_SERVER)
@json_option("Print one JSON object.")
def show(execution_id: str, address: str, as_json: bool) -> None:
    """Show an execution: how it stands, its tasks along the time, how their stopping went, its conversation."""
    view, tasks, entries, told = ask(address, lambda client: _all_of(client, execution_id))
    if as_json:
        print_json(details_document(view, tasks, entries))
    else:
        show_execution(console_for_lines(), view, tasks, entries, told)


async def _all_of(
    client: ConnectedClient, execution_id: str
) -> tuple[ExecutionView, list[TaskRecord], list[LoadedMessage], History]:
    handle = client.handle(execution_id)
    return await asyncio.gather(handle.describe(), handle.tasks(), handle.entries(), handle.history())


@click.command()
@click.argument("execution_id", metavar="ID")
@address_option(_SERVER)
@json_option("Changes nothing: a history is JSON in any case.")
def history(execution_id: str, address: str, as_json: bool) -> None:
    """Print everything that happened to an execution, in order: a JSON object per line."""
    told = ask(address, lambda client: client.handle(execution_id).history())
    click.echo(told.to_jsonl(), nl=False)
