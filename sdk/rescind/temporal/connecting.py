"""Where the cluster is: what the caller says, or ``TEMPORAL_*`` variables and Temporal's configuration file."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, Final

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from rescind.errors import (
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    NotSupported,
    RateLimited,
    RescindError,
    ServerUnavailable,
    TlsFailed,
)
from rescind.settings import Tls

DEFAULT_ADDRESS: Final = "localhost:7233"
DEFAULT_NAMESPACE: Final = "default"

# Temporal's SDK itself would wait for ever for a server that takes a connection and says nothing.
_LONGEST_CONNECT: Final = 10.0
# What its text says of why there is no connection. It knows no types of errors here.
_OF_TLS: Final = ("InvalidCertificate", "InvalidMessage", "InvalidContentType", "PrivateKeyParse", "AlertReceived")
# The second where the server closes it while the first call is on its way.
_OF_A_CLOSED_CONNECTION: Final = ("transport error", "connection closed")
_WORDS: Final = re.compile(r'(?:message|error): "([^"]+)"|Invalid\w+\(\w+\)|\w+ParseError')
_OF_ACCESS: Final = {"code: Unauthenticated": NotAuthenticated, "code: PermissionDenied": NotPermitted}


async def connect(
    address: str | None = None, namespace: str | None = None, *, profile: str | None = None, **options: Any
) -> Client:
    """Connect to a cluster.

    Args:
        address: its ``host:port``; None takes that of ``TEMPORAL_ADDRESS``, or else of the configuration file's
            profile, or else localhost:7233.
        namespace: the namespace, looked up likewise; or else ``default``.
        profile: the profile of the configuration file; None takes that of ``TEMPORAL_PROFILE``, or else ``default``.
        options: what else `temporalio.client.Client.connect` takes; it goes before what is looked up.

    Raises:
        ServerUnavailable: nobody answers there.
        TlsFailed: one of both sides speaks TLS and the other does not, or a certificate is not trusted.
        InvalidInput: the address, or the configuration, cannot be meant.
        NotFound: the cluster has no such namespace.
        NotAuthenticated, NotPermitted: the cluster does not let this caller in.
    """
    try:
        found: dict[str, Any] = dict(ClientConfig.load_client_connect_config(profile))
    except (RuntimeError, ValueError, OSError) as error:
        raise InvalidInput(f"Temporal's configuration cannot be read: {str(error).rstrip('.')}. Mend it.") from error
    given = {"target_host": address, "namespace": namespace, **options}
    found.update({name: value for name, value in given.items() if value is not None})
    where = found.setdefault("target_host", DEFAULT_ADDRESS)
    name = found.setdefault("namespace", DEFAULT_NAMESPACE)
    _check_key(found.get("api_key"))
    try:
        async with asyncio.timeout(_LONGEST_CONNECT):
            client = await Client.connect(**found)
    except RPCError as error:
        raise error_of(error, f"Temporal at {where}") from error
    except TimeoutError as error:
        text = f"no Temporal server answers at {where}: it said nothing for {_LONGEST_CONNECT:g} s. Give its address."
        raise ServerUnavailable(text) from error
    except RuntimeError as error:
        raise _not_connected(error, where, speaks_tls=bool(found.get("tls"))) from error
    except ValueError as error:
        raise InvalidInput(f"{where!r} is no address of a Temporal server: {error}. Give host:port.") from error
    await _ensure_namespace(client, where, name)
    return client


def tls_config(tls: Tls) -> TLSConfig:
    """How to speak TLS, as Temporal's SDK takes it.

    Raises:
        InvalidInput: a file cannot be read.
    """
    if (tls.certificate is None) != (tls.key is None):
        raise InvalidInput("of a certificate and its key only one is given. Give both, or neither.")
    return TLSConfig(
        server_root_ca_cert=_read(tls.authority),
        domain=tls.server_name,
        client_cert=_read(tls.certificate),
        client_private_key=_read(tls.key),
    )


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from None


def _check_key(key: Any) -> None:
    """Refuse a key that no header can hold. It is not shown."""
    if isinstance(key, str) and not (key and key.isascii() and key.isprintable()):
        raise InvalidInput(
            "the API key of Temporal is empty, or not printable ASCII. Set TEMPORAL_API_KEY, or api_key in Temporal's "
            "configuration file, to the whole key; or leave it out."
        )


def _not_connected(error: RuntimeError, where: str, *, speaks_tls: bool) -> RescindError:
    text = str(error)
    told = [found[1] or found[0] for found in _WORDS.finditer(text)]
    why = told[-1] if told else text
    for sign, kind in _OF_ACCESS.items():
        if sign in text:
            return kind(f"Temporal at {where} does not let this caller in. Give the cluster's API key or certificate.")
    was_closed = any(sign in text for sign in _OF_A_CLOSED_CONNECTION)
    is_of_tls = any(sign in text for sign in _OF_TLS)
    if was_closed and speaks_tls and not is_of_tls:
        why = "it closed the encrypted connection, as a server does that wants a client certificate"
        is_of_tls = True
    if is_of_tls:
        return TlsFailed(
            f"no TLS with Temporal at {where}: {why}. Does it speak TLS, and are its certificate and yours trusted?"
        )
    if was_closed:
        why = "it closed the connection, as a server does that wants TLS, or is none of Temporal's"
    return ServerUnavailable(f"no Temporal server answers at {where}: {why}. Start it, or give its address.")


async def offers_worker_commands(client: Client) -> bool:
    """Whether the cluster tells workers of cancels by itself, at once, and not on their next sign of life alone."""
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest  # noqa: PLC0415 - takes a while to load

    try:
        answer = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError:
        return False
    return bool(getattr(answer.namespace_info.capabilities, "worker_commands", False))


async def _ensure_namespace(client: Client, where: str, name: str) -> None:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest  # noqa: PLC0415 - takes a while to load

    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=name))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotFound(
                f"Temporal at {where} has no namespace {name!r}. Give one that it has, or create it."
            ) from error
        if error.status in (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED):
            # The time-skipping test server knows no namespaces; and a key may be for workflows alone.
            return
        raise error_of(error, f"Temporal at {where}") from error


def error_of(error: RPCError, what: str) -> RescindError:
    """An error of the cluster's as one of ours.

    Args:
        error: what a call raised.
        what: what was asked, or of whom, for the message.
    """
    text = f"{what}: {(error.message or error.status.name).rstrip('.')}"
    match error.status:
        case RPCStatusCode.NOT_FOUND:
            return NotFound(f"{text}. Check the id, or list the executions.")
        case RPCStatusCode.INVALID_ARGUMENT:
            return InvalidInput(f"{text}.")
        case RPCStatusCode.UNIMPLEMENTED:
            return NotSupported(f"{text}. This server cannot do it; a cluster or the development server can.")
        case RPCStatusCode.UNAUTHENTICATED:
            return NotAuthenticated(f"{text}. Give the cluster's API key or certificate.")
        case RPCStatusCode.PERMISSION_DENIED:
            return NotPermitted(f"{text}.")
        case RPCStatusCode.RESOURCE_EXHAUSTED:
            return RateLimited(f"{text}. Wait a moment, and try again.")
        case _:
            return ServerUnavailable(f"{text}. Try again; nothing that was accepted is lost.")
