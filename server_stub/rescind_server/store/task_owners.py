"""Whose a task is, by its id alone: of tasks that are spoken of so. An index of all tasks would cost all of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from rescind.model.ids import ExecutionId, TaskId
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import Decision

_PUT: Final = "insert or ignore into task_owners (task_id, execution) values (?, ?)"
_FIND: Final = (
    "select execution_id from executions where ordinal = (select execution from task_owners where task_id = ?)"
)


def is_noted(execution: Execution) -> bool:
    """Whether the tasks of an execution are noted: those of agents without a session, standalone ones, workflows'."""
    return execution.called is not None or execution.workflow is not None


def put_owners(connection: sqlite3.Connection, decisions: Sequence[Decision]) -> None:
    """Note the tasks that are new in these decisions."""
    connection.executemany(
        _PUT,
        (
            (task.task_id, task.execution.order)
            for decision in decisions
            for task in decision.tasks.values()
            if is_noted(task.execution)
        ),
    )


def find_owner(connection: sqlite3.Connection, task_id: TaskId) -> ExecutionId | None:
    """The execution of a task that is noted; None if it is not."""
    found = connection.execute(_FIND, (task_id,)).fetchone()
    return ExecutionId(found[0]) if found is not None else None
