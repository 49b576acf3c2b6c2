"""A context for the unit test of an agent: the real one, over set answers instead of an engine.

**Time.** On a `VirtualTimeLoop` the mock lives by the loop's clock, like everything else there. On another loop it has
a clock of its own, which jumps to the next thing due when the loop has nothing left to run and somebody waits on the
mock; nothing waits for real. There asyncio's own timers (``asyncio.sleep``, ``asyncio.timeout``) still take real time,
and the mock's clock knows nothing of them: use ``ctx.sleep`` and ``ctx.move_on_after``, or virtual time.

**Not mocked**: retries, recovery, the clean-up budget, what becomes of open tasks when the agent ends. The agent hears
of its cancel at its awaits on the context; asyncio's own awaits go on, also that of a TaskGroup for its branches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any, Final

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.conversion import decode, encode
from rescind.model.agent_values import EntryRole, EntryType, LoadedMessage, StreamEvent
from rescind.model.children import Budget
from rescind.model.ids import ExecutionId, task_id_from_key
from rescind.model.messages import EntryRecord
from rescind.model.options import Seconds, milliseconds
from rescind.model.status import CancelTaskResult
from rescind.runtime.agent_context import AgentContext
from rescind.runtime.agent_conversation import loaded_messages
from rescind.testing.mock_children import ChildCancelRequest, SpawnedChild
from rescind.testing.mock_clock import MockClock
from rescind.testing.mock_port import MockPort
from rescind.testing.mocked_work import MockedWork

_numbers: Final = count(1)


class MockAgentContext(MockedWork, AgentContext):
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
        child_results: Mapping[Any, Any] | None = None,
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
        budget: Budget | None = None,
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
            child_results: what spawned agents do, by kind or by the agent, in the forms of `task_results`.
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
            budget: what it may use up.
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
        port.budget = budget
        super().__init__(port)
        for task, answer in (task_results or {}).items():
            self.set_task_result(task, answer)
        for agent, answer in (child_results or {}).items():
            self.set_child_result(agent, answer)
        for step, answer in (step_results or {}).items():
            port.step_answers.set(step, answer)
        for signal, value in signals.items() if isinstance(signals, Mapping) else signals:
            self.add_signal(signal, value)
        if cancel_after is not None:
            port.clock.call_after(milliseconds(cancel_after, "cancel_after"), self.request_cancellation)

    # -- what the test sets while the agent runs --

    def set_child_result(self, agent: str | AgentDefinition[Any, Any], result: Any) -> None:
        """Set what the children of a kind do that are spawned from now on."""
        self._port.children.set_answer(agent, result)

    def add_signal(
        self, name: str, value: Any = None, *, after: Seconds = 0, child: SpawnedChild | None = None
    ) -> None:
        """Send the agent a signal, now or in so many seconds (or a timedelta); from one of its children, if named."""
        child_id = child.child_id if child is not None else None
        send = partial(self._port.add_signal, name, encode(value, what=f"signal {name!r}"), child_id)
        if delay := milliseconds(after, "after"):
            self._port.clock.call_after(delay, send)
        else:
            send()

    # -- what the agent did --

    @property
    def spawned_children(self) -> list[SpawnedChild]:
        """The agents that it spawned, in order, as they stand."""
        return list(self._port.children.by_id.values())

    @property
    def cancelled_children(self) -> list[str]:
        """The ids of the children that it cancelled, in order; scopes included."""
        requests = self._port.children.cancel_requests
        return [one.child_id for one in requests if one.result is CancelTaskResult.CANCELLED]

    @property
    def child_cancel_requests(self) -> list[ChildCancelRequest]:
        """All requests to cancel a child, in order, also those that came too late."""
        return list(self._port.children.cancel_requests)

    @property
    def parent_signals(self) -> list[tuple[str, Any]]:
        """The signals that it sent to its parent, in order: names and values."""
        return list(self._port.children.told_parent)

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


def _entry(execution_id: ExecutionId, number: int, role: EntryRole | str, content: Any) -> EntryRecord:
    entry_id = task_id_from_key(f"{execution_id}:message:{number}")
    return EntryRecord(entry_id, EntryType.MESSAGE.value, EntryRole(role).value, encode(content, what="a message"))
