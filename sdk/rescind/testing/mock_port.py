"""An AgentPort with set answers: the tasks, waits, signals and steps behind a `MockAgentContext`.

What falls due at an instant happens when the agent's branches have all come to a stop, as in the engine, where nothing
leaves an agent before it waits. Tasks that end at the same instant end in the order of scheduling, and the agent goes
on behind them; but what cancels losers does so in the step of the winner's end, when those behind it are still open.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from itertools import count
from random import Random
from typing import Any, Final

from rescind.authoring.conversion import decode, encode
from rescind.errors import ContextNotActive, ExecutionCancelled, NotMocked
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.child_operations import ChildEnd, ChildrenSettled
from rescind.model.children import NOTHING_USED, Budget, Usage
from rescind.model.ids import ExecutionId, Instant, TaskId, child_id_from_key, task_id_from_key
from rescind.model.messages import EntryRecord, StreamedEvent
from rescind.model.operations import Signal, StepRecorded, TasksSettled, WaitCondition
from rescind.model.options import TaskOptions, milliseconds
from rescind.model.outcome import Failure, Outcome
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT, Payload
from rescind.model.signal_names import signal_pattern_matches
from rescind.model.status import CancelMode, CancelTaskResult, FailureKind, StopState, TaskStatus
from rescind.runtime.failures import failure_of
from rescind.runtime.ports import ChildOptions
from rescind.testing.mock_answers import Answers, outcome_of
from rescind.testing.mock_children import SpawnedChildren
from rescind.testing.mock_clock import MockClock, Wait
from rescind.testing.mock_scheduled import ScheduledTasks, described, ended_among, ends_that_matter

_UNKNOWN: Final = Outcome(
    TaskStatus.FAILED, failure=Failure(FailureKind.REJECTED, "this agent has no such task", retryable=False)
)
_UNKNOWN_CHILD: Final = Outcome(
    TaskStatus.FAILED, failure=Failure(FailureKind.REJECTED, "this agent has no such child", retryable=False)
)
_WAYS_OUT: Final = "Let it end, set a deadline, or let the agent be cancelled: MockAgentContext(cancel_after=seconds)."

# The ports in whose shields, and in whose steps, the running code stands. Branches inherit them.
_shields: Final[ContextVar[tuple[MockPort, ...]]] = ContextVar("rescind_mock_shields", default=())
_steps: Final[ContextVar[tuple[MockPort, ...]]] = ContextVar("rescind_mock_steps", default=())


class MockPort:
    """`AgentPort`, which describes its methods, with the answers that `MockAgentContext` is given.

    Attributes:
        clock: the time it lives by.
        tasks: what it has scheduled, and what becomes of it.
        children: what it has spawned, likewise.
        budget: what it may use up.
        usage: what it had used up before.
        reported: what it says that it has used up, in order.
        step_answers: what steps give; a step without one runs.
        appended: the entries that the agent appended, in order.
        checkpoints: the states that it stored, in order.
        streamed: what it streamed, in order.
        steps: the names of the steps that it ran, in order.
        slept: how long it slept, each in seconds, in order.
        signals: what is queued.
        consumed: the signals that it took, in order.
        awaits: how often the agent has awaited the context.
        cancel_at_await: at which of these it is cancelled.
    """

    sort = "agent"
    parent_id: ExecutionId | None = None
    payload_limit = DEFAULT_PAYLOAD_LIMIT

    def __init__(self, execution_id: str, agent_input: Payload, clock: MockClock, seed: int) -> None:
        self.execution_id = ExecutionId(execution_id)
        self.input = agent_input
        self.organisation = self.queue = "default"
        self.labels: Mapping[str, str] = {}
        self.state: Payload | None = None
        self.checkpoint_sequence = -1
        self.entries: Sequence[EntryRecord] = ()
        self.clock = clock
        self.tasks = ScheduledTasks(clock)
        self.children = SpawnedChildren(clock)
        self.budget: Budget | None = None
        self.usage = NOTHING_USED
        self.reported: list[Usage] = []
        self.step_answers = Answers()
        self.appended: list[EntryRecord] = []
        self.checkpoints: list[Payload] = []
        self.streamed: list[StreamedEvent] = []
        self.steps: list[str] = []
        self.slept: list[float] = []
        self.signals: list[Signal] = []
        self.consumed: list[Signal] = []
        self.awaits = 0
        self.cancel_at_await: int | None = None
        self._cause: CancelCause | None = None
        self._random = Random(seed)
        self._positions = count(1)
        self._numbers = count(1)

    # -- for the test --

    def request_cancellation(self, cause: CancelCause) -> None:
        """Cancel the agent: what waits outside a shield is told now. The first cause is kept."""
        if self._cause is None:
            self._cause = cause
            self.clock.interrupt(lambda wait: None if wait.is_shielded else ExecutionCancelled(cause))

    def add_signal(self, name: str, value: Payload, child_id: str | None = None) -> None:
        """Queue a signal; from a child, if one is named."""
        signal = Signal(name, value, next(self._numbers))
        self.signals.append(signal)
        self.clock.look_at_waits()
        if child_id is not None:
            self.children.signalled(child_id, signal)

    # -- AgentPort --

    def ensure_active(self) -> None:
        if self in _steps.get() or not self.clock.bind():
            raise ContextNotActive(
                f"the context of agent {self.execution_id!r} was used in a step of ctx.run, or from another thread or "
                "event loop. Use it only inside the agent's own coroutine and its branches."
            )

    def now(self) -> Instant:
        return self.clock.now()

    def randomness(self) -> Random:
        self.ensure_active()
        return self._random

    def schedule(
        self, kind: str, payload: Payload, queue: str | None, options: TaskOptions, idempotency_key: str | None
    ) -> TaskId:
        self.ensure_active()
        key = f"key:{idempotency_key}" if idempotency_key is not None else str(next(self._positions))
        task_id = task_id_from_key(f"{self.execution_id}:{key}")
        self.tasks.schedule(task_id, kind, payload, queue or self.queue, options)
        return task_id

    def leave_tasks(self, task_ids: Sequence[TaskId], cause: CancelCause) -> None:
        self.tasks.leave(task_ids, cause)

    async def cancel_task(self, task_id: TaskId, cause: CancelCause, mode: CancelMode) -> CancelTaskResult:
        await self.tell_cancel()
        request = self.tasks.cancel(task_id, cause, mode)
        self.tasks.send()
        if request.result is None:
            await self._wait(f"task {task_id} was asked to stop, and never does", lambda: request.result is not None)
        assert request.result is not None
        return request.result

    async def await_tasks(
        self,
        task_ids: Sequence[TaskId],
        condition: WaitCondition,
        *,
        needed: int = 1,
        timeout_ms: int | None = None,
        losers: CancelSource | None = None,
    ) -> TasksSettled:
        await self.flush()
        if unknown := [task_id for task_id in task_ids if task_id not in self.tasks.by_id]:
            return TasksSettled(tuple((task_id, _UNKNOWN) for task_id in unknown))
        members = [self.tasks.by_id[task_id] for task_id in task_ids]
        self.tasks.require_answers(members)

        def answer(timed_out: bool) -> TasksSettled:
            ended = dict.fromkeys(ends_that_matter(members, condition, needed) or ended_among(members))
            outcomes = tuple((TaskId(str(task.task_id)), task.outcome) for task in ended if task.outcome is not None)
            left = self.tasks.leave(task_ids, CancelCause(losers, f"{self.sort}:{self.execution_id}")) if losers else ()
            return TasksSettled(outcomes, tuple(left), timed_out)

        def is_over() -> bool:
            return ends_that_matter(members, condition, needed) is not None

        refusal = f"{described(members)} was awaited, and nothing is left that could end the wait. {_WAYS_OUT}"
        settled: TasksSettled = await self._wait(refusal, is_over, answer, timeout_ms)
        return settled

    async def await_stopped(
        self, task_ids: Sequence[TaskId], timeout_ms: int | None
    ) -> Mapping[TaskId, StopState | None]:
        await self.flush()
        members = {task_id: self.tasks.by_id.get(task_id) for task_id in task_ids}
        known = [task for task in members.values() if task is not None]
        self.tasks.require_answers(known)
        await self._wait(
            f"the stop of {', '.join(task_ids)} was awaited, and nothing is left that could end the wait. {_WAYS_OUT}",
            lambda: all(task.outcome is not None and not task.at_work for task in known),
            timeout_ms=timeout_ms,
        )
        return {task_id: task.stop_state if task is not None else None for task_id, task in members.items()}

    def append_entry(self, entry_type: str, role: str, content: Payload, turn_id: str | None) -> EntryRecord:
        self.ensure_active()
        entry_id = task_id_from_key(f"{self.execution_id}:entry:{next(self._positions)}")
        record = EntryRecord(entry_id, entry_type, role, content, turn_id, self.now())
        self.appended.append(record)
        return record

    async def checkpoint(self, state: Payload) -> None:
        await self.flush()
        self.checkpoints.append(state)

    async def flush(self) -> None:
        await self.tell_cancel()
        self.tasks.send()

    async def take_signal(self, pattern: str, *, is_glob: bool) -> Signal:
        await self.flush()
        # Taken only by one who has come back: a wait that is cancelled in between has taken nothing.
        while not (queued := self._selected(pattern, is_glob)):
            await self._wait(
                f"signal {pattern!r} was awaited, and nobody sends it. Give "
                f"MockAgentContext(signals=[({pattern!r}, …)]), or use ctx.add_signal({pattern!r}, …, after=seconds).",
                lambda: bool(self._selected(pattern, is_glob)),
            )
        return self._consume(queued[:1])[0]

    async def drain_signals(self, pattern: str, *, is_glob: bool) -> Sequence[Signal]:
        await self.flush()
        return self._consume(self._selected(pattern, is_glob))

    async def has_signal(self, pattern: str, *, is_glob: bool) -> bool:
        await self.flush()
        return bool(self._selected(pattern, is_glob))

    async def run_step(self, name: str, function: Callable[[], Awaitable[Any] | Any]) -> StepRecorded:
        await self.flush()
        self.steps.append(name)
        mock = self.step_answers.next_for_step(name, getattr(function, "args", ()))
        if mock is not None:
            outcome = outcome_of(mock, name)
            await self._pass(milliseconds(mock.delay, "delay"))
            if outcome is None:
                await self._wait(f"step {name!r} was awaited, and it never ends. {_WAYS_OUT}", lambda: False)
            return StepRecorded(outcome.output, outcome.failure) if outcome else StepRecorded()
        if self.step_answers.has(name):
            raise NotMocked(f"step {name!r} was run more often than its Calls have answers. Add one for each run.")
        step = asyncio.get_running_loop().create_task(self._perform(name, function))
        step.add_done_callback(lambda _: self.clock.look_at_waits())
        try:
            await self._wait(f"step {name!r} never ends", step.done)
        finally:
            step.cancel()
        return step.result()

    def stream(self, event: StreamedEvent) -> None:
        self.ensure_active()
        self.streamed.append(event)

    def spawn(self, kind: str, payload: Payload, options: ChildOptions, idempotency_key: str | None) -> ExecutionId:
        self.ensure_active()
        key = f"key:{idempotency_key}" if idempotency_key is not None else str(next(self._positions))
        child_id = child_id_from_key(self.execution_id, key)
        self.children.spawn(child_id, kind, payload, options._replace(queue=options.queue or self.queue))
        return child_id

    def leave_children(self, child_ids: Sequence[ExecutionId], cause: CancelCause) -> None:
        self.children.leave(child_ids, cause)

    async def cancel_child(
        self, child_id: ExecutionId, cause: CancelCause, *, hard: bool, within_ms: int | None
    ) -> CancelTaskResult:
        await self.flush()
        return self.children.cancel(child_id, cause, hard=hard)

    async def await_children(
        self,
        child_ids: Sequence[ExecutionId],
        condition: WaitCondition,
        *,
        timeout_ms: int | None = None,
        with_signals: bool = False,
        only_first: bool = False,
    ) -> ChildrenSettled:
        await self.flush()
        if unknown := [child_id for child_id in child_ids if child_id not in self.children.by_id]:
            return ChildrenSettled(tuple(ChildEnd(child_id, _UNKNOWN_CHILD) for child_id in unknown))
        members = [self.children.by_id[child_id] for child_id in child_ids]
        if timeout_ms is None:
            self.children.require_answers(members)
        is_over, answer = self.children.watching(members, condition, with_signals=with_signals, only_first=only_first)
        refusal = f"{members} was awaited, and nothing is left that could end the wait. {_WAYS_OUT}"
        settled: ChildrenSettled = await self._wait(refusal, is_over, answer, timeout_ms)
        return settled

    async def signal_child(self, child_id: ExecutionId, name: str, value: Payload) -> bool:
        await self.flush()
        return self.children.signal(child_id, name, value)

    async def signal_parent(self, name: str, value: Payload) -> bool:
        await self.flush()
        self.children.told_parent.append((name, decode(value, None, what=f"signal {name!r}")))
        return True

    def report_usage(self, usage: Usage) -> None:
        self.ensure_active()
        self.reported.append(usage)

    def cancel_cause(self) -> CancelCause | None:
        return self._cause

    @contextmanager
    def shield(self) -> Iterator[None]:
        _shields.set((*_shields.get(), self))
        try:
            yield
        finally:
            entered = list(_shields.get())
            entered.remove(self)
            _shields.set(tuple(entered))

    async def tell_cancel(self) -> None:
        self.ensure_active()
        self.awaits += 1
        if self.awaits == self.cancel_at_await:
            reason = f"the test cancels at await {self.awaits}"
            self.request_cancellation(CancelCause(CancelSource.REQUEST, "client:test", reason))
        if self._cause is not None and self not in _shields.get():
            raise ExecutionCancelled(self._cause)

    async def sleep(self, seconds: float) -> None:
        await self.flush()
        self.slept.append(seconds)
        await self._pass(round(seconds * 1_000))

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout(None) if seconds is None else self.clock.timeout(seconds)

    # -- waits --

    async def _wait(
        self,
        refusal: str,
        is_over: Callable[[], bool],
        answer: Callable[[bool], Any] = lambda _: None,
        timeout_ms: int | None = None,
    ) -> Any:
        return await self.clock.wait(Wait(refusal, self in _shields.get(), is_over, answer), timeout_ms)

    async def _pass(self, duration_ms: int) -> None:
        """Wait for a time."""
        if duration_ms:
            await self._wait("", lambda: False, timeout_ms=duration_ms)
        else:
            await asyncio.sleep(0)

    # -- signals and steps --

    def _selected(self, pattern: str, is_glob: bool) -> list[Signal]:
        selects = signal_pattern_matches if is_glob else str.__eq__
        return [signal for signal in self.signals if selects(pattern, signal.name)]

    def _consume(self, taken: list[Signal]) -> list[Signal]:
        self.signals = [signal for signal in self.signals if signal not in taken]
        self.consumed.extend(taken)
        return taken

    async def _perform(self, name: str, function: Callable[[], Awaitable[Any] | Any]) -> StepRecorded:
        _steps.set((*_steps.get(), self))
        self.clock.holds += 1
        try:
            if inspect.iscoroutinefunction(getattr(function, "func", function)):
                value = await function()
            else:
                value = await asyncio.to_thread(function)
                value = await value if inspect.isawaitable(value) else value
            return StepRecorded(encode(value, what=f"result of step {name!r}"))
        except Exception as error:  # the step's own code: whatever it raises is its outcome
            return StepRecorded(failure=failure_of(error))
        finally:
            self.clock.holds -= 1
            self.clock.look()
