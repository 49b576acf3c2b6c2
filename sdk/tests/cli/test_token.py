"""`rescind token`, and a server that lets nobody in but the holders of tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from rescind.cli.main import rescind
from sdk.tests.cli.programs import Programs, next_event


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(rescind, ["token", *arguments])


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store.db")


def created(store: str, *arguments: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(typed("create", *arguments, "--store", store, "--json").stdout)
    return made


def test_a_token_is_shown_once_and_listed_without_its_secret(store: str) -> None:
    made = typed("create", "web", "--role", "client", "--store", store, "--expires", "90d")
    assert made.exit_code == 0
    text = made.stdout.splitlines()[-1]
    assert text.startswith("rescind_")
    listed = typed("list", "--store", store).output
    assert "client" in listed
    assert text.split("_", 2)[2] not in listed
    (document,) = [json.loads(line) for line in typed("list", "--store", store, "--json").stdout.splitlines()]
    assert (document["name"], document["state"], document["expires_at"] is None) == ("web", "valid", False)


def test_a_token_is_revoked_by_its_id_again_and_again(store: str) -> None:
    token_id = created(store, "web", "--role", "client")["token_id"]
    for _ in range(2):
        revoked = json.loads(typed("revoke", token_id, "--store", store, "--json").stdout)
        assert revoked["state"] == "revoked"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["create", "a b", "--role", "client", "--tokens", "t"], 2, "a token's name is 'a b'"),
        (["create", "web", "--role", "client", "--tokens", "t", "--expires", "soon"], 2, "is no length of time"),
        (["create", "web", "--role", "king", "--tokens", "t"], 2, "'king' is not one of"),
        (["create", "web", "--role", "client", "--tokens", "none/t"], 4, "No such file or directory"),
        (["revoke", "0", "--tokens", "t"], 3, "no token '0'"),
        (["list"], 2, "Give --store, the server's store, or --tokens"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], exit_code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = typed(*arguments)
    assert refused.exit_code == exit_code, refused.output
    assert words in refused.stderr


def test_a_server_with_tokens_takes_their_holders_alone(programs: Programs, store: str) -> None:
    client = created(store, "web", "--role", "client")["token"]
    worker = created(store, "w", "--role", "worker")["token"]
    serving = next_event(programs.begin("server", "--store", store, "--address", "127.0.0.1:0", "--json"))
    assert serving["access"] == "tokens"
    programs.environment |= {"RESCIND_ADDRESS": serving["address"], "RESCIND_TOKEN": worker}
    next_event(programs.begin("worker", "work", "--json"))
    url = f"http://{serving['http']}/api/v1/executions"
    assert httpx.get(url).status_code == 401
    answer = httpx.post(
        url,
        json={"kind": "one-quote", "input": "bike", "execution_id": "q"},
        headers={"authorization": f"Bearer {client}"},
    )
    assert answer.status_code == 201
    programs.environment["RESCIND_TOKEN"] = client
    shown = json.loads(programs.run("start", "one-quote", '"bike"', "--id", "q", "--wait", "--json").stdout)
    assert shown["status"] == "COMPLETED"
    programs.environment["RESCIND_TOKEN"] = ""
    refused = programs.run("list")
    assert (refused.returncode, "asks for a token" in refused.stderr) == (4, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--address", "0.0.0.0:0"], "can be reached from other machines, and there are no tokens"),
        (["--address", "127.0.0.1:0", "--http", "0.0.0.0:0"], "can be reached from other machines"),
        (["--http", "127.0.0.1:0", "--no-http"], "exclude each other"),
        (["--address", "127.0.0.1:0", "--tls-cert", "cert.pem"], "give --tls-cert and --tls-key"),
        (["--address", "127.0.0.1:0", "--tokens", "none"], "there are no tokens in none"),
        (["--http", "nonsense"], "'nonsense' is no address"),
    ],
)
def test_a_server_that_would_be_open_or_cannot_be_meant_does_not_start(arguments: list[str], words: str) -> None:
    refused = CliRunner().invoke(rescind, ["server", *arguments])
    assert refused.exit_code == 2, refused.output
    assert words in refused.stderr
