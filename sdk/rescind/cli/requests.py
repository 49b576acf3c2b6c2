"""`rescind start`, `rescind signal` and `rescind cancel`: ask something of the server."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import click

from rescind.cli.columns import printable
from rescind.cli.execution_json import execution_document, value_of
from rescind.cli.execution_view import ending_in_words
from rescind.cli.options import address_option, json_option, labels_given, value_given
from rescind.cli.refusals import EXIT_NOT_COMPLETED, EXIT_NOT_FOUND, EXIT_REFUSED, Refused
from rescind.cli.remote import ask, print_json
from rescind.client.client import ExecutionHandle
from rescind.errors import OutcomeError
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.status import CancelTaskResult, ExecutionStatus
from rescind.model.views import ExecutionView

if TYPE_CHECKING:
    from rescind.client.connecting import ConnectedClient

_SERVER: Final = "The server to ask."
_MET: Final = {
    CancelTaskResult.CANCELLED: "is cancelled by this request.",
    CancelTaskResult.ALREADY_CANCELLED: "was cancelled before.",
    CancelTaskResult.ALREADY_COMPLETED: "had completed before.",
    CancelTaskResult.ALREADY_FAILED: "had failed before.",
}


@click.command()
@click.argument("kind")
@click.argument("given", metavar="[INPUT-JSON | @FILE | -]", required=False)
@click.option("--id", "execution_id", help="Its id: starting the same again under it starts nothing new.")
@click.option("--queue", default=DEFAULT_QUEUE, show_default=True, help="Where it is put.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="May be given several times.")
@click.option("--wait", "waits", is_flag=True, help="Wait for its end; the exit code is 1 unless it completed.")
@address_option(_SERVER)
@json_option("Print one JSON object: its id, or with --wait how it ended.")
def start(
    kind: str,
    given: str | None,
    execution_id: str | None,
    queue: str,
    labels: tuple[str, ...],
    waits: bool,
    address: str,
    as_json: bool,
) -> None:
    """Start an agent of a KIND; it exists, durably, when this returns.

    Its input is JSON, or JSON from a file, or with - from standard input; null if none is given.
    """
    agent_input, named = value_given(given, "input"), labels_given(labels)

    async def work(client: ConnectedClient) -> ExecutionView | None:
        handle = await client.start(kind, agent_input, id=execution_id, queue=queue, labels=named)
        _tell_started(handle.id, as_json=as_json, waits=waits)
        return await _ended(handle) if waits else None

    ended = ask(address, work)
    if ended is not None:
        _tell_ended(ended, as_json=as_json)


def _tell_started(execution_id: str, *, as_json: bool, waits: bool) -> None:
    if not as_json:
        click.echo(f"Started {printable(execution_id)}")
    elif not waits:
        print_json({"execution_id": execution_id})


async def _ended(handle: ExecutionHandle[Any]) -> ExecutionView:
    with suppress(OutcomeError):  # the status tells it
        await handle.result()
    return await handle.describe()


def _tell_ended(view: ExecutionView, *, as_json: bool) -> None:
    if as_json:
        print_json(execution_document(view))
    else:
        click.echo(ending_in_words(view))
        if view.output is not None:
            click.echo(json.dumps(value_of(view.output), indent=2, ensure_ascii=False))
    if view.status is not ExecutionStatus.COMPLETED:
        click.get_current_context().exit(EXIT_NOT_COMPLETED)


@click.command()
@click.argument("execution_id", metavar="ID")
@click.argument("name")
@click.argument("given", metavar="[JSON | @FILE | -]", required=False)
@address_option(_SERVER)
@json_option("Print one JSON object.")
def signal(execution_id: str, name: str, given: str | None, address: str, as_json: bool) -> None:
    """Send the execution ID the signal NAME, with a value or null."""
    value = value_given(given, "signal's value")
    ask(address, lambda client: client.handle(execution_id).signal(name, value))
    if as_json:
        print_json({"execution_id": execution_id, "signal": name})
    else:
        click.echo(f"{printable(execution_id)} got the signal {printable(name)}.")


@click.command()
@click.argument("execution_id", metavar="ID")
@click.option("--reason", help="Why, in words; its code, its tasks and its history see them.")
@click.option("--hard", is_flag=True, help="End it at once, without its clean-up.")
@address_option(_SERVER)
@json_option("Print one JSON object: what the request met.")
def cancel(execution_id: str, reason: str | None, hard: bool, address: str, as_json: bool) -> None:
    """Cancel an execution: its code is told, its work is stopped.

    Repeating it is harmless. The exit code is 4 if it had ended otherwise before.
    """
    result = ask(address, lambda client: client.handle(execution_id).cancel(reason, hard=hard))
    if result is CancelTaskResult.NOT_FOUND:
        raise Refused(f"there is no execution {execution_id!r}.", EXIT_NOT_FOUND)
    if as_json:
        print_json({"execution_id": execution_id, "result": result.value})
    if not result.ok:
        raise Refused(f"{execution_id} {_MET[result]}", EXIT_REFUSED)
    if not as_json:
        click.echo(f"{printable(execution_id)} {_MET[result]}")
