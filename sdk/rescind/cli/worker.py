"""`rescind worker`: runs the agents and tasks of a module, until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from rescind.cli.columns import printable
from rescind.cli.definitions import Definitions, definitions_at
from rescind.cli.options import address_option, json_option
from rescind.cli.refusals import refusals_in_one_line, server_extra_needed
from rescind.model.options import DEFAULT_QUEUE
from rescind.worker.worker import DEFAULT_SLOTS

if TYPE_CHECKING:
    from rescind.worker.connecting import ConnectedWorker


@click.command()
@click.argument("place", metavar="MODULE[:ATTRIBUTE]")
@click.option(
    "--queue",
    "queues",
    multiple=True,
    default=(DEFAULT_QUEUE,),
    show_default=True,
    help="Where it takes work from; may be given several times.",
)
@click.option(
    "--slots",
    default=DEFAULT_SLOTS,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many attempts it runs at once.",
)
@address_option("The server to work for.")
@json_option("Print a JSON object per line: working, stopping, stopped.")
def worker(place: str, queues: tuple[str, ...], slots: int, address: str, as_json: bool) -> None:
    """Run the agents and tasks that a module defines, or those of one of its attributes.

    The module is looked for in the current directory first. SIGTERM or Ctrl+C lets what runs end, and takes nothing
    new; a second Ctrl+C ends it at once. Where the server is not there it goes on trying.
    """
    with server_extra_needed():
        from rescind.worker.connecting import ConnectedWorker  # noqa: PLC0415 - `rescind demo` starts without gRPC
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    tell = _tell_json if as_json else _tell_words
    with refusals_in_one_line():
        found = definitions_at(place)

        async def work() -> None:
            made = ConnectedWorker(address, agents=found.agents, tasks=found.tasks, queues=queues, slots=slots)
            told = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, told.set)
            tell("working", worker_id=made.worker_id, address=address, queues=queues, **_kinds(found))
            await _run_until_told(made, told, lambda: tell("stopping"))

        asyncio.run(work())
    tell("stopped")


async def _run_until_told(made: ConnectedWorker, told: asyncio.Event, tell_stopping: Callable[[], None]) -> None:
    """Run a worker until it is told to stop, then stop it in order; from then on SIGINT ends the process."""
    running = asyncio.create_task(made.run())
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not running.done():
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        # By the kernel: it must work also where a task blocks the event loop.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # Only now: who reads it may press Ctrl+C in the same moment.
        tell_stopping()
        # Together: a server that refuses the worker while it drains ends the wait for what it runs, too.
        await asyncio.gather(running, made.stop())
    await running


def _kinds(found: Definitions) -> dict[str, tuple[str, ...]]:
    return {"agents": found.agents.kinds(), "tasks": found.tasks.kinds()}


def _tell_json(event: str, **facts: Any) -> None:
    click.echo(json.dumps({"event": event, **facts}))


def _tell_words(event: str, **facts: Any) -> None:
    match event:
        case "working":
            click.echo(
                f"Worker {facts['worker_id']} works for {facts['address']} on {_named('queue', facts['queues'])}. "
                f"Ctrl+C stops it.\nIt runs {_named('agent', facts['agents'])}, and {_named('task', facts['tasks'])}."
            )
        case "stopping":
            click.echo("Stopping: what runs may end, nothing new is taken. Ctrl+C again ends it at once.")
        case _:
            click.echo("Stopped.")


def _named(sort: str, names: tuple[str, ...]) -> str:
    if not names:
        return f"no {sort}s"
    return f"the {sort}{'s' if len(names) > 1 else ''} {', '.join(map(printable, names))}"
