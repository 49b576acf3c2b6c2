"""How clean-up is kept from the cancel that it cleans up for: `ctx.shield`."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from rescind.errors import ExecutionCancelled

from .agents import CAUSE, Run, cause_of


def test_a_shield_keeps_the_cancel_out_until_it_is_left(run: Run) -> None:
    async def main() -> None:
        async with run.shield():
            run.heard.append(await asyncio.sleep(1, "worked"))
        await run.never()

    task = run.start(main())
    run.cancel()
    assert run.heard == []
    run.fire(1)
    assert run.heard == ["worked", ExecutionCancelled]
    assert cause_of(task) is CAUSE


def test_shields_nest(run: Run) -> None:
    async def main() -> None:
        async with run.shield():
            async with run.shield():
                await asyncio.sleep(1)
            await asyncio.sleep(1)
            run.heard.append("still shielded")
        await run.never()

    run.start(main())
    run.cancel()
    run.fire(1)
    run.fire(1)
    assert run.heard == ["still shielded", ExecutionCancelled]


def test_leaving_a_shield_that_was_not_entered_is_an_error(run: Run) -> None:
    async def main() -> None:
        run.delivery.leave_shield()

    with pytest.raises(RuntimeError, match="without enter_shield"):
        run.start(main()).result()


def test_a_shield_in_one_branch_does_not_shield_another(run: Run) -> None:
    async def shielded() -> None:
        async with run.shield():
            await asyncio.sleep(1)
            run.heard.append("kept")

    async def main() -> None:
        await asyncio.gather(shielded(), run.never())

    task = run.start(main())
    run.cancel()
    assert run.heard == [ExecutionCancelled]
    run.fire(1)
    assert run.heard == [ExecutionCancelled, "kept"]
    assert cause_of(task) is CAUSE


@pytest.mark.parametrize("how", ["await", "gather", "group", "group_body", "wait_for"])
def test_a_cancelled_parent_does_not_break_a_childs_shield(run: Run, how: str) -> None:
    async def child() -> None:
        async with run.shield():
            run.heard.append(await asyncio.sleep(1, "kept"))

    async def main() -> None:
        match how:
            case "await":
                await asyncio.create_task(child())
            case "gather":
                await asyncio.gather(child())
            case "wait_for":
                await asyncio.wait_for(asyncio.create_task(child()), 9)
            case _:
                async with asyncio.TaskGroup() as group:
                    group.create_task(child())
                    if how == "group_body":
                        await run.loop.create_future()

    task = run.start(main())
    run.cancel()
    assert not task.done()
    run.fire(1)
    assert run.heard == ["kept"]
    assert cause_of(task) is CAUSE


def test_waiting_for_shielded_children_is_not_told_over_and_over(run: Run) -> None:
    async def child() -> None:
        async with run.shield():
            await asyncio.sleep(1)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child())

    task = run.start(main())
    run.cancel()
    assert (task.tellings, run.delivery.wants_step) == (0, False)


def test_tasks_started_in_a_shield_are_born_shielded(run: Run) -> None:
    async def main() -> None:
        async with run.shield(), asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(1))
        run.heard.append("whole")

    run.start(main())
    run.cancel()
    run.fire(1)
    assert run.heard == ["whole"]


def test_clean_up_in_a_shield_may_await_and_branch_after_the_cancel(run: Run) -> None:
    async def main() -> None:
        try:
            await run.never()
        finally:
            async with run.shield():
                run.heard += await asyncio.gather(asyncio.sleep(1, "a"), asyncio.sleep(1, "b"))

    task = run.start(main())
    run.cancel()
    run.loop.fire_timer(1)
    run.loop.fire_timer(2)
    run.loop.step(1_000_000)
    assert run.heard == [ExecutionCancelled, "a", "b"]
    assert cause_of(task) is CAUSE


def test_a_timeout_in_a_shield_raises_timeout_error(run: Run) -> None:
    async def main() -> None:
        try:
            await run.never()
        finally:
            async with run.shield():
                try:
                    async with asyncio.timeout(1):
                        await run.never()
                except TimeoutError:
                    run.heard.append(TimeoutError)

    task = run.start(main())
    run.cancel()
    run.fire(1)
    assert run.heard == [ExecutionCancelled, asyncio.CancelledError, TimeoutError]
    assert cause_of(task) is CAUSE


def test_wait_for_in_a_shield_raises_timeout_error(run: Run) -> None:
    async def main() -> None:
        try:
            await run.never()
        finally:
            async with run.shield():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(run.never(), 1)
                run.heard.append("went on")

    run.start(main())
    run.cancel()
    run.fire(1)
    assert run.heard == [ExecutionCancelled, asyncio.CancelledError, "went on"]


def test_a_task_group_that_fails_in_a_shield_leaves_the_clean_up_whole(run: Run) -> None:
    async def fail() -> None:
        raise LookupError

    async def main() -> None:
        try:
            await run.never()
        finally:
            async with run.shield():
                with contextlib.suppress(ExceptionGroup):
                    async with asyncio.TaskGroup() as group:
                        group.create_task(fail())
                        group.create_task(run.never())
                run.heard.append(await asyncio.sleep(1, "went on"))

    run.start(main())
    run.cancel()
    run.fire(1)
    assert run.heard == [ExecutionCancelled, asyncio.CancelledError, "went on"]


def test_what_clean_up_cancels_itself_is_cancelled_also_if_shielded(run: Run) -> None:
    async def main() -> None:
        async with run.shield():
            helper = asyncio.create_task(run.never())
            await asyncio.sleep(1)
        helper.cancel()
        await asyncio.sleep(0)

    run.start(main())
    run.cancel()
    run.fire(1)
    assert run.heard == [asyncio.CancelledError]
