"""Tasks that run in processes of their own; they must stand at the top of a module to be found there."""

from __future__ import annotations

import asyncio
import time

from rescind import TaskContext, task


@task("in-a-process", executor="process", grace=5.0)
def in_a_process(ctx: TaskContext) -> None:
    """Obeys."""
    ctx.stream_token("at work")
    time.sleep(60)


@task("ignores-its-end", executor="process", grace=0.2)
def ignores_its_end(ctx: TaskContext) -> None:
    """Goes on when it is told to stop."""
    while True:
        try:
            ctx.stream_token("at work")
            time.sleep(60)
        except asyncio.CancelledError:
            continue
