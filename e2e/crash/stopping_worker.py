"""A worker whose tasks do not end by themselves: ``python -m e2e.crash.stopping_worker ADDRESS SILENCE_MS``.

The tasks write into the folder that they are given what becomes of them, and look there for a file ``go``.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path
from typing import Any

from rescind import AgentContext, TaskContext, agent, task
from rescind.executors import shell
from rescind.worker.connecting import Worker

WORKER_ID = "away"
RUNS = "runs"
TOLD = "told"
GO = "go"


def _deaf_command(folder: str) -> str:
    return f"trap '' TERM; touch {shlex.quote(folder)}/{RUNS}; while :; do sleep 0.05; done"


deaf = shell("deaf", _deaf_command, grace=3_600, max_retries=0)


def leave(folder: str, name: str) -> None:
    """Write that something has happened."""
    Path(folder, name).touch()


def is_there(folder: str, name: str) -> bool:
    """Whether it has."""
    return Path(folder, name).exists()


@task("held", max_retries=0)
async def held(ctx: TaskContext, folder: str) -> str:
    """Runs until it is told to stop."""
    leave(folder, RUNS)
    try:
        await asyncio.Event().wait()
    finally:
        leave(folder, TOLD)
    return "never"


@task("stubborn", max_retries=0)
async def stubborn(ctx: TaskContext, folder: str) -> str:
    """Runs until it finds the file, whatever it is told."""
    leave(folder, RUNS)
    while not is_there(folder, GO):  # noqa: ASYNC110 - the test has no other way to tell it
        await asyncio.sleep(0.01)
    return "done"


@agent("holding")
async def holding(ctx: AgentContext, given: dict[str, Any]) -> None:
    """One task of the kind that is asked for, and life until nothing of it is at work."""
    kinds = {each.kind: each for each in TASKS}
    future = ctx.schedule(kinds[given["kind"]], given["folder"])
    await ctx.join_all_settled([future])
    await ctx.wait_stopped([future.task_id])


TASKS = (held, stubborn, deaf)


if __name__ == "__main__":
    print("begins", flush=True)
    asyncio.run(
        Worker(sys.argv[1], agents=[holding], tasks=TASKS, worker_id=WORKER_ID, silence_ms=int(sys.argv[2])).run()
    )
