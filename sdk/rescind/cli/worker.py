"""`rescind worker`: runs the agents and tasks of a module, until it is told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from rescind.authoring.container_work import ContainerWork
from rescind.cli.command_agent import COMMAND_TASK, run_command
from rescind.cli.definitions import Definitions, definitions_at, no_definitions
from rescind.cli.log import Log, log_options, log_to_stderr
from rescind.cli.options import Remote, json_option, remote_options, setting_option, settings_here
from rescind.cli.printable import printable
from rescind.cli.refusals import EXIT_BAD_INPUT, Refused, refusals_in_one_line, server_extra_needed
from rescind.cli.temporal import Cluster
from rescind.cli.temporal_worker import Tuning, check_tuning, tuning_options, work_on_cluster
from rescind.executors import container_images, shell_commands
from rescind.interpreter import settle
from rescind.model.messages import DEFAULT_AGENT_SLOTS
from rescind.model.options import DEFAULT_QUEUE
from rescind.telemetry.exporting import export_spans
from rescind.worker.worker import DEFAULT_SLOTS

if TYPE_CHECKING:
    from temporalio.client import Client as TemporalConnection

    from rescind.worker.connecting import Protocol, Worker


def _queues(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return given or (settings_here().queue,)


@click.command()
@click.argument("place", metavar="[MODULE[:ATTRIBUTE]]", required=False)
@click.option(
    "--allow-shell",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="Also run commands that callers choose, if they match, as 'git log *'; may be given several times. '*' allows "
    "everything.",
)
@click.option(
    "--allow-image",
    "images",
    multiple=True,
    metavar="PATTERN",
    help="Also run containers that callers choose, if their image matches, as 'alpine:*'; may be given several times.",
)
@click.option(
    "--mount-root",
    "mount_roots",
    multiple=True,
    metavar="FOLDER",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    help="Such containers may mount what lies in this folder; may be given several times. Else they mount nothing.",
)
@setting_option(
    "--queue",
    "queues",
    setting="queue",
    default=DEFAULT_QUEUE,
    multiple=True,
    callback=_queues,
    help="Where it takes work from; may be given several times.",
)
@setting_option(
    "--slots",
    setting="slots",
    default=str(DEFAULT_SLOTS),
    type=click.IntRange(min=1),
    help="How many attempts it runs at once. With --temporal: per queue, and else 100.",
)
@setting_option(
    "--agent-slots",
    setting="agent_slots",
    default=str(DEFAULT_AGENT_SLOTS),
    type=click.IntRange(min=1),
    help="How many runs of agents it keeps in memory.",
)
@click.option(
    "--otlp",
    metavar="URL",
    help="Send traces to this collector, as http://localhost:4318; else where OTEL_EXPORTER_OTLP_ENDPOINT says.",
)
@click.option(
    "--protocol",
    type=click.Choice(["native", "flovyn.v1"]),
    default="native",
    show_default=True,
    help="What it speaks with the server. With flovyn.v1 it works for any server of that protocol, and can do less.",
)
@tuning_options
@remote_options("The server to work for.", clusters=True)
@log_options
@json_option("Print a JSON object per line: working, stopping, stopped.")
def worker(
    place: str | None,
    patterns: tuple[str, ...],
    images: tuple[str, ...],
    mount_roots: tuple[str, ...],
    queues: tuple[str, ...],
    slots: int | None,
    agent_slots: int | None,
    otlp: str | None,
    protocol: Protocol,
    tuning: Tuning,
    remote: Remote,
    log: Log,
    as_json: bool,
) -> None:
    """Run the agents and tasks that a module defines, or those of one of its attributes.

    The module is looked for in the current directory first. SIGTERM or Ctrl+C lets what runs end, and takes nothing
    new; a second Ctrl+C ends it at once. Where the server is not there it goes on trying; where a cluster is not there,
    it says so and ends.
    """
    check_tuning(tuning, remote.cluster)
    if protocol != "native" and remote.cluster is not None:
        raise Refused("--protocol is for servers: leave it away with --temporal.", EXIT_BAD_INPUT)
    log_to_stderr(log)
    with refusals_in_one_line():
        export_spans("rescind-worker", otlp)
    tell = _tell_json if as_json else _tell_words
    with refusals_in_one_line():
        if remote.cluster is None:
            # Before the module, which may need it, too: what to install is said in our words.
            with server_extra_needed():
                import rescind.worker.connecting  # noqa: F401, PLC0415 - `rescind demo` starts without gRPC
        found = _definitions(place, patterns, images, mount_roots)
        if remote.cluster is None:
            asyncio.run(_work(remote, found, queues, slots, agent_slots, protocol, tell))
        else:
            asyncio.run(_work_on(remote.cluster, found, queues, slots, agent_slots, tuning, tell))
    tell("stopped")


async def _work(
    remote: Remote,
    found: Definitions,
    queues: tuple[str, ...],
    slots: int | None,
    agent_slots: int | None,
    protocol: Protocol,
    tell: Callable[..., None],
) -> None:
    from rescind.worker.connecting import Worker  # noqa: PLC0415 - `rescind demo` starts without gRPC

    made = Worker(
        remote.address,
        agents=found.agents,
        tasks=found.tasks,
        workflows=found.workflows,
        queues=queues,
        slots=slots,
        agent_slots=agent_slots,
        token=remote.token,
        tls=remote.tls or False,
        protocol=protocol,
    )
    told = _told_by_signals()
    settle()
    tell("working", worker_id=made.worker_id, address=remote.address, queues=queues, **_kinds(found))
    with ExitStack() as stack:

        def before_stop() -> None:
            stack.enter_context(_second_interrupt_ends(found))
            # Only now: who reads it may press Ctrl+C in the same moment.
            tell("stopping")

        await _run_until_told(made, told, before_stop)


async def _work_on(
    cluster: Cluster,
    found: Definitions,
    queues: tuple[str, ...],
    slots: int | None,
    agent_slots: int | None,
    tuning: Tuning,
    tell: Callable[..., None],
) -> None:
    def tell_working(client: TemporalConnection) -> None:
        where = {"address": client.service_client.config.target_host, "namespace": client.namespace}
        settle()
        tell("working", worker_id=client.identity, **where, queues=queues, **_kinds(found))

    told = _told_by_signals()
    with ExitStack() as stack:

        def before_stop() -> None:
            stack.enter_context(_second_interrupt_ends(found))
            tell("stopping")

        await work_on_cluster(cluster, found, queues, slots, agent_slots, tuning, told, tell_working, before_stop)


def _told_by_signals() -> asyncio.Event:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


def _definitions(
    place: str | None, patterns: tuple[str, ...], images: tuple[str, ...], mount_roots: tuple[str, ...]
) -> Definitions:
    if place is None and not patterns and not images:
        raise Refused("there is nothing to run. Give a MODULE, --allow-shell or --allow-image.", EXIT_BAD_INPUT)
    if mount_roots and not images:
        raise Refused("--mount-root is for containers that callers choose. Give --allow-image, too.", EXIT_BAD_INPUT)
    found = definitions_at(place) if place is not None else no_definitions()
    if patterns:
        found.agents.register(run_command)
        found.tasks.register(shell_commands(COMMAND_TASK, allowed=patterns, check=False))
    if images:
        found.tasks.register(container_images(allowed=images, mount_roots=mount_roots))
    return found


async def _run_until_told(made: Worker, told: asyncio.Event, before_stop: Callable[[], None]) -> None:
    """Run a worker until it is told to stop, then stop it in order; from then on SIGINT ends the process."""
    running = asyncio.create_task(made.run())
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not running.done():
        before_stop()
        # Together: a server that refuses the worker while it drains ends the wait for what it runs, too.
        await asyncio.gather(running, made.stop())
    await running


@contextmanager
def _second_interrupt_ends(found: Definitions) -> Iterator[None]:
    """A block in which Ctrl+C ends this process, and all that it runs with it."""
    asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
    # By the kernel: it must work also where a task blocks the event loop.
    if not any(isinstance(definition.work, ContainerWork) for definition in found.tasks):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        yield
        return
    # Processes end with their worker; containers need somebody who ends them. It is slow to import, and seldom needed.
    from rescind.worker.executors.container_removal import removed_if_killed  # noqa: PLC0415

    with removed_if_killed():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        yield


def _kinds(found: Definitions) -> dict[str, tuple[str, ...]]:
    workflows = {"workflows": found.workflows.kinds()} if len(found.workflows) else {}
    return {"agents": found.agents.kinds(), "tasks": found.tasks.kinds(), **workflows}


def _tell_json(event: str, **facts: Any) -> None:
    click.echo(json.dumps({"event": event, **facts}))


def _tell_words(event: str, **facts: Any) -> None:
    match event:
        case "working":
            namespace = f", namespace {printable(facts['namespace'])}," if "namespace" in facts else ""
            click.echo(
                f"Worker {facts['worker_id']} works for {facts['address']}{namespace} on "
                f"{_named('queue', facts['queues'])}. Ctrl+C stops it.\n"
                f"It runs {_named('agent', facts['agents'])}, and {_named('task', facts['tasks'])}."
                + (f" And {_named('workflow', facts['workflows'])}." if "workflows" in facts else "")
            )
        case "stopping":
            click.echo("Stopping: what runs may end, nothing new is taken. Ctrl+C again ends it at once.")
        case _:
            click.echo("Stopped.")


def _named(sort: str, names: tuple[str, ...]) -> str:
    if not names:
        return f"no {sort}s"
    return f"the {sort}{'s' if len(names) > 1 else ''} {', '.join(map(printable, names))}"
