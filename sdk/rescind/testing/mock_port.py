"""An AgentPort with set answers: the tasks, waits, signals and steps behind a `MockAgentContext`.

What falls due at an instant happens when the agent's branches have all come to a stop, as in the engine, where nothing
leaves an agent before it waits. Tasks that end at the same instant end in the order of scheduling, and the agent goes
on behind them; but what cancels losers does so in the step of the winner's end, when those behind it are still open.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from rescind.authoring.conversion import decode, encode
from rescind.errors import ContextNotActive, ExecutionCancelled, NotMocked
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import ExecutionId, Instant, TaskId, task_id_from_key
from rescind.model.messages import EntryRecord, StreamedEvent
from rescind.model.operations import Signal, StepRecorded, TasksSettled, WaitCondition
from rescind.model.options import TaskOptions, milliseconds
from rescind.model.outcome import Failure, Outcome
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT, Payload
from rescind.model.signal_names import signal_pattern_matches
from rescind.model.status import STOP_ENDED, CancelMode, CancelTaskResult, FailureKind, StopState, TaskStatus
from rescind.runtime.failures import failure_of
from rescind.testing.mock_task import (
    Answers,
    CancelRequest,
    MockTask,
    ScheduledTask,
    ended_among,
    ends_that_matter,
    outcome_of,
    timed_out,
)

if TYPE_CHECKING:
    from rescind.testing.mock_agent import Alarm, MockClock

_UNKNOWN: Final = Outcome(
    TaskStatus.FAILED, failure=Failure(FailureKind.REJECTED, "this agent has no such task", retryable=False)
)
_NOTHING_SAID: Final = MockTask()
_WAYS_OUT: Final = "Let it end, set a deadline, or let the agent be cancelled: MockAgentContext(cancel_after=seconds)."

# The ports in whose shields, and in whose steps, the running code stands. Branches inherit them.
_shields: Final[ContextVar[tuple[MockPort, ...]]] = ContextVar("rescind_mock_shields", default=())
_steps: Final[ContextVar[tuple[MockPort, ...]]] = ContextVar("rescind_mock_steps", default=())


@dataclass(slots=True, eq=False)
class Wait:
    """Somebody waits. `is_over` is asked after each change; `answer` is called once, told whether time ran out.

    NotMocked with the text `refusal` is raised if nothing is left that could end it.
    """

    refusal: str
    is_shielded: bool
    is_over: Callable[[], bool]
    answer: Callable[[bool], Any]
    deadline: Alarm | None = None
    future: asyncio.Future[Any] = field(init=False)


class MockPort:
    """`AgentPort`, which describes its methods, with the answers that `MockAgentContext` is given.

    Attributes:
        clock: the time it lives by.
        answers: what tasks do.
        step_answers: what steps give; a step without one runs.
        tasks, cancel_requests, appended, checkpoints, streamed, steps, slept, consumed: what the agent did, in order.
        signals: what is queued.
        awaits: how often the agent has awaited the context.
        cancel_at_await: at which of these it is cancelled.
    """

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
        self.answers = Answers()
        self.step_answers = Answers()
        self.tasks: dict[TaskId, ScheduledTask] = {}
        self.cancel_requests: list[CancelRequest] = []
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

    def set_answer(self, kind: str) -> None:
        """The answer of a kind was set: open tasks that had none, or would never end, get it."""
        for task in self.tasks.values():
            if task.kind == kind and task.outcome is None and (task.mock is None or task.mock.never):
                self._give_answer(task, encode(task.input, what=f"input of task {kind!r}"))

    def add_signal(self, name: str, value: Payload) -> None:
        """Queue a signal."""
        self.signals.append(Signal(name, value, next(self._numbers)))
        self.clock.look_at_waits()

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
        if task_id not in self.tasks:
            task_input = decode(payload, None, what=f"input of task {kind!r}")
            at = self.clock.elapsed() / 1e6
            task = ScheduledTask(UUID(task_id), kind, task_input, queue or self.queue, options, at)
            self.tasks[task_id] = task
            self._give_answer(task, payload)
        return task_id

    def leave_tasks(self, task_ids: Sequence[TaskId], cause: CancelCause) -> None:
        for task_id in task_ids:
            task = self.tasks.get(task_id)
            if task is not None and task.outcome is None:
                self._decide(task_id, cause, CancelMode.TRY)

    async def cancel_task(self, task_id: TaskId, cause: CancelCause, mode: CancelMode) -> CancelTaskResult:
        await self.tell_cancel()
        request = self._decide(task_id, cause, mode)
        self._send()
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
        await self.tell_cancel()
        self._send()
        if unknown := [task_id for task_id in task_ids if task_id not in self.tasks]:
            return TasksSettled(tuple((task_id, _UNKNOWN) for task_id in unknown))
        members = [self.tasks[task_id] for task_id in task_ids]
        self._require_answers(members)

        def answer(timed_out: bool) -> TasksSettled:
            ended = dict.fromkeys(ends_that_matter(members, condition, needed) or ended_among(members))
            outcomes = tuple((TaskId(str(task.task_id)), task.outcome) for task in ended if task.outcome is not None)
            left = [task_id for task_id in dict.fromkeys(task_ids) if losers and self.tasks[task_id].outcome is None]
            for task_id in left:
                assert losers is not None
                self._decide(task_id, CancelCause(losers, f"agent:{self.execution_id}"), CancelMode.TRY)
            return TasksSettled(outcomes, tuple(left), timed_out)

        def is_over() -> bool:
            return ends_that_matter(members, condition, needed) is not None

        refusal = f"{_named(members)} was awaited, and nothing is left that could end the wait. {_WAYS_OUT}"
        settled: TasksSettled = await self._wait(refusal, is_over, answer, timeout_ms)
        return settled

    async def await_stopped(
        self, task_ids: Sequence[TaskId], timeout_ms: int | None
    ) -> Mapping[TaskId, StopState | None]:
        await self.tell_cancel()
        self._send()
        members = {task_id: self.tasks.get(task_id) for task_id in task_ids}
        known = [task for task in members.values() if task is not None]
        self._require_answers(known)
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
        self._send()

    async def take_signal(self, pattern: str, *, is_glob: bool) -> Signal:
        await self.tell_cancel()
        self._send()
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
            await self.sleep(milliseconds(mock.delay, "delay"))
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

    async def sleep(self, duration_ms: int) -> None:
        """Wait for a time."""
        if duration_ms:
            await self._wait("", lambda: False, timeout_ms=duration_ms)
        else:
            await asyncio.sleep(0)

    # -- tasks --

    def _give_answer(self, task: ScheduledTask, payload: Payload) -> None:
        mock = self.answers.next_for_task(task.kind, payload)
        if mock is None:
            return
        task.mock = mock
        outcome = outcome_of(mock, task.kind)
        ends_after = None if outcome is None else milliseconds(mock.delay, "delay")
        for limit, name in (
            (task.options.start_to_close_ms, "start_to_close"),
            (task.options.schedule_to_close_ms, "schedule_to_close"),
        ):
            if limit is not None and (ends_after is None or limit < ends_after):
                ends_after, outcome = limit, timed_out(f"Task timed out after {limit} ms ({name})")
        if task.end is not None:
            task.end.cancel()
        if outcome is not None and ends_after is not None:
            due = round(task.scheduled_at * 1e6) + ends_after * 1_000
            by_request = outcome.status is TaskStatus.CANCELLED
            task.end = self.clock.call_at(due, partial(self._end_task, task, outcome, by_request=by_request))

    def _end_task(self, task: ScheduledTask, outcome: Outcome, *, by_request: bool = False) -> None:
        if task.outcome is not None:
            return
        task.outcome = outcome
        task.ended_at = self.clock.elapsed() / 1e6
        task.end_number = next(self._numbers)
        if task.end is not None:
            task.end.cancel()
        if outcome.failure is not None and outcome.failure.kind is FailureKind.TIMED_OUT:
            self._stop(task)
        for place, request in enumerate(task.asked):
            obeyed = place == 0 and outcome.status is TaskStatus.CANCELLED and not by_request
            request.result = CancelTaskResult.CANCELLED if obeyed else _already(outcome)
        self.clock.look_at_waits()

    def _decide(self, task_id: TaskId, cause: CancelCause, mode: CancelMode) -> CancelRequest:
        """Decide a request to cancel, and record it; its result is None if the work is left to decide."""
        request = CancelRequest(UUID(task_id), cause.reason, cause.source, mode)
        self.cancel_requests.append(request)
        task = self.tasks.get(task_id)
        if task is None:
            request.result = CancelTaskResult.NOT_FOUND
        elif task.outcome is not None:
            request.result = _already(task.outcome)
        elif mode is CancelMode.WAIT and self._is_running(task):
            task.asked.append(request)
            if len(task.asked) == 1:
                task.cause = cause
                outcome = Outcome(TaskStatus.CANCELLED, cause=cause, attempts=1)
                self.clock.call_after(0, partial(self._end_task, task, outcome))
        else:
            request.result = CancelTaskResult.CANCELLED
            running = self._is_running(task)
            if running and mode is not CancelMode.ABANDON:
                self._stop(task)
            first = task.cause or cause
            self._end_task(task, Outcome(TaskStatus.CANCELLED, cause=first, attempts=int(running)), by_request=True)
        return request

    def _is_running(self, task: ScheduledTask) -> bool:
        is_claimed = task.sent or self.clock.elapsed() / 1e6 > task.scheduled_at
        return is_claimed and (task.mock or _NOTHING_SAID).stop_state is not None

    def _stop(self, task: ScheduledTask) -> None:
        """Stop the work of a task that is being ended from outside."""
        task.stop_state = (task.mock or _NOTHING_SAID).stop_state
        task.at_work = task.stop_state is not None and task.stop_state not in STOP_ENDED

    def _send(self) -> None:
        """The agent waits: what it has scheduled leaves it, and is taken up by a worker."""
        for task in self.tasks.values():
            task.sent = True

    # -- waits --

    async def _wait(
        self,
        refusal: str,
        is_over: Callable[[], bool],
        answer: Callable[[bool], Any] = lambda _: None,
        timeout_ms: int | None = None,
    ) -> Any:
        return await self.clock.wait(Wait(refusal, self in _shields.get(), is_over, answer), timeout_ms)

    def _require_answers(self, tasks: Sequence[ScheduledTask]) -> None:
        for task in tasks:
            if task.outcome is None and task.mock is None:
                missing = "further result (its Calls are used up)" if self.answers.has(task.kind) else "result"
                raise NotMocked(
                    f"task {task.kind!r} (input {_short(task.input)}) was awaited, and no {missing} is set for it. "
                    f"Give MockAgentContext(task_results={{{task.kind!r}: …}}), or MockTask(never=True)."
                )

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
        except Exception as error:
            return StepRecorded(failure=failure_of(error))
        finally:
            self.clock.holds -= 1
            self.clock.look()


def _already(outcome: Outcome) -> CancelTaskResult:
    return CancelTaskResult(f"ALREADY_{outcome.status.value}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _named(tasks: Sequence[ScheduledTask]) -> str:
    return ", ".join(f"task {task.kind!r} (input {_short(task.input)})" for task in tasks if task.outcome is None)
