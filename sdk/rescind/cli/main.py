"""The program `rescind`."""

from __future__ import annotations

import atexit
import errno
import os
import sys
from collections import UserDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from rescind import __version__
from rescind.cli.printable import printable

# What shells report of a program that Ctrl+C ended.
EXIT_INTERRUPTED: Final = 130
# What they report of one that wrote to a pipe that nobody reads any more.
EXIT_OUTPUT_CLOSED: Final = 141
EXIT_DISK_FAILED: Final = 1
_DISK_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


# Where each command is defined.
_COMMANDS: Final = {
    "demo": "rescind.cli.demo:demo",
    "server": "rescind.cli.server:server",
    "worker": "rescind.cli.worker:worker",
    "run": "rescind.cli.run:run",
    "attach": "rescind.cli.run:attach",
    "start": "rescind.cli.requests:start",
    "list": "rescind.cli.queries:list_executions",
    "show": "rescind.cli.queries:show",
    "watch": "rescind.cli.watching:watch",
    "history": "rescind.cli.queries:history",
    "replay": "rescind.cli.replay:replay",
    "signal": "rescind.cli.requests:signal",
    "retry": "rescind.cli.requests:retry",
    "cancel": "rescind.cli.cancelling:cancel",
    "tasks": "rescind.cli.listings:tasks",
    "workers": "rescind.cli.listings:workers",
    "audit": "rescind.cli.audit:audit",
    "doctor": "rescind.cli.doctor:doctor",
    "token": "rescind.cli.token:token",
    "webhook": "rescind.cli.webhook:webhook",
    "completion": "rescind.cli.completion:completion",
}


class _Commands(UserDict[str, Any]):
    """The commands by their names, each opened when it is asked for: `rescind server` draws no demo."""

    def __getitem__(self, name: str) -> click.Command:
        module, _, attribute = self.data[name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command


class _OutputClosed(Exception):
    """Nobody reads what is printed. Click and Rich would end with 1 by themselves, as if something had failed."""


class _Program(click.Group):
    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _closed_output_told():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _closed_output_told():
            return super().invoke(ctx)


@contextmanager
def _closed_output_told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise _OutputClosed from None
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            raise _OutputClosed from None
        raise


@click.group(cls=_Program, commands=_Commands(_COMMANDS), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rescind", message="%(prog)s %(version)s")
def rescind() -> None:
    """Durable agents whose work can be taken back."""


def main() -> None:
    """Run the program, and exit."""
    code = _run()
    if "temporalio" in sys.modules:
        _exit_at_once(code)
    sys.exit(code)


def _exit_at_once(code: int) -> NoReturn:
    """Leave what is left to the kernel.

    Threads of Temporal's SDK are its own, and may be in Python still: an interpreter that takes itself apart meanwhile
    aborts.
    """
    atexit._run_exitfuncs()
    for file in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            file.flush()
    os._exit(code)


def _run() -> int:
    try:
        code = rescind.main(prog_name="rescind", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        return _tell_misuse(error)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("rescind: interrupted", err=True)
        return EXIT_INTERRUPTED
    except (BrokenPipeError, _OutputClosed):
        _forget_output()
        return EXIT_OUTPUT_CLOSED
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        click.echo(f"rescind: cannot write: {error.strerror or error}", err=True)
        _forget_output()
        return EXIT_DISK_FAILED
    return code if isinstance(code, int) else 0


def _tell_misuse(error: click.UsageError) -> int:
    """Say in one line what Click did not understand; where no command was given at all, its help is the answer."""
    if type(error).show is not click.UsageError.show:
        error.show()
    else:
        command = error.ctx.command_path if error.ctx is not None else "rescind"
        told = printable(" ".join(error.format_message().split()))
        click.echo(f"{command}: {told[:1].lower()}{told[1:]} See {command} --help.", err=True)
    return error.exit_code


def _forget_output() -> None:
    """Nobody takes it any more. Python would complain when it flushes the rest at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
