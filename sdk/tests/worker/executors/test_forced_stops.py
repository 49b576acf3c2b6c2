"""Force, on real processes: what would have hours to clean up is killed in the moment in which somebody says so."""

from __future__ import annotations

import hashlib

import pytest

from rescind import CancelMode, TaskContext, task
from rescind.executors import shell
from sdk.tests.worker.executors.observed import alive_with, in_real_time, observed

HOURS = 10_000
FIRST = [None, CancelMode.TRY]


@task("in-c-code", executor="process", grace=HOURS)
def in_c_code(ctx: TaskContext) -> None:
    """Stays where no signal handler of Python's runs."""
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2**31 - 1)


@pytest.mark.parametrize("first", FIRST)
def test_a_program_that_ignores_sigterm_is_killed_at_once_with_all_that_descends_from_it(
    first: CancelMode | None, sign: str
) -> None:
    @in_real_time
    async def main() -> None:
        command = f"trap '' TERM; (setsid sh -c \"trap '' TERM; sleep {sign}; true\" &); echo ready; sleep {sign}; true"
        async with observed(shell("deaf", command, grace=HOURS)) as seen:
            await seen.said("ready\n")
            if first is not None:
                await seen.cancel(first)
                assert alive_with(sign)
            await seen.cancel(CancelMode.FORCE)
            record = await seen.over()
            assert (record.status, record.stop_state) == ("CANCELLED", "KILLED")
            assert alive_with(sign) == []

    main()


@pytest.mark.parametrize("first", FIRST)
def test_a_function_in_the_middle_of_c_code_is_killed_at_once(first: CancelMode | None) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(in_c_code) as seen:
            await seen.said("ready\n")
            if first is not None:
                await seen.cancel(first)
            await seen.cancel(CancelMode.FORCE)
            record = await seen.over()
            assert (record.status, record.stop_state) == ("CANCELLED", "KILLED")

    main()


@pytest.mark.parametrize("turns", [0, 1, 4, 16, 49])
def test_force_while_the_process_is_being_spawned(turns: int, sign: str) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(shell("young", f"trap '' TERM; sleep {sign}; true", grace=HOURS)) as seen:
            await seen.running(turns)
            await seen.cancel(CancelMode.FORCE)
            record = await seen.over()
            assert record.status == "CANCELLED"
            assert record.stop_state in ("STOPPED", "KILLED")
            assert alive_with(sign) == []

    main()
