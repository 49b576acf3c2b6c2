"""A signal arrives: whoever waits for it is woken, or it is queued until somebody asks."""

from __future__ import annotations

from rescind.model.events import EventType
from rescind.model.operations import Signal, SignalsTaken
from rescind.model.payload import Payload
from rescind_server.engine import activations, signal_queue
from rescind_server.engine.entities import Execution, Phase
from rescind_server.engine.state import State, record


def receive(state: State, execution: Execution, name: str, value: Payload, by: str) -> int:
    """Queue a signal, or hand it to the first operation that waits for it; returns its number."""
    execution.signal_count += 1
    signal = Signal(name, value, execution.signal_count)
    record(state, execution, EventType.SIGNAL_RECEIVED, name=name, number=signal.sequence, by=by)
    waiting = signal_queue.first_waiting(execution, signal)
    if waiting is None:
        execution.signals.append(signal)
        _note_called(state, execution, signal)
    else:
        signal_queue.record_taken(state, execution, waiting.position, (signal,))
        activations.answer(state, waiting, SignalsTaken((signal,)))
    return signal.sequence


def wake_if_signalled(state: State, execution: Execution) -> None:
    """Let an agent that is run by calls go on if the signal that it waits for is in its queue; there it stays."""
    called = execution.called
    if called is None or called.signal is None or execution.phase is not Phase.IDLE:
        return
    if any(signal.name == called.signal for signal in execution.signals):
        called.signal = None
        activations.wake(state, execution)


def _note_called(state: State, execution: Execution, signal: Signal) -> None:
    if execution.called is not None:
        execution.called.signal_times[signal.sequence] = state.now
        wake_if_signalled(state, execution)
