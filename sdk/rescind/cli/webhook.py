"""`rescind webhook`: who is told over HTTP how executions end, and what could not be told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import click
from rich.text import Text

from rescind.cli.columns import columns, console_for_lines, print_whole
from rescind.cli.listings import first_of, tell_rest
from rescind.cli.options import Remote, json_option, labels_given, limit_option, remote_options
from rescind.cli.printable import printable
from rescind.cli.refusals import EXIT_BAD_INPUT, Refused, refusals_in_one_line
from rescind.cli.remote import ask, print_json
from rescind.cli.times import counted, local_time
from rescind.model.ages import age_of
from rescind.model.events import iso_time
from rescind.model.webhooks import DeadDelivery, WebhookSecret, WebhookView

_SERVER: Final = "The server to ask."
_HEADINGS: Final = ("ID", "STATE", "WAITING", "DEAD", "CREATED", "URL", "DESCRIPTION")
_DEAD_HEADINGS: Final = ("DELIVERY", "WEBHOOK", "EVENT", "EXECUTION", "HAPPENED", "ATTEMPTS", "GIVEN UP", "PROBLEM")


@click.group()
def webhook() -> None:
    """Let others be told over HTTP how executions end and what is cancelled. For operators.

    Each is sent JSON in POST requests, signed as Standard Webhooks has it, until it answers with 2xx.
    """


@webhook.command()
@click.argument("url")
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="NAME",
    help="What to tell, as execution.failed or 'execution.*'; may be given several times. Without it: how executions "
    "end, and all about cancels.",
)
@click.option("--kind", "kinds", multiple=True, help="Only of executions of this kind; may be given several times.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Only of executions with this label.")
@click.option("--description", default="", metavar="WORDS", help="What it is for.")
@click.option("--with-result", is_flag=True, help="Tell results and the texts of failures, too.")
@click.option("--allow-http", is_flag=True, help="Allow http:// to other machines, where all on the way can read it.")
@remote_options(_SERVER)
@json_option("Print one JSON object: the webhook, with its secret.")
def add(
    url: str,
    events: Sequence[str],
    kinds: Sequence[str],
    labels: Sequence[str],
    description: str,
    with_result: bool,
    allow_http: bool,
    remote: Remote,
    as_json: bool,
) -> None:
    """Tell URL of what happens from now on, and show the secret that it is signed with: this once."""
    given = labels_given(labels)
    added = ask(
        remote,
        lambda client: client.webhooks.add(
            url,
            events=events,
            kinds=kinds,
            labels=given,
            description=description,
            with_result=with_result,
            allow_http=allow_http,
        ),
    )
    _show_secret(added, f"Webhook {added.webhook.webhook_id} is told of {', '.join(added.webhook.events)}.", as_json)


@webhook.command("list")
@remote_options(_SERVER)
@json_option("Print one JSON object: webhooks.")
def list_webhooks(remote: Remote, as_json: bool) -> None:
    """List the webhooks, the oldest first."""
    found = ask(remote, lambda client: client.webhooks.all())
    if as_json:
        print_json({"webhooks": [webhook_document(each) for each in found]})
    elif found:
        print_whole(console_for_lines(), columns(_HEADINGS, map(_row, found)))
    else:
        click.echo("No webhooks.", err=True)


@webhook.command()
@click.argument("webhook_id", metavar="ID")
@remote_options(_SERVER)
@json_option("Print one JSON object.")
def show(webhook_id: str, remote: Remote, as_json: bool) -> None:
    """Show the webhook with this ID."""
    found = ask(remote, lambda client: client.webhooks.show(webhook_id))
    document = webhook_document(found)
    if as_json:
        print_json(document)
        return
    width = max(map(len, document))
    for name, value in document.items():
        click.echo(f"{name.replace('_', ' '):{width}}  {printable(_in_words(value))}".rstrip())


@webhook.command()
@click.argument("webhook_id", metavar="ID")
@remote_options(_SERVER)
@json_option("Print one JSON object: the webhook as it was.")
def remove(webhook_id: str, remote: Remote, as_json: bool) -> None:
    """Remove the webhook with this ID, with all that it was still to be told."""
    removed = ask(remote, lambda client: client.webhooks.remove(webhook_id))
    if as_json:
        print_json(webhook_document(removed))
        return
    lost = removed.waiting + removed.dead
    click.echo(f"Webhook {webhook_id} is removed, with {_deliveries(lost)} that it was not told.")


@webhook.command()
@click.argument("webhook_id", metavar="ID")
@remote_options(_SERVER)
@json_option("Print one JSON object: the webhook.")
def enable(webhook_id: str, remote: Remote, as_json: bool) -> None:
    """Tell the webhook with this ID again, which had answered 410 Gone. What happened meanwhile is not told."""
    enabled = ask(remote, lambda client: client.webhooks.enable(webhook_id))
    if as_json:
        print_json(webhook_document(enabled))
    else:
        click.echo(f"Webhook {webhook_id} is told again.")


@webhook.command()
@click.argument("webhook_id", metavar="ID")
@click.option("--overlap", metavar="AGE", help="How long the old secret is used, too. Without it: 24h. 0s: not at all.")
@remote_options(_SERVER)
@json_option("Print one JSON object: the webhook, with its new secret.")
def rotate(webhook_id: str, overlap: str | None, remote: Remote, as_json: bool) -> None:
    """Give the webhook with this ID a new secret, and show it: this once.

    Until the overlap ends, what it is sent has two signatures, one by each secret.
    """
    with refusals_in_one_line():
        length = _overlap(overlap)
    rotated = ask(remote, lambda client: client.webhooks.rotate(webhook_id, length))
    until = rotated.webhook.old_secret_until
    words = f"The old one is used, too, until {local_time(until)}." if until is not None else "The old one is over."
    _show_secret(rotated, f"Webhook {webhook_id} has a new secret. {words}", as_json)


@webhook.command()
@click.argument("webhook_id", metavar="ID")
@remote_options(_SERVER)
@json_option("Print one JSON object: delivery_id.")
def test(webhook_id: str, remote: Remote, as_json: bool) -> None:
    """Send the webhook with this ID a ping, whatever else it is told of."""
    delivery_id = ask(remote, lambda client: client.webhooks.test(webhook_id))
    if as_json:
        print_json({"delivery_id": delivery_id})
    else:
        click.echo(f"A ping is on its way as {delivery_id}. If it does not arrive, the server's log says why.")


@webhook.command()
@click.argument("webhook_id", metavar="[ID]", required=False, default="")
@limit_option()
@remote_options(_SERVER)
@json_option("Print one JSON object: deliveries, and whether there are more.")
def dead(webhook_id: str, limit: int, remote: Remote, as_json: bool) -> None:
    """List what was given up, of the webhook with this ID or of all; the last given up first."""
    shown, more = ask(remote, lambda client: first_of(client.webhooks.dead(webhook_id), limit))
    if as_json:
        print_json({"deliveries": [dead_document(each) for each in shown], "more": more})
        return
    if shown:
        print_whole(console_for_lines(), columns(_DEAD_HEADINGS, map(_dead_row, shown)))
    tell_rest("dead letter", limit, any_shown=bool(shown), more=more)


@webhook.command()
@click.argument("delivery", required=False, default="")
@click.option("--all", "of_all", is_flag=True, help="All dead letters.")
@click.option("--webhook", "webhook_id", default="", metavar="ID", help="With --all: those of this webhook alone.")
@remote_options(_SERVER)
@json_option("Print one JSON object: count.")
def retry(delivery: str, of_all: bool, webhook_id: str, remote: Remote, as_json: bool) -> None:
    """Try a DELIVERY anew that was given up, or --all of them, from the first attempt on."""
    if bool(delivery) == of_all or (webhook_id and not of_all):
        raise Refused("what is to be tried anew? Give the id of a delivery, or --all.", EXIT_BAD_INPUT)
    count = ask(remote, lambda client: client.webhooks.retry(delivery, webhook_id=webhook_id))
    if as_json:
        print_json({"count": count})
    else:
        click.echo(f"{_deliveries(count)} tried anew.")


def webhook_document(view: WebhookView) -> dict[str, Any]:
    """A webhook for programs. Its secret is not in it."""
    return {
        "webhook_id": view.webhook_id,
        "url": view.url,
        "description": view.description,
        "events": list(view.events),
        "kinds": list(view.kinds),
        "labels": dict(view.labels),
        "with_result": view.with_result,
        "disabled": view.disabled,
        "waiting": view.waiting,
        "dead": view.dead,
        "created_by": view.created_by,
        "created_at": iso_time(view.created_at),
        "old_secret_until": iso_time(view.old_secret_until) if view.old_secret_until is not None else None,
    }


def dead_document(letter: DeadDelivery) -> dict[str, Any]:
    """A dead letter for programs."""
    return {
        "delivery_id": letter.delivery_id,
        "webhook_id": letter.webhook_id,
        "event": letter.event,
        "execution_id": letter.execution_id or None,
        "created_at": iso_time(letter.created_at),
        "attempts": letter.attempts,
        "dead_at": iso_time(letter.dead_at),
        "problem": letter.problem,
    }


def _show_secret(made: WebhookSecret, words: str, as_json: bool) -> None:
    if as_json:
        print_json({**webhook_document(made.webhook), "secret": made.secret})
        return
    click.echo(words)
    click.echo("Its secret is shown this once:", err=True)
    click.echo(made.secret)


def _overlap(given: str | None) -> timedelta | None:
    return age_of(given) if given is not None else None


def _deliveries(count: int) -> str:
    return counted(count, "delivery") if count == 1 else f"{count:,} deliveries"


def _row(view: WebhookView) -> Sequence[str | Text]:
    state = "told" if view.disabled is None else "disabled"
    created = local_time(view.created_at)
    return view.webhook_id, state, str(view.waiting), str(view.dead), created, view.url, view.description


def _dead_row(letter: DeadDelivery) -> Sequence[str | Text]:
    return (
        letter.delivery_id,
        letter.webhook_id,
        letter.event,
        letter.execution_id,
        local_time(letter.created_at),
        str(letter.attempts),
        local_time(letter.dead_at),
        letter.problem,
    )


def _in_words(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(value)
        case dict():
            return ", ".join(f"{name}={each}" for name, each in value.items())
    return str(value)
