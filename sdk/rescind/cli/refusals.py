"""How a command says that it could not: one line on stderr, and an exit code that says who must act."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from rescind.cli.printable import printable
from rescind.errors import (
    AddressUnavailable,
    DuplicateKind,
    InvalidInput,
    NotFound,
    RequestError,
    RescindError,
    ServerUnavailable,
    StoreError,
    TlsFailed,
    UnknownKind,
)

EXIT_NOT_COMPLETED: Final = 1
"""What was waited for ended otherwise than with a result; or something failed that has no code of its own."""
EXIT_BAD_INPUT: Final = 2
EXIT_NOT_FOUND: Final = 3
EXIT_REFUSED: Final = 4
EXIT_UNREACHABLE: Final = 5

# The first that fits.
_EXIT_CODES: Final[tuple[tuple[type[RescindError], int], ...]] = (
    (InvalidInput, EXIT_BAD_INPUT),
    (UnknownKind, EXIT_BAD_INPUT),
    (DuplicateKind, EXIT_BAD_INPUT),
    (NotFound, EXIT_NOT_FOUND),
    (RequestError, EXIT_REFUSED),
    (StoreError, EXIT_REFUSED),
    (TlsFailed, EXIT_REFUSED),
    (ServerUnavailable, EXIT_UNREACHABLE),
    (AddressUnavailable, EXIT_UNREACHABLE),
)


class Refused(click.ClickException):
    """A command ends without having done what was asked: told in one line that begins with its name."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(printable(" ".join(message.split())))
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it here; its own errors have one per class
        context = click.get_current_context(silent=True)
        self._command = context.command_path if context is not None else "rescind"

    def show(self, file: Any = None) -> None:
        """Print it to stderr."""
        click.echo(f"{self._command}: {self.format_message()}", err=True)


def exit_code_of(error: RescindError) -> int:
    """The exit code that says what an error means for the caller."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), EXIT_NOT_COMPLETED)


@contextmanager
def refusals_in_one_line() -> Iterator[None]:
    """Turn what Rescind raises inside the block into `Refused`."""
    try:
        yield
    except RescindError as error:
        raise Refused(str(error), exit_code_of(error)) from None


@contextmanager
def server_extra_needed() -> Iterator[None]:
    """Import inside the block what needs gRPC; where that is not installed, say what to type."""
    # gRPC would print lines of its own, for those who know its code, beside our one.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        yield
    except ImportError:
        raise Refused(
            "it needs gRPC, which is not installed. Type: pip install 'rescind[server]'", EXIT_BAD_INPUT
        ) from None
