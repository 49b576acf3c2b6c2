"""What tasks and steps do in the unit test of an agent.

`MockAgentContext(task_results={"quote": …})` takes as the answer of a kind

- any value: the task completes with it;
- an exception, or its class: the task fails with its text. `TaskCancelled` cancels it, `TaskTimedOut` times it out;
- a function of the task's input that returns any of these, or raises;
- `MockTask`, which can say when, and what becomes of the work if it is stopped;
- `Calls([…])`: one of these for each task of the kind, in the order of scheduling.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any, Final

from rescind.authoring.conversion import decode, encode
from rescind.authoring.task import TaskDefinition
from rescind.errors import AuthoringError, InvalidInput, TaskCancelled, TaskFailed, TaskTimedOut
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.options import Seconds, milliseconds
from rescind.model.outcome import Failure, Outcome
from rescind.model.payload import Payload
from rescind.model.status import FailureKind, StopState, TaskStatus
from rescind.runtime.failures import failure_of


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
    except Exception as error:  # an answer that raises is a task that fails
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
