"""An exported log against the code as it is now: `replay_workflow`, and the program `rescind replay`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rescind import DeterminismViolation, InvalidInput, WorkflowContext, workflow
from rescind.cli.main import rescind
from rescind.model.workflow_export import exported, read_exported
from rescind.testing import Environment, replay_workflow, run


@workflow("order")
async def order(ctx: WorkflowContext, item: str) -> Any:
    await ctx.sleep(1)
    return await ctx.promise_raw("approval")


@workflow("order")
async def changed(ctx: WorkflowContext, item: str) -> Any:
    await ctx.sleep(1)
    return await ctx.promise_raw("agreement")


@workflow("order")
async def longer(ctx: WorkflowContext, item: str) -> Any:
    await ctx.sleep(1)
    return await ctx.promise_raw("approval"), await ctx.schedule_raw("ship")


@workflow("other")
async def other(_: WorkflowContext) -> None: ...


@pytest.fixture(scope="module")
def log() -> str:
    async def play() -> str:
        async with Environment(workflows=[order]) as env:
            handle = await env.start(order, "tea", id="it")
            await asyncio.sleep(2)
            await env.client.resolve_promise("it", "approval", {"by": "me"})
            await handle.result()
            return exported(await env.client.workflow_events("it"))

    text: str = run(play())
    return text


def test_code_that_is_the_same_follows_its_log(log: str) -> None:
    replayed = replay_workflow(order, log)
    assert (replayed.kind, replayed.ending, replayed.new_commands) == ("order", "COMPLETE_WORKFLOW", ())
    assert replayed.events == log.count("\n")


def test_an_array_and_an_object_are_read_like_lines(log: str) -> None:
    array = "[" + ",".join(log.splitlines()) + "]"
    assert read_exported(array) == read_exported(log) == read_exported(f'{{"events": {array}}}')


def test_what_new_code_would_ask_for_is_told(log: str) -> None:
    replayed = replay_workflow(longer, log)
    assert replayed.new_commands == ("SCHEDULE_TASK ship",)
    assert replayed.ending is None
    assert replayed.waiting_for.startswith("Waiting for task")


def test_a_divergence_tells_both_sides(log: str) -> None:
    with pytest.raises(DeterminismViolation) as raised:
        replay_workflow(changed, log)
    assert (raised.value.expected, raised.value.actual) == ("approval", "agreement")


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"a": 1}', '{"sequenceNumber": 1, "eventType": "WHAT"}'])
def test_what_is_no_log_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        replay_workflow(order, text)


def test_a_gap_and_another_kind_are_refused(log: str) -> None:
    lines = log.splitlines(True)
    with pytest.raises(InvalidInput, match="place of event 2"):
        replay_workflow(order, "".join([lines[0], *lines[2:]]))
    with pytest.raises(InvalidInput, match="'order'"):
        replay_workflow(other, log)


def replayed_by_program(log: str, tmp_path: Path, place: str, *options: str) -> Any:
    file = tmp_path / "log.jsonl"
    file.write_text(log)
    return CliRunner().invoke(rescind, ["replay", str(file), place, *options])


HERE = __name__


def test_the_program_says_that_the_code_follows(log: str, tmp_path: Path) -> None:
    assert HERE in sys.modules
    told = replayed_by_program(log, tmp_path, f"{HERE}:order")
    assert told.exit_code == 0, told.output
    assert "order follows its log" in told.stdout


def test_the_program_ends_with_4_and_both_sides_where_it_does_not(log: str, tmp_path: Path) -> None:
    told = replayed_by_program(log, tmp_path, f"{HERE}:changed", "--json")
    assert told.exit_code == 4
    shown = json.loads(told.stdout)
    assert (shown["follows"], shown["expected"], shown["actual"]) == (False, "approval", "agreement")
    assert shown["place"].startswith(__file__)
    assert "expected 'approval', got 'agreement'" in told.stderr


@pytest.mark.parametrize("place", ["nowhere:order", f"{HERE}:nothing", f"{HERE}:HERE"])
def test_the_program_ends_with_2_where_there_is_no_such_workflow(log: str, tmp_path: Path, place: str) -> None:
    assert replayed_by_program(log, tmp_path, place).exit_code == 2


def test_the_program_ends_with_2_where_there_is_no_such_log(tmp_path: Path) -> None:
    assert CliRunner().invoke(rescind, ["replay", str(tmp_path / "none"), f"{HERE}:order"]).exit_code == 2
