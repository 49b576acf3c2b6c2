"""A worker of its own process: ``python -m server_stub.tests.gateway.worker_process ADDRESS WORKER_ID [PROTOCOL]``.

Each attempt of the task ``step`` writes a line to the file that its input names, so that a test can count what ran.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from rescind import AgentContext, TaskContext, agent, task
from rescind.worker.connecting import Protocol, Worker


@task("step")
async def step(ctx: TaskContext, given: dict[str, str]) -> str:
    note(Path(given["file"]), f"{given['name']} {ctx.attempt}")
    return given["name"]


def note(file: Path, line: str) -> None:
    """Append a line; it is there also if this process is killed in the next moment."""
    with file.open("a") as opened:
        opened.write(f"{line}\n")


@agent("steps")
async def steps(ctx: AgentContext, given: dict[str, str]) -> list[str]:
    """One task after another, as many as asked, with a signal awaited in the middle."""
    done: list[str] = []
    for number in range(int(given["count"])):
        if number == int(given["count"]) // 2:
            await ctx.wait_for_signal_raw("go")
        done.append(await ctx.schedule(step, {"file": given["file"], "name": str(number)}))
    return done


def is_there(file: str) -> bool:
    return Path(file).exists()


async def held(given: dict[str, str]) -> None:
    """Say that it runs, and run until a file appears: whoever waits for this is another process."""
    note(Path(given["file"]), "holds")
    while True:
        if is_there(given["until"]):
            return
        await asyncio.sleep(0.01)


@task("hold")
async def hold(ctx: TaskContext, given: dict[str, str]) -> None:
    await held(given)


@agent("holds")
async def holds(ctx: AgentContext, given: dict[str, str]) -> str:
    """Be at work, in a task or in a side effect, until a file appears; then do one more step."""
    if given["where"] == "task":
        await ctx.schedule(hold, given)
    else:
        await ctx.run(held, given)
    await ctx.append_entry("assistant", "it may go on")
    return await ctx.schedule(step, {"file": given["file"], "name": "after"})


if __name__ == "__main__":
    spoken: Protocol = "flovyn.v1" if "flovyn.v1" in sys.argv[3:] else "native"
    asyncio.run(
        Worker(sys.argv[1], agents=[steps, holds], tasks=[step, hold], worker_id=sys.argv[2], protocol=spoken).run()
    )
