"""The images of containers: fetched when they are to be, and no further than they are to be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from rescind import CancelTaskResult
from rescind.executors import container
from sdk.tests.containers.engine import TestEngine
from sdk.tests.containers.observed import how_it_ended, result_of
from sdk.tests.containers.registry import Registry
from sdk.tests.worker.executors.observed import in_real_time, observed


@pytest.fixture
def registry(engine: TestEngine) -> Iterator[Registry]:
    with Registry() as registry:
        yield registry
        if registry.image in known_images(engine):
            engine.ask("DELETE", f"/images/{registry.image}", force="1")


def known_images(engine: TestEngine) -> list[str]:
    return [name for each in engine.ask("GET", "/images/json") for name in each["RepoTags"] or ()]


async def happens(event: threading.Event) -> None:
    await asyncio.to_thread(event.wait, 30)
    assert event.is_set()


@in_real_time
async def _run_once(registry: Registry) -> None:
    async with observed(container("young", registry.image, ["echo", "there"])) as seen:
        assert result_of(await seen.over()).stdout == "there\n"
        logs = [event.value["message"] for event in seen.events if event.kind == "log"]
        assert logs in ([], [f"pulling the image {registry.image}"])


def test_a_missing_image_is_pulled_once(registry: Registry, engine: TestEngine) -> None:
    registry.hands_out.set()
    _run_once(registry)
    assert registry.image in known_images(engine)
    registry.asked.clear()
    _run_once(registry)
    assert not registry.asked.is_set()


def test_a_missing_image_that_is_never_to_be_pulled_fails_for_good(registry: Registry) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(container("bare", registry.image, ["true"], pull="never")) as seen:
            record = await seen.over()
        assert (record.status, record.attempts) == ("FAILED", 1)
        assert record.error == f"the engine has no image {registry.image!r}. Pull it, build it, or say pull='missing'."

    main()
    assert not registry.asked.is_set()


def test_an_image_that_its_registry_does_not_know_fails_for_good(registry: Registry) -> None:
    unknown = registry.image.replace("team/tool", "team/no-such-tool")

    @in_real_time
    async def main() -> None:
        async with observed(container("bare", unknown, ["true"])) as seen:
            record = await seen.over()
        assert (record.status, record.attempts) == ("FAILED", 1)
        assert str(record.error).startswith(f"the image {unknown!r} cannot be pulled: ")

    main()


@in_real_time
async def test_a_registry_that_is_away_is_a_failure_that_may_pass() -> None:
    async with observed(container("bare", "127.0.0.1:1/team/tool", ["true"], max_retries=0)) as seen:
        record = await seen.over()
    assert record.view.failure is not None
    assert (record.view.failure.error_type, record.view.failure.retryable) == ("EngineFailed", True)


def test_a_cancel_while_the_container_image_is_being_prepared_stops_its_pull(
    registry: Registry, engine: TestEngine
) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(container("young", registry.image, ["true"], pull="always")) as seen:
            await happens(registry.asked)
            assert await seen.cancel() is CancelTaskResult.CANCELLED
            assert how_it_ended(await seen.over()) == ("CANCELLED", "STOPPED")
        await happens(registry.was_left)

    main()
    assert registry.image not in known_images(engine)
