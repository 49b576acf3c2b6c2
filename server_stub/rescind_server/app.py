"""The server, put together: engine, store, host and gateways. The one module that knows every part."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from rescind.errors import RescindError, ServerUnavailable, StoreError
from rescind.interpreter import settle
from rescind.model.ids import Instant
from rescind.model.version import VERSION
from rescind.transport.grpc_methods import CLIENT_SERVICE, WEBHOOK_SERVICE, WORKER_SERVICE, WORKFLOW_SERVICE
from rescind_server.access.certificates import Certificates
from rescind_server.access.token_file import TokenFile, beside
from rescind_server.engine.machine import DEFAULT_LEASE_MS, Engine
from rescind_server.gateway import organisations
from rescind_server.gateway.admission import admission, token_file_of
from rescind_server.gateway.flovyn.services import FlovynServices
from rescind_server.gateway.grpc_client import ClientGateway
from rescind_server.gateway.grpc_listener import GrpcListener, credentials_of
from rescind_server.gateway.grpc_webhooks import WebhookGateway
from rescind_server.gateway.grpc_worker import WorkerGateway
from rescind_server.gateway.grpc_workflows import WorkflowGateway
from rescind_server.gateway.identity import Identify
from rescind_server.gateway.limits import Limits
from rescind_server.host.about import About
from rescind_server.host.clock import Clock, WallClock
from rescind_server.host.driver import Host
from rescind_server.host.queries import Queries
from rescind_server.host.retention import Retention
from rescind_server.store.memory import MemoryStore
from rescind_server.store.port import Store
from rescind_server.store.sqlite import Durability, SqliteStore
from rescind_server.webhooks.service import WebhookService

if TYPE_CHECKING:
    from rescind_server.gateway.http.application import HttpGateway
    from rescind_server.gateway.http.listener import HttpListener

DEFAULT_ADDRESS: Final = "127.0.0.1:7233"
SERVICES: Final = (WORKER_SERVICE.full_name, CLIENT_SERVICE.full_name, WEBHOOK_SERVICE.full_name)

_LOG: Final = logging.getLogger(__name__)
_GRACE: Final = 2.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Server:
    """A whole server. Use it as an async context manager: inside it serves; left, it has stopped in order.

    Attributes:
        address: where it serves, with the port that it got; inside the block.
        http_address: where it serves HTTP, likewise; None if it does not.
        http_gateway: what it serves there; inside the block.
        asks_for_tokens: whether it lets in none but holders of tokens; inside the block.
        host: what drives its engine; inside the block.
    """

    def __init__(
        self,
        store: str | Path | Store | None = None,
        address: str = DEFAULT_ADDRESS,
        *,
        durability: Durability = "full",
        lease_ms: int = DEFAULT_LEASE_MS,
        retention: timedelta | None = None,
        limits: Limits | None = None,
        identify: Identify | None = None,
        http_address: str | None = None,
        tokens: Path | None = None,
        certificates: Certificates | None = None,
        webhooks_to_private_addresses: bool = True,
        page: bool = True,
        http_names: Sequence[str] = (),
    ) -> None:
        """Put the parts together; nothing is opened before the block is entered.

        Args:
            store: the file in which everything is kept; None keeps it in memory, for as long as the server runs.
            address: ``host:port`` to serve at; port 0 takes a free one.
            durability: how much a commit to the file waits for.
            lease_ms: how long the attempts of a worker that went away stay its own.
            retention: how long an execution is kept after its end; None keeps it for ever.
            limits: bounds on what comes in and waits to go out.
            identify: who makes a call, by its metadata; None takes the holders of tokens, or where there are no tokens
                everybody on this machine.
            http_address: ``host:port`` to serve HTTP at; None serves none.
            tokens: the file of the tokens; None takes the one beside the store's file, if there is one.
            certificates: for TLS at both ports; None serves in the clear.
            webhooks_to_private_addresses: whether webhooks may lead to this machine and its network; False where
                organisations do not trust each other.
            page: whether the page is served where HTTP is.
            http_names: of hosts at which HTTP is asked, besides the loopback's, where there are no tokens.
        """
        self.address = address
        self._store_given = store
        self._durability: Durability = durability
        self._lease_ms = lease_ms
        self._retention = retention
        self._limits = limits or Limits()
        self._identify = identify
        self.http_address = http_address
        self._tokens = tokens
        self._certificates = certificates
        self._webhooks_to_private_addresses = webhooks_to_private_addresses
        self._page = page
        self._http_names = http_names
        self._store: Store | None = None
        self._host: Host | None = None
        self._queries: Queries | None = None
        self._listener: GrpcListener | None = None
        self._http: HttpListener | None = None
        self.http_gateway: HttpGateway | None = None
        self.asks_for_tokens = False
        self._workers: WorkerGateway | None = None
        self._flovyn: FlovynServices | None = None
        self._workflows: WorkflowGateway | None = None
        self._webhooks: WebhookService | None = None
        self._background: list[asyncio.Task[None]] = []

    @property
    def host(self) -> Host:
        """What drives the engine."""
        assert self._host is not None, "the server is not open"
        return self._host

    async def __aenter__(self) -> Self:
        """Open the store, go on from what is in it, and serve.

        Raises:
            InvalidInput: an option that cannot be meant.
            StoreError: the file cannot be used; another server may have it open.
            AddressUnavailable: the address cannot be served at.
        """
        self._store = self._open_store()
        try:
            clock = WallClock()
            identify = self._identify or self._admission(clock)
            self._webhooks = WebhookService(
                self._store.outbox, clock, organisations.outer, allow_private=self._webhooks_to_private_addresses
            )
            self._host = await self._open_host(self._store, clock)
            self._listener = self._make_listener(self._host, identify)
            self.address = await self._listener.open(self.address)
            if self.http_address is not None:
                self._http = self._make_http_listener(self._host, identify)
                self.http_address = await self._http.open(self.http_address)
            self._host.listeners.append(self._webhooks.note)
            self._run(self._webhooks.run())
            self._run(self._follow_health(self._host, self._listener))
            if self._retention is not None:
                self._run(Retention(self._store, clock, self._retention).run())
        except BaseException:  # also a start that is cancelled leaves no port and no file open
            if self._listener is not None:
                await self._listener.close(0.0)
            await self._close_behind_listener()
            raise
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._listener is not None
        assert self._workers is not None
        await self._listener.tell_stopping()
        self._workers.stop()
        assert self._flovyn is not None
        self._flovyn.stop()
        if self._workflows is not None:
            self._workflows.stop()
        if self._http is not None:
            await self._http.tell_stopping()
        # Those who wait for an end, or follow, would wait out the grace; they come back to the next server.
        self.host.watchers.close("the server is stopping.")
        # The host answers until the last call is over: what was asked before is decided, durable and told.
        await self._listener.close(_GRACE)
        if self._http is not None:
            await self._http.close()
        await self._close_behind_listener()

    async def wait_failed(self) -> BaseException:
        """Wait until the server cannot go on by itself, and return why. Until it is left, it answers UNAVAILABLE."""
        return await self.host.wait_failed()

    async def _close_behind_listener(self) -> None:
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)
        if self._host is not None:
            await self._host.close()
        if self._store is not None and self._store is not self._store_given:
            self._store.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside serving, until the server stops."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_log_failure)
        self._background.append(task)

    def _open_store(self) -> Store:
        match self._store_given:
            case None:
                return MemoryStore()
            case str() | Path():
                return SqliteStore(self._store_given, durability=self._durability, in_place=True)
            case given:
                return given

    async def _open_host(self, store: Store, clock: Clock) -> Host:
        # The seed only tells ids apart that nobody chose; those of a restart must not be those of before.
        engine = Engine(seed=clock.now(), lease_ms=self._lease_ms)
        loaded = store.load()
        trouble: StoreError | None = None
        try:
            # Also where nothing is open: leases must go on growing, since workers of before may still be there.
            await store.commit([engine.restore(*loaded, clock.now())])
        except StoreError as error:
            trouble = error
        # What memory holds is no more durable than the engine's own: there is nothing to go on from.
        host = Host(engine, store, clock, reopens=not isinstance(store, MemoryStore))
        host.start(trouble)
        self._queries = Queries(host, engine, store, self._about(store, clock.now()), self._token_file(store))
        return host

    def _about(self, store: Store, started_at: Instant) -> About:
        if not isinstance(store, SqliteStore):
            return About(VERSION, started_at)
        return About(VERSION, started_at, "sqlite", str(store.path.absolute()), self._durability)

    def _token_file(self, store: Store) -> TokenFile | None:
        if self._tokens is not None:
            return TokenFile(self._tokens)
        return TokenFile(beside(store.path)) if isinstance(store, SqliteStore) else None

    def _admission(self, clock: Clock) -> Identify:
        """Who is let in. Raises InvalidInput: there are no tokens, and others than this machine could come."""
        store = self._store.path if isinstance(self._store, SqliteStore) else None
        addresses = [each for each in (self.address, self.http_address) if each is not None]
        tokens = token_file_of(self._tokens, store)
        self.asks_for_tokens = tokens is not None
        return admission(tokens, addresses, self._limits, clock.now)

    def _make_http_listener(self, host: Host, identify: Identify) -> HttpListener:
        # Only where HTTP is served: it is a fifth of a server's start, and 5 MiB.
        from rescind_server.gateway.http.application import HttpGateway  # noqa: PLC0415
        from rescind_server.gateway.http.listener import HttpListener  # noqa: PLC0415

        assert self._queries is not None
        assert self._webhooks is not None
        self.http_gateway = HttpGateway(
            host,
            self._queries,
            self._webhooks.webhooks,
            self._limits,
            identify,
            version=VERSION,
            page=self._page,
            names=self._http_names,
            registrations=self._flovyn.registrations if self._flovyn is not None else None,
        )
        return HttpListener(self.http_gateway, self._certificates)

    def _make_listener(self, host: Host, identify: Identify) -> GrpcListener:
        name = f"rescind-server/{VERSION}"
        self._workers = WorkerGateway(host, self._limits, identify, server_name=name)
        assert self._store is not None
        self._flovyn = FlovynServices(host, self._store.registrations, self._limits, identify)
        assert self._queries is not None
        self._workflows = WorkflowGateway(host, self._queries, self._limits, identify)
        clients = ClientGateway(host, self._queries, self._limits, identify)
        assert self._webhooks is not None
        webhooks = WebhookGateway(self._webhooks.webhooks, self._limits, identify)
        services = {
            **self._flovyn.handlers(),
            WORKER_SERVICE: self._workers.handlers(),
            CLIENT_SERVICE: clients.handlers(),
            WEBHOOK_SERVICE: webhooks.handlers(),
            WORKFLOW_SERVICE: self._workflows.handlers(),
        }
        credentials = credentials_of(self._certificates) if self._certificates is not None else None
        return GrpcListener(services, self._limits, credentials)

    async def _follow_health(self, host: Host, listener: GrpcListener) -> None:
        availability = host.availability
        while True:
            change = availability.change
            await listener.tell_health(is_alive=availability.over is None, takes_writes=availability.is_open())
            await change.wait()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _LOG.critical("a part of the server failed, and is not there any more", exc_info=task.exception())


async def serve(server: Server, stop: asyncio.Event) -> None:
    """Serve until told to stop, or until the server cannot go on.

    Args:
        server: one that has not begun.
        stop: set to stop in order.

    Raises:
        StoreError: the file cannot be used, or did not take a commit.
        AddressUnavailable: the address cannot be served at.
        ServerUnavailable: the engine failed.
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


def stop_on_signals(stop: asyncio.Event) -> None:
    """Let the first SIGTERM or SIGINT set an event, and the second end the process at once, as a crash does."""
    loop = asyncio.get_running_loop()

    def set_once() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, set_once)


async def _main(address: str, store: str | None, durability: Durability, lease_ms: int) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    settle()
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
