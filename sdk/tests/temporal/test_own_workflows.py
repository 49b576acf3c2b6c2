"""Rescind's combinators in workflows of one's own: sandboxed, on a real server, and each history is replayed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import Replayer, Worker

from fixtures.temporal_servers.running import DevelopmentServer

from .own_workflows import Child, OwnWorkflow, broken, insists, work
from .world import LONGEST

pytestmark = pytest.mark.asyncio

WORKFLOWS: Final = [OwnWorkflow, Child]
# A spinning wait makes hundreds.
MOST_TURNS: Final = 20


class Stage:
    """Plays stories on a queue of its own, and replays what came of them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.queue = f"queue-{uuid4()}"

    async def start(self, story: Any) -> WorkflowHandle[Any, Any]:
        name: str = story if isinstance(story, str) else story.__name__
        return await self.client.start_workflow(OwnWorkflow.run, name, id=f"{name}-{uuid4()}", task_queue=self.queue)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        activities: list[Any] = [work, broken, insists]
        async with Worker(self.client, task_queue=self.queue, workflows=WORKFLOWS, activities=activities):
            yield

    async def child_of(self, handle: WorkflowHandle[Any, Any]) -> WorkflowExecutionStatus | None:
        described = await self.client.get_workflow_handle(f"{handle.id}-child").describe()
        return described.status

    async def replayed(self, handle: WorkflowHandle[Any, Any]) -> int:
        """Replay it, which raises where it is not deterministic; returns how many turns it took."""
        history = await handle.fetch_history()
        await Replayer(workflows=WORKFLOWS).replay_workflow(history)
        return sum(each.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for each in history.events)


@pytest_asyncio.fixture
async def stage(development_server: DevelopmentServer) -> AsyncIterator[Stage]:
    async with asyncio.timeout(LONGEST):
        yield Stage(await Client.connect(development_server.address))


@pytest.mark.parametrize(
    ("story", "told"),
    [
        ("passes_a_failure_over", ["fast", [1], True]),
        ("awaits_a_loser_that_insists", ["fast", 0, "late"]),
        ("joins", [["a", "b"], 1, 1]),
        ("joins_in_time", [True, ["fast"], 1]),
        ("waits_with_limits", ["wait_for", "timeout"]),
        ("cancelled_in_a_childs_start", ["cancelled", "cancelled"]),
    ],
)
async def test_a_story_ends_as_it_should_within_few_turns_and_replays(stage: Stage, story: str, told: Any) -> None:
    async with stage.worker():
        handle = await stage.start(story)
        assert await handle.result() == told
    assert await stage.replayed(handle) <= MOST_TURNS


async def test_a_race_that_nobody_wins_fails_the_workflow_instead_of_its_turn(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.start("nobody_wins")
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "AllTasksFailed"
    assert "ValueError: one; ValueError: two" in str(caught.value.cause)
    await stage.replayed(handle)


async def test_a_cancel_that_comes_in_one_turn_with_the_winner_is_not_lost(stage: Stage) -> None:
    async with stage.worker():
        handle = await stage.start("a_signal_wins")
        while not (await handle.describe()).raw_description.pending_activities:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await handle.signal(OwnWorkflow.tell)
    await handle.cancel()
    async with stage.worker():
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert await handle.query(OwnWorkflow.cleaned) == ["told: True"]
    assert isinstance(caught.value.cause, CancelledError)
    await stage.replayed(handle)


async def test_leaving_a_scope_by_a_cancel_takes_back_activities_and_children_and_the_clean_up_runs(
    stage: Stage,
) -> None:
    async with stage.worker():
        handle = await stage.start("cancelled_in_a_scope")
        while not (await handle.describe()).raw_description.pending_children:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert await handle.query(OwnWorkflow.cleaned) == ["clean-up"]
        assert await stage.child_of(handle) is WorkflowExecutionStatus.CANCELED
    assert isinstance(caught.value.cause, CancelledError)
    await stage.replayed(handle)
