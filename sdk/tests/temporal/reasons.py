"""Tasks of each executor that note why they are cancelled. They stand in a module, where other processes find them."""

from __future__ import annotations

import asyncio
import shlex
import time
from pathlib import Path
from typing import Any, Final

from rescind import TaskContext, TaskDefinition, task
from rescind.executors import shell

from .faulty_worker import Meeting


@task("on-the-loop", grace=5.0)
async def on_the_loop(ctx: TaskContext, folder: str) -> None:
    """Async code."""
    meeting = Meeting(Path(folder))
    meeting.note("begun")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        meeting.note(str(ctx.cancel_cause()))
        raise


@task("on-a-thread", grace=5.0)
def on_a_thread(ctx: TaskContext, folder: str) -> None:
    """A thread that asks."""
    _until_cancelled(ctx, folder, asks=True)


@task("in-a-process", executor="process", grace=5.0)
def in_a_process(ctx: TaskContext, folder: str) -> None:
    """A process, which is told."""
    _until_cancelled(ctx, folder, asks=False)


def _until_cancelled(ctx: TaskContext, folder: str, *, asks: bool) -> None:
    meeting = Meeting(Path(folder))
    meeting.note("begun")
    try:
        while True:
            time.sleep(0.01)
            if asks:
                ctx.check_cancelled()
    except asyncio.CancelledError:
        meeting.note(str(ctx.cancel_cause()))
        raise


def _shell_line(folder: str) -> str:
    noted = shlex.quote(str(Path(folder) / "noted"))
    return f"trap 'echo told >> {noted}; exit 1' TERM; echo begun >> {noted}; while :; do sleep 0.01; done"


as_a_program: TaskDefinition[Any, Any] = shell(
    "as-a-program", lambda folder: ["sh", "-c", _shell_line(folder)], grace=5.0
)

TASKS: Final = (on_the_loop, on_a_thread, in_a_process, as_a_program)
