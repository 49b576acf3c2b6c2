"""What an agent waits for, as a condition of flovyn.v1: the server wakes it when that holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from rescind_proto.flovyn.v1 import agent_pb2 as wire

from rescind.model.ids import TaskId
from rescind.model.operations import AwaitTasks, WaitCondition
from rescind_server.engine.entities import OpenOperation, SignalWait, TaskWait, Timer


class Waiting(msgspec.Struct, frozen=True):
    """What the server is told of a wait.

    Attributes:
        tasks: the tasks whose ends matter, all of them open.
        mode: whether the server wakes the agent for one of them or for all.
        signal: the name of the signal that it waits for; None if for tasks.
        needs_looks: whether the condition says less than the agent waits for: then somebody must look besides.
        signals: the exact names of signals to look for.
    """

    tasks: tuple[TaskId, ...] = ()
    mode: wire.WaitMode = wire.WaitMode.WAIT_MODE_ALL
    signal: str | None = None
    needs_looks: bool = False
    signals: tuple[str, ...] = ()


def waiting_of(operations: Iterable[OpenOperation], open_tasks: Sequence[TaskId]) -> Waiting | None:
    """The condition for an agent that only waits; None if the protocol has none that fits.

    Args:
        operations: what it waits for.
        open_tasks: its tasks that have not ended, as far as this side knows.
    """
    tasks: list[AwaitTasks] = []
    signals: list[SignalWait] = []
    for operation in operations:
        match operation:
            case TaskWait():
                tasks.append(operation.operation)
            case SignalWait():
                signals.append(operation)
            case Timer():
                pass  # it comes due on this side
            case _:
                return None
    if any(wait.operation.is_glob for wait in signals):
        return None
    names = tuple(dict.fromkeys(wait.operation.pattern for wait in signals))
    if not tasks:
        return Waiting(signal=names[0], needs_looks=len(names) > 1, signals=names) if names else None
    still_open = set(open_tasks)
    wanted = tuple(dict.fromkeys(each for wait in tasks for each in wait.task_ids if each in still_open))
    if not wanted:
        return None
    mode, is_exact = _mode_of(tasks, len(wanted))
    return Waiting(wanted, mode, needs_looks=not is_exact or bool(names), signals=names)


def _mode_of(waits: Sequence[AwaitTasks], open_count: int) -> tuple[wire.WaitMode, bool]:
    """How many ends the server is to wait for, and whether that is exactly what the agent waits for."""
    if open_count == 1:
        return wire.WaitMode.WAIT_MODE_ALL, True
    if len(waits) > 1:
        return wire.WaitMode.WAIT_MODE_ANY, False
    match waits[0].condition:
        case WaitCondition.ALL_ENDED:
            return wire.WaitMode.WAIT_MODE_ALL, True
        case WaitCondition.ALL_COMPLETED:
            return wire.WaitMode.WAIT_MODE_ALL, False  # a failure ends this wait, and not the server's
        case WaitCondition.SOME_COMPLETED:
            return wire.WaitMode.WAIT_MODE_ANY, waits[0].needed == 1
        case WaitCondition.ANY_ENDED:
            return wire.WaitMode.WAIT_MODE_ANY, False  # a server may wake for completed tasks alone
