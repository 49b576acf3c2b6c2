"""The server, put together: engine, store, host and gateways. The one module that knows every part."""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection

from rescind.errors import RescindError, ServerUnavailable
from rescind.transport.grpc_methods import CLIENT_SERVICE, WORKER_SERVICE
from rescind_server.engine.machine import DEFAULT_LEASE_MS, Engine
from rescind_server.gateway.grpc_client import ClientGateway
from rescind_server.gateway.grpc_worker import WorkerGateway
from rescind_server.gateway.identity import Identify, take_everybody
from rescind_server.gateway.limits import Limits
from rescind_server.host.clock import WallClock
from rescind_server.host.driver import Host
from rescind_server.host.queries import Queries
from rescind_server.store.memory import MemoryStore
from rescind_server.store.port import Store
from rescind_server.store.sqlite import Durability, SqliteStore

DEFAULT_ADDRESS: Final = "127.0.0.1:7233"
SERVICES: Final = (WORKER_SERVICE.full_name, CLIENT_SERVICE.full_name)
HEALTH: Final = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name

_LOG: Final = logging.getLogger(__name__)
_LOOK_EVERY: Final = 0.1
_GRACE: Final = 2.0


class Server:
    """A whole server. Use it as an async context manager: inside it serves; left, it has stopped in order.

    Attributes:
        address: where it serves, with the port that it got; inside the block.
        host: what drives its engine; inside the block.
    """

    def __init__(
        self,
        store: str | Path | Store | None = None,
        address: str = DEFAULT_ADDRESS,
        *,
        durability: Durability = "full",
        lease_ms: int = DEFAULT_LEASE_MS,
        limits: Limits | None = None,
        identify: Identify = take_everybody,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        """Put the parts together; nothing is opened before the block is entered.

        Args:
            store: the file in which everything is kept; None keeps it in memory, for as long as the server runs.
            address: ``host:port`` to serve at; port 0 takes a free one.
            durability: how much a commit to the file waits for.
            lease_ms: how long the attempts of a worker that went away stay its own.
            limits: bounds on what comes in and waits to go out.
            identify: who makes a call, by its metadata.
            credentials: for TLS; None serves in the clear.
        """
        self.address = address
        self._store_given = store
        self._durability: Durability = durability
        self._lease_ms = lease_ms
        self._limits = limits or Limits()
        self._identify = identify
        self._credentials = credentials
        self._store: Store | None = None
        self._host: Host | None = None
        self._queries: Queries | None = None
        self._grpc: grpc.aio.Server | None = None
        self._workers: WorkerGateway | None = None
        self._health = health.HealthServicer()

    @property
    def host(self) -> Host:
        """What drives the engine."""
        assert self._host is not None, "the server is not open"
        return self._host

    async def __aenter__(self) -> Self:
        """Open the store, go on from what is in it, and serve.

        Raises:
            StoreError: the file cannot be used; another server may have it open.
            ServerUnavailable: the address cannot be served at.
        """
        self._store = self._open_store()
        try:
            self._host = await self._open_host(self._store)
            self._grpc = await self._open_gateways(self._host)
        except BaseException:
            if self._host is not None:
                await self._host.close()
            self._close_store()
            raise
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._grpc is not None
        assert self._workers is not None
        await self._health.enter_graceful_shutdown()
        self._workers.stop()
        # Those who wait for an end, or follow, would wait out the grace; they come back to the next server.
        self.host.watchers.close("the server is stopping.")
        # The host answers until the last call is over: what was asked before is decided, durable and told.
        await self._grpc.stop(_GRACE)
        await self.host.close()
        self._close_store()

    async def wait_failed(self) -> BaseException:
        """Wait until the server cannot go on, and return why. Until it is left, it answers UNAVAILABLE."""
        while self.host.failure is None:  # noqa: ASYNC110 - the host tells nobody
            await asyncio.sleep(_LOOK_EVERY)
        for service in ("", *SERVICES):
            await self._health.set(service, health_pb2.HealthCheckResponse.NOT_SERVING)
        return self.host.failure

    def _open_store(self) -> Store:
        match self._store_given:
            case None:
                return MemoryStore()
            case str() | Path():
                return SqliteStore(self._store_given, durability=self._durability)
            case given:
                return given

    def _close_store(self) -> None:
        if self._store is not None and self._store is not self._store_given:
            self._store.close()

    async def _open_host(self, store: Store) -> Host:
        clock = WallClock()
        # The seed only tells ids apart that nobody chose; those of a restart must not be those of before.
        engine = Engine(seed=clock.now(), lease_ms=self._lease_ms)
        loaded = store.load()
        # Also where nothing is open: leases must go on growing, since workers of before may still be there.
        await store.commit([engine.restore(*loaded, clock.now())])
        host = Host(engine, store, clock)
        host.start()
        self._queries = Queries(host, engine, store)
        return host

    async def _open_gateways(self, host: Host) -> grpc.aio.Server:
        name = f"rescind-server/{version()}"
        self._workers = WorkerGateway(host, self._limits, self._identify, server_name=name)
        assert self._queries is not None
        clients = ClientGateway(host, self._queries, self._limits, self._identify)
        server = grpc.aio.server(options=_options(self._limits))
        for service, handlers in ((WORKER_SERVICE, self._workers.handlers()), (CLIENT_SERVICE, clients.handlers())):
            assert set(handlers) == set(service.methods_by_name), service.full_name
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((*SERVICES, HEALTH, reflection.SERVICE_NAME), server)
        self.address = self._bind(server)
        await server.start()
        for service_name in ("", *SERVICES):
            await self._health.set(service_name, health_pb2.HealthCheckResponse.SERVING)
        return server

    def _bind(self, server: grpc.aio.Server) -> str:
        try:
            port = (
                server.add_secure_port(self.address, self._credentials)
                if self._credentials is not None
                else server.add_insecure_port(self.address)
            )
        except RuntimeError as error:
            raise ServerUnavailable(
                f"{self.address} cannot be served at: {error}. Is another server using it? Choose another address."
            ) from None
        return f"{self.address.rpartition(':')[0]}:{port}"


def version() -> str:
    """The version of the installed distribution."""
    return importlib.metadata.version("rescind")


def _options(limits: Limits) -> Sequence[tuple[str, Any]]:
    return (
        ("grpc.max_receive_message_length", limits.message),
        ("grpc.max_send_message_length", -1),
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        # Without this a second server on the same port would silently share its calls.
        ("grpc.so_reuseport", 0),
    )


async def serve(server: Server, stop: asyncio.Event) -> None:
    """Serve until told to stop, or until the server cannot go on.

    Args:
        server: one that has not begun.
        stop: set to stop in order.

    Raises:
        StoreError: the file cannot be used, or did not take a commit.
        ServerUnavailable: the address cannot be served at, or the engine failed.
    """
    async with server:
        _LOG.info("serving at %s", server.address)
        failed = asyncio.create_task(server.wait_failed())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([failed, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            failed.cancel()
        if server.host.failure is not None:
            raise ServerUnavailable(f"the server cannot go on: {server.host.failure}") from server.host.failure


async def _main(address: str, store: str | None, durability: Durability, lease_ms: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = Server(store, address, durability=durability, lease_ms=lease_ms)
    await serve(server, stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m rescind_server.app``: a server without the command line of `rescind`. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rescind_server.app", description=__doc__)
    parser.add_argument("--address", default=DEFAULT_ADDRESS, help="host:port to serve at (%(default)s)")
    parser.add_argument("--store", help="the file in which everything is kept; else memory")
    parser.add_argument("--durability", choices=("full", "normal", "off"), default="full")
    parser.add_argument("--lease-ms", type=int, default=DEFAULT_LEASE_MS)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(_main(given.address, given.store, given.durability, given.lease_ms))
    except RescindError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
