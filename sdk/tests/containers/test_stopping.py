"""A container that is cancelled stops, is removed, and its stop record says how."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import rescind
from rescind import CancelMode, CancelTaskResult, agent
from rescind.executors import Mount, container
from rescind.worker.executors.docker_engine import DockerEngine
from sdk.tests.containers.engine import IMAGE, TestEngine
from sdk.tests.containers.observed import how_it_ended, ready
from sdk.tests.worker.executors.observed import Observed, in_real_time, observed

DEAF = "trap '' TERM; echo ready; while :; do sleep 1000; done"


@in_real_time
async def test_a_container_that_obeys_is_stopped_and_removed(engine: TestEngine) -> None:
    async with ready(container("obeying", IMAGE, "echo ready; setsid sleep 1000 & sleep 1000")) as seen:
        assert await seen.cancel() is CancelTaskResult.CANCELLED
        record = await seen.over()
        assert engine.containers() == []
    assert how_it_ended(record) == ("CANCELLED", "STOPPED")
    (stop,) = record.stops
    assert stop.delivered_at is not None


@in_real_time
async def test_a_container_may_clean_up_within_its_grace(tmp_path: Path) -> None:
    command = "trap 'sleep 0.1; touch /shared/clean; exit 0' TERM; echo ready; sleep 1000 & wait"
    mounts = [Mount(str(tmp_path), "/shared", writable=True)]
    async with ready(container("tidy", IMAGE, command, mounts=mounts, init=False)) as seen:
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "STOPPED")
    assert (tmp_path / "clean").exists()


@in_real_time
async def test_a_container_that_ignores_sigterm_is_killed_when_its_grace_is_over(engine: TestEngine) -> None:
    async with ready(container("deaf", IMAGE, DEAF, grace=0.2)) as seen:
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "KILLED")
        assert engine.containers() == []


@in_real_time
async def test_without_an_init_a_program_that_does_not_ask_for_sigterm_is_killed() -> None:
    command = ["sh", "-c", "echo ready; exec sleep 1000"]
    async with ready(container("first", IMAGE, command, init=False, grace=0.2)) as seen:
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "KILLED")


@in_real_time
async def test_without_a_grace_it_is_killed_at_once() -> None:
    async with ready(container("deaf", IMAGE, DEAF, grace=0)) as seen:
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "KILLED")


@pytest.mark.parametrize("first", [None, CancelMode.TRY])
def test_by_force_it_is_killed_at_once_and_removed(first: CancelMode | None, engine: TestEngine) -> None:
    @in_real_time
    async def main() -> None:
        deaf = container("deaf", IMAGE, "trap '' TERM; echo ready; while :; do sleep 1; done", grace=10_000)
        async with ready(deaf) as seen:
            if first is not None:
                await seen.cancel(first)
            await seen.cancel(CancelMode.FORCE)
            assert how_it_ended(await seen.over()) == ("CANCELLED", "KILLED")
        assert engine.containers() == []

    main()


@in_real_time
async def test_two_hundred_deaf_children_are_gone_with_their_container() -> None:
    command = "trap '' TERM; for i in $(seq 200); do setsid sleep 1000 & done; echo ready; wait; sleep 1000"
    async with ready(container("many", IMAGE, command, grace=0.1)) as seen:
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "KILLED")


@in_real_time
async def test_a_time_out_stops_it_as_a_cancel_does() -> None:
    definition = container("slow", IMAGE, "sleep 1000", start_to_close=1, max_retries=0)
    async with observed(definition) as seen:
        assert how_it_ended(await seen.over()) == ("FAILED", "STOPPED")


@in_real_time
async def test_asked_to_decide_one_that_obeys_is_cancelled() -> None:
    async with ready(container("obeying", IMAGE, "echo ready; sleep 1000")) as seen:
        await seen.cancel(CancelMode.WAIT)
        assert (await seen.over()).status == "CANCELLED"


@pytest.mark.parametrize("turns", [0, 5, 20, 100, 1_000])
def test_a_cancel_while_the_container_is_being_prepared(turns: int) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(container("young", IMAGE, "sleep 1000")) as seen:
            await seen.running(turns)
            await seen.cancel()
            assert how_it_ended(await seen.over()) == ("CANCELLED", "STOPPED")

    main()


@pytest.mark.parametrize("call", ["create", "attached", "start"])
@pytest.mark.parametrize("grace", [10, 0])
def test_a_cancel_between_two_calls_of_the_engine(
    call: str, grace: float, monkeypatch: pytest.MonkeyPatch, engine: TestEngine
) -> None:
    """The order comes when the engine has done what it was asked for, and before its answer is heard."""
    done, heard = asyncio.Event(), asyncio.Event()
    original: Any = getattr(DockerEngine, call)

    async def held_back(*args: Any) -> Any:
        answer = await original(*args)
        done.set()
        await heard.wait()
        return answer

    if call == "attached":
        monkeypatch.setattr(DockerEngine, "attached", _held_back_block(original, done, heard))
    else:
        monkeypatch.setattr(DockerEngine, call, held_back)

    @in_real_time
    async def main() -> None:
        async with observed(container("young", IMAGE, "sleep 1000", grace=grace)) as seen:
            await done.wait()
            await seen.cancel()
            while (await seen.record()).stop_state not in ("DELIVERED", "STOPPED", "KILLED"):  # noqa: ASYNC110
                await asyncio.sleep(0)
            heard.set()
            status, stop_state = how_it_ended(await seen.over())
            assert status == "CANCELLED"
            assert stop_state in ("STOPPED", "KILLED")
            assert engine.containers() == []

    main()


def _held_back_block(original: Any, done: asyncio.Event, heard: asyncio.Event) -> Any:
    @asynccontextmanager
    async def held_back(*args: Any) -> AsyncIterator[Any]:
        async with original(*args) as entered:
            done.set()
            await heard.wait()
            yield entered

    return held_back


@pytest.mark.parametrize("mode", [CancelMode.TRY, CancelMode.WAIT])
@pytest.mark.parametrize("attempt", range(4))
def test_at_the_moment_of_exit_either_the_exit_code_wins_or_the_cancel(
    mode: CancelMode, attempt: int, tmp_path: Path
) -> None:
    command = "echo ready; while [ ! -e /shared/go ]; do :; done; exit 0"

    @in_real_time
    async def main() -> None:
        async with ready(container("brief", IMAGE, command, mounts=[Mount(str(tmp_path), "/shared")])) as seen:
            (tmp_path / "go").touch()
            for _ in range(attempt * 20):
                await asyncio.sleep(0)
            answer = await seen.cancel(mode)
            await _is_one_or_the_other(seen, answer, mode)

    main()


async def _is_one_or_the_other(seen: Observed, answer: CancelTaskResult, mode: CancelMode) -> None:
    record = await seen.over()
    events = [event.type for event in await seen.handle.history() if event.type in ("TASK_COMPLETED", "TASK_CANCELLED")]
    assert len(events) == 1
    if record.status == "COMPLETED":
        assert record.view.output is not None
        assert answer is not CancelTaskResult.CANCELLED or mode is CancelMode.WAIT
    else:
        assert (record.status, record.view.output) == ("CANCELLED", None)


@in_real_time
async def test_a_worker_that_ends_as_if_killed_leaves_none_behind(engine: TestEngine) -> None:
    @agent("waiting")
    async def waiting(ctx: rescind.AgentContext) -> None:
        await ctx.schedule(container("endless", IMAGE, "sleep 1000"))

    definition = container("endless", IMAGE, "sleep 1000")
    async with rescind.embedded([waiting], [definition]) as env:
        await env.start(waiting)
        while not [each for each in engine.containers() if each["State"] == "running"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert engine.containers() == []
