"""Operations that wait for their answer: answered at once, or closed without one."""

from __future__ import annotations

from rescind.model.operations import AnyAnswer, AnyOperation, Resolution
from rescind_server.engine import child_waits, stops, waits
from rescind_server.engine.entities import ChildWait, Execution, OpenOperation, StopWait, TaskWait
from rescind_server.engine.state import State


def answer_at_once(execution: Execution, operation: AnyOperation, answer: AnyAnswer) -> None:
    """Answer an operation that never had to wait. Its agent is in flight: the next activation carries it."""
    execution.inbox.append(Resolution(operation.position, answer))


def close(state: State, waiting: OpenOperation) -> None:
    """Undo what an open operation has set up, so that nothing of it happens any more."""
    if waiting.deadline is not None:
        state.deadlines.cancel(waiting.deadline)
    if isinstance(waiting, TaskWait):
        waits.detach(waiting)
    elif isinstance(waiting, StopWait):
        stops.detach(waiting)
    elif isinstance(waiting, ChildWait):
        child_waits.detach(waiting)
