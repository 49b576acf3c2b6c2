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
from click.core import ParameterSource

from rescind.cli.command_agent import COMMAND_TASK, GO, CommandRequest, run_command
from rescind.cli.options import Remote, labels_given, remote_options
from rescind.cli.refusals import EXIT_BAD_INPUT, EXIT_NOT_COMPLETED, Refused, refusals_in_one_line
from rescind.cli.remote import ask
from rescind.errors import ExecutionWasCancelled, TaskFailed, TaskTimedOut
from rescind.executors import Command, CommandResult, shell_commands
from rescind.model.agent_values import StreamEvent
from rescind.model.options import DEFAULT_QUEUE

if TYPE_CHECKING:
    from rescind.client.client import ExecutionHandle
    from rescind.client.connecting import Client

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
@remote_options("Run it on this server, by a worker that allows the command; not given, it runs here.")
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
    is_remote = detach or click.get_current_context().get_parameter_source("address") is ParameterSource.COMMANDLINE
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
        code = ask(remote, lambda client: _run_there(client, request, execution_id, queue, detach))
    click.get_current_context().exit(code)


@click.command()
@click.argument("execution_id", metavar="ID")
@remote_options("The server to ask.")
def attach(execution_id: str, remote: Remote) -> None:
    """Come back to a command that `rescind run` left running: show what it writes from now on, to its end.

    A command that has ended meanwhile shows the end of its output. Ctrl+C leaves it running. The exit code is that of
    the command.
    """

    async def work(client: Client) -> int:
        handle = client.handle(execution_id, CommandResult)
        await handle.status()
        return await _Audience(handle).see_to_its_end()

    click.get_current_context().exit(ask(remote, work))


def _command(words: tuple[str, ...], variables: tuple[str, ...], cwd: str | None, *, here: bool) -> Command:
    is_line = len(words) == 1 and any(letter.isspace() for letter in words[0])
    folder = str(Path(cwd).absolute()) if cwd is not None and here else cwd
    return Command(command=words[0] if is_line else list(words), env={**labels_given(variables)}, cwd=folder)


async def _run_here(request: CommandRequest, execution_id: str | None, store: Path | None) -> int:
    from rescind.embedding import Embedded  # noqa: PLC0415 - `rescind run --address` needs no engine

    definition = shell_commands(COMMAND_TASK, allowed=["*"], check=False, streamed_per_second=_EVERYTHING)
    async with Embedded([run_command], [definition], store=store) as environment:
        handle = await environment.start(run_command, request, id=execution_id)
        # Left by a second Ctrl+C, the environment kills what still runs.
        return await _attended(handle, force=None)


async def _run_there(
    client: Client, request: CommandRequest, execution_id: str | None, queue: str, detach: bool
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

    async def see_to_its_end(self, *, begin: bool = False) -> int:
        """Show it all; returns the exit code. With `begin`, the command waits for its audience."""
        async with aclosing(self._handle.follow()) as events:
            async for event in events:
                if begin:
                    begin = False
                    await self._handle.signal(GO)
                if isinstance(event, StreamEvent) and event.kind == "output":
                    self._show(event.value)
        return await self._exit_code()

    def _show(self, said: dict[str, Any]) -> None:
        self._shown.add(said["stream"])
        _write(said["stream"], said["text"])
        if said.get("left_out"):
            _tell(f"{said['left_out']:,} bytes of its {said['stream']} are left out here.")

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
            # It was written before somebody listened.
            if stream not in self._shown and end:
                if size > len(end.encode()):
                    _tell(f"of its {stream} only the end is kept.")
                _write(stream, end)
        return result.exit_code


def _write(stream: str, text: str) -> None:
    file = sys.stdout if stream == "stdout" else sys.stderr
    with suppress(UnicodeEncodeError):
        file.write(text)
        file.flush()
        return
    file.buffer.write(text.encode("utf-8"))
    file.flush()


def _tell(text: str) -> None:
    click.echo(f"rescind: {text}", err=True)
