"""One attempt in this worker: its code runs, reports, is told to stop, and is seen to have stopped."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from rescind.authoring.task import TaskDefinition
from rescind.errors import InvalidInput, NonRetryable
from rescind.model.cause import CancelCause
from rescind.model.messages import (
    FromWorker,
    StopOrder,
    StopReported,
    StreamedEvent,
    TaskActivation,
    TaskAlive,
    TaskReported,
)
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import FailureKind, StopState
from rescind.runtime.failures import failure_of, rejection_of
from rescind.runtime.task_context import CancelHook, TaskContext, take_hooks, tell_cancelled, tell_lost
from rescind.telemetry.at_work import AT_WORK, AtWork
from rescind.telemetry.traces import NOT_TRACED, begin_attempt
from rescind.worker.executors.folders import make_folder, remove_folder
from rescind.worker.executors.port import Encoded, Executor, FailedElsewhere, WorkKilled

_LOG: Final = logging.getLogger("rescind.worker")
# How often code that outlives its grace and ignores its cancel is told again, in seconds.
_TELL_AGAIN_AFTER: Final = 1.0


class Attempt:
    """Runs one attempt of one task.

    Attributes:
        unresponsive: whether its grace is over and its code still runs. It stays listed until it ends.
    """

    def __init__(
        self,
        activation: TaskActivation,
        definition: TaskDefinition[Any, Any],
        executor: Executor,
        send: Callable[[FromWorker], None],
        payload_limit: int,
        worker: str = "",
    ) -> None:
        self.activation = activation
        self.unresponsive = False
        self._definition = definition
        self._executor = executor
        self._send: Callable[[FromWorker], None] = send
        self._payload_limit = payload_limit
        self._loop = asyncio.get_running_loop()
        self._cause: CancelCause | None = None
        self._decided = False
        self._is_forced = False
        self._told_at = 0.0
        self._grace: asyncio.TimerHandle | None = None
        self._hook_tasks: list[asyncio.Task[None]] = []
        self._folder: Path | None = None
        self._was_killed = False
        self._span = begin_attempt(activation, worker, definition.executor)
        self._at_work = AtWork(
            activation.execution_id, worker, activation.task_id, activation.attempt, "", activation.trace_parent
        )
        self._context = TaskContext(
            self,
            task_id=activation.task_id,
            execution_id=activation.execution_id,
            kind=activation.kind,
            attempt=activation.attempt,
            labels=activation.labels,
        )
        self._task: asyncio.Task[TaskReported] | None = None

    def start(self, on_end: Callable[[Attempt], None]) -> None:
        """Let the code run, at the earliest in the next turn of the event loop."""
        self._task = self._loop.create_task(self._run())
        self._task.add_done_callback(lambda _: self._ended(on_end))

    def order_stop(self, order: StopOrder) -> None:
        """Stop the code: it is told at once, and told again if it outlives its grace, of which `force` leaves nothing.

        An order that comes twice is acknowledged twice, and does nothing else.
        """
        self._decided = self._decided or order.decided
        if self._cause is None:
            self._begin_stop(order.cause)
        if order.force and not self._is_forced:
            self._is_forced = True
            self._end_grace()
        # Behind the telling: in the loop's next turn the code wakes first, and the report is written after it.
        self._send(
            StopReported(
                self.activation.task_id,
                self.activation.lease,
                StopState.DELIVERED,
                decided=order.decided,
                force=order.force,
            )
        )

    def _end_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
        # In the next turn: code that was told in this one has not heard of it yet, and would be told but once.
        self._grace = self._loop.call_later(0, self._tell_again)

    def _begin_stop(self, cause: CancelCause) -> None:
        self._cause = cause
        self._span.begin_stop(cause)
        self._told_at = self._loop.time()
        tell_cancelled(self._context, cause)
        if self._executor.hooks_end_it:
            self._run_hooks_now()
        self._tell()
        self._grace = self._loop.call_later(self.activation.grace_ms / 1_000, self._outlive_grace)

    def discard(self) -> None:
        """The worker is lost: nothing is reported any more, and the code goes on or ends as it would in its death."""
        self._send = _nothing
        self._span.end("LOST")
        self._span = NOT_TRACED
        tell_lost(self._context)
        if self._grace is not None:
            self._grace.cancel()
        if self._task is not None:
            self._task.cancel()

    def report(
        self,
        *,
        progress: float | None = None,
        message: str | None = None,
        advanced: bool = False,
        streamed: StreamedEvent | None = None,
    ) -> None:
        """See `TaskPort.report`. May be called from any thread; what comes after the end is of no effect."""
        activation = self.activation
        events: tuple[StreamedEvent, ...] = ()
        if streamed is not None:
            events = (msgspec.structs.replace(streamed, task_id=activation.task_id),)
        alive = TaskAlive(activation.task_id, activation.lease, progress, message, advanced, events)
        if asyncio._get_running_loop() is self._loop:
            self._send(alive)
        else:
            self._call_from_thread(lambda: self._send(alive))

    async def _run(self) -> TaskReported:
        task_id, lease = self.activation.task_id, self.activation.lease
        # In the context of this asyncio task, which ends with it.
        if (carried := self._span.enter()) is not None:
            self._at_work = msgspec.structs.replace(self._at_work, trace_parent=carried)
        AT_WORK.set(self._at_work)
        try:
            task_input = self._definition.decode_input(self.activation.input)
            result = await self._executor.run(self._definition, self._context, task_input)
            if isinstance(result, Encoded):
                output = result.payload
            else:
                output = self._definition.encode_output(result, limit=self._payload_limit)
            return TaskReported(task_id, lease, output=None if output is NULL_PAYLOAD else output)
        except asyncio.CancelledError as error:
            self._was_killed = isinstance(error, WorkKilled)
            if self._cause is not None:
                return TaskReported(task_id, lease, cancelled=True)
            return TaskReported(task_id, lease, failure=_CANCELLED_ITSELF)
        except InvalidInput as error:
            return TaskReported(task_id, lease, failure=rejection_of(error))
        except FailedElsewhere as error:
            return TaskReported(task_id, lease, failure=error.failure)
        except NonRetryable as error:
            return TaskReported(task_id, lease, failure=failure_of(error, retryable=False))
        except (Exception, SystemExit) as error:
            # SystemExit: code that exits ends its attempt, not the worker with all that it runs.
            return TaskReported(task_id, lease, failure=failure_of(error))
        finally:
            if self._cause is not None:
                await self._clean_up()
            if self._folder is not None:
                await self._remove_folder(self._folder)

    async def _clean_up(self) -> None:
        """Run the clean-ups behind the code's end, for as long as the grace lasts."""
        hooks = take_hooks(self._context, self._run_hook)
        for hook in hooks:
            self._run_hook(hook)
        while waiting := [task for task in self._hook_tasks if not task.done()]:
            try:
                await asyncio.wait(waiting)
            except asyncio.CancelledError:
                # The grace is over: what has not cleaned up by now is cut.
                for task in waiting:
                    task.cancel()

    def make_folder(self) -> Path:
        """See `TaskPort.make_folder`."""
        self._folder = make_folder()
        return self._folder

    async def _remove_folder(self, folder: Path) -> None:
        removing = self._loop.run_in_executor(None, remove_folder, folder)
        while not removing.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(removing)

    def _run_hooks_now(self) -> None:
        for hook in take_hooks(self._context, self._run_hook_from_thread):
            self._run_hook(hook)

    def _run_hook_from_thread(self, hook: CancelHook) -> None:
        self._call_from_thread(lambda: self._run_hook(hook))

    def _call_from_thread(self, callback: Callable[[], None]) -> None:
        # The loop is closed if a thread outlives it; then nobody is there to be told.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)

    def _run_hook(self, hook: CancelHook) -> None:
        try:
            waits = hook()
        except Exception:  # the author's code: the other clean-ups run nevertheless
            _log_clean_up(self._at_work)
            return
        if inspect.isawaitable(waits):
            self._hook_tasks.append(self._loop.create_task(_logged(waits, self._at_work)))

    def _outlive_grace(self) -> None:
        if not self.unresponsive and not self._executor.ends_by_force:
            self.unresponsive = True
            _LOG.warning(
                "task %s (%s) still runs %s ms after it was told to stop; it is told again until it ends",
                self.activation.task_id,
                self.activation.kind,
                round((self._loop.time() - self._told_at) * 1_000),
                extra={"at_work": self._at_work},
            )
        self._tell_again()

    def _tell_again(self) -> None:
        self._tell()
        self._grace = self._loop.call_later(_TELL_AGAIN_AFTER, self._outlive_grace)

    def _tell(self) -> None:
        if self._task is not None:
            self._task.cancel(str(self._cause))

    def _ended(self, on_end: Callable[[Attempt], None]) -> None:
        if self._grace is not None:
            self._grace.cancel()
        on_end(self)
        task, self._task = self._task, None
        assert task is not None
        # The context knows this attempt. Were it the other way round too, both would lie in memory, with all that they
        # hold, until the garbage collector came.
        del self._context
        # Cancelled before its first step: the code never ran.
        report = None if task.cancelled() or task.exception() is not None else task.result()
        if self._decided:
            size = _size_of_result(report)
            end = StopState.KILLED if self._was_killed else StopState.STOPPED
            self._span.end(end.value)
            self._send(
                StopReported(self.activation.task_id, self.activation.lease, end, size, self._definition.executor)
            )
            return
        task_id, lease = self.activation.task_id, self.activation.lease
        if report is None and self._cause is not None:
            report = TaskReported(task_id, lease, cancelled=True)
        elif report is None:
            report = TaskReported(task_id, lease, failure=_CANCELLED_ITSELF)
        self._span.end(_status_of(report), report.failure)
        self._send(report)


def _nothing(message: FromWorker) -> None:
    """Where a lost worker's messages go."""


async def _logged(waits: Any, at_work: AtWork) -> None:
    try:
        await waits
    except Exception:  # the author's code: it must not end the attempt's own clean-up
        _log_clean_up(at_work)


def _log_clean_up(at_work: AtWork) -> None:
    _LOG.exception("a clean-up of task %s raised", at_work.task_id, extra={"at_work": at_work})


def _status_of(report: TaskReported) -> str:
    if report.failure is not None:
        return "FAILED"
    return "CANCELLED" if report.cancelled else "COMPLETED"


def _size_of_result(report: TaskReported | None) -> int | None:
    if report is None or report.cancelled or report.failure is not None:
        return None
    output: Payload | None = report.output
    return len(output.data) if output is not None else 0


_CANCELLED_ITSELF: Final = Failure(
    FailureKind.ERROR, "the task's code raised CancelledError, though nobody cancelled it", "CancelledError"
)
