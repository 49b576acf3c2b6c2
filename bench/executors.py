"""How fast work really stops: from the call that cancels to the moment when nothing that descends from it is left.

The moment is that of the stop record: the supervisor has proof that no process is left, and the engine has recorded it.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from typing import Any, Final

from bench.figures import Figure, figure
from bench.measuring import Measurement, Setting
from rescind import AgentContext, TaskContext, TaskDefinition, agent, embedded, task
from rescind.client.client import ExecutionHandle
from rescind.embedding import Embedded
from rescind.errors import OutcomeError
from rescind.executors import shell
from rescind.model.agent_values import StreamEvent

_GRACE: Final = 0.2
_MANY: Final = 500

# Two descendants, one of them in a session of its own.
obeying: Final = shell("obeying", "setsid sleep 3600 & echo ready; sleep 3600")
deaf: Final = shell("deaf", "trap '' TERM; echo ready; while :; do sleep 3600; done", grace=_GRACE)
nothing: Final = shell("nothing", ["true"])


@task("computing", executor="process", grace=_GRACE)
def computing(ctx: TaskContext) -> None:
    """Stays in C code, where no signal handler of Python's runs."""
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2**31 - 1)


TASKS: Final[dict[str, TaskDefinition[Any, Any]]] = {each.kind: each for each in (obeying, deaf, computing, nothing)}


@agent("holding")
async def holding(ctx: AgentContext, kind: str) -> None:
    """Waits for one task to be cancelled, and to have stopped."""
    await ctx.wait_for_signal_raw("go")
    future = ctx.schedule(TASKS[kind])
    await ctx.join_all_settled([future])
    await ctx.wait_stopped([future.task_id], 60_000)


@agent("holding-many", cleanup_budget=60)
async def holding_many(ctx: AgentContext, count: int) -> None:
    """Holds many tasks, and is over when all of them have stopped."""
    await ctx.wait_for_signal_raw("go")
    futures = [ctx.schedule(obeying) for _ in range(count)]
    try:
        await ctx.join_all(futures)
    finally:
        async with ctx.shield():
            await asyncio.gather(*(future.cancel() for future in futures))
            await ctx.wait_stopped([future.task_id for future in futures], 60_000)


@agent("running")
async def running(ctx: AgentContext) -> None:
    """Runs a program that ends at once."""
    await ctx.schedule(nothing)


async def _ready(handle: ExecutionHandle[Any], count: int) -> None:
    """Wait until so many programs have said that they are ready."""
    events = handle.follow()
    await anext(events)
    await handle.signal("go")
    async for event in events:
        if isinstance(event, StreamEvent) and "ready" in event.value.get("text", ""):
            count -= 1
            if not count:
                break
    await events.aclose()


async def _one_cancel(environment: Embedded, kind: str) -> float:
    """Milliseconds from the call to the end of the stop."""
    handle = await environment.start(holding, kind)
    await _ready(handle, 1)
    (record,) = await handle.tasks()
    begun = time.perf_counter()
    await handle.cancel_task(record.task_id)
    await handle.result()
    return (time.perf_counter() - begun) * 1_000


async def _cancels(kind: str, count: int) -> list[float]:
    async with embedded([holding], TASKS.values()) as environment:
        await _one_cancel(environment, kind)
        return [await _one_cancel(environment, kind) for _ in range(count)]


async def cancel(setting: Setting) -> Sequence[Figure]:
    """One cancel: of a program that obeys, of one that does not, of a function in C code."""
    over = _GRACE * 1_000
    obeys = await _cancels("obeying", setting.pick(20, 200, 1_000))
    ignores = [took - over for took in await _cancels("deaf", setting.pick(5, 50, 200))]
    computes = [took - over for took in await _cancels("computing", setting.pick(5, 30, 100))]
    return [
        figure("shell: cancel to last descendant gone", obeys, "ms", statistic="p99", reach="< 100"),
        figure(
            "shell that ignores SIGTERM: cancel to gone, beyond its grace",
            ignores,
            "ms",
            statistic="p99",
            reach="< 100",
        ),
        figure("process in C code: cancel to gone, beyond its grace", computes, "ms", statistic="p99", reach="< 200"),
    ]


async def many(setting: Setting) -> Sequence[Figure]:
    """Hundreds of programs cancelled at once."""
    samples = []
    for _ in range(setting.pick(1, 3, 10)):
        async with embedded([holding_many], [obeying]) as environment:
            handle = await environment.start(holding_many, _MANY)
            await _ready(handle, _MANY)
            begun = time.perf_counter()
            await handle.cancel()
            try:
                await handle.result()
            except OutcomeError:
                samples.append(time.perf_counter() - begun)
    return [figure(f"shell: {_MANY} tasks of three processes cancelled at once, all gone", samples, "s", reach="< 5")]


async def begin(setting: Setting) -> Sequence[Figure]:
    """From the start of an agent to the result of a program that ends at once."""
    samples = []
    async with embedded([running], [nothing]) as environment:
        for _ in range(setting.pick(20, 200, 1_000)):
            begun = time.perf_counter()
            await (await environment.start(running)).result()
            samples.append((time.perf_counter() - begun) * 1_000)
    return [figure("shell: a program that ends at once", samples, "ms")]


MEASUREMENTS: Final = (
    Measurement("executors.cancel", "from a cancel to the last process gone", cancel, limit=300),
    Measurement("executors.many", "hundreds of programs cancelled at once", many, limit=300),
    Measurement("executors.begin", "a program that ends at once", begin),
)
