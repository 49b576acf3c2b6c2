"""The attempts of a worker: claimed by polls, reported by calls, stopped when a heartbeat is refused."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from google.protobuf.message import Message
from rescind_proto.flovyn.v1 import flovyn_pb2 as wire

from rescind.errors import RequestError, RescindError
from rescind.flovyn.calls import POLL_SECONDS, Calls, Pause
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId
from rescind.model.messages import (
    StopOrder,
    StopReported,
    StreamedEvent,
    TaskActivation,
    TaskAlive,
    TaskReported,
    ToWorker,
)
from rescind.model.options import DEFAULT_GRACE_MS
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import StopState

_LOG: Final = logging.getLogger("rescind.flovyn")
CANCELLED: Final = "Task cancelled"
"""What is reported of an attempt that was stopped: the words that other workers of this protocol use."""

_TYPES: Final = {
    "token": wire.StreamEventType.TOKEN,
    "progress": wire.StreamEventType.PROGRESS,
    "data": wire.StreamEventType.DATA,
    "error": wire.StreamEventType.ERROR,
}

FromTask = TaskReported | StopReported | TaskAlive
"""What the worker tells of an attempt."""


class Tasks:
    """Polls for tasks while there are free slots, and reports what became of them."""

    def __init__(
        self,
        calls: Calls,
        worker_id: Callable[[], str],
        tell: Callable[[ToWorker], None],
        fail: Callable[[RescindError], None],
        now: Callable[[], Instant],
        heartbeat_s: float,
    ) -> None:
        """Make it; it polls from `start` on.

        Args:
            calls: to the server.
            worker_id: what the worker is called at the server now.
            tell: takes what is for the worker.
            fail: takes a refusal after which there is no use in going on.
            now: the time.
            heartbeat_s: seconds between two heartbeats of an attempt: so late a cancel may be learnt.
        """
        self._calls = calls
        self._worker_id = worker_id
        self._tell = tell
        self._fail = fail
        self._now = now
        self._heartbeat_s = heartbeat_s
        self._kinds: frozenset[str] = frozenset()
        self._slots = 1
        self._last_lease = 0
        self._lines: dict[Lease, _Line] = {}
        self._has_room = asyncio.Event()
        self._polls: list[asyncio.Task[None]] = []
        self._beating: asyncio.Task[None] | None = None

    def start(self, kinds: Sequence[str], queues: Sequence[str], slots: int) -> None:
        """Poll for tasks of these kinds in these queues; so many run at once."""
        self._kinds = frozenset(kinds)
        self._slots = slots
        self._has_room.set()
        if kinds:
            self._polls = [asyncio.create_task(self._poll(queue)) for queue in queues]
            self._beating = asyncio.create_task(self._beat())

    def take(self, message: FromTask) -> None:
        """The worker tells of an attempt."""
        line = self._lines.get(message.lease)
        if line is not None:
            line.take(message)

    def stop_polls(self) -> None:
        """Take nothing new."""
        for task in self._polls:
            task.cancel()

    async def reported(self) -> None:
        """Return when all that was told has arrived."""
        lines = [line.sending for line in self._lines.values()]
        if lines:
            await asyncio.wait(lines)

    def cut(self) -> None:
        """Stop at once."""
        self.stop_polls()
        if self._beating is not None:
            self._beating.cancel()
        for line in self._lines.values():
            line.sending.cancel()

    async def _poll(self, queue: str) -> None:
        pause = Pause()
        request = wire.PollTaskRequest(queue=queue, timeout_seconds=POLL_SECONDS)
        while True:
            await self._has_room.wait()
            request.worker_id = self._worker_id()
            try:
                answer = await self._calls.poll("PollTask", request)
            except RequestError as error:
                self._fail(error)
                return
            except RescindError:
                await pause.wait()
                continue
            pause.reset()
            if answer.HasField("task"):
                await self._begin(answer.task)

    async def _begin(self, task: wire.TaskExecutionInfo) -> None:
        if task.kind not in self._kinds:
            request = wire.FailTaskRequest(
                task_execution_id=task.task_execution_id, error=f"Task kind not found: {task.kind}"
            )
            await _report(self._calls, "FailTask", request)
            return
        self._last_lease += 1
        activation = TaskActivation(
            TaskId(task.task_execution_id),
            Lease(self._last_lease),
            ExecutionId(task.workflow_execution_id),
            task.kind,
            Payload(task.input) if task.input else NULL_PAYLOAD,
            task.execution_count,
            DEFAULT_GRACE_MS,
            task.queue or "default",
            trace_parent=task.traceparent or None,
        )
        line = self._lines[activation.lease] = _Line(self._calls, activation, self._now)
        line.sending.add_done_callback(lambda _: self._ended(activation.lease))
        self._note_room()
        self._tell(activation)

    def _ended(self, lease: Lease) -> None:
        self._lines.pop(lease, None)
        self._note_room()

    def _note_room(self) -> None:
        if len(self._lines) < self._slots:
            self._has_room.set()
        else:
            self._has_room.clear()

    async def _beat(self) -> None:
        """Ask for each attempt whether it is still wanted: nothing else tells."""
        while True:
            await asyncio.sleep(self._heartbeat_s)
            await asyncio.gather(*(self._beat_one(line) for line in list(self._lines.values()) if line.is_at_work))

    async def _beat_one(self, line: _Line) -> None:
        activation = line.activation
        try:
            await self._calls.ask("Heartbeat", wire.HeartbeatRequest(task_execution_id=activation.task_id))
        except RequestError as error:
            if line.is_at_work:
                line.is_at_work = False
                cause = CancelCause(CancelSource.REQUEST, "server", str(error))
                self._tell(StopOrder(activation.task_id, activation.lease, cause))
        except RescindError:
            pass  # the server is away: its attempts go on


class _Line:
    """What is told of one attempt, in its order.

    Attributes:
        activation: what began it.
        is_at_work: whether it has not ended here, and was not told to.
        sending: ends when its last report has arrived.
    """

    def __init__(self, calls: Calls, activation: TaskActivation, now: Callable[[], Instant]) -> None:
        self.activation = activation
        self.is_at_work = True
        self._calls = calls
        self._now = now
        self._waiting: deque[FromTask] = deque()
        self._has_news = asyncio.Event()
        self._streamed = 0
        self.sending = asyncio.create_task(self._send_all())

    def take(self, message: FromTask) -> None:
        """Send a message, behind those before."""
        if isinstance(message, TaskReported):
            self.is_at_work = False
        self._waiting.append(message)
        self._has_news.set()

    async def _send_all(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            while self._waiting:
                if await self._send(self._waiting.popleft()):
                    return

    async def _send(self, message: FromTask) -> bool:
        """Send one message; returns whether it was the last."""
        task_id = self.activation.task_id
        match message:
            case TaskAlive():
                await self._send_alive(message)
                return False
            case StopReported(state=StopState.DELIVERED):
                return False
            case TaskReported(failure=None, cancelled=False):
                output = message.output or NULL_PAYLOAD
                request = wire.CompleteTaskRequest(task_execution_id=task_id, output=output.data)
                await _report(self._calls, "CompleteTask", request)
            case _:
                failure = message.failure if isinstance(message, TaskReported) else None
                error = failure.message if failure is not None else CANCELLED
                await _report(self._calls, "FailTask", wire.FailTaskRequest(task_execution_id=task_id, error=error))
        return True

    async def _send_alive(self, alive: TaskAlive) -> None:
        task_id = self.activation.task_id
        try:
            if alive.progress is not None:
                request = wire.ReportProgressRequest(
                    task_execution_id=task_id, progress=alive.progress, details=alive.message or ""
                )
                await self._calls.ask("ReportProgress", request)
            for event in alive.streamed:
                await self._stream(event)
        except RescindError:
            pass  # it is of use now or never

    async def _stream(self, event: StreamedEvent) -> None:
        self._streamed += 1
        request = wire.StreamTaskDataRequest(
            task_execution_id=self.activation.task_id,
            workflow_execution_id=self.activation.execution_id,
            sequence=self._streamed - 1,
            type=_TYPES.get(event.kind, wire.StreamEventType.DATA),
            payload=_shown(event),
            timestamp_ms=self._now() // 1_000,
        )
        await self._calls.ask("StreamTaskData", request)


def _shown(event: StreamedEvent) -> str:
    """What those who watch are shown. What has no type of its own here says what it is."""
    if event.kind in _TYPES:
        return event.value.data.decode()
    return msgspec.json.encode({event.kind: msgspec.Raw(event.value.data)}).decode()


async def _report(calls: Calls, name: str, request: Message) -> None:
    try:
        await calls.insist(name, request)
    except RequestError as error:
        _LOG.debug("%s was of no effect: %s", name, error)  # what ended the task says so, too
