"""Signals: kept in the order of arrival, taken by name or glob, each by one reader."""

from __future__ import annotations

from rescind.model.events import EventType
from rescind.model.operations import AwaitSignal, DrainSignals, PeekSignal, Signal, SignalPeeked, SignalsTaken
from rescind.model.payload import Payload
from rescind.model.signal_names import signal_pattern_matches
from rescind_server.engine import activations
from rescind_server.engine.entities import Execution, SignalWait
from rescind_server.engine.state import State, record

Selecting = AwaitSignal | DrainSignals | PeekSignal


def receive(state: State, execution: Execution, name: str, value: Payload, by: str) -> int:
    """Queue a signal and hand it to the first operation that waits for it; returns its number."""
    execution.signal_count += 1
    signal = Signal(name, value, execution.signal_count)
    record(state, execution, EventType.SIGNAL_RECEIVED, name=name, number=signal.sequence, by=by)
    for waiting in sorted(execution.open.values(), key=lambda operation: operation.position):
        if isinstance(waiting, SignalWait) and selects(waiting.operation, signal):
            _record_taken(state, execution, waiting.position, (signal,))
            activations.answer(state, waiting, SignalsTaken((signal,)))
            return signal.sequence
    execution.signals.append(signal)
    return signal.sequence


def take(
    state: State, execution: Execution, operation: AwaitSignal | DrainSignals, at_most: int | None = None
) -> tuple[Signal, ...]:
    """Take the signals that an operation selects out of the queue, oldest first."""
    taken = tuple(signal for signal in execution.signals if selects(operation, signal))[:at_most]
    if taken:
        execution.signals = [signal for signal in execution.signals if signal not in taken]
        _record_taken(state, execution, operation.position, taken)
    return taken


def peek(execution: Execution, operation: PeekSignal) -> SignalPeeked:
    """Whether the queue holds a signal that the operation selects."""
    return SignalPeeked(any(selects(operation, signal) for signal in execution.signals))


def give_back(state: State, execution: Execution, taken: tuple[Signal, ...]) -> None:
    """The agent withdrew before it was given them: they are in the queue again, at their old places."""
    for signal in taken:
        record(state, execution, EventType.SIGNAL_RETURNED, name=signal.name, number=signal.sequence)
    execution.signals = sorted([*taken, *execution.signals], key=lambda signal: signal.sequence)


def selects(operation: Selecting, signal: Signal) -> bool:
    """Whether an operation means this signal."""
    if operation.is_glob:
        return signal_pattern_matches(operation.pattern, signal.name)
    return operation.pattern == signal.name


def _record_taken(state: State, execution: Execution, position: int, taken: tuple[Signal, ...]) -> None:
    numbers = [signal.sequence for signal in taken]
    record(state, execution, EventType.SIGNALS_TAKEN, position=position, numbers=numbers)
