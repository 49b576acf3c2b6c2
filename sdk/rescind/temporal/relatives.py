"""What an execution asks of its children and of its parent, as commands of its workflow: they are workflows, too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from temporalio import workflow
from temporalio.common import (
    RawValue,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import (
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    TerminatedError,
    TimeoutError,
    WorkflowAlreadyStartedError,
)

from rescind.model.cause import CancelCause, CancelSource
from rescind.model.children import (
    NOTHING_USED,
    CancelElsewhere,
    ChildEffect,
    ChildEnded,
    SignalElsewhere,
    SpawnElsewhere,
    Usage,
)
from rescind.model.commands import ChildCancelTold, ChildNews, SignalAnswered
from rescind.model.ids import ExecutionId
from rescind.model.outcome import Failure, Outcome
from rescind.model.status import CancelTaskResult, ExecutionStatus, FailureKind, ParentClosePolicy, TaskStatus
from rescind.model.views import ExecutionView
from rescind.temporal import names
from rescind.temporal.failures import failure_of_execution
from rescind.temporal.payloads import from_temporal, record_to_temporal, to_temporal
from rescind.temporal.records import CancelRequest, StartMemo, ToldByChild
from rescind_server.store.child_records import ChildRecord

Tell = Callable[[ChildNews], object]
"""Takes what has become of a child, or of a request."""
Later = Callable[[Callable[[], object]], None]
"""Takes what the workflow does in its next turn."""

Errand = Callable[[], Coroutine[Any, Any, object]]

_POLICIES: Final = {
    ParentClosePolicy.CANCEL: workflow.ParentClosePolicy.REQUEST_CANCEL,
    ParentClosePolicy.ABANDON: workflow.ParentClosePolicy.ABANDON,
}
MOST_OPEN: Final = 1_500
"""How many children of one run are open at once; more wait for one of them to end. Temporal takes 2,000."""
_MOST_ON_THEIR_WAY: Final = 1_000
# A larger output is told by the end of the workflow alone: signals have a limit, too.
_LARGEST_TOLD: Final = 1024 * 1024
_LABELS: Final = SearchAttributeKey.for_keyword_list(names.LABELS_ATTRIBUTE)


@dataclass(eq=False)
class _Child:
    """A child as its parent's workflow knows it.

    Attributes:
        started: resolved as soon as its workflow exists, or cannot.
        asked: the positions at which the parent waits for what a cancel met.
        is_cancelled: whether the parent has asked for its cancel.
        cause: why, if this run of the parent's workflow has asked for it.
        outcome: how it ended; None if that was not told yet.
    """

    started: asyncio.Future[None]
    asked: list[int] = field(default_factory=list)
    is_cancelled: bool = False
    cause: CancelCause | None = None
    outcome: Outcome | None = None


class Relatives:
    """Carries out what an engine asks of executions that live in other workflows.

    What is for one of them goes one after the other: Temporal keeps no order between two requests to one workflow.

    Attributes:
        moves_on: whether its workflow may continue as new. Temporal would close children with the run that began them,
            and tell their ends to no other: so these are left alone, and tell their ends themselves.
        are_workflows: whether its children are workflows; those of agents are agents.
    """

    moves_on: bool = False
    are_workflows: bool = False

    def __init__(self, later: Later, tell: Tell, start: StartMemo) -> None:
        """For the workflow that runs on the present event loop.

        Args:
            later: takes what is to be done when something has come back.
            tell: takes what has become of what was asked for.
            start: what was said when the execution was started.
        """
        self._later = later
        self._told = tell
        self._start = start
        self._me = ExecutionId(workflow.info().workflow_id)
        self._children: dict[ExecutionId, _Child] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._last: dict[ExecutionId, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(MOST_OPEN)
        self._room_on_the_way = asyncio.Semaphore(_MOST_ON_THEIR_WAY)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is on its way. A workflow must not close before: what it has asked for would be dropped."""
        return not self._errands

    def carry_out(self, effect: ChildEffect) -> None:
        """Do what the engine asks for; what comes of it is told later."""
        match effect:
            case SpawnElsewhere():
                child = self._children[effect.child_id] = _Child(asyncio.get_running_loop().create_future())
                run = asyncio.ensure_future(self._run(effect, child))
                # Kept alive by the loop of the workflow; its end is told by itself.
                run.add_done_callback(self._ensure_went_well)
                self._go(effect.child_id, lambda: _wait(child.started))
            case CancelElsewhere():
                self._go(effect.child_id, lambda: self._cancel(effect))
            case SignalElsewhere():
                self._go(effect.receiver_id, lambda: self._signal(effect))

    def adopt(self, records: Iterable[ChildRecord]) -> None:
        """Know the children that an earlier run of this workflow has started, and that are open."""
        for record in records:
            if record.outcome is None:
                child = self._children[record.child_id] = _Child(asyncio.get_running_loop().create_future())
                child.started.set_result(None)
                child.is_cancelled = record.cancel_asked

    def told_by_child(self, told: ToldByChild) -> None:
        """A child tells what the parent's request met, or how it has ended."""
        if told.position is not None and told.result is not None:
            self._cancel_told(told.child_id, told.position, told.result)
        if told.outcome is not None:
            self._ended(told.child_id, told.outcome, told.usage)

    def answer_parent(self, position: int, result: CancelTaskResult) -> None:
        """Tell the parent what its cancel met, for which it waits there."""
        self._tell_parent(ToldByChild(self._me, position, result))

    def tell_end(self, execution: ExecutionView, *, is_closing: bool) -> None:
        """Tell the parent how this execution has ended, where the end of its workflow tells it late, or not all of it.

        Args:
            execution: it.
            is_closing: whether its workflow closes now.
        """
        is_told = execution.status is not ExecutionStatus.CANCELLED and execution.usage == NOTHING_USED
        if is_closing and is_told and not self._start.tells_end:
            return
        if execution.output is not None and len(execution.output.data) > _LARGEST_TOLD:
            return
        cause = execution.cause if execution.status is ExecutionStatus.CANCELLED else None
        status = TaskStatus(execution.status.value)
        outcome = Outcome(status, execution.output, execution.failure, cause, attempts=1)
        self._tell_parent(ToldByChild(self._me, outcome=outcome, usage=execution.usage))

    def cancel_by_close(self) -> CancelRequest | None:
        """The request that Temporal makes itself when it closes the parent's workflow; None if there is no parent."""
        if self._start.spawned is None:
            return None
        parent = f"agent:{self._start.spawned.parent_id}"
        return CancelRequest(parent, "its parent's workflow was closed", source=CancelSource.PARENT)

    # -- children --

    async def _run(self, effect: SpawnElsewhere, child: _Child) -> None:
        try:
            async with self._room:
                handle = await self._start_child(effect)
                child.started.set_result(None)
                outcome = Outcome(TaskStatus.COMPLETED, from_temporal(await handle), attempts=1)
        except WorkflowAlreadyStartedError:
            outcome = _refused(effect.child_id)
        except ChildWorkflowError as error:
            outcome = self._outcome(child, error.cause)
        if not child.started.done():
            child.started.set_result(None)
        self._ended(effect.child_id, outcome)

    async def _start_child(self, effect: SpawnElsewhere) -> workflow.ChildWorkflowHandle[Any, RawValue]:
        policy = ParentClosePolicy.ABANDON if self.moves_on else effect.spawned.parent_close
        return await workflow.start_child_workflow(
            effect.kind,
            args=[to_temporal(effect.input)],
            id=effect.child_id,
            task_queue=effect.queue,
            result_type=RawValue,
            parent_close_policy=_POLICIES[policy],
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            memo={names.MEMO_KEY: record_to_temporal(self._memo_of(effect))},
            search_attributes=_searched(effect.labels),
        )

    def _memo_of(self, effect: SpawnElsewhere) -> StartMemo:
        payload, mine = effect.input, self._start
        digest = sha256(payload.encoding.encode() + b"\0" + payload.data).hexdigest()
        return StartMemo(
            mine.by,
            effect.labels,
            mine.organisation,
            digest,
            mine.trace_parent,
            effect.spawned,
            tells_end=self.moves_on,
            is_workflow=self.are_workflows,
        )

    def _outcome(self, child: _Child, error: BaseException | None) -> Outcome:
        """How a child ended whose workflow did not complete."""
        if isinstance(error, ApplicationError):
            return Outcome(TaskStatus.FAILED, failure=failure_of_execution(error), attempts=1)
        if isinstance(error, TimeoutError):
            failure = Failure(FailureKind.TIMED_OUT, "its workflow timed out on the cluster", "WorkflowTimedOut")
            return Outcome(TaskStatus.FAILED, failure=failure, attempts=1)
        terminated = isinstance(error, TerminatedError)
        words = "its workflow was terminated" if terminated else None
        cause = child.cause if child.cause is not None and not terminated else None
        if cause is not None and child.outcome is None:
            # Cancelled before its code began, it has told nobody.
            for position in child.asked[:1]:
                self._answer_cancel(position, CancelTaskResult.CANCELLED)
            del child.asked[:1]
        return Outcome(
            TaskStatus.CANCELLED, cause=cause or CancelCause(CancelSource.REQUEST, "temporal", words), attempts=1
        )

    def _ended(self, child_id: ExecutionId, outcome: Outcome, usage: Usage = NOTHING_USED) -> None:
        child = self._children.get(child_id)
        if child is not None:
            if child.outcome is not None:
                return
            child.outcome = outcome
        self._tell(ChildEnded(self._me, child_id, outcome, usage))
        while child is not None and child.asked:
            # It has not answered, and will not any more.
            self._answer_cancel(child.asked.pop(0), _already(outcome))

    async def _cancel(self, effect: CancelElsewhere) -> None:
        child = self._children.get(effect.child_id)
        cause = effect.cause
        asked = CancelRequest(
            cause.by,
            cause.reason,
            effect.hard,
            str(workflow.uuid4()),
            cause.trace_parent,
            cause.source,
            effect.within_ms,
            effect.position,
        )
        is_first = child is None or not child.is_cancelled
        if child is not None and child.outcome is not None:
            if effect.position is not None:
                self._answer_cancel(effect.position, _already(child.outcome))
            return
        if child is not None:
            if is_first:
                child.is_cancelled, child.cause = True, cause
            if effect.position is not None:
                child.asked.append(effect.position)
        handle = workflow.get_external_workflow_handle(effect.child_id)
        if is_first:
            with suppress(FailureError):
                async with self._room_on_the_way:
                    await handle.cancel(reason=asked.as_reason())
            if effect.position is None and not effect.hard:
                return
        # Temporal tells a workflow of one cancel only, whoever asked for it, and drops others. If the workflow has
        # closed, it has answered, or its end does.
        await self._send(effect.child_id, names.CHILD_CANCEL_SIGNAL, record_to_temporal(asked))

    def _cancel_told(self, child_id: ExecutionId, position: int, result: CancelTaskResult) -> None:
        child = self._children.get(child_id)
        if child is not None and position in child.asked:
            child.asked.remove(position)
            self._answer_cancel(position, result)

    def _answer_cancel(self, position: int, result: CancelTaskResult) -> None:
        self._tell(ChildCancelTold(self._me, position, result))

    # -- signals, and the parent --

    async def _signal(self, effect: SignalElsewhere) -> None:
        child = self._children.get(effect.receiver_id)
        delivered = child is None or child.outcome is None
        if delivered:
            by = record_to_temporal(f"agent:{self._me}")
            delivered = await self._send(effect.receiver_id, effect.name, to_temporal(effect.value), by)
        self._tell(SignalAnswered(self._me, effect.position, delivered))

    def _tell_parent(self, told: ToldByChild) -> None:
        if self._start.spawned is not None:
            parent_id = self._start.spawned.parent_id
            self._go(parent_id, lambda: self._send(parent_id, names.CHILD_TOLD_SIGNAL, record_to_temporal(told)))

    async def _send(self, receiver_id: ExecutionId, name: str, *args: RawValue) -> bool:
        """Send another workflow a signal; whether it is open, and has it."""
        handle = workflow.get_external_workflow_handle(receiver_id)
        try:
            async with self._room_on_the_way:
                await handle.signal(name, args=list(args))
        except FailureError:
            return False
        return True

    def _go(self, receiver: ExecutionId, errand: Errand) -> None:
        """Carry out what is for one receiver behind what else is on its way there."""
        before = self._last.get(receiver)
        task = asyncio.ensure_future(_behind(before, errand))
        self._last[receiver] = task
        self._errands.add(task)
        task.add_done_callback(lambda done: self._arrived(receiver, done))

    def _arrived(self, receiver: ExecutionId, done: asyncio.Task[None]) -> None:
        self._errands.discard(done)
        if self._last.get(receiver) is done:
            del self._last[receiver]
        self._ensure_went_well(done)

    def _tell(self, news: ChildNews) -> None:
        self._later(lambda: self._told(news))

    def _ensure_went_well(self, done: asyncio.Task[None]) -> None:
        """An error that nobody expects fails the workflow's turn: Temporal shows it, and tries again."""
        if not done.cancelled() and done.exception() is not None:
            self._later(done.result)


def _already(outcome: Outcome) -> CancelTaskResult:
    return CancelTaskResult(f"ALREADY_{outcome.status.value}")


async def _wait(started: asyncio.Future[None]) -> None:
    await started


async def _behind(before: asyncio.Task[None] | None, errand: Errand) -> None:
    if before is not None:
        await asyncio.wait([before])
    await errand()


def _searched(labels: dict[str, str]) -> TypedSearchAttributes | None:
    """The labels as they are searched for, if the parent's are: then the namespace can."""
    if workflow.info().typed_search_attributes.get(_LABELS) is None:
        return None
    keywords = [names.LABELLED, *(f"{name}={value}" for name, value in labels.items())]
    return TypedSearchAttributes([SearchAttributePair(_LABELS, keywords)])


def _refused(child_id: ExecutionId) -> Outcome:
    message = f"an execution {child_id!r} exists that is no child of this agent. Remove it, or use another key."
    failure = Failure(FailureKind.REJECTED, message, "AlreadyExists", retryable=False)
    return Outcome(TaskStatus.FAILED, failure=failure)
