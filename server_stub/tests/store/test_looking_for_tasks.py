"""A task is found by its id alone, in steps between which others use the file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rescind import AgentContext, TaskContext, agent, task
from rescind.model.ids import ExecutionId, TaskId
from rescind.testing import Environment
from rescind_server.store.memory import MemoryStore
from rescind_server.store.migrations import schema
from rescind_server.store.port import Store
from rescind_server.store.queries import THE_END, TaskPlace, look_for_task
from rescind_server.store.sqlite import SqliteStore


@task("double")
async def double(ctx: TaskContext, number: int) -> int:
    return 2 * number


@agent("doubling")
async def doubling(ctx: AgentContext, count: int) -> list[int]:
    return await ctx.join_all([ctx.schedule(double, number) for number in range(count)])


@pytest.mark.rescind
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_every_task_of_closed_executions_is_found(kind: str, tmp_path: Path) -> None:
    store: Store = MemoryStore() if kind == "memory" else SqliteStore(tmp_path / "store.db")
    async with Environment(agents=[doubling], tasks=[double], store=store) as env:
        for name in ("a", "b"):
            handle = await env.start(doubling, 3, id=name)
            await handle.result()
            for each in await handle.tasks():
                assert await store.execution_of_task(TaskId(str(each.task_id))) == name
        assert await store.execution_of_task(TaskId("nobody")) is None
    store.close()


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_each_step_looks_at_so_many_and_the_newest_come_first(most: int) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema(2))
        for execution in (1, 4):
            connection.execute(
                "insert into executions values (?, ?, '', '', '', '', 'RUNNING', 0, null, 0, 0, x'')",
                (execution, f"e-{execution}"),
            )
            for place in range(execution + 1, execution + 3):
                connection.execute(
                    "insert into tasks values (?, ?, ?, 'PENDING', null, x'')", (execution, place, f"t-{place}")
                )
        for number, place in enumerate((6, 5, 3, 2)):
            assert _found(connection, f"t-{place}", most) == (f"e-{4 if place > 3 else 1}", number // most)
        assert _found(connection, "nobody", most)[0] is None


def _found(connection: sqlite3.Connection, task_id: str, most: int) -> tuple[ExecutionId | None, int]:
    """The execution of a task, and the number of the step that found it, from 0."""
    place = THE_END
    step = 0
    while True:
        found = look_for_task(connection, TaskId(task_id), place, most)
        if not isinstance(found, TaskPlace):
            return found, step
        place, step = found, step + 1
