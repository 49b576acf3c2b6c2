"""A context for the unit test of an agent: the real one, over set answers instead of an engine.

**Time.** On a `VirtualTimeLoop` the mock lives by the loop's clock, like everything else there. On another loop it has
a clock of its own, which jumps to the next thing due when the loop has nothing left to run and somebody waits on the
mock; nothing waits for real. There asyncio's own timers (``asyncio.sleep``, ``asyncio.timeout``) still take real time,
and the mock's clock knows nothing of them: use ``ctx.sleep`` and ``ctx.move_on_after``, or virtual time.

**Not mocked**: retries, recovery, the clean-up budget, what becomes of open tasks when the agent ends. The agent hears
of its cancel at its awaits on the context; asyncio's own awaits go on, also that of a TaskGroup for its branches.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, Final
from uuid import UUID

from rescind.authoring.conversion import decode, encode
from rescind.authoring.task import TaskDefinition
from rescind.errors import InvalidInput, NotMocked
from rescind.model.agent_values import EntryRole, EntryType, LoadedMessage, StreamEvent
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import ExecutionId, Instant, task_id_from_key
from rescind.model.messages import EntryRecord
from rescind.model.operations import Signal
from rescind.model.options import Seconds, milliseconds
from rescind.model.status import CancelTaskResult
from rescind.runtime.agent_context import AgentContext
from rescind.runtime.agent_conversation import loaded_messages
from rescind.runtime.scope import Shield, TaskScope
from rescind.testing.mock_port import MockPort, Wait
from rescind.testing.mock_task import Calls, CancelRequest, MockTask, ScheduledTask
from rescind.testing.virtual_time import DEFAULT_START, VirtualTimeLoop

__all__ = ["Calls", "CancelRequest", "MockAgentContext", "MockTask", "ScheduledTask"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_numbers: Final = count(1)
# Code that polls with asyncio.sleep(0), or a second mock, keeps the loop awake; after so many turns the mock goes on.
_TURNS_UNTIL_IDLE: Final = 1_000
# A timer that is further away on an ordinary loop, in seconds, guards the test; it drives nothing.
_LONGEST_REAL_WAIT: Final = 1.0


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
            task_results: what tasks do, by kind or by the task's function; see `mock_task`. A function among them is
                given the input as JSON where the key is a kind, and as its declared type where it is the task.
            signals: what is queued, oldest first.
            step_results: what ``ctx.run`` gives, by name, in the same forms; a step that is not named really runs.
            messages: the conversation so far: roles and contents.
            state, checkpoint_sequence: the last checkpoint's; its number is 1 if left out, -1 if there is no state.
            cancel_after: when the agent is cancelled, in seconds (or a timedelta) from its first use of the context.
            cancel_at_await: at which of its awaits on the context it is cancelled, from 1; see `awaits`.
            execution_id, organisation, queue, labels, parent_execution_id: as of any execution.
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
        self._port.set_answer(self._port.answers.set(task, result))

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
        return list(self._port.tasks.values())

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
        return [one.task_id for one in self._port.cancel_requests if one.result is CancelTaskResult.CANCELLED]

    @property
    def cancel_requests(self) -> list[CancelRequest]:
        """All requests to cancel a task, in order, also those that came too late."""
        return list(self._port.cancel_requests)

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

    # -- AgentContext, where the time is asyncio's --

    async def sleep(self, duration: Seconds) -> None:
        """See `AgentContext.sleep`. It counts as an await on the context, and takes no real time."""
        duration_ms = milliseconds(duration, "duration")
        await self._port.flush()
        self._port.slept.append(duration_ms / 1_000)
        await self._port.sleep(duration_ms)

    def move_on_after(self, seconds: Seconds) -> TaskScope:
        """See `AgentContext.move_on_after`."""
        return _MockScope(self._port, milliseconds(seconds, "seconds") / 1_000)

    def fail_after(self, seconds: Seconds) -> TaskScope:
        """See `AgentContext.fail_after`."""
        return _MockScope(self._port, milliseconds(seconds, "seconds") / 1_000, fails=True)

    def shield(self, within_ms: int | None = None) -> Shield:
        """See `AgentContext.shield`."""
        super().shield(within_ms)
        return _MockShield(self._port, within_ms)

    def __repr__(self) -> str:
        states = Counter(task.status.value for task in self.scheduled_tasks)
        tasks = ", ".join(f"{number} {status}" for status, number in states.items()) or "none"
        return f"<{type(self).__name__} {self.execution_id!r} at +{self.elapsed:.3f} s, tasks: {tasks}>"


def _entry(execution_id: ExecutionId, number: int, role: EntryRole | str, content: Any) -> EntryRecord:
    entry_id = task_id_from_key(f"{execution_id}:message:{number}")
    return EntryRecord(entry_id, EntryType.MESSAGE.value, EntryRole(role).value, encode(content, what="a message"))


def _read(signals: Sequence[Signal]) -> list[tuple[str, Any]]:
    return [(signal.name, decode(signal.value, None, what=f"signal {signal.name!r}")) for signal in signals]


class _InMockTime:
    """A block whose deadline is in the mock's time."""

    _port: Any
    _seconds: Any
    _timeout: asyncio.Timeout | None
    _deadline: Alarm | None = None

    async def __aenter__(self) -> Any:
        entered = await super().__aenter__()  # type: ignore[misc]
        if self._timeout is not None:
            expire = partial(self._timeout.reschedule, asyncio.get_running_loop().time())
            self._timeout.reschedule(None)
            self._deadline = self._port.clock.call_after(round(self._seconds * 1_000), expire, is_awaited=True)
        return entered

    async def __aexit__(self, *error: Any) -> Any:
        if self._deadline is not None:
            self._deadline.cancel()
        return await super().__aexit__(*error)  # type: ignore[misc]


class _MockScope(_InMockTime, TaskScope):
    pass


class _MockShield(_InMockTime, Shield):
    @property
    def _seconds(self) -> float:
        return (self._within_ms or 0) / 1_000


@dataclass(slots=True, eq=False)
class Alarm:
    """Something due at a time; `is_awaited` if the clock is to go on to it even while nobody waits on the mock."""

    due: int
    callback: Callable[[], object] | None
    is_awaited: bool = False
    timer: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        """It shall not happen."""
        self.callback = None
        if self.timer is not None:
            self.timer.cancel()


class MockClock:
    """The mock's time, in microseconds from its first use, and who waits in it. While a step `holds` it, it stands."""

    def __init__(self, start: datetime | None) -> None:
        if start is not None and start.tzinfo is None:
            raise InvalidInput(f"start {start!r} has no time zone. Give it one: start.replace(tzinfo=timezone.utc).")
        self.holds = 0
        self._start = start
        self._elapsed = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bound_at = 0
        self._thread = threading.get_ident()
        self._alarms: list[tuple[int, int, Alarm]] = []
        self._orders = count()
        self._waits: list[Wait] = []
        self._turns = 0
        self._next_look: asyncio.TimerHandle | None = None

    def elapsed(self) -> int:
        """The time that has passed."""
        if isinstance(self._loop, VirtualTimeLoop):
            return self._elapsed + self._loop.microseconds() - self._bound_at
        return self._elapsed

    def now(self) -> Instant:
        """The instant."""
        return Instant(((self._start or DEFAULT_START) - _EPOCH) // timedelta(microseconds=1) + self.elapsed())

    def bind(self) -> bool:
        """Live by the running loop; returns whether the caller may use the mock from where it is."""
        loop = asyncio._get_running_loop()
        if loop is None or loop is self._loop:
            return threading.get_ident() == self._thread
        if self._waits and self._loop is not None and not self._loop.is_closed():
            return False
        self._elapsed = self.elapsed()
        self._loop, self._thread, self._turns = loop, threading.get_ident(), 0
        if isinstance(loop, VirtualTimeLoop):
            self._bound_at = loop.microseconds()
            self._start = self._start or loop.now() - timedelta(microseconds=self._elapsed)
        for _, _, alarm in self._alarms:
            self._set_timer(alarm)
        self.look()
        return True

    def call_after(self, delay_ms: int, callback: Callable[[], object], is_awaited: bool = False) -> Alarm:
        """Have something happen in so many milliseconds."""
        return self.call_at(self.elapsed() + delay_ms * 1_000, callback, is_awaited)

    def call_at(self, due: int, callback: Callable[[], object], is_awaited: bool = False) -> Alarm:
        """Have something happen at a time; if that is past, when the loop comes to rest."""
        alarm = Alarm(due, callback, is_awaited)
        heapq.heappush(self._alarms, (due, next(self._orders), alarm))
        self._set_timer(alarm)
        self.look()
        return alarm

    async def wait(self, wait: Wait, timeout_ms: int | None) -> Any:
        """Wait until it is over, or time runs out; returns its answer."""
        if wait.is_over() or timeout_ms == 0:
            return wait.answer(not wait.is_over())
        wait.future = asyncio.get_running_loop().create_future()
        self._waits.append(wait)
        if timeout_ms is not None:
            wait.deadline = self.call_after(timeout_ms, partial(self._settle, wait, timed_out=True))
        self.look()
        try:
            return await wait.future
        finally:
            self._forget(wait)

    def look_at_waits(self) -> None:
        """Something has changed: end the waits that are over."""
        for wait in tuple(self._waits):
            if wait in self._waits and wait.is_over():
                self._settle(wait, timed_out=False)

    def interrupt(self, error_for: Callable[[Wait], BaseException | None]) -> None:
        """End waits with an error: those for which there is one."""
        for wait in tuple(self._waits):
            error = error_for(wait)
            if error is not None and not wait.future.done():
                self._forget(wait)
                wait.future.set_exception(error)

    def look(self) -> None:
        """Decide what comes next, when the loop has nothing left to run."""
        if self._turns == 0 and self._loop is not None and not self._loop.is_closed():
            self._turns = 1
            self._loop.call_soon(self._look_whether_idle)

    def _settle(self, wait: Wait, *, timed_out: bool) -> None:
        self._forget(wait)
        answer = wait.answer(timed_out)
        if not wait.future.done():
            wait.future.set_result(answer)

    def _forget(self, wait: Wait) -> None:
        self._waits = [other for other in self._waits if other is not wait]
        if wait.deadline is not None:
            wait.deadline.cancel()

    def _set_timer(self, alarm: Alarm) -> None:
        ahead = alarm.due - self.elapsed()
        if isinstance(self._loop, VirtualTimeLoop) and ahead > 0 and alarm.callback is not None:
            alarm.timer = self._loop.call_at(self._loop.time() + ahead / 1e6, self._ring)

    def _ring(self) -> None:
        while self._alarms and self._alarms[0][0] <= self.elapsed():
            callback = heapq.heappop(self._alarms)[2].callback
            if callback is not None:
                callback()
        self.look()

    def _look_whether_idle(self) -> None:
        assert self._loop is not None
        # What asyncio keeps ready to run; unchanged from 3.11 to 3.13.
        if getattr(self._loop, "_ready", True) and self._turns < _TURNS_UNTIL_IDLE:
            self._turns += 1
            self._loop.call_soon(self._look_whether_idle)
            return
        self._turns = 0
        while self._alarms and self._alarms[0][2].callback is None:
            heapq.heappop(self._alarms)
        if self._alarms and self._alarms[0][0] <= self.elapsed():
            self._ring()
        elif not self.holds and (self._waits or any(alarm.is_awaited for _, _, alarm in self._alarms)):
            self._go_on(self._loop)

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """The agent waits, and nothing is due now: jump, look again behind the loop's next timer, or refuse."""
        if self._next_look is not None:
            self._next_look.cancel()
        is_virtual = isinstance(loop, VirtualTimeLoop)
        latest = math.inf if is_virtual else loop.time() + _LONGEST_REAL_WAIT
        handles = getattr(loop, "_scheduled", ())
        timers = [timer.when() for timer in handles if timer.when() <= latest and not timer.cancelled()]
        if self._alarms and (self._waits or not timers):
            if not is_virtual:
                self._elapsed = self._alarms[0][0]
                self._ring()
        elif timers:
            self._next_look = loop.call_at(min(timers), self.look)
        else:
            self.interrupt(lambda wait: NotMocked(wait.refusal))
