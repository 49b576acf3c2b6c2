"""The code must ask for what its log holds, per type and in order; the first divergence tells both sides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rescind import DeterminismViolation, WorkflowContext, WorkflowDefinition, workflow
from rescind.model import workflow_commands as commands
from sdk.tests.workflows.kept_log import KeptLog, output_of

Body = Callable[[WorkflowContext], Awaitable[Any]]


def of(body: Body) -> WorkflowDefinition[None, Any]:
    @workflow("changing")
    async def changing(ctx: WorkflowContext) -> Any:
        return await body(ctx)

    return changing


def violation_of(before: Body, after: Body, *happened: Callable[[KeptLog], None]) -> DeterminismViolation:
    """What is raised where code that was changed meets the log of the code before."""
    log = KeptLog(of(before))
    log.go()
    for happens in happened:
        happens(log)
        log.go()
    with pytest.raises(DeterminismViolation) as raised:
        log.go(log.fresh_run(of(after)))
    return raised.value


def schedules(kind: str) -> Body:
    async def body(ctx: WorkflowContext) -> Any:
        return await ctx.schedule_raw(kind)

    return body


def promises(name: str) -> Body:
    async def body(ctx: WorkflowContext) -> Any:
        return await ctx.promise_raw(name)

    return body


def child(name: str, kind: str) -> Body:
    async def body(ctx: WorkflowContext) -> Any:
        return await ctx.schedule_workflow_raw(name, kind)

    return body


def sets(key: str) -> Body:
    async def body(ctx: WorkflowContext) -> Any:
        await ctx.set_raw(key, 1)
        await ctx.wait_for_signal_raw("end")

    return body


def steps(name: str) -> Body:
    async def body(ctx: WorkflowContext) -> Any:
        await ctx.run(lambda: 1, name=name)
        await ctx.wait_for_signal_raw("end")

    return body


def records(name: str) -> Body:
    async def body(ctx: WorkflowContext) -> Any:
        ctx.run_raw(name, 1)
        await ctx.wait_for_signal_raw("end")

    return body


async def sleeps_twice(ctx: WorkflowContext) -> None:
    await ctx.sleep(1)


async def cancels_one_before(ctx: WorkflowContext) -> None:
    ctx.sleep(1).cancel()
    await ctx.sleep(1)


async def clears(ctx: WorkflowContext) -> None:
    await ctx.set_raw("a", 1)
    await ctx.clear("a")
    await ctx.wait_for_signal_raw("end")


async def sets_twice(ctx: WorkflowContext) -> None:
    await ctx.set_raw("a", 1)
    await ctx.set_raw("a", 2)
    await ctx.wait_for_signal_raw("end")


@pytest.mark.parametrize(
    ("before", "after", "mismatch", "expected", "actual"),
    [
        (schedules("ship"), schedules("bill"), "TaskTypeMismatch", "ship", "bill"),
        (promises("a"), promises("b"), "PromiseNameMismatch", "a", "b"),
        (child("a", "k"), child("b", "k"), "ChildWorkflowMismatch", "a", "b"),
        (child("a", "k"), child("a", "l"), "ChildWorkflowMismatch", "k", "l"),
        (sets("a"), sets("b"), "StateKeyMismatch", "a", "b"),
        (clears, sets_twice, "TypeMismatch", "STATE_CLEARED a", "SET_STATE a"),
        (steps("a"), steps("b"), "OperationNameMismatch", "a", "b"),
        (records("a"), records("b"), "OperationNameMismatch", "a", "b"),
        (sleeps_twice, cancels_one_before, "TimerIdMismatch", "sleep-1", "sleep-2"),
        (schedules("ship"), promises("a"), "MissingCommand", "TASK_SCHEDULED ship", ""),
    ],
)
def test_each_kind_of_divergence_tells_both_sides(
    before: Body, after: Body, mismatch: str, expected: str, actual: str
) -> None:
    violation = violation_of(before, after)
    assert (violation.mismatch, violation.expected, violation.actual) == (mismatch, expected, actual)


def test_the_error_names_the_event_and_the_line_of_the_code() -> None:
    violation = violation_of(schedules("ship"), schedules("bill"))
    assert violation.sequence == 2
    assert "Task type mismatch at sequence 2: expected 'ship', got 'bill'" in str(violation)
    assert violation.place.startswith(f"{__file__}:")


def test_code_that_waits_elsewhere_is_told_where_it_stands() -> None:
    violation = violation_of(schedules("ship"), promises("approval"))
    assert violation.place.startswith(f"{__file__}:")


def test_code_that_ends_before_its_log_does_has_diverged() -> None:
    async def ends(_: WorkflowContext) -> None: ...

    violation = violation_of(schedules("ship"), ends)
    assert (violation.mismatch, violation.place) == ("MissingCommand", "its end")


def test_swallowing_every_error_does_not_hide_a_divergence() -> None:
    async def swallows(ctx: WorkflowContext) -> str:
        try:
            await ctx.run(lambda: 1, name="b")
        except BaseException:
            return "swallowed"
        return "went on"

    assert violation_of(steps("a"), swallows).mismatch == "OperationNameMismatch"


def test_the_first_divergence_counts() -> None:
    async def before(ctx: WorkflowContext) -> None:
        await ctx.schedule_raw("one")
        await ctx.schedule_raw("two")

    async def after(ctx: WorkflowContext) -> None:
        await ctx.schedule_raw("eins")
        await ctx.schedule_raw("zwei")

    assert violation_of(before, after, lambda log: log.complete_task("one")).expected == "one"


def test_types_are_counted_apart() -> None:
    async def before(ctx: WorkflowContext) -> Any:
        promise, ship = ctx.promise_raw("approval"), ctx.schedule_raw("ship")
        return await promise, await ship

    async def after(ctx: WorkflowContext) -> Any:
        ship, promise = ctx.schedule_raw("ship"), ctx.promise_raw("approval")
        return await promise, await ship

    log = KeptLog(of(before))
    log.go()
    log.resolve("approval", "yes")
    log.complete_task("ship", "sent")
    assert output_of(log.go(log.fresh_run(of(after)))) == ["yes", "sent"]


def test_more_commands_than_events_are_new_ones() -> None:
    async def after(ctx: WorkflowContext) -> Any:
        first, second = ctx.schedule_raw("ship"), ctx.schedule_raw("bill")
        return await first, await second

    log = KeptLog(of(schedules("ship")))
    log.go()
    result = log.go(log.fresh_run(of(after)))
    assert [each.kind for each in result.commands if isinstance(each, commands.ScheduleTask)] == ["bill"]
