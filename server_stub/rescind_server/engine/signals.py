"""A signal arrives: whoever waits for it is woken, or it is queued until somebody asks."""

from __future__ import annotations

from rescind.model.events import EventType
from rescind.model.operations import Signal, SignalsTaken
from rescind.model.payload import Payload
from rescind_server.engine import activations, signal_queue
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import State, record


def receive(state: State, execution: Execution, name: str, value: Payload, by: str) -> int:
    """Queue a signal, or hand it to the first operation that waits for it; returns its number."""
    execution.signal_count += 1
    signal = Signal(name, value, execution.signal_count)
    record(state, execution, EventType.SIGNAL_RECEIVED, name=name, number=signal.sequence, by=by)
    waiting = signal_queue.first_waiting(execution, signal)
    if waiting is None:
        execution.signals.append(signal)
    else:
        signal_queue.record_taken(state, execution, waiting.position, (signal,))
        activations.answer(state, waiting, SignalsTaken((signal,)))
    return signal.sequence
