"""Situations that deserve a test of their own: one id twice, an emptied server, a cut within a large payload."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.crash.deployment import Deployment, deployed
from e2e.crash.notes import Fact, Note, read_notes
from e2e.crash.plan import SILENCE_MS
from e2e.crash.stories import result_of
from rescind import AgentDefinition, ExecutionHandle, ExecutionStatus
from rescind.client.connecting import Client
from rescind.errors import ServerUnavailable
from rescind.model.events import EventType
from rescind.testing import check_history

pytestmark = pytest.mark.asyncio
LONGEST = 60.0
LARGE = 2_000_000


@asynccontextmanager
async def situation(folder: Path) -> AsyncIterator[tuple[Deployment, Client]]:
    """Everything at work; where the test fails, with the logs."""
    async with asyncio.timeout(LONGEST), deployed(folder) as deployment:
        try:
            async with Client(deployment.links[0].address, by="client:test", patience=LONGEST) as client:
                yield deployment, client
            await deployment.stop()
        except BaseException:  # also pytest's own, and a time-out: the logs are wanted then, too
            print(deployment.logged())
            raise


async def started(
    client: Client, agent: AgentDefinition[Any, Any] | str, given: object, execution_id: str
) -> ExecutionHandle[Any]:
    """Start an execution, and once more as long as no answer comes."""
    while True:
        try:
            return await client.start(agent, given, id=execution_id)
        except ServerUnavailable:
            await asyncio.sleep(0.05)


def notes(deployment: Deployment) -> list[Note]:
    return [note for path in deployment.notes() for note in read_notes(path)]


async def noted(deployment: Deployment, fact: Fact, count: int) -> list[Note]:
    """Wait until so many such notes are written."""
    while len(found := [note for note in notes(deployment) if note.fact is fact]) < count:  # noqa: ASYNC110 (a file)
        await asyncio.sleep(0.01)
    return found


def chain(count: int, sleep_ms: int) -> dict[str, Any]:
    return {"start": 1, "sleeps": [sleep_ms] * count}


def end_of_chain(count: int) -> int:
    value = 1
    for _ in range(count):
        value = result_of(value)
    return value


def assert_nothing_ran_twice(deployment: Deployment) -> None:
    started_as = Counter((note.subject, note.attempt) for note in notes(deployment) if note.fact is Fact.STARTED)
    assert set(started_as.values()) <= {1}


async def test_a_second_worker_of_an_id_is_refused_and_takes_nothing_from_the_first(tmp_path: Path) -> None:
    async with situation(tmp_path) as (deployment, client):
        handle = await started(client, "chain", chain(30, 50), "1-chain")
        await noted(deployment, Fact.ENDED, 3)
        second = deployment.another_worker(1, "w-1")
        await asyncio.to_thread(second.wait_ended)
        assert "another worker with the id 'w-1' is connected" in second.logged()
        assert await handle.result() == end_of_chain(30)
        assert_nothing_ran_twice(deployment)
        check_history(await handle.history())


async def test_a_worker_takes_over_the_id_of_one_that_is_frozen(tmp_path: Path) -> None:
    async with situation(tmp_path) as (deployment, client):
        await asyncio.to_thread(deployment.worker(1).wait_announced)
        deployment.forget_worker(2)
        handle = await started(client, "chain", chain(10, 20), "1-chain")
        await noted(deployment, Fact.ENDED, 3)
        deployment.worker(1).freeze()
        second = deployment.another_worker(1, "w-1")
        assert await handle.result() == end_of_chain(10)  # by the second: there is no other
        deployment.worker(1).thaw()
        # Two of one id cannot both stay: the one that came back is refused, and ends with the reason.
        await asyncio.to_thread(deployment.worker(1).wait_ended)
        assert "another worker with the id 'w-1' is connected" in deployment.worker(1).logged()
        assert second.is_running
        assert_nothing_ran_twice(deployment)
        check_history(await handle.history())
        deployment.forget_worker(1)


async def test_a_worker_goes_on_with_an_empty_server_in_the_place_of_theirs(tmp_path: Path) -> None:
    async with situation(tmp_path) as (deployment, client):
        await asyncio.to_thread(deployment.worker(1).wait_announced)
        deployment.forget_worker(2)
        first = await started(client, "chain", chain(10, 5), "1-chain")
        assert await first.result() == end_of_chain(10)
        await started(client, "deadline", {"works": [], "stuck": 3, "timeout_ms": 600_000}, "2-deadline")
        await noted(deployment, Fact.STARTED, 13)
        deployment.kill_server()
        deployment.delete_store()
        await deployment.start_server()
        # The same id, too: to this server it is new.
        again = await started(client, "chain", chain(10, 5), "1-chain")
        assert await again.result() == end_of_chain(10)
        told = await noted(deployment, Fact.TOLD, 3)
        assert {note.execution_id for note in told} == {"2-deadline"}, "what nobody knows any more is stopped"


@pytest.mark.parametrize("passed", [1, 40_000, 500_000, 1_900_000])
async def test_a_cut_in_the_middle_of_a_large_input_starts_the_execution_once(tmp_path: Path, passed: int) -> None:
    async with situation(tmp_path) as (deployment, client):
        deployment.links[0].cut_behind(passed)
        handle = await started(client, "bulky", {"text": "x" * LARGE, "counts": [LARGE]}, "1-bulky")
        assert await handle.result() == ["x" * LARGE]
        assert (await handle.history()).types().count(EventType.EXECUTION_STARTED) == 1


@pytest.mark.parametrize("passed", [1, 40_000, 500_000, 1_900_000])
async def test_a_cut_in_the_middle_of_a_large_result_costs_no_attempt(tmp_path: Path, passed: int) -> None:
    async with situation(tmp_path) as (deployment, client):
        await asyncio.to_thread(deployment.worker(1).wait_announced)
        deployment.forget_worker(2)
        handle = await started(client, "bulky", {"text": "x", "counts": []}, "1-bulky")
        assert await handle.result() == []
        deployment.links[1].cut_behind(LARGE // 100 + passed)
        handle = await started(client, "bulky", {"text": "x", "counts": [LARGE]}, "2-bulky")
        (output,) = await handle.result()
        assert len(output) == LARGE
        (only,) = await handle.tasks()
        assert (only.attempts, await handle.status()) == (1, ExecutionStatus.COMPLETED)
        assert_nothing_ran_twice(deployment)


async def test_a_worker_that_was_frozen_for_long_comes_back_and_works(tmp_path: Path) -> None:
    async with situation(tmp_path) as (deployment, client):
        await asyncio.to_thread(deployment.worker(1).wait_announced)
        deployment.forget_worker(2)
        before = await started(client, "chain", chain(3, 5), "1-chain")
        assert await before.result() == end_of_chain(3)
        deployment.worker(1).freeze()
        await asyncio.sleep(3 * SILENCE_MS / 1_000)
        deployment.worker(1).thaw()
        behind = await started(client, "chain", chain(3, 5), "2-chain")
        assert await behind.result() == end_of_chain(3)
