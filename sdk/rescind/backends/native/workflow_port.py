"""A workflow's port to its event log: commands are collected, events settle what the code waits for."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from rescind.backends.native.agent_loop import AbandonRun, AgentLoop
from rescind.backends.native.code_places import running_place
from rescind.backends.native.loop_port import LoopPort
from rescind.backends.native.workflow_history import Category, MatchedCommand, WorkflowHistory
from rescind.backends.native.workflow_tasks import WorkflowTasks
from rescind.errors import DeterminismViolation, NotSupported, TimerCancelled
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.ids import ExecutionId, TaskId, execution_uuid
from rescind.model.operation_base import Signal, WaitCondition
from rescind.model.operations import StepRecorded, TasksSettled
from rescind.model.options import TaskOptions
from rescind.model.payload import Payload
from rescind.model.status import CancelMode, CancelTaskResult, StopState, TaskStatus
from rescind.model.workflow_commands import (
    AnyWorkflowCommand,
    CancelTask,
    CancelTimer,
    ClearState,
    CreatePromise,
    RecordOperation,
    RequestCancelChildWorkflow,
    ResolvePromise,
    ScheduleChildWorkflow,
    ScheduleTask,
    SetState,
    StartTimer,
)
from rescind.model.workflows import WorkflowClaimed
from rescind.runtime.workflow_futures import Settling
from rescind.runtime.workflow_random import WorkflowRandom

StepFunction = Callable[[], Awaitable[Any] | Any]


class Diverged(AbandonRun):
    """The code has left the path of its log; it must not go on."""


class Step:
    """A side effect that the code asked for.

    Attributes:
        name: its name.
        function: what to do; None if the value was given with it.
        recorded: what it gave, once that is known.
    """

    __slots__ = ("function", "name", "recorded", "settling")

    def __init__(self, name: str, function: StepFunction | None, recorded: StepRecorded | None = None) -> None:
        self.name = name
        self.function = function
        self.recorded = recorded
        self.settling = Settling(f"step {name!r}")

    def command(self) -> RecordOperation:
        """What records it."""
        recorded = self.recorded or StepRecorded()
        if recorded.value is None:
            return RecordOperation(self.name, failure=recorded.failure)
        return RecordOperation(self.name, recorded.value, recorded.failure)


Given = AnyWorkflowCommand | Step


class NativeWorkflowPort(LoopPort):
    """One run's port. It is also the timers of the run's event loop.

    Attributes:
        history: the log, as far as it is known.
        tasks: what is known of the run's tasks.
        violation: set if the code has left the path of its log.
        commands: what is new in this pass, in order.
    """

    __slots__ = (
        *("execution_id", "organisation", "queue", "input", "payload_limit", "labels", "version", "values", "loop"),
        *("history", "tasks", "violation", "commands", "steps", "timers", "promises", "children"),
        *("_uuid", "_next_id", "_timer_count", "_random", "_in_step", "_requested", "_signals", "_places"),
    )

    sort = "workflow"

    def __init__(self, claimed: WorkflowClaimed, payload_limit: int) -> None:
        self.execution_id = claimed.execution_id
        self.organisation = claimed.organisation
        self.queue = claimed.queue
        self.input = claimed.input
        self.payload_limit = payload_limit
        self.labels: Mapping[str, str] = claimed.labels
        self.version = claimed.version
        self.values: dict[str, Payload] = {}
        self.loop = AgentLoop(self, claimed.created_at, self.sort)
        self.history = WorkflowHistory()
        self.tasks = WorkflowTasks()
        self.violation: DeterminismViolation | None = None
        self.commands: list[Given] = []
        self.steps: list[Step] = []
        self.timers: dict[str, Settling | int] = {}
        self.promises: dict[str, Settling] = {}
        self.children: dict[ExecutionId, Settling] = {}
        self._uuid = execution_uuid(claimed.execution_id)
        self._next_id = 0
        self._timer_count = 0
        self._random: WorkflowRandom | None = None
        # What was given since the last event was delivered, with the line that gave it.
        self._in_step: list[tuple[Given, str]] = []
        self._requested: set[tuple[str, str]] = set()
        self._signals: dict[str, deque[Signal]] = {}
        self._places: dict[str, deque[Settling]] = {}

    # -- for the run --

    def end_step(self) -> None:
        """Match what the code gave with the log; what the log has not is new.

        Raises:
            DeterminismViolation: it is something else than the log has.
        """
        given, self._in_step = self._in_step, []
        for command, place in given:
            if isinstance(command, MatchedCommand):
                event = self.history.give(command, place)
                if event is not None:
                    self._note_record(command, event)
                    continue
            self.commands.append(command)

    def receive_signal(self, signal: Signal) -> None:
        """A signal has come: whoever is first in the queue has it."""
        places = self._places.get(signal.name)
        if places:
            places.popleft().settle(lambda: signal)
        else:
            self._signals.setdefault(signal.name, deque()).append(signal)

    def fire_timer(self, timer_id: str) -> None:
        """A timer has fired; one that is unknown, or not wanted any more, is ignored."""
        timer = self.timers.pop(timer_id, None)
        if isinstance(timer, Settling):
            timer.settle(lambda: None)
        elif timer is not None:
            self.loop.fire_timer(timer)

    def lose_timer(self, timer_id: str) -> None:
        """A timer will never fire."""
        timer = self.timers.pop(timer_id, None)
        if isinstance(timer, Settling):
            timer.settle(lambda: _raise(TimerCancelled(timer_id)))

    def waits(self) -> list[str]:
        """What the code waits for, in words."""
        settlings = [*self.timers.values(), *self.promises.values(), *self.children.values()]
        settlings += [place for places in self._places.values() for place in places]
        waited = [one.what for one in settlings if isinstance(one, Settling) and one.is_waited_for]
        return [*(f"task {task_id}" for task_id in self.tasks.waited_for), *waited]

    # -- timers, for the loop --

    def start_timer(self, due: int) -> int:
        """See `durable_timers.TimerPort`."""
        self._timer_count += 1
        timer_id = f"sleep-{self._timer_count}"
        self.timers[timer_id] = self._timer_count
        self._give(StartTimer(timer_id, -(-(due - self.loop.now) // 1_000)))
        return self._timer_count

    def cancel_timer(self, timer: int) -> None:
        """See `durable_timers.TimerPort`."""
        self.cancel_sleep(f"sleep-{timer}")

    # -- WorkflowContextPort --

    def randomness(self) -> WorkflowRandom:
        """See `DurablePort`."""
        self.ensure_active()
        if self._random is None:
            self._random = WorkflowRandom(self._uuid)
        return self._random

    def next_uuid(self) -> UUID:
        """See `WorkflowContextPort`. The rule is the wire's: both sides derive the id without asking each other."""
        number, self._next_id = self._next_id, self._next_id + 1
        return uuid5(self._uuid, f"{self._uuid}:{number}")

    def schedule(
        self, kind: str, payload: Payload, queue: str | None, options: TaskOptions, idempotency_key: str | None
    ) -> TaskId:
        """See `DurablePort`."""
        self.ensure_active()
        task_id = TaskId(str(self.next_uuid()))
        self.tasks.add(task_id)
        self._give(ScheduleTask(kind, task_id, payload, queue=queue, idempotency_key=idempotency_key, options=options))
        return task_id

    def leave_tasks(self, task_ids: Sequence[TaskId], cause: CancelCause) -> None:
        """See `DurablePort`."""
        if not self.loop.is_closed():
            for task_id in self.tasks.open(task_ids):
                self._request_cancel(task_id, cause, CancelMode.TRY)

    async def cancel_task(self, task_id: TaskId, cause: CancelCause, mode: CancelMode) -> CancelTaskResult:
        """See `DurablePort`. The answer is how the task then ends, as its log has it."""
        await self.tell_cancel()
        if not self.tasks.knows(task_id):
            return CancelTaskResult.NOT_FOUND
        end = self.tasks.outcome(task_id)
        if end is not None:
            return CancelTaskResult(f"ALREADY_{end.status.value}")
        self._request_cancel(task_id, cause, mode)
        await self.tasks.wait((task_id,), WaitCondition.ALL_ENDED)
        end = self.tasks.outcome(task_id)
        assert end is not None
        if end.status is TaskStatus.CANCELLED:
            is_ours = end.cause is None or end.cause.by == cause.by
            return CancelTaskResult.CANCELLED if is_ours else CancelTaskResult.ALREADY_CANCELLED
        return CancelTaskResult(f"ALREADY_{end.status.value}")

    async def await_tasks(
        self,
        task_ids: Sequence[TaskId],
        condition: WaitCondition,
        *,
        needed: int = 1,
        timeout_ms: int | None = None,
        losers: CancelSource | None = None,
    ) -> TasksSettled:
        """See `DurablePort`. What this cancels is waited for: its ends are in the log before this returns."""
        await self.tell_cancel()
        timed_out = False
        try:
            async with asyncio.timeout(None if timeout_ms is None else timeout_ms / 1_000):
                await self.tasks.wait(task_ids, condition, needed)
        except TimeoutError:
            timed_out = True
        still_open = self.tasks.open(task_ids) if losers is not None else []
        if losers is not None and still_open:
            cause = CancelCause(losers, f"{self.sort}:{self.execution_id}")
            for task_id in still_open:
                self._request_cancel(task_id, cause, CancelMode.TRY)
            await self.tasks.wait(still_open, WaitCondition.ALL_ENDED)
        ended = self.tasks.ended(task_ids)
        lost = {one for one, end in ended if one in set(still_open) and end.status is TaskStatus.CANCELLED}
        return TasksSettled(
            tuple(pair for pair in ended if pair[0] not in lost),
            tuple(one for one in still_open if one in lost),
            timed_out,
        )

    async def await_stopped(
        self, task_ids: Sequence[TaskId], timeout_ms: int | None
    ) -> Mapping[TaskId, StopState | None]:
        """See `DurablePort`. A workflow's log does not tell."""
        raise NotSupported(
            "a workflow cannot wait for work to have really stopped: its log does not tell. Leave confirm_ms out, or "
            "do this in an agent."
        )

    async def run_step(self, name: str, function: StepFunction) -> StepRecorded:
        """See `DurablePort`. Its result comes with the event that records it, so it has its place among all others."""
        await self.tell_cancel()
        step = Step(name, function)
        await self._give_step(step)
        try:
            recorded: StepRecorded = await step.settling.wait()
        except asyncio.CancelledError:
            step.function = None
            raise
        return recorded

    def record_value(self, name: str, value: Payload) -> Payload:
        """See `WorkflowContextPort`."""
        recorded = self.history.recorded_operation()
        self._match_step(Step(name, None, StepRecorded(value)))
        return value if recorded is None else recorded.result

    async def sleep(self, seconds: float) -> None:
        """See `DurablePort`. The loop's timers are durable."""
        await self.tell_cancel()
        await asyncio.sleep(seconds)

    def start_sleep(self, duration_ms: int) -> tuple[str, Settling]:
        """See `WorkflowContextPort`."""
        self._timer_count += 1
        timer_id = f"sleep-{self._timer_count}"
        settling = self.timers[timer_id] = Settling(f"timer {timer_id}")
        self._give(StartTimer(timer_id, duration_ms))
        return timer_id, settling

    def cancel_sleep(self, timer_id: str) -> None:
        """See `WorkflowContextPort`. A timer that was begun since the last event is never sent at all."""
        self.timers.pop(timer_id, None)
        for place, (command, _) in enumerate(self._in_step):
            if isinstance(command, StartTimer) and command.timer_id == timer_id:
                del self._in_step[place]
                return
        if not self.loop.is_closed():
            self._request(("timer", timer_id), CancelTimer(timer_id))

    def create_promise(
        self, name: str, timeout_ms: int | None, idempotency_key: str | None, key_seconds: int | None
    ) -> Settling:
        """See `WorkflowContextPort`."""
        known = self.promises.get(name)
        if known is not None:
            return known
        settling = self.promises[name] = Settling(f"promise {name!r}")
        self._give(CreatePromise(name, timeout_ms, idempotency_key, key_seconds))
        return settling

    def resolve_promise(self, name: str, value: Payload) -> None:
        """See `WorkflowContextPort`."""
        self.ensure_active()
        self._request(("promise", name), ResolvePromise(name, value))

    def schedule_child(
        self, name: str, kind: str, payload: Payload, *, queue: str, priority_seconds: int, abandon: bool
    ) -> tuple[ExecutionId, Settling]:
        """See `WorkflowContextPort`."""
        child = ExecutionId(str(self.next_uuid()))
        settling = self.children[child] = Settling(f"child workflow {name!r}")
        self._give(ScheduleChildWorkflow(name, kind, child, payload, queue, priority_seconds, abandon=abandon))
        return child, settling

    def request_child_cancel(self, execution_id: ExecutionId, name: str, reason: str) -> None:
        """See `WorkflowContextPort`."""
        self.ensure_active()
        self._request(("child", execution_id), RequestCancelChildWorkflow(execution_id, name, reason))

    def set_state(self, key: str, value: Payload) -> None:
        """See `WorkflowContextPort`."""
        self.values[key] = value
        self._give(SetState(key, value))

    def clear_state(self, key: str) -> None:
        """See `WorkflowContextPort`."""
        self.values.pop(key, None)
        self._give(ClearState(key))

    def next_signal(self, name: str) -> Settling:
        """See `WorkflowContextPort`."""
        place = Settling(f"signal {name!r}")
        queued = self._signals.get(name)
        if queued:
            signal = queued.popleft()
            place.settle(lambda: signal)
        else:
            self._places.setdefault(name, deque()).append(place)
        return place

    def leave_signal(self, name: str, place: Settling) -> None:
        """See `WorkflowContextPort`."""
        if place.outcome is None:
            self._places[name].remove(place)
            return
        signal: Signal = place.outcome()
        waiting = self._places.get(name)
        if waiting:
            waiting.popleft().settle(lambda: signal)
        else:
            self._signals.setdefault(name, deque()).appendleft(signal)

    def queued_signals(self, name: str) -> Sequence[Signal]:
        """See `WorkflowContextPort`."""
        return tuple(self._signals.get(name, ()))

    def take_queued_signals(self, name: str) -> Sequence[Signal]:
        """See `WorkflowContextPort`."""
        return tuple(self._signals.pop(name, ()))

    # -- inside --

    def _give(self, command: MatchedCommand) -> None:
        self._in_step.append((command, self._place()))

    def _request(self, key: tuple[str, str], command: AnyWorkflowCommand) -> None:
        """Give a command that only needs to be given until the log shows its effect."""
        if key not in self._requested and not self.history.is_settled(*key):
            self._requested.add(key)
            self._in_step.append((command, ""))

    def _request_cancel(self, task_id: TaskId, cause: CancelCause, mode: CancelMode) -> None:
        recorded = self.tasks.recorded_ids.get(task_id, task_id)
        key = ("task", recorded if mode is CancelMode.TRY else f"{recorded} {mode.value}")
        if not self.history.is_settled("task", recorded):
            self._request(key, CancelTask(recorded, cause, mode))

    async def _give_step(self, step: Step) -> None:
        if not self._match_step(step):
            assert self.violation is not None
            await self.loop.abandon_here(Diverged(str(self.violation)))

    def _match_step(self, step: Step) -> bool:
        """Count a side effect at once: its record may be wanted before the code waits. Returns whether it fits."""
        self.steps.append(step)
        try:
            event = self.history.give(RecordOperation(step.name), self._place())
        except DeterminismViolation as violation:
            self.violation = violation
            self.loop.abandon(Diverged(str(violation)))
            return False
        if event is None:
            self._in_step.append((step, ""))
        return True

    def _note_record(self, command: MatchedCommand, event: object) -> None:
        recorded = getattr(event, "task_execution_id", None)
        if isinstance(command, ScheduleTask) and recorded is not None and recorded != command.task_execution_id:
            self.tasks.rename(command.task_execution_id, recorded)

    def _place(self) -> str:
        # Frames are looked at where there may be something to tell: while the log is ahead of the code.
        return running_place(sys._getframe(2)) if any(map(self.history.is_ahead, Category)) else ""


def _raise(error: BaseException) -> Any:
    raise error
