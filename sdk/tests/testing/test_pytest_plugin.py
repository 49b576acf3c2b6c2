"""The plugin, as its users' tests meet it: each runs a small test file of its own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

_HEAD = """
import asyncio, time
import pytest
from rescind import AgentContext, TaskContext, agent, task

@task("nap")
async def nap(ctx: TaskContext, seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds

@agent("napper")
async def napper(ctx: AgentContext, seconds: float) -> float:
    return await ctx.schedule(nap, seconds)
"""


def _outcomes(pytester: pytest.Pytester, body: str, *options: str) -> dict[str, int]:
    pytester.makepyfile(_HEAD + body)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--strict-markers", *options)
    return dict(result.parseoutcomes())


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_marked_tests_run_in_virtual_time_beside_pytest_asyncio(pytester: pytest.Pytester, mode: str) -> None:
    body = """
@pytest.mark.rescind(agents=[napper], tasks=[nap])
async def test_a_day(rescind_env):
    begun = time.perf_counter()
    assert await (await rescind_env.start(napper, 86_400.0)).result() == 86_400.0
    assert time.perf_counter() - begun < 30

@pytest.mark.asyncio
async def test_of_theirs():
    assert "Virtual" not in type(asyncio.get_running_loop()).__name__
"""
    assert _outcomes(pytester, body, "-o", f"asyncio_mode={mode}") == {"passed": 2}


def test_the_mock_runs_without_an_engine(pytester: pytest.Pytester) -> None:
    body = """
async def test_with_a_mock(mock_agent_context):
    ctx = mock_agent_context(task_results={"nap": 3.0})
    assert await napper.run(ctx, 3.0) == 3.0
"""
    assert _outcomes(pytester, body) == {"passed": 1}


def test_a_test_that_needs_no_virtual_time_is_left_alone(pytester: pytest.Pytester) -> None:
    body = """
def test_plain():
    assert time.time() > 1_700_000_000
"""
    assert _outcomes(pytester, body) == {"passed": 1}


def test_a_mark_with_an_unknown_option_says_what_it_knows(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(_HEAD + "@pytest.mark.rescind(agent=[napper])\nasync def test_it(rescind_env): ...\n")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*has what it does not know: agent*It knows: agents*"])
    assert result.ret != 0


def test_a_test_that_waits_for_ever_fails_and_names_the_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(_HEAD + "@pytest.mark.rescind\nasync def test_it():\n    await asyncio.Event().wait()\n")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*Deadlock*", "*test_a_test_that_waits_for_ever_fails_and_names_the_line.py:*"])


def test_environments_under_xdist_do_not_disturb_each_other(pytester: pytest.Pytester) -> None:
    body = """
@pytest.mark.rescind(agents=[napper], tasks=[nap])
@pytest.mark.parametrize("seconds", [float(n) for n in range(1, 21)])
async def test_it(rescind_env, seconds):
    assert await (await rescind_env.start(napper, seconds)).result() == seconds
    assert rescind_env.elapsed().total_seconds() == seconds
"""
    assert _outcomes(pytester, body, "-n", "2") == {"passed": 20}


def test_an_async_test_that_nobody_runs_is_told_of_our_mark(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        _HEAD
        + """
from rescind.testing import Environment

async def test_unmarked():
    async with Environment(agents=[napper], tasks=[nap]):
        pass
"""
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:anyio")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*natively supported*", "*mark it `@pytest.mark.rescind`*"])
