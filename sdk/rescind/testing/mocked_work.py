"""What the mock contexts of agents and of workflows have in common: tasks, steps, signals, time, cancellation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from rescind.authoring.conversion import decode
from rescind.authoring.task import TaskDefinition
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.operation_base import Signal
from rescind.model.status import CancelTaskResult
from rescind.testing.mock_port import MockPort
from rescind.testing.mock_scheduled import CancelRequest, ScheduledTask


class MockedWork:
    """What a test sets and asks about the tasks, steps and signals of the code under test."""

    _port: MockPort

    def set_task_result(self, task: str | TaskDefinition[Any, Any], result: Any) -> None:
        """Set what the tasks of a kind do: those scheduled from now on, and open ones that could not end so far."""
        self._port.tasks.set_answer(task, result)

    def request_cancellation(
        self, reason: str | None = None, *, source: CancelSource = CancelSource.REQUEST, by: str = "client:test"
    ) -> None:
        """Cancel it: its waits on the context, and each further await on it, raise ExecutionCancelled.

        Inside ``ctx.shield()`` they do not. The first cause is kept.
        """
        self._port.request_cancellation(CancelCause(source, by, reason))

    @property
    def scheduled_tasks(self) -> list[ScheduledTask]:
        """The tasks that it scheduled, in order, as they stand."""
        return list(self._port.tasks.by_id.values())

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
        return [one.task_id for one in self._port.tasks.cancel_requests if one.result is CancelTaskResult.CANCELLED]

    @property
    def cancel_requests(self) -> list[CancelRequest]:
        """All requests to cancel a task, in order, also those that came too late."""
        return list(self._port.tasks.cancel_requests)

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
        """The mock's time in seconds, from the first use of the context."""
        return self._port.clock.elapsed() / 1e6

    @property
    def awaits(self) -> int:
        """How often it awaited the context; streaming and ``reload_messages`` do not count."""
        return self._port.awaits

    def __repr__(self) -> str:
        states = Counter(task.status.value for task in self.scheduled_tasks)
        tasks = ", ".join(f"{number} {status}" for status, number in states.items()) or "none"
        return f"<{type(self).__name__} {self._port.execution_id!r} at +{self.elapsed:.3f} s, tasks: {tasks}>"


def _read(signals: Sequence[Signal]) -> list[tuple[str, Any]]:
    return [(signal.name, decode(signal.value, None, what=f"signal {signal.name!r}")) for signal in signals]
