"""A worker in a process of its own: ``python -m server_stub.tests.gateway.worker_process ADDRESS WORKER_ID``.

Each attempt of the task ``step`` writes a line to the file that its input names, so that a test can count what ran.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from rescind import AgentContext, TaskContext, agent, task
from rescind.worker.connecting import Worker


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


if __name__ == "__main__":
    asyncio.run(Worker(sys.argv[1], agents=[steps], tasks=[step], worker_id=sys.argv[2]).run())
