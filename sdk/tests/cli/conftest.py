"""Programs that run, a server and a worker among them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rescind.cli.options import ADDRESS_VARIABLE
from sdk.tests.cli.programs import AGENTS, TASKS, WORK, Programs, next_event


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    (tmp_path / "work.py").write_text(WORK)
    started = Programs(tmp_path)
    try:
        yield started
    finally:
        started.end()


@pytest.fixture
def served(programs: Programs, tmp_path: Path) -> Programs:
    """A server on a file and a worker, in processes of their own."""
    server = programs.begin("server", "--store", "store.db", "--address", "127.0.0.1:0", "--json")
    serving = next_event(server)
    assert serving == {
        "event": "serving",
        "address": serving["address"],
        "store": str(tmp_path / "store.db"),
        "durability": "full",
        "retention_s": None,
        "http": serving["http"],
        "access": "open",
        "tls": False,
        "loopback": True,
    }
    programs.environment[ADDRESS_VARIABLE] = serving["address"]
    working = next_event(programs.begin("worker", "work", "--json"))
    assert (working["agents"], working["tasks"]) == (AGENTS, TASKS)
    return programs
