"""An agent's port to our engine: operations are collected, answers resolve the futures at their positions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any

from rescind.backends.native.agent_loop import AgentLoop
from rescind.backends.native.child_port import ChildPort
from rescind.backends.native.loop_port import LoopPort
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import ExecutionId, Instant, TaskId, task_id_from_key
from rescind.model.messages import AgentStart, EntryRecord, StreamedEvent
from rescind.model.operations import (
    AnyOperation,
    AppendEntry,
    AwaitSignal,
    AwaitStopped,
    AwaitTasks,
    BeginStep,
    CancelTask,
    DrainSignals,
    Flush,
    LeaveTasks,
    PeekSignal,
    Resolution,
    ReturnSignals,
    SaveCheckpoint,
    ScheduleTask,
    Signal,
    SignalPeeked,
    SignalsTaken,
    StartTimer,
    StepRecorded,
    TaskCancelAnswered,
    TasksSettled,
    TasksStopped,
    TimerFired,
    WaitCondition,
    Withdraw,
)
from rescind.model.options import TaskOptions
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT, Payload
from rescind.model.status import CancelMode, CancelTaskResult, StopState

StepFunction = Callable[[], Awaitable[Any] | Any]


class NativeAgentPort(LoopPort, ChildPort):
    """One run's port. It is also the timers of the run's event loop.

    Attributes:
        issued: the operations of the present activation, in order.
        streamed: what was streamed in it.
        steps: side effects that were asked for and have no answer yet, by position.
        is_replaying: whether what happens now has happened before.
        note_place: called with each new operation's position while replaying, to remember the line that issued it.
    """

    __slots__ = (
        *("execution_id", "organisation", "queue", "input", "parent_id", "labels", "state", "checkpoint_sequence"),
        *("budget", "usage"),
        *("entries", "payload_limit", "loop", "issued", "streamed", "steps", "is_replaying", "note_place"),
        *("_base_position", "_position", "_pending", "_random"),
    )

    sort = "agent"

    def __init__(self, execution_id: ExecutionId, start: AgentStart, now: Instant, payload_limit: int) -> None:
        self.execution_id = execution_id
        self.organisation = start.organisation
        self.queue = start.queue
        self.input = start.input
        self.parent_id = start.parent_id
        self.labels: Mapping[str, str] = start.labels
        self.budget = start.budget
        self.usage = start.usage
        self.state = start.state
        self.checkpoint_sequence = start.checkpoint_sequence
        self.entries: Sequence[EntryRecord] = start.entries
        self.payload_limit = payload_limit or DEFAULT_PAYLOAD_LIMIT
        self.loop = AgentLoop(self, now)
        self.issued: list[AnyOperation] = []
        self.streamed: list[StreamedEvent] = []
        self.steps: dict[int, tuple[str, StepFunction]] = {}
        self.is_replaying = False
        self.note_place: Callable[[int], None] | None = None
        self._base_position = start.base_position
        self._position = start.base_position
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._random: Random | None = None

    # -- for the run --

    def resolve(self, resolution: Resolution) -> None:
        """Hand an answer to whoever waits for it; one that nobody waits for any more is dropped, but for signals."""
        answer = resolution.answer
        if isinstance(answer, TimerFired):
            self.loop.fire_timer(resolution.position)
            return
        self.steps.pop(resolution.position, None)
        future = self._pending.pop(resolution.position, None)
        if future is not None and not future.done():
            future.set_result(answer)
        elif isinstance(answer, SignalsTaken):
            self._return_signals(answer)

    # -- timers, for the loop --

    def start_timer(self, due: int) -> int:
        """See `durable_timers.TimerPort`."""
        position = self._next_position()
        self.issued.append(StartTimer(position, Instant(due)))
        return position

    def cancel_timer(self, timer: int) -> None:
        """See `durable_timers.TimerPort`. A timer that was begun in this very activation is never sent at all."""
        for place in range(len(self.issued) - 1, -1, -1):
            if self.issued[place].position == timer:
                del self.issued[place]
                return
        self.issued.append(Withdraw(self._next_position(), timer))

    # -- AgentPort --

    def randomness(self) -> Random:
        """See `AgentPort`. Drawn from the execution's id and the checkpoint that its journal begins at."""
        self.ensure_active()
        if self._random is None:
            self._random = Random(self._seed())
        return self._random

    def schedule(
        self, kind: str, payload: Payload, queue: str | None, options: TaskOptions, idempotency_key: str | None
    ) -> TaskId:
        """See `AgentPort`."""
        self.ensure_active()
        position = self._next_position()
        key = f"key:{idempotency_key}" if idempotency_key is not None else str(position)
        task_id = task_id_from_key(f"{self.execution_id}:{key}")
        self.issued.append(ScheduleTask(position, task_id, kind, payload, queue, options))
        return task_id

    def leave_tasks(self, task_ids: Sequence[TaskId], cause: CancelCause) -> None:
        """See `AgentPort`."""
        if not self.loop.is_closed():
            self.issued.append(LeaveTasks(self._next_position(), tuple(task_ids), cause))

    async def cancel_task(self, task_id: TaskId, cause: CancelCause, mode: CancelMode) -> CancelTaskResult:
        """See `AgentPort`."""
        await self.tell_cancel()
        answer: TaskCancelAnswered = await self._ask(CancelTask(self._next_position(), task_id, cause, mode))
        return answer.result

    async def await_tasks(
        self,
        task_ids: Sequence[TaskId],
        condition: WaitCondition,
        *,
        needed: int = 1,
        timeout_ms: int | None = None,
        losers: CancelSource | None = None,
    ) -> TasksSettled:
        """See `AgentPort`."""
        await self.tell_cancel()
        deadline = self._deadline(timeout_ms)
        operation = AwaitTasks(self._next_position(), tuple(task_ids), condition, needed, deadline, losers)
        settled: TasksSettled = await self._ask(operation)
        return settled

    async def await_stopped(
        self, task_ids: Sequence[TaskId], timeout_ms: int | None
    ) -> Mapping[TaskId, StopState | None]:
        """See `AgentPort`."""
        await self.tell_cancel()
        operation = AwaitStopped(self._next_position(), tuple(task_ids), self._deadline(timeout_ms))
        answer: TasksStopped = await self._ask(operation)
        return dict(answer.states)

    def append_entry(self, entry_type: str, role: str, content: Payload, turn_id: str | None) -> EntryRecord:
        """See `AgentPort`."""
        self.ensure_active()
        position = self._next_position()
        entry_id = task_id_from_key(f"{self.execution_id}:entry:{position}")
        self.issued.append(AppendEntry(position, entry_id, entry_type, role, content, turn_id))
        return EntryRecord(entry_id, entry_type, role, content, turn_id, self.now())

    async def checkpoint(self, state: Payload) -> None:
        """See `AgentPort`."""
        await self.tell_cancel()
        position = self._next_position()
        # A run that begins here draws the numbers that this one draws from here on.
        self._base_position = position
        if self._random is not None:
            self._random.seed(self._seed())
        await self._ask(SaveCheckpoint(position, state))

    async def flush(self) -> None:
        """See `AgentPort`."""
        await self.tell_cancel()
        await self._ask(Flush(self._next_position()))

    async def take_signal(self, pattern: str, *, is_glob: bool) -> Signal:
        """See `AgentPort`."""
        await self.tell_cancel()
        answer: SignalsTaken = await self._ask(AwaitSignal(self._next_position(), pattern, is_glob))
        return answer.signals[0]

    async def drain_signals(self, pattern: str, *, is_glob: bool) -> Sequence[Signal]:
        """See `AgentPort`."""
        await self.tell_cancel()
        answer: SignalsTaken = await self._ask(DrainSignals(self._next_position(), pattern, is_glob))
        return answer.signals

    async def has_signal(self, pattern: str, *, is_glob: bool) -> bool:
        """See `AgentPort`."""
        await self.tell_cancel()
        answer: SignalPeeked = await self._ask(PeekSignal(self._next_position(), pattern, is_glob))
        return answer.present

    async def run_step(self, name: str, function: StepFunction) -> StepRecorded:
        """See `AgentPort`."""
        await self.tell_cancel()
        position = self._next_position()
        self.steps[position] = (name, function)
        recorded: StepRecorded = await self._ask(BeginStep(position, name))
        return recorded

    def stream(self, event: StreamedEvent) -> None:
        """See `AgentPort`."""
        self.ensure_active()
        if not self.is_replaying:
            self.streamed.append(event)

    async def sleep(self, seconds: float) -> None:
        """See `AgentPort`. The loop's timers are durable."""
        await self.tell_cancel()
        await asyncio.sleep(seconds)

    def _next_position(self) -> int:
        self._position += 1
        if self.note_place is not None:
            self.note_place(self._position)
        return self._position

    def _deadline(self, timeout_ms: int | None) -> Instant | None:
        return None if timeout_ms is None else Instant(self.loop.now + timeout_ms * 1_000)

    async def _ask(self, operation: AnyOperation) -> Any:
        position = operation.position
        self.issued.append(operation)
        future = self._pending[position] = self.loop.create_future()
        try:
            return await future
        except asyncio.CancelledError:
            self._leave(position, future)
            raise

    def _leave(self, position: int, future: asyncio.Future[Any]) -> None:
        """Whoever waited here is cancelled: tell the engine, unless the answer was on its way to them already."""
        self.steps.pop(position, None)
        if self._pending.pop(position, None) is not None:
            self.issued.append(Withdraw(self._next_position(), position))
        elif future.done() and not future.cancelled() and isinstance(future.result(), SignalsTaken):
            self._return_signals(future.result())

    def _return_signals(self, taken: SignalsTaken) -> None:
        if taken.signals:
            self.issued.append(ReturnSignals(self._next_position(), taken.signals))

    def _seed(self) -> str:
        return f"{self.execution_id}:{self._base_position}"
