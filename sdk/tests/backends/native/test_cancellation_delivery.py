"""How an agent's code hears of its cancel: cancellation.md, section 7 and invariant 9."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from rescind.backends.native.agent_loop import AgentLoop
from rescind.backends.native.cancellation_delivery import TELLINGS_PER_STEP, AgentTask
from rescind.errors import ExecutionCancelled

CAUSE: Any = SimpleNamespace(source="request", by="ann", reason="enough")
OTHER: Any = SimpleNamespace(source="deadline", by="clock", reason=None)


class Timers:
    def __init__(self) -> None:
        self.started: list[int] = []

    def start_timer(self, due: int) -> int:
        self.started.append(due)
        return len(self.started)

    def cancel_timer(self, timer: int) -> None:
        pass


class Run:
    """One run of an agent, with what its code has heard."""

    def __init__(self) -> None:
        self.timers = Timers()
        self.loop = AgentLoop(self.timers, 0)
        self.delivery = self.loop.delivery
        self.heard: list[Any] = []

    def start(self, body: Coroutine[Any, Any, Any]) -> AgentTask:
        task = self.loop.create_task(body)
        self.loop.step(0)
        return task

    def cancel(self, cause: Any = CAUSE) -> None:
        self.delivery.request(cause)
        self.loop.step(self.loop.now)

    def fire(self, seconds: float) -> None:
        due = self.loop.now + round(seconds * 1_000_000)
        self.loop.fire_timer(self.timers.started.index(due) + 1)
        self.loop.step(due)

    @contextlib.asynccontextmanager
    async def shield(self) -> AsyncIterator[None]:
        self.delivery.enter_shield()
        try:
            yield
        finally:
            self.delivery.leave_shield()

    async def never(self) -> Any:
        """Wait for what does not come; note what came instead."""
        try:
            return await self.loop.create_future()
        except BaseException as error:
            self.heard.append(type(error))
            raise


@pytest.fixture
def run() -> Iterator[Run]:
    run = Run()
    yield run
    run.loop.close()


def cause_of(task: AgentTask) -> Any:
    with pytest.raises(ExecutionCancelled) as raised:
        task.result()
    return raised.value.cause


# -- being told --


def test_the_agent_hears_of_its_cancel_at_the_await_where_it_stands(run: Run) -> None:
    task = run.start(run.never())
    run.cancel()
    assert run.heard == [ExecutionCancelled]
    assert task.cancelled()
    assert cause_of(task) is CAUSE


def test_the_request_takes_effect_in_the_next_step(run: Run) -> None:
    task = run.start(run.never())
    run.delivery.request(CAUSE)
    assert (run.delivery.requested, run.heard, task.done()) == (True, [], False)


def test_the_first_cause_is_kept_and_told_once(run: Run) -> None:
    async def main() -> None:
        try:
            await run.never()
        finally:
            async with run.shield():
                await run.never()

    run.start(main())
    run.cancel()
    run.cancel(OTHER)
    assert run.delivery.cause is CAUSE
    assert run.heard == [ExecutionCancelled]


def test_an_agent_cancelled_before_its_first_line_never_runs(run: Run) -> None:
    task = run.loop.create_task(run.never())
    run.cancel()
    assert run.heard == []
    assert cause_of(task) is CAUSE


def test_an_agent_that_ends_without_a_further_await_keeps_its_result(run: Run) -> None:
    async def main() -> str:
        async with run.shield():
            await asyncio.sleep(1)
        return "done"

    task = run.start(main())
    run.cancel()
    run.fire(1)
    assert task.result() == "done"


def test_an_agent_that_cancels_itself_is_told_at_its_next_await(run: Run) -> None:
    async def main() -> None:
        run.delivery.request(CAUSE)
        run.heard.append("still here")
        await run.never()

    task = run.start(main())
    assert run.heard == ["still here", ExecutionCancelled]
    assert cause_of(task) is CAUSE


def test_except_exception_does_not_catch_it(run: Run) -> None:
    async def main() -> None:
        with contextlib.suppress(Exception):
            await run.never()
        run.heard.append("lost")

    run.start(main())
    run.cancel()
    assert run.heard == [ExecutionCancelled]


def test_swallowing_it_only_delays_it(run: Run) -> None:
    async def main() -> None:
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await run.never()
        await run.never()

    task = run.start(main())
    run.cancel()
    assert run.heard == [ExecutionCancelled] * 4
    assert cause_of(task) is CAUSE


@pytest.mark.parametrize("wait", ["future", "yield", "timer", "operation"])
def test_code_that_swallows_it_for_ever_does_not_hold_the_worker(run: Run, wait: str) -> None:
    waits: dict[str, Callable[[], Any]] = {
        "future": run.loop.create_future,
        "yield": lambda: asyncio.sleep(0),
        "timer": lambda: asyncio.sleep(1),
        "operation": run.delivery.tell_here,
    }

    async def main() -> None:
        while True:
            try:
                await (waits[wait]() if run.delivery.requested else run.loop.create_future())
            except BaseException as error:
                run.heard.append(type(error))

    run.start(main())
    run.cancel()
    assert run.heard == [ExecutionCancelled] * (TELLINGS_PER_STEP + 1)
    assert run.delivery.wants_step
    run.loop.step(0)
    assert len(run.heard) == 2 * (TELLINGS_PER_STEP + 1)


def test_a_task_cancelled_by_the_agents_own_code_hears_a_plain_cancel(run: Run) -> None:
    async def main() -> None:
        child = asyncio.create_task(run.never())
        await asyncio.sleep(0)
        child.cancel()
        await asyncio.wait([child])
        await run.never()

    run.start(main())
    assert run.heard == [asyncio.CancelledError]
    run.cancel()
    assert run.heard == [asyncio.CancelledError, ExecutionCancelled]


# -- branches --


def start_child(run: Run) -> Any:
    async def main() -> None:
        child = asyncio.create_task(run.never())
        await child

    return main()


def gather_children(run: Run) -> Any:
    async def main() -> None:
        await asyncio.gather(run.never(), run.never())

    return main()


def group_children(run: Run) -> Any:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(run.never())
            group.create_task(run.never())

    return main()


def group_with_busy_body(run: Run) -> Any:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(run.never())
            await run.never()

    return main()


def wait_for_child(run: Run) -> Any:
    async def main() -> None:
        await asyncio.wait_for(run.never(), 9)

    return main()


def time_out(run: Run) -> Any:
    async def main() -> None:
        async with asyncio.timeout(9):
            await run.never()

    return main()


def shield_child(run: Run) -> Any:
    async def main() -> None:
        await asyncio.shield(run.never())

    return main()


@pytest.mark.parametrize(
    "body",
    [start_child, gather_children, group_children, group_with_busy_body, wait_for_child, time_out, shield_child],
)
def test_every_branch_and_the_agent_itself_hear_the_executions_cancel(run: Run, body: Any) -> None:
    task = run.start(body(run))
    run.cancel()
    assert set(run.heard) == {ExecutionCancelled}
    assert cause_of(task) is CAUSE
    assert run.loop.tasks == {}


def test_tasks_that_nobody_awaits_are_told_in_the_order_of_their_creation(run: Run) -> None:
    async def branch(number: int) -> None:
        try:
            await run.loop.create_future()
        finally:
            run.heard.append(number)

    async def main() -> None:
        tasks = [asyncio.create_task(branch(number)) for number in range(40)]
        await branch(len(tasks))

    run.start(main())
    run.cancel()
    assert run.heard == [40, *range(40)]


def test_a_task_started_after_the_request_is_told_at_its_first_await(run: Run) -> None:
    async def late() -> None:
        run.heard.append("started")
        await run.never()

    async def main() -> None:
        try:
            await run.never()
        finally:
            asyncio.create_task(late())  # noqa: RUF006

    run.start(main())
    run.cancel()
    assert run.heard == [ExecutionCancelled, "started", ExecutionCancelled]


# -- shields --


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


# -- time-outs and groups --


def test_a_timeout_that_meets_the_cancel_does_not_hide_it(run: Run) -> None:
    async def main() -> None:
        async with asyncio.timeout(1):
            await run.never()

    task = run.start(main())
    run.loop.fire_timer(1)
    run.delivery.request(CAUSE)
    run.loop.step(1_000_000)
    assert cause_of(task) is CAUSE


def test_a_timeout_before_any_cancel_is_a_timeout(run: Run) -> None:
    async def main() -> None:
        async with asyncio.timeout(1):
            await run.never()

    task = run.start(main())
    run.fire(1)
    assert isinstance(task.exception(), TimeoutError)
    assert run.heard == [asyncio.CancelledError]


def with_a_name(run: Run) -> Any:
    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            await run.never()
            group.create_task(run.never())

    return body()


def without_a_name(run: Run) -> Any:
    async def body() -> None:
        async with asyncio.TaskGroup():
            await run.never()

    return body()


def one_in_another(run: Run) -> Any:
    async def body() -> None:
        async with asyncio.TaskGroup(), asyncio.TaskGroup():
            await without_a_name(run)

    return body()


def in_an_exit_stack(run: Run) -> Any:
    async def body() -> None:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(asyncio.TaskGroup())
            await run.never()

    return body()


def in_a_context_of_its_own(run: Run) -> Any:
    @contextlib.asynccontextmanager
    async def branches() -> AsyncIterator[None]:
        async with asyncio.TaskGroup():
            yield

    async def body() -> None:
        async with branches():
            await run.never()

    return body()


def in_a_generator(run: Run) -> Any:
    async def numbers() -> AsyncGenerator[int, None]:
        async with asyncio.TaskGroup():
            await run.never()
            yield 1

    async def body() -> None:
        async with contextlib.aclosing(numbers()) as stream:
            async for _ in stream:
                pass

    return body()


def by_an_operation_that_cannot_wait(run: Run) -> Any:
    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            async with run.shield():
                await asyncio.sleep(0)
                run.delivery.request(CAUSE)
            run.heard.append(ExecutionCancelled)
            run.delivery.raise_if_cancelled()
            group.create_task(run.never())

    return body()


@pytest.mark.parametrize(
    "body",
    [
        *(with_a_name, without_a_name, one_in_another, in_an_exit_stack, in_a_context_of_its_own, in_a_generator),
        by_an_operation_that_cannot_wait,
    ],
)
def test_execution_cancelled_leaves_a_task_group_bare(run: Run, body: Any) -> None:
    async def main() -> str:
        try:
            await body(run)
        except ExecutionCancelled as error:
            return "bare" if error.cause is CAUSE else "another"
        return "never"

    task = run.start(main())
    run.cancel()
    assert task.result() == "bare"
    assert run.heard == [ExecutionCancelled]


def test_errors_of_a_groups_clean_up_are_raised_without_the_cancel(run: Run) -> None:
    async def clumsy() -> None:
        try:
            await run.never()
        finally:
            raise LookupError

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(clumsy())
            await run.never()

    task = run.start(main())
    run.cancel()
    error = task.exception()
    assert isinstance(error, ExceptionGroup)
    assert [type(one) for one in error.exceptions] == [LookupError]


def test_a_group_of_nothing_but_the_cancel_loses_its_wrapping_where_the_task_ends(run: Run) -> None:
    async def main() -> None:
        try:
            await run.never()
        except ExecutionCancelled as error:
            raise BaseExceptionGroup("twice", [error, BaseExceptionGroup("deep", [error])]) from None

    task = run.start(main())
    run.cancel()
    assert cause_of(task) is CAUSE


# -- operations --


def test_operations_raise_only_when_requested_and_unshielded(run: Run) -> None:
    async def main() -> None:
        run.delivery.raise_if_cancelled()
        await run.delivery.tell_here()
        run.delivery.request(CAUSE)
        async with run.shield():
            run.delivery.raise_if_cancelled()
            await run.delivery.tell_here()
        run.heard.append("told")
        with pytest.raises(ExecutionCancelled):
            run.delivery.raise_if_cancelled()
        await run.delivery.tell_here()
        run.heard.append("lost")

    task = run.start(main())
    assert run.heard == ["told"]
    assert cause_of(task) is CAUSE


def test_a_discarded_agent_is_told_nothing(run: Run) -> None:
    run.start(run.never())
    run.loop.discard()
    run.delivery.request(CAUSE)
    assert run.heard == [GeneratorExit]
