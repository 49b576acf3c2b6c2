"""Ctrl+C twice at a worker: its containers are gone with it, and no other worker had to start for that."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rescind.cli.options import ADDRESS_VARIABLE
from sdk.tests.cli.programs import Programs, in_time, next_event
from sdk.tests.containers.engine import IMAGE, TestEngine

WORK = f"""
from rescind import AgentContext, agent
from rescind.executors import container

deaf = container("deaf", {IMAGE!r}, "trap '' TERM; sleep 1000; true", grace=1000)


@agent("waiting")
async def waiting(ctx: AgentContext) -> None:
    await ctx.schedule(deaf)
"""


@pytest.fixture
def served(tmp_path: Path, engine: TestEngine) -> Iterator[Programs]:
    (tmp_path / "work.py").write_text(WORK)
    programs = Programs(tmp_path)
    programs.environment["DOCKER_HOST"] = engine.address
    try:
        serving = next_event(programs.begin("server", "--address", "127.0.0.1:0", "--no-http", "--json"))
        programs.environment[ADDRESS_VARIABLE] = serving["address"]
        yield programs
    finally:
        programs.end()


def test_a_second_ctrl_c_at_a_worker_removes_its_containers(served: Programs, engine: TestEngine) -> None:
    worker = served.begin("worker", "work", "--json")
    assert next_event(worker)["event"] == "working"
    served.json("start", "waiting")
    in_time(lambda: [each["State"] for each in engine.containers()] == ["running"] or None)
    worker.send_signal(signal.SIGINT)
    assert next_event(worker)["event"] == "stopping"
    worker.send_signal(signal.SIGINT)
    assert in_time(worker.poll) == -signal.SIGINT
    in_time(lambda: not engine.containers() or None)
