"""Mocks around tasks: what a task does in the unit test of an agent, and a context for the unit test of a task.

For an agent's test, `MockAgentContext(task_results={"quote": …})` takes as the answer of a kind

- any value: the task completes with it;
- an exception, or its class: the task fails with its text. `TaskCancelled` cancels it, `TaskTimedOut` times it out;
- a function of the task's input that returns any of these, or raises;
- `MockTask`, which can say when, and what becomes of the work if it is stopped;
- `Calls([…])`: one of these for each task of the kind, in the order of scheduling.

For a task's test there is `MockTaskContext`: ``quote.run(MockTaskContext(), request)``.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from rescind.authoring.conversion import decode, encode
from rescind.authoring.task import TaskDefinition
from rescind.errors import AuthoringError, InvalidInput, TaskCancelled, TaskFailed, TaskTimedOut
from rescind.model.agent_values import StreamEvent
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import task_id_from_key
from rescind.model.messages import StreamedEvent
from rescind.model.operations import WaitCondition
from rescind.model.options import Seconds, TaskOptions, milliseconds
from rescind.model.outcome import Failure, Outcome
from rescind.model.payload import Payload
from rescind.model.status import CancelMode, CancelTaskResult, FailureKind, StopState, TaskStatus
from rescind.runtime.failures import failure_of
from rescind.runtime.task_context import CancelHook, LogLevel, TaskContext, take_hooks, tell_cancelled

if TYPE_CHECKING:
    from rescind.testing.mock_agent import Alarm

__all__ = ["Calls", "CancelRequest", "LogMessage", "MockTask", "MockTaskContext", "ProgressReport", "ScheduledTask"]

_LOG: Final = logging.getLogger("rescind.testing")
_numbers: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class MockTask:
    """What a task does in the unit test of an agent. At most one of the first five says how it ends.

    Attributes:
        result: it completes with this value.
        error: it fails, with this exception or text.
        cancelled: it is cancelled by somebody else.
        timed_out: one of its time-outs runs out.
        never: it does not end by itself.
        delay: when it ends, in seconds (or a timedelta) from its scheduling.
        stop_state: how its work ends if it is stopped while it runs. None: it was waiting for a worker, so there is no
            work to stop. REQUESTED or DELIVERED: it never stops.
    """

    result: Any = None
    _: KW_ONLY
    error: BaseException | type[BaseException] | str | None = None
    cancelled: bool = False
    timed_out: bool = False
    never: bool = False
    delay: Seconds = 0
    stop_state: StopState | None = StopState.STOPPED

    def __post_init__(self) -> None:
        said = [name for name in _ENDINGS if getattr(self, name) not in (None, False)]
        if self.result is not None:
            said.insert(0, "result")
        if len(said) > 1:
            raise InvalidInput(f"MockTask was given {' and '.join(said)}; a task ends in one way. Give one of them.")
        milliseconds(self.delay, "delay")


_ENDINGS: Final = ("error", "cancelled", "timed_out", "never")


@dataclass(frozen=True, slots=True)
class Calls:
    """One answer for each task of a kind (or each run of a step), in order."""

    answers: Sequence[Any]

    def __post_init__(self) -> None:
        if isinstance(self.answers, str | bytes) or not isinstance(self.answers, Sequence):
            raise InvalidInput(f"Calls was given {self.answers!r}. Give it a list, with one answer for each call.")


class Answers:
    """The answers that a test has set, by kind of task or by name of step."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[Any, TaskDefinition[Any, Any] | None]] = {}
        self._used: dict[str, int] = {}

    def set(self, task: str | TaskDefinition[Any, Any], answer: Any) -> str:
        """Set what the tasks of a kind do from now on; returns the kind."""
        definition = task if isinstance(task, TaskDefinition) else None
        kind = definition.kind if definition is not None else str(task)
        self._answers[kind] = (answer, definition)
        self._used[kind] = 0
        return kind

    def next_for_task(self, kind: str, payload: Payload) -> MockTask | None:
        """What the next task of this kind does; None if the test has not said it."""
        definition = self._answers.get(kind, (None, None))[1]
        read = definition.decode_input if definition else partial(decode, as_type=None, what=f"input of task {kind!r}")
        return self._next(kind, lambda: (read(payload),))

    def next_for_step(self, name: str, arguments: tuple[Any, ...]) -> MockTask | None:
        """What the next run of this step gives; None if the test has not said it."""
        return self._next(name, lambda: arguments)

    def _next(self, name: str, arguments: Callable[[], tuple[Any, ...]]) -> MockTask | None:
        if not self.has(name):
            return None
        answer = self._answers[name][0]
        if isinstance(answer, Calls):
            used = self._used[name]
            if used >= len(answer.answers):
                return None
            self._used[name] = used + 1
            answer = answer.answers[used]
        if callable(answer) and not _is_error(answer):
            answer = _called(answer, arguments())
        return _as_mock_task(answer, name)

    def has(self, name: str) -> bool:
        """Whether the test has set anything for this kind or step, be it used up."""
        return name in self._answers


def _is_error(answer: object) -> bool:
    return isinstance(answer, BaseException) or (isinstance(answer, type) and issubclass(answer, BaseException))


def _called(answer: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return answer(*arguments)
    except (AssertionError, AuthoringError):
        raise  # meant for the test, not for the agent
    except Exception as error:
        return error


def _as_mock_task(answer: Any, name: str) -> MockTask:
    if isinstance(answer, MockTask):
        return answer
    if isinstance(answer, Calls):
        raise InvalidInput(f"the answer for {name!r} holds Calls in something else. Give Calls itself as the answer.")
    if inspect.iscoroutine(answer):
        answer.close()
        raise InvalidInput(f"the answer for {name!r} is an async function. Give a plain one, and MockTask(delay=…).")
    if not _is_error(answer):
        return MockTask(answer)
    error_class = answer if isinstance(answer, type) else type(answer)
    if issubclass(error_class, TaskCancelled | asyncio.CancelledError):
        return MockTask(cancelled=True)
    if isinstance(answer, type) and issubclass(answer, TaskTimedOut):
        return MockTask(timed_out=True)
    return MockTask(error=answer)


def outcome_of(mock: MockTask, kind: str) -> Outcome | None:
    """How a task ends; None if it never does. Raises InvalidInput if its result is not JSON."""
    if mock.never:
        return None
    if mock.cancelled:
        return Outcome(TaskStatus.CANCELLED, cause=CancelCause(CancelSource.REQUEST, "client:test"), attempts=1)
    if mock.timed_out:
        return timed_out("Task timed out, as the test wants it")
    if mock.error is not None:
        return Outcome(TaskStatus.FAILED, failure=failure_from(mock.error), attempts=1)
    output = encode(mock.result, what=f"result set for task {kind!r}")
    return Outcome(TaskStatus.COMPLETED, output=output, attempts=1)


def timed_out(message: str) -> Outcome:
    """The end of a task one of whose time-outs ran out."""
    return Outcome(TaskStatus.FAILED, failure=Failure(FailureKind.TIMED_OUT, message), attempts=1)


def failure_from(error: BaseException | type[BaseException] | str) -> Failure:
    """The failure that a test has set."""
    if isinstance(error, str):
        return Failure(FailureKind.ERROR, error)
    if isinstance(error, type):
        error = error()
    if isinstance(error, TaskFailed):
        return Failure(error.failure_kind or FailureKind.ERROR, error.error)
    return failure_of(error)


@dataclass(slots=True, eq=False)
class CancelRequest:
    """A request to cancel a task, made by the agent under test.

    Attributes:
        task_id: the task.
        reason: why, in words.
        source: what brought it about.
        mode: TRY, WAIT or ABANDON.
        result: what it met; None as long as the work has not decided (mode WAIT).
    """

    task_id: UUID
    reason: str | None
    source: CancelSource
    mode: CancelMode
    result: CancelTaskResult | None = None


@dataclass(slots=True, eq=False, repr=False)
class ScheduledTask:
    """A task that the agent under test has scheduled, as it stands.

    Attributes:
        task_id: its id.
        kind: its kind.
        input: its input, as JSON.
        queue: its queue.
        options: time-outs, retries, labels.
        scheduled_at, ended_at: when, in seconds of the mock's time; None as long as it is open.
        outcome: how it ended; None as long as it is open.
        stop_state: how far the stopping of its work has come; None if there was nothing to stop.
    """

    task_id: UUID
    kind: str
    input: Any
    queue: str
    options: TaskOptions
    scheduled_at: float
    ended_at: float | None = None
    outcome: Outcome | None = None
    stop_state: StopState | None = None
    # For the mock's own use.
    mock: MockTask | None = None
    sent: bool = False
    at_work: bool = False
    end: Alarm | None = None
    end_number: int = 0
    asked: list[CancelRequest] = field(default_factory=list)
    cause: CancelCause | None = None

    @property
    def status(self) -> TaskStatus:
        """PENDING until the agent has waited, then RUNNING, until it is COMPLETED, FAILED or CANCELLED."""
        if self.outcome is not None:
            return self.outcome.status
        return TaskStatus.RUNNING if self.sent else TaskStatus.PENDING

    def __repr__(self) -> str:
        ended = "" if self.ended_at is None else f" at +{self.ended_at:.3f} s"
        cause = f", {self.outcome.cause}" if self.outcome is not None and self.outcome.cause is not None else ""
        stop = f", {self.stop_state}" if self.stop_state is not None else ""
        return f"<Task {str(self.task_id)[:8]} {self.kind!r} {self.status}{ended}{cause}{stop}>"


def ended_among(members: Sequence[ScheduledTask]) -> list[ScheduledTask]:
    """Those that have ended, in the order of their ends."""
    return sorted((task for task in members if task.outcome is not None), key=lambda task: task.end_number)


def ends_that_matter(
    members: Sequence[ScheduledTask], condition: WaitCondition, needed: int
) -> list[ScheduledTask] | None:
    """The ends that make a wait's condition true, in their order; None as long as it is not."""
    ended = ended_among(members)
    completed = [task for task in ended if task.status is TaskStatus.COMPLETED]
    others = [task for task in ended if task.status is not TaskStatus.COMPLETED]
    all_ended = len(ended) == len(members)
    match condition:
        case WaitCondition.ALL_COMPLETED:
            return others[:1] or (ended if all_ended else None)
        case WaitCondition.ALL_ENDED:
            return ended if all_ended else None
        case WaitCondition.SOME_COMPLETED:
            if len(completed) >= needed:
                return completed[:needed]
            return ended if len(members) - len(others) < needed else None
        case WaitCondition.ANY_ENDED:
            return ended[:1] or (ended if all_ended else None)


# --- the context of a task -------------------------------------------------------------------------------------------


class ProgressReport(NamedTuple):
    """How far the work was, between 0 and 1, and words about it."""

    progress: float
    message: str | None


class LogMessage(NamedTuple):
    """A line of the task's log."""

    level: LogLevel
    message: str


class MockTaskContext(TaskContext):
    """The real context of a task, without a worker: it keeps what the task reports, and can be cancelled.

    It serves ``async def`` and plain functions: ``await quote.run(ctx, request)``, ``quote.run(ctx, request)``. It does
    not interrupt the code: where a worker would throw CancelledError at an await, cancel the asyncio task yourself.

    Attributes:
        attempt: which attempt this is; may be set.
        progress_reports: what `report_progress` said, in order.
        log_messages: what `log` said, in order.
        stream_events: what the `stream` methods said, in order; no reports and no log.
        heartbeats: how often `heartbeat` was called.
    """

    def __init__(
        self,
        *,
        task_id: UUID | str | None = None,
        execution_id: str = "mock-agent",
        kind: str = "mock-task",
        attempt: int = 1,
        labels: Mapping[str, str] | None = None,
        cancelled: bool = False,
    ) -> None:
        """Make one.

        Args:
            task_id: the task's id; one is made up if left out.
            execution_id, kind, attempt, labels: see `TaskContext`.
            cancelled: whether its work is to stop from the beginning.
        """
        chosen = UUID(str(task_id)) if task_id is not None else task_id_from_key(f"mock-task-{next(_numbers)}")
        super().__init__(
            self, task_id=str(chosen), execution_id=execution_id, kind=kind, attempt=attempt, labels=labels
        )
        self._cleaning: list[asyncio.Task[None]] = []
        self.clear_recordings()
        if cancelled:
            self.cancel()

    def clear_recordings(self) -> None:
        """Forget what was reported so far."""
        self.progress_reports: list[ProgressReport] = []
        self.log_messages: list[LogMessage] = []
        self.stream_events: list[StreamEvent] = []
        self.heartbeats = 0

    def set_attempt(self, attempt: int) -> None:
        """From now on, this is attempt number `attempt`, from 1."""
        self.attempt = attempt

    def cancel(self, reason: str | None = None, *, source: CancelSource = CancelSource.REQUEST) -> None:
        """Tell the work to stop, and run the clean-ups that were given to `on_cancel`.

        They run now, in the order in which they were given; one that is given later, when it is given. The first cause
        is kept, and a second cancel runs nothing.

        Args:
            reason: why, in words.
            source: what brings it about.
        """
        tell_cancelled(self, CancelCause(source, "client:test", reason))
        for hook in take_hooks(self, self._run_hook):
            self._run_hook(hook)

    async def cleaned_up(self) -> None:
        """Wait until the asynchronous clean-ups have ended. Without a running loop they have, when `cancel` returns."""
        await asyncio.gather(*self._cleaning)

    @property
    def last_progress(self) -> ProgressReport | None:
        """The last that `report_progress` said."""
        return self.progress_reports[-1] if self.progress_reports else None

    def log_messages_at_level(self, level: LogLevel) -> list[str]:
        """The log's messages of this level, in order."""
        return [message for logged, message in self.log_messages if logged == level]

    def was_logged(self, part: str) -> bool:
        """Whether a message of the log contains `part`."""
        return any(part in message for _, message in self.log_messages)

    @property
    def last_stream_event(self) -> StreamEvent | None:
        """The last that a `stream` method said."""
        return self.stream_events[-1] if self.stream_events else None

    def stream_events_of_type(self, kind: str) -> list[StreamEvent]:
        """The streamed events of a kind (``token``, ``progress``, ``data``, ``error``), in order."""
        return [event for event in self.stream_events if event.kind == kind]

    @property
    def token_events(self) -> list[StreamEvent]:
        """The streamed pieces of text, in order."""
        return self.stream_events_of_type("token")

    @property
    def joined_tokens(self) -> str:
        """The streamed pieces of text as one."""
        return "".join(event.value["text"] for event in self.token_events)

    def report(
        self,
        *,
        progress: float | None = None,
        message: str | None = None,
        advanced: bool = False,
        streamed: StreamedEvent | None = None,
    ) -> None:
        """See `TaskPort.report`: keeps what is reported."""
        if progress is not None:
            self.progress_reports.append(ProgressReport(progress, message))
        elif streamed is None:
            self.heartbeats += 1
        else:
            self._keep(streamed.kind, decode(streamed.value, None, what=f"streamed {streamed.kind}"))

    def _keep(self, kind: str, value: Any) -> None:
        if kind == "log":
            self.log_messages.append(LogMessage(value["level"], value["message"]))
        else:
            self.stream_events.append(StreamEvent(kind, value))

    def _run_hook(self, hook: CancelHook) -> None:
        try:
            waits = hook()
        except Exception:
            _LOG.exception("a clean-up of task %s raised", self.task_id)
            return
        if inspect.isawaitable(waits):
            if asyncio._get_running_loop() is None:
                asyncio.run(self._see_through(waits))
            else:
                self._cleaning.append(asyncio.ensure_future(self._see_through(waits)))

    async def _see_through(self, waits: Awaitable[None]) -> None:
        try:
            await waits
        except Exception:
            _LOG.exception("a clean-up of task %s raised", self.task_id)
