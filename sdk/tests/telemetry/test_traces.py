"""One trace: the client's request, the agent, its tasks, and what is made inside them; cancels are linked to it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

import rescind
from rescind import AgentContext, ExecutionWasCancelled, TaskContext, TaskFailed, agent, task
from rescind.executors import CommandResult, shell
from rescind.telemetry.traces import current_trace_parent
from rescind.testing import Environment
from sdk.tests.telemetry.made_spans import Made, linked, parent_id, span_id, trace_id

OWN = "made by the code"


def make_a_span() -> None:
    with trace.get_tracer("of the program").start_as_current_span(OWN):
        pass


@task("quick")
async def quick(ctx: TaskContext) -> str | None:
    make_a_span()
    return current_trace_parent()


@task("plain")
def plain(ctx: TaskContext) -> str | None:
    make_a_span()
    return current_trace_parent()


@task("endless")
async def endless(ctx: TaskContext) -> None:
    await asyncio.Event().wait()


@task("unlucky", max_retries=1)
async def unlucky(ctx: TaskContext) -> None:
    raise ValueError("no luck")


@agent("one-of-each")
async def one_of_each(ctx: AgentContext) -> str | None:
    await ctx.schedule(plain)
    await ctx.run(make_a_span, name="look it up")
    return await ctx.schedule(quick)


@agent("waiting")
async def waiting(ctx: AgentContext) -> None:
    await ctx.schedule(endless)


@agent("racing")
async def racing(ctx: AgentContext) -> None:
    await ctx.select_ok_with_cancel([ctx.schedule(quick), ctx.schedule(endless)])


@agent("failing")
async def failing(ctx: AgentContext) -> None:
    await ctx.schedule(unlucky)


@agent("napping")
async def napping(ctx: AgentContext) -> None:
    await ctx.schedule(quick)
    await ctx.sleep(60)
    await ctx.schedule(plain)


everything = pytest.mark.rescind(
    agents=[one_of_each, waiting, racing, failing, napping], tasks=[quick, plain, endless, unlucky]
)


@everything
async def test_the_clients_trace_holds_the_agent_its_tasks_its_steps_and_what_they_make(
    rescind_env: Environment, made: Made
) -> None:
    with made.tracer.start_as_current_span("the request"):
        handle = await rescind_env.start(one_of_each)
    await handle.result()

    start, agents = made.one("start one-of-each"), made.one("agent one-of-each")
    assert parent_id(start) == span_id(made.one("the request"))
    assert parent_id(agents) == span_id(start)
    inner = [made.one("task plain"), made.one("step"), made.one("task quick")]
    assert [parent_id(each) for each in inner] == [span_id(agents)] * 3
    assert [parent_id(each) for each in made.named(OWN)] == [span_id(each) for each in inner]
    assert len({trace_id(each) for each in made.exporter.get_finished_spans()}) == 1
    assert made.attribute("start one-of-each", "rescind.execution.id") == handle.id
    assert made.attribute("agent one-of-each", "rescind.status") == "COMPLETED"
    assert made.attribute("task quick", "rescind.attempt") == 1


@everything
async def test_code_in_a_task_carries_on_the_tasks_span(rescind_env: Environment, made: Made) -> None:
    handle = await rescind_env.start(one_of_each)
    carried = await handle.result()
    assert carried is not None
    assert carried.split("-")[2] == f"{span_id(made.one('task quick')):016x}"


@everything
async def test_a_start_that_nobody_traces_is_a_trace_of_its_own(rescind_env: Environment, made: Made) -> None:
    with trace.use_span(trace.INVALID_SPAN):
        handle = await rescind_env.start(one_of_each)
        await handle.result()
    assert trace_id(made.one("agent one-of-each")) == trace_id(made.one("task quick"))


@everything
async def test_a_cancel_is_linked_to_the_agent_and_to_the_stop_of_each_task(
    rescind_env: Environment, made: Made
) -> None:
    handle = await rescind_env.start(waiting)
    await asyncio.sleep(1)
    with made.tracer.start_as_current_span("somebody else's request"):
        await handle.cancel("not needed")
    with pytest.raises(ExecutionWasCancelled):
        await handle.result()

    cancel, stop, attempt = made.one("cancel execution"), made.one("stop"), made.one("task endless")
    assert parent_id(cancel) == span_id(made.one("somebody else's request"))
    assert linked(stop) == linked(made.one("agent waiting")) == [span_id(cancel)]
    assert parent_id(stop) == span_id(attempt)
    assert made.attribute("stop", "rescind.status") == "STOPPED"
    assert made.attribute("stop", "rescind.cancel.source") == "parent"
    assert made.attribute("stop", "rescind.cancel.reason") == "not needed"
    assert made.attribute("agent waiting", "rescind.status") == "CANCELLED"


@everything
async def test_the_loser_of_a_race_has_a_stop_that_says_so(rescind_env: Environment, made: Made) -> None:
    handle = await rescind_env.start(racing)
    await handle.result()
    await asyncio.sleep(1)
    assert made.attribute("stop", "rescind.cancel.source") == "race_lost"
    assert parent_id(made.one("stop")) == span_id(made.one("task endless"))


@everything
async def test_each_attempt_has_a_span_and_a_failure_is_an_error_in_it(rescind_env: Environment, made: Made) -> None:
    handle = await rescind_env.start(failing)
    with pytest.raises(TaskFailed):
        await handle.result()
    attempts = made.named("task unlucky")
    assert [(each.attributes or {})["rescind.attempt"] for each in attempts] == [1, 2]
    assert {each.status.status_code for each in (*attempts, made.one("agent failing"))} == {StatusCode.ERROR}
    (event,) = attempts[0].events
    assert event.attributes == {"exception.type": "ValueError", "exception.message": "no luck"}


@everything
async def test_a_recovery_tells_nothing_twice(rescind_env: Environment, made: Made) -> None:
    handle = await rescind_env.start(napping)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    await handle.result()
    names = [span.name for span in made.exporter.get_finished_spans() if span.name != OWN]
    assert names == ["start napping", "task quick", "task plain", "agent napping"]
    agents = made.one("agent napping")
    assert {parent_id(made.one(name)) for name in ("task quick", "task plain")} == {span_id(agents)}
    assert agents.start_time is not None
    assert agents.end_time is not None
    assert agents.end_time - agents.start_time >= 60 * 10**9


@everything
async def test_an_attempt_whose_worker_is_lost_says_so_and_the_next_one_is_another_span(
    rescind_env: Environment, made: Made
) -> None:
    handle = await rescind_env.start(waiting)
    await asyncio.sleep(1)
    await rescind_env.kill_worker()
    rescind_env.start_worker()
    await asyncio.sleep(60)
    await handle.cancel()
    with pytest.raises(ExecutionWasCancelled):
        await handle.result()
    first, second = ((each.attributes or {}) for each in made.named("task endless"))
    assert (first["rescind.attempt"], first["rescind.status"]) == (1, "LOST")
    assert (second["rescind.attempt"], second["rescind.status"]) == (2, "STOPPED")


@everything
async def test_where_nobody_set_up_a_provider_nothing_is_carried(rescind_env: Environment) -> None:
    handle = await rescind_env.start(one_of_each)
    assert await handle.result() is None


@task("in-a-process", executor="process")
def in_a_process(ctx: TaskContext) -> list[str | None]:
    import os  # noqa: PLC0415 - run in another process

    return [os.environ.get("TRACEPARENT"), current_trace_parent()]


in_a_shell = shell("in-a-shell", "echo $TRACEPARENT")


@agent("outside")
async def outside(ctx: AgentContext) -> list[str | None]:
    said: CommandResult = await ctx.schedule(in_a_shell)
    return [*await ctx.schedule(in_a_process), said.stdout.strip()]


def test_processes_and_programs_find_the_span_of_their_task_in_their_environment(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", f"00-{'1' * 32}-{'2' * 16}-01")

    async def story() -> list[str | None]:
        async with rescind.embedded(agents=[outside], tasks=[in_a_process, in_a_shell]) as environment:
            return await (await environment.start(outside)).result()

    of_process, of_code, of_program = asyncio.run(story())
    assert of_process == of_code
    assert of_process is not None
    assert of_process.split("-")[2] == f"{span_id(made.one('task in-a-process')):016x}"
    assert of_program is not None
    assert of_program.split("-")[2] == f"{span_id(made.one('task in-a-shell')):016x}"


def test_a_program_that_was_started_in_a_trace_carries_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given = f"00-{'1' * 32}-{'2' * 16}-01"
    monkeypatch.setenv("TRACEPARENT", given)
    assert current_trace_parent() == given


@pytest.mark.parametrize(
    "said", ["", "x", f"00-{'0' * 32}-{'2' * 16}-01", f"ff-{'1' * 32}-{'2' * 16}-01", f"00-{'1' * 32}-{'2' * 16}-01\n"]
)
def test_a_trace_that_cannot_be_meant_is_passed_over(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEPARENT", said)
    assert current_trace_parent() is None
