"""What the measured workers run: ``rescind worker bench.workload``. It imports no more than a user's module would."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import time
from dataclasses import dataclass
from typing import Final

from bench.notices import notify
from rescind import AgentContext, TaskCancelled, TaskContext, agent, task

BATCH: Final = 1_000
"""How many tasks an agent schedules at once where it schedules very many."""


@dataclass(frozen=True)
class Speech:
    """How many words, how many seconds apart, and how many bytes each."""

    count: int
    pace: float
    size: int


_counts: dict[int, int] = {}


@dataclass(frozen=True)
class Telling:
    """What to tell the benchmark, and where it listens."""

    port: int
    text: str


@dataclass(frozen=True)
class Amount:
    """How many, and where the benchmark listens."""

    port: int
    count: int


@task("nothing")
async def nothing(ctx: TaskContext) -> None:
    """The smallest task."""


@task("nap")
async def nap(ctx: TaskContext, seconds: float) -> None:
    """Sleeps."""
    await asyncio.sleep(seconds)


@task("tell")
async def tell(ctx: TaskContext, telling: Telling) -> None:
    """Tells the benchmark that it ran, and when."""
    notify(telling.port, f"{telling.text} {time.monotonic_ns()}")


@task("until-told")
async def until_told(ctx: TaskContext, port: int) -> None:
    """Runs until it is cancelled; tells when it runs, and when it saw that."""
    notify(port, f"running {ctx.task_id}")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        seen = time.monotonic_ns()
        notify(port, f"seen {seen}")
        raise


@task("restless")
async def restless(ctx: TaskContext) -> None:
    """Runs until it is cancelled: sleeps, wakes twice a second for a little work, and reports every tenth time."""
    await asyncio.sleep(random.random())
    data = b"x" * 1_000
    for number in range(1_000_000):
        await asyncio.sleep(0.5)
        data = hashlib.sha256(data).digest() * 32
        if number % 10 == 9:
            ctx.report_progress(0.5)


@task("speak")
async def speak(ctx: TaskContext, speech: Speech) -> None:
    """Streams words, each with the time at which it was said."""
    due = time.monotonic()
    for _ in range(speech.count):
        await ctx.stream_token(f"{time.monotonic_ns()} ".ljust(speech.size, "x"))
        due += speech.pace
        await asyncio.sleep(max(0.0, due - time.monotonic()))


@task("counted")
async def counted(ctx: TaskContext, amount: Amount) -> None:
    """Counts, and tells the time at every so many."""
    if is_full(amount):
        notify(amount.port, f"counted {time.monotonic_ns()}")


def is_full(amount: Amount) -> bool:
    """Count how often this happens in this process; whether that is so many again."""
    count = _counts[amount.port] = _counts.get(amount.port, 0) + 1
    return count % amount.count == 0


@agent("brief-counted")
async def brief_counted(ctx: AgentContext, amount: Amount) -> None:
    """The smallest agent that counts. Only here is that harmless: a replay counts again."""
    if is_full(amount):
        await ctx.run(notify, amount.port, f"counted {time.monotonic_ns()}")


@agent("single")
async def single(ctx: AgentContext) -> None:
    """One task."""
    await ctx.schedule(nothing)


@agent("single-counted")
async def single_counted(ctx: AgentContext, amount: Amount) -> None:
    """One task that counts."""
    await ctx.schedule(counted, amount)


@agent("fan-out")
async def fan_out(ctx: AgentContext, count: int) -> int:
    """Many tasks at once, joined."""
    return len(await ctx.join_all([ctx.schedule(nothing) for _ in range(count)]))


@agent("steps")
async def steps(ctx: AgentContext, count: int) -> None:
    """One task after another."""
    for _ in range(count):
        await ctx.schedule(nothing)


@agent("milestones")
async def milestones(ctx: AgentContext, amount: Amount) -> None:
    """One task after another, for ever; tells the time at every so many."""
    while True:
        for _ in range(amount.count - 1):
            await ctx.schedule(nothing)
        await ctx.schedule(tell, Telling(amount.port, "milestone"))


@agent("speaking")
async def speaking(ctx: AgentContext, speech: Speech) -> None:
    """Speaks once it is told to."""
    await ctx.wait_for_signal_raw("go")
    await ctx.schedule(speak, speech)


@agent("race")
async def race(ctx: AgentContext) -> None:
    """A race of three; the winner takes 10 ms."""
    await ctx.select_ok_with_cancel([ctx.schedule(nap, seconds) for seconds in (0.01, 5.0, 5.0)])


@agent("held")
async def held(ctx: AgentContext, port: int) -> None:
    """Waits for one task that runs until it is cancelled."""
    with contextlib.suppress(TaskCancelled):
        await ctx.schedule(until_told, port)


@agent("crowd")
async def crowd(ctx: AgentContext, count: int) -> None:
    """Waits for many tasks that run until they are cancelled."""
    await ctx.join_all([ctx.schedule(restless) for _ in range(count)])


@agent("waiting")
async def waiting(ctx: AgentContext) -> None:
    """Waits for a signal that does not come."""
    await ctx.wait_for_signal_raw("never")


@agent("heap")
async def heap(ctx: AgentContext, amount: Amount) -> None:
    """Schedules many tasks that nobody runs, in batches; tells when all are there, and waits."""
    for begun in range(0, amount.count, BATCH):
        for _ in range(min(BATCH, amount.count - begun)):
            ctx.schedule_raw("nobody", None)
        await ctx.schedule(nothing)
    await ctx.schedule(tell, Telling(amount.port, "scheduled"))
    await ctx.wait_for_signal_raw("never")
