"""Containers of Docker or Podman. A cancel is SIGTERM, then SIGKILL; the container is removed in any case."""

from __future__ import annotations

import asyncio
import re
import signal
from typing import Any, Final

from rescind.authoring.container_work import Container, ContainerResult, ContainerWork
from rescind.authoring.task import TaskDefinition
from rescind.errors import NonRetryable
from rescind.runtime.task_context import TaskContext, is_lost
from rescind.worker.executors.container_reaping import Reaper
from rescind.worker.executors.container_run import ContainerRun, Ended
from rescind.worker.executors.docker_address import EngineUnavailable, find_engine
from rescind.worker.executors.docker_engine import DockerEngine, check_installed
from rescind.worker.executors.port import WorkKilled
from rescind.worker.executors.shell import Streams, checked

# By this, the inits of Docker and of Podman tell that there is nothing to run.
_INIT_FAILED: Final = re.compile(
    r"\[FATAL tini|Error: Failed to execute|catatonit:|ERROR \(catatonit:\d+\): failed to exec"
)
_NOT_RUN: Final = (1, 126, 127)


class ContainerExecutor:
    """See `Executor`."""

    hooks_end_it = False
    ends_by_force = True

    def __init__(self) -> None:
        """Look for no engine yet."""
        self._engine: DockerEngine | None = None
        self._reaper: Reaper | None = None
        self._runs: dict[ContainerRun, asyncio.Task[Ended]] = {}

    async def run(self, definition: TaskDefinition[Any, Any], context: TaskContext, task_input: Any) -> ContainerResult:
        """See `Executor.run`.

        Raises:
            CommandFailed: it ended otherwise than with exit code 0, and that is to be checked.
            EngineUnavailable: no engine answers.
            EngineFailed: the engine failed.
            NonRetryable: it could not be begun, and another attempt could not help.
        """
        work = definition.work
        assert isinstance(work, ContainerWork)
        container = work.container_for(task_input)
        engine, reaper = self._find()
        reaper.look()
        streams = Streams(context, work)
        try:
            ended = await self._see_through(ContainerRun(engine, reaper, container, context, streams.feed), context)
        finally:
            streams.finish()
        if ended.told or ended.state is None:
            raise WorkKilled if ended.forced else asyncio.CancelledError
        return checked(_result(container, ended, streams), work)

    async def _see_through(self, run: ContainerRun, context: TaskContext) -> Ended:
        """Wait until it is gone, and hand each cancel of this call on to it."""
        living = asyncio.create_task(run.live())
        self._runs[run] = living
        living.add_done_callback(lambda _: self._forget(run, living))
        was_told = False
        while True:
            try:
                return await asyncio.shield(living)
            except asyncio.CancelledError:
                if is_lost(context) or living.cancelled():
                    living.cancel()
                    raise
                # Cancelled without an order: the worker's event loop is being closed.
                run.stop(by_force=was_told or not context.is_cancelled)
                was_told = True

    def prepare(self) -> None:
        """See `Executor.prepare`. Removes what dead workers left behind, if there is an engine.

        Raises:
            InvalidInput: what engines are spoken to with is not installed.
        """
        check_installed()
        try:
            self._find()[1].look()
        except EngineUnavailable:
            return  # each attempt says so, and looks again

    def close(self) -> None:
        """See `Executor.close`. All that runs is killed and removed, if the engine answers."""
        left = {run.name: bool(run.exists) for run, living in self._runs.items() if not living.done()}
        for living in self._runs.values():
            living.cancel()
        if self._reaper is not None:
            self._reaper.close()
        if self._engine is not None and left:
            self._engine.remove_now(left)

    def _find(self) -> tuple[DockerEngine, Reaper]:
        if self._engine is None or self._reaper is None:
            self._engine = DockerEngine(find_engine())
            self._reaper = Reaper(self._engine)
        return self._engine, self._reaper

    def _forget(self, run: ContainerRun, living: asyncio.Task[Ended]) -> None:
        """Where the worker is lost, nobody waits for what it still raises: that is no news for asyncio's log."""
        del self._runs[run]
        if not living.cancelled():
            living.exception()


def _result(container: Container, ended: Ended, streams: Streams) -> ContainerResult:
    assert ended.state is not None
    code = ended.state.exit_code
    stderr = streams.stderr.end()
    if code in _NOT_RUN and _INIT_FAILED.match(stderr):
        raise NonRetryable(f"the image {container.image!r} cannot run {container.arguments()}: {stderr.strip()}")
    return ContainerResult(
        exit_code=code,
        signal=_signal_of(code),
        stdout=streams.stdout.end(),
        stderr=stderr,
        stdout_bytes=streams.stdout.size,
        stderr_bytes=streams.stderr.size,
        oom_killed=ended.state.oom_killed,
    )


def _signal_of(exit_code: int) -> str | None:
    """As shells say it, and engines too: 128 and the signal's number."""
    try:
        return signal.Signals(exit_code - 128).name if exit_code > 128 else None
    except ValueError:
        return None
