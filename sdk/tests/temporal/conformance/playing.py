"""The one agent that plays every program, and the one task that plays every part."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from rescind import AgentContext, RetryPolicy, TaskContext, agent, task
from rescind.errors import AllTasksFailed, TaskCancelled, TaskFailed
from rescind.model.agent_values import SettledResult
from rescind.runtime.future import AgentTaskFutureRaw

from .programs import (
    Branches,
    Cancel,
    Join,
    JoinInTime,
    Note,
    Program,
    Schedule,
    Scope,
    Select,
    Sleep,
    Step,
)


class Part(msgspec.Struct, frozen=True):
    """What a part is told.

    Attributes:
        part: its number.
        ms: how long it takes in milliseconds.
        failures: how many of its attempts fail.
    """

    part: int
    ms: int
    failures: int


@task("plays-a-part")
async def plays_a_part(ctx: TaskContext, part: Part) -> int:
    """Take its time; then succeed, or fail."""
    await asyncio.sleep(part.ms / 1_000)
    if ctx.attempt <= part.failures:
        raise ValueError(f"part {part.part} failed at its attempt {ctx.attempt}")
    return part.part


@agent("plays-a-program")
async def plays_a_program(ctx: AgentContext, program: Program) -> list[Any]:
    """Do what the program says, and tell what came of each step."""
    player = Player(ctx, program)
    await player.play(program.steps)
    return player.told


class Player:
    """Plays one program.

    Attributes:
        told: what came of the steps.
    """

    def __init__(self, ctx: AgentContext, program: Program) -> None:
        self.told: list[Any] = []
        self._ctx = ctx
        self._program = program
        self._futures: dict[int, AgentTaskFutureRaw] = {}

    async def play(self, steps: Sequence[Step]) -> None:
        """Do these steps one after the other."""
        for step in steps:
            try:
                await self._step(step)
            except (TaskFailed, TaskCancelled, AllTasksFailed) as error:
                if not self._program.catches:
                    raise
                self.told.append(["raised", type(error).__name__, self._named(str(error))])

    async def _step(self, step: Step) -> None:
        match step:
            case Schedule():
                self._schedule(step)
            case Select() | Join() | JoinInTime():
                await self._wait(step)
            case Cancel(part, mode) if part in self._futures:
                result = await self._ctx.cancel_task(self._futures[part].task_id, f"part {part}", mode=mode)
                self.told.append(["cancel", part, result.value])
            case Sleep(units):
                await self._ctx.sleep(units * self._program.unit_ms / 1_000)
            case Note(text):
                await self._ctx.append_entry("assistant", {"note": text})
            case Scope():
                await self._scope(step)
            case Branches(branches):
                await asyncio.gather(*(self.play(branch) for branch in branches))

    def _schedule(self, step: Schedule) -> None:
        unit = self._program.unit_ms
        retry = RetryPolicy(max_attempts=2 if step.pause else 1, initial_interval_ms=step.pause * unit)
        given = Part(step.part, step.units * unit, step.failures)
        self._futures[step.part] = self._ctx.schedule(plays_a_part, given, retry=retry)

    async def _wait(self, step: Select | Join | JoinInTime) -> None:
        # A scope that was left at its deadline may have left parts unscheduled.
        futures = [self._futures[part] for part in step.parts if part in self._futures]
        if not futures:
            return
        match step:
            case Select(cancels=True):
                winner, cancelled = await self._ctx.select_ok_with_cancel(futures)
                self.told.append(["won", winner, [self._part_of(str(task_id)) for task_id in cancelled]])
            case Select():
                winner, left = await self._ctx.select_ok(futures)
                self.told.append(["won", winner, [self._part_of(str(each.task_id)) for each in left]])
            case Join(settled=True):
                self.told.append(["settled", self._sorted(await self._ctx.join_all_settled(futures))])
            case Join():
                self.told.append(["joined", await self._ctx.join_all(futures)])
            case JoinInTime(units=units):
                # For whoever compares: when this deadline comes is not in a history, unless it is reached.
                await self._ctx.append_entry("system", {"deadline": units})
                joined = await self._ctx.join_all_with_timeout(futures, units * self._program.unit_ms)
                self.told.append(["in time", joined.timed_out, self._sorted(joined)])

    async def _scope(self, step: Scope) -> None:
        if step.units is None:
            async with self._ctx.scope():
                await self.play(step.steps)
            return
        async with self._ctx.move_on_after(step.units * self._program.unit_ms / 1_000) as scope:
            await self.play(step.steps)
        self.told.append(["left", scope.expired])

    def _sorted(self, result: SettledResult[Any]) -> list[Any]:
        return [
            [value for _, value in result.completed],
            [[self._part_of(task_id), error] for task_id, error in result.failed],
            [self._part_of(task_id) for task_id in result.cancelled],
        ]

    def _part_of(self, task_id: str) -> int:
        return next(part for part, future in self._futures.items() if str(future.task_id) == str(task_id))

    def _named(self, text: str) -> str:
        for part, future in self._futures.items():
            text = text.replace(str(future.task_id), f"part {part}")
        return text
