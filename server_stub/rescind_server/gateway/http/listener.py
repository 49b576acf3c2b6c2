"""Serves the application at an address, beside gRPC and in the same event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import uvicorn

from rescind.errors import AddressUnavailable
from rescind_server.access.certificates import Certificates
from rescind_server.gateway.http.application import HttpGateway
from rescind_server.gateway.http.connections import BoundedProtocol

_BACKLOG: Final = 2_048
_GRACE_S: Final = 2
# A client that vanished without a word, or reads nothing at all for so long, is gone.
_SILENCE_MS: Final = 60_000
# What a client has not taken stands in the kernel up to here, and not up to the megabytes that it would take by itself.
_MOST_UNSENT: Final = 128 * 1024
_OPTIONS: Final = (
    ("TCP_KEEPIDLE", 10),
    ("TCP_KEEPINTVL", 5),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", _SILENCE_MS),
    ("TCP_NOTSENT_LOWAT", _MOST_UNSENT),
)


class HttpListener:
    """Serves at one address, from `open` to `close`."""

    def __init__(self, gateway: HttpGateway, certificates: Certificates | None = None) -> None:
        """Make one that does not serve yet.

        Args:
            gateway: what answers.
            certificates: for TLS; None serves in the clear.
        """
        self._gateway = gateway
        config = uvicorn.Config(
            gateway.application,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_GRACE_S,
            http=BoundedProtocol,
            **(_tls(certificates) if certificates is not None else {}),
        )
        self._server = _Server(config)
        self._socket: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None

    async def open(self, address: str) -> str:
        """Serve at ``host:port``; port 0 takes a free one. Returns the address with the port that it got.

        Raises:
            AddressUnavailable: the address cannot be served at.
        """
        self._socket = _bound(address)
        await self._gateway.open()
        self._serving = asyncio.get_running_loop().create_task(
            self._server.serve(sockets=[self._socket]), name="rescind http"
        )
        await self._server.has_started.wait()
        return f"{address.rpartition(':')[0]}:{self._socket.getsockname()[1]}"

    async def tell_stopping(self) -> None:
        """End what lasts, and say that nothing new should come."""
        await self._gateway.begin_close()

    async def close(self) -> None:
        """Take no new calls, and cancel those that are not over soon."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        await self._gateway.close()
        if self._socket is not None:
            self._socket.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, and tell that."""
        await super().startup(sockets)
        self.has_started.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the whole server's to handle."""
        yield


def _bound(address: str) -> socket.socket:
    name, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(
            name.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, target = found[0]
        made = socket.socket(family, kind, protocol)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _OPTIONS:
                # Connections inherit these; not every system has them all.
                if hasattr(socket, option):
                    made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
            made.bind(target)
            made.listen(_BACKLOG)
            made.setblocking(False)
        except BaseException:  # nothing may keep a port that is not listened on
            made.close()
            raise
    except OSError as error:
        raise AddressUnavailable(
            f"{address} cannot be served at: {error.strerror or error}. Choose another one."
        ) from None
    return made


def _tls(certificates: Certificates) -> dict[str, Any]:
    given: dict[str, Any] = {
        "ssl_certfile": str(certificates.certificate),
        "ssl_keyfile": str(certificates.key),
    }
    if certificates.client_authority is not None:
        given |= {"ssl_ca_certs": str(certificates.client_authority), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return given
