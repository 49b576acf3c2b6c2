"""An agent cancels its tasks: five results, three modes, a cause that arrives. cancellation.md, sections 3 and 4."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from rescind import (
    AgentContext,
    CancelMode,
    CancelTaskResult,
    ForeignFuture,
    InvalidInput,
    StopState,
    TaskContext,
    TaskStatus,
    agent,
    task,
)
from rescind.testing import Environment
from sdk.tests.agents.work import EXECUTION, begin, breaks, echo, hang, lingers, nap, play, result_of, task_id


async def test_the_five_results(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        open_one, done, failed = ctx.schedule(hang), ctx.schedule(echo, 1), ctx.schedule(breaks, 0.1)
        await ctx.join_all_settled([done, failed])
        results = [
            await open_one.cancel(),
            await ctx.cancel_task(open_one.task_id),
            await ctx.cancel_task(str(done.task_id)),
            await failed.cancel(),
            await ctx.cancel_task(UUID(int=7)),
        ]
        return [results, [each.ok for each in results]]

    assert await result_of(rescind_env, body) == [
        ["CANCELLED", "ALREADY_CANCELLED", "ALREADY_COMPLETED", "ALREADY_FAILED", "NOT_FOUND"],
        [True, True, False, False, False],
    ]


async def test_a_task_of_another_agent_is_not_found(rescind_env: Environment) -> None:
    @agent("thief")
    async def thief(ctx: AgentContext, other: str) -> CancelTaskResult:
        return await ctx.cancel_task(other)

    @agent("owner")
    async def owner(ctx: AgentContext) -> None:
        await ctx.schedule(hang)

    rescind_env.register(owner, thief, hang)
    owned = await rescind_env.start(owner)
    await asyncio.sleep(1)
    (record,) = await owned.tasks()
    assert await (await rescind_env.start(thief, str(record.task_id))).result() == "NOT_FOUND"
    assert (await owned.tasks())[0].status is TaskStatus.RUNNING


async def test_every_request_is_recorded_with_who_when_and_why_also_one_that_lost(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> None:
        future = ctx.schedule(hang)
        await ctx.sleep(1)
        await future.cancel("first")
        await future.cancel("second")

    handle = await play(rescind_env, body)
    requests = [event.to_json() for event in await handle.history() if event.type == "TASK_CANCEL_REQUESTED"]
    assert [(each["result"], each["by"], each["reason"], each["at"][17:19]) for each in requests] == [
        ("CANCELLED", f"agent:{EXECUTION}", "first", "01"),
        ("ALREADY_CANCELLED", f"agent:{EXECUTION}", "second", "01"),
    ]
    (record,) = await handle.tasks()
    assert record.cause is not None
    assert record.cause.reason == "first"


@pytest.mark.parametrize("malformed", ["", "7", "not-an-id", 7, None])
async def test_a_malformed_id_is_refused(rescind_env: Environment, malformed: str) -> None:
    async def body(ctx: AgentContext) -> str:
        with pytest.raises(InvalidInput, match="is no task id"):
            await ctx.cancel_task(malformed)
        return "refused"

    assert await result_of(rescind_env, body) == "refused"


async def test_a_mode_that_is_none_is_refused_before_anything_is_cancelled(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        future = ctx.schedule(nap, 1.0)
        with pytest.raises(InvalidInput, match="TRY, WAIT, ABANDON"):
            await future.cancel(mode="SOON")  # type: ignore[arg-type]
        return await future

    assert await result_of(rescind_env, body) == 1.0


async def test_schedule_and_cancel_before_any_await_means_that_the_code_never_runs(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        return await ctx.schedule(hang).cancel("changed my mind")

    handle = await play(rescind_env, body)
    assert await handle.result() == "CANCELLED"
    (record,) = await handle.tasks()
    assert (record.status, record.attempts, record.stop_state) == ("CANCELLED", 0, None)


async def test_reason_and_cause_are_visible_in_the_finally_of_the_task(rescind_env: Environment) -> None:
    seen: list[str] = []

    @task("watched")
    async def watched(ctx: TaskContext) -> None:
        assert (ctx.is_cancelled, ctx.cancel_cause()) == (False, None)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as told:
            seen.append(str(told))
            raise
        finally:
            cause = ctx.cancel_cause()
            assert cause is not None
            seen.append(f"{cause.source.value} {cause.by} {cause.reason}")

    async def body(ctx: AgentContext) -> None:
        future = ctx.schedule(watched)
        await ctx.sleep(1)
        await future.cancel("a faster carrier answered", confirm_ms=1_000)

    rescind_env.register(watched)
    await play(rescind_env, body)
    assert seen == [
        f"request by agent:{EXECUTION}: a faster carrier answered",
        f"request agent:{EXECUTION} a faster carrier answered",
    ]


async def test_try_decides_at_once_and_the_stop_follows(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        future = ctx.schedule(lingers, 3.0)
        await ctx.sleep(1)
        result = await future.cancel()
        decided = ctx.now().second
        states = await ctx.wait_stopped([future])
        return [result, decided, list(states.values()), ctx.now().second]

    assert await result_of(rescind_env, body) == ["CANCELLED", 1, ["STOPPED"], 4]


async def test_wait_leaves_the_decision_to_the_work(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        future = ctx.schedule(lingers, 3.0)
        await ctx.sleep(1)
        return [await future.cancel(mode=CancelMode.WAIT), ctx.now().second]

    handle = await play(rescind_env, body)
    assert await handle.result() == ["CANCELLED", 4]
    (record,) = await handle.tasks()
    assert record.status is TaskStatus.CANCELLED
    assert record.view.cancel_requested_at is not None


async def test_wait_while_the_work_goes_on_shows_the_task_running(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> None:
        future = ctx.schedule(lingers, 3.0)
        await ctx.sleep(1)
        await future.cancel(mode=CancelMode.WAIT)

    handle = await begin(rescind_env, agent("asking")(body))
    await asyncio.sleep(2)
    (record,) = await handle.tasks()
    assert (record.status, record.view.cancel_requested_at is not None) == ("RUNNING", True)


@task("finishes-anyway")
async def finishes_anyway(ctx: TaskContext) -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.sleep(1)
    return "done after all"


@task("fails-when-told", max_retries=5)
async def fails_when_told(ctx: TaskContext) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ValueError("half done") from None


async def test_wait_where_the_work_finishes_anyway_keeps_its_result(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        future = ctx.schedule(finishes_anyway)
        await ctx.sleep(1)
        return [await future.cancel(mode=CancelMode.WAIT), await future]

    rescind_env.register(finishes_anyway)
    assert await result_of(rescind_env, body) == ["ALREADY_COMPLETED", "done after all"]


async def test_wait_where_the_work_fails_is_not_tried_again(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        future = ctx.schedule(fails_when_told)
        await ctx.sleep(1)
        return await future.cancel(mode=CancelMode.WAIT)

    rescind_env.register(fails_when_told)
    handle = await play(rescind_env, body)
    assert await handle.result() == "ALREADY_FAILED"
    assert [(each.status, each.attempts) for each in await handle.tasks()] == [("FAILED", 1)]


async def test_wait_on_a_task_that_never_began_decides_at_once(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        return await ctx.schedule(hang).cancel(mode=CancelMode.WAIT)

    assert await result_of(rescind_env, body) == "CANCELLED"


async def test_leaving_a_wait_for_a_cancel_withdraws_nothing_and_breaks_nothing(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        future = ctx.schedule(lingers, 3.0)
        await ctx.sleep(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await future.cancel(mode=CancelMode.WAIT)
        await ctx.sleep(5)
        return await future.cancel()

    assert await result_of(rescind_env, body) == "ALREADY_CANCELLED"


async def test_try_decides_what_an_earlier_wait_left_open_and_both_hear_it(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        future = ctx.schedule(lingers, 30.0)
        await ctx.sleep(1)
        patient = asyncio.create_task(future.cancel("patient", mode=CancelMode.WAIT))
        await ctx.sleep(1)
        impatient = await future.cancel("impatient")
        return [impatient, await patient, ctx.now().second]

    handle = await play(rescind_env, body)
    assert await handle.result() == ["CANCELLED", "ALREADY_CANCELLED", 2]
    (record,) = await handle.tasks()
    assert record.cause is not None
    assert record.cause.reason == "patient"


async def test_abandon_decides_at_once_and_leaves_the_work_alone(rescind_env: Environment) -> None:
    finished: list[bool] = []

    @task("abandoned")
    async def abandoned(ctx: TaskContext) -> str:
        await asyncio.sleep(5)
        finished.append(ctx.is_cancelled)
        return "too late"

    async def body(ctx: AgentContext) -> Any:
        future = ctx.schedule(abandoned)
        await ctx.sleep(1)
        result = await future.cancel(mode=CancelMode.ABANDON)
        await ctx.sleep(10)
        return result

    rescind_env.register(abandoned)
    handle = await play(rescind_env, body)
    assert await handle.result() == "CANCELLED"
    assert finished == [False]
    (record,) = await handle.tasks()
    assert (record.status, record.stop_state) == ("CANCELLED", None)
    assert "RESULT_DISCARDED" in (await handle.history()).types()


async def test_wait_stopped_tells_each_state_and_none_where_nothing_had_to_stop(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> Any:
        quick, slow, done, never = (
            ctx.schedule(hang),
            ctx.schedule(lingers, 3.0),
            ctx.schedule(echo, 1),
            ctx.schedule(hang, queue="nowhere"),
        )
        await done
        for future in (quick, slow, never):
            await future.cancel()
        states = await ctx.wait_stopped([slow, str(quick.task_id), done.task_id, never, UUID(int=7)], 1_000)
        return [[str(each), state] for each, state in states.items()]

    assert await result_of(rescind_env, body) == [
        [str(task_id(2)), StopState.DELIVERED],
        [str(task_id(1)), StopState.STOPPED],
        [str(task_id(3)), None],
        [str(task_id(4)), None],
        [str(UUID(int=7)), None],
    ]
    assert rescind_env.elapsed() == timedelta(seconds=1)


async def test_wait_stopped_refuses_times_ids_and_futures_that_cannot_be(rescind_env: Environment) -> None:
    foreign: list[Any] = []

    @agent("other")
    async def other(ctx: AgentContext) -> None:
        foreign.append(ctx.schedule(hang))
        await foreign[0]

    @agent("refusing")
    async def refusing(ctx: AgentContext) -> str:
        assert await ctx.wait_stopped([]) == {}
        with pytest.raises(InvalidInput, match="timeout_ms"):
            await ctx.wait_stopped([ctx.uuid4()], -1)
        with pytest.raises(InvalidInput, match="is no task id"):
            await ctx.wait_stopped(["7"])
        with pytest.raises(ForeignFuture, match="not by 'a-1'"):
            await ctx.wait_stopped(foreign)
        return "refused"

    rescind_env.register(other, refusing, hang)
    await rescind_env.start(other)
    await asyncio.sleep(1)
    assert await (await rescind_env.start(refusing, id=EXECUTION)).result() == "refused"
