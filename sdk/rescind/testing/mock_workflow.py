"""A context for the unit test of a workflow: the real one, over set answers instead of an engine.

Time is as in `rescind.testing.mock_agent`, and so is what is not mocked: retries, replay, the clean-up budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any, Final

from rescind.authoring.conversion import decode, encode
from rescind.authoring.workflow import WorkflowDefinition
from rescind.model.ids import ExecutionId
from rescind.model.options import Seconds, milliseconds
from rescind.runtime.workflow_context import WorkflowContext
from rescind.testing.mock_clock import MockClock
from rescind.testing.mock_workflow_port import MockWorkflowPort
from rescind.testing.mocked_work import MockedWork

_numbers: Final = count(1)


class MockWorkflowContext(MockedWork, WorkflowContext):
    """The real context of a workflow, without an engine: ``await order.run(MockWorkflowContext(…), request)``.

    Combinators, scopes, encoding and errors are the real ones; what the backend would answer, the test sets. Whatever
    the workflow waits for and the test has not set is NotMocked, which names it.
    """

    _port: MockWorkflowPort

    def __init__(
        self,
        *,
        input: Any = None,
        task_results: Mapping[Any, Any] | None = None,
        promise_results: Mapping[str, Any] | None = None,
        child_workflow_results: Mapping[Any, Any] | None = None,
        step_results: Mapping[str, Any] | None = None,
        signals: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
        state: Mapping[str, Any] | None = None,
        cancel_after: Seconds | None = None,
        cancel_at_await: int | None = None,
        execution_id: str | None = None,
        organisation: str = "default",
        queue: str = "default",
        labels: Mapping[str, str] | None = None,
        version: str | None = None,
        seed: int = 12345,
        start: datetime | None = None,
    ) -> None:
        """Make one, with what the workflow is to meet.

        Args:
            input: the workflow's input, for ``ctx.input(…)``.
            task_results: what tasks do, by kind or by the task's function; see `mock_answers`.
            promise_results: what promises give, by name, in the same forms: a value resolves it, an error rejects it.
            child_workflow_results: what children give, by kind or by the workflow's function, in the same forms.
            step_results: what ``ctx.run`` gives, by name, in the same forms; a step that is not named really runs.
            signals: what is queued, oldest first.
            state: what the state holds at the beginning, by key.
            cancel_after: when the workflow is cancelled, in seconds (or a timedelta) from its first use of the context.
            cancel_at_await: at which of its awaits on the context it is cancelled, from 1; see `awaits`.
            execution_id: the execution's id; one is made up if left out.
            organisation: whose execution it is.
            queue: the workflow's queue.
            labels: given at its start.
            version: the version that it was started with.
            seed: where its random numbers begin.
            start: its time at the beginning, aware; left out, that of the virtual loop, or 2026-01-01.

        Raises:
            InvalidInput: a value is not JSON, or cannot be meant.
        """
        name = ExecutionId(execution_id or f"mock-workflow-{next(_numbers)}")
        port = MockWorkflowPort(name, encode(input, what="input of the workflow"), MockClock(start), seed)
        port.organisation, port.queue, port.labels = organisation, queue, dict(labels or {})
        port.version = version
        port.values = {key: encode(value, what=f"state {key!r}") for key, value in (state or {}).items()}
        port.cancel_at_await = cancel_at_await
        super().__init__(port)
        for task, answer in (task_results or {}).items():
            self.set_task_result(task, answer)
        for promise, answer in (promise_results or {}).items():
            self.set_promise_result(promise, answer)
        for child, answer in (child_workflow_results or {}).items():
            self.set_child_workflow_result(child, answer)
        for step, answer in (step_results or {}).items():
            port.step_answers.set(step, answer)
        for signal, value in signals.items() if isinstance(signals, Mapping) else signals:
            self.add_signal(signal, value)
        if cancel_after is not None:
            port.clock.call_after(milliseconds(cancel_after, "cancel_after"), self.request_cancellation)

    # -- what the test sets while the workflow runs --

    def set_promise_result(self, name: str, result: Any) -> None:
        """Set what a promise gives; one that is waited for gets it now."""
        self._port.set_promise_answer(name, result)

    def set_child_workflow_result(self, workflow: str | WorkflowDefinition[Any, Any], result: Any) -> None:
        """Set what the children of a kind give that are scheduled from now on."""
        self._port.child_answers.set(workflow if isinstance(workflow, str) else workflow.kind, result)

    def add_signal(self, name: str, value: Any = None, *, after: Seconds = 0) -> None:
        """Send the workflow a signal, now or in so many seconds (or a timedelta)."""
        send = partial(self._port.add_signal, name, encode(value, what=f"signal {name!r}"))
        if delay := milliseconds(after, "after"):
            self._port.clock.call_after(delay, send)
        else:
            send()

    # -- what the workflow did --

    @property
    def recorded_operations(self) -> list[str]:
        """The names of the side effects that it ran or recorded, in order: ``ctx.run``, then ``ctx.run_raw``."""
        return [*self._port.steps, *(name for name, _ in self._port.recorded)]

    def was_operation_recorded(self, name: str) -> bool:
        """Whether it ran or recorded a side effect of this name."""
        return name in self.recorded_operations

    @property
    def scheduled_workflows(self) -> list[tuple[str, str, Any]]:
        """The children that it scheduled, in order: name, kind, input as JSON."""
        return list(self._port.child_workflows)

    def was_workflow_scheduled(self, workflow: str | WorkflowDefinition[Any, Any]) -> bool:
        """Whether it scheduled a child of this kind."""
        kind = workflow if isinstance(workflow, str) else workflow.kind
        return any(each == kind for _, each, _ in self._port.child_workflows)

    @property
    def cancelled_workflows(self) -> list[tuple[str, str]]:
        """The children that it asked to cancel themselves, in order: names and reasons."""
        return list(self._port.cancelled_workflows)

    @property
    def created_promises(self) -> list[str]:
        """The names of the promises that it created, in order."""
        return list(self._port.promises)

    def was_promise_created(self, name: str) -> bool:
        """Whether it created a promise of this name."""
        return name in self._port.promises

    @property
    def state_snapshot(self) -> dict[str, Any]:
        """The state as it stands."""
        return {key: decode(value, None, what=f"state {key!r}") for key, value in self._port.values.items()}
