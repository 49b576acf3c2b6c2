"""The combinators for workflows of one's own, over plain futures: what they give, and which cancels they pass on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from rescind.errors import AllTasksFailed, InvalidInput
from rescind.temporal.combinators import (
    AllHandlesFailed,
    OutOfTime,
    join_all,
    join_all_settled,
    join_all_with_timeout,
    scope,
    select_ok,
    select_ok_with_cancel,
    shielded,
)

pytestmark = pytest.mark.asyncio


async def turns(count: int = 5) -> None:
    """Let everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


def futures(count: int) -> list[asyncio.Future[Any]]:
    loop = asyncio.get_running_loop()
    return [loop.create_future() for _ in range(count)]


async def stubborn(release: asyncio.Event) -> str:
    """Bring a result although it is cancelled, when it is released."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await release.wait()
    return "late"


async def test_join_all_gives_the_values_in_input_order() -> None:
    first, second = futures(2)
    joining = asyncio.create_task(join_all([first, second, first]))
    await turns()
    second.set_result(2)
    first.set_result(1)
    assert await joining == [1, 2, 1]
    assert await join_all([]) == []


async def test_join_all_raises_the_first_failure_as_itself_and_leaves_the_others_running() -> None:
    first, second = futures(2)
    joining = asyncio.create_task(join_all([first, second]))
    await turns()
    second.set_exception(ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        await joining
    assert not first.done()


async def test_join_all_settled_sorts_by_how_each_ended() -> None:
    good, bad, gone = futures(3)
    good.set_result(1)
    broken = ValueError("broken")
    bad.set_exception(broken)
    gone.cancel()
    settled = await join_all_settled([good, bad, gone])
    assert (settled.completed, settled.failed, settled.cancelled) == ([(good, 1)], [(bad, broken)], [gone])
    assert (settled.total(), settled.any_succeeded(), settled.all_succeeded(), settled.all_failed()) == (
        3,
        True,
        False,
        False,
    )


async def test_join_all_with_timeout_cancels_what_is_open_and_awaits_its_end() -> None:
    release = asyncio.Event()
    done, still_open = futures(2)
    done.set_result(1)
    late = asyncio.create_task(stubborn(release))
    joining = asyncio.create_task(join_all_with_timeout([done, still_open, late], timedelta(0)))
    while not still_open.cancelled():  # noqa: ASYNC110
        await asyncio.sleep(0)
    await turns()
    assert not joining.done()
    release.set()
    settled = await joining
    assert settled.timed_out
    assert (settled.completed, settled.cancelled) == ([(done, 1), (late, "late")], [still_open])


async def test_join_all_with_timeout_in_time_cancels_nothing() -> None:
    (done,) = futures(1)
    done.set_result(1)
    settled = await join_all_with_timeout([done], 3_600)
    assert (settled.timed_out, settled.completed) == (False, [(done, 1)])


async def test_select_ok_passes_failures_over_and_leaves_the_others_running() -> None:
    bad, good, other = futures(3)
    selecting = asyncio.create_task(select_ok([bad, good, other]))
    await turns()
    bad.set_exception(ValueError("broken"))
    await turns()
    assert not selecting.done()
    good.set_result("first")
    assert await selecting == ("first", [bad, other])
    assert not other.done()


async def test_the_winner_is_the_first_to_succeed_not_the_first_in_the_list() -> None:
    first, second = futures(2)
    selecting = asyncio.create_task(select_ok([first, second]))
    await turns()
    second.set_result("second")
    first.set_result("first")
    assert await selecting == ("second", [first])


async def test_a_race_that_nobody_wins_names_every_failure_and_would_fail_the_workflow() -> None:
    bad, gone = futures(2)
    bad.set_exception(ValueError("broken"))
    gone.cancel()
    with pytest.raises(AllHandlesFailed, match="All tasks failed: broken; CancelledError") as caught:
        await select_ok_with_cancel([bad, gone])
    assert isinstance(caught.value, (AllTasksFailed, ApplicationError))
    assert [type(each) for each in caught.value.errors] == [ValueError, asyncio.CancelledError]


async def test_only_those_that_the_race_cancelled_are_told_and_their_ends_are_awaited() -> None:
    release = asyncio.Event()
    release.set()
    winner, loser, ended_before = futures(3)
    ended_before.cancel()
    late = asyncio.create_task(stubborn(release))
    racing = asyncio.create_task(select_ok_with_cancel([winner, loser, ended_before, late]))
    await turns()
    winner.set_result("won")
    assert await racing == ("won", [loser])
    assert late.result() == "late"


async def test_a_loser_that_ended_in_the_same_turn_is_not_cancelled() -> None:
    winner, second = futures(2)
    racing = asyncio.create_task(select_ok_with_cancel([winner, second]))
    await turns()
    winner.set_result(1)
    second.set_result(2)
    assert await racing == (1, [])


async def test_a_cancel_that_comes_with_the_winner_is_not_lost() -> None:
    winner, loser = futures(2)
    racing = asyncio.create_task(select_ok_with_cancel([winner, loser]))
    await turns()
    winner.set_result(1)
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    assert loser.cancelled()


async def test_a_cancel_that_comes_while_losers_end_is_not_lost() -> None:
    release = asyncio.Event()
    (winner,) = futures(1)
    late = asyncio.create_task(stubborn(release))
    racing = asyncio.create_task(select_ok_with_cancel([winner, late]))
    await turns()
    winner.set_result(1)
    await turns()
    racing.cancel()
    await turns()
    assert not racing.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await racing
    assert late.done()


async def test_a_cancelled_wait_that_cancels_nothing_leaves_its_handles_running() -> None:
    for combinator in (join_all, join_all_settled, select_ok):
        (handle,) = futures(1)
        waiting = asyncio.ensure_future(combinator([handle]))
        await turns()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not handle.done()


async def test_a_late_failure_of_what_was_left_running_is_no_error_that_nobody_retrieved() -> None:
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    winner, other = futures(2)
    winner.set_result(1)
    await select_ok([winner, other])
    other.set_exception(ValueError("late"))
    await turns()
    del other
    assert not told


async def test_leaving_a_scope_by_whatever_door_cancels_what_is_open_and_awaits_it() -> None:
    done, first, second = futures(3)
    done.set_result(1)
    async with scope() as here:
        here.add(done)
        here.add(first)
    assert first.cancelled()

    async def leaves_by_an_error() -> None:
        async with scope() as here:
            here.add(second)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await leaves_by_an_error()
    assert second.cancelled()


async def test_a_handle_added_to_a_scope_that_was_left_is_cancelled_and_told() -> None:
    (late,) = futures(1)
    async with scope() as here:
        pass
    with pytest.raises(InvalidInput, match="the scope was left"):
        here.add(late)
    assert late.cancelled()


async def test_a_cancel_that_a_start_swallows_is_not_lost_and_what_it_started_is_cancelled() -> None:
    (child,) = futures(1)
    release = asyncio.Event()

    async def swallows() -> asyncio.Future[Any]:
        await stubborn(release)
        return child

    async def parent() -> None:
        async with scope() as here:
            await here.start(swallows())

    running = asyncio.create_task(parent())
    await turns()
    running.cancel()
    await turns()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert child.cancelled()


async def test_a_shielded_clean_up_runs_to_its_end_and_then_the_cancel_is_raised() -> None:
    release = asyncio.Event()
    ended = []

    async def clean_up() -> None:
        await release.wait()
        ended.append(True)

    running = asyncio.create_task(shielded(clean_up()))
    await turns()
    running.cancel()
    await turns()
    assert not running.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert ended


async def test_a_clean_up_that_fails_is_told_and_the_cancel_at_the_next_await() -> None:
    release = asyncio.Event()
    seen: list[str] = []

    async def clean_up() -> None:
        await release.wait()
        raise ValueError("broken")

    async def parent() -> None:
        try:
            await shielded(clean_up())
        except ValueError:
            seen.append("broken")
        await asyncio.Event().wait()

    running = asyncio.create_task(parent())
    await turns()
    running.cancel()
    await turns()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert seen == ["broken"]


async def test_a_clean_up_that_takes_too_long_is_cancelled() -> None:
    with pytest.raises(OutOfTime, match="longer than 0 s"):
        await shielded(asyncio.Event().wait(), within=0)
    assert await shielded(asyncio.sleep(0, "done"), within=timedelta(hours=1)) == "done"


async def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(InvalidInput, match="nothing to choose from"):
        await select_ok([])
    with pytest.raises(InvalidInput, match="is no handle"):
        await join_all(["a"])  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="is no time"):
        await join_all_with_timeout([], -1)
