"""Programs, each in a session of its own. A cancel is SIGTERM to all that descends from it, then SIGKILL."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from rescind.authoring.container_work import ContainerResult, ContainerWork
from rescind.authoring.shell import Command, CommandResult, ShellWork
from rescind.authoring.task import TaskDefinition
from rescind.errors import NonRetryable, RescindError
from rescind.model.agent_values import StreamEvent
from rescind.model.output import OUTPUT, OutputPiece
from rescind.model.trace_parent import VARIABLE
from rescind.runtime.task_context import TaskContext
from rescind.telemetry.traces import current_trace_parent
from rescind.worker.executors.output import Allowance, Output, OutputFile, OutputReader
from rescind.worker.executors.supervision import ForkServer, Gone, NotStarted, see_through

ResultT = TypeVar("ResultT", bound=CommandResult)

_LAST_LINES: Final = 20
_LAST_LETTERS: Final = 4_000
# What a worker holds for itself, and no program of others is to read.
_SECRETS: Final = ("RESCIND_TOKEN",)


class CommandFailed(RescindError):
    """A program ended with an exit code other than 0, or by a signal."""


class ShellExecutor:
    """See `Executor`."""

    hooks_end_it = False
    ends_by_force = True

    def __init__(self, server: ForkServer) -> None:
        """Processes are begun by `server`, which is closed by who made it."""
        self._server = server

    async def run(self, definition: TaskDefinition[Any, Any], context: TaskContext, task_input: Any) -> CommandResult:
        """See `Executor.run`.

        Raises:
            CommandFailed: it ended otherwise than with exit code 0, and that is to be checked.
            NonRetryable: it could not be begun.
        """
        work = definition.work
        assert isinstance(work, ShellWork)
        command = work.command_for(task_input)
        streams = Streams(context, work)
        try:
            gone = await self._carry_out(command, context, streams)
        finally:
            streams.finish()
        return checked(_result(gone, streams), work)

    async def _carry_out(self, command: Command, context: TaskContext, streams: Streams) -> Gone:
        arguments = command.arguments()
        process = self._server.begin(
            arguments,
            attempt=f"{context.task_id}/{context.attempt}",
            files=[_input_of(command), streams.reader.open(streams.stdout), streams.reader.open(streams.stderr)],
            environment=_environment(command, current_trace_parent()),
            folder=command.cwd,
        )
        try:
            return await see_through(process, context)
        except NotStarted as error:
            place = f" in the folder {command.cwd!r}" if command.cwd is not None else ""
            raise NonRetryable(f"{arguments[0]!r} cannot be run{place}: {error}") from None
        finally:
            process.close()

    def prepare(self) -> None:
        """See `Executor.prepare`."""
        self._server.start()

    def close(self) -> None:
        """See `Executor.close`. The server is closed by who made it."""


class Streams:
    """The two outputs of one attempt.

    Attributes:
        reader: reads them.
        stdout: the one.
        stderr: the other.
    """

    def __init__(self, context: TaskContext, work: ShellWork | ContainerWork) -> None:
        def emit(piece: OutputPiece) -> None:
            context.stream(StreamEvent(OUTPUT, msgspec.to_builtins(piece)))

        def path_of(stream: str) -> Callable[[], Path]:
            if work.output_folder is None:
                return lambda: context.folder / f"{stream}.log"
            return lambda: Path(work.output_folder or "", f"{context.task_id}-{context.attempt}-{stream}.log")

        self.reader = OutputReader()
        allowance = Allowance(self.reader.clock, work.streamed_per_second)
        self.stdout = Output("stdout", emit, allowance, OutputFile(path_of("stdout")))
        self.stderr = Output("stderr", emit, allowance, OutputFile(path_of("stderr")))

    def feed(self, stream: str, data: bytes) -> None:
        """Take what was written, where it comes by another way than a pipe."""
        self.reader.feed(self.stderr if stream == "stderr" else self.stdout, data)

    def finish(self) -> None:
        """Nothing more comes."""
        self.reader.finish()

    def result(self, exit_code: int, signal_name: str | None) -> CommandResult:
        """How the program ended, with what it wrote."""
        return CommandResult(
            exit_code=exit_code,
            signal=signal_name,
            stdout=self.stdout.end(),
            stderr=self.stderr.end(),
            stdout_bytes=self.stdout.size,
            stderr_bytes=self.stderr.size,
        )


def _input_of(command: Command) -> int:
    if command.stdin is None:
        return os.open(os.devnull, os.O_RDONLY)
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(command.stdin.encode("utf-8", "surrogateescape"))
        file.seek(0)
        return os.dup(file.fileno())


def _environment(command: Command, trace_parent: str | None) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    # The worker's own, if it has one, is not what this belongs to.
    environment.pop(VARIABLE, None)
    if trace_parent is not None:
        environment[VARIABLE] = trace_parent
    for name, value in command.env.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value
    return environment


def _result(gone: Gone, streams: Streams) -> CommandResult:
    if gone.status is None:
        raise CommandFailed("nobody saw how it ended: what watched over it was killed.")
    code = gone.exit_code
    return streams.result(code if code is not None else 128 + os.WTERMSIG(gone.status), gone.signal_name)


def checked(result: ResultT, work: ShellWork | ContainerWork) -> ResultT:
    """The result. Raises CommandFailed if it is to be checked, and is none to be glad of."""
    if work.check and (result.exit_code or result.signal):
        raise CommandFailed(_failure_text(result))
    return result


def _failure_text(result: CommandResult) -> str:
    how = f"it was ended by {result.signal}" if result.signal else f"exit code {result.exit_code}"
    if isinstance(result, ContainerResult) and result.oom_killed:
        how = f"its memory was used up: {how}"
    last = (result.stderr if result.stderr.strip() else result.stdout).rstrip().splitlines()[-_LAST_LINES:]
    said = "\n".join(last)[-_LAST_LETTERS:]
    return f"{how}\n{said}" if said else how
