"""``shell``: a task that runs a program and not a function; and the rules by which an input may be the program."""

from __future__ import annotations

import fnmatch
import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar, Unpack, overload

import msgspec

from rescind.authoring.signature import check_kind
from rescind.authoring.task import TaskDefinition
from rescind.authoring.work import WorkOptions, patterns_given, work_definition
from rescind.errors import InvalidInput
from rescind.model.options import RetryPolicy, ScheduleAgentTaskOptions, Seconds

InputT = TypeVar("InputT")

SHELL: Final = "/bin/sh"
STREAMED_PER_SECOND: Final = 512 * 1024
EVERYTHING: Final = "*"
"""The pattern that allows every command, lines for the shell among them."""


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A program to be run.

    Attributes:
        command: a list is the program and its arguments, handed over as they are; a text is a line for ``/bin/sh``.
        env: variables, added to those of the worker; None takes one away.
        cwd: the working folder; else the worker's.
        stdin: what the program can read; else nothing. Kept in memory and in the task's record: no place for much.
    """

    command: str | Annotated[list[str], msgspec.Meta(min_length=1)]
    env: dict[str, str | None] = {}
    cwd: str | None = None
    stdin: str | None = None

    def __post_init__(self) -> None:
        if not self.command or not self.command[0]:
            raise InvalidInput(f"the command is {self.command!r}. Give a line, or a list that begins with a program.")
        words = [self.command] if isinstance(self.command, str) else list(self.command)
        for text in (*words, *self.env, *self.env.values(), self.cwd):
            if text is not None and (not isinstance(text, str) or "\0" in text):
                raise InvalidInput(f"{text!r} in a command is no text that a program can be given.")
        for name in self.env:
            if not name or "=" in name:
                raise InvalidInput(f"env has the variable {name!r}. Give a name that is not empty, without '='.")

    def arguments(self) -> list[str]:
        """The program, and what it is given."""
        return [SHELL, "-c", self.command] if isinstance(self.command, str) else list(self.command)

    def __str__(self) -> str:
        return self.command if isinstance(self.command, str) else shlex.join(self.command)


class CommandResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a program ended.

    Attributes:
        exit_code: its exit code; 128 and the signal's number if a signal ended it, as shells say it.
        signal: the signal that ended it, as ``SIGSEGV``; None if none did.
        stdout: the end of what it wrote, at most 64 KiB; what is no UTF-8 is replaced.
        stderr: likewise.
        stdout_bytes: how much it wrote in all.
        stderr_bytes: likewise.
    """

    exit_code: int
    signal: str | None = None
    stdout: str = ""
    stderr: str = ""
    stdout_bytes: int = 0
    stderr_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellWork:
    """What a worker carries out for a shell task.

    Attributes:
        command: the command; or a function from the task's input to it.
        check: whether an exit code other than 0 is a failure.
        allowed: patterns of the commands that an input may be; None if the input does not choose.
        output_folder: where whole outputs are kept, after the attempt too.
        streamed_per_second: how many bytes of output are streamed, at most; more for a moment.
    """

    command: Command | Callable[[Any], Any]
    check: bool = True
    allowed: tuple[str, ...] | None = None
    output_folder: str | None = None
    streamed_per_second: int = STREAMED_PER_SECOND

    def command_for(self, task_input: Any) -> Command:
        """The command of one attempt.

        Raises:
            InvalidInput: the input may not be the command, or no command was made of it.
        """
        made = self.command if isinstance(self.command, Command) else _as_command(self.command(task_input))
        return made if self.allowed is None else _allowed(made, self.allowed)


CommandLike = Command | str | Sequence[str]
"""A command, or just the line or the list in it."""


class ShellOptions(WorkOptions, total=False):
    """The options of `shell`, for type checkers."""

    env: Mapping[str, str | None] | None
    cwd: str | os.PathLike[str] | None
    stdin: str | None


@overload
def shell(
    kind: str, command: CommandLike, /, **options: Unpack[ShellOptions]
) -> TaskDefinition[None, CommandResult]: ...
@overload
def shell(
    kind: str, command: Callable[[InputT], CommandLike], /, **options: Unpack[ShellOptions]
) -> TaskDefinition[InputT, CommandResult]: ...


def shell(
    kind: str,
    command: CommandLike | Callable[[Any], CommandLike],
    /,
    *,
    env: Mapping[str, str | None] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    stdin: str | None = None,
    check: bool = True,
    output_folder: str | os.PathLike[str] | None = None,
    queue: str | None = None,
    timeout: Seconds | None = None,
    schedule_to_start: Seconds | None = None,
    start_to_close: Seconds | None = None,
    schedule_to_close: Seconds | None = None,
    idle: Seconds | None = None,
    retry: RetryPolicy | None = None,
    max_retries: int | None = None,
    grace: Seconds | None = None,
    labels: Mapping[str, str] | None = None,
    version: str = "1.0.0",
    description: str | None = None,
    tags: Iterable[str] = (),
) -> TaskDefinition[Any, CommandResult]:
    """Define a task that runs a program: in a session of its own, stopped with all that descends from it.

    A cancel sends SIGTERM to all of it, and SIGKILL when the grace (10 s unless set) is over; a grace of 0 kills at
    once. What it leaves running when it ends is killed. What it writes is streamed as events of kind ``output``:
    ``{"stream": "stdout", "text": …, "left_out": bytes that were too many to be shown}``.

    Args:
        kind: the name under which it is registered and scheduled.
        command: a list (program and arguments), a line for ``/bin/sh``, a Command; or a function that makes one of
            these from the task's input.
        env: variables, added to those of the worker; None takes one away.
        cwd: the working folder; else the worker's.
        stdin: what the program can read; else nothing.
        check: whether an exit code other than 0 is a failure, and tried again as such; else it is a result.
        output_folder: where outputs longer than 64 KiB are kept whole, as ``<task>-<attempt>-stdout.log``; else they
            lie in the attempt's folder, and are gone with it.
        queue: holds where scheduling says nothing, as all the following; see ScheduleAgentTaskOptions.
        timeout: likewise, as `schedule_to_close`. Times are seconds or timedeltas.
        schedule_to_start: likewise.
        start_to_close: likewise.
        schedule_to_close: likewise.
        idle: likewise; what it writes is progress.
        retry: likewise.
        max_retries: likewise.
        grace: likewise.
        labels: likewise.
        version: for people and catalogues.
        description: likewise.
        tags: likewise.

    Returns:
        A task, as ``@task`` makes it; its result is a CommandResult.

    Raises:
        InvalidInput: the command or an option cannot be meant.
    """
    check_kind("task", kind)
    defaults = ScheduleAgentTaskOptions(
        queue=queue,
        timeout=timeout,
        schedule_to_start=schedule_to_start,
        start_to_close=start_to_close,
        schedule_to_close=schedule_to_close,
        idle=idle,
        retry=retry,
        max_retries=max_retries,
        grace=grace,
        labels=None if labels is None else dict(labels),
    )
    base = (dict(env or {}), None if cwd is None else os.fspath(cwd), stdin)
    work = ShellWork(
        command=_maker(command, base) if _is_function(command) else _completed(_as_command(command), base),
        check=check,
        output_folder=None if output_folder is None else os.fspath(output_folder),
    )
    return _definition(kind, work, defaults, version=version, description=description or _described(work), tags=tags)


def shell_commands(
    kind: str = "shell",
    *,
    allowed: Iterable[str],
    check: bool = True,
    streamed_per_second: int = STREAMED_PER_SECOND,
) -> TaskDefinition[Command, CommandResult]:
    """Define a task whose input is the command: whoever may schedule it chooses what the worker runs.

    Args:
        kind: the name under which it is registered and scheduled.
        allowed: patterns of commands, word by word: ``git log *`` allows ``["git", "log", "-1"]``. In a word, ``*`` and
            ``?`` stand for letters; as the last word, ``*`` stands for any number of words. A line is cut into words,
            and no shell sees it. The pattern ``*`` alone allows everything: lines for the shell, variables and folders.
        check: as for `shell`.
        streamed_per_second: how many bytes of output are streamed, at most; what is more is counted and left out.

    Raises:
        InvalidInput: no pattern, or one that cannot be read.
    """
    patterns = patterns_given(allowed, "command")
    for pattern in patterns:
        _words(pattern, f"the pattern {pattern!r}")
    work = ShellWork(command=_as_it_is, check=check, allowed=patterns, streamed_per_second=streamed_per_second)
    return _definition(kind, work, ScheduleAgentTaskOptions(), description="Runs the command that it is given.")


def _definition(
    kind: str, work: ShellWork, defaults: ScheduleAgentTaskOptions, *, executor: str = "shell", **about: Any
) -> TaskDefinition[Any, CommandResult]:
    made_by = None if isinstance(work.command, Command) else work.command
    return work_definition(
        kind, work, executor="shell", made_by=made_by, result=CommandResult, defaults=defaults, **about
    )


def _is_function(command: object) -> bool:
    return callable(command) and not isinstance(command, Command)


def _maker(function: Any, base: tuple[dict[str, str | None], str | None, str | None]) -> Callable[[Any], Command]:
    def made(task_input: Any) -> Command:
        return _completed(_as_command(function(task_input)), base)

    known: Any = made
    known.__wrapped__ = function
    return made


def _completed(command: Command, base: tuple[dict[str, str | None], str | None, str | None]) -> Command:
    """With what the definition says wherever the command says nothing."""
    env, cwd, stdin = base
    return Command(
        command=command.command,
        env={**env, **command.env},
        cwd=command.cwd if command.cwd is not None else cwd,
        stdin=command.stdin if command.stdin is not None else stdin,
    )


def _as_command(given: Any) -> Command:
    if isinstance(given, Command):
        return given
    if isinstance(given, str):
        return Command(command=given)
    if isinstance(given, Sequence) and not isinstance(given, bytes):
        return Command(command=[os.fspath(word) if isinstance(word, os.PathLike) else word for word in given])
    raise InvalidInput(f"{given!r} is no command. Give a line, a list of program and arguments, or a Command.")


def _as_it_is(task_input: Command) -> Command:
    return task_input


def _described(work: ShellWork) -> str | None:
    return f"Runs {work.command}" if isinstance(work.command, Command) else None


# --- what an input may be --------------------------------------------------------------------------------------------


def _allowed(command: Command, patterns: tuple[str, ...]) -> Command:
    if EVERYTHING in patterns:
        return command
    if command.env or command.cwd is not None:
        raise InvalidInput("this worker allows no variables and no folder of a command's own. Leave env and cwd out.")
    if isinstance(command.command, str):
        command = Command(command=_words(command.command, f"the line {command.command!r}"), stdin=command.stdin)
    if not any(_matches(command.command, _words(pattern, pattern)) for pattern in patterns):
        raise InvalidInput(
            f"this worker does not allow the command {str(command)!r}. It allows {', '.join(map(repr, patterns))}."
        )
    return command


def _matches(words: Sequence[str], pattern: Sequence[str]) -> bool:
    if pattern[-1] == EVERYTHING:
        pattern = pattern[:-1]
        words = words[: len(pattern)] if len(words) >= len(pattern) else words
    return len(words) == len(pattern) and all(map(fnmatch.fnmatchcase, words, pattern))


def _words(pattern: str, what: str) -> list[str]:
    try:
        words = shlex.split(pattern)
    except ValueError as error:
        raise InvalidInput(f"{what} cannot be cut into words: {error}.") from None
    if not words:
        raise InvalidInput(f"{what} has no words. Give some, such as 'git log *'.")
    return words
