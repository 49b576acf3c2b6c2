"""The one activity of all tasks: whatever its type, it runs an attempt of the task of that kind, by our executors."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from rescind.authoring.registry import Registry
from rescind.authoring.task import TaskDefinition
from rescind.errors import UnknownKind
from rescind.model.messages import FromWorker, StopOrder, StopReported, TaskAlive, TaskReported
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT
from rescind.model.status import StopState
from rescind.temporal.attempt_telling import AttemptTelling
from rescind.temporal.attempt_watch import AttemptWatch
from rescind.temporal.failures import attempt_error, worker_leaving
from rescind.temporal.names import UNKNOWN_KIND
from rescind.temporal.payloads import first_payload, record_from_temporal, record_to_temporal
from rescind.temporal.records import AttemptOrder, AttemptReport
from rescind.temporal.stopping import StopOrders, beat
from rescind.worker.attempt import Attempt
from rescind.worker.executors.selection import Executors

# In seconds. An answer takes some milliseconds; where it takes longer, a cancel with its reason is worth the wait.
_LEAST_PATIENCE: Final = 2.0


class TaskRunner:
    """Runs the attempts that one worker is given.

    Attributes:
        running: the attempts that run now.
    """

    def __init__(
        self,
        client: Client,
        tasks: Registry[TaskDefinition[Any, Any]],
        *,
        slots: int,
        heartbeat_interval: float,
        cancel_within: float,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
    ) -> None:
        """Make a runner.

        Args:
            client: asks workflows, and signals them.
            tasks: the tasks that it can run.
            slots: how many attempts may run at once.
            heartbeat_interval: the time between two signs of life of an attempt in seconds.
            cancel_within: how long a cancel may take to reach running code, in seconds.
            payload_limit: the largest payload in bytes.
        """
        self.running: set[Attempt] = set()
        self._client = client
        self._tasks = tasks
        self._heartbeat_interval = heartbeat_interval
        self._patience = max(_LEAST_PATIENCE, cancel_within / 2)
        self._look_again_after = cancel_within / 2
        self._payload_limit = payload_limit
        self._executors = Executors(slots, payload_limit)
        self._executors.prepare(tasks)

    def dynamic_activity(self) -> Any:
        """The function that a worker registers."""

        @activity.defn(dynamic=True)
        async def run_attempt(args: Sequence[RawValue]) -> RawValue:
            return await self._run(args)

        return run_attempt

    def close(self) -> None:
        """The worker has ended: nothing is run any more."""
        self._executors.close()

    async def _run(self, args: Sequence[RawValue]) -> RawValue:
        info = activity.info()
        try:
            definition = self._tasks.get(info.activity_type)
        except UnknownKind as error:
            raise ApplicationError(str(error), type=UNKNOWN_KIND, non_retryable=True) from None
        order = record_from_temporal(args[1], AttemptOrder)
        workflow: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(
            info.workflow_id or "", run_id=info.workflow_run_id
        )
        activation = order.activation(info.workflow_id or "", info.activity_type, first_payload(args))
        orders = StopOrders(workflow, order, self._patience)
        running = RunningAttempt(order, AttemptTelling(workflow, order), orders, self._look_again_after)
        attempt = Attempt(activation, definition, self._executors.of(definition), running.receive, self._payload_limit)
        self.running.add(attempt)
        try:
            return await _uninterrupted(running, running.run(attempt, self._heartbeat_interval))
        finally:
            self.running.discard(attempt)


class RunningAttempt:
    """One attempt, from its start to what its activity tells of its end."""

    def __init__(
        self, order: AttemptOrder, telling: AttemptTelling, orders: StopOrders, look_again_after: float
    ) -> None:
        """For one attempt; a stop that takes longer than `look_again_after` seconds is told of before it has ended.

        Its order is looked at again so often, too: force reaches it in the time of a cancel.
        """
        self.cancelled = asyncio.Event()
        self._order = order
        self._telling = telling
        self._orders = orders
        self._look_again_after = look_again_after
        self._watch = AttemptWatch(order)
        self._ended = asyncio.Event()
        self._reported: TaskReported | None = None
        self._delivered: StopReported | None = None
        self._stopped: StopReported | None = None
        self._is_leaving = False

    def receive(self, message: FromWorker) -> None:
        """Take what the attempt reports."""
        match message:
            case TaskAlive():
                self._watch.note(message)
                self._telling.note(message)
            case TaskReported():
                self._reported = message
            case StopReported() if message.state is StopState.DELIVERED:
                self._delivered = message
            case StopReported():
                self._stopped = message

    async def run(self, attempt: Attempt, heartbeat_interval: float) -> RawValue:
        """Run the attempt to its end; returns its report.

        Raises:
            ApplicationError: it failed, and this carries its report; or its worker ends before it does.
        """
        beside = [asyncio.ensure_future(beat(heartbeat_interval)), asyncio.ensure_future(self._telling.run())]
        beside.append(asyncio.ensure_future(self._mind_cancel(attempt)))
        if self._watch.is_needed:
            beside.append(asyncio.ensure_future(self._watch.run(self._telling.overrun)))
        attempt.start(self._note_end)
        try:
            await self._ended.wait()
        finally:
            for each in beside:
                each.cancel()
            await asyncio.wait(beside)
        await self._telling.flush()
        return self._answer()

    def _note_end(self, attempt: Attempt) -> None:
        # What it has to report is reported behind this, in the same turn of the event loop.
        asyncio.get_running_loop().call_soon(self._ended.set)

    async def _mind_cancel(self, attempt: Attempt) -> None:
        await self.cancelled.wait()
        order = await self._orders.first()
        self._is_leaving = not order.decided and order.cause.source.value == "shutdown"
        self._stop(attempt, order)
        told: StopReported | None = None
        while True:
            await asyncio.sleep(self._look_again_after)
            if self._delivered is not None and self._delivered != told:
                told = self._delivered
                await self._telling.delivered(told)
            standing = await self._orders.standing()
            if standing is not None and standing != order:
                order = standing
                self._stop(attempt, order)

    def _stop(self, attempt: Attempt, order: StopOrder) -> None:
        if not self._ended.is_set():
            attempt.order_stop(order)

    def _answer(self) -> RawValue:
        reported, stopped = self._reported, self._stopped
        if self._is_leaving and stopped is None and (reported is None or reported.cancelled):
            raise worker_leaving()
        report = AttemptReport(reported, self._delivered, stopped)
        if reported is not None and reported.failure is not None:
            raise attempt_error(report, reported.failure)
        return record_to_temporal(report)


async def _uninterrupted(running: RunningAttempt, run: Any) -> RawValue:
    """Run to the end. Temporal cancels an activity by cancelling its coroutine: that only says so, and ends nothing."""
    work = asyncio.ensure_future(run)
    while not work.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(work)
            break
        running.cancelled.set()
    result: RawValue = work.result()
    return result
