"""Whose a task is, by its id alone: of tasks that are spoken of so. An index of all tasks would cost all of them.

Promises are spoken of so, too. They stand in the same table, behind a word that no task's id begins with.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from rescind.model.ids import ExecutionId, TaskId
from rescind.model.workflow_events import PromiseCreated
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import Decision

_PUT: Final = "insert or ignore into task_owners (task_id, execution) values (?, ?)"
_PROMISE: Final = "promise:"
_FIND: Final = (
    "select execution_id from executions where ordinal = (select execution from task_owners where task_id = ?)"
)


def is_noted(execution: Execution) -> bool:
    """Whether the tasks of an execution are noted: those of agents without a session, standalone ones, workflows'."""
    return execution.called is not None or execution.workflow is not None


def put_owners(connection: sqlite3.Connection, decisions: Sequence[Decision]) -> None:
    """Note the tasks and the promises that are new in these decisions."""
    connection.executemany(
        _PUT,
        (
            (task.task_id, task.execution.order)
            for decision in decisions
            for task in decision.tasks.values()
            if is_noted(task.execution)
        ),
    )
    connection.executemany(
        _PUT,
        (
            (_PROMISE + logged.event.promise_id, execution.order)
            for decision in decisions
            for execution, logged in decision.logged
            if isinstance(logged.event, PromiseCreated)
        ),
    )


def find_owner(connection: sqlite3.Connection, task_id: TaskId) -> ExecutionId | None:
    """The execution of a task that is noted; None if it is not."""
    return _owner_of(connection, task_id)


def find_owner_of_promise(connection: sqlite3.Connection, promise_id: str) -> ExecutionId | None:
    """The workflow that has made a promise; None if there is no such, or it is of before promises were noted."""
    return _owner_of(connection, _PROMISE + promise_id)


def _owner_of(connection: sqlite3.Connection, noted: str) -> ExecutionId | None:
    found = connection.execute(_FIND, (noted,)).fetchone()
    return ExecutionId(found[0]) if found is not None else None
