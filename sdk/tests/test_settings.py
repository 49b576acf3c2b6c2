"""Settings: the variable, or else the nearest `rescind.toml`, or else the default. What cannot be meant is named."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import rescind
from rescind import InvalidInput
from rescind.cli import main
from rescind.model.ages import age_of
from rescind.settings import Settings, Tls, load_settings

EVERYTHING = """
address = "server:7000"
token = "secret"
queue = "imports"
slots = 3
agent_slots = 4
store = "data/store.db"
durability = "normal"
retention = "1d12h"
"""


def settings(folder: Path, toml: str | None = None, **variables: str) -> Settings:
    if toml is not None:
        (folder / "rescind.toml").write_text(toml)
    return load_settings(variables, folder)


def refusal_of(folder: Path, toml: str | None = None, **variables: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        settings(folder, toml, **variables)
    return str(caught.value)


def test_what_nobody_says_has_its_default(tmp_path: Path) -> None:
    assert settings(tmp_path) == Settings()
    assert settings(tmp_path, "", RESCIND_ADDRESS="") == Settings()


def test_the_file_says_each_of_them(tmp_path: Path) -> None:
    assert settings(tmp_path, EVERYTHING) == Settings(
        "server:7000", "secret", "imports", 3, 4, tmp_path / "data/store.db", "normal", timedelta(hours=36)
    )


def test_a_variable_goes_before_the_file(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        EVERYTHING,
        RESCIND_ADDRESS="other:1",
        RESCIND_TOKEN="t",
        RESCIND_QUEUE="q",
        RESCIND_SLOTS="7",
        RESCIND_AGENT_SLOTS="8",
        RESCIND_STORE="here.db",
        RESCIND_DURABILITY="off",
        RESCIND_RETENTION="2h",
    )
    assert found == Settings("other:1", "t", "q", 7, 8, Path("here.db"), "off", timedelta(hours=2))


def test_saying_something_of_tls_is_asking_for_it(tmp_path: Path) -> None:
    assert settings(tmp_path).client_tls() is None
    assert settings(tmp_path, RESCIND_TLS="true").client_tls() == Tls()
    assert settings(tmp_path, 'tls_ca = "ca.pem"').client_tls() == Tls(tmp_path / "ca.pem")
    assert settings(tmp_path, 'tls_ca = "ca.pem"', RESCIND_TLS="no").client_tls() is None
    assert "tls is 'perhaps'. Give true or false." in refusal_of(tmp_path, 'tls = "perhaps"')


def test_a_token_may_stand_in_a_file_and_the_variable_goes_before_the_file_of_settings(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-the-file\n")
    assert settings(tmp_path, 'token_file = "secret"').caller_token() == "from-the-file"
    assert settings(tmp_path, 'token = "a"', RESCIND_TOKEN_FILE=str(tmp_path / "secret")).caller_token() == (
        "from-the-file"
    )
    assert settings(tmp_path, 'token_file = "secret"', RESCIND_TOKEN="b").caller_token() == "b"
    with pytest.raises(InvalidInput, match="the token cannot be read from"):
        settings(tmp_path, 'token_file = "none"').caller_token()


def test_the_nearest_file_above_is_read_and_a_named_one_instead_of_it(tmp_path: Path) -> None:
    inner = tmp_path / "one" / "two"
    inner.mkdir(parents=True)
    (tmp_path / "rescind.toml").write_text('queue = "outer"')
    assert load_settings({}, inner).queue == "outer"
    (tmp_path / "one" / "rescind.toml").write_text('queue = "nearer"')
    assert load_settings({}, inner).queue == "nearer"
    (tmp_path / "named.toml").write_text('store = "kept.db"')
    named = load_settings({"RESCIND_CONFIG": str(tmp_path / "named.toml")}, inner)
    assert (named.queue, named.store) == ("default", tmp_path / "kept.db")


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('adress = "x"', "there is no key 'adress'. Known are address, token, queue, slots"),
        ("address = 7", "address is 7. Give a text"),
        ('queue = ""', "queue is ''. Give a text"),
        ('slots = "3"', "slots is '3'. Give a whole number"),
        ("slots = 0", "slots is 0. Give a whole number"),
        ("slots = true", "slots is True. Give a whole number"),
        ('durability = "most"', "durability is 'most'. Give one of full, normal, off"),
        ('retention = "soon"', "retention: 'soon' is no length of time"),
        ("[server]", "there is no key 'server'"),
        ("address = ", "is not TOML"),
    ],
)
def test_what_cannot_be_meant_is_told_with_file_and_key(tmp_path: Path, toml: str, told: str) -> None:
    message = refusal_of(tmp_path, toml)
    assert message.startswith(str(tmp_path / "rescind.toml"))
    assert told in message


def test_what_a_variable_cannot_mean_is_told_by_its_name(tmp_path: Path) -> None:
    assert refusal_of(tmp_path, RESCIND_SLOTS="many").startswith("RESCIND_SLOTS is 'many'. Give a whole number")
    assert "cannot be read" in refusal_of(tmp_path, RESCIND_CONFIG=str(tmp_path / "nowhere.toml"))


def test_a_token_is_never_shown(tmp_path: Path) -> None:
    for message in (
        refusal_of(tmp_path, RESCIND_TOKEN="hush\nhush"),
        refusal_of(tmp_path, "token = 4711"),
    ):
        assert "is no token" in message
        assert not {"hush", "4711"} & set(message.split())


@pytest.mark.parametrize("command", [("list",), ("worker", "work"), ("server",), ("doctor",), ("start", "kind")])
def test_a_command_tells_a_bad_file_in_one_line(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rescind.toml").write_text('adress = "x"')
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main.rescind, command)
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, line.startswith(f"rescind {command[0]}: ")) == (2, True)
    assert "rescind.toml: there is no key 'adress'" in line


def test_clients_and_workers_take_what_they_are_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rescind.toml").write_text('address = "server:7000"\nqueue = "imports"')
    monkeypatch.chdir(tmp_path)
    assert (rescind.Client().address, rescind.Client("other:1").address) == ("server:7000", "other:1")
    assert (rescind.Worker().address, rescind.Worker("other:1").address) == ("server:7000", "other:1")
    assert rescind.Worker().queues == ("imports",)
    assert rescind.Worker(queue="a").queues == ("a",)
    assert rescind.Worker(queues=["a", "b"]).queues == ("a", "b")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"queue": "a", "queues": ["b"]}, "both `queue` and `queues` are given"),
        ({"queues": "ab"}, r"give a list: queues=\['ab'\]"),
        ({"queue": ""}, "a queue's name"),
    ],
)
def test_a_workers_queues_that_cannot_be_meant_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        rescind.Worker("here:1", **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("1h30m", timedelta(minutes=90)),
        ("30d", timedelta(days=30)),
        ("1.5s", timedelta(seconds=1.5)),
        ("250ms", timedelta(milliseconds=250)),
        ("2w", timedelta(weeks=2)),
        ("0s", timedelta()),
    ],
)
def test_a_length_of_time_is_a_sum_of_numbers_with_units(text: str, expected: timedelta) -> None:
    assert age_of(text) == expected


@pytest.mark.parametrize("text", ["", "5", "h", "1 h", "-1h", "1y", "1e3s", "٣s", "999999999999w"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        age_of(text)
