"""One agent in this worker's memory: run on while it is claimed, kept while it waits, claimed again."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from rescind_proto.flovyn.v1 import agent_pb2 as wire

from rescind.errors import AlreadyExists, InvalidInput, LimitReached, RequestError, RescindError
from rescind.flovyn.agent_calls import AgentCalls
from rescind.flovyn.local_run import LocalRun
from rescind.flovyn.waiting import Waiting, waiting_of
from rescind.model.child_operations import AwaitChildren, CancelChild, SignalChild, SignalParent, SpawnChild
from rescind.model.ids import Instant, TaskId
from rescind.model.messages import (
    AgentActivation,
    AgentEviction,
    AgentParked,
    AgentProgress,
    StepReported,
    StopOrder,
    ToWorker,
)
from rescind.model.operations import (
    AnyOperation,
    AppendEntry,
    AwaitSignal,
    AwaitTasks,
    CancelTask,
    DrainSignals,
    PeekSignal,
    SaveCheckpoint,
    ScheduleTask,
)
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import TERMINAL_TASK, TaskStatus
from rescind_server.engine.entities import SignalWait, TaskWait

_LOG: Final = logging.getLogger("rescind.flovyn")
LOOK_EVERY: Final = 1.0
"""How often a worker looks for what the server does not wake an agent for, in seconds."""

FromAgent = AgentProgress | AgentParked | StepReported
"""What the worker tells of an agent."""

_REFUSED_FOR_GOOD: Final = (InvalidInput, AlreadyExists, LimitReached)
"""Refusals of what the agent asks for, which would be the same wherever it runs."""

_OF_CHILDREN: Final = (SpawnChild, CancelChild, AwaitChildren, SignalChild, SignalParent)
_NO_CHILDREN: Final = (
    "agent {!r} asks for children, or signals its parent: a worker cannot do that over flovyn.v1. Run this agent by a "
    "worker with protocol 'native' (--protocol native, which is the default)."
)


class HeldAgent:
    """See the module.

    Attributes:
        is_resting: whether it waits, and nobody has it claimed, as far as this side knows.
        is_suspended: whether it rests, and the server has said so: before that, to forget it would leave it claimed.
    """

    def __init__(
        self,
        run: LocalRun,
        calls: AgentCalls,
        worker_id: Callable[[], str],
        tell: Callable[[ToWorker], None],
        now: Callable[[], Instant],
        checkpoints: int,
        look_every: float = LOOK_EVERY,
    ) -> None:
        """Make one that has been claimed.

        Args:
            run: what it is told here.
            calls: what it tells the server.
            worker_id: what the worker is called at the server now.
            tell: takes what is for the code of the agent.
            now: the time.
            checkpoints: how many the server has of it.
            look_every: seconds between looks, where looks are needed.
        """
        self.is_resting = False
        self.is_suspended = False
        self._run = run
        self._calls = calls
        self._worker_id = worker_id
        self._tell = tell
        self._now = now
        self._stored = max(0, checkpoints)
        self._saved = 0
        self._look_every = look_every
        self._answers: deque[FromAgent] = deque()
        self._news = asyncio.Event()
        self._waiting: Waiting | None = None
        self._has_ended = False
        self._cancelled_at_server: set[TaskId] = set()
        self._new: set[TaskId] = set()

    def take(self, message: FromAgent) -> None:
        """The worker tells of the agent's code. What an older run tells is void."""
        if message.run == self._run.run:
            self._answers.append(message)
            self._news.set()

    async def run_on(self) -> bool:
        """Run the claimed agent on; returns True when it rests, False when it has ended or is not ours any more."""
        self.is_resting = self.is_suspended = False
        try:
            await self._learn()
            while not self._has_ended:
                await self._bring_about()
                if self._answers:
                    await self._carry_out(self._answers.popleft())
                elif self._run.come_due():
                    continue
                elif self._run.only_waits and (waiting := self._condition()) is not None:
                    await self._rest(waiting)
                    return True
                else:
                    await self._wait_for_news()
        except _REFUSED_FOR_GOOD as error:
            await self._give_up(error)
        except RequestError as error:
            # It has ended, or another worker has it: that one is not to be failed for what comes late from here.
            _LOG.warning("agent %s is run no further here: %s", self._run.execution_id, error)
        self.forget()
        return False

    async def _give_up(self, error: RescindError) -> None:
        """The server refuses what the agent asks for: it would refuse it again."""
        _LOG.warning("agent %s cannot go on: %s", self._run.execution_id, error)
        with suppress(RescindError):
            await self._calls.fail(str(error), type(error).__name__)

    async def wait_to_resume(self) -> bool:
        """While it rests, look for what the server does not wake it for; returns True when it was claimed by that."""
        waiting = self._waiting
        assert waiting is not None, "it rests"
        while True:
            due = self._run.seconds_until_due()
            if due is None and not waiting.needs_looks:
                return False
            pause = min(self._look_every if waiting.needs_looks else 3_600.0, 3_600.0 if due is None else due)
            await asyncio.sleep(pause)
            due = self._run.seconds_until_due()
            if (due is not None and due <= 0) or (waiting.needs_looks and await self._has_news(waiting)):
                return await self._resume()

    async def _resume(self) -> bool:
        claiming = asyncio.ensure_future(self._calls.resume(self._worker_id()))
        try:
            return await asyncio.shield(claiming) is not None
        except asyncio.CancelledError:
            # It may be claimed all the same, and then for nobody.
            if await claiming is not None:
                await self._calls.hand_back()
            raise

    @property
    def has_time(self) -> bool:
        """Whether it waits for a time, which nobody knows of but this side."""
        return self._run.seconds_until_due() is not None

    async def is_current(self, info: wire.AgentExecutionInfo) -> bool:
        """Whether nobody else has run the agent on since it was suspended here, as far as the server tells."""
        if max(0, info.current_checkpoint_seq) != max(self._stored, self._saved):
            return False
        return await self._calls.task_count() == self._run.task_count

    async def hand_back(self) -> None:
        """Let another worker run it on."""
        try:
            is_needed = self._run.seconds_until_due() is not None or (self._waiting and self._waiting.needs_looks)
            if self.is_suspended and (not is_needed or await self._calls.resume(self._worker_id()) is None):
                return  # the server wakes it, wherever there is a worker
            await self._calls.hand_back()
        except RequestError as error:
            _LOG.debug("agent %s was not handed back: %s", self._run.execution_id, error)

    def forget(self) -> None:
        """The worker is to forget its code."""
        self._tell(AgentEviction(self._run.execution_id, self._run.run))

    # ── the agent's code, and what it asks for ──────────────────────────────────────────────────────────────────────

    async def _bring_about(self) -> None:
        """Tell the code what was decided, and the server what to stop."""
        while self._run.told:
            match self._run.told.popleft():
                case AgentActivation() as activation:
                    self._tell(activation)
                case StopOrder() as order:
                    if order.task_id not in self._cancelled_at_server:
                        await self._calls.cancel(order.task_id, order.cause.reason or str(order.cause))
                    self._run.let_stop(order.task_id, order.lease)
                case _:
                    pass  # an eviction: its code has ended

    async def _carry_out(self, message: FromAgent) -> None:
        match message:
            case StepReported():
                self._run.decide(message)
            case AgentParked():
                await self._calls.end(message)
                self._has_ended = True
            case AgentProgress():
                await self._carry_out_progress(message)

    async def _carry_out_progress(self, progress: AgentProgress) -> None:
        if progress.streamed:
            await self._calls.stream(progress.streamed, self._now())
        for operation in progress.operations:
            if isinstance(operation, _OF_CHILDREN):
                await self._calls.fail(_NO_CHILDREN.format(self._run.kind), "NotSupported")
                self._has_ended = True
                return
            await self._prepare(operation)
        self._run.take_progress(progress)
        await self._learn_of(_older_tasks(progress.operations, self._new))
        self._new.clear()
        if progress.ending is not None:
            # First what its end cancels: of an agent that has ended the server cancels nothing.
            await self._bring_about()
            await self._calls.end(progress.ending)
            self._has_ended = True

    async def _prepare(self, operation: AnyOperation) -> None:
        """Do at the server what an operation asks for, and learn what its answer depends on."""
        match operation:
            case ScheduleTask():
                if await self._calls.schedule(operation):
                    self._new.add(operation.task_id)
            case AppendEntry():
                await self._calls.append(operation)
            case SaveCheckpoint():
                self._saved += 1
                if self._saved > self._stored:
                    await self._calls.save(operation, self._saved)
            case CancelTask() if self._run.is_open(operation.task_id):
                if await self._calls.cancel(operation.task_id, operation.cause.reason):
                    self._cancelled_at_server.add(operation.task_id)
                else:
                    await self._learn_of([operation.task_id])
            case AwaitSignal() | PeekSignal() if self._run.has_signal_for(operation):
                pass
            case AwaitSignal() | PeekSignal() | DrainSignals():
                await self._consume(operation.pattern, is_glob=operation.is_glob)
            case _:
                pass

    # ── what the server knows ───────────────────────────────────────────────────────────────────────────────────────

    async def _learn(self) -> None:
        """Learn what has become of all that the agent waits for."""
        awaited = [each for each in self._run.open_operations() if isinstance(each, TaskWait)]
        await self._learn_of(task_id for wait in awaited for task_id in wait.operation.task_ids)
        for operation in self._run.open_operations():
            if isinstance(operation, SignalWait):
                await self._consume(operation.operation.pattern, is_glob=operation.operation.is_glob)

    async def _learn_of(self, task_ids: Iterable[TaskId]) -> None:
        wanted = [each for each in dict.fromkeys(task_ids) if self._run.is_open(each)]
        for task_id, result in await self._calls.results(wanted):
            self._run.take_end(task_id, result)
            if result.status.upper() == TaskStatus.CANCELLED:
                self._cancelled_at_server.add(task_id)

    async def _consume(self, pattern: str, *, is_glob: bool) -> None:
        for signal in await self._calls.consume(pattern, is_glob=is_glob):
            value = Payload(signal.signal_value) if signal.signal_value else NULL_PAYLOAD
            self._run.take_signal(signal.signal_name, value)

    # ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _condition(self) -> Waiting | None:
        return waiting_of(self._run.open_operations(), self._run.open_tasks())

    async def _rest(self, waiting: Waiting) -> None:
        # Before the call: it may be claimed again before the answer is here.
        self._waiting = waiting
        self.is_resting = True
        await self._calls.suspend(waiting)
        self.is_suspended = True

    async def _wait_for_news(self) -> None:
        """Wait while it stays claimed: for its side effects, for a time, for what no condition says."""
        looks = any(isinstance(each, TaskWait | SignalWait) for each in self._run.open_operations())
        due = self._run.seconds_until_due()
        pauses = [pause for pause in (due, self._look_every if looks else None) if pause is not None]
        self._news.clear()
        try:
            async with asyncio.timeout(min(pauses, default=None)):
                await self._news.wait()
        except TimeoutError:
            if looks:
                await self._learn()

    async def _has_news(self, waiting: Waiting) -> bool:
        if waiting.signals and await self._calls.has_signal(waiting.signals):
            return True
        results = await self._calls.results(waiting.tasks)
        return any(TaskStatus(result.status.upper()) in TERMINAL_TASK for _, result in results)


def _older_tasks(operations: Sequence[AnyOperation], new: set[TaskId]) -> list[TaskId]:
    """The tasks in a batch that were there before it: they may have ended."""
    tasks: list[TaskId] = []
    for operation in operations:
        match operation:
            case ScheduleTask(task_id=task_id):
                tasks.append(task_id)
            case AwaitTasks(task_ids=task_ids):
                tasks.extend(task_ids)
            case _:
                pass
    return [each for each in tasks if each not in new]
