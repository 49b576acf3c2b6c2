"""explore: finds what goes wrong in some orders only, names the seed, and says how much it has seen."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rescind import AgentContext, TaskContext, WrongEventLoop, agent, task
from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import Instant, TaskId
from rescind.testing import BrokenRule, Environment, ExploredSeed, check_history, explore
from rescind.testing.disturbances import Disturbance, disturbances_of

Scenario = Callable[[Environment], Awaitable[None]]


@task("say")
async def say(ctx: TaskContext, word: str) -> str:
    await asyncio.sleep(1)
    return word


@task("write")
async def write(ctx: TaskContext, name: str) -> int:
    written.append(name)
    await asyncio.sleep(1)
    return len(written)


@agent("sloppy")
async def sloppy(ctx: AgentContext) -> str:
    """Takes it that the task that was scheduled first ends first."""
    winner, _ = await ctx.select_ok_with_cancel([ctx.schedule(say, "first"), ctx.schedule(say, "second")])
    return winner


@agent("thrifty")
async def thrifty(ctx: AgentContext) -> int:
    """Takes it that a task runs once."""
    return await ctx.schedule(write, "line")


@agent("plain")
async def plain(ctx: AgentContext) -> str:
    return await ctx.schedule(say, "hello")


@agent("wandering")
async def wandering(ctx: AgentContext) -> None:
    calls.append(1)
    if len(calls) % 2:
        await ctx.schedule(say, "only now and then")


written: list[str] = []
calls: list[int] = []


async def sloppy_scenario(env: Environment) -> None:
    handle = await env.start(sloppy, id="sloppy")
    assert await handle.result() == "first"


async def thrifty_scenario(env: Environment) -> None:
    written.clear()
    handle = await env.start(thrifty, id="thrifty")
    assert await handle.result() == 1


async def plain_scenario(env: Environment) -> None:
    handle = await env.start(plain, id="plain")
    assert await handle.result() == "hello"


async def wandering_scenario(env: Environment) -> None:
    handle = await env.start(wandering, id="wandering")
    await handle.result()


def failing_seed(scenario: Scenario, *, faults: bool = False) -> ExploredSeed:
    with pytest.raises(ExploredSeed) as caught:
        explore(scenario, range(100), faults=faults, agents=[sloppy, thrifty, plain], tasks=[say, write])
    return caught.value


def test_an_agent_that_relies_on_an_order_fails_under_a_seed_that_is_named() -> None:
    error = failing_seed(sloppy_scenario)
    assert error.seed is not None
    assert f"seed {error.seed} failed: AssertionError" in str(error)
    assert f"explore(sloppy_scenario, seeds=[{error.seed}], faults=False)" in str(error)
    assert isinstance(error.__cause__, AssertionError)


def test_a_failing_seed_tells_the_last_events() -> None:
    error = failing_seed(sloppy_scenario)
    assert "the last events of 'sloppy'" in str(error)
    assert "EXECUTION_COMPLETED" in str(error)


@pytest.mark.parametrize("faults", [False, True])
def test_a_failing_seed_fails_again_alone(faults: bool) -> None:
    scenario = thrifty_scenario if faults else sloppy_scenario
    error = failing_seed(scenario, faults=faults)
    assert error.seed is not None
    with pytest.raises(ExploredSeed) as again:
        explore(scenario, [error.seed], faults=faults, agents=[sloppy, thrifty], tasks=[say, write])
    assert str(again.value) == str(error)


def test_an_agent_that_relies_on_a_single_run_fails_only_with_faults() -> None:
    report = explore(thrifty_scenario, range(100), agents=[thrifty], tasks=[write])
    assert report.seeds == 100
    assert "worker-2" in str(failing_seed(thrifty_scenario, faults=True))


def test_without_faults_no_worker_is_lost_and_no_message_comes_twice() -> None:
    report = explore(plain_scenario, range(60), agents=[plain], tasks=[say])
    assert (report.losses, report.cuts, report.lost_at) == (0, 0, 0)
    assert report.distinct_histories == 1


def test_the_report_counts_what_was_run() -> None:
    seen: list[int] = []

    async def scenario(env: Environment) -> None:
        seen.append(env.seed)
        await plain_scenario(env)

    report = explore(scenario, range(10, 110), faults=True, agents=[plain], tasks=[say])
    assert report.seeds == len(report.digests) == 100
    # One run without weather, to count the messages, and each twentieth seed twice.
    assert len(seen) == 1 + 100 + report.repeated
    assert report.repeated == 5
    assert 1 < report.interleavings <= 100
    assert 1 < report.distinct_histories <= report.interleavings
    assert 0 < report.losses < 75
    assert 0 < report.cuts < 75
    assert str(report).startswith(f"100 seeds: {report.interleavings} interleavings, ")


def test_a_worker_is_lost_at_every_message_of_the_run() -> None:
    report = explore(plain_scenario, range(200), faults=True, agents=[plain], tasks=[say])
    assert report.lost_at == report.messages > 5


def test_four_seeds_further_a_disturbance_comes_one_message_later() -> None:
    planned = [disturbances_of(seed, 10) for seed in range(1, 41, 4)]
    assert [(each[0].what, each[0].message) for each in planned] == [
        (Disturbance.LOSS, message) for message in range(1, 11)
    ]
    assert [len(disturbances_of(seed, 10)) for seed in range(4)] == [0, 1, 1, 2]


def test_the_same_seeds_give_the_same_report() -> None:
    reports = [explore(plain_scenario, range(40), faults=True, agents=[plain], tasks=[say]) for _ in range(2)]
    assert reports[0] == reports[1]


def test_an_agent_that_wanders_gives_two_histories_for_one_seed() -> None:
    with pytest.raises(ExploredSeed, match="invariant 8: seed 0 of wandering_scenario gave two different histories"):
        explore(wandering_scenario, [0], agents=[wandering], tasks=[say])


def test_the_scenario_may_register_its_agents_itself() -> None:
    async def scenario(env: Environment) -> None:
        env.register(plain, say)
        await plain_scenario(env)

    assert explore(scenario, range(3)).seeds == 3


def test_clocks_follow_the_virtual_time() -> None:
    async def scenario(env: Environment) -> None:
        await plain_scenario(env)
        assert datetime.now(UTC) == env.now()
        assert time.time() == pytest.approx(env.now().timestamp())

    explore(scenario, range(3), faults=True, agents=[plain], tasks=[say])


def test_a_scenario_that_fails_in_calm_weather_says_so() -> None:
    async def scenario(env: Environment) -> None:
        raise ValueError("wrong from the start")

    with pytest.raises(ExploredSeed, match=r"scenario failed where nothing was late.*wrong from the start") as caught:
        explore(scenario, range(3), faults=True)
    assert caught.value.seed is None


def test_every_failure_of_a_task_group_is_told() -> None:
    async def fail(word: str) -> None:
        raise ValueError(word)

    async def scenario(env: Environment) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail("one"))
            group.create_task(fail("other"))

    with pytest.raises(ExploredSeed, match="ValueError: one; ValueError: other"):
        explore(scenario, [3])


def test_what_pytest_raises_stays_what_it_is_and_names_the_seed() -> None:
    async def scenario(env: Environment) -> None:
        pytest.fail("not good")

    with pytest.raises(pytest.fail.Exception, match="not good") as caught:
        explore(scenario, [7])
    assert "seed 7" in caught.value.__notes__[0]


def test_an_engine_that_fails_is_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(env: Environment) -> None:
        def broken(*arguments: object) -> None:
            raise RuntimeError("the engine is broken")

        monkeypatch.setattr(env.host._engine, "decide", broken)
        await plain_scenario(env)

    with pytest.raises(ExploredSeed, match="seed 5 failed: RuntimeError: the engine is broken"):
        explore(scenario, [5], agents=[plain], tasks=[say])


def test_a_message_that_cannot_be_taken_in_fails_its_seed() -> None:
    async def scenario(env: Environment) -> None:
        def lose() -> None:
            raise RuntimeError("lost on the way")

        asyncio.get_running_loop().call_later(1, lose)

    with pytest.raises(ExploredSeed, match="seed 0 failed: RuntimeError: lost on the way"):
        explore(scenario, [0])


def test_a_run_without_end_fails_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    @agent("restless")
    async def restless(ctx: AgentContext) -> None:
        while True:
            await ctx.sleep(1)

    async def scenario(env: Environment) -> None:
        await (await env.start(restless, id="restless")).result()

    monkeypatch.setattr("rescind.testing.weather._MOST_MESSAGES", 500)
    with pytest.raises(ExploredSeed, match="seed 4 failed: EndlessRun: 500 messages were sent"):
        explore(scenario, [4], agents=[restless])


async def test_inside_a_running_event_loop_it_says_what_to_do(rescind_env: Environment) -> None:
    with pytest.raises(WrongEventLoop, match="Call it from a plain function"):
        explore(plain_scenario)


def test_users_find_a_failing_seed_with_several_processes(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "import asyncio\n"
        "from rescind import agent, task\n"
        "from rescind.testing import explore\n"
        "@task('say')\n"
        "async def say(ctx, word: str) -> str:\n"
        "    await asyncio.sleep(1)\n"
        "    return word\n"
        "@agent('mine')\n"
        "async def mine(ctx) -> str:\n"
        "    return (await ctx.select_ok([ctx.schedule(say, 'a'), ctx.schedule(say, 'b')]))[0]\n"
        "async def scenario(env):\n"
        "    assert await (await env.start(mine, id='mine')).result() in 'ab'\n"
        "def test_one():\n"
        "    assert explore(scenario, range(30), faults=True, agents=[mine], tasks=[say]).seeds == 30\n"
        "def test_other():\n"
        "    assert explore(scenario, range(30), faults=True, agents=[mine], tasks=[say]).losses\n"
    )
    command = [sys.executable, "-m", "pytest", "-n", "2", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in ended.stdout, ended.stdout + ended.stderr


def event(sequence: int, kind: EventType, task_id: str | None = None, **details: object) -> HistoryEvent:
    return HistoryEvent(sequence, Instant(sequence), kind, None if task_id is None else TaskId(task_id), 1, details)


@pytest.mark.parametrize(
    ("rule", "kinds"),
    [
        pytest.param("ends a second time", [EventType.TASK_COMPLETED, EventType.TASK_CANCELLED], id="two ends"),
        pytest.param("has ended", [EventType.TASK_CANCELLED, EventType.TASK_STARTED], id="a start behind the end"),
        pytest.param("attempt 2 was to start", [EventType.TASK_STARTED] * 2, id="a start without a new number"),
        pytest.param("goes back", [EventType.STOP_DELIVERED], id="a stop that nobody ordered"),
    ],
)
def test_a_history_that_breaks_a_rule_is_refused(rule: str, kinds: list[EventType]) -> None:
    history = [event(place, kind, "t") for place, kind in enumerate(kinds, start=1)]
    with pytest.raises(BrokenRule, match=rule) as caught:
        check_history(history)
    assert caught.value.event is history[-1]
    assert caught.value.history is history


FAILED, RETRIED, COMPLETED = (
    EventType.EXECUTION_FAILED,
    EventType.EXECUTION_RETRIED,
    EventType.EXECUTION_COMPLETED,
)


def test_a_failed_execution_that_is_let_go_on_by_hand_may_end_anew() -> None:
    kinds = [FAILED, RETRIED, EventType.EXECUTION_ACTIVATED, FAILED, RETRIED, COMPLETED]
    check_history([event(place, kind) for place, kind in enumerate(kinds, start=1)])


@pytest.mark.parametrize(
    ("rule", "kinds"),
    [
        pytest.param("ends a second time", [FAILED, RETRIED, COMPLETED, FAILED], id="two ends behind a retry"),
        pytest.param("its code goes on", [FAILED, EventType.EXECUTION_ACTIVATED], id="code behind the end"),
        pytest.param("has not failed", [COMPLETED, RETRIED], id="a retry of what has completed"),
        pytest.param("has not failed", [RETRIED], id="a retry of what is open"),
    ],
)
def test_an_execution_that_goes_on_behind_its_end_breaks_a_rule(rule: str, kinds: list[EventType]) -> None:
    history = [event(place, kind) for place, kind in enumerate(kinds, start=1)]
    with pytest.raises(BrokenRule, match=rule):
        check_history(history)


@pytest.mark.parametrize(
    ("timer", "named"), [({"position": 1}, "1"), ({"name": "t"}, "t")], ids=["of an agent", "of a workflow"]
)
def test_a_cancelled_timer_that_fires_breaks_a_rule(timer: dict[str, Any], named: str) -> None:
    history = [
        event(1, EventType.TIMER_STARTED, **timer),
        event(2, EventType.WITHDRAWN, **timer),
        event(3, EventType.TIMER_FIRED, **timer),
    ]
    with pytest.raises(BrokenRule, match=f"operation {named} is over since WITHDRAWN"):
        check_history(history)


def test_a_signal_that_is_read_twice_breaks_a_rule() -> None:
    history = [
        event(1, EventType.SIGNAL_RECEIVED, number=1),
        event(2, EventType.SIGNALS_TAKEN, position=1, numbers=[1]),
        event(3, EventType.SIGNALS_TAKEN, position=2, numbers=[1]),
    ]
    with pytest.raises(BrokenRule, match="not in the queue"):
        check_history(history)
