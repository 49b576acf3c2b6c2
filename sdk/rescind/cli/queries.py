"""`rescind list`, `rescind show` and `rescind history`: look at executions, and change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from rescind.cli.columns import console_for_lines
from rescind.cli.conditions import conditions_given, conditions_of, execution_filter
from rescind.cli.execution_json import details_document, execution_document
from rescind.cli.execution_view import show_execution, show_list
from rescind.cli.family import Member, family_document, family_of
from rescind.cli.listings import first_of, tell_rest
from rescind.cli.options import Remote, age_options, json_option, limit_option, remote_options
from rescind.cli.printable import printable
from rescind.cli.refusals import EXIT_BAD_INPUT, Refused, refusals_in_one_line
from rescind.cli.remote import ask_either, print_json
from rescind.cli.workflow_parts import events_document
from rescind.client.records import History
from rescind.errors import NotFound, NotSupported, ServerUnavailable
from rescind.model.ids import ExecutionId
from rescind.model.status import ExecutionStatus
from rescind.model.views import ExecutionDetails, PartialDetails
from rescind.model.workflow_events import LoggedEvent
from rescind.model.workflow_export import exported

if TYPE_CHECKING:
    from rescind.client.connecting import Client
    from rescind.temporal import TemporalClient

_SERVER = "The server to ask."


@click.command("list")
@click.option(
    "--status",
    multiple=True,
    type=click.Choice([status.value for status in ExecutionStatus], case_sensitive=False),
    help="Only those that stand so; may be given several times.",
)
@click.option("--id", "id_prefix", metavar="PREFIX", help="Only those whose id begins so.")
@click.option("--parent", "parent_id", metavar="ID", help="Only those that this execution spawned.")
@click.option("--kind", help="Only those of this kind.")
@click.option("--queue", help="Only those on this queue.")
@click.option("--creator", help="Only those that this caller started.")
@click.option("--worker", help="Only those in the memory of this worker.")
@click.option("--label", multiple=True, metavar="NAME=VALUE", help="Only those with this label.")
@age_options("started")
@click.option("--where", default="", metavar="CONDITIONS", help="The same in words: 'status=waiting age>1h'.")
@limit_option()
@remote_options(_SERVER, clusters=True)
@json_option("Print one JSON object: executions, and whether there are more.")
def list_executions(
    id_prefix: str | None,
    parent_id: str | None,
    where: str,
    limit: int,
    remote: Remote,
    as_json: bool,
    **given: Any,
) -> None:
    """List executions, the newest first."""
    selection = execution_filter([*conditions_given(**given), *conditions_of(where)])
    parent = ExecutionId(parent_id) if parent_id is not None else None
    selection = msgspec.structs.replace(selection, id_prefix=id_prefix, parent_id=parent)
    shown, more = ask_either(remote, lambda client: first_of(client.list(selection), limit))
    with refusals_in_one_line():
        if as_json:
            print_json({"executions": [execution_document(view) for view in shown], "more": more})
            return
        if shown:
            show_list(console_for_lines(), shown)
    tell_rest("execution", limit, any_shown=bool(shown), more=more)


@click.command()
@click.argument("execution_id", metavar="ID")
@remote_options(_SERVER, clusters=True)
@json_option("Print one JSON object.")
def show(execution_id: str, remote: Remote, as_json: bool) -> None:
    """Show an execution: how it stands, its tasks along the time, how their stopping went, and what it did."""
    details, told, family, log = ask_either(remote, lambda client: _all_of(client, execution_id))
    with refusals_in_one_line():
        if as_json:
            events = {"events": events_document(log)} if log else {}
            print_json(details_document(details) | {"children": family_document(family)} | events)
        else:
            show_execution(console_for_lines(), details, told, family, log)
    if isinstance(details, PartialDetails):
        click.echo(printable(details.missing), err=True)


async def _all_of(
    client: Client | TemporalClient, execution_id: str
) -> tuple[ExecutionDetails, History, Sequence[Member], Sequence[LoggedEvent]]:
    handle = client.handle(execution_id)
    details, told = await asyncio.gather(handle.details(), handle.history(), return_exceptions=True)
    if isinstance(details, BaseException):
        raise details
    if isinstance(told, ServerUnavailable) and isinstance(details, PartialDetails):
        return details, History(()), (), ()
    if isinstance(told, BaseException):
        raise told
    return details, told, await family_of(client, details), await _log_of(client, execution_id)


async def _log_of(client: Client | TemporalClient, execution_id: str) -> Sequence[LoggedEvent]:
    """The event log of a workflow; nothing of an agent, or where there are no workflows."""
    try:
        return await client.workflow_events(execution_id)
    except (NotFound, NotSupported):
        return ()


@click.command()
@click.argument("execution_id", metavar="ID")
@remote_options(_SERVER, clusters=True)
@json_option("Changes nothing: a history is JSON in any case.")
@click.option("--events", "only_log", is_flag=True, help="Of a workflow: its event log, as `rescind replay` takes it.")
def history(execution_id: str, remote: Remote, as_json: bool, only_log: bool) -> None:
    """Print everything that happened to an execution, in order: a JSON object per line."""
    if only_log:
        click.echo(exported(ask_either(remote, lambda client: _own_log_of(client, execution_id))), nl=False)
        return
    told = ask_either(remote, lambda client: client.handle(execution_id).history())
    click.echo(told.to_jsonl(), nl=False)


async def _own_log_of(client: Client | TemporalClient, execution_id: str) -> Sequence[LoggedEvent]:
    try:
        return await client.workflow_events(execution_id)
    except NotFound:
        if (await client.handle(execution_id).describe()).is_workflow:
            raise
    raise Refused(
        f"{execution_id!r} is an agent, and has no event log. Its history, without --events, tells what happened.",
        EXIT_BAD_INPUT,
    )
