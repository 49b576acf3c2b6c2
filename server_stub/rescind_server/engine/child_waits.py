"""Waking a parent: its waits for children are evaluated when a child ends or signals, and when they are registered."""

from __future__ import annotations

from typing import Final

from rescind.model.child_operations import AwaitChildren, ChildEnd, ChildrenSettled, ChildSignal
from rescind.model.events import EventType
from rescind.model.operations import Resolution, Signal, WaitCondition
from rescind.model.outcome import Failure, Outcome
from rescind.model.status import FailureKind, TaskStatus
from rescind_server.engine import activations
from rescind_server.engine.deadlines import DeadlineKind
from rescind_server.engine.entities import Child, ChildWait, Execution
from rescind_server.engine.state import State, record
from rescind_server.engine.waits import MOST_NAMED

_UNKNOWN: Final = Outcome(
    TaskStatus.FAILED, failure=Failure(FailureKind.REJECTED, "this agent has no such child", retryable=False)
)


def await_children(state: State, execution: Execution, operation: AwaitChildren) -> None:
    """Register a wait for children, or answer it if its condition holds already."""
    unknown = [child_id for child_id in operation.child_ids if child_id not in execution.children]
    if unknown:
        # Nobody can wait for a child that does not exist: it counts as failed, and the wait ends with it.
        answer = ChildrenSettled(tuple(ChildEnd(child_id, _UNKNOWN) for child_id in unknown))
        execution.inbox.append(Resolution(operation.position, answer))
        return
    members = [execution.children[child_id] for child_id in operation.child_ids]
    wait = ChildWait(
        execution=execution,
        position=operation.position,
        operation=operation,
        open={child.child_id: child for child in members if child.outcome is None},
    )
    execution.open[operation.position] = wait
    record(
        state,
        execution,
        EventType.WAIT_STARTED,
        position=operation.position,
        subject=operation.subject,
        children=list(operation.child_ids[:MOST_NAMED]),
    )
    if _holds(wait):
        _settle(state, wait, timed_out=False)
        return
    attach(wait)
    if operation.deadline is not None:
        if operation.deadline <= state.now:
            time_out(state, wait)
        else:
            wait.deadline = state.deadlines.set(operation.deadline, DeadlineKind.OPERATION, wait)


def attach(wait: ChildWait) -> None:
    """Let the open members of a wait tell it of their ends."""
    for child in wait.open.values():
        child.waiters.append(wait)


def detach(wait: ChildWait) -> None:
    """Take a wait off its open members."""
    for child in wait.open.values():
        if wait in child.waiters:
            child.waiters.remove(wait)


def wake_waiters(state: State) -> None:
    """Tell the waits of every child that has ended in this decision."""
    for child in state.ended_children:
        waiters, child.waiters = child.waiters, []
        for wait in waiters:
            wait.open.pop(child.child_id, None)
            if wait.execution.open.get(wait.position) is wait and _holds(wait):
                _settle(state, wait, timed_out=False)
    state.ended_children.clear()


def signalled(state: State, child: Child, number: int, signal: Signal) -> None:
    """A child has sent its parent a signal: a wait that wants to hear of it is told, else the next one will be.

    Args:
        state: the engine's memory.
        child: the child.
        number: the number of the event in the parent's history.
        signal: what it sent.
    """
    child.untold.append((number, signal))
    state.decision.children[child.child_id] = child
    for wait in list(child.waiters):
        if wait.operation.with_signals and child.untold:
            _settle(state, wait, timed_out=False)


def keep_untold(state: State, parent: Execution) -> None:
    """The parent is claimed, which tells it nothing: what its wait was answered is still to be told."""
    for resolution in reversed(parent.inbox):
        if isinstance(resolution.answer, ChildrenSettled):
            for told in reversed(resolution.answer.signals):
                child = parent.children[told.child_id]
                child.untold.insert(0, (0, told.signal))
                state.decision.children[child.child_id] = child


def time_out(state: State, wait: ChildWait) -> None:
    """The wait's deadline has come: it is over, whoever is missing."""
    _settle(state, wait, timed_out=True)


def _holds(wait: ChildWait) -> bool:
    members = wait.operation.child_ids
    if wait.operation.with_signals and any(child.untold for child in wait.open.values()):
        return True
    if wait.operation.condition is WaitCondition.ANY_ENDED:
        return len(wait.open) < len(members) or not members
    return not wait.open


def _settle(state: State, wait: ChildWait, *, timed_out: bool) -> None:
    detach(wait)
    answer = _answer(state, wait, timed_out=timed_out)
    details: dict[str, object] = {"ended": len(answer.ended)}
    if answer.signals:
        details["signals"] = [each.signal.sequence for each in answer.signals]
    if timed_out:
        details["timed_out"] = True
    record(state, wait.execution, EventType.WAIT_SETTLED, position=wait.position, **details)
    activations.answer(state, wait, answer)


def _answer(state: State, wait: ChildWait, *, timed_out: bool) -> ChildrenSettled:
    operation = wait.operation
    members = [wait.execution.children[child_id] for child_id in operation.child_ids]
    ended = sorted((child for child in members if child.outcome is not None), key=lambda child: child.ended_sequence)
    telling = [child for child in wait.open.values() if child.untold] if operation.with_signals else []
    telling.sort(key=lambda child: child.untold[0][0])
    if operation.only_first and ended and telling:
        if ended[0].ended_sequence < telling[0].untold[0][0]:
            telling = []
        else:
            ended = []
    if operation.only_first:
        ended, telling = ended[:1], telling[:1]
    signals = []
    for child in telling:
        number, signal = child.untold.pop(0)
        state.decision.children[child.child_id] = child
        after = sum(each.ended_sequence < number for each in ended)
        signals.append(ChildSignal(child.child_id, signal, after))
    ends = tuple(ChildEnd(child.child_id, child.outcome, child.usage) for child in ended if child.outcome is not None)
    return ChildrenSettled(ends, tuple(signals), timed_out)
