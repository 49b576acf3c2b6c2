"""What the host of an execution decides, as commands of its workflow: attempts are activities, steps local ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.workflow import ActivityCancellationType

from rescind.backends.native.agent_port import StepFunction
from rescind.model.children import ChildEffect
from rescind.model.ids import Instant, Lease
from rescind.model.messages import StopOrder, TaskActivation
from rescind.model.options import TaskOptions
from rescind.temporal.engine_host import EngineHost
from rescind.temporal.failures import report_of_failed
from rescind.temporal.names import FOR_EVER, STEP_ACTIVITY
from rescind.temporal.payloads import record_from_temporal, record_to_temporal, to_temporal
from rescind.temporal.records import AttemptOrder, AttemptReport, StartMemo, StepReport
from rescind.temporal.relatives import Relatives
from rescind.temporal.steps import forget_step, put_step

Later = Callable[[Callable[[], object]], None]
"""Takes what the workflow does in its next turn."""

# The engine tries again, by the rules that hold everywhere, and it alone.
_ONCE: Final = RetryPolicy(maximum_attempts=1)


class WorkflowEffects:
    """See `Effects`: activities, local activities and the workflow's time.

    Attributes:
        host: whose they are; set before the first is asked for.
        relatives: its children and its parent.
    """

    host: EngineHost

    def __init__(self, later: Later, lease: timedelta, start: StartMemo) -> None:
        """For the workflow that runs on the present event loop.

        Args:
            later: takes what is to be done when something has ended.
            lease: how long an attempt's worker may be silent before it counts as lost.
            start: what was said when the execution was started.
        """
        self.relatives = Relatives(later, lambda news: self.host.tell(news), start)
        self._later = later
        self._lease = lease
        self._attempts: dict[Lease, asyncio.Task[Any]] = {}
        self._stopping: set[Lease] = set()
        self._steps: dict[int, asyncio.Task[Any]] = {}
        self._run_id = workflow.info().run_id

    def now(self) -> Instant:
        """See `Effects`."""
        return Instant(workflow.time_ns() // 1_000)

    def start_attempt(self, activation: TaskActivation, options: TaskOptions, scheduled_at: Instant) -> None:
        """See `Effects`."""
        order = AttemptOrder(
            activation.task_id,
            activation.lease,
            activation.attempt,
            activation.grace_ms,
            activation.queue,
            activation.labels,
            options.start_to_close_ms,
            options.heartbeat_ms,
            options.idle_ms,
            activation.trace_parent,
        )
        handle: asyncio.Task[Any] = workflow.start_activity(
            activation.kind,
            args=[to_temporal(activation.input), record_to_temporal(order)],
            task_queue=activation.queue,
            activity_id=f"{activation.task_id}:{activation.attempt}",
            result_type=RawValue,
            schedule_to_start_timeout=self._time_to_start(activation, options, scheduled_at),
            start_to_close_timeout=FOR_EVER,
            heartbeat_timeout=self._lease,
            retry_policy=_ONCE,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        self._attempts[activation.lease] = handle
        handle.add_done_callback(lambda ended: self._later(lambda: self._attempt_ended(activation, options, ended)))

    def stop_attempt(self, order: StopOrder) -> None:
        """See `Effects`. The order itself is fetched by who runs the attempt: Temporal's cancel says no reason."""
        handle = self._attempts.get(order.lease)
        if handle is None or order.lease in self._stopping:
            return
        self._stopping.add(order.lease)
        # Behind the handle's first step: cancelled before that, it would end at once, and not when the work has.
        asyncio.get_running_loop().call_soon(handle.cancel)

    def forget_attempt(self, lease: Lease) -> None:
        """See `Effects`."""
        self._attempts.pop(lease, None)
        self._stopping.discard(lease)

    def run_step(self, position: int, name: str, function: StepFunction) -> None:
        """See `Effects`."""
        put_step((self._run_id, position), self.host.code, name, function)
        handle: asyncio.Task[Any] = workflow.start_local_activity(
            STEP_ACTIVITY,
            args=[self._run_id, position],
            result_type=RawValue,
            start_to_close_timeout=FOR_EVER,
            retry_policy=_ONCE,
        )
        self._steps[position] = handle
        handle.add_done_callback(lambda ended: self._later(lambda: self._step_ended(position, ended)))

    def cancel_step(self, position: int) -> None:
        """See `Effects`."""
        forget_step((self._run_id, position))
        handle = self._steps.pop(position, None)
        if handle is not None:
            asyncio.get_running_loop().call_soon(handle.cancel)

    def carry_out(self, effect: ChildEffect) -> None:
        """See `Effects`."""
        self.relatives.carry_out(effect)

    def should_move_on(self) -> bool:
        """See `Effects`."""
        return workflow.info().is_continue_as_new_suggested()

    def close(self) -> None:
        """The workflow leaves memory: its functions are forgotten."""
        for position in self._steps:
            forget_step((self._run_id, position))

    def _attempt_ended(self, activation: TaskActivation, options: TaskOptions, ended: asyncio.Task[Any]) -> None:
        is_told_to_stop = activation.lease in self._stopping
        error = asyncio.CancelledError() if ended.cancelled() else ended.exception()
        report: AttemptReport | None
        if error is None:
            report = record_from_temporal(ended.result(), AttemptReport)
        else:
            report = report_of_failed(
                error, activation.task_id, activation.lease, options, is_told_to_stop=is_told_to_stop
            )
        if report is None:
            self.host.attempt_lost(activation.lease)
        else:
            self.host.attempt_ended(activation.lease, report)

    def _step_ended(self, position: int, ended: asyncio.Task[Any]) -> None:
        if self._steps.pop(position, None) is None:
            return
        forget_step((self._run_id, position))
        # What the function raised is in its report. An error here is Temporal's, and fails the workflow task.
        self.host.step_ended(position, record_from_temporal(ended.result(), StepReport))

    def _time_to_start(
        self, activation: TaskActivation, options: TaskOptions, scheduled_at: Instant
    ) -> timedelta | None:
        """What is left of the time that the first attempt may wait for a worker."""
        if options.schedule_to_start_ms is None or activation.attempt > 1:
            return None
        left = scheduled_at + options.schedule_to_start_ms * 1_000 - self.now()
        return timedelta(microseconds=max(1_000, left))
