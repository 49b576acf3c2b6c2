"""Lists and counts: both stores select the same, and a file finds it by an index."""

from __future__ import annotations

import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from rescind.model.commands import StartExecution
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Instant
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import ExecutionStatus
from rescind_server.engine.machine import Engine
from rescind_server.store import queries
from rescind_server.store.memory import MemoryStore
from rescind_server.store.port import Store
from rescind_server.store.queries import count_executions, find_executions
from rescind_server.store.sqlite import SqliteStore

pytestmark = pytest.mark.asyncio

LAST = chr(sys.maxunicode)
IDS = (
    "order",
    "order-1",
    "order-12",
    "order-2",
    "Order-1",
    "quote-1",
    "ö-1",
    "\ud7ff1",
    "\ue0001",
    LAST,
    f"{LAST}{LAST}1",
)
PREFIXES = (
    "o",
    "order",
    "order-1",
    "order-12",
    "order-123",
    "O",
    "ö",
    "\ud7ff",
    "\ue000",
    LAST,
    f"{LAST}{LAST}",
    "%",
    "_",
)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store.db")
    yield opened
    opened.close()


async def fill(store: Store) -> None:
    """One of each id, of two kinds, some with a label."""
    engine = Engine(seed=1)
    for number, name in enumerate(IDS):
        command = StartExecution(
            f"kind-{number % 2}", NULL_PAYLOAD, ExecutionId(name), labels={"team": "a"} if number % 3 else {}, by="me"
        )
        await store.commit([engine.decide(command, Instant(number + 1))])


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "other",
    [
        ExecutionFilter(),
        ExecutionFilter(kind="kind-1"),
        ExecutionFilter(labels={"team": "a"}),
        ExecutionFilter(statuses=(ExecutionStatus.PENDING,), organisation="default"),
        ExecutionFilter(statuses=(ExecutionStatus.PENDING, ExecutionStatus.FAILED), created_after=Instant(4)),
        ExecutionFilter(statuses=(ExecutionStatus.CANCELLED,)),
    ],
    ids=["all", "of a kind", "labelled", "pending", "young", "cancelled"],
)
async def test_a_prefix_selects_the_ids_that_begin_so(store: Store, prefix: str, other: ExecutionFilter) -> None:
    await fill(store)
    selection = msgspec.structs.replace(other, id_prefix=prefix)
    whole = await store.find_executions(other, None, 100)
    expected = [each for each in whole if each.view.execution_id.startswith(prefix)]
    assert await store.find_executions(selection, None, 100) == expected
    assert await store.count_executions(selection) == Counter(each.view.status for each in expected)
    if len(expected) > 1:
        assert await store.find_executions(selection, expected[0].ordinal, 1) == expected[1:2]


async def test_a_label_is_found_alike_whether_few_have_it_or_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(tmp_path / "store.db")
    await fill(store)
    labelled = ExecutionFilter(labels={"team": "a"})
    of_few = await store.find_executions(labelled, None, 100)
    assert [each.view.labels for each in of_few] == [{"team": "a"}] * (len(IDS) * 2 // 3)
    monkeypatch.setattr(queries, "_FEW", 1)
    assert await store.find_executions(labelled, None, 100) == of_few
    store.close()


async def plan_of(path: Path, selection: ExecutionFilter, *, counting: bool) -> str:
    """How SQLite goes about it."""
    asked: list[str] = []
    connection = sqlite3.connect(path)
    connection.set_trace_callback(asked.append)
    count_executions(connection, selection) if counting else find_executions(connection, selection, None, 10)
    connection.set_trace_callback(None)
    plan = connection.execute(f"explain query plan {asked[-1]}").fetchall()
    connection.close()
    return "; ".join(detail for *_, detail in plan)


async def test_statuses_are_counted_in_an_index_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    SqliteStore(path).close()
    whole = ExecutionFilter(organisation="default")
    pending = ExecutionFilter(organisation="default", statuses=(ExecutionStatus.PENDING,))
    for selection in (whole, pending):
        assert "COVERING INDEX executions_by_status" in await plan_of(path, selection, counting=True)


async def test_a_page_needs_no_sorting(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    SqliteStore(path).close()
    for selection in (
        ExecutionFilter(organisation="default"),
        ExecutionFilter(organisation="default", statuses=(ExecutionStatus.PENDING,)),
        ExecutionFilter(organisation="default", statuses=(ExecutionStatus.PENDING, ExecutionStatus.RUNNING)),
        ExecutionFilter(organisation="default", kind="quote", statuses=(ExecutionStatus.CANCELLED,)),
        ExecutionFilter(organisation="default", labels={"team": "a"}),
        ExecutionFilter(organisation="default", id_prefix="order"),
        ExecutionFilter(organisation="default", id_prefix="order", kind="quote"),
    ):
        assert "TEMP B-TREE" not in await plan_of(path, selection, counting=False), selection
