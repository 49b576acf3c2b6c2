"""The queue of an agent's signals: kept in the order of arrival, taken by name or glob, each by one reader."""

from __future__ import annotations

from rescind.model.events import EventType
from rescind.model.operations import (
    AwaitSignal,
    DrainSignals,
    PeekSignal,
    Resolution,
    Signal,
    SignalPeeked,
    SignalsTaken,
)
from rescind.model.signal_names import signal_pattern_matches
from rescind_server.engine.entities import Execution, SignalWait
from rescind_server.engine.state import State, record

Selecting = AwaitSignal | DrainSignals | PeekSignal


def take_oldest(state: State, execution: Execution, operation: AwaitSignal) -> tuple[Signal, ...]:
    """Take the first signal that an operation selects out of the queue; empty if there is none."""
    for place, signal in enumerate(execution.signals):
        if selects(operation, signal):
            del execution.signals[place]
            record_taken(state, execution, operation.position, (signal,))
            return (signal,)
    return ()


def take_all(state: State, execution: Execution, operation: DrainSignals) -> tuple[Signal, ...]:
    """Take all signals that an operation selects out of the queue, oldest first."""
    taken: list[Signal] = []
    left: list[Signal] = []
    for signal in execution.signals:
        (taken if selects(operation, signal) else left).append(signal)
    if taken:
        execution.signals = left
        record_taken(state, execution, operation.position, tuple(taken))
    return tuple(taken)


def peek(execution: Execution, operation: PeekSignal) -> SignalPeeked:
    """Whether the queue holds a signal that the operation selects."""
    return SignalPeeked(any(selects(operation, signal) for signal in execution.signals))


def give_back(state: State, execution: Execution, taken: tuple[Signal, ...]) -> None:
    """Whoever took them will not see them: the next that waits for such a one gets it, else the queue, at its place.

    The agent is in flight or about to be: its next activation carries what is answered here.
    """
    left = []
    for signal in taken:
        record(state, execution, EventType.SIGNAL_RETURNED, name=signal.name, number=signal.sequence)
        waiting = first_waiting(execution, signal)
        if waiting is None:
            left.append(signal)
            continue
        del execution.open[waiting.position]
        record_taken(state, execution, waiting.position, (signal,))
        execution.inbox.append(Resolution(waiting.position, SignalsTaken((signal,))))
    execution.signals = sorted([*left, *execution.signals], key=lambda signal: signal.sequence)


def first_waiting(execution: Execution, signal: Signal) -> SignalWait | None:
    """The first of the agent's open operations that waits for this signal."""
    waiting = [
        operation
        for operation in execution.open.values()
        if isinstance(operation, SignalWait) and selects(operation.operation, signal)
    ]
    return min(waiting, key=lambda operation: operation.position, default=None)


def selects(operation: Selecting, signal: Signal) -> bool:
    """Whether an operation means this signal."""
    if operation.is_glob:
        return signal_pattern_matches(operation.pattern, signal.name)
    return operation.pattern == signal.name


def record_taken(state: State, execution: Execution, position: int, taken: tuple[Signal, ...]) -> None:
    """Note in the history which signals the operation at a position was given."""
    numbers = [signal.sequence for signal in taken]
    record(state, execution, EventType.SIGNALS_TAKEN, position=position, numbers=numbers)
