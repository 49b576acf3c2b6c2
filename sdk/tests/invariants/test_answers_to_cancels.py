"""Invariant 5: agents and callers from outside cancel one task at once, in all modes; their answers are compared."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from random import Random

import pytest

from rescind import AgentContext, AgentTaskFutureRaw, CancelMode, CancelTaskResult, OutcomeError, agent
from rescind.model.commands import CancelAnswered, CancelTaskFromOutside, Command, Deferred
from rescind.model.events import TASK_ENDS, EventType, HistoryEvent
from rescind.model.ids import TaskId
from rescind.model.messages import AgentActivation, AgentProgress
from rescind.model.operations import CancelTask, TaskCancelAnswered, TasksSettled
from rescind.testing import Environment
from rescind_server.engine.state import Decision
from sdk.tests.invariants.conftest import Explore
from sdk.tests.invariants.witness import look_at_decisions
from sdk.tests.invariants.workload import QUARTER, TASKS, ended, nap, pester, stubborn, tidy


@agent("fickle")
async def fickle(ctx: AgentContext) -> list[str]:
    """Cancels its tasks in every mode, several requests at once, and races them besides."""
    tasks: list[AgentTaskFutureRaw] = [
        ctx.schedule(nap, 2 * QUARTER),
        ctx.schedule(stubborn, 1),
        ctx.schedule(tidy, 3 * QUARTER),
    ]
    await ctx.sleep(QUARTER)
    answers = await asyncio.gather(
        tasks[0].cancel(mode=CancelMode.WAIT),
        tasks[0].cancel(mode=CancelMode.TRY),
        tasks[1].cancel(mode=CancelMode.WAIT),
        tasks[1].cancel(mode=CancelMode.WAIT),
        tasks[2].cancel(mode=CancelMode.ABANDON),
        ctx.cancel_task(tasks[2].task_id),
    )
    with contextlib.suppress(OutcomeError):
        await ctx.select_ok_with_cancel([ctx.schedule(nap, QUARTER), ctx.schedule(nap, QUARTER), *tasks])
    return [each.value for each in answers]


class Answers:
    """Every answer to a request to cancel, by task; from outside, and to the agent."""

    def __init__(self, env: Environment) -> None:
        self.outside: defaultdict[TaskId, list[CancelTaskResult]] = defaultdict(list)
        self.agents: defaultdict[TaskId, list[CancelTaskResult]] = defaultdict(list)
        self._deferred: dict[int, TaskId] = {}
        self._asked: dict[tuple[str, int], TaskId] = {}
        self._answered: set[tuple[str, int]] = set()
        look_at_decisions(env, self.look)

    def look(self, command: Command | None, decision: Decision) -> None:
        if isinstance(command, CancelTaskFromOutside):
            if isinstance(decision.reply, Deferred):
                self._deferred[decision.reply.number] = command.task_id
            elif isinstance(decision.reply, CancelAnswered):
                self.outside[command.task_id].append(decision.reply.result)
        for number, reply in decision.late:
            assert isinstance(reply, CancelAnswered)
            self.outside[self._deferred.pop(number)].append(reply.result)
        if isinstance(command, AgentProgress):
            for operation in command.operations:
                if isinstance(operation, CancelTask):
                    self._asked[command.execution_id, operation.position] = operation.task_id
        for _, message in decision.pushes:
            if isinstance(message, AgentActivation):
                self._read(message)

    def _read(self, message: AgentActivation) -> None:
        for resolution in message.resolutions:
            operation = (message.execution_id, resolution.position)
            if operation in self._answered:
                continue  # told again to another run
            match resolution.answer:
                case TaskCancelAnswered(result):
                    self.agents[self._asked[operation]].append(result)
                case TasksSettled(cancelled=cancelled):
                    for task_id in cancelled:
                        self.agents[task_id].append(CancelTaskResult.CANCELLED)
                case _:
                    continue
            self._answered.add(operation)

    def check(self, history: list[HistoryEvent]) -> None:
        """Compare what was answered with how the tasks ended, and whose request it was that ended them."""
        assert not self._deferred, "somebody waits for an answer for ever"
        for event in history:
            if event.type in TASK_ENDS and event.task_id is not None:
                self._check_task(event.task_id, event, _winner(history, event.task_id))

    def _check_task(self, task_id: TaskId, end: HistoryEvent, winner: HistoryEvent | None) -> None:
        outside, agents = self.outside[task_id], self.agents[task_id]
        already = CancelTaskResult(f"ALREADY_{end.type.removeprefix('TASK_')}")
        assert set(outside) | set(agents) <= {CancelTaskResult.CANCELLED, already}, f"{end}: {outside} {agents}"
        by_outside = winner is not None and str((winner.details or {})["by"]).startswith("client")
        told_outside, told_agents = (each.count(CancelTaskResult.CANCELLED) for each in (outside, agents))
        assert told_outside == by_outside, f"{end}: answered to those outside: {outside}; the request was {winner}"
        # An agent that ends first does not hear the answer.
        assert told_agents <= (winner is not None and not by_outside), f"{end}: answered to the agent: {agents}"


def _winner(history: list[HistoryEvent], task_id: TaskId) -> HistoryEvent | None:
    """The request that ended a task: the one that decided, or else the first whose wish the work has followed."""
    requests = [e for e in history if e.type is EventType.TASK_CANCEL_REQUESTED and e.task_id == task_id]
    decided = [each for each in requests if (each.details or {})["result"] == "CANCELLED"]
    ended_cancelled = any(each.type is EventType.TASK_CANCELLED and each.task_id == task_id for each in history)
    asked = [each for each in requests if (each.details or {})["result"] == "ASKED"]
    return next(iter(decided or (asked if ended_cancelled else [])), None)


async def scenario(env: Environment) -> None:
    answers, chance = Answers(env), Random(env.seed)
    handle = await env.start(fickle, id="fickle")
    async with asyncio.TaskGroup() as callers:
        for _ in range(3):
            callers.create_task(pester(env, handle, chance, 3))
    await ended(handle)
    answers.check(list(env.host.history(handle.id)))


@pytest.mark.invariants
def test_cancelled_is_answered_to_exactly_one_request(explored: Explore) -> None:
    report = explored(scenario, agents=[fickle], tasks=TASKS)
    assert report.distinct_histories > report.seeds / 2
