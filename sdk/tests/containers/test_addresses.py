"""Engines that are reached over TCP: in the clear, and with certificates on both sides."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from rescind.client.records import TaskRecord
from rescind.executors import container
from sdk.tests.containers.engine import IMAGE, TestEngine
from sdk.tests.containers.observed import result_of
from sdk.tests.worker.executors.observed import in_real_time, observed


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def certify(authority: trustme.CA, owner: str, folder: Path) -> list[str]:
    """What Docker calls a folder of certificates: ``ca.pem``, ``cert.pem`` and ``key.pem``."""
    folder.mkdir()
    issued = authority.issue_cert(owner)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    return [f"--tlscacert={folder}/ca.pem", f"--tlscert={folder}/cert.pem", f"--tlskey={folder}/key.pem"]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ports(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Docker's daemons that serve over TCP, by how they do."""
    folder = tmp_path_factory.mktemp("certificates")
    served = {"clear": free_port(), "tls": free_port()}
    options = {
        "clear": ["--tls=false"],
        "tls": ["--tlsverify", *certify(authority, "127.0.0.1", folder / "engine")],
    }
    engines = [
        TestEngine(tmp_path_factory.mktemp(name), "--host", f"tcp://127.0.0.1:{port}", *options[name])
        for name, port in served.items()
    ]
    try:
        for engine in engines:
            engine.start()
            engine.make_image()
        yield served
    finally:
        for engine in engines:
            engine.stop()


def ended() -> TaskRecord:
    """A container's task, to its end."""
    records: list[TaskRecord] = []

    @in_real_time
    async def main() -> None:
        async with observed(container("far", IMAGE, "echo here", max_retries=0)) as seen:
            records.append(await seen.over())

    main()
    return records[0]


def test_a_container_runs_on_an_engine_that_serves_over_tcp(
    ports: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{ports['clear']}")
    assert result_of(ended()).stdout == "here\n"


def test_a_container_runs_on_an_engine_that_asks_for_certificates(
    ports: dict[str, int], authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certify(authority, "client", tmp_path / "client")
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{ports['tls']}")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "client"))
    assert result_of(ended()).stdout == "here\n"


def test_an_engine_with_a_certificate_of_another_authority_is_told_nothing(
    ports: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certify(trustme.CA(), "client", tmp_path / "client")
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{ports['tls']}")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "client"))
    record = ended()
    assert (record.status, record.view.failure and record.view.failure.error_type) == ("FAILED", "EngineUnavailable")
    assert "no TLS with it: unable to get local issuer certificate" in (record.error or "")


def test_an_engine_that_asks_for_a_certificate_tells_nothing_to_one_without(
    ports: dict[str, int], authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{ports['tls']}")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    record = ended()
    assert (record.status, record.view.failure and record.view.failure.error_type) == ("FAILED", "EngineUnavailable")
    assert "no TLS with it" in (record.error or "")
