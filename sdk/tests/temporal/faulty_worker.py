"""A worker that is killed, frozen and ended: ``faulty_worker.py ADDRESS QUEUE agents|tasks|task|both``, and its agents.

Its tasks go on when a test lets them, by a file, and note what becomes of them in another.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rescind import AgentContext, ExecutionCancelled, TaskContext, agent, task
from rescind.temporal import TemporalWorker
from rescind.temporal.worker import DEFAULT_SLOTS

LEASE_MS: Final = 1_000


@dataclass(frozen=True)
class Run:
    """A name, and the folder in which the test and the tasks meet."""

    folder: str
    name: str


class Meeting:
    """What a test sees of the tasks, and lets them do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._noted = folder / "noted"
        self._noted.touch()

    @property
    def noted(self) -> list[str]:
        """All that was noted, in its order."""
        return self._noted.read_text("utf-8").splitlines()

    def note(self, words: str) -> None:
        """Note something, behind all that was noted before."""
        with self._noted.open("a", encoding="utf-8") as file:
            file.write(f"{words}\n")

    def let_go(self, name: str) -> None:
        """Let the tasks of this name end."""
        (self.folder / f"go-{name}").touch()

    def may_go(self, name: str) -> bool:
        """Whether they may."""
        return (self.folder / f"go-{name}").exists()

    async def has(self, *words: str) -> None:
        """Return when all of these were noted."""
        await _until(lambda: set(words) <= set(self.noted))


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - another process brings it about
        await asyncio.sleep(0.01)


@task("runner", grace=5.0)
async def runner(ctx: TaskContext, run: Run) -> str:
    """Run until it is let go."""
    meeting = Meeting(Path(run.folder))
    meeting.note(f"{run.name} {ctx.attempt} begun")
    try:
        await _until(lambda: meeting.may_go(run.name))
    except asyncio.CancelledError:
        meeting.note(f"{run.name} {ctx.attempt} cancelled, {ctx.cancel_cause()}")
        raise
    meeting.note(f"{run.name} {ctx.attempt} ended")
    return run.name


@agent("three-race")
async def three_race(ctx: AgentContext, folder: str) -> str:
    """The first of three wins; the others are cancelled."""
    runs = [ctx.schedule(runner, Run(folder, name)) for name in ("a", "b", "c")]
    winner, cancelled = await ctx.select_ok_with_cancel(runs)
    await ctx.append_entry("assistant", f"{winner} before {len(cancelled)}")
    return winner


@agent("cancels-when-told")
async def cancels_when_told(ctx: AgentContext, folder: str) -> str:
    """Cancel a running task, and wait for its work to have stopped."""
    future = ctx.schedule(runner, Run(folder, "a"))
    await ctx.wait_for_signal_raw("cancel")
    await future.cancel("no longer needed")
    states = await ctx.wait_stopped([future.task_id], timeout_ms=60_000)
    return str(states[future.task_id])


@agent("does-all-sorts")
async def does_all_sorts(ctx: AgentContext, folder: str) -> list[Any]:
    """Something of everything, and the same at each time."""
    runs = [ctx.schedule(runner, Run(folder, name)) for name in ("a", "b")]
    winner, losers = await ctx.select_ok_with_cancel(runs)
    joined = await ctx.join_all_with_timeout([ctx.schedule(runner, Run(folder, "never"))], timeout_ms=50)
    step = await ctx.run(lambda: "stepped", name="step")
    await ctx.sleep(0.05)
    said = await ctx.wait_for_signal_raw("said")
    await ctx.checkpoint({"said": said})
    async with ctx.scope():
        ctx.schedule(runner, Run(folder, "left"))
    await ctx.append_entry("assistant", f"{winner} {said}")
    await ctx.schedule(runner, Run(folder, "a"))
    return [winner, len(losers), len(joined.cancelled), step, said]


@agent("cleans-up-slowly")
async def cleans_up_slowly(ctx: AgentContext, folder: str) -> None:
    """Work, and clean up when cancelled, which another cancel is not to disturb."""
    try:
        await ctx.schedule(runner, Run(folder, "work"))
    except ExecutionCancelled:
        async with ctx.shield(within_ms=50_000):
            await ctx.schedule(runner, Run(folder, "clean-up"))
            await ctx.append_entry("assistant", f"cleaned up: {ctx.cancel_cause()}")
        raise


@agent("holds")
async def holds(ctx: AgentContext, folder: str) -> str:
    """One task, and then a signal."""
    done = await ctx.schedule(runner, Run(folder, "a"))
    await ctx.wait_for_signal_raw("go")
    return done


AGENTS: Final = (three_race, cancels_when_told, does_all_sorts, cleans_up_slowly, holds)


class WorkerProcess:
    """A worker in a process of its own, to which anything may happen."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        await self._process.wait()

    async def leave(self) -> int | None:
        """Ask it to end, and wait until it has; returns its exit code."""
        self._process.terminate()
        return await self._process.wait()

    def freeze(self) -> None:
        """Let it stand still."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self._process.returncode is not None


@asynccontextmanager
async def worker_process(address: str, queue: str, role: str = "both") -> AsyncIterator[WorkerProcess]:
    """Such a worker, for as long as the block lasts.

    Args:
        address: the server.
        queue: its queue.
        role: what it runs: agents, tasks, both, or one task at a time: then it asks for nothing while it runs one.
    """
    process = await asyncio.create_subprocess_exec(sys.executable, "-W", "error", __file__, address, queue, role)
    worker = WorkerProcess(process)
    try:
        yield worker
    finally:
        if not worker.is_gone:
            await worker.kill()


async def _work(address: str, queue: str, role: str) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with TemporalWorker(
        address,
        agents=AGENTS if role in ("agents", "both") else (),
        tasks=(runner,) if role != "agents" else (),
        slots=1 if role == "task" else DEFAULT_SLOTS,
        queue=queue,
        lease_ms=LEASE_MS,
        shutdown_grace_ms=100,
    ):
        await told.wait()


if __name__ == "__main__":
    asyncio.run(_work(*sys.argv[1:]))
    # As the command line ends, too: threads of Temporal's SDK may abort an interpreter that is being taken down.
    sys.stdout.flush()
    os._exit(0)
