"""What `rescind … --temporal` cannot do is said in one line, at once, with the exit code that says who must act."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import grpc
import pytest

from fixtures.temporal_servers.running import DevelopmentServer
from sdk.tests.cli.certified import Authority
from sdk.tests.cli.programs import Programs, free_port, invoke, next_event, refused

FRONT: Final = Path(__file__).with_name("tls_front.py")
WORK: Final = """
from pathlib import Path

from rescind import AgentContext, agent


@agent("reads-a-file")
async def reads_a_file(ctx: AgentContext) -> str:
    return Path(__file__).read_text()


@agent("takes-text")
async def takes_text(ctx: AgentContext, text: str) -> None: ...
"""


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    (tmp_path / "work.py").write_text(WORK)
    started = Programs(tmp_path)
    started.environment["RESCIND_QUEUE"] = f"queue-{uuid4()}"
    try:
        yield started
    finally:
        started.end()


@contextmanager
def answering(code: grpc.StatusCode) -> Iterator[str]:
    """A server that answers everything with an error; gives its address."""

    def answer(request: bytes, context: Any) -> None:
        context.abort(code, "the key is unknown")

    class Refusing(grpc.GenericRpcHandler):  # type: ignore[misc]  # gRPC has no types
        def service(self, handler_call_details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Refusing()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@contextmanager
def behind_tls(address: str, authority: Authority, *, of_clients: Authority | None = None) -> Iterator[str]:
    """A server behind TLS, as a cluster in the cloud is; gives its address there."""
    asked_for = [str(of_clients.root)] if of_clients is not None else []
    command = [sys.executable, str(FRONT), address, *authority.issue("server", "localhost"), *asked_for]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as front:
        assert front.stdout is not None
        try:
            yield f"localhost:{front.stdout.readline().strip()}"
        finally:
            front.kill()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("list", "--temporal", "http://localhost:7233"), "'http://localhost:7233' is no address. Leave 'http://'"),
        (("list", "--temporal", "here"), "'here' is no address. Give host:port"),
        (("list", "--address", "a:1", "--temporal", "b:2"), "--address and --temporal are both given"),
        (("list", "--temporal-namespace", "n"), "go with --temporal"),
        (("list", "--token", "t", "--temporal", "a:1"), "a cluster's API key is taken from TEMPORAL_API_KEY"),
        (("list", "--tls-ca", "nowhere.pem", "--temporal", "a:1"), "nowhere.pem cannot be read"),
        (("list", "--tls-key", __file__, "--temporal", "a:1"), "of a certificate and its key only one is given"),
        (("audit", "--temporal", "a:1"), "`rescind audit` is for servers: a Temporal cluster keeps no such thing"),
        (("webhook", "list", "--temporal", "a:1"), "`rescind webhook list` is for servers"),
        (("token", "list", "--temporal", "a:1"), "--temporal"),
        (("worker", "work", "--cancel-within", "0.05", "--temporal", "a:1"), "--cancel-within"),
        (("worker", "work", "--lease", "5"), "--lease goes with --temporal"),
        (("worker", "work", "--deployment", "d", "--temporal", "a:1"), "--deployment and --build-id go together"),
        (("worker", "work", "--versioning", "pinned", "--temporal", "a:1"), "--versioning goes with --deployment"),
        (("worker", "--temporal", "a:1"), "there is nothing to run"),
        (("worker", "json", "--temporal", "a:1"), "json defines no agent, task or workflow"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anybody_is_asked(arguments: tuple[str, ...], told: str) -> None:
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert told in done.stderr.splitlines()[-1]


def test_without_temporals_sdk_it_says_what_to_type(programs: Programs) -> None:
    program = "import sys; sys.modules['temporalio'] = None; from rescind.cli.main import main; main()"
    programs.command = (sys.executable, "-c", program)
    for arguments in (("list",), ("worker", "work")):
        told = refused(programs.run(*arguments, "--temporal", "a:1"), 2)
        assert told.endswith("Type: pip install 'rescind[temporal]'")


def test_a_configuration_file_that_is_not_toml_or_has_no_such_profile_is_named(
    programs: Programs, tmp_path: Path
) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text("[profile")
    programs.environment["TEMPORAL_CONFIG_FILE"] = str(file)
    assert "Temporal's configuration cannot be read" in refused(programs.run("list", "--temporal"), 2)
    file.write_text("")
    told = refused(programs.run("list", "--temporal-profile", "mine", "--temporal"), 2)
    assert "mine" in told


def test_where_nobody_answers_it_says_so_at_once(programs: Programs) -> None:
    address = f"127.0.0.1:{free_port()}"
    for arguments in (("list",), ("worker", "work")):
        told = refused(programs.run(*arguments, "--temporal", address), 5)
        assert f"no Temporal server answers at {address}: Connection refused." in told
    assert "no Temporal server answers" in refused(programs.run("list", "--temporal", "nowhere.invalid:1"), 5)


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rescind.temporal.connecting._LONGEST_CONNECT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = invoke("list", "--temporal", f"127.0.0.1:{silent.getsockname()[1]}")
    assert done.exit_code == 5
    assert "it said nothing for 0.1 s" in done.stderr


@pytest.mark.parametrize("key", ["", "a\tb"])
def test_a_key_that_can_be_none_is_refused_and_not_shown(programs: Programs, key: str) -> None:
    programs.environment["TEMPORAL_API_KEY"] = key
    told = refused(programs.run("list", "--temporal", f"127.0.0.1:{free_port()}"), 2)
    assert "the API key of Temporal is empty, or not printable ASCII" in told
    assert not key or key not in told


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED])
def test_a_key_that_the_cluster_does_not_know_is_told(programs: Programs, code: grpc.StatusCode) -> None:
    programs.environment |= {"TEMPORAL_API_KEY": "wrong", "TEMPORAL_TLS": "false"}
    with answering(code) as address:
        told = refused(programs.run("list", "--no-tls", "--temporal", address), 4)
    assert f"Temporal at {address} does not let this caller in." in told
    assert "wrong" not in told


def test_tls_works_with_the_right_certificates_and_is_explained_with_the_wrong_ones(
    programs: Programs, development_server: DevelopmentServer, tmp_path: Path
) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    certificate, key = theirs.issue("client", "client")
    proof = ("--tls-certificate", certificate, "--tls-key", key)
    with behind_tls(development_server.address, ours, of_clients=theirs) as address:
        where = ("--temporal", address)
        assert programs.run("list", *where, "--tls-ca", str(ours.root), *proof).returncode == 0
        assert "UnknownIssuer" in refused(programs.run("list", *where, "--tls-ca", str(theirs.root), *proof), 4)
        assert "as a server does that wants TLS" in refused(programs.run("list", *where), 5)
        programs.environment |= {
            "TEMPORAL_ADDRESS": address,
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(ours.root),
            "TEMPORAL_TLS_CLIENT_CERT_PATH": certificate,
            "TEMPORAL_TLS_CLIENT_KEY_PATH": key,
        }
        assert programs.run("list", "--temporal").returncode == 0
    assert "no TLS with Temporal" in refused(programs.run("list", "--temporal", development_server.address), 4)


def test_what_the_cluster_refuses_is_told_in_one_line(
    programs: Programs, development_server: DevelopmentServer, tmp_path: Path
) -> None:
    programs.environment["RESCIND_TEMPORAL"] = development_server.address
    told = refused(programs.run("list", "--temporal-namespace", "nowhere"), 3)
    assert "has no namespace 'nowhere'. Give one that it has" in told
    (tmp_path / "large.json").write_text(json.dumps("x" * 3_000_000))
    told = refused(programs.run("start", "takes-text", "@large.json"), 2)
    assert "bytes" in told
    assert "no execution 'nobody'" in refused(programs.run("show", "nobody"), 3)
    assert "by their worker" in refused(programs.run("list", "--worker", "w"), 2)


def test_an_agent_that_no_worker_knows_or_that_reaches_outside_is_told_to_whoever_waits(
    programs: Programs, development_server: DevelopmentServer, tmp_path: Path
) -> None:
    programs.environment["RESCIND_TEMPORAL"] = development_server.address
    assert next_event(programs.begin("worker", "work", "--json"))["event"] == "working"
    unknown = programs.run("start", "unheard-of", "--wait")
    assert (unknown.returncode, len(unknown.stderr.splitlines())) == (2, 1)
    assert "no agent of kind 'unheard-of' is registered here" in unknown.stderr
    outside = programs.json("start", "reads-a-file", "--wait", code=1)
    assert outside["status"] == "FAILED"
    assert f"{tmp_path / 'work.py'}:9 reaches outside" in outside["error"]
