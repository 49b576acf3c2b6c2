"""Invariant 3: members end just as their agent suspends; at each decision, waits are counted anew from the tasks."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random

import pytest

from rescind import AgentContext, AgentTaskFutureRaw, ExecutionEnded, OutcomeError, agent
from rescind.model.commands import Command
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import AgentActivation, AgentProgress
from rescind.model.operations import AwaitTasks, TasksSettled, WaitCondition
from rescind.model.signal_names import signal_pattern_matches
from rescind.model.status import TaskStatus
from rescind.testing import Environment
from rescind_server.engine.entities import Execution, Phase, SignalWait, StopWait, Task, TaskWait
from rescind_server.engine.state import Decision
from sdk.tests.invariants.conftest import Explore
from sdk.tests.invariants.witness import executions_of, look_at_decisions, replace, state_of
from sdk.tests.invariants.workload import QUARTER, TASKS, breaks, ended, flaky, nap, pester, stubborn


@agent("patient")
async def patient(ctx: AgentContext) -> int:
    """Waits in every way there is, for what ends at the same moment in which it begins to wait."""
    quick: list[AgentTaskFutureRaw] = [ctx.schedule(nap, 0.0), ctx.schedule(nap, 0.0), ctx.schedule(flaky, 1)]
    await ctx.sleep(0.001)
    with contextlib.suppress(OutcomeError):
        _, others = await ctx.select_ok(quick)
        await ctx.join_all_settled([*others, *others])
    quarters: list[AgentTaskFutureRaw] = [
        ctx.schedule(nap, QUARTER),
        ctx.schedule(breaks, QUARTER),
        ctx.schedule(nap, 2 * QUARTER),
    ]
    limited = await ctx.join_all_with_timeout(quarters, 500)
    with contextlib.suppress(OutcomeError):
        await ctx.select_n_ok([ctx.schedule(nap, QUARTER), ctx.schedule(breaks, QUARTER), quarters[0]], 2)
    await asyncio.gather(ctx.wait_for_signal_raw("go"), ctx.wait_for_signal_by_pattern("st*p"))
    stopping = ctx.schedule(stubborn, 1)
    with contextlib.suppress(OutcomeError):
        async with ctx.move_on_after(QUARTER):
            await stopping
    await stopping.cancel(confirm_ms=5_000)
    with contextlib.suppress(OutcomeError):
        await ctx.join_all([ctx.schedule(nap, QUARTER), ctx.schedule(nap, QUARTER)])
    return len(limited.completed)


class CountedWaits:
    """Counts every wait anew, from the tasks themselves, and looks whether the engine came to the same."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._asked: dict[tuple[ExecutionId, int], AwaitTasks] = {}
        look_at_decisions(env, self.look)
        commit = env.host._store.commit

        async def commit_and_look(decisions: list[Decision]) -> None:
            self.look_at_rest()
            await commit(decisions)

        replace(env.host._store, "commit", commit_and_look)

    def look(self, command: Command | None, decision: Decision) -> None:
        if isinstance(command, AgentProgress):
            for operation in command.operations:
                if isinstance(operation, AwaitTasks):
                    self._asked[command.execution_id, operation.position] = operation
        for execution in executions_of(self._env):
            self._no_condition_holds_unheard(execution)
        for _, message in decision.pushes:
            if isinstance(message, AgentActivation):
                self._has_a_reason(message)

    def look_at_rest(self) -> None:
        """All that has come due by now is decided: no deadline may be left behind."""
        now = state_of(self._env).now
        for execution in executions_of(self._env):
            for wait in execution.open.values():
                assert wait.deadline is None or wait.deadline.due > now, f"the deadline of {wait.position} is over"

    def _no_condition_holds_unheard(self, execution: Execution) -> None:
        if execution.ended:
            return
        for wait in execution.open.values():
            assert not self._holds(execution, wait), f"position {wait.position} is over, and {execution.phase} goes on"
        if execution.phase is Phase.IDLE:
            assert not execution.inbox, "an answer lies there, and the agent that waits for it sleeps"
            assert execution.cause is None or execution.cancel_told, "an agent sleeps on that is to be cancelled"
        if execution.phase is Phase.QUEUED:
            state, key = state_of(self._env), (execution.queue, execution.kind)
            ready = state.agent_workers.next_for(key) or state.crowded_workers.next_for(key)
            assert ready is None, "a worker is there for an agent that could run, and does not"

    def _holds(self, execution: Execution, wait: object) -> bool:
        match wait:
            case TaskWait(operation=operation):
                return holds(operation, execution.tasks)
            case StopWait(operation=operation):
                tasks = [execution.tasks[each] for each in operation.task_ids if each in execution.tasks]
                return all(task.outcome is not None and not task.at_work for task in tasks)
            case SignalWait(operation=operation):
                return any(
                    signal_pattern_matches(operation.pattern, signal.name)
                    if operation.is_glob
                    else operation.pattern == signal.name
                    for signal in execution.signals
                )
        return False

    def _has_a_reason(self, message: AgentActivation) -> None:
        assert message.resolutions or message.cancel is not None or message.start is not None, "it was run for nothing"
        assert message.start is None or message.resolutions or message.cancel or not message.start.journal, (
            "it was run again for nothing"
        )
        for resolution in message.resolutions:
            operation = self._asked.get((message.execution_id, resolution.position))
            if operation is None:
                continue
            assert isinstance(resolution.answer, TasksSettled)
            execution = state_of(self._env).executions[message.execution_id]
            if resolution.answer.timed_out:
                assert operation.deadline is not None
                assert operation.deadline <= state_of(self._env).now, "its time is not over"
            else:
                assert holds(operation, execution.tasks), f"it is run though {operation.condition} does not hold"
            places = [execution.tasks[task_id].ended_sequence for task_id, _ in resolution.answer.ended]
            assert places == sorted(places), "the order of the ends is not the server's"


def holds(operation: AwaitTasks, tasks: dict[TaskId, Task]) -> bool:
    """Whether a wait is over, counted from its members (section 5)."""
    members = [tasks[each].status for each in operation.task_ids]
    over = [status for status in members if status not in (TaskStatus.PENDING, TaskStatus.RUNNING)]
    completed = members.count(TaskStatus.COMPLETED)
    match operation.condition:
        case WaitCondition.ALL_COMPLETED:
            return len(over) == len(members) or len(over) > completed
        case WaitCondition.ALL_ENDED:
            return len(over) == len(members)
        case WaitCondition.ANY_ENDED:
            return bool(over)
        case WaitCondition.SOME_COMPLETED:
            return completed >= operation.needed or completed + len(members) - len(over) < operation.needed


async def scenario(env: Environment) -> None:
    CountedWaits(env)
    chance = Random(env.seed)
    handle = await env.start(patient, id="patient")
    async with asyncio.TaskGroup() as callers:
        callers.create_task(pester(env, handle, chance, 2))
        for name in ("go", "stop", "stoop"):
            await asyncio.sleep(chance.choice((0.0, 0.001, QUARTER, 3 * QUARTER)))
            with contextlib.suppress(ExecutionEnded):
                await handle.signal(name)
    if chance.random() < 0.2:
        await handle.cancel()
    await ended(handle)


@pytest.mark.invariants
def test_an_agent_whose_wait_condition_holds_is_runnable(explored: Explore) -> None:
    report = explored(scenario, agents=[patient], tasks=TASKS)
    assert report.distinct_histories > report.seeds / 2
