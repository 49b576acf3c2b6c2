"""`--temporal`: a command is carried out on a Temporal cluster, and not on a server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import click
from click.core import ParameterSource

from rescind.cli.refusals import EXIT_BAD_INPUT, Refused
from rescind.settings import Settings, Tls, variable_of

if TYPE_CHECKING:
    from temporalio.runtime import Runtime

    from rescind.temporal import TemporalClient

CLUSTER_OPTIONS: Final = ("temporal", "temporal_namespace", "temporal_profile")
AS_TEMPORAL_SAYS: Final = "environment"
"""The value of the setting that leaves the address to Temporal's own variables and configuration file."""

_NOT_GIVEN: Final = ""


class Cluster(NamedTuple):
    """Which Temporal cluster is asked. What is None is as Temporal's variables and configuration file say.

    Attributes:
        address: its ``host:port``.
        namespace: the namespace.
        profile: the profile of the configuration file.
        tls: how to speak TLS with it: True trusts public authorities, False is in the clear.
    """

    address: str | None = None
    namespace: str | None = None
    profile: str | None = None
    tls: Tls | bool | None = None

    def connect_options(self) -> dict[str, Any]:
        """What `TemporalClient` and `TemporalWorker` are given to connect with, beside the address and namespace.

        Raises:
            InvalidInput: a file of TLS cannot be read.
        """
        with temporal_extra_needed():
            from rescind.temporal.connecting import tls_config  # noqa: PLC0415 - others start without Temporal's SDK

        options: dict[str, Any] = {"runtime": _runtime()}
        if self.profile is not None:
            options["profile"] = self.profile
        if self.tls is None:
            return options
        return {**options, "tls": tls_config(self.tls) if isinstance(self.tls, Tls) else self.tls}

    def client(self) -> TemporalClient:
        """A client of it, not connected yet.

        Raises:
            Refused: Temporal's SDK is not installed.
            InvalidInput: a file of TLS cannot be read.
        """
        with temporal_extra_needed():
            from rescind.temporal import TemporalClient  # noqa: PLC0415 - likewise

        return TemporalClient(self.address, namespace=self.namespace, **self.connect_options())


def cluster_options(*, shown: bool) -> Iterator[Callable[[Any], Any]]:
    """The options that name a cluster. Not shown, they are there only to be refused in words that help."""
    yield click.option(
        "--temporal",
        is_flag=False,
        flag_value=_NOT_GIVEN,
        metavar="[HOST:PORT]",
        envvar=variable_of("temporal"),
        show_envvar=shown,
        hidden=not shown,
        help="Use this Temporal cluster instead of a server; without HOST:PORT, at the end of the line, the one that "
        "TEMPORAL_ADDRESS or Temporal's configuration file names. Its namespace, TLS and API key are looked up there.",
    )
    yield click.option(
        "--temporal-namespace",
        metavar="NAME",
        envvar=variable_of("temporal_namespace"),
        show_envvar=shown,
        hidden=not shown,
        help="The namespace there; else TEMPORAL_NAMESPACE, or default.",
    )
    yield click.option(
        "--temporal-profile",
        metavar="NAME",
        hidden=not shown,
        help="The profile of Temporal's configuration file; else TEMPORAL_PROFILE, or default.",
    )


def cluster_given(
    settings: Settings,
    tls: Tls | bool | None,
    *,
    temporal: str | None,
    temporal_namespace: str | None,
    temporal_profile: str | None,
    checked: Callable[[str], str],
) -> Cluster | None:
    """The cluster that is meant, by options first and then by settings; None if a server is meant.

    Args:
        settings: what holds here.
        tls: what the options of TLS say; None if none of them is given.
        temporal: the options' values.
        temporal_namespace: likewise.
        temporal_profile: likewise.
        checked: returns an address as it was given, or refuses it.

    Raises:
        Refused: the options contradict each other, or the address is none.
    """
    if _is_typed("address"):
        if _is_typed("temporal"):
            raise Refused("--address and --temporal are both given. Give one of them.", EXIT_BAD_INPUT)
        temporal = None
    elif temporal is None:
        temporal = settings.temporal
    if temporal is None:
        if _is_typed("temporal_namespace") or temporal_profile is not None:
            raise Refused("--temporal-namespace and --temporal-profile go with --temporal.", EXIT_BAD_INPUT)
        return None
    if _is_typed("token") or _is_typed("token_file"):
        raise Refused("a token is for a server; a cluster's API key is taken from TEMPORAL_API_KEY.", EXIT_BAD_INPUT)
    if temporal == _NOT_GIVEN:
        temporal = settings.temporal or AS_TEMPORAL_SAYS
    address = None if temporal == AS_TEMPORAL_SAYS else checked(temporal)
    return Cluster(address, temporal_namespace or settings.temporal_namespace, temporal_profile, tls)


def refuse_cluster() -> NoReturn:
    """Say that a command is not for clusters."""
    command = click.get_current_context().command_path
    raise Refused(
        f"`{command}` is for servers: a Temporal cluster keeps no such thing. Its own `temporal` command and pages may "
        "know. For a server, give --address.",
        EXIT_BAD_INPUT,
    )


@contextmanager
def temporal_extra_needed() -> Iterator[None]:
    """Import inside the block what needs Temporal's SDK; where that is not installed, say what to type."""
    try:
        yield
    except ImportError:
        raise Refused(
            "it needs Temporal's SDK, which is not installed. Type: pip install 'rescind[temporal]'", EXIT_BAD_INPUT
        ) from None


def _runtime() -> Runtime:
    """Temporal's SDK with its log among ours. By itself it would print warnings to stdout, amid what programs read."""
    from temporalio.runtime import (  # noqa: PLC0415 - others start without Temporal's SDK
        LogForwardingConfig,
        LoggingConfig,
        Runtime,
        TelemetryConfig,
        TelemetryFilter,
    )

    log = LogForwardingConfig(logging.getLogger("temporalio.core"))
    # Its warnings are of retries, and of failed turns, which the worker tells by itself.
    filtered = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"), forwarding=log)
    return Runtime(telemetry=TelemetryConfig(logging=filtered))


def _is_typed(option: str) -> bool:
    return click.get_current_context().get_parameter_source(option) is ParameterSource.COMMANDLINE
