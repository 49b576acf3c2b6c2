"""Commands and workers over TLS: with the files that it takes, and told in one line what is wrong with them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sdk.tests.cli.certified import Authority
from sdk.tests.cli.programs import Programs, in_time, next_event, refused

Serve = Callable[..., str]


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


@pytest.fixture
def others(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "others")


@pytest.fixture
def serve(programs: Programs, ours: Authority) -> Serve:
    """Begin a server with a certificate of ours; returns where it serves."""

    def begin(*arguments: str, names: tuple[str, ...] = ("localhost", "127.0.0.1"), expired: bool = False) -> str:
        certificate, key = ours.issue("server", *names, expired=expired)
        files = ("--tls-cert", certificate, "--tls-key", key)
        serving = next_event(
            programs.begin("server", "--address", "127.0.0.1:0", "--no-http", "--json", *files, *arguments)
        )
        address: str = serving["address"]
        return address

    return begin


def test_commands_and_workers_prove_themselves_and_trust_the_authority_that_is_named(
    programs: Programs, serve: Serve, ours: Authority, tmp_path: Path
) -> None:
    address = serve("--tls-client-ca", str(ours.root))
    certificate, key = ours.issue("client", "client")
    (tmp_path / "rescind.toml").write_text(
        f'address = "{address}"\ntls_ca = "{ours.root.name}"\n'
        f'tls_certificate = "{Path(certificate).name}"\ntls_key = "{Path(key).name}"\n'
    )
    next_event(programs.begin("worker", "work", "--json"))
    assert programs.json("start", "one-quote", '"bike"', "--id", "mine", "--wait")["output"] == "bike can do it"
    by_options = ("--tls-ca", str(ours.root), "--tls-certificate", certificate, "--tls-key", key)
    (tmp_path / "rescind.toml").unlink()
    assert programs.run("show", "mine", "--address", address, *by_options).returncode == 0
    programs.environment |= {
        "RESCIND_ADDRESS": address,
        "RESCIND_TLS_CA": str(ours.root),
        "RESCIND_TLS_CERTIFICATE": certificate,
        "RESCIND_TLS_KEY": key,
    }
    assert programs.run("show", "mine").returncode == 0


def test_a_certificate_of_another_name_is_taken_if_that_name_is_said(
    programs: Programs, serve: Serve, ours: Authority
) -> None:
    asked = ("list", "--address", serve(names=("inner.example",)), "--tls-ca", str(ours.root))
    assert "its certificate is for another name" in refused(programs.run(*asked), 4)
    assert programs.run(*asked, "--tls-server-name", "inner.example").returncode == 0


def test_a_server_whose_certificate_is_not_trusted_is_told_nothing(
    programs: Programs, serve: Serve, others: Authority
) -> None:
    address = serve()
    said = refused(programs.run("list", "--address", address, "--tls-ca", str(others.root)), 4)
    assert f"no TLS with the server at {address}: its certificate is not taken (unable to get local issuer" in said
    assert "its certificate is not taken" in refused(programs.run("list", "--address", address, "--tls"), 4)


def test_a_server_whose_certificate_has_expired_is_told_nothing(
    programs: Programs, serve: Serve, ours: Authority
) -> None:
    asked = ("list", "--address", serve(expired=True), "--tls-ca", str(ours.root))
    assert "its certificate is not taken (certificate has expired)" in refused(programs.run(*asked), 4)


def test_a_server_that_asks_for_a_certificate_takes_none_but_a_valid_one_of_its_authority(
    programs: Programs, serve: Serve, ours: Authority, others: Authority
) -> None:
    address = serve("--tls-client-ca", str(ours.root))
    asked = ("list", "--address", address, "--tls-ca", str(ours.root))
    for certificate, key in (
        (None, None),
        others.issue("client", "client"),
        ours.issue("client", "client", expired=True),
    ):
        given = () if certificate is None or key is None else ("--tls-certificate", certificate, "--tls-key", key)
        said = refused(programs.run(*asked, *given), 4)
        assert "it closed the connection. It may ask for a certificate" in said
    certificate, key = ours.issue("client", "client")
    assert programs.run(*asked, "--tls-certificate", certificate, "--tls-key", key).returncode == 0


def test_one_side_in_the_clear_is_told(programs: Programs, serve: Serve, ours: Authority) -> None:
    encrypted = serve()
    said = refused(programs.run("list", "--address", encrypted), 4)
    assert "it closed a connection in the clear. It may ask for TLS: say tls, or tls_ca" in said
    clear = next_event(programs.begin("server", "--address", "127.0.0.1:0", "--no-http", "--json"))["address"]
    said = refused(programs.run("list", "--address", clear, "--tls-ca", str(ours.root)), 4)
    assert "it serves in the clear. Leave TLS away" in said
    programs.environment["RESCIND_TLS_CA"] = str(ours.root)
    assert programs.run("list", "--address", clear, "--no-tls").returncode == 0


def test_files_that_cannot_be_used_are_refused_before_anything_is_sent(
    programs: Programs, ours: Authority, others: Authority, tmp_path: Path
) -> None:
    certificate, _ = ours.issue("client", "client")
    _, wrong_key = others.issue("client", "client")
    (tmp_path / "junk.pem").write_text("junk")
    for arguments, told in (
        (("--tls-ca", "none.pem"), "none.pem cannot be read for the authorities (tls_ca): No such file or directory."),
        (("--tls-ca", "junk.pem"), "junk.pem has no authorities (tls_ca)"),
        (("--tls-certificate", certificate), "a client's certificate needs its key"),
        (("--tls-certificate", certificate, "--tls-key", wrong_key), "cannot be used for TLS"),
        (("--tls-certificate", certificate, "--tls-key", "none.key"), "none.key cannot be read for"),
    ):
        assert told in refused(programs.run("list", *arguments), 2)
    assert "needs its key" in refused(programs.run("worker", "work", "--tls-certificate", certificate, "--json"), 2)


def test_a_token_that_has_expired_or_was_revoked_is_refused_and_what_was_accepted_stays(
    programs: Programs, tmp_path: Path
) -> None:
    create = ("token", "create", "someone", "--role", "client", "--store", "store.db", "--json")
    made = json.loads(programs.run(*create).stdout)
    serving = next_event(
        programs.begin("server", "--store", "store.db", "--address", "127.0.0.1:0", "--no-http", "--json")
    )
    asked = ("--address", serving["address"], "--token", made["token"])
    assert programs.run("start", "waits", "--id", "mine", *asked).returncode == 0
    programs.run("token", "revoke", made["token_id"], "--store", "store.db")
    assert "revoked" in refused(programs.run("show", "mine", *asked), 4)
    short = json.loads(programs.run(*create, "--expires", "1s").stdout)
    told = in_time(lambda: expired(programs.run("list", "--address", serving["address"], "--token", short["token"])))
    assert "expired" in told
    operator = json.loads(programs.run(*create[:4], "operator", *create[5:]).stdout)
    asked = ("--address", serving["address"], "--token", operator["token"])
    assert programs.run("show", "mine", *asked).returncode == 0


def expired(done: subprocess.CompletedProcess[str]) -> str | None:
    """What a refused command said; None if it was not."""
    return refused(done, 4) if done.returncode else None


def test_a_token_may_stand_in_a_file(programs: Programs, tmp_path: Path) -> None:
    made = programs.run("token", "create", "someone", "--role", "operator", "--store", "store.db")
    (tmp_path / "token").write_text(made.stdout.splitlines()[-1] + "\n")
    serving = next_event(
        programs.begin("server", "--store", "store.db", "--address", "127.0.0.1:0", "--no-http", "--json")
    )
    asked = ("list", "--address", serving["address"])
    assert "token" in refused(programs.run(*asked), 4)
    assert programs.run(*asked, "--token-file", "token").returncode == 0
    (tmp_path / "rescind.toml").write_text('token = "old"\n')
    programs.environment["RESCIND_TOKEN_FILE"] = "token"
    assert programs.run(*asked).returncode == 0
    assert "both given" in refused(programs.run(*asked, "--token", "x", "--token-file", "token"), 2)
    assert "cannot be read from none" in refused(programs.run(*asked, "--token-file", "none"), 2)
    (tmp_path / "empty").touch()
    assert "there is no token in empty" in refused(programs.run(*asked, "--token-file", "empty"), 2)
