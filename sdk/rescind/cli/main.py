"""The program `rescind`."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

import click

from rescind import __version__
from rescind.cli.demo import demo
from rescind.cli.queries import history, list_executions, show
from rescind.cli.requests import cancel, signal, start
from rescind.cli.server import server
from rescind.cli.worker import worker

# What shells report of a program that Ctrl+C ended.
EXIT_INTERRUPTED: Final = 130
EXIT_OUTPUT_CLOSED: Final = 1
_DISK_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rescind", message="%(prog)s %(version)s")
def rescind() -> None:
    """Durable agents whose work can be taken back."""


for command in (demo, server, worker, start, list_executions, show, history, signal, cancel):
    rescind.add_command(command)


def main() -> None:
    """Run the program, and exit."""
    sys.exit(_run())


def _run() -> int:
    try:
        code = rescind.main(prog_name="rescind", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("rescind: interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return EXIT_OUTPUT_CLOSED
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        click.echo(f"rescind: cannot write: {error.strerror or error}", err=True)
        _forget_output()
        return EXIT_OUTPUT_CLOSED
    return code if isinstance(code, int) else 0


def _forget_output() -> None:
    """Nobody takes it any more. Python would complain when it flushes the rest at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
