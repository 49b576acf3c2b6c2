"""The agents that an agent under test has spawned, and what they tell.

`MockAgentContext(child_results={"research": …})` takes as the answer of a kind of agent what `task_results` takes of
tasks: a value, an exception, a function of the input, `MockTask`, `Calls`. `BudgetExceeded` as an exception ends the
child as one whose budget is used up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.conversion import decode
from rescind.errors import NotMocked
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.child_operations import ChildEnd, ChildrenSettled, ChildSignal
from rescind.model.ids import ExecutionId
from rescind.model.operations import Signal, WaitCondition
from rescind.model.options import milliseconds
from rescind.model.outcome import Outcome
from rescind.model.payload import Payload
from rescind.model.status import CancelTaskResult, TaskStatus
from rescind.runtime.ports import ChildOptions
from rescind.testing.mock_answers import Answers, MockTask, outcome_of
from rescind.testing.mock_clock import Alarm, MockClock


@dataclass(slots=True, eq=False)
class ChildCancelRequest:
    """A request to cancel a child, made by the agent under test.

    Attributes:
        child_id: the child.
        reason: why, in words.
        source: what brought it about.
        hard: without its clean-up.
        result: what it met.
    """

    child_id: str
    reason: str | None
    source: CancelSource
    hard: bool
    result: CancelTaskResult


@dataclass(slots=True, eq=False, repr=False)
class SpawnedChild:
    """An agent that the agent under test has spawned, as it stands.

    Attributes:
        child_id: its id.
        kind: its kind.
        input: its input, as JSON.
        options: queue (its parent's, if none was named), labels, what becomes of it, persistence, budget.
        spawned_at: when, in seconds of the mock's time.
        ended_at: when it ended; None as long as it is open.
        outcome: how it ended; None as long as it is open.
        signals: what its parent sent it, in order: names and values.
    """

    child_id: str
    kind: str
    input: Any
    options: ChildOptions
    spawned_at: float
    ended_at: float | None = None
    outcome: Outcome | None = None
    signals: list[tuple[str, Any]] = field(default_factory=list)
    # For the mock's own use.
    mock: MockTask | None = None
    end: Alarm | None = None
    end_number: int = 0
    untold: list[tuple[int, Signal]] = field(default_factory=list)

    @property
    def status(self) -> TaskStatus:
        """RUNNING until it is COMPLETED, FAILED or CANCELLED."""
        return self.outcome.status if self.outcome is not None else TaskStatus.RUNNING

    def __repr__(self) -> str:
        return f"<Child {self.child_id[:8]} {self.kind!r} {self.status}>"


class SpawnedChildren:
    """All that the agent has spawned.

    Attributes:
        by_id: the children, in order.
        cancel_requests: the requests to cancel one, in order.
        told_parent: the signals that the agent sent to its own parent, in order: names and values.
    """

    def __init__(self, clock: MockClock) -> None:
        self.by_id: dict[ExecutionId, SpawnedChild] = {}
        self.cancel_requests: list[ChildCancelRequest] = []
        self.told_parent: list[tuple[str, Any]] = []
        self._answers = Answers()
        self._clock = clock
        self._events = count(1)

    def set_answer(self, agent: str | AgentDefinition[Any, Any], answer: Any) -> None:
        """Set what the children of a kind do that are spawned from now on."""
        self._answers.set(agent.kind if isinstance(agent, AgentDefinition) else agent, answer)

    def spawn(self, child_id: ExecutionId, kind: str, payload: Payload, options: ChildOptions) -> None:
        """Create a child, unless there is one of this id."""
        if child_id in self.by_id:
            return
        child_input = decode(payload, None, what=f"input of agent {kind!r}")
        child = SpawnedChild(child_id, kind, child_input, options, self._clock.elapsed() / 1e6)
        self.by_id[child_id] = child
        child.mock = self._answers.next_for_task(kind, payload)
        outcome = outcome_of(child.mock, kind) if child.mock is not None else None
        if child.mock is not None and outcome is not None:
            due = self._clock.elapsed() + milliseconds(child.mock.delay, "delay") * 1_000
            child.end = self._clock.call_at(due, partial(self._end, child, outcome))

    def signalled(self, child_id: str, signal: Signal) -> None:
        """A child has sent the agent under test a signal. Raises NotMocked if it has spawned no such child."""
        child = self.by_id.get(ExecutionId(child_id))
        if child is None:
            raise NotMocked(f"the agent has spawned no child {child_id!r} that could send it {signal.name!r}.")
        child.untold.append((next(self._events), signal))
        self._clock.look_at_waits()

    def cancel(self, child_id: ExecutionId, cause: CancelCause, *, hard: bool) -> CancelTaskResult:
        """Decide a request to cancel, and record it. The child ends at once: what it cleans up is not mocked."""
        child = self.by_id.get(child_id)
        if child is None:
            result = CancelTaskResult.NOT_FOUND
        elif child.outcome is not None:
            result = CancelTaskResult(f"ALREADY_{child.outcome.status.value}")
        else:
            result = CancelTaskResult.CANCELLED
            self._end(child, Outcome(TaskStatus.CANCELLED, cause=cause, attempts=1))
        self.cancel_requests.append(ChildCancelRequest(child_id, cause.reason, cause.source, hard, result))
        return result

    def leave(self, child_ids: Iterable[ExecutionId], cause: CancelCause) -> None:
        """Cancel those of these children that are open."""
        for child_id in child_ids:
            if self.by_id[child_id].outcome is None:
                self.cancel(child_id, cause, hard=False)

    def signal(self, child_id: ExecutionId, name: str, value: Payload) -> bool:
        """The agent sends a child a signal; returns whether it is open."""
        child = self.by_id.get(child_id)
        if child is None or child.outcome is not None:
            return False
        child.signals.append((name, decode(value, None, what=f"signal {name!r}")))
        return True

    def require_answers(self, children: Sequence[SpawnedChild]) -> None:
        """Raises NotMocked if the test has not said what one of these does, and it is open."""
        for child in children:
            if child.outcome is None and child.mock is None:
                raise NotMocked(
                    f"child {child.kind!r} (input {child.input!r}) was awaited, and no result is set for it. Give "
                    f"MockAgentContext(child_results={{{child.kind!r}: …}}), with MockTask(never=True) for a child "
                    "that is not to end by itself."
                )

    def watching(
        self,
        members: Sequence[SpawnedChild],
        condition: WaitCondition,
        *,
        with_signals: bool,
        only_first: bool,
    ) -> tuple[Callable[[], bool], Callable[[bool], ChildrenSettled]]:
        """What a wait for children asks after each change, and what it answers when that is over."""

        def is_over() -> bool:
            ended = sum(child.outcome is not None for child in members)
            if with_signals and any(child.untold for child in members if child.outcome is None):
                return True
            return ended > 0 if condition is WaitCondition.ANY_ENDED else ended == len(members)

        return is_over, partial(_settled, members, with_signals, only_first)

    def _end(self, child: SpawnedChild, outcome: Outcome) -> None:
        if child.outcome is not None:
            return
        child.outcome = outcome
        child.ended_at = self._clock.elapsed() / 1e6
        child.end_number = next(self._events)
        if child.end is not None:
            child.end.cancel()
        self._clock.look_at_waits()


def _settled(members: Sequence[SpawnedChild], with_signals: bool, only_first: bool, timed_out: bool) -> ChildrenSettled:
    ended = sorted((child for child in members if child.outcome is not None), key=lambda child: child.end_number)
    telling = [child for child in members if child.outcome is None and child.untold] if with_signals else []
    telling.sort(key=lambda child: child.untold[0][0])
    if only_first and ended and telling:
        is_end_first = ended[0].end_number < telling[0].untold[0][0]
        ended, telling = (ended, []) if is_end_first else ([], telling)
    if only_first:
        ended, telling = ended[:1], telling[:1]
    signals = []
    for child in telling:
        number, signal = child.untold.pop(0)
        after = sum(each.end_number < number for each in ended)
        signals.append(ChildSignal(ExecutionId(child.child_id), signal, after))
    ends = tuple(ChildEnd(ExecutionId(each.child_id), each.outcome) for each in ended if each.outcome is not None)
    return ChildrenSettled(ends, tuple(signals), timed_out)
