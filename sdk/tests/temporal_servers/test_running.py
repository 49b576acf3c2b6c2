"""Servers as processes: up when they answer, gone when they were ended, and nothing left of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.temporal_servers.running import DevelopmentServer, ServerFailed, TemporalServer, running
from sdk.tests.temporal_servers.known import answering, script


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TemporalServer]:
    server = TemporalServer("the tested server", answering(tmp_path), tmp_path / "log")
    yield server
    server.kill()


def is_there(process: int) -> bool:
    """Whether it runs: one that has ended and waits to be asked for doesn't."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def child_of(server: TemporalServer) -> int:
    """The process that the server has started."""
    (child,) = re.findall(r"child (\d+)", server.logged())
    return int(child)


def test_a_server_that_has_started_answers_and_has_an_address(server: TemporalServer) -> None:
    server.start()
    assert server.is_running
    assert re.fullmatch(r"127\.0\.0\.1:\d+", server.address)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_nothing_is_left_of_a_server_that_was_ended(end: str, server: TemporalServer) -> None:
    server.start()
    child = child_of(server)
    assert is_there(child)
    getattr(server, end)()
    assert not server.is_running
    assert not is_there(child)


def test_a_server_keeps_its_address_when_it_is_started_again(server: TemporalServer) -> None:
    server.start()
    address = server.address
    server.kill()
    server.start()
    assert server.address == address


def test_a_server_that_ends_while_it_starts_is_told_with_what_it_logged(tmp_path: Path) -> None:
    ending = script(tmp_path / "ending", "#!/bin/sh\necho out of order\nexit 1\n")
    server = TemporalServer("the tested server", ending, tmp_path / "log")
    with pytest.raises(ServerFailed, match=r"the tested server ended while it started. It logged:\nout of order"):
        server.start()
    assert not server.is_running


def test_a_server_runs_once(server: TemporalServer) -> None:
    server.start()
    with pytest.raises(ServerFailed, match="is running already"):
        server.start()


def test_a_server_has_no_address_before_it_was_started(server: TemporalServer) -> None:
    with pytest.raises(ServerFailed, match="no address before its first start"):
        _ = server.address


def test_ending_a_server_twice_is_harmless(server: TemporalServer) -> None:
    server.start()
    server.stop()
    server.stop()
    server.kill()
    assert not server.is_running


def test_a_server_runs_as_long_as_its_block(server: TemporalServer) -> None:
    async def main() -> None:
        async with running(server):
            assert server.is_running

    asyncio.run(main())
    assert not server.is_running


def test_the_development_server_is_started_as_temporals_command_is(tmp_path: Path) -> None:
    server = DevelopmentServer(
        tmp_path,
        program=Path("temporal"),
        database=Path("data.sqlite"),
        namespaces=["second"],
        search_attributes={"Label": "Keyword"},
        dynamic_config={"limit.some": 5, "system.some": True},
    )
    assert " ".join(server.arguments(7233)) == (
        "server start-dev --port 7233 --headless --ip 127.0.0.1 --log-level error --db-filename data.sqlite "
        "--namespace second --search-attribute Label=Keyword "
        "--dynamic-config-value limit.some=5 --dynamic-config-value system.some=true"
    )
