"""Carries out a command's work on a server, or on a Temporal cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rescind.cli.options import Remote
from rescind.cli.refusals import refusals_in_one_line, server_extra_needed
from rescind.cli.temporal import refuse_cluster

if TYPE_CHECKING:
    from rescind.client.connecting import Client
    from rescind.temporal import TemporalClient

ResultT = TypeVar("ResultT")


def ask(remote: Remote, work: Callable[[Client], Awaitable[ResultT]]) -> ResultT:
    """Connect to a server, do the work, and leave.

    Raises:
        Refused: the server refused, could not be reached, or gRPC is not installed; or a cluster is meant.
    """
    if remote.cluster is not None:
        refuse_cluster()
    with server_extra_needed():
        from rescind.client.connecting import Client  # noqa: PLC0415 - `rescind demo` starts without gRPC

    async def connected() -> ResultT:
        async with Client(remote.address, token=remote.token, tls=remote.tls or False) as client:
            return await work(client)

    with refusals_in_one_line():
        return asyncio.run(connected())


def ask_either(remote: Remote, work: Callable[[Client | TemporalClient], Awaitable[ResultT]]) -> ResultT:
    """As `ask`, where a cluster can do it as well.

    Raises:
        Refused: who was asked refused, or could not be reached; or what it is reached with is not installed.
    """
    cluster = remote.cluster
    if cluster is None:
        return ask(remote, work)

    async def connected() -> ResultT:
        async with cluster.client() as client:
            return await work(client)

    with refusals_in_one_line():
        return asyncio.run(connected())


def print_json(value: Any) -> None:
    """Print a document for programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
