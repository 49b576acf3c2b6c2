"""`rescind start`, `rescind signal` and `rescind retry`: begin work, tell it something, and let it go on."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import click

from rescind.cli.execution_json import execution_document, value_of
from rescind.cli.execution_view import ending_in_words
from rescind.cli.options import Remote, json_option, labels_given, remote_options, setting_option, value_given
from rescind.cli.printable import printable
from rescind.cli.refusals import EXIT_NOT_COMPLETED
from rescind.cli.remote import ask_either, print_json
from rescind.client.client import ExecutionHandle
from rescind.errors import OutcomeError
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.status import ExecutionStatus
from rescind.model.views import ExecutionView

if TYPE_CHECKING:
    from rescind.client.connecting import Client
    from rescind.temporal import TemporalClient

_SERVER: Final = "The server to ask."


@click.command()
@click.argument("kind")
@click.argument("given", metavar="[INPUT-JSON | @FILE | -]", required=False)
@click.option("--id", "execution_id", help="Its id: starting the same again under it starts nothing new.")
@setting_option("--queue", setting="queue", default=DEFAULT_QUEUE, help="Where it is put.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="May be given several times.")
@click.option("--workflow", "is_workflow", is_flag=True, help="The kind is that of a workflow, whatever workers run.")
@click.option("--wait", "waits", is_flag=True, help="Wait for its end; the exit code is 1 unless it completed.")
@remote_options(_SERVER, clusters=True)
@json_option("Print one JSON object: its id, or with --wait how it ended.")
def start(
    kind: str,
    given: str | None,
    execution_id: str | None,
    queue: str,
    labels: tuple[str, ...],
    is_workflow: bool,
    waits: bool,
    remote: Remote,
    as_json: bool,
) -> None:
    """Start an agent, or a workflow, of a KIND; it exists, durably, when this returns.

    It is a workflow if the workers of its queue run this kind as a workflow, and none as an agent.

    Its input is JSON, or JSON from a file, or with - from standard input; null if none is given.
    """
    agent_input, named = value_given(given, "input"), labels_given(labels)

    async def work(client: Client | TemporalClient) -> ExecutionView | None:
        begin = client.start_workflow if is_workflow else client.start
        handle = await begin(kind, agent_input, id=execution_id, queue=queue, labels=named)
        _tell_started(handle.id, as_json=as_json, waits=waits)
        return await _ended(handle) if waits else None

    ended = ask_either(remote, work)
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
@remote_options(_SERVER, clusters=True)
@json_option("Print one JSON object.")
def signal(execution_id: str, name: str, given: str | None, remote: Remote, as_json: bool) -> None:
    """Send the execution ID the signal NAME, with a value or null."""
    value = value_given(given, "signal's value")
    ask_either(remote, lambda client: client.handle(execution_id).signal(name, value))
    if as_json:
        print_json({"execution_id": execution_id, "signal": name})
    else:
        click.echo(f"{printable(execution_id)} got the signal {printable(name)}.")


@click.command()
@click.argument("execution_id", metavar="ID")
@click.option("--reason", help="Why, in words; its history and its log tell it.")
@remote_options(_SERVER, clusters=True)
@json_option("Print one JSON object: its id, and how often it was let go on.")
def retry(execution_id: str, reason: str | None, remote: Remote, as_json: bool) -> None:
    """Let the workflow ID, which has FAILED, go on from its log: when its code was mended, for instance.

    What it has done stays done. The exit code is 4 if it has not failed, was cancelled, or is an agent.
    """
    attempt = ask_either(remote, lambda client: client.handle(execution_id).retry(reason))
    if as_json:
        print_json({"execution_id": execution_id, "attempt": attempt})
    else:
        click.echo(f"{printable(execution_id)} goes on.")
