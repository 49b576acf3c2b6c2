"""Rows: what a parent knows of its children, and how that comes back. As in `records`, new fields go to the end."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from rescind.model.child_operations import AwaitChildren
from rescind.model.children import NOTHING_USED, Usage
from rescind.model.ids import ExecutionId
from rescind.model.operations import Signal
from rescind.model.outcome import Outcome
from rescind.model.status import ParentClosePolicy
from rescind_server.engine import child_waits
from rescind_server.engine.entities import Child, ChildWait, Execution


class ChildRecord(msgspec.Struct, array_like=True):
    """A child, as its parent knows it."""

    child_id: ExecutionId
    kind: str
    order: int
    parent_close: ParentClosePolicy
    outcome: Outcome | None
    ended_sequence: int
    usage: Usage = NOTHING_USED
    untold: list[tuple[int, Signal]] = []
    cancel_asked: bool = False


def record_of_child(child: Child) -> ChildRecord:
    """The row of a child."""
    return ChildRecord(
        child.child_id,
        child.kind,
        child.order,
        child.parent_close,
        child.outcome,
        child.ended_sequence,
        child.usage,
        child.untold,
        child.cancel_asked,
    )


def add_children(parent: Execution, records: Iterable[ChildRecord]) -> None:
    """Give an execution the children that were written down of it."""
    for row in records:
        child = Child(
            row.child_id,
            parent,
            row.kind,
            row.order,
            parent_close=row.parent_close,
            outcome=row.outcome,
            ended_sequence=row.ended_sequence,
            usage=row.usage,
            untold=row.untold,
            cancel_asked=row.cancel_asked,
        )
        parent.children[row.child_id] = child
        parent.unsettled += child.outcome is None and child.goes_with_parent


def child_wait_of(parent: Execution, operation: AwaitChildren) -> ChildWait:
    """What a wait still waits for follows from which members have ended."""
    members = [parent.children[child_id] for child_id in operation.child_ids]
    still_open = {child.child_id: child for child in members if child.outcome is None}
    wait = ChildWait(execution=parent, position=operation.position, operation=operation, open=still_open)
    child_waits.attach(wait)
    return wait
