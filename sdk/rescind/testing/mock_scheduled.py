"""The tasks that an agent under test has scheduled, and how they end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Final
from uuid import UUID

from rescind.authoring.conversion import decode, encode
from rescind.authoring.task import TaskDefinition
from rescind.errors import NotMocked
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import TaskId
from rescind.model.operations import WaitCondition
from rescind.model.options import TaskOptions, milliseconds
from rescind.model.outcome import Outcome
from rescind.model.payload import Payload
from rescind.model.status import STOP_ENDED, CancelMode, CancelTaskResult, FailureKind, StopState, TaskStatus
from rescind.testing.mock_answers import Answers, MockTask, outcome_of, timed_out
from rescind.testing.mock_clock import Alarm, MockClock

_NOTHING_SAID: Final = MockTask()


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
        scheduled_at: when, in seconds of the mock's time.
        ended_at: when it ended; None as long as it is open.
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


class ScheduledTasks:
    """All that the agent has scheduled.

    Attributes:
        by_id: the tasks, in order.
        cancel_requests: the requests to cancel one, in order.
    """

    def __init__(self, clock: MockClock) -> None:
        self.by_id: dict[TaskId, ScheduledTask] = {}
        self.cancel_requests: list[CancelRequest] = []
        self._answers = Answers()
        self._clock = clock
        self._ends = count(1)

    def set_answer(self, task: str | TaskDefinition[Any, Any], answer: Any) -> None:
        """Set what the tasks of a kind do; open ones that had no answer, or would never end, get it too."""
        kind = self._answers.set(task, answer)
        for other in self.by_id.values():
            if other.kind == kind and other.outcome is None and (other.mock is None or other.mock.never):
                self._give_answer(other, encode(other.input, what=f"input of task {kind!r}"))

    def schedule(self, task_id: TaskId, kind: str, payload: Payload, queue: str, options: TaskOptions) -> None:
        """Create a task, unless there is one of this id."""
        if task_id not in self.by_id:
            task_input = decode(payload, None, what=f"input of task {kind!r}")
            task = ScheduledTask(UUID(task_id), kind, task_input, queue, options, self._clock.elapsed() / 1e6)
            self.by_id[task_id] = task
            self._give_answer(task, payload)

    def send(self) -> None:
        """The agent waits: what it has scheduled leaves it, and is taken up by a worker."""
        for task in self.by_id.values():
            task.sent = True

    def leave(self, task_ids: Iterable[TaskId], cause: CancelCause) -> list[TaskId]:
        """Cancel those of these tasks that are open; returns their ids."""
        left = [id_ for id_ in dict.fromkeys(task_ids) if id_ in self.by_id and self.by_id[id_].outcome is None]
        for task_id in left:
            # The end of one may end a wait whose losers are among the others.
            if self.by_id[task_id].outcome is None:
                self.cancel(task_id, cause, CancelMode.TRY)
        return left

    def cancel(self, task_id: TaskId, cause: CancelCause, mode: CancelMode) -> CancelRequest:
        """Decide a request to cancel, and record it; its result is None if the work is left to decide."""
        request = CancelRequest(UUID(task_id), cause.reason, cause.source, mode)
        self.cancel_requests.append(request)
        task = self.by_id.get(task_id)
        if task is None:
            request.result = CancelTaskResult.NOT_FOUND
        elif task.outcome is not None:
            request.result = _already(task.outcome)
        elif mode is CancelMode.WAIT and self._is_running(task):
            task.asked.append(request)
            if len(task.asked) == 1:
                task.cause = cause
                outcome = Outcome(TaskStatus.CANCELLED, cause=cause, attempts=1)
                self._clock.call_after(0, partial(self._end, task, outcome))
        else:
            request.result = CancelTaskResult.CANCELLED
            running = self._is_running(task)
            if running and mode is not CancelMode.ABANDON:
                _stop(task)
            first = task.cause or cause
            self._end(task, Outcome(TaskStatus.CANCELLED, cause=first, attempts=int(running)), by_request=True)
        return request

    def require_answers(self, tasks: Sequence[ScheduledTask]) -> None:
        """Raises NotMocked if the test has not said what one of these does, and it is open."""
        for task in tasks:
            if task.outcome is None and task.mock is None:
                missing = "further result (its Calls are used up)" if self._answers.has(task.kind) else "result"
                raise NotMocked(
                    f"{described([task])} was awaited, and no {missing} is set for it. Give MockAgentContext("
                    f"task_results={{{task.kind!r}: …}}), with MockTask(never=True) for a task that is not to end by "
                    "itself."
                )

    def _give_answer(self, task: ScheduledTask, payload: Payload) -> None:
        mock = self._answers.next_for_task(task.kind, payload)
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
            task.end = self._clock.call_at(due, partial(self._end, task, outcome, by_request=by_request))

    def _end(self, task: ScheduledTask, outcome: Outcome, *, by_request: bool = False) -> None:
        if task.outcome is not None:
            return
        task.outcome = outcome
        task.ended_at = self._clock.elapsed() / 1e6
        task.end_number = next(self._ends)
        if task.end is not None:
            task.end.cancel()
        if outcome.failure is not None and outcome.failure.kind is FailureKind.TIMED_OUT:
            _stop(task)
        for place, request in enumerate(task.asked):
            obeyed = place == 0 and outcome.status is TaskStatus.CANCELLED and not by_request
            request.result = CancelTaskResult.CANCELLED if obeyed else _already(outcome)
        self._clock.look_at_waits()

    def _is_running(self, task: ScheduledTask) -> bool:
        is_claimed = task.sent or self._clock.elapsed() / 1e6 > task.scheduled_at
        return is_claimed and (task.mock or _NOTHING_SAID).stop_state is not None


def described(tasks: Sequence[ScheduledTask]) -> str:
    """The open ones of these tasks, for an error's text."""
    return ", ".join(f"task {task.kind!r} (input {_short(task.input)})" for task in tasks if task.outcome is None)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _already(outcome: Outcome) -> CancelTaskResult:
    return CancelTaskResult(f"ALREADY_{outcome.status.value}")


def _stop(task: ScheduledTask) -> None:
    """Stop the work of a task that is being ended from outside."""
    task.stop_state = (task.mock or _NOTHING_SAID).stop_state
    task.at_work = task.stop_state is not None and task.stop_state not in STOP_ENDED
