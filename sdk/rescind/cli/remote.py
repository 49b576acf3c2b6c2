"""Carries out a command's work on a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rescind.cli.options import Remote
from rescind.cli.refusals import refusals_in_one_line, server_extra_needed

if TYPE_CHECKING:
    from rescind.client.connecting import Client

ResultT = TypeVar("ResultT")


def ask(remote: Remote, work: Callable[[Client], Awaitable[ResultT]]) -> ResultT:
    """Connect, do the work, and leave.

    Raises:
        Refused: the server refused, could not be reached, or gRPC is not installed.
    """
    with server_extra_needed():
        from rescind.client.connecting import Client  # noqa: PLC0415 - `rescind demo` starts without gRPC

    async def connected() -> ResultT:
        async with Client(remote.address, token=remote.token) as client:
            return await work(client)

    with refusals_in_one_line():
        return asyncio.run(connected())


def print_json(value: Any) -> None:
    """Print a document for programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
