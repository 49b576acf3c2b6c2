"""Where a cluster is, and how it is spoken to: Temporal's variables, its configuration file, TLS, an API key."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
import pytest
import trustme

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import AgentContext, agent
from rescind.errors import InvalidInput, NotAuthenticated, NotFound, ServerUnavailable, TlsFailed
from rescind.settings import Tls
from rescind.temporal import TemporalBackend, TemporalClient
from rescind.temporal.connecting import connect, tls_config

from .world import TASKS

pytestmark = pytest.mark.asyncio
VARIABLES = ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_PROFILE", "TEMPORAL_API_KEY", "TEMPORAL_TLS")


@agent("greets")
async def greets(ctx: AgentContext, name: str) -> str:
    return f"hello, {name}"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """None of Temporal's variables is set, and its configuration file is this test's own."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "temporal.toml"
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
    return file


def configure(file: Path, text: str) -> None:
    """Write Temporal's configuration file."""
    file.write_text(text, "utf-8")


class Certificates:
    """An authority, a server's certificate and a client's, as files."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.server = authority.issue_cert("localhost")
        self.client = authority.issue_cert("client@example.org")
        self.authority_file = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.authority_file)
        self.certificate_file, self.key_file = folder / "client.pem", folder / "client.key"
        self.client.cert_chain_pems[0].write_to_path(self.certificate_file)
        self.client.private_key_pem.write_to_path(self.key_file)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.set_alpn_protocols(["h2"])
        self.server.configure_cert(self.context)
        authority.configure_trust(self.context)
        self.context.verify_mode = ssl.CERT_REQUIRED


@asynccontextmanager
async def speaking_tls(server: DevelopmentServer, context: ssl.SSLContext) -> AsyncIterator[str]:
    """The address of a proxy that speaks TLS with callers, and in the clear with the server."""
    host, _, port = server.address.rpartition(":")
    open_now: set[asyncio.Task[None]] = set()

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                target.write(data)
                await target.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        this = asyncio.current_task()
        assert this is not None
        open_now.add(this)
        ways = [asyncio.ensure_future(carry(reader, back)), asyncio.ensure_future(carry(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            open_now.discard(this)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, back):
                end.transport.abort()
                with suppress(OSError):
                    await end.wait_closed()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"localhost:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        for task in list(open_now):
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)


class Doorkeeper(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Stands where a cluster would, lets nobody in, and remembers what callers say of themselves."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def service(self, handler_call_details: Any) -> Any:
        """See `grpc.GenericRpcHandler`."""
        self.told.append(dict(handler_call_details.invocation_metadata or ()))

        async def refuse(request: bytes, context: Any) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")

        return grpc.unary_unary_rpc_method_handler(refuse)


@asynccontextmanager
async def guarded(door: Doorkeeper) -> AsyncIterator[str]:
    """The address of a doorkeeper."""
    server = grpc.aio.server(handlers=[door])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def greeted(address: str | None = None, **options: Any) -> str:
    """What an agent says that is started and run there, by a worker and a client that were told no more than this."""
    options = {"connect_options": options} if options else {}
    async with (
        asyncio.timeout(30),
        TemporalBackend(address, agents=[greets], tasks=TASKS, queue=str(uuid4()), **options) as backend,
    ):
        return str(await (await backend.start(greets, "you")).result())


async def test_temporals_variables_say_where_the_cluster_is(
    development_server: DevelopmentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", development_server.address)
    assert await greeted() == "hello, you"
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "nowhere")
    with pytest.raises(NotFound, match="no namespace 'nowhere'"):
        await greeted()


async def test_the_configuration_file_says_where_the_cluster_is_by_profile(
    development_server: DevelopmentServer, nothing_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(
        nothing_set,
        f'[profile.default]\naddress = "{development_server.address}"\n'
        f'[profile.other]\naddress = "{development_server.address}"\nnamespace = "elsewhere"\n',
    )
    assert await greeted() == "hello, you"
    with pytest.raises(NotFound, match="'elsewhere'"):
        await connect(profile="other")
    monkeypatch.setenv("TEMPORAL_PROFILE", "other")
    with pytest.raises(NotFound, match="'elsewhere'"):
        await greeted()


async def test_what_is_given_goes_before_variables_and_those_before_the_file(
    development_server: DevelopmentServer, nothing_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(nothing_set, '[profile.default]\naddress = "localhost:1"\nnamespace = "of-the-file"\n')
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "of-the-variable")
    with pytest.raises(NotFound, match="'of-the-variable'"):
        await connect(development_server.address)
    assert (await connect(development_server.address, "default")).namespace == "default"


async def test_a_configuration_file_that_cannot_be_meant_is_refused(nothing_set: Path) -> None:
    configure(nothing_set, "profile = no toml")
    with pytest.raises(InvalidInput, match="configuration cannot be read"):
        await connect()


async def test_tls_of_both_sides_is_spoken_with_files_that_are_given_or_named_in_the_configuration(
    development_server: DevelopmentServer, nothing_set: Path, tmp_path: Path
) -> None:
    files = Certificates(tmp_path)
    async with speaking_tls(development_server, files.context) as address:
        given = Tls(authority=files.authority_file, certificate=files.certificate_file, key=files.key_file)
        assert await greeted(address, tls=tls_config(given)) == "hello, you"
        configure(
            nothing_set,
            f'[profile.default]\naddress = "{address}"\n[profile.default.tls]\n'
            f'server_ca_cert_path = "{files.authority_file}"\n'
            f'client_cert_path = "{files.certificate_file}"\nclient_key_path = "{files.key_file}"\n',
        )
        assert await greeted() == "hello, you"


async def test_a_certificate_that_is_not_trusted_or_missing_is_told(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    files = Certificates(tmp_path)
    async with speaking_tls(development_server, files.context) as address:
        with pytest.raises(TlsFailed, match=f"no TLS with Temporal at {address}"):
            await connect(address, tls=True)
        with pytest.raises(TlsFailed, match=f"no TLS with Temporal at {address}"):
            await connect(address, tls=tls_config(Tls(authority=files.authority_file)))


@pytest.mark.parametrize(
    "why",
    [
        'message: "transport error"',
        'Status { code: Cancelled, message: "operation was canceled", '
        'source: Some(tonic::transport::Error(Transport, hyper::Error(Canceled, "connection closed"))) }',
    ],
    ids=["before the first call", "during the first call"],
)
async def test_an_encrypted_connection_that_is_closed_is_told_as_what_it_most_likely_is(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    async def closed(**_: Any) -> None:
        raise RuntimeError(f"Failed client connect: {why}")

    monkeypatch.setattr("temporalio.client.Client.connect", closed)
    with pytest.raises(TlsFailed, match="as a server does that wants a client certificate"):
        await connect("localhost:1", tls=True)
    with pytest.raises(ServerUnavailable, match="as a server does that wants TLS"):
        await connect("localhost:1", tls=False)


@pytest.mark.parametrize("way", ["given", "variable", "file"])
async def test_an_api_key_goes_with_every_call(nothing_set: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    door = Doorkeeper()
    options: dict[str, Any] = {"tls": False}
    async with guarded(door) as address:
        if way == "given":
            options["api_key"] = "the-key"
        elif way == "variable":
            monkeypatch.setenv("TEMPORAL_API_KEY", "the-key")
        else:
            configure(nothing_set, '[profile.default]\napi_key = "the-key"\n')
        with pytest.raises(NotAuthenticated, match="API key"):
            async with TemporalClient(address, **options):
                pass
    assert door.told
    assert {each.get("authorization") for each in door.told} == {"Bearer the-key"}
