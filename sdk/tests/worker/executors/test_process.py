"""Plain functions in processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import rescind
from rescind import AgentContext, CancelMode, InvalidInput, TaskContext, TaskDefinition, agent, task
from sdk.tests.worker.executors import functions
from sdk.tests.worker.executors.observed import NOTHING, Observed, alive_with, in_real_time, observed


@asynccontextmanager
async def ready(definition: TaskDefinition[Any, Any], task_input: Any = NOTHING) -> AsyncIterator[Observed]:
    """A function that has said that it is ready."""
    async with observed(definition, task_input) as seen:
        await seen.said("ready\n")
        yield seen


async def value_of(seen: Observed) -> Any:
    record = await seen.over()
    assert record.status == "COMPLETED", record.error
    return json.loads(record.view.output.data) if record.view.output is not None else None


@in_real_time
async def test_a_function_runs_with_its_input_and_gives_its_result() -> None:
    async with observed(functions.adding, [1, 2, 3]) as seen:
        assert await value_of(seen) == 6


@in_real_time
async def test_it_knows_its_task_and_is_another_process() -> None:
    async with observed(functions.where) as seen:
        pid, *known = await value_of(seen)
        record = await seen.record()
    assert pid != os.getpid()
    assert known == [str(record.task_id), seen.handle.id, "where", 1, {}]


@in_real_time
async def test_what_it_reports_and_prints_is_streamed() -> None:
    async with observed(functions.reporting) as seen:
        await value_of(seen)
    kinds = [event.kind for event in seen.events]
    assert [kind for kind in kinds if kind != "output"] == ["progress", "log", "token"]
    assert (seen.output("stdout"), seen.output("stderr")) == ("printed\n", "complained\n")


@pytest.mark.parametrize(
    ("how", "kind", "error_type", "error"),
    [
        ("error", "ERROR", "LookupError", "no such thing"),
        ("never again", "ERROR", "NonRetryable", "it cannot help"),
        ("exit", "ERROR", "SystemExit", "3"),
        ("hard exit", "ERROR", "ProcessEnded", "its process exited with code 3 before the function ended"),
        ("crash", "ERROR", "ProcessEnded", "its process was ended by SIGSEGV before the function ended"),
        ("wrong type", "REJECTED", "InvalidInput", "output of task 'failing'"),
    ],
)
def test_its_failure_is_recorded_as_if_it_ran_in_the_worker(how: str, kind: str, error_type: str, error: str) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(functions.failing, how) as seen:
            record = await seen.over()
        failure = record.view.failure
        assert failure is not None
        assert (record.status, failure.kind, failure.error_type) == ("FAILED", kind, error_type)
        assert failure.message.startswith(error)

    main()


def test_its_folder_is_the_attempt_s() -> None:
    folders: list[str] = []

    @in_real_time
    async def main() -> None:
        async with observed(functions.folder) as seen:
            folders.append(await value_of(seen))

    main()
    assert not Path(folders[0]).exists()


@in_real_time
async def test_a_process_that_is_warm_runs_the_next_function_too() -> None:
    @agent("series")
    async def series(ctx: AgentContext) -> list[int]:
        return [(await ctx.schedule(functions.where))[0] for _ in range(3)]

    async with rescind.embedded([series], [functions.where]) as env:
        assert len(set(await (await env.start(series)).result())) == 1


@in_real_time
async def test_what_a_function_leaves_running_is_killed_and_its_process_stays(sign: str) -> None:
    @agent("series")
    async def series(ctx: AgentContext) -> list[int]:
        return [await ctx.schedule(functions.leaving, sign), (await ctx.schedule(functions.where))[0]]

    async with rescind.embedded([series], [functions.leaving, functions.where]) as env:
        first, second = await (await env.start(series)).result()
        assert first == second
        assert alive_with(sign) == []


def test_a_function_of_the_program_itself_is_found(tmp_path: Path) -> None:
    program = """
        import asyncio, os
        import rescind
        from rescind import agent, task

        @task("own", executor="process")
        def own(ctx) -> bool:
            return os.getpid() != int(os.environ["PARENT"])

        @agent("calling")
        async def calling(ctx) -> bool:
            return await ctx.schedule(own)

        async def main() -> None:
            async with rescind.embedded([calling], [own]) as env:
                print(await (await env.start(calling)).result())

        if __name__ == "__main__":
            os.environ["PARENT"] = str(os.getpid())
            asyncio.run(main())
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(program))
    ended = subprocess.run(
        [sys.executable, "-W", "error", "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True\n", "")


def test_a_function_that_no_other_process_can_find_is_refused() -> None:
    with pytest.raises(InvalidInput, match="defined inside another one"):

        @task("inner", executor="process")
        def inner(ctx: TaskContext) -> None: ...


def test_async_functions_run_in_the_worker() -> None:
    with pytest.raises(InvalidInput, match="executor 'process' does not run an `async def` function"):

        @task("waiting", executor="process")
        async def waiting(ctx: TaskContext) -> None: ...


# --- stopping --------------------------------------------------------------------------------------------------------


@in_real_time
async def test_a_cancel_interrupts_the_function_and_its_finally_and_hooks_run(tmp_path: Path) -> None:
    async with ready(functions.interrupted, str(tmp_path / "seen")) as seen:
        await seen.cancel()
        assert (await seen.over()).stop_state == "STOPPED"
    assert (tmp_path / "seen").read_text() == "True enough\nhook"


@in_real_time
async def test_a_function_may_ask() -> None:
    async with ready(functions.asking) as seen:
        await seen.cancel()
        assert (await seen.over()).stop_state == "STOPPED"


@in_real_time
async def test_a_function_that_swallows_its_cancel_is_killed() -> None:
    async with ready(functions.swallowing) as seen:
        await seen.cancel()
        assert (await seen.over()).stop_state == "KILLED"


@in_real_time
async def test_a_function_in_the_middle_of_c_code_is_killed() -> None:
    async with ready(functions.computing) as seen:
        await seen.cancel()
        record = await seen.over()
    assert (record.status, record.stop_state) == ("CANCELLED", "KILLED")


@in_real_time
async def test_its_children_are_stopped_with_it(sign: str) -> None:
    async with ready(functions.with_children, sign) as seen:
        await seen.cancel()
        assert (await seen.over()).stop_state == "STOPPED"
        assert alive_with(sign) == []


@in_real_time
async def test_a_cancel_in_the_middle_of_a_report_does_not_garble_it() -> None:
    for _ in range(5):
        async with ready(functions.chatting) as seen:
            await seen.cancel()
            assert (await seen.over()).stop_state == "STOPPED"


@in_real_time
async def test_asked_to_decide_a_function_that_lets_its_cancel_pass_is_cancelled(tmp_path: Path) -> None:
    async with ready(functions.interrupted, str(tmp_path / "seen")) as seen:
        await seen.cancel(CancelMode.WAIT)
        assert (await seen.over()).status == "CANCELLED"


@pytest.mark.parametrize("turns", range(8))
def test_a_cancel_while_the_process_is_being_spawned(turns: int) -> None:
    @in_real_time
    async def main() -> None:
        async with observed(functions.swallowing) as seen:
            await seen.running(turns * turns)
            await seen.cancel()
            assert (await seen.over()).stop_state in ("STOPPED", "KILLED")

    main()


@pytest.mark.parametrize("pause", [0, 0.001, 0.002, 0.004])
@pytest.mark.parametrize("mode", [CancelMode.TRY, CancelMode.WAIT])
def test_a_cancel_at_the_moment_of_the_end_gives_one_of_the_two_and_never_both(
    mode: CancelMode, pause: float, tmp_path: Path
) -> None:
    @in_real_time
    async def main() -> None:
        async with ready(functions.finishing, str(tmp_path / "go")) as seen:
            (tmp_path / "go").touch()
            await asyncio.sleep(pause)
            await seen.cancel(mode)
            record = await seen.over()
            types = [event.type.value for event in await seen.handle.history() if event.task_id == record.view.task_id]
        assert types.count("TASK_COMPLETED") + types.count("TASK_CANCELLED") == 1
        assert (record.view.output is not None) == (record.status == "COMPLETED")

    main()
