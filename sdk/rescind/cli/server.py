"""`rescind server`: the server, until it is told to stop."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Literal

import click

from rescind.cli.access import Access, Serving, access_options
from rescind.cli.log import Log, log_options, log_to_stderr
from rescind.cli.options import address_option, checked_retention, json_option, setting_option
from rescind.cli.printable import printable
from rescind.cli.refusals import refusals_in_one_line, server_extra_needed
from rescind.cli.times import age_in_words
from rescind.settings import DURABILITIES


@click.command()
@setting_option(
    "--store",
    setting="store",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where everything is kept. Without it: in memory, for as long as the server runs.",
)
@setting_option(
    "--durability",
    setting="durability",
    default="full",
    type=click.Choice(DURABILITIES),
    help="What an answer waits for. full: the disk has it, and it outlives a loss of power. normal: a crash of the "
    "server loses nothing, a loss of power the last moments. off: a loss of power may spoil the file.",
)
@setting_option(
    "--retention",
    setting="retention",
    metavar="AGE",
    callback=checked_retention,
    help="How long executions are kept after their end, as 12h or 30d. Without it: for ever.",
)
@address_option("Where to serve; port 0 takes a free one.")
@access_options
@log_options
@json_option("Print a JSON object per line: serving, stopped.")
def server(
    store: Path | None,
    durability: Literal["full", "normal", "off"],
    retention: timedelta | None,
    address: str,
    access: Access,
    log: Log,
    as_json: bool,
) -> None:
    """Run the server until SIGTERM or Ctrl+C; it then stops in order."""
    with server_extra_needed():
        from rescind.cli.serving import serve_until_told  # noqa: PLC0415 - `rescind demo` starts without gRPC

    log_to_stderr(log)

    def tell(serving: Serving) -> None:
        told = _as_json if as_json else _in_words
        click.echo(told(serving, store, durability, retention))

    with refusals_in_one_line():
        asyncio.run(serve_until_told(store, address, durability, retention, access, tell))
    click.echo(json.dumps({"event": "stopped"}) if as_json else "Stopped.")


def _as_json(serving: Serving, store: Path | None, durability: str, retention: timedelta | None) -> str:
    return json.dumps(
        {
            "event": "serving",
            "address": serving.address,
            "http": serving.http_address,
            "store": str(store.absolute()) if store is not None else None,
            "durability": durability if store is not None else None,
            "retention_s": retention.total_seconds() if retention is not None else None,
            "access": "tokens" if serving.asks_for_tokens else "open",
            "tls": serving.is_encrypted,
            "loopback": serving.is_loopback,
        }
    )


def _in_words(serving: Serving, store: Path | None, durability: str, retention: timedelta | None) -> str:
    kept = (
        f"Everything is kept in {printable(str(store.absolute()))}, with durability {durability}."
        if store is not None
        else "Everything is kept in memory, and gone when it stops: --store FILE keeps it."
    )
    if retention is not None:
        age = age_in_words(round(retention.total_seconds() * 1e6))
        kept += f"\nExecutions that have ended are kept for {age}."
    http = f"HTTP is served at {serving.http_address}.\n" if serving.http_address is not None else ""
    return f"Rescind serves at {serving.address}. Ctrl+C stops it.\n{http}{kept}\n{serving.access_in_words()}"
