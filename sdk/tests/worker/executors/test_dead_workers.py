"""A worker that dies takes its processes with it; what is left nevertheless is removed by the next that starts."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from rescind.worker.executors import folders, process_table
from rescind.worker.executors.supervision import ForkServer
from sdk.tests.worker.executors.observed import alive_with, in_real_time, until

WORKER = """
    import asyncio, sys
    import rescind
    from rescind import AgentContext, agent
    from rescind.executors import shell

    sign = sys.argv[1]
    deaf = shell("deaf", f"trap '' TERM; (env -i setsid sleep {sign} &); echo ready; while :; do sleep {sign}; done",
                 grace=3600)

    @agent("cancelling")
    async def cancelling(ctx: AgentContext) -> None:
        future = ctx.schedule(deaf)
        await ctx.wait_for_signal_raw("ready")
        await future.cancel()
        print("cancelled", flush=True)
        await ctx.wait_for_signal_raw("never")

    async def main() -> None:
        async with rescind.embedded([cancelling], [deaf]) as env:
            handle = await env.start(cancelling)
            async for event in handle.follow():
                if getattr(event, "kind", None) == "output":
                    await handle.signal("ready")

    asyncio.run(main())
"""


def begun(arguments: list[str], **options: Any) -> subprocess.Popen[Any]:
    """A process that is no worker's."""
    return subprocess.Popen(arguments, **options)


def dead_identity() -> str:
    """The identity of a worker that has died."""
    own = process_table.identity().split("-")
    return f"{own[0]}-{own[1]}-1"


@in_real_time
async def test_a_worker_that_dies_between_sigterm_and_its_report_takes_all_with_it(sign: str) -> None:
    program = [sys.executable, "-c", textwrap.dedent(WORKER), sign]
    with begun(program, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert await asyncio.to_thread(worker.stdout.readline) == "cancelled\n"
        assert any("sleep" in line for line in alive_with(sign))
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        await until(lambda: not alive_with(sign))


@in_real_time
async def test_what_a_dead_worker_left_behind_is_killed_by_the_next_that_starts(sign: str) -> None:
    marked = {**os.environ, process_table.MARK: f"{dead_identity()}/task/1"}
    with begun(["sleep", sign], env=marked, start_new_session=True) as left:
        server = ForkServer()
        server.start()
        await asyncio.to_thread(left.wait)
        server.close()
    assert left.returncode == -signal.SIGKILL


@in_real_time
async def test_what_other_workers_run_is_left_alone(sign: str) -> None:
    marked = {**os.environ, process_table.MARK: f"{process_table.identity()}/task/1"}
    with begun(["sleep", sign], env=marked) as other:
        server = ForkServer()
        server.start()
        process = server.begin(["true"], attempt="x", files=[os.open(os.devnull, os.O_RDWR)], environment={})
        await process.gone()
        process.close()
        server.close()
        assert other.poll() is None
        other.kill()


def test_marks_of_other_namespaces_and_other_programs_are_left_alone() -> None:
    assert process_table.is_alive("another namespace-1-1")
    assert process_table.is_alive("something else")
    assert process_table.is_alive(process_table.identity())
    assert not process_table.is_alive(dead_identity())


def test_the_folders_of_dead_workers_are_removed() -> None:
    folders._remove_those_of_dead_workers.cache_clear()
    left = Path(tempfile.mkdtemp(prefix=f"rescind-attempt-{dead_identity()}-"))
    (left / "inner").mkdir()
    (left / "inner" / "file").touch()
    own = folders.make_folder()
    assert (left.exists(), own.exists()) == (False, True)
    folders.remove_folder(own)
