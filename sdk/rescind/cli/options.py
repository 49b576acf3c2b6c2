"""What several commands take: the server and who asks it, JSON values, labels. Options first, then settings."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar, cast

import click
from click.core import ParameterSource

from rescind.cli.refusals import EXIT_BAD_INPUT, Refused, refusals_in_one_line
from rescind.cli.temporal import CLUSTER_OPTIONS, Cluster, cluster_given, cluster_options
from rescind.model.ages import age_of
from rescind.settings import DEFAULT_ADDRESS, Settings, Tls, load_settings, token_in, variable_of

ADDRESS_VARIABLE: Final = variable_of("address")

_HOST_AND_PORT: Final = re.compile(r".+:(\d{1,5})")
_HIGHEST_PORT: Final = 65_535
_SHORTEST_RETENTION: Final = timedelta(seconds=1)
_SETTINGS: Final = "rescind.cli.settings"
_TLS: Final = ("tls", "tls_ca", "tls_certificate", "tls_key", "tls_server_name")

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class Decorator(Protocol):
    """What adds an option to a command."""

    def __call__(self, command: CommandT, /) -> CommandT: ...


class Remote(NamedTuple):
    """Which server is asked, and what proves who asks.

    Attributes:
        address: its ``host:port``.
        token: the token; None if there is none.
        tls: how to speak TLS with it; None is in the clear.
        cluster: the Temporal cluster that is asked instead; None if there is none.
    """

    address: str
    token: str | None = None
    tls: Tls | None = None
    cluster: Cluster | None = None


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
    if "/" in names[0]:
        shown["default"] = None  # a switch that is not given is neither on nor off
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


def remote_options(meaning: str, *, clusters: bool = False) -> Decorator:
    """The options that say which server is asked, by whom, and how; the command gets them as `remote`.

    Args:
        meaning: what the server is for.
        clusters: whether a Temporal cluster may be asked instead.
    """

    def decorate(command: CommandT) -> CommandT:
        @functools.wraps(command)
        def with_remote(*arguments: Any, address: str, **options: Any) -> Any:
            given = {name: options.pop(name) for name in ("token", "token_file", *_TLS)}
            cluster = _cluster(given, **{name: options.pop(name) for name in CLUSTER_OPTIONS})
            if cluster is not None:
                return command(*arguments, remote=Remote("", cluster=cluster), **options)
            return command(*arguments, remote=_remote(address, **given), **options)

        decorated: Any = with_remote
        server = [address_option(meaning), token_option(), _token_file_option(), *_tls_options()]
        for option in reversed([*server, *cluster_options(shown=clusters)]):
            decorated = option(decorated)
        return cast(CommandT, decorated)

    return decorate


def _token_file_option() -> Decorator:
    return click.option(
        "--token-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help=f"The file that the token stands in, alone. Or set {variable_of('token_file')}.",
    )


def _tls_options() -> Iterable[Decorator]:
    def file(name: str, meaning: str) -> Decorator:
        option = f"--{name.replace('_', '-')}"
        return setting_option(
            option, setting=name, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help=meaning
        )

    yield setting_option("--tls/--no-tls", setting="tls", help="Speak TLS; the following include it.")
    yield file("tls_ca", "PEM: the authorities of which the server must have its certificate; else public ones.")
    yield file("tls_certificate", "PEM: what this side proves itself with, where the server asks for it.")
    yield file("tls_key", "PEM: the key of that certificate, without a password.")
    yield setting_option(
        "--tls-server-name",
        setting="tls_server_name",
        metavar="NAME",
        help="The name in the server's certificate, if it is not the one in the address.",
    )


def _remote(
    address: str,
    token: str | None,
    token_file: Path | None,
    tls: bool | None,
    tls_ca: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_server_name: str | None,
) -> Remote:
    said = click.get_current_context().get_parameter_source("token") is ParameterSource.COMMANDLINE
    if token_file is not None and said:
        raise Refused("--token and --token-file are both given. Give one of them.", EXIT_BAD_INPUT)
    with refusals_in_one_line():
        given = token_in(token_file) if token_file is not None else token or settings_here().caller_token()
    files = Tls(tls_ca, tls_certificate, tls_key, tls_server_name)
    return Remote(address, given, files if tls or (tls is None and files != Tls()) else None)


def _cluster(of_server: Mapping[str, Any], **of_cluster: str | None) -> Cluster | None:
    """The cluster that is meant. The settings of TLS are a server's: only options count."""
    context = click.get_current_context()
    typed = {name for name in _TLS if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    tls: Tls | bool | None = None
    if typed - {"tls"}:
        files = ("tls_ca", "tls_certificate", "tls_key", "tls_server_name")
        tls = Tls(*(of_server[name] if name in typed else None for name in files))
    if "tls" in typed and (tls is None or not of_server["tls"]):
        tls = bool(of_server["tls"])
    return cluster_given(settings_here(), tls, checked=_checked, **of_cluster)


def json_option(meaning: str) -> Decorator:
    """The option `--json`."""
    return click.option("--json", "as_json", is_flag=True, help=meaning)


def limit_option() -> Decorator:
    """The option `--limit`, of lists."""
    return click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="How many at most.")


def age_options(begun: str) -> Decorator:
    """The options `--older-than` and `--within`, of lists; `begun` is what happened to their members so long ago."""

    def add(command: CommandT) -> CommandT:
        within = click.option("--within", metavar="AGE", help=f"Only those {begun} less than so long ago, as 15m.")
        older = click.option("--older-than", metavar="AGE", help=f"Only those {begun} longer ago, as 12h or 30d.")
        return older(within(command))

    return add


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
    return _checked(given if given is not None else settings_here().address)


def _checked(address: str) -> str:
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
