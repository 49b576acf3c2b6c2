"""Agents whose outputs are known beforehand, whatever becomes of server and workers on the way."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from e2e.crash.notes import Fact, Notebook
from rescind import AgentContext, AgentDefinition, RetryPolicy, TaskContext, TaskDefinition, agent, task
from rescind.errors import ExecutionCancelled

FOREVER_MS: Final = 600_000
LABEL: Final = {"prey": "yes"}
"""The label of tasks that a client may cancel; no other task is cancelled from outside."""

# Lost workers are the test's doing: they must not use up the attempts.
PATIENT: Final = RetryPolicy(max_attempts=1_000, initial_interval_ms=5, backoff=1.5, maximum_interval_ms=50)
_LARGEST: Final = 1_000_003
_LOOK_EVERY: Final = 0.005

_notebooks: list[Notebook] = []


def open_notebook(notebook: Notebook) -> None:
    """For the worker's process: where the code here writes down what it does."""
    _notebooks.append(notebook)


def result_of(value: int) -> int:
    """What the task `work` makes of its value."""
    return (value * value + 7) % _LARGEST


class IntendedFailure(Exception):
    """What a task was told to raise."""


def _note(fact: Fact, ctx: TaskContext, value: int | str | None = None) -> None:
    for notebook in _notebooks:
        notebook.write(fact, ctx.execution_id, str(ctx.task_id), ctx.attempt, value)


def _fail_or_finish(ctx: TaskContext, given: Mapping[str, int]) -> int:
    if ctx.attempt <= given.get("failures", 0):
        _note(Fact.RAISED, ctx)
        raise IntendedFailure(f"attempt {ctx.attempt} was told to fail")
    value = result_of(given["value"])
    _note(Fact.ENDED, ctx, value)
    return value


@task("work", retry=PATIENT, grace=1.0)
async def work(ctx: TaskContext, given: dict[str, int]) -> int:
    """Sleep for `sleep_ms`, fail the first `failures` attempts, and give what `result_of` says."""
    _note(Fact.STARTED, ctx)
    try:
        await asyncio.sleep(given["sleep_ms"] / 1_000)
    except asyncio.CancelledError:
        _note(Fact.TOLD, ctx)
        raise
    return _fail_or_finish(ctx, given)


@task("work-on-a-thread", retry=PATIENT, grace=1.0)
def work_on_a_thread(ctx: TaskContext, given: dict[str, int]) -> int:
    """The same, as a plain function."""
    _note(Fact.STARTED, ctx)
    end = time.monotonic() + given["sleep_ms"] / 1_000
    while time.monotonic() < end:
        try:
            ctx.check_cancelled()
        except asyncio.CancelledError:
            _note(Fact.TOLD, ctx)
            raise
        time.sleep(_LOOK_EVERY)  # the work itself, in a process that is killed; no test waits here
    return _fail_or_finish(ctx, given)


@task("load", retry=PATIENT, grace=1.0)
async def load(ctx: TaskContext, given: dict[str, Any]) -> str:
    """Give back as many characters as asked for: more than one piece of the wire holds."""
    _note(Fact.STARTED, ctx)
    text: str = given["text"] + "." * (given["count"] - len(given["text"]))
    _note(Fact.ENDED, ctx, text)
    return text


TASKS: Final[tuple[TaskDefinition[Any, Any], ...]] = (work, work_on_a_thread, load)
STUCK: Final = {"value": 0, "sleep_ms": FOREVER_MS}


@agent("chain")
async def chain(ctx: AgentContext, given: dict[str, Any]) -> int:
    """One task after another, each from what the one before gave."""
    value: int = given["start"]
    for sleep_ms in given["sleeps"]:
        await ctx.append_entry("assistant", {"value": value})
        value = await ctx.schedule(work, {"value": value, "sleep_ms": sleep_ms})
    return value


@agent("checkpointed", recovery="checkpoint")
async def checkpointed(ctx: AgentContext, given: dict[str, Any]) -> int:
    """The same from checkpoint to checkpoint: a recovery begins at the last one."""
    state = ctx.state() or {"done": 0, "value": given["start"]}
    for sleep_ms in given["sleeps"][state["done"] :]:
        value = await ctx.schedule(work, {"value": state["value"], "sleep_ms": sleep_ms})
        state = {"done": state["done"] + 1, "value": value}
        await ctx.checkpoint(state)
    result: int = state["value"]
    return result


@agent("fan-out")
async def fan_out(ctx: AgentContext, given: dict[str, Any]) -> list[int]:
    """All at once, some on threads, some failing at first; joined."""
    kinds = (work, work_on_a_thread)
    return await ctx.join_all([ctx.schedule(kinds[place % 2], each) for place, each in enumerate(given["works"])])


@agent("race")
async def race(ctx: AgentContext, given: dict[str, Any]) -> dict[str, Any]:
    """The first wins, the others are cancelled."""
    racers = [ctx.schedule(work, each) for each in given["works"]]
    value, cancelled = await ctx.select_ok_with_cancel(racers)
    return {"winner": value, "cancelled": [str(task_id) for task_id in cancelled]}


@agent("deadline")
async def deadline(ctx: AgentContext, given: dict[str, Any]) -> dict[str, Any]:
    """Some are quick and some never end: a deadline cancels what is open."""
    works = [*given["works"], *([STUCK] * given["stuck"])]
    joined = await ctx.join_all_with_timeout([ctx.schedule(work, each) for each in works], given["timeout_ms"])
    return {
        "timed_out": joined.timed_out,
        "completed": [task_id for task_id, _ in joined.completed],
        "cancelled": [str(each) for each in joined.cancelled],
        "failed": [task_id for task_id, _ in joined.failed],
    }


@agent("scoped")
async def scoped(ctx: AgentContext, given: dict[str, Any]) -> int:
    """What is still open in a scope when it is left, is cancelled; then a durable sleep."""
    async with ctx.scope():
        wanted = ctx.schedule(work, given["work"])
        for _ in range(given["stuck"]):
            ctx.schedule(work, STUCK)
        value: int = await wanted
    await asyncio.sleep(given["sleep_ms"] / 1_000)
    return value


@agent("replacing")
async def replacing(ctx: AgentContext, given: dict[str, Any]) -> int:
    """A task that never ends is replaced; of two that are hedged, one gives the result."""
    old = ctx.schedule(work, STUCK)
    await ctx.flush_pending()
    value = await (await ctx.replace(old, work, given["work"]))
    hedged: int = await ctx.hedge(work, [{**given["work"], "value": value}] * 2, stagger_ms=given["stagger_ms"])
    return hedged


@agent("signals")
async def signals(ctx: AgentContext, given: dict[str, Any]) -> list[int]:
    """Waits for signals of so many names. One may come twice: a caller that got no answer sends it again."""
    got: dict[str, int] = {}
    while len(got) < given["count"]:
        name, value = await ctx.wait_for_signal_by_pattern("item-*")
        got[name] = value
    return sorted(got.values())


@agent("steps")
async def steps(ctx: AgentContext, given: dict[str, Any]) -> list[str]:
    """Side effects, each recorded once; what was recorded is what all later runs of the code see."""
    drawn: list[str] = []
    for place in range(given["count"]):
        drawn.append(await ctx.run(partial(_draw, ctx.execution_id, place), name="draw"))
        await asyncio.sleep(given["sleep_ms"] / 1_000)
    return drawn


def _draw(execution_id: str, place: int) -> str:
    value = secrets.token_hex(4)
    for notebook in _notebooks:
        notebook.write(Fact.STEP, execution_id, str(place), value=value)
    return value


@agent("settled")
async def settled(ctx: AgentContext, given: dict[str, Any]) -> dict[str, Any]:
    """Tasks that a client may cancel; tells what became of each."""
    futures = [ctx.schedule(work, each, labels=LABEL) for each in given["works"]]
    joined = await ctx.join_all_settled(futures)
    return {
        "completed": [[task_id, value] for task_id, value in joined.completed],
        "cancelled": [str(each) for each in joined.cancelled],
        "failed": [task_id for task_id, _ in joined.failed],
    }


@agent("branches")
async def branches(ctx: AgentContext, given: dict[str, Any]) -> list[int]:
    """Several ways at once through the agent, each with tasks, timers and entries of its own."""

    async def branch(place: int, each: dict[str, int]) -> int:
        await asyncio.sleep(each["sleep_ms"] / 1_000)
        first = await ctx.schedule(work, each)
        await ctx.append_entry("assistant", {"branch": place, "value": first})
        async with ctx.move_on_after(given["patience_ms"] / 1_000):
            await ctx.schedule(work, STUCK)
        second: int = await ctx.schedule(work, {**each, "value": first})
        return second

    return list(await asyncio.gather(*(branch(place, each) for place, each in enumerate(given["works"]))))


@agent("bulky")
async def bulky(ctx: AgentContext, given: dict[str, Any]) -> list[str]:
    """Large inputs, results and output."""
    counts: list[int] = given["counts"]
    return await ctx.join_all([ctx.schedule(load, {"text": given["text"], "count": count}) for count in counts])


@agent("cleaning")
async def cleaning(ctx: AgentContext, given: dict[str, Any]) -> None:
    """Waits for what never comes. Cancelled by its client, it does a last durable task before it ends."""
    ctx.schedule(work, STUCK)
    try:
        await ctx.wait_for_signal_raw("never")
    except ExecutionCancelled:
        async with ctx.shield():
            await ctx.schedule(work, given["work"])
        raise


AGENTS: Final[tuple[AgentDefinition[Any, Any], ...]] = (
    chain,
    checkpointed,
    fan_out,
    race,
    deadline,
    scoped,
    replacing,
    signals,
    steps,
    settled,
    branches,
    bulky,
    cleaning,
)
