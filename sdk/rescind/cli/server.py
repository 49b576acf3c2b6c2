"""`rescind server`: the server, until it is told to stop."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from pathlib import Path
from typing import Literal

import click

from rescind.cli.columns import printable
from rescind.cli.options import address_option, json_option
from rescind.cli.refusals import refusals_in_one_line, server_extra_needed


@click.command()
@click.option(
    "--store",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    envvar="RESCIND_STORE",
    show_envvar=True,
    help="Where everything is kept. Without it: in memory, for as long as the server runs.",
)
@click.option(
    "--durability",
    type=click.Choice(["full", "normal", "off"]),
    default="full",
    show_default=True,
    help="What an answer waits for. full: the disk has it, and it outlives a loss of power. normal: a crash of the "
    "server loses nothing, a loss of power the last moments. off: a loss of power may spoil the file.",
)
@address_option("Where to serve; port 0 takes a free one.")
@json_option("Print a JSON object per line: serving, stopped.")
def server(store: Path | None, durability: Literal["full", "normal", "off"], address: str, as_json: bool) -> None:
    """Run the server until SIGTERM or Ctrl+C; it then stops in order."""
    with server_extra_needed():
        from rescind.cli.serving import serve_until_told  # noqa: PLC0415 - `rescind demo` starts without gRPC

    def tell(served_at: str) -> None:
        click.echo(_as_json(served_at, store, durability) if as_json else _in_words(served_at, store, durability))

    with refusals_in_one_line():
        asyncio.run(serve_until_told(store, address, durability, tell))
    click.echo(json.dumps({"event": "stopped"}) if as_json else "Stopped.")


def _as_json(address: str, store: Path | None, durability: str) -> str:
    return json.dumps(
        {
            "event": "serving",
            "address": address,
            "store": str(store.absolute()) if store is not None else None,
            "durability": durability if store is not None else None,
            "access": "open",
            "loopback": is_loopback(address),
        }
    )


def _in_words(address: str, store: Path | None, durability: str) -> str:
    kept = (
        f"Everything is kept in {printable(str(store.absolute()))}, with durability {durability}."
        if store is not None
        else "Everything is kept in memory, and gone when it stops: --store FILE keeps it."
    )
    access = (
        "Access is open to every program on this machine, and to no other: it listens on the loopback alone."
        if is_loopback(address)
        else "WARNING: access is open to everybody who can reach this address. Let none but your own network do so."
    )
    return f"Rescind serves at {address}. Ctrl+C stops it.\n{kept}\n{access}"


def is_loopback(address: str) -> bool:
    """Whether only programs on this machine can reach an address."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
