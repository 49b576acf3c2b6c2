"""Engines that are not there, or go away: attempts fail so that another may succeed, and nothing is left for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from rescind.executors import container
from rescind.worker.executors import container_run
from sdk.tests.containers.engine import IMAGE, TestEngine, make_engine
from sdk.tests.containers.observed import how_it_ended, ready
from sdk.tests.worker.executors.observed import in_real_time, observed


@pytest.fixture
def fragile(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestEngine]:
    """An engine of the test's own, which it may kill; without containers when the test is over."""
    engine = make_engine(tmp_path_factory.mktemp("fragile"))
    engine.start()
    try:
        engine.make_image()
        monkeypatch.setenv("DOCKER_HOST", engine.address)
        yield engine
        assert engine.containers() == []
    finally:
        engine.stop()


@pytest.mark.parametrize(
    ("address", "error"),
    [
        (
            "unix:///no/such.sock",
            "no container engine answers at unix:///no/such.sock: No such file or directory. "
            "Start it, or say in DOCKER_HOST where one is.",
        ),
        (
            "tcp://127.0.0.1:1",
            "no container engine answers at tcp://127.0.0.1:1: Connection refused. "
            "Start it, or say in DOCKER_HOST where one is.",
        ),
        (
            "ssh://somewhere",
            "DOCKER_HOST is 'ssh://somewhere': a container engine is reached at unix:///PATH or tcp://HOST:PORT. "
            "To reach one over SSH, forward its socket.",
        ),
    ],
)
def test_an_engine_that_is_not_there_is_a_failure_that_may_pass(
    address: str, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(container("lonely", IMAGE, ["true"], max_retries=0)) as seen:
            record = await seen.over()
        assert record.error == error
        assert record.view.failure is not None
        assert (record.view.failure.error_type, record.view.failure.retryable) == ("EngineUnavailable", True)

    monkeypatch.setenv("DOCKER_HOST", address)
    main()


def test_an_engine_that_dies_and_stays_away_fails_the_attempt_and_is_cleared_when_it_is_back(
    fragile: TestEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_run, "ENGINE_RETURNS_WITHIN", 0.2)

    @in_real_time
    async def main() -> None:
        async with ready(container("cut", IMAGE, "echo ready; sleep 1000", max_retries=0)) as seen:
            fragile.kill()
            record = await seen.over()
            assert record.view.failure is not None
            assert (record.status, record.view.failure.error_type) == ("FAILED", "EngineUnavailable")
            await asyncio.to_thread(fragile.start)
            while fragile.containers():  # noqa: ASYNC110 - the engine tells nobody
                await asyncio.sleep(0.05)

    main()


def test_an_engine_that_comes_back_in_time_tells_how_the_container_ended(fragile: TestEngine) -> None:
    @in_real_time
    async def main() -> None:
        async with ready(container("cut", IMAGE, "echo ready; sleep 1000", max_retries=0)) as seen:
            fragile.kill()
            await asyncio.to_thread(fragile.start)
            # Docker ends what ran without it.
            record = await seen.over()
            assert record.view.failure is not None
            assert (record.status, record.view.failure.error_type) == ("FAILED", "CommandFailed")

    main()


def test_work_that_is_cancelled_while_the_engine_is_away_is_stopping_until_it_is_gone(fragile: TestEngine) -> None:
    @in_real_time
    async def main() -> None:
        async with ready(container("cut", IMAGE, "echo ready; sleep 1000", grace=0.2)) as seen:
            fragile.kill()
            await seen.cancel()
            while (await seen.record()).stop_state != "DELIVERED":  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            await asyncio.to_thread(fragile.start)
            status, stop_state = how_it_ended(await seen.over())
            assert status == "CANCELLED"
            assert stop_state in ("STOPPED", "KILLED")
            assert fragile.containers() == []

    main()
