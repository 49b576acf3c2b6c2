"""Agents and tasks that a worker runs for the page's tests. They wait for signals and gates, not for lengths of time.

Only the agents of the pictures take time: theirs is the work that is shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rescind import (
    AgentContext,
    AgentDefinition,
    RetryPolicy,
    TaskContext,
    TaskDefinition,
    WorkflowContext,
    WorkflowDefinition,
    agent,
    task,
    workflow,
)
from rescind.executors import shell


async def _pass(gate: str, name: str) -> None:
    """Stand at a gate of the test until it is opened."""
    host, _, port = gate.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"{name}\n".encode())
        await reader.readline()
    finally:
        writer.close()


@task("hold", grace=3_600)
async def hold(ctx: TaskContext, given: dict[str, Any]) -> None:
    """Run until it is cancelled. Where `gate` and `name` are given, it has stopped only when that gate is opened."""
    for line in given.get("lines", ()):
        await ctx.stream_token(line)
    try:
        await asyncio.Event().wait()
    finally:
        if "gate" in given:
            await _pass(given["gate"], given["name"])


@task("deaf", grace=0.2)
async def deaf(ctx: TaskContext, given: dict[str, Any]) -> None:
    """Swallow each cancel until the gate opens: work that should have stopped and did not."""
    passing = asyncio.ensure_future(_pass(given["gate"], given["name"]))
    while not passing.done():
        try:
            await asyncio.shield(passing)
        except asyncio.CancelledError:
            continue


follow_file: TaskDefinition[str, Any] = shell("follow-file", lambda path: ["tail", "-n", "+1", "-f", path])


# It says its words when it hears no SIGTERM any more; what it starts does not hear one either.
_STUBBORN: Final = """trap '' TERM; echo "$0"; while :; do sleep 1; done"""
stubborn: TaskDefinition[str, Any] = shell("stubborn", lambda words: ["sh", "-c", _STUBBORN, words], grace=0.5)


@task("refuse", retry=RetryPolicy(max_attempts=1))
async def refuse(ctx: TaskContext, words: str) -> None:
    """Fail with these words."""
    raise ValueError(words)


@task("say")
async def say(ctx: TaskContext, words: list[str]) -> int:
    """Stream words, one token each, and give their number."""
    for word in words:
        await ctx.stream_token(word)
    return len(words)


@task("answer")
async def answer(ctx: TaskContext, given: Any) -> Any:
    """Give back what was given."""
    return given


@task("stumble", retry=RetryPolicy(max_attempts=3, initial_interval_ms=1, maximum_interval_ms=1))
async def stumble(ctx: TaskContext, failures: int) -> int:
    """Fail the first attempts, then give the number of the one that did not."""
    if ctx.attempt <= failures:
        raise ValueError(f"attempt {ctx.attempt} was told to fail")
    return ctx.attempt


@agent("holding")
async def holding(ctx: AgentContext, given: dict[str, Any]) -> str:
    """Run tasks that never end of themselves, one for each name; tell what became of them."""
    tasks = [ctx.schedule(hold, {**given, "name": name}) for name in given["names"]]
    settled = await ctx.join_all_settled(tasks)
    return f"{len(settled.cancelled)} cancelled"


@agent("stuck")
async def stuck(ctx: AgentContext, given: dict[str, Any]) -> None:
    """One task that does not stop."""
    await ctx.schedule(deaf, given)


@agent("defying")
async def defying(ctx: AgentContext) -> int:
    """A program that ignores its cancel, and is killed when its grace is over."""
    settled = await ctx.join_all_settled([ctx.schedule(stubborn, "deaf from now on")])
    return len(settled.cancelled)


@agent("refusing")
async def refusing(ctx: AgentContext, words: str) -> None:
    """Fail with what a task of it fails with."""
    await ctx.schedule(refuse, words)


@agent("patient")
async def patient(ctx: AgentContext) -> Any:
    """Wait for the signal `go` and give its value."""
    return await ctx.wait_for_signal_raw("go")


@agent("counting")
async def counting(ctx: AgentContext) -> int:
    """Each signal `next` brings an entry with its number, until it brings none."""
    count = 0
    while (value := await ctx.wait_for_signal_raw("next")) is not None:
        count += 1
        await ctx.append_entry("assistant", f"number {count}: {value}")
    return count


@agent("conversing")
async def conversing(ctx: AgentContext, given: dict[str, Any]) -> Any:
    """Put texts wherever an execution has some: entries, output, results, a checkpoint; then wait."""
    for text in given["texts"]:
        await ctx.append_entry("user", text)
    await ctx.append_tool_call("search", {"texts": given["texts"]})
    await ctx.schedule(say, given["texts"])
    await ctx.schedule(answer, given["texts"])
    await ctx.checkpoint({"texts": given["texts"]})
    await ctx.wait_for_signal_raw("go")
    await ctx.append_entry("assistant", "done")
    return given["texts"]


@agent("following")
async def following(ctx: AgentContext, path: str) -> Any:
    """A program that prints a file, and whatever is written to it, until it is cancelled."""
    settled = await ctx.join_all_settled([ctx.schedule(follow_file, path)])
    return len(settled.cancelled)


@agent("stumbling")
async def stumbling(ctx: AgentContext) -> int:
    """A task that needs three attempts."""
    return await ctx.schedule(stumble, 2)


@agent("fanning")
async def fanning(ctx: AgentContext, count: int) -> int:
    """So many tasks at once."""
    return len(await ctx.join_all([ctx.schedule(answer, number) for number in range(count)]))


@agent("delegating")
async def delegating(ctx: AgentContext, below: list[Any] | dict[str, Any]) -> list[Any]:
    """A child for each of what is given, with that below it; one without anything below holds a task.

    What is given to that task may stand in place of nothing.
    """
    if isinstance(below, dict):
        return [await ctx.schedule(hold, below)]
    if not below:
        return [await ctx.schedule(hold, {"name": "leaf"})]
    children = [await ctx.spawn_agent(delegating, each) for each in below]
    return [await child for child in children]


def _look_for(file: str) -> None:
    Path(file).stat()


@workflow("mendable")
async def mendable(ctx: WorkflowContext, file: str) -> None:
    """Let a timer fire, fail where the file is not there, then wait for the signal `go`."""
    await ctx.sleep(0.001)
    _look_for(file)
    await ctx.wait_for_signal_raw("go")


# ── for the pictures ───────────────────────────────────────────────────────────────────────────────────────────────


@task("run-tests")
async def run_tests(ctx: TaskContext, seconds: float) -> str:
    """Work that tells how it goes."""
    for percent in (10, 35, 60, 85):
        await ctx.stream_token(f"{percent:3d} %  tests/test_{percent}.py ........ ok\n")
        await ctx.report_progress(percent / 100, f"{percent} %")
        await asyncio.sleep(seconds / 4)
    return "214 passed"


@task("ask-model", retry=RetryPolicy(max_attempts=3, initial_interval_ms=300))
async def ask_model(ctx: TaskContext, given: dict[str, Any]) -> str:
    """A model that is slow, and busy at first."""
    await asyncio.sleep(given["seconds"])
    if ctx.attempt <= given.get("failures", 0):
        raise ConnectionError("the model is busy")
    return f"{given['model']}: looks right to me"


@agent("review-change")
async def review_change(ctx: AgentContext, given: dict[str, Any]) -> str:
    """Three models race, the losers are cancelled; tests run beside them; then it waits for a person."""
    await ctx.append_entry("user", f"Please review {given['change']}: does it still round half up?")
    tests = ctx.schedule(run_tests, 2.4)
    models = [
        ctx.schedule(ask_model, {"model": "quick", "seconds": 0.7, "failures": 1}),
        ctx.schedule(ask_model, {"model": "careful", "seconds": 1.2}),
        ctx.schedule(ask_model, {"model": "thorough", "seconds": 60}),
    ]
    opinion, _ = await ctx.select_ok_with_cancel(models)
    await ctx.append_entry("assistant", opinion)
    await ctx.checkpoint({"opinion": opinion})
    await asyncio.sleep(0.5)
    await ctx.append_entry("assistant", f"The tests say: {await tests}. May I merge it?")
    deploying = ctx.schedule(hold, {**given.get("hold", {}), "lines": ["waiting for the lock of production\n"]})
    verdict = await ctx.wait_for_signal_raw("approve")
    await deploying.cancel("nobody waits for it any more")
    return f"merged, since {verdict}"


AGENTS: Final[Sequence[AgentDefinition[Any, Any]]] = (
    holding,
    stuck,
    defying,
    refusing,
    patient,
    counting,
    conversing,
    following,
    stumbling,
    fanning,
    delegating,
    review_change,
)
WORKFLOWS: Final[Sequence[WorkflowDefinition[Any, Any]]] = (mendable,)
TASKS: Final[Sequence[TaskDefinition[Any, Any]]] = (
    hold,
    deaf,
    follow_file,
    stubborn,
    refuse,
    say,
    answer,
    stumble,
    run_tests,
    ask_model,
)
