"""`rescind run` and `rescind attach`: one command as a durable execution, with its output as it comes."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec
from click.core import ParameterSource

from rescind.cli.command_agent import COMMAND_TASK, GO, CommandRequest, run_command
from rescind.cli.options import Remote, labels_given, remote_options
from rescind.cli.refusals import EXIT_BAD_INPUT, EXIT_NOT_COMPLETED, Refused, refusals_in_one_line
from rescind.cli.remote import ask_either
from rescind.errors import ExecutionEnded, ExecutionWasCancelled, TaskFailed, TaskTimedOut
from rescind.executors import Command, CommandResult, shell_commands
from rescind.model.agent_values import StreamEvent
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.output import OUTPUT, OutputPiece

if TYPE_CHECKING:
    from rescind.client.client import ExecutionHandle
    from rescind.client.connecting import Client
    from rescind.embedding import Embedded
    from rescind.temporal import TemporalClient

# As shells and `env` say it.
EXIT_CANNOT_BE_RUN: Final = 126
EXIT_NO_SUCH_COMMAND: Final = 127
_EXIT_SIGNALLED: Final = 128
# Its own worker shows everything: what cannot be shown as fast as it comes slows the command down.
_EVERYTHING: Final = 1 << 40


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("words", metavar="COMMAND…", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable; may be given several times.")
@click.option("--cwd", metavar="FOLDER", help="Its working folder; else this one.")
@click.option("--grace", type=click.FloatRange(min=0), default=10.0, show_default=True, help="Seconds to stop in.")
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds after which it is stopped.")
@click.option("--id", "execution_id", help="Its id, for `rescind show` and `rescind attach`.")
@click.option("--store", type=click.Path(dir_okay=False, path_type=Path), help="Keep its history in this file.")
@click.option("--queue", default=DEFAULT_QUEUE, show_default=True, help="On a server: where it is put.")
@click.option("--detach", is_flag=True, help="On a server: print its id, and leave it running.")
@remote_options("Run it on this server, by a worker that allows the command; not given, it runs here.", clusters=True)
def run(
    words: tuple[str, ...],
    variables: tuple[str, ...],
    cwd: str | None,
    grace: float,
    timeout: float | None,
    execution_id: str | None,
    store: Path | None,
    queue: str,
    detach: bool,
    remote: Remote,
) -> None:
    """Run a COMMAND, and show what it writes.

    A single word with blanks in it is a line for the shell; else the words are the program and its arguments. Ctrl+C
    cancels it with all that descends from it: SIGTERM, and SIGKILL when the grace is over. A second Ctrl+C kills it.
    The exit code is that of the command; 126 and 127 say that it could not be run, 128 and a number that a signal ended
    it.
    """
    source = click.get_current_context().get_parameter_source
    is_remote = detach or any(source(option) is ParameterSource.COMMANDLINE for option in ("address", "temporal"))
    if is_remote and store is not None:
        raise Refused("--store is for a command that runs here; a server keeps what it runs.", EXIT_BAD_INPUT)
    with refusals_in_one_line():
        request = CommandRequest(
            command=_command(words, variables, cwd, here=not is_remote),
            grace=grace,
            timeout=timeout,
            listened_to=not detach,
        )
    if not is_remote:
        with refusals_in_one_line():
            code = asyncio.run(_run_here(request, execution_id, store))
    else:
        code = ask_either(remote, lambda client: _run_there(client, request, execution_id, queue, detach))
    click.get_current_context().exit(code)


@click.command()
@click.argument("execution_id", metavar="ID")
@click.option(
    "--store",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Look for it in this file, in which `rescind run --store` kept it, and at no server.",
)
@remote_options("The server to ask.", clusters=True)
def attach(execution_id: str, store: Path | None, remote: Remote) -> None:
    """Come back to a command that `rescind run` left running: show what it wrote so far, and follow it to its end.

    Of a long output the last 1 MiB is kept; how much came before is told. Ctrl+C leaves it running. The exit code is
    that of the command.
    """

    async def work(client: Client | TemporalClient | Embedded) -> int:
        handle = client.handle(execution_id, CommandResult)
        await handle.status()
        return await _Audience(handle).see_to_its_end()

    async def work_here(file: Path) -> int:
        async with _embedded(file) as environment:
            return await work(environment)

    if store is None:
        code = ask_either(remote, work)
    else:
        with refusals_in_one_line():
            code = asyncio.run(work_here(store))
    click.get_current_context().exit(code)


def _command(words: tuple[str, ...], variables: tuple[str, ...], cwd: str | None, *, here: bool) -> Command:
    is_line = len(words) == 1 and any(letter.isspace() for letter in words[0])
    folder = str(Path(cwd).absolute()) if cwd is not None and here else cwd
    return Command(command=words[0] if is_line else list(words), env={**labels_given(variables)}, cwd=folder)


def _embedded(store: Path | None) -> Embedded:
    from rescind.embedding import Embedded  # noqa: PLC0415 - `rescind run --address` needs no engine

    definition = shell_commands(COMMAND_TASK, allowed=["*"], check=False, streamed_per_second=_EVERYTHING)
    return Embedded([run_command], [definition], store=store)


async def _run_here(request: CommandRequest, execution_id: str | None, store: Path | None) -> int:
    async with _embedded(store) as environment:
        handle = await environment.start(run_command, request, id=execution_id)
        # Left by a second Ctrl+C, the environment kills what still runs.
        return await _attended(handle, force=None)


async def _run_there(
    client: Client | TemporalClient, request: CommandRequest, execution_id: str | None, queue: str, detach: bool
) -> int:
    handle = await client.start(run_command, request, id=execution_id, queue=queue)
    if detach:
        click.echo(handle.id)
        return 0
    return await _attended(handle, force=lambda: handle.cancel("Ctrl+C, twice", hard=True))


async def _attended(handle: ExecutionHandle[CommandResult], force: Callable[[], Awaitable[Any]] | None) -> int:
    """Show a command to its end; Ctrl+C and SIGTERM cancel it, the second of them by force."""
    told: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.put_nowait, number)
    seeing = asyncio.create_task(_Audience(handle).see_to_its_end(begin=True))
    first: signal.Signals | None = None
    try:
        while True:
            listening = asyncio.create_task(told.get())
            await asyncio.wait([seeing, listening], return_when=asyncio.FIRST_COMPLETED)
            if seeing.done():
                listening.cancel()
                code = seeing.result()
                return code if first is None or code != EXIT_NOT_COMPLETED else _EXIT_SIGNALLED + first
            if first is not None:
                if force is not None:
                    await force()
                return _EXIT_SIGNALLED + listening.result()
            first = listening.result()
            await handle.cancel("Ctrl+C" if first is signal.SIGINT else first.name)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        seeing.cancel()
        await asyncio.wait([seeing])


class _Audience:
    """Shows what a command writes, and how it ends."""

    def __init__(self, handle: ExecutionHandle[CommandResult]) -> None:
        self._handle = handle
        self._shown: set[str] = set()
        # How much was left out behind what was shown last, by stream.
        self._gaps: dict[str, int] = {}

    async def see_to_its_end(self, *, begin: bool = False) -> int:
        """Show it all; returns the exit code. With `begin`, the command waits for its audience."""
        async with aclosing(self._handle.follow(output=True)) as events:
            async for event in events:
                if begin:
                    begin = False
                    with suppress(ExecutionEnded):  # started with an id under which it ran before
                        await self._handle.signal(GO)
                if isinstance(event, StreamEvent) and event.kind == OUTPUT:
                    self._show(msgspec.convert(event.value, OutputPiece))
        code = await self._exit_code()
        for stream, gap in self._gaps.items():
            _tell_gap(stream, gap)
        return code

    def _show(self, piece: OutputPiece) -> None:
        self._shown.add(piece.stream)
        _tell_gap(piece.stream, self._gaps.pop(piece.stream, 0))
        _write(piece.stream, piece.data)
        if piece.left_out:
            self._gaps[piece.stream] = piece.left_out

    async def _exit_code(self) -> int:
        try:
            result = await self._handle.result()
        except ExecutionWasCancelled as error:
            _tell(f"cancelled: {error.cause}" if error.cause is not None else "cancelled.")
            return EXIT_NOT_COMPLETED
        except TaskTimedOut as error:
            _tell(error.error)
            return EXIT_NOT_COMPLETED
        except TaskFailed as error:
            _tell(error.error)
            return EXIT_NO_SUCH_COMMAND if "No such file" in error.error else EXIT_CANNOT_BE_RUN
        for stream, end, size in (
            ("stdout", result.stdout, result.stdout_bytes),
            ("stderr", result.stderr, result.stderr_bytes),
        ):
            # A server that crashed has lost it, or it has ended before it was kept.
            if stream not in self._shown and end:
                if size > len(end.encode()):
                    _tell(f"of its {stream} only the end is kept.")
                _write(stream, end.encode())
            elif gap := self._gaps.pop(stream, 0):
                # It wrote too fast to be shown; the end of it came with the result.
                last = end.encode()[-gap:]
                _tell_gap(stream, gap - len(last))
                _write(stream, last)
        return result.exit_code


def _write(stream: str, data: bytes) -> None:
    file = sys.stdout if stream == "stdout" else sys.stderr
    file.buffer.write(data)
    file.flush()


def _tell_gap(stream: str, size: int) -> None:
    if size > 0:
        _tell(f"{size:,} bytes of its {stream} are left out here.")


def _tell(text: str) -> None:
    click.echo(f"rescind: {text}", err=True)
