"""What a pass over a workflow's code leads to, with a log that the test keeps."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from rescind import WorkflowContext, workflow
from rescind.model import workflow_commands as commands
from rescind.model import workflow_events as events
from rescind.model.workflow_commands import PassStatus
from rescind.runtime.workflow_random import WorkflowRandom
from sdk.tests.workflows.kept_log import ID, KeptLog, output_of


@workflow("order")
async def order(ctx: WorkflowContext) -> Any:
    """Something of everything, in branches that run side by side."""
    seen: list[Any] = []

    async def watch() -> None:
        while True:
            signal = await ctx.wait_for_signal_raw("note")
            seen.append(signal.value)
            await ctx.set_raw("notes", len(seen))

    watching = asyncio.get_running_loop().create_task(watch())
    ship, bill = ctx.schedule_raw("ship"), ctx.schedule_raw("bill")
    place, first = await ctx.select([ship, bill, ctx.promise_raw("approval")])
    drawn = await ctx.run(lambda: 4, name="draw")
    async with asyncio.timeout(60):
        second = await ctx.schedule_raw("pack")
    watching.cancel()
    return [place, first, drawn, second, seen, ctx.now().isoformat(), ctx.random(), str(ctx.random_uuid())]


def played() -> KeptLog:
    log = KeptLog(order)
    log.go()
    log.signal("note", "a")
    log.complete_task("bill", "billed")
    log.go()
    log.signal("note", "b")
    log.go()
    log.complete_task("ship", "shipped")
    log.complete_task("pack", "packed")
    log.go()
    return log


def test_where_a_pass_ended_leaves_no_trace() -> None:
    whole = played()
    output = next(each.output for each in whole.told if isinstance(each, commands.CompleteWorkflow))
    for cut in range(1, len(whole.events) + 1):
        run = whole.fresh_run()
        run.advance(whole.events[:cut])
        run.result()
        run.advance(whole.events[cut:])
        assert run.unsent() == [], cut
        assert run.ending() == commands.CompleteWorkflow(output), cut
        run.discard()


def test_a_run_that_is_kept_does_what_a_replay_does() -> None:
    kept, replayed = KeptLog(order), KeptLog(order)
    run = kept.fresh_run()
    for happens in (None, ("note", 1), ("note", 2)):
        if happens is not None:
            kept.signal(*happens)
            replayed.signal(*happens)
        assert kept.go(run) == replayed.go()
    run.discard()


def test_the_last_command_says_how_the_pass_ended() -> None:
    log = KeptLog(order)
    result = log.go()
    assert result.status is PassStatus.SUSPENDED
    assert isinstance(result.commands[-1], commands.SuspendWorkflow)
    assert "promise 'approval'" in result.commands[-1].reason


def test_ids_of_tasks_are_those_of_the_wire() -> None:
    @workflow("three")
    async def three(ctx: WorkflowContext) -> list[str]:
        child = ctx.schedule_workflow_raw("kid", "child")
        return [str(ctx.schedule_raw("a").task_id), str(child.execution_id), str(ctx.random_uuid())]

    assert output_of(KeptLog(three).go()) == [
        "a519e1a1-e912-55b9-9c33-7e155bc64d23",
        "38385b4c-8a22-5559-8ca2-e5644bfd63fc",
        "14327160-f6e9-574e-a1bb-5842bb69d077",
    ]


def test_random_numbers_are_those_of_the_wire() -> None:
    drawn = WorkflowRandom(UUID(ID))
    assert [drawn.next_bits() for _ in range(3)] == [15321450842937002791, 4950734439489150961, 14614465862511941006]
    assert WorkflowRandom(UUID(int=0)).next_int(5, 5) == 5
    assert 0 <= WorkflowRandom(UUID(ID)).random() < 1
    assert sorted(WorkflowRandom(UUID(ID)).sample(range(5), 5)) == [0, 1, 2, 3, 4]


def test_timers_are_counted_over_both_ways_to_sleep() -> None:
    @workflow("sleepy")
    async def sleepy(ctx: WorkflowContext) -> None:
        await asyncio.gather(asyncio.sleep(1.0004), ctx.sleep(2))

    started = [each for each in KeptLog(sleepy).go().commands if isinstance(each, commands.StartTimer)]
    assert [(each.timer_id, each.duration_ms) for each in started] == [("sleep-1", 2000), ("sleep-2", 1001)]


def test_a_timer_that_is_not_needed_before_the_code_waits_is_never_sent() -> None:
    @workflow("hasty")
    async def hasty(ctx: WorkflowContext) -> str:
        async with asyncio.timeout(60):
            await asyncio.sleep(0)
        return "done"

    assert [type(each) for each in KeptLog(hasty).go().commands] == [commands.CompleteWorkflow]


def test_a_step_that_nobody_waits_for_any_more_keeps_its_place_in_the_log() -> None:
    made: list[str] = []

    @workflow("impatient")
    async def impatient(ctx: WorkflowContext) -> int:
        dropped = asyncio.get_running_loop().create_task(ctx.run(made.append, "dropped", name="one"))
        await asyncio.sleep(0)
        dropped.cancel()
        value: int = await ctx.run(lambda: 7, name="two")
        return value

    log = KeptLog(impatient)
    log.go()
    assert output_of(log.go()) == 7
    assert output_of(log.go(log.fresh_run())) == 7
    assert made == []


def test_a_failure_of_a_step_is_recorded_and_raised_again() -> None:
    @workflow("unlucky")
    async def unlucky(ctx: WorkflowContext) -> str:
        try:
            await ctx.run(int, "x")
        except Exception as error:
            return str(error)
        return "fine"

    log = KeptLog(unlucky)
    assert log.go().status is PassStatus.RUNNING
    assert "ValueError" in output_of(log.go())


def test_run_raw_keeps_what_was_recorded_first() -> None:
    values = iter([1, 2, 3])

    @workflow("recorded")
    async def recorded(ctx: WorkflowContext) -> Any:
        value = await ctx.run_raw("value", next(values))
        return [value, await ctx.promise_raw("end")]

    log = KeptLog(recorded)
    log.go()
    log.resolve("end")
    assert output_of(log.go()) == [1, None]


def test_a_task_of_an_earlier_key_is_followed_under_the_id_that_the_log_has() -> None:
    @workflow("keyed")
    async def keyed(ctx: WorkflowContext) -> Any:
        return await ctx.schedule_raw("ship", idempotency_key="once")

    log = KeptLog(keyed)
    log.go()
    (at,) = (at for at, one in enumerate(log.events) if isinstance(one.event, events.TaskScheduled))
    earlier = events.TaskScheduled("ship", "0" * 8 + "-0000-4000-8000-" + "0" * 12)  # type: ignore[arg-type]
    log.events[at] = type(log.events[at])(at + 1, log.events[at].at, earlier)
    log.write(events.TaskCompleted(earlier.task_execution_id))
    assert output_of(log.go()) is None


def test_events_of_no_known_wait_change_nothing() -> None:
    log = KeptLog(order)
    log.go()
    log.write(events.TimerFired("sleep-9"), events.PromiseTimeout("x", "nobody's"), events.RetryRequested())
    assert [type(each) for each in log.go().commands] == [commands.SuspendWorkflow]


@pytest.mark.parametrize("value", [None, {"a": [1, "x"]}, "text"])
def test_state_reads_what_was_written_before(value: Any) -> None:
    @workflow("stateful")
    async def stateful(ctx: WorkflowContext) -> Any:
        before = await ctx.get_raw("k")
        await ctx.set_raw("k", value)
        kept = await ctx.get_raw("k")
        await ctx.set_raw("l", 1)
        await ctx.clear_all()
        return [before, kept, await ctx.state_keys()]

    log = KeptLog(stateful)
    result = log.go()
    assert output_of(result) == [None, value, []]
    assert output_of(log.go()) == [None, value, []]
