"""`rescind show` of a workflow tells its event log, and what it waits for."""

from __future__ import annotations

import asyncio

from rich.console import Console

from rescind import WorkflowContext, workflow
from rescind.cli.execution_view import show_execution
from rescind.cli.workflow_parts import event_lines, events_document
from rescind.testing import Environment, run


@workflow("order")
async def order(ctx: WorkflowContext) -> None:
    for _ in range(20):
        await ctx.sleep(1)
    await ctx.promise_raw("approval")


async def shown(seconds: float) -> tuple[str, list[str]]:
    """The text for people after so many seconds, and the types of the events in that for programs."""
    async with Environment(workflows=[order]) as env:
        handle = await env.start(order, id="it")
        await asyncio.sleep(seconds)
        await env.settled()
        log = await env.client.workflow_events("it")
        console = Console(record=True, width=200)
        show_execution(console, await handle.details(), await handle.history(), log=log)
        return console.export_text(), [event["type"] for event in events_document(log)]


def test_a_workflow_shows_its_log_and_what_it_waits_for() -> None:
    text, types = run(shown(0))
    assert types == ["WORKFLOW_STARTED", "TIMER_STARTED", "WORKFLOW_SUSPENDED"]
    assert 'timerId="sleep-1" durationMs=1000' in text
    assert text.rstrip().endswith("Waiting for timer sleep-1")
    assert "JOURNAL" not in text


def test_a_long_log_shows_its_last_events_and_how_to_read_the_rest() -> None:
    text, types = run(shown(21))
    assert types[-2:] == ["PROMISE_CREATED", "WORKFLOW_SUSPENDED"]
    assert f"… and {len(types) - 30} before these: rescind history it --events" in text
    assert "Waiting for promise 'approval'" in text


def test_an_agent_has_no_events() -> None:
    assert event_lines((), None) == []  # type: ignore[arg-type]
