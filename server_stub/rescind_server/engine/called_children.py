"""What an agent that is run by calls says to its children and its parent, and what it hears of them."""

from __future__ import annotations

from typing import Final

from rescind.model.child_operations import SpawnChild
from rescind.model.commands import Refused, Reply
from rescind.model.ids import ExecutionId
from rescind.model.status import TaskStatus
from rescind_server.engine import agent_operations, children
from rescind_server.engine.calls import (
    ChildEvent,
    ChildEvents,
    PollChildren,
    SignalChild,
    SignalDelivered,
    SignalParent,
    SpawnAgent,
)
from rescind_server.engine.entities import Child, Execution
from rescind_server.engine.state import State

_NO_POSITION: Final = 0
_CANCELLED: Final = "Agent cancelled"


def spawn(state: State, command: SpawnAgent, parent: Execution) -> Reply:
    """Start a child. Each call starts another: the caller chose a new id."""
    if parent.ended:
        return _ended(parent, "it spawns no more children")
    operation = SpawnChild(
        _NO_POSITION,
        command.child_id,
        command.kind,
        command.input,
        command.queue,
        command.labels,
        budget=command.budget,
    )
    agent_operations.apply(state, parent, operation)
    return SignalDelivered(delivered=True)


def signal_child(state: State, command: SignalChild, parent: Execution) -> Reply:
    """Send a child a signal; one that has ended takes none."""
    if command.child_id not in parent.children:
        return _no_child(parent, command.child_id)
    child = state.executions.get(command.child_id)
    if child is None or child.ended:
        return SignalDelivered(delivered=False)
    children.receive_signal(state, child, command.name, command.value, f"agent:{parent.execution_id}")
    return SignalDelivered(delivered=True)


def signal_parent(state: State, command: SignalParent, child: Execution) -> Reply:
    """Send the parent a signal; one that has ended takes none."""
    if child.parent_id is None:
        return Refused("ExecutionEnded", f"agent {child.execution_id!r} has no parent to signal.")
    parent = state.executions.get(child.parent_id)
    if parent is None or parent.ended:
        return SignalDelivered(delivered=False)
    children.receive_signal(state, parent, command.name, command.value, f"agent:{child.execution_id}")
    return SignalDelivered(delivered=True)


def poll(state: State, command: PollChildren, parent: Execution) -> Reply:
    """What became of children: an end is told each time that it is asked for, a signal once; oldest first."""
    found: list[tuple[int, ChildEvent]] = []
    for child_id in dict.fromkeys(command.child_ids):
        child = parent.children.get(child_id)
        if child is None:
            return _no_child(parent, child_id)
        if child.outcome is not None:
            found.append((child.ended_sequence, _end_of(child)))
        elif child.untold:
            number, signal = child.untold.pop(0)
            state.decision.children[child_id] = child
            told = ChildEvent(child_id=child_id, name=signal.name, payload=signal.value)
            found.append((number, told))
    found.sort(key=lambda event: event[0])
    return ChildEvents(events=tuple(event for _, event in found))


def _end_of(child: Child) -> ChildEvent:
    outcome = child.outcome
    assert outcome is not None
    if outcome.status is TaskStatus.COMPLETED:
        return ChildEvent(child_id=child.child_id, output=outcome.output)
    message = outcome.failure.message if outcome.failure is not None else _CANCELLED
    return ChildEvent(child_id=child.child_id, error=message)


def _no_child(parent: Execution, child_id: ExecutionId) -> Refused:
    return Refused("NotPermitted", f"agent {parent.execution_id!r} has no child {child_id!r}.")


def _ended(execution: Execution, what: str) -> Refused:
    return Refused("ExecutionEnded", f"agent {execution.execution_id!r} is {execution.status.value}; {what}.")
