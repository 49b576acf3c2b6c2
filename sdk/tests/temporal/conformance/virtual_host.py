"""The host of a workflow in virtual time, without Temporal: what it asks for is brought about by a clock and a heap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Final

from rescind.authoring.conversion import decode, encode
from rescind.backends.native.agent_port import StepFunction
from rescind.model.children import ChildEffect
from rescind.model.commands import StartExecution
from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId, Instant, Lease
from rescind.model.messages import StopOrder, StopReported, TaskActivation, TaskReported
from rescind.model.options import DEFAULT_QUEUE, TaskOptions
from rescind.model.outcome import Failure
from rescind.model.status import FailureKind, StopState
from rescind.model.views import ExecutionDetails
from rescind.temporal.host import Host
from rescind.temporal.records import AttemptReport

from .embedded import EXECUTION_ID
from .playing import Part, plays_a_program
from .programs import Program

_START: Final = Instant(1_700_000_000_000_000)


class VirtualEffects:
    """See `Effects`: attempts of parts that take exactly their time, and obey at once."""

    host: Host

    def __init__(self) -> None:
        self._now = _START
        self._count = count()
        self._coming: list[tuple[Instant, int, Callable[[], None]]] = []
        self._at_work: dict[Lease, TaskActivation] = {}

    def run(self) -> None:
        """Let everything come that comes, in its order."""
        while (due := self._next()) is not None:
            self._now = due
            deadline = self.host.next_due()
            if deadline is not None and deadline <= due:
                self.host.come_due()
            else:
                heappop(self._coming)[2]()

    def now(self) -> Instant:
        """See `Effects`."""
        return self._now

    def start_attempt(self, activation: TaskActivation, options: TaskOptions, scheduled_at: Instant) -> None:
        """See `Effects`."""
        part = decode(activation.input, Part, what="part")
        self._at_work[activation.lease] = activation
        self._later(part.ms * 1_000, lambda: self._end(activation, part))

    def stop_attempt(self, order: StopOrder) -> None:
        """See `Effects`."""
        self._later(0, lambda: self._stop(order))

    def run_step(self, position: int, name: str, function: StepFunction) -> None:
        """See `Effects`. No program has side effects."""
        raise NotImplementedError

    def cancel_step(self, position: int) -> None:
        """See `Effects`."""

    def forget_attempt(self, lease: Lease) -> None:
        """See `Effects`."""

    def carry_out(self, effect: ChildEffect) -> None:
        """See `Effects`. No program has children."""
        raise NotImplementedError

    def should_move_on(self) -> bool:
        """See `Effects`."""
        return False

    def _next(self) -> Instant | None:
        dues = [due for due in (self.host.next_due(), self._coming[0][0] if self._coming else None) if due is not None]
        return max(self._now, min(dues)) if dues else None

    def _later(self, microseconds: int, action: Callable[[], None]) -> None:
        heappush(self._coming, (Instant(self._now + microseconds), next(self._count), action))

    def _end(self, activation: TaskActivation, part: Part) -> None:
        if self._at_work.pop(activation.lease, None) is None:
            return
        task_id, lease = activation.task_id, activation.lease
        if activation.attempt <= part.failures:
            message = f"part {part.part} failed at its attempt {activation.attempt}"
            reported = TaskReported(task_id, lease, failure=Failure(FailureKind.ERROR, message, "ValueError"))
        else:
            reported = TaskReported(task_id, lease, output=encode(part.part, what="result"))
        self.host.attempt_ended(lease, AttemptReport(reported))

    def _stop(self, order: StopOrder) -> None:
        if self._at_work.pop(order.lease, None) is None:
            return
        task_id, lease = order.task_id, order.lease
        delivered = StopReported(task_id, lease, StopState.DELIVERED, decided=order.decided)
        if order.decided:
            report = AttemptReport(None, delivered, StopReported(task_id, lease, StopState.STOPPED))
        else:
            report = AttemptReport(TaskReported(task_id, lease, cancelled=True), delivered)
        self.host.attempt_ended(lease, report)


def host_play(program: Program) -> tuple[ExecutionDetails, Sequence[HistoryEvent]]:
    """Play a program in a workflow's host; returns what it then tells of it."""
    effects = VirtualEffects()
    effects.host = host = Host(plays_a_program, EXECUTION_ID, effects)
    start = encode(program, what="program")
    host.begin(StartExecution(plays_a_program.kind, start, ExecutionId(EXECUTION_ID), DEFAULT_QUEUE, {}, "client:test"))
    host.run()
    effects.run()
    assert host.is_closed, "nothing comes any more, and something is still at work"
    return host.details(), host.history
