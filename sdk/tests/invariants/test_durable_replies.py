"""Invariant 2: commits take their time, and whatever anybody is told meanwhile is held against what is durable."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from random import Random

import pytest

from rescind import AgentContext, ExecutionHandle, OutcomeError, TaskStatus, agent
from rescind.model.commands import ACCEPTED, Command, Reply
from rescind.model.events import EXECUTION_ENDS, TASK_ENDS, EventType, HistoryEvent
from rescind.model.ids import WorkerId
from rescind.model.messages import ToWorker
from rescind.testing import Environment
from rescind_server.engine.state import Decision
from rescind_server.host.sessions import Deliver
from sdk.tests.invariants.conftest import Explore
from sdk.tests.invariants.witness import look_at_decisions, replace
from sdk.tests.invariants.workload import QUARTER, TASKS, ended, nap, pester, tidy


@agent("talkative")
async def talkative(ctx: AgentContext) -> int:
    """Gives the engine much to answer."""
    for turn in range(3):
        await ctx.append_entry("assistant", f"turn {turn}")
        with contextlib.suppress(OutcomeError):
            await ctx.select_ok_with_cancel([ctx.schedule(nap, QUARTER), ctx.schedule(tidy, QUARTER)])
        await ctx.checkpoint({"turn": turn})
    return len(await ctx.drain_signals_raw("more"))


class Durability:
    """Knows of every reply, event and push of which decision it is, and which decisions are durable."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._decision_of: dict[int, Decision] = {}
        self._kept: list[object] = []  # so that no id is given to another object
        self._durable: set[int] = set()
        self.seen = 0
        look_at_decisions(env, self._note)
        self._hear_commits()
        self._hear_replies()
        self._hear_pushes()
        self._hear_watchers()

    def _note(self, command: Command | None, decision: Decision) -> None:
        told: list[object] = [decision.reply, *(reply for _, reply in decision.late)]
        told += [message for _, message in decision.pushes] + [event for _, event in decision.events]
        for each in told:
            if each is not ACCEPTED:
                self._decision_of[id(each)] = decision
        self._kept.extend((decision, *told))

    def _hear_commits(self) -> None:
        commit = self._env.host._store.commit

        async def commit_and_note(decisions: Sequence[Decision]) -> None:
            await commit(decisions)
            self._durable.update(map(id, decisions))

        replace(self._env.host._store, "commit", commit_and_note)

    def _hear_replies(self) -> None:
        ask = self._env.host.ask

        async def ask_and_look(command: Command) -> Reply:
            reply = await ask(command)
            self._must_be_durable(reply, f"the reply to {command}")
            return reply

        replace(self._env.host, "ask", ask_and_look)

    def _hear_pushes(self) -> None:
        attach = self._env.host.attach

        def attach_and_look(worker_id: WorkerId, session: int, deliver: Deliver) -> None:
            def look(messages: Sequence[ToWorker]) -> None:
                for message in messages:
                    self._must_be_durable(message, f"a message to {worker_id}")
                deliver(messages)

            attach(worker_id, session, look)

        replace(self._env.host, "attach", attach_and_look)

    def _hear_watchers(self) -> None:
        tell = self._env.host.watchers.tell

        def tell_and_look(decisions: Sequence[Decision]) -> None:
            for decision in decisions:
                for _, event in decision.events:
                    self._must_be_durable(event, "an event for those who watch")
            tell(decisions)

        replace(self._env.host.watchers, "tell", tell_and_look)

    def _must_be_durable(self, told: object, what: str) -> None:
        self.seen += 1
        decision = self._decision_of.get(id(told))
        assert decision is not None, f"{what} is of no decision: {told}"
        assert id(decision) in self._durable, f"{what} is told before it is durable: {told}"


async def ask_around(env: Environment, handle: ExecutionHandle[int], chance: Random) -> None:
    """Somebody who asks how things stand: what is answered has its event among the durable ones."""
    for _ in range(8):
        await asyncio.sleep(chance.choice((0.001, 0.0015, QUARTER)))
        tasks = await handle.tasks()
        over = {event.task_id for event in env.host.history(handle.id) if event.type in TASK_ENDS}
        for each in tasks:
            is_open = each.status in (TaskStatus.PENDING, TaskStatus.RUNNING)
            assert is_open or each.view.task_id in over, f"{each} is shown before it is durable"


async def scenario(env: Environment) -> None:
    durability, chance = Durability(env), Random(env.seed)
    handle = await env.start(talkative, id="talkative")
    assert env.host.history(handle.id)[0].type is EventType.EXECUTION_STARTED
    followed: list[HistoryEvent] = []
    async with asyncio.TaskGroup() as callers:
        callers.create_task(pester(env, handle, chance, 2))
        callers.create_task(ask_around(env, handle, chance))
        callers.create_task(follow(handle, followed))
        await handle.signal("more")
        assert EventType.SIGNAL_RECEIVED in [event.type for event in env.host.history(handle.id)]
        if chance.random() < 0.3:
            await asyncio.sleep(QUARTER * chance.randrange(4))
            await handle.cancel()
        await ended(handle)
        assert any(event.type in EXECUTION_ENDS for event in env.host.history(handle.id)), "its end is not durable"
    assert followed == list(env.host.history(handle.id))[: len(followed)]
    assert durability.seen > len(followed)


async def follow(handle: ExecutionHandle[int], followed: list[HistoryEvent]) -> None:
    async for event in handle.follow():
        if isinstance(event, HistoryEvent):
            followed.append(event)


@pytest.mark.invariants
def test_a_reply_was_durable_before_it_was_sent(explored: Explore) -> None:
    report = explored(scenario, agents=[talkative], tasks=TASKS)
    assert report.distinct_histories > report.seeds / 2
