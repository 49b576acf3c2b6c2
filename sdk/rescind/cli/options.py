"""What several commands take: the server's address, JSON values, labels."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import click

from rescind.cli.refusals import EXIT_BAD_INPUT, Refused

# The same as rescind_server.app.DEFAULT_ADDRESS, which only those can read who have gRPC.
DEFAULT_ADDRESS: Final = "127.0.0.1:7233"
ADDRESS_VARIABLE: Final = "RESCIND_ADDRESS"

_HOST_AND_PORT: Final = re.compile(r".+:(\d{1,5})")
_HIGHEST_PORT: Final = 65_535

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class Decorator(Protocol):
    """What adds an option to a command."""

    def __call__(self, command: CommandT, /) -> CommandT: ...


def address_option(meaning: str) -> Decorator:
    """The option `--address`, or else the variable, or else the default."""
    return click.option(
        "--address",
        envvar=ADDRESS_VARIABLE,
        default=DEFAULT_ADDRESS,
        metavar="HOST:PORT",
        show_default=True,
        show_envvar=True,
        callback=_checked_address,
        help=meaning,
    )


def json_option(meaning: str) -> Decorator:
    """The option `--json`."""
    return click.option("--json", "as_json", is_flag=True, help=meaning)


def _checked_address(context: click.Context, parameter: click.Parameter, address: str) -> str:
    port = _HOST_AND_PORT.fullmatch(address)
    if port is None or int(port[1]) > _HIGHEST_PORT:
        raise Refused(f"{address!r} is no address. Give host:port, as {DEFAULT_ADDRESS}.", EXIT_BAD_INPUT)
    return address


def value_given(given: str | None, what: str) -> Any:
    """The value of an argument that is JSON, `@file` with JSON, or `-` for JSON on standard input; None if not given.

    Raises:
        Refused: it is not JSON, or the file cannot be read.
    """
    if given is None:
        return None
    try:
        return json.loads(_json_of(given))
    except OSError as error:
        raise Refused(f"the {what} cannot be read from {given[1:]!r}: {error.strerror}.", EXIT_BAD_INPUT) from None
    except (ValueError, RecursionError) as error:
        raise Refused(
            f"the {what} is not JSON ({error}). Give JSON, as '{{\"count\": 3}}' or '\"text\"', or @file, or - to read "
            "it from standard input.",
            EXIT_BAD_INPUT,
        ) from None


def _json_of(given: str) -> str | bytes:
    if given == "-":
        return sys.stdin.buffer.read()
    return Path(given[1:]).read_bytes() if given.startswith("@") else given


def labels_given(given: Iterable[str]) -> dict[str, str]:
    """Labels by name.

    Raises:
        Refused: one is not `name=value`, or a name is given twice.
    """
    labels: dict[str, str] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not name or not sign:
            raise Refused(f"{each!r} is no label. Give name=value.", EXIT_BAD_INPUT)
        if name in labels:
            raise Refused(f"the label {name!r} is given twice.", EXIT_BAD_INPUT)
        labels[name] = value
    return labels
