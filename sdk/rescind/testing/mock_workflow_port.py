"""A WorkflowContextPort with set answers: promises, timers, children and signals behind a `MockWorkflowContext`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from rescind.authoring.conversion import decode
from rescind.errors import ChildWorkflowCancelled, ChildWorkflowFailed, PromiseRejected, PromiseTimeout
from rescind.model.ids import ExecutionId, execution_uuid
from rescind.model.operation_base import Signal
from rescind.model.options import milliseconds
from rescind.model.outcome import Outcome
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import FailureKind, TaskStatus
from rescind.runtime.workflow_futures import Settling
from rescind.testing.mock_answers import Answers, outcome_of
from rescind.testing.mock_clock import Alarm, MockClock
from rescind.testing.mock_port import MockPort


class MockSettling(Settling):
    """Something that a mock settles; whoever waits for it waits in the mock's time."""

    __slots__ = ("_port", "_refusal")

    def __init__(self, port: MockWorkflowPort, what: str, way_out: str) -> None:
        super().__init__(what)
        self._port = port
        self._refusal = f"{what} was awaited, and nothing is left that could settle it. {way_out}"

    def settle(self, outcome: Callable[[], Any]) -> None:
        super().settle(outcome)
        self._port.clock.look_at_waits()

    async def wait(self) -> Any:
        if self.outcome is None:
            await self._port.wait_for(self._refusal, lambda: self.outcome is not None)
        return await super().wait()


class MockWorkflowPort(MockPort):
    """`WorkflowContextPort`, which describes its methods, with the answers that `MockWorkflowContext` is given.

    Attributes:
        values: the state.
        promise_answers: what promises give, by name.
        child_answers: what children give, by kind.
        promises: those that were created, in order.
        child_workflows: name, kind and input of those that were scheduled, in order.
        cancelled_workflows: the names of the children that were asked to cancel themselves, and the reasons, in order.
        recorded: names and values of ``run_raw``, in order.
    """

    sort = "workflow"

    def __init__(self, execution_id: str, workflow_input: Payload, clock: MockClock, seed: int) -> None:
        super().__init__(execution_id, workflow_input, clock, seed)
        self.version: str | None = None
        self.values: dict[str, Payload] = {}
        self.promise_answers = Answers()
        self.child_answers = Answers()
        self.promises: dict[str, MockSettling] = {}
        self.child_workflows: list[tuple[str, str, Any]] = []
        self.cancelled_workflows: list[tuple[str, str]] = []
        self.recorded: list[tuple[str, Any]] = []
        self._settlings: dict[ExecutionId, MockSettling] = {}
        self._timers: dict[str, Alarm] = {}
        self._places: list[tuple[str, MockSettling]] = []
        self._next_id = 0

    async def wait_for(self, refusal: str, is_over: Callable[[], bool]) -> None:
        """Wait in the mock's time."""
        await self._wait(refusal, is_over)

    def add_signal(self, name: str, value: Payload, child_id: str | None = None) -> None:
        super().add_signal(name, value, child_id)
        self._serve(name)

    def set_promise_answer(self, name: str, answer: Any) -> None:
        """Set what a promise gives; one that is waited for already gets it now."""
        self.promise_answers.set(name, answer)
        if name in self.promises:
            self._answer_promise(name, self.promises[name])

    # -- WorkflowContextPort --

    def next_uuid(self) -> UUID:
        number, self._next_id = self._next_id, self._next_id + 1
        workflow = execution_uuid(self.execution_id)
        return uuid5(workflow, f"{workflow}:{number}")

    def start_sleep(self, duration_ms: int) -> tuple[str, Settling]:
        self.slept.append(duration_ms / 1_000)
        timer_id = f"sleep-{len(self.slept)}"
        settling = MockSettling(self, f"timer {timer_id}", "")
        self._timers[timer_id] = self.clock.call_after(duration_ms, partial(settling.settle, lambda: None))
        return timer_id, settling

    def cancel_sleep(self, timer_id: str) -> None:
        self._timers.pop(timer_id).cancel()

    def create_promise(
        self, name: str, timeout_ms: int | None, idempotency_key: str | None, key_seconds: int | None
    ) -> Settling:
        if name in self.promises:
            return self.promises[name]
        way_out = f"Give MockWorkflowContext(promise_results={{{name!r}: …}})."
        settling = self.promises[name] = MockSettling(self, f"promise {name!r}", way_out)
        self._answer_promise(name, settling)
        if timeout_ms is not None:
            self.clock.call_after(timeout_ms, partial(settling.settle, lambda: _raise(PromiseTimeout(name))))
        return settling

    def resolve_promise(self, name: str, value: Payload) -> None:
        self.promises[name].settle(lambda: value)

    def schedule_child(
        self, name: str, kind: str, payload: Payload, *, queue: str, priority_seconds: int, abandon: bool
    ) -> tuple[ExecutionId, Settling]:
        child = ExecutionId(str(self.next_uuid()))
        self.child_workflows.append((name, kind, decode(payload, None, what=f"input of workflow {kind!r}")))
        way_out = f"Give MockWorkflowContext(child_workflow_results={{{kind!r}: …}})."
        settling = self._settlings[child] = MockSettling(self, f"child workflow {name!r} of kind {kind!r}", way_out)
        mock = self.child_answers.next_for_task(kind, payload)
        if mock is not None and (outcome := outcome_of(mock, kind)) is not None:
            answer = partial(_child_answer, child, name, outcome)
            self.clock.call_after(milliseconds(mock.delay, "delay"), partial(settling.settle, answer))
        return child, settling

    def request_child_cancel(self, execution_id: ExecutionId, name: str, reason: str) -> None:
        self.cancelled_workflows.append((name, reason))
        error = reason or "cancelled"
        self._settlings[execution_id].settle(lambda: _raise(ChildWorkflowCancelled(execution_id, name, error)))

    def record_value(self, name: str, value: Payload) -> Payload:
        self.recorded.append((name, decode(value, None, what=f"result of step {name!r}")))
        return value

    def set_state(self, key: str, value: Payload) -> None:
        self.values[key] = value

    def clear_state(self, key: str) -> None:
        self.values.pop(key, None)

    def next_signal(self, name: str) -> Settling:
        way_out = f"Give MockWorkflowContext(signals=[({name!r}, …)]), or use ctx.add_signal({name!r}, …)."
        place = MockSettling(self, f"signal {name!r}", way_out)
        self._places.append((name, place))
        self._serve(name)
        return place

    def leave_signal(self, name: str, place: Settling) -> None:
        if place.outcome is None:
            self._places = [each for each in self._places if each[1] is not place]
            return
        signal: Signal = place.outcome()
        self.consumed.remove(signal)
        self.signals.insert(0, signal)
        self._serve(name)

    def queued_signals(self, name: str) -> Sequence[Signal]:
        return self._selected(name, is_glob=False)

    def take_queued_signals(self, name: str) -> Sequence[Signal]:
        return self._consume(self._selected(name, is_glob=False))

    # -- inside --

    def _serve(self, name: str) -> None:
        for waiting, place in tuple(self._places):
            queued = self._selected(name, is_glob=False)
            if waiting == name and queued:
                (signal,) = self._consume(queued[:1])
                self._places.remove((waiting, place))
                place.settle(lambda signal=signal: signal)  # type: ignore[misc]

    def _answer_promise(self, name: str, settling: MockSettling) -> None:
        mock = self.promise_answers.next_for_task(name, NULL_PAYLOAD)
        if mock is not None and (outcome := outcome_of(mock, name)) is not None:
            answer = partial(_promise_answer, name, outcome)
            self.clock.call_after(milliseconds(mock.delay, "delay"), partial(settling.settle, answer))


def _promise_answer(name: str, outcome: Outcome) -> Payload:
    if outcome.status is TaskStatus.COMPLETED:
        return outcome.output or NULL_PAYLOAD
    failure = outcome.failure
    if failure is not None and failure.kind is FailureKind.TIMED_OUT:
        raise PromiseTimeout(name)
    raise PromiseRejected(name, failure.message if failure is not None else "cancelled")


def _child_answer(child: ExecutionId, name: str, outcome: Outcome) -> Payload:
    if outcome.status is TaskStatus.COMPLETED:
        return outcome.output or NULL_PAYLOAD
    if outcome.failure is None:
        raise ChildWorkflowCancelled(child, name, "cancelled", outcome.cause)
    raise ChildWorkflowFailed(child, name, outcome.failure.message)


def _raise(error: BaseException) -> Any:
    raise error
