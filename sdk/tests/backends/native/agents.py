"""Agents' event loops by hand: timers that the test fires, and what an agent's code has heard."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from rescind.backends.native.agent_loop import AgentLoop
from rescind.backends.native.cancellation_delivery import AgentTask
from rescind.errors import ExecutionCancelled

START = 1_700_000_000_000_000
CAUSE: Any = SimpleNamespace(source="request", by="ann", reason="enough")
OTHER: Any = SimpleNamespace(source="deadline", by="clock", reason=None)


class Timers:
    """Timers that the test fires; ids count from 1."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.cancelled: list[int] = []

    def start_timer(self, due: int) -> int:
        self.started.append(due)
        return len(self.started)

    def cancel_timer(self, timer: int) -> None:
        self.cancelled.append(timer)

    def delays(self) -> list[int]:
        return [due - START for due in self.started]


async def nap(seconds: float, result: Any = None) -> Any:
    return await asyncio.sleep(seconds, result)


def run(loop: AgentLoop, coroutine: Coroutine[Any, Any, Any]) -> Any:
    task = loop.create_task(coroutine)
    loop.step(loop.now)
    return task.result()


def fire(loop: AgentLoop, timers: Timers, timer: int) -> None:
    loop.fire_timer(timer)
    loop.step(timers.started[timer - 1])


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


def cause_of(task: AgentTask) -> Any:
    with pytest.raises(ExecutionCancelled) as raised:
        task.result()
    return raised.value.cause
