"""Containers of workers that died are removed by the next worker that starts, and those of no other."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rescind.executors import container
from rescind.worker.executors import process_table
from rescind.worker.executors.container_reaping import INSIDE, MACHINE, WORKER, Reaper
from rescind.worker.executors.docker_engine import connect
from sdk.tests.containers.engine import IMAGE, TestEngine
from sdk.tests.worker.executors.observed import in_real_time, observed

PROGRAM = f"""
import asyncio, rescind
from rescind.executors import container

endless = container("endless", {IMAGE!r}, "echo ready; sleep 1000")

@rescind.agent("waiting")
async def waiting(ctx):
    await ctx.schedule(endless)

async def main():
    async with rescind.embedded([waiting], [endless]) as env:
        async for event in (await env.start(waiting)).follow():
            if isinstance(event, rescind.StreamEvent) and event.kind == "output":
                print("ready", flush=True)

asyncio.run(main())
"""


@contextmanager
def another_worker() -> Iterator[subprocess.Popen[str]]:
    """A worker in a process of its own, whose container has said that it runs."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


async def reap() -> int:
    return await Reaper(connect()).remove_those_of_dead_workers()


def test_the_next_worker_that_starts_removes_what_a_dead_one_left_behind(engine: TestEngine) -> None:
    with another_worker():
        pass
    assert [each["State"] for each in engine.containers()] == ["running"]

    @in_real_time
    async def main() -> None:
        async with observed(container("next", IMAGE, ["true"])) as seen:
            await seen.over()
            while engine.containers():  # noqa: ASYNC110 - the engine tells nobody
                await asyncio.sleep(0.02)

    main()


def test_what_belongs_to_a_worker_that_lives_is_left_alone(engine: TestEngine) -> None:
    with another_worker():
        assert asyncio.run(reap()) == 0
        assert [each["State"] for each in engine.containers()] == ["running"]
    assert asyncio.run(reap()) == 1


def labels_of_this_worker() -> dict[str, str]:
    async def ask() -> dict[str, str]:
        return dict(await Reaper(connect()).labels())

    return asyncio.run(ask())


Change = Callable[[dict[str, str], str], dict[str, Any]]
DEAD: dict[str, Change] = {
    "another process has its number": lambda own, _: {WORKER: f"{own[WORKER].rpartition('-')[0]}-1"},
    "the machine was started anew": lambda own, _: {MACHINE: f"{own[MACHINE].partition('/')[0]}/another-start"},
    "its own container is gone": lambda own, _: {INSIDE: "0" * 64},
}
ALIVE: dict[str, Change] = {
    "this one": lambda own, _: {},
    "of another machine": lambda own, _: {MACHINE: "another-machine/another-start", WORKER: "1-1-1"},
    "of another namespace": lambda own, _: {WORKER: "1-1-1"},
    "its own container runs": lambda own, running: {INSIDE: running, WORKER: f"{own[WORKER].rpartition('-')[0]}-1"},
}


@pytest.mark.parametrize("worker", [*DEAD, *ALIVE])
def test_whether_a_worker_is_dead_is_told_by_its_labels(worker: str, engine: TestEngine) -> None:
    own = labels_of_this_worker()
    assert own[WORKER] == process_table.identity()
    running = made(engine, {}, "sleep", "1000")
    engine.ask("POST", f"/containers/{running}/start")
    known = made(engine, {**own, **{**DEAD, **ALIVE}[worker](own, running)}, "true")
    assert asyncio.run(reap()) == (1 if worker in DEAD else 0)
    left = {each["Id"] for each in engine.containers()}
    assert left == ({running} if worker in DEAD else {running, known})
    engine.remove_all()


def made(engine: TestEngine, labels: dict[str, str], *command: str) -> str:
    body = {"Image": IMAGE, "Cmd": command, "Labels": labels, "HostConfig": {"NetworkMode": "none"}}
    return str(engine.ask("POST", "/containers/create", body)["Id"])
