"""A context for the unit test of an agent: the real one, over set answers instead of an engine.

**Time.** On a `VirtualTimeLoop` the mock lives by the loop's clock, like everything else there. On another loop it has
a clock of its own, which jumps to the next thing due when the loop has nothing left to run and somebody waits on the
mock; nothing waits for real. There asyncio's own timers (``asyncio.sleep``, ``asyncio.timeout``) still take real time,
and the mock's clock knows nothing of them: use ``ctx.sleep`` and ``ctx.move_on_after``, or virtual time.

**Not mocked**: retries, recovery, the clean-up budget, what becomes of open tasks when the agent ends. The agent hears
of its cancel at its awaits on the context; asyncio's own awaits go on, also that of a TaskGroup for its branches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any, Final
from uuid import UUID

from rescind.authoring.conversion import decode, encode
from rescind.authoring.task import TaskDefinition
from rescind.model.agent_values import EntryRole, EntryType, LoadedMessage, StreamEvent
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import ExecutionId, task_id_from_key
from rescind.model.messages import EntryRecord
from rescind.model.operations import Signal
from rescind.model.options import Seconds, milliseconds
from rescind.model.status import CancelTaskResult
from rescind.runtime.agent_context import AgentContext
from rescind.runtime.agent_conversation import loaded_messages
from rescind.testing.mock_clock import MockClock
from rescind.testing.mock_port import MockPort
from rescind.testing.mock_scheduled import CancelRequest, ScheduledTask

_numbers: Final = count(1)


class MockAgentContext(AgentContext):
    """The real context of an agent, without an engine: ``await cheapest.run(MockAgentContext(…), request)``.

    Combinators, scopes, encoding and errors are the real ones; what the backend would answer, the test sets. Whatever
    the agent waits for and the test has not set is NotMocked, which names it.
    """

    _port: MockPort

    def __init__(
        self,
        *,
        input: Any = None,
        task_results: Mapping[Any, Any] | None = None,
        signals: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        step_results: Mapping[str, Any] | None = None,
        messages: Iterable[tuple[EntryRole | str, Any]] = (),
        state: Any = None,
        checkpoint_sequence: int | None = None,
        cancel_after: Seconds | None = None,
        cancel_at_await: int | None = None,
        execution_id: str | None = None,
        organisation: str = "default",
        queue: str = "default",
        labels: Mapping[str, str] | None = None,
        parent_execution_id: str | None = None,
        seed: int = 0,
        start: datetime | None = None,
    ) -> None:
        """Make one, with what the agent is to meet.

        Args:
            input: the agent's input, for ``ctx.input(…)``.
            task_results: what tasks do, by kind or by the task's function; see `mock_answers`. A function among them is
                given the input as JSON where the key is a kind, and as its declared type where it is the task.
            signals: what is queued, oldest first.
            step_results: what ``ctx.run`` gives, by name, in the same forms; a step that is not named really runs.
            messages: the conversation so far: roles and contents.
            state: the last checkpoint's.
            checkpoint_sequence: its number; left out, 1, or -1 if there is no state.
            cancel_after: when the agent is cancelled, in seconds (or a timedelta) from its first use of the context.
            cancel_at_await: at which of its awaits on the context it is cancelled, from 1; see `awaits`.
            execution_id: the execution's id; one is made up if left out.
            organisation: whose execution it is.
            queue: the agent's queue.
            labels: given at its start.
            parent_execution_id: the agent that spawned it.
            seed: where its random numbers begin.
            start: its time at the beginning, aware; left out, that of the virtual loop, or 2026-01-01.

        Raises:
            InvalidInput: a value is not JSON, or cannot be meant.
        """
        name = ExecutionId(execution_id or f"mock-agent-{next(_numbers)}")
        port = MockPort(name, encode(input, what="input of the agent"), MockClock(start), seed)
        port.organisation, port.queue, port.labels = organisation, queue, dict(labels or {})
        port.parent_id = None if parent_execution_id is None else ExecutionId(parent_execution_id)
        port.entries = [_entry(name, number, *message) for number, message in enumerate(messages)]
        if state is not None or checkpoint_sequence is not None:
            port.state = encode(state, what="state of a checkpoint")
            port.checkpoint_sequence = 1 if checkpoint_sequence is None else checkpoint_sequence
        port.cancel_at_await = cancel_at_await
        super().__init__(port)
        for task, answer in (task_results or {}).items():
            self.set_task_result(task, answer)
        for step, answer in (step_results or {}).items():
            port.step_answers.set(step, answer)
        for signal, value in signals.items() if isinstance(signals, Mapping) else signals:
            self.add_signal(signal, value)
        if cancel_after is not None:
            port.clock.call_after(milliseconds(cancel_after, "cancel_after"), self.request_cancellation)

    # -- what the test sets while the agent runs --

    def set_task_result(self, task: str | TaskDefinition[Any, Any], result: Any) -> None:
        """Set what the tasks of a kind do: those scheduled from now on, and open ones that could not end so far."""
        self._port.tasks.set_answer(task, result)

    def add_signal(self, name: str, value: Any = None, *, after: Seconds = 0) -> None:
        """Send the agent a signal, now or in so many seconds (or a timedelta)."""
        send = partial(self._port.add_signal, name, encode(value, what=f"signal {name!r}"))
        if delay := milliseconds(after, "after"):
            self._port.clock.call_after(delay, send)
        else:
            send()

    def request_cancellation(
        self, reason: str | None = None, *, source: CancelSource = CancelSource.REQUEST, by: str = "client:test"
    ) -> None:
        """Cancel the agent: its waits on the context, and each further await on it, raise ExecutionCancelled.

        Inside ``ctx.shield()`` they do not. The first cause is kept.
        """
        self._port.request_cancellation(CancelCause(source, by, reason))

    # -- what the agent did --

    @property
    def scheduled_tasks(self) -> list[ScheduledTask]:
        """The tasks that it scheduled, in order, as they stand."""
        return list(self._port.tasks.by_id.values())

    @property
    def scheduled_kinds(self) -> list[str]:
        """Their kinds."""
        return [task.kind for task in self.scheduled_tasks]

    def was_task_scheduled(self, task: str | TaskDefinition[Any, Any]) -> bool:
        """Whether it scheduled a task of this kind."""
        return (task.kind if isinstance(task, TaskDefinition) else task) in self.scheduled_kinds

    @property
    def cancelled_tasks(self) -> list[UUID]:
        """The ids of the tasks that it ended as CANCELLED, in order; races, deadlines and scopes included."""
        return [one.task_id for one in self._port.tasks.cancel_requests if one.result is CancelTaskResult.CANCELLED]

    @property
    def cancel_requests(self) -> list[CancelRequest]:
        """All requests to cancel a task, in order, also those that came too late."""
        return list(self._port.tasks.cancel_requests)

    @property
    def entries(self) -> list[LoadedMessage]:
        """The entries that it appended, in order."""
        return loaded_messages(self._port.appended)

    @property
    def checkpoints(self) -> list[Any]:
        """The states that it stored, in order."""
        return [decode(state, None, what="state of a checkpoint") for state in self._port.checkpoints]

    @property
    def current_checkpoint_state(self) -> Any:
        """The last checkpoint's state, the initial one included; None if there was none."""
        return self.state()

    @property
    def streamed_events(self) -> list[StreamEvent]:
        """What it streamed, in order."""
        return [StreamEvent(e.kind, decode(e.value, None, what=f"streamed {e.kind}")) for e in self._port.streamed]

    @property
    def steps(self) -> list[str]:
        """The names of the steps that it ran with ``ctx.run``, in order."""
        return list(self._port.steps)

    @property
    def consumed_signals(self) -> list[tuple[str, Any]]:
        """The signals that it took, in order: names and values."""
        return _read(self._port.consumed)

    @property
    def queued_signals(self) -> list[tuple[str, Any]]:
        """The signals that it has not taken, oldest first: names and values."""
        return _read(self._port.signals)

    @property
    def slept(self) -> list[float]:
        """How long it slept with ``ctx.sleep``, each in seconds, in order."""
        return list(self._port.slept)

    @property
    def elapsed(self) -> float:
        """The mock's time in seconds, from the agent's first use of the context."""
        return self._port.clock.elapsed() / 1e6

    @property
    def awaits(self) -> int:
        """How often it awaited the context; streaming and ``reload_messages`` do not count."""
        return self._port.awaits

    def __repr__(self) -> str:
        states = Counter(task.status.value for task in self.scheduled_tasks)
        tasks = ", ".join(f"{number} {status}" for status, number in states.items()) or "none"
        return f"<{type(self).__name__} {self.execution_id!r} at +{self.elapsed:.3f} s, tasks: {tasks}>"


def _entry(execution_id: ExecutionId, number: int, role: EntryRole | str, content: Any) -> EntryRecord:
    entry_id = task_id_from_key(f"{execution_id}:message:{number}")
    return EntryRecord(entry_id, EntryType.MESSAGE.value, EntryRole(role).value, encode(content, what="a message"))


def _read(signals: Sequence[Signal]) -> list[tuple[str, Any]]:
    return [(signal.name, decode(signal.value, None, what=f"signal {signal.name!r}")) for signal in signals]
