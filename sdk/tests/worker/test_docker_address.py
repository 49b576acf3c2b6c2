"""Where a container engine is looked for: as its own clients look."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from rescind.worker.executors.docker_address import EngineUnavailable, find_engine


@pytest.mark.parametrize(
    ("environment", "url", "unix_socket"),
    [
        ({"DOCKER_HOST": "unix:///a.sock", "CONTAINER_HOST": "unix:///b.sock"}, "http://engine", "/a.sock"),
        ({"CONTAINER_HOST": "unix:///b.sock"}, "http://engine", "/b.sock"),
        ({"DOCKER_HOST": "tcp://builder"}, "http://builder:2375", None),
        ({"DOCKER_HOST": "tcp://[::1]:99"}, "http://[::1]:99", None),
        ({"DOCKER_HOST": "tcp://builder", "DOCKER_TLS_VERIFY": "1"}, "https://builder:2376", None),
    ],
)
def test_variables_say_where_it_is(
    environment: Mapping[str, str], url: str, unix_socket: str | None, tmp_path: Path
) -> None:
    found = find_engine(environment, tmp_path)
    assert (found.url, found.socket) == (url, unix_socket)


@pytest.mark.parametrize(
    ("environment", "folder", "verifies"),
    [
        ({"DOCKER_TLS_VERIFY": "1"}, ".docker", True),
        ({"DOCKER_TLS": "1"}, ".docker", False),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certificates"}, "/certificates", True),
    ],
)
def test_variables_say_which_certificates_hold(
    environment: Mapping[str, str], folder: str, verifies: bool, tmp_path: Path
) -> None:
    found = find_engine({"DOCKER_HOST": "tcp://builder", **environment}, tmp_path)
    assert (found.certificates, found.verifies) == (tmp_path / folder, verifies)


def test_certificates_that_are_not_there_are_told(tmp_path: Path) -> None:
    found = find_engine({"DOCKER_HOST": "tcp://builder", "DOCKER_TLS_VERIFY": "1"}, tmp_path)
    with pytest.raises(EngineUnavailable, match="Correct DOCKER_CERT_PATH"):
        found.tls()


def test_the_chosen_context_says_where_it_is(tmp_path: Path) -> None:
    make_context(tmp_path, "elsewhere", "tcp://elsewhere:99")
    assert find_engine({"DOCKER_CONTEXT": "elsewhere"}, tmp_path).url == "http://elsewhere:99"
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"currentContext": "elsewhere"}))
    assert find_engine({}, tmp_path).url == "http://elsewhere:99"


def test_a_context_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="Docker's context 'elsewhere' is not found"):
        find_engine({"DOCKER_CONTEXT": "elsewhere"}, tmp_path)


@pytest.mark.parametrize("address", ["ssh://builder", "unix://", "builder:2375", "tcp://"])
def test_an_address_that_cannot_be_meant_is_named(address: str, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="DOCKER_HOST is"):
        find_engine({"DOCKER_HOST": address}, tmp_path)


def test_else_it_is_at_a_default_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short, and that of a test's folder may be long
    (tmp_path / "podman").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("podman/podman.sock")
        found = find_engine({"XDG_RUNTIME_DIR": str(tmp_path)}, tmp_path)
    # A machine may have an engine of its own, which comes before that of a user.
    assert found.socket in (str(tmp_path / "podman" / "podman.sock"), "/var/run/docker.sock")


def test_without_a_session_a_users_engines_are_looked_for_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_socket", lambda path: str(path) == f"/run/user/{os.getuid()}/podman/podman.sock")
    assert find_engine({}, tmp_path).socket == f"/run/user/{os.getuid()}/podman/podman.sock"


def test_where_none_is_found_it_is_told_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_socket", lambda path: False)
    with pytest.raises(EngineUnavailable) as caught:
        find_engine({"XDG_RUNTIME_DIR": "/runtime"}, tmp_path)
    for place in ("/var/run/docker", "/runtime/docker", "/runtime/podman/podman", "/run/podman/podman"):
        assert f"{place}.sock" in str(caught.value)
    assert str(caught.value).endswith("Start Docker or Podman, or say in DOCKER_HOST where one is.")


def test_a_context_brings_its_certificates(tmp_path: Path) -> None:
    make_context(tmp_path, "secured", "tcp://builder:99")
    digest = hashlib.sha256(b"secured").hexdigest()
    certificates = tmp_path / ".docker" / "contexts" / "tls" / digest / "docker"
    certificates.mkdir(parents=True)
    found = find_engine({"DOCKER_CONTEXT": "secured"}, tmp_path)
    assert (found.url, found.certificates, found.verifies) == ("https://builder:99", certificates, True)


def make_context(home: Path, name: str, host: str) -> None:
    folder = home / ".docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
