"""A program that is cancelled stops with all that descends from it, and its stop record says how."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rescind import CancelMode, CancelTaskResult, TaskDefinition
from rescind.client.records import TaskRecord
from rescind.executors import CommandResult, shell
from rescind.worker.executors import process_table, supervision
from sdk.tests.worker.executors.observed import Observed, alive_with, in_real_time, observed, until

DEAF = "trap '' TERM; echo ready; while :; do sleep {sign}; done"


@asynccontextmanager
async def ready(definition: TaskDefinition[None, CommandResult]) -> AsyncIterator[Observed]:
    """A program that has said that it is ready."""
    async with observed(definition) as seen:
        await seen.said("ready\n")
        yield seen


def how_it_ended(record: TaskRecord) -> tuple[str, str | None]:
    return record.status.value, record.stop_state and record.stop_state.value


def sleeping(sign: str) -> list[str]:
    """Those that do nothing but sleep, without the shells that were told to begin them."""
    return [line for line in alive_with(sign) if line.startswith("sleep ")]


@in_real_time
async def test_a_program_that_obeys_is_stopped(sign: str) -> None:
    async with ready(shell("obeying", f"echo ready; sleep {sign}")) as seen:
        assert await seen.cancel() is CancelTaskResult.CANCELLED
        record = await seen.over()
    assert how_it_ended(record) == ("CANCELLED", "STOPPED")
    (stop,) = record.stops
    assert stop.delivered_at is not None


@in_real_time
async def test_a_program_may_clean_up_within_its_grace(sign: str, tmp_path: Path) -> None:
    command = f"trap 'sleep 0.1; touch {tmp_path}/clean; exit 0' TERM; echo ready; sleep {sign} & wait"
    async with ready(shell("tidy", command)) as seen:
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "STOPPED")
    assert (tmp_path / "clean").exists()


@in_real_time
async def test_a_program_that_ignores_sigterm_is_killed_when_its_grace_is_over(sign: str) -> None:
    async with ready(shell("deaf", DEAF.format(sign=sign), grace=0.2)) as seen:
        await seen.cancel()
        record = await seen.over()
        assert alive_with(sign) == []
    assert how_it_ended(record) == ("CANCELLED", "KILLED")
    (stop,) = record.stops
    assert stop.delivered_at is not None


@in_real_time
async def test_without_a_grace_it_is_killed_at_once(sign: str) -> None:
    async with ready(shell("deaf", DEAF.format(sign=sign), grace=0)) as seen:
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "KILLED")


@in_real_time
async def test_descendants_in_sessions_of_their_own_are_stopped_too(sign: str) -> None:
    # Forked twice, so the one in between is gone, and nothing but the table tells whose they are.
    command = f"(setsid sh -c 'setsid sleep {sign} & sleep {sign} & exit' &) ; echo ready; sleep {sign}"
    async with ready(shell("scattering", command)) as seen:
        await until(lambda: len(sleeping(sign)) == 3)
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "STOPPED")
        assert alive_with(sign) == []


@in_real_time
async def test_a_descendant_without_its_mark_is_found_by_its_descent(sign: str) -> None:
    deaf = DEAF.format(sign=sign).replace("''", '""')
    async with ready(shell("disguised", f"(env -i setsid sh -c '{deaf}' &); sleep {sign}", grace=0.2)) as seen:
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "KILLED")
        assert alive_with(sign) == []


@in_real_time
async def test_a_deaf_descendant_that_outlives_the_program_is_killed(sign: str) -> None:
    command = f"setsid sh -c 'trap \"\" TERM; echo ready; while :; do sleep {sign}; done' & sleep {sign}"
    async with ready(shell("survived", command, grace=0.2)) as seen:
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "KILLED")
        assert alive_with(sign) == []


@in_real_time
async def test_two_hundred_deaf_children_are_killed(sign: str) -> None:
    command = f"trap '' TERM; for i in $(seq 200); do setsid sleep {sign} & done; echo ready; wait; sleep {sign}"
    async with ready(shell("many", command, grace=0.1)) as seen:
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "KILLED")
        assert alive_with(sign) == []


@in_real_time
async def test_a_program_that_goes_on_forking_is_killed(sign: str) -> None:
    # Each generation begins the next in a session of its own, and ends.
    program = f"""
import os, sys, time
sys.argv.append("{sign}")
for _ in range(8):
    if os.fork() == 0:
        break
print("ready", flush=True)
while True:
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(0.001)
"""
    async with ready(shell("hydra", ["python3", "-I", "-S", "-c", program], grace=0.1)) as seen:
        # Its first process ends at once, and with it the attempt: what it leaves is killed though it runs on.
        await seen.over()
        assert alive_with(sign) == []


@in_real_time
async def test_concurrent_attempts_are_told_apart(sign: str) -> None:
    command = f"(setsid sleep {sign} &); echo ready; sleep {sign}"
    async with ready(shell("first", command)) as first, ready(shell("second", command)) as second:
        await until(lambda: len(sleeping(sign)) == 4)
        await first.cancel()
        await first.over()
        assert len(sleeping(sign)) == 2
        await second.cancel()
        await second.over()


@in_real_time
async def test_a_program_that_floods_its_output_is_stopped(sign: str) -> None:
    async with observed(shell("flooding", f"yes {sign}")) as seen:
        await seen.said(sign)
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "STOPPED")


@in_real_time
async def test_asked_to_decide_a_program_that_obeys_is_cancelled(sign: str) -> None:
    async with ready(shell("obeying", f"echo ready; sleep {sign}")) as seen:
        await seen.cancel(CancelMode.WAIT)
        record = await seen.over()
    assert (record.status, record.attempts) == ("CANCELLED", 1)


@in_real_time
async def test_a_time_out_stops_it_as_a_cancel_does(sign: str) -> None:
    async with observed(shell("late", f"sleep {sign}", timeout=0.3)) as seen:
        record = await seen.over()
    assert how_it_ended(record) == ("FAILED", "STOPPED")
    assert "timed out" in (record.error or "")


@in_real_time
async def test_what_runs_is_gone_when_its_environment_is_left(sign: str) -> None:
    async with ready(shell("deaf", f"setsid sleep {sign} & {DEAF.format(sign=sign)}")):
        pass
    assert alive_with(sign) == []


# --- races -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", range(8))
def test_a_cancel_while_the_process_is_being_spawned(turns: int, sign: str) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(shell("young", f"echo ran; sleep {sign}")) as seen:
            await seen.running(turns * turns)
            await seen.cancel()
            assert how_it_ended(await seen.over()) == ("CANCELLED", "STOPPED")
            assert alive_with(sign) == []

    main()


@pytest.mark.parametrize("pause", [0, 0.001, 0.002, 0.004, 0.008])
@pytest.mark.parametrize("mode", [CancelMode.TRY, CancelMode.WAIT])
def test_a_cancel_at_the_moment_of_exit_gives_one_of_the_two_and_never_both(
    mode: CancelMode, pause: float, tmp_path: Path
) -> None:
    @in_real_time
    async def main() -> None:
        command = f"echo ready; while [ ! -e {tmp_path}/go ]; do :; done; exit 0"
        async with ready(shell("photo-finish", command)) as seen:
            (tmp_path / "go").touch()
            await asyncio.sleep(pause)
            answer = await seen.cancel(mode)
            record = await seen.over()
            types = [event.type.value for event in await seen.handle.history() if event.task_id == record.view.task_id]
        assert types.count("TASK_COMPLETED") + types.count("TASK_CANCELLED") == 1
        assert (record.view.output is not None) == (record.status == "COMPLETED")
        if mode is CancelMode.TRY:
            assert (answer, record.status) in (("CANCELLED", "CANCELLED"), ("ALREADY_COMPLETED", "COMPLETED"))

    main()


@in_real_time
async def test_what_a_killed_supervisor_watched_over_is_found_by_its_mark(sign: str) -> None:
    async with ready(shell("unwatched", f"(setsid sleep {sign} &); echo ready; sleep {sign}", max_retries=0)) as seen:
        own = process_table.identity()
        running = process_table.marked(lambda mark: mark.startswith(own))
        fork_server = [row for row in process_table.descendants(os.getpid()) if row.parent == os.getpid()]
        supervisors = (
            {row.parent for row in running} - {row.pid for row in running} - {each.pid for each in fork_server}
        )
        for pid in supervisors:
            os.kill(pid, signal.SIGKILL)
        record = await seen.over()
        assert alive_with(sign) == []
    assert record.status == "FAILED"


@in_real_time
async def test_a_fork_server_that_was_killed_is_begun_anew(sign: str) -> None:
    async with ready(shell("first", f"echo ready; sleep {sign}; true", max_retries=0)) as seen:
        (worker, _) = seen.env._workers[0]
        program = worker._executors._server._program
        assert program is not None
        program.kill()
        program.wait()
        await seen.cancel()
        assert how_it_ended(await seen.over()) == ("CANCELLED", "STOPPED")
        again = worker._executors._server.begin(
            ["true"], attempt="again", files=[os.open(os.devnull, os.O_RDWR) for _ in range(3)], environment={}
        )
        assert await again.gone() == supervision.Gone(0, told=False, forced=False)
        again.close()
