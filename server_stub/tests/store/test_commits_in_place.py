"""Where a commit to a file is made: of few rows on the event loop, of many or to a slow disk in the thread."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from rescind import AgentContext, TaskContext, agent, task
from rescind.model.commands import StartExecution
from rescind.model.ids import ExecutionId, Instant
from rescind.model.payload import NULL_PAYLOAD
from rescind.testing import Environment
from rescind.worker.attempt import Attempt
from rescind_server.engine.entities import Attempt as EngineAttempt
from rescind_server.engine.entities import Execution, Task
from rescind_server.engine.machine import Engine
from rescind_server.engine.state import Decision
from rescind_server.store.pace import CommitPace
from rescind_server.store.sqlite import SqliteStore

NOW = Instant(1_000_000)
QUICK, SLOW = 0.0003, 0.030


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "store.db", in_place=True)
    yield opened
    opened.close()


@task("nothing")
async def nothing(ctx: TaskContext) -> None:
    """The smallest task."""


@agent("three")
async def three(ctx: AgentContext) -> int:
    return len(await ctx.join_all([ctx.schedule(nothing) for _ in range(3)]))


def started(*names: str) -> list[Decision]:
    engine = Engine()
    return [engine.decide(StartExecution("agent", NULL_PAYLOAD, ExecutionId(name)), NOW) for name in names]


def test_few_rows_are_in_the_file_before_anything_else_can_happen(store: SqliteStore) -> None:
    with pytest.raises(StopIteration):
        store.commit(started("x")).send(None)
    assert store.committed(ExecutionId("x")) is not None


def test_many_rows_are_left_to_the_thread() -> None:
    assert not CommitPace().is_in_place(started(*(f"x-{number}" for number in range(100))))


def test_a_disk_that_has_become_slow_is_left_to_the_thread_until_it_is_quick_again() -> None:
    pace, few = CommitPace(), started("x")
    assert pace.is_in_place(few)
    pace.note(SLOW)
    assert not pace.is_in_place(few)
    for _ in range(10):
        pace.note(QUICK)
    assert pace.is_in_place(few)


@pytest.mark.rescind
async def test_what_has_ended_leaves_nothing_to_the_garbage_collector(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        async with Environment(agents=[three], tasks=[nothing], store=store) as env:
            await env.start(three)
            await asyncio.sleep(1)
            gc.collect()
        left = {type(each) for each in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
        store.close()
    assert left & {Execution, Task, EngineAttempt, Attempt, TaskContext} == set()
