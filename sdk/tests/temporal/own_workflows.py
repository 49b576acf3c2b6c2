"""A workflow as people write them with Temporal's own SDK, in its sandbox, with Rescind's combinators in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType, ActivityHandle, ChildWorkflowCancellationType

# Not passed through: it must also do where nobody thought of that.
from rescind.temporal.combinators import (
    join_all,
    join_all_settled,
    join_all_with_timeout,
    scope,
    select_ok,
    select_ok_with_cancel,
    shielded,
)

LONGEST: Final = timedelta(seconds=60)
BEAT: Final = timedelta(seconds=1)


@activity.defn
async def work(name: str, seconds: float) -> str:
    """Give its name back after a time."""
    for _ in range(round(seconds * 20)):
        await asyncio.sleep(0.05)
        activity.heartbeat()
    return name


@activity.defn
async def broken(message: str) -> None:
    """Fail."""
    raise ValueError(message)


@activity.defn
async def insists(name: str) -> str:
    """Bring its result when it is cancelled."""
    try:
        while True:
            await asyncio.sleep(0.05)
            activity.heartbeat()
    except asyncio.CancelledError:
        return name


@workflow.defn
class Child:
    """A child that never ends by itself."""

    @workflow.run
    async def run(self) -> None:
        """Wait."""
        await asyncio.Event().wait()


@workflow.defn
class OwnWorkflow:
    """Plays one of the stories below."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.cleaned_up: list[str] = []

    @workflow.run
    async def run(self, story: str) -> Any:
        """Play it."""
        return await STORIES[story](self)

    @workflow.signal
    def tell(self) -> None:
        """Let `told` be set."""
        self.told.set()

    @workflow.query
    def cleaned(self) -> list[str]:
        """What was cleaned up."""
        return self.cleaned_up


def working(name: str, seconds: float, **options: Any) -> ActivityHandle[str]:
    """Start work of that name."""
    return workflow.start_activity(
        work, args=[name, seconds], start_to_close_timeout=LONGEST, heartbeat_timeout=BEAT, **options
    )


def breaking(message: str) -> ActivityHandle[None]:
    """Start what fails."""
    once = RetryPolicy(maximum_attempts=1)
    return workflow.start_activity(broken, message, start_to_close_timeout=LONGEST, retry_policy=once)


async def passes_a_failure_over(own: OwnWorkflow) -> Any:
    """The first to end fails; the first to succeed wins."""
    handles: list[Any] = [breaking("no"), working("slow", 60), working("fast", 0.2)]
    value, cancelled = await select_ok_with_cancel(handles)
    return [value, [handles.index(each) for each in cancelled], all(each.done() for each in handles)]


async def nobody_wins(own: OwnWorkflow) -> Any:
    """All fail, and so does the workflow."""
    await select_ok([breaking("one"), breaking("two")])


async def awaits_a_loser_that_insists(own: OwnWorkflow) -> Any:
    """A loser brings its result when it is cancelled: it was awaited, and is not told as cancelled."""
    wait = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
    loser = workflow.start_activity(
        insists,
        "late",
        start_to_close_timeout=LONGEST,
        heartbeat_timeout=BEAT,
        cancellation_type=wait,
    )
    value, cancelled = await select_ok_with_cancel([loser, working("fast", 0.3)])
    return [value, len(cancelled), loser.result()]


async def joins(own: OwnWorkflow) -> Any:
    """All of them, in order; then however they end."""
    values = await join_all([working("a", 0.2), working("b", 0)])
    mixed: list[Any] = [working("c", 0), breaking("no")]
    settled = await join_all_settled(mixed)
    return [values, len(settled.completed), len(settled.failed)]


async def joins_in_time(own: OwnWorkflow) -> Any:
    """What is open at the deadline is cancelled."""
    settled = await join_all_with_timeout([working("fast", 0), working("slow", 60)], timedelta(seconds=0.5))
    return [settled.timed_out, [value for _, value in settled.completed], len(settled.cancelled)]


async def a_signal_wins(own: OwnWorkflow) -> Any:
    """What wins is told by a signal; the test has a cancel come in the very same turn."""
    try:
        return await select_ok_with_cancel([asyncio.create_task(own.told.wait()), working("slow", 60)])
    finally:
        own.cleaned_up.append(f"told: {own.told.is_set()}")


async def waits_with_limits(own: OwnWorkflow) -> Any:
    """`asyncio.wait_for` and `asyncio.timeout` around combinators end them, once."""
    ends = []
    try:
        await asyncio.wait_for(select_ok_with_cancel([working("slow", 60)]), 0.2)
    except asyncio.TimeoutError:  # noqa: UP041 - by this name the sandbox knows it, too
        ends.append("wait_for")
    try:
        async with asyncio.timeout(0.2):
            await join_all_with_timeout([working("slow", 60)], 30)
    except asyncio.TimeoutError:  # noqa: UP041
        ends.append("timeout")
    return ends


async def cancelled_in_a_childs_start(own: OwnWorkflow) -> Any:
    """A cancel that comes while a child starts: Temporal's own start raises another error, or goes on."""
    seen = []

    async def parent(how: ChildWorkflowCancellationType) -> None:
        async with scope() as here:
            await here.start(
                workflow.start_child_workflow(
                    Child.run,
                    id=f"{workflow.info().workflow_id}-{how.name}",
                    cancellation_type=how,
                )
            )
            seen.append("went on")

    for how in (ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED, ChildWorkflowCancellationType.ABANDON):
        starting = asyncio.create_task(parent(how))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        starting.cancel()
        try:
            await starting
        except asyncio.CancelledError:
            seen.append("cancelled")
    return seen


async def cancelled_in_a_scope(own: OwnWorkflow) -> Any:
    """What was begun in a scope is taken back when the workflow is cancelled, and the clean-up runs to its end."""
    try:
        async with scope() as here:
            here.add(working("slow", 60))
            await here.start(workflow.start_child_workflow(Child.run, id=f"{workflow.info().workflow_id}-child"))
            own.told.set()
            await asyncio.Event().wait()
    finally:
        own.cleaned_up.append(await shielded(working("clean-up", 0.2)))


Story = Callable[[OwnWorkflow], Awaitable[Any]]
STORIES: Final[dict[str, Story]] = {
    each.__name__: each
    for each in (
        passes_a_failure_over,
        nobody_wins,
        awaits_a_loser_that_insists,
        joins,
        joins_in_time,
        a_signal_wins,
        waits_with_limits,
        cancelled_in_a_childs_start,
        cancelled_in_a_scope,
    )
}
