"""`rescind token`: who is let in by a server, kept beside its store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from rescind.cli.columns import columns, console_for_lines, print_whole
from rescind.cli.options import json_option, setting_option
from rescind.cli.refusals import EXIT_BAD_INPUT, Refused, refusals_in_one_line
from rescind.cli.remote import print_json
from rescind.cli.times import local_time
from rescind.model.ages import age_of
from rescind.model.commands import DEFAULT_ORGANISATION
from rescind.model.events import iso_time
from rescind.model.ids import Instant
from rescind.settings import user_name
from rescind_server.access.token_file import TokenFile, beside
from rescind_server.access.tokens import Role, Token

_HEADINGS: Final = ("ID", "NAME", "ROLE", "ORGANISATION", "STATE", "CREATED", "EXPIRES")


def _where(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where tokens are kept."""
    store = setting_option(
        "--store",
        setting="store",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="The server's store: the tokens are kept beside it, in FILE.tokens.",
    )
    tokens = click.option(
        "--tokens",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Where the tokens are kept, if not beside a store.",
    )
    return store(tokens(command))


@click.group()
def token() -> None:
    """Make, list and revoke the tokens that let callers and workers in.

    A server that finds tokens when it starts lets nobody else in; later changes hold at once.
    """


@token.command()
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="client: starts executions; sees and cancels its own. worker: runs code. operator: sees and cancels all.",
)
@click.option("--organisation", default=DEFAULT_ORGANISATION, show_default=True, help="Whose executions it reaches.")
@click.option("--expires", metavar="AGE", help="How long it is valid, as 12h or 90d. Without it: until it is revoked.")
@_where
@json_option("Print one JSON object: token, and what is kept of it.")
def create(
    name: str, role: str, organisation: str, expires: str | None, store: Path | None, tokens: Path | None, as_json: bool
) -> None:
    """Make a token for NAME, and show it: this once, for it is kept nowhere.

    Several tokens may have one name: make a new one, use it, revoke the old one.
    """
    now = _now()
    with refusals_in_one_line():
        end = Instant(now + round(age_of(expires).total_seconds() * 1e6)) if expires is not None else None
        file = _file(store, tokens)
        made, text = file.create(name, Role(role), now, organisation=organisation, expires_at=end, by=_user())
    if as_json:
        print_json({"token": text, **_document(made, now)})
        return
    click.echo(f"Token {made.token_id} for {made.principal} of organisation {made.organisation}; kept in {file.path}.")
    click.echo("It is shown this once:", err=True)
    click.echo(text)


@token.command("list")
@_where
@json_option("Print a JSON object per line and token.")
def list_tokens(store: Path | None, tokens: Path | None, as_json: bool) -> None:
    """List the tokens, the oldest first."""
    now = _now()
    with refusals_in_one_line():
        found = _file(store, tokens).read()
    if as_json:
        for each in found:
            click.echo(json.dumps(_document(each, now)))
        return
    if not found:
        click.echo("There are no tokens: every program on the server's machine is let in.", err=True)
        return
    print_whole(console_for_lines(), columns(_HEADINGS, _rows(found, now)))


@token.command()
@click.argument("token_id", metavar="ID")
@_where
@json_option("Print one JSON object: what is kept of it.")
def revoke(token_id: str, store: Path | None, tokens: Path | None, as_json: bool) -> None:
    """Revoke the token with this ID; repeating that is harmless."""
    now = _now()
    with refusals_in_one_line():
        revoked = _file(store, tokens).revoke(token_id, now, by=_user())
    if as_json:
        print_json(_document(revoked, now))
    else:
        click.echo(f"Token {revoked.token_id} of {revoked.principal} is revoked.")


def _file(store: Path | None, tokens: Path | None) -> TokenFile:
    if tokens is not None:
        return TokenFile(tokens)
    if store is None:
        raise Refused("where are the tokens kept? Give --store, the server's store, or --tokens.", EXIT_BAD_INPUT)
    return TokenFile(beside(store))


def _document(kept: Token, now: Instant) -> dict[str, Any]:
    return {
        "token_id": kept.token_id,
        "name": kept.name,
        "role": kept.role.value,
        "organisation": kept.organisation,
        "state": kept.state(now),
        "created_at": iso_time(kept.created_at),
        "expires_at": iso_time(kept.expires_at) if kept.expires_at is not None else None,
        "revoked_at": iso_time(kept.revoked_at) if kept.revoked_at is not None else None,
    }


def _rows(found: Iterable[Token], now: Instant) -> list[tuple[str | Text, ...]]:
    return [
        (
            each.token_id,
            each.name,
            each.role.value,
            each.organisation,
            each.state(now),
            local_time(each.created_at),
            local_time(each.expires_at) if each.expires_at is not None else "never",
        )
        for each in found
    ]


def _user() -> str:
    return f"user:{user_name()}"


def _now() -> Instant:
    return Instant(time.time_ns() // 1_000)
