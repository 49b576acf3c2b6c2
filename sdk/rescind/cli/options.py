"""What several commands take: the server and who asks it, JSON values, labels. Options first, then settings."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import click

from rescind.cli.refusals import EXIT_BAD_INPUT, Refused, refusals_in_one_line
from rescind.model.ages import age_of
from rescind.settings import DEFAULT_ADDRESS, Settings, load_settings, variable_of

ADDRESS_VARIABLE: Final = variable_of("address")

_HOST_AND_PORT: Final = re.compile(r".+:(\d{1,5})")
_HIGHEST_PORT: Final = 65_535
_SHORTEST_RETENTION: Final = timedelta(seconds=1)
_SETTINGS: Final = "rescind.cli.settings"

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class Decorator(Protocol):
    """What adds an option to a command."""

    def __call__(self, command: CommandT, /) -> CommandT: ...


class Remote(NamedTuple):
    """Which server is asked, and what proves who asks.

    Attributes:
        address: its ``host:port``.
        token: the token; None if there is none.
    """

    address: str
    token: str | None = None


def settings_here() -> Settings:
    """The settings that hold for this command; read once.

    Raises:
        Refused: ``rescind.toml`` or a variable cannot be meant.
    """
    kept = click.get_current_context().meta
    if _SETTINGS not in kept:
        with refusals_in_one_line():
            kept[_SETTINGS] = load_settings()
    found: Settings = kept[_SETTINGS]
    return found


def setting_option(*names: str, setting: str, default: str | None = None, **options: Any) -> Decorator:
    """An option that takes the setting of a name where it is not given.

    Args:
        names: as of `click.option`.
        setting: the name of the setting.
        default: what the help shows as the default.
        options: further options of `click.option`.
    """

    def resolved(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        return value if value is not None else getattr(settings_here(), setting)

    shown: dict[str, Any] = {"show_default": default} if default is not None else {}
    return click.option(
        *names, envvar=variable_of(setting), show_envvar=True, **{"callback": resolved, **shown, **options}
    )


def address_option(meaning: str) -> Decorator:
    """The option `--address`, or else the setting."""
    return setting_option(
        "--address",
        setting="address",
        default=DEFAULT_ADDRESS,
        metavar="HOST:PORT",
        callback=_checked_address,
        help=meaning,
    )


def token_option() -> Decorator:
    """The option `--token`, or else the setting."""
    return setting_option(
        "--token",
        setting="token",
        metavar="TOKEN",
        help="What proves who asks. Others on this machine can read options: better set the variable.",
    )


def remote_options(meaning: str) -> Decorator:
    """The options `--address` and `--token`; the command gets both as `remote`."""

    def decorate(command: CommandT) -> CommandT:
        @functools.wraps(command)
        def with_remote(*arguments: Any, address: str, token: str | None, **options: Any) -> Any:
            return command(*arguments, remote=Remote(address, token), **options)

        decorated: Any = address_option(meaning)(token_option()(with_remote))
        return decorated  # type: ignore[no-any-return]

    return decorate


def json_option(meaning: str) -> Decorator:
    """The option `--json`."""
    return click.option("--json", "as_json", is_flag=True, help=meaning)


def limit_option() -> Decorator:
    """The option `--limit`, of lists."""
    return click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="How many at most.")


def checked_retention(context: click.Context, parameter: click.Parameter, given: str | None) -> timedelta | None:
    """The value of `--retention`, or else the setting. Raises Refused if it is no length of time, or too short."""
    with refusals_in_one_line():
        retention = settings_here().retention if given is None else age_of(given)
    if retention is not None and retention < _SHORTEST_RETENTION:
        raise Refused(
            "--retention is less than a second. Give a second or more, or leave it away to keep everything.",
            EXIT_BAD_INPUT,
        )
    return retention


def _checked_address(context: click.Context, parameter: click.Parameter, given: str | None) -> str:
    address = given if given is not None else settings_here().address
    scheme, sign, rest = address.partition("://")
    if sign:
        plain = rest.rstrip("/") or DEFAULT_ADDRESS
        raise Refused(f"{address!r} is no address. Leave {scheme + sign!r} away: {plain}.", EXIT_BAD_INPUT)
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
