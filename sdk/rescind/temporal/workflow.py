"""The one workflow of all agents and workflows: whatever its type, it hosts an execution of that kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import msgspec
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from rescind.backends.native.agent_run import AgentRun
from rescind.errors import UnknownKind
from rescind.model.commands import (
    CancelAnswered,
    CancelExecution,
    CancelTaskFromOutside,
    Deferred,
    Refused,
    Reply,
    SignalExecution,
)
from rescind.model.ids import Lease
from rescind.model.messages import StopReported, TaskAlive
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT, NULL_PAYLOAD
from rescind.model.status import TERMINAL_EXECUTION, CancelTaskResult, ExecutionStatus
from rescind.temporal import names
from rescind.temporal.attempts import WorkflowEffects
from rescind.temporal.engine_host import EngineHost
from rescind.temporal.failures import execution_error
from rescind.temporal.host import AgentEnding
from rescind.temporal.hosting import Known, begun_host
from rescind.temporal.payloads import first_payload, record_from_temporal, record_to_temporal, to_temporal
from rescind.temporal.records import (
    AttemptAlive,
    AttemptOverrun,
    CancelRequest,
    CancelTaskRequest,
    PageRequest,
    PromiseRequest,
    StartMemo,
    ToldByChild,
)
from rescind.temporal.showing import Showing
from rescind.temporal.workflow_host import WorkflowHost, settled
from rescind.worker.agent_spans import tell_agent

DEFAULT_LEASE_MS = 10_000
"""How long an attempt's worker may be silent before it counts as lost, unless set otherwise."""

_SIGNALLED_BY = "temporal"
# Temporal's SDK may run what handles an update before it takes up a cancel of the same turn.
_SAME_TURN = timedelta(seconds=1)
_FIRST_PAGE = record_to_temporal(PageRequest())


class AgentWorkflow:
    """What a workflow of an execution does. `agent_workflow` makes the class that a worker registers.

    All that comes in is put into one inbox, in its order. The main coroutine takes it out in turns: it lets the host
    decide, and waits for more, or for the next deadline, until nothing of the execution is at work any more.
    """

    known: Known
    payload_limit = DEFAULT_PAYLOAD_LIMIT
    lease = timedelta(milliseconds=DEFAULT_LEASE_MS)

    @workflow.init
    def __init__(self, args: Sequence[RawValue]) -> None:
        """The execution begins to exist; its code runs when `run` does."""
        self._inbox: list[Callable[[], object]] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_due = 0
        self._is_cancel_taken = False
        self._is_woken_by_cancel = False
        self._answered: dict[str, CancelTaskResult] = {}
        self._shown = ExecutionStatus.PENDING
        self._memo = StartMemo.of_workflow(workflow.info().raw_memo.get(names.MEMO_KEY))
        self._effects = WorkflowEffects(self._inbox.append, self.lease, self._memo)
        try:
            self._hosted: EngineHost | UnknownKind = begun_host(
                self.known, self._effects, self._memo, args, self.payload_limit, _tell_of_end
            )
        except UnknownKind as error:
            # Raised from the main coroutine it fails the workflow task, which other workers may take up.
            self._hosted = error

    @property
    def _host(self) -> EngineHost:
        if isinstance(self._hosted, UnknownKind):
            raise self._hosted
        return self._hosted

    @property
    def _showing(self) -> Showing:
        return Showing(self._host)

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> RawValue:
        """Run the agent to its end, and until nothing of it is at work; returns its output."""
        if self._memo.is_by_kind and isinstance(self._host, WorkflowHost):
            workflow.upsert_memo({names.WORKFLOW_KEY: True})
        self._inbox.append(self._host.run)
        try:
            while not self._is_done:
                await self._wait(lambda: self._has_news or self._is_done)
                self._take_turn()
                if self._host.may_move_on:
                    await self._move_on(args)
        finally:
            self._effects.close()
            self._host.discard()
        return self._end()

    async def _wait(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds. Temporal's cancel disturbs no wait: it is taken up in the next turn."""
        while not holds():
            try:
                await workflow.wait_condition(holds)
            except asyncio.CancelledError:
                # Temporal cancels a run once. What comes without that is the end of its stay in memory.
                if self._is_woken_by_cancel or not _is_cancelled():
                    raise
                self._is_woken_by_cancel = True

    @property
    def _is_done(self) -> bool:
        # Requests that came with the end, or behind it, are answered as well.
        return self._host.is_closed and not self._inbox and self._is_settled

    @property
    def _is_settled(self) -> bool:
        """Whether nobody waits for an answer, and nothing is on its way to others."""
        return workflow.all_handlers_finished() and self._effects.relatives.is_idle

    @property
    def _has_news(self) -> bool:
        return bool(self._inbox) or self._has_new_cancel

    @property
    def _has_new_cancel(self) -> bool:
        return _is_cancelled() and not self._is_cancel_taken

    def _take_turn(self) -> None:
        if self._has_new_cancel:
            # Before all else that came with it: what it may still prevent is not begun.
            self._is_cancel_taken = True
            self._inbox.insert(0, self._cancel_by_temporal)
        self._host.come_due()
        while self._inbox:
            turn = self._inbox[:]
            self._inbox.clear()
            for action in turn:
                action()
        self._show_status()
        if not self._host.is_closed:
            self._set_alarm()

    async def _move_on(self, args: Sequence[RawValue]) -> None:
        """Continue as new, unless what came in meanwhile has changed that."""
        while self._has_news or not self._is_settled:
            await self._wait(lambda: self._has_news or self._is_settled)
            self._take_turn()
        carried = self._host.carry(workflow.info().run_id)
        if carried is None:
            # The code has been told what it waits for, and may have asked for something.
            self._set_alarm()
            return
        agent_input = args[0] if args else to_temporal(NULL_PAYLOAD)
        memo = record_to_temporal(msgspec.structs.replace(self._memo, created_at=carried.created_at))
        workflow.continue_as_new(args=[agent_input, record_to_temporal(carried)], memo={names.MEMO_KEY: memo})

    def _set_alarm(self) -> None:
        """Have one timer for the next deadline. One that comes too early only looks again; it is never set back."""
        due = self._host.next_due()
        if due is None or (self._alarm is not None and self._alarm_due <= due):
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_due = due
        # Temporal counts in milliseconds.
        delay = max(1, -(-(due - self._effects.now()) // 1_000)) / 1_000
        self._alarm = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._inbox.append(self._host.come_due)

    def _show_status(self) -> None:
        """Let those who do not ask the workflow see where the agent stands, as soon as Temporal cannot tell it."""
        status = self._host.status
        has_ended_early = status in TERMINAL_EXECUTION and not self._host.is_closed
        if status is not self._shown and (has_ended_early or status is ExecutionStatus.CANCELLING):
            workflow.upsert_memo({names.STATUS_KEY: status.value})
        if status is not self._shown and status in TERMINAL_EXECUTION:
            self._effects.relatives.tell_end(self._host.details().execution, is_closing=self._host.is_closed)
        self._shown = status

    def _end(self) -> RawValue:
        execution = self._host.details().execution
        if execution.status is ExecutionStatus.CANCELLED:
            # Temporal's own cancel came, with which all of ours begin: so this ends the workflow as CANCELED.
            raise asyncio.CancelledError(str(execution.cause))
        if execution.failure is not None:
            raise execution_error(execution.failure)
        return to_temporal(execution.output or NULL_PAYLOAD)

    # -- what comes in --

    def _cancel_by_temporal(self) -> None:
        reason = workflow.cancellation_reason()
        asked = self._effects.relatives.cancel_by_close() if not reason else None
        self._cancel_once(asked or CancelRequest.of_temporal(reason or ""))

    def _cancel_once(self, asked: CancelRequest) -> CancelTaskResult:
        """Carry out a request that comes by two ways; returns its one answer."""
        answered = self._answered.get(asked.request_id)
        if answered is None:
            reply = self._host.tell(
                CancelExecution(self._host.execution_id, asked.cause(), asked.hard, asked.within_ms)
            )
            answered = reply.result if isinstance(reply, CancelAnswered) else CancelTaskResult.NOT_FOUND
            if asked.request_id:
                self._answered[asked.request_id] = answered
            if asked.position is not None:
                self._effects.relatives.answer_parent(asked.position, answered)
        return answered

    @workflow.signal(dynamic=True)
    async def _signalled(self, name: str, args: Sequence[RawValue]) -> None:
        if name in names.OWN_SIGNALS:
            self._inbox.append(lambda: self._told(name, args[0]))
            return
        by = record_from_temporal(args[1], str) if len(args) > 1 else _SIGNALLED_BY
        value = first_payload(args)
        self._inbox.append(lambda: _ignore(self._host.tell(SignalExecution(self._host.execution_id, name, value, by))))

    def _told(self, name: str, told: RawValue) -> None:
        match name:
            case names.ALIVE_SIGNAL:
                alive = record_from_temporal(told, AttemptAlive)
                self._host.tell(
                    TaskAlive(alive.task_id, alive.lease, alive.progress, alive.message, streamed=alive.streamed)
                )
            case names.DELIVERED_SIGNAL:
                self._host.tell(record_from_temporal(told, StopReported))
            case names.CHILD_CANCEL_SIGNAL:
                self._cancel_once(record_from_temporal(told, CancelRequest))
            case names.CHILD_TOLD_SIGNAL:
                self._effects.relatives.told_by_child(record_from_temporal(told, ToldByChild))
            case _:
                overrun = record_from_temporal(told, AttemptOverrun)
                self._host.overrun(overrun.lease, overrun.limit)

    @workflow.update(name=names.CANCEL_UPDATE)
    async def _cancel(self, request: RawValue) -> str:
        """The answer to a cancel, which came as Temporal's own in this turn or before.

        Without that, nobody could have the workflow end as CANCELED: there is no public way to it from within.
        """
        asked = record_from_temporal(request, CancelRequest)
        if not _is_cancelled():
            with suppress(TimeoutError):
                await workflow.wait_condition(_is_cancelled, timeout=_SAME_TURN)
        if not _is_cancelled():
            text = "this only answers a cancel: ask for Temporal's own first, with the same request id in its reason"
            raise ApplicationError(text, type="CancelMissing", non_retryable=True)
        answers: list[CancelTaskResult] = []
        self._inbox.append(lambda: answers.append(self._cancel_once(asked)))
        await workflow.wait_condition(lambda: bool(answers))
        return answers[0].value

    @workflow.update(name=names.CANCEL_TASK_UPDATE)
    async def _cancel_task(self, request: RawValue) -> str:
        asked = record_from_temporal(request, CancelTaskRequest)
        command = CancelTaskFromOutside(self._host.execution_id, asked.task_id, asked.cause(), asked.mode)
        replies: list[Reply] = []
        self._inbox.append(lambda: replies.append(self._host.tell(command)))
        await workflow.wait_condition(lambda: bool(replies))
        reply = replies[0]
        answered = reply.result if isinstance(reply, CancelAnswered) else CancelTaskResult.NOT_FOUND
        if isinstance(reply, Deferred):
            await workflow.wait_condition(lambda: self._host.deferred_answer(reply) is not None)
            answered = self._host.deferred_answer(reply) or answered
        return answered.value

    @workflow.update(name=names.PROMISE_UPDATE)
    async def _settle_promise(self, request: RawValue) -> bool:
        """Whether this settled the promise: False if it was settled before."""
        asked = record_from_temporal(request, PromiseRequest)
        replies: list[bool | Refused] = []
        self._inbox.append(lambda: replies.append(settled(self._host, asked, self._memo.organisation)))
        await workflow.wait_condition(lambda: bool(replies))
        reply = replies[0]
        if isinstance(reply, Refused):
            raise ApplicationError(reply.message, type=reply.error, non_retryable=True)
        return reply

    # -- what is asked --

    @workflow.query(name=names.DESCRIBE_QUERY)
    def _describe(self, request: RawValue = _FIRST_PAGE) -> RawValue:
        return self._showing.answer(names.DESCRIBE_QUERY, request)

    @workflow.query(name=names.TASKS_QUERY)
    def _tasks(self, request: RawValue = _FIRST_PAGE) -> RawValue:
        return self._showing.answer(names.TASKS_QUERY, request)

    @workflow.query(name=names.ENTRIES_QUERY)
    def _entries(self, request: RawValue = _FIRST_PAGE) -> RawValue:
        return self._showing.answer(names.ENTRIES_QUERY, request)

    @workflow.query(name=names.CHECKPOINTS_QUERY)
    def _checkpoints(self, request: RawValue = _FIRST_PAGE) -> RawValue:
        return self._showing.answer(names.CHECKPOINTS_QUERY, request)

    @workflow.query(name=names.CHILDREN_QUERY)
    def _children(self, request: RawValue = _FIRST_PAGE) -> RawValue:
        return self._showing.answer(names.CHILDREN_QUERY, request)

    @workflow.query(name=names.HISTORY_QUERY)
    def _history(self, request: RawValue = _FIRST_PAGE) -> RawValue:
        return self._showing.answer(names.HISTORY_QUERY, request)

    @workflow.query(name=names.STREAMED_QUERY)
    def _streamed(self, request: RawValue = _FIRST_PAGE) -> RawValue:
        return self._showing.answer(names.STREAMED_QUERY, request)

    @workflow.query(name=names.LOG_QUERY)
    def _log(self, request: RawValue = _FIRST_PAGE) -> RawValue:
        return self._showing.answer(names.LOG_QUERY, request)

    @workflow.query(name=names.ANSWER_QUERY)
    def _answer(self, request_id: str) -> str | None:
        answered = self._answered.get(request_id)
        return answered.value if answered is not None else None

    @workflow.query(name=names.STOP_QUERY)
    def _stop_order(self, lease: int) -> RawValue:
        return record_to_temporal(self._host.standing_order(Lease(lease)))


def agent_workflow(
    known: Known,
    *,
    payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
    lease_ms: int = DEFAULT_LEASE_MS,
) -> type[AgentWorkflow]:
    """The dynamic workflow of one worker: a workflow's type is the kind of an agent, or of a workflow of ours.

    It runs outside Temporal's sandbox, since their code runs under our own guard, which refuses the same, and
    names the line.

    Args:
        known: the agents and workflows that the worker can run.
        payload_limit: the largest payload in bytes.
        lease_ms: how long an attempt's worker may be silent before it counts as lost.
    """
    own = {
        "known": known,
        "payload_limit": payload_limit,
        "lease": timedelta(milliseconds=lease_ms),
        # Temporal looks for these two in the class itself.
        "__init__": AgentWorkflow.__init__,
        "run": AgentWorkflow.run,
    }
    made = type(AgentWorkflow.__name__, (AgentWorkflow,), own)
    return workflow.defn(dynamic=True, sandboxed=False)(made)


def _tell_of_end(run: AgentRun, ending: AgentEnding) -> None:
    if not workflow.unsafe.is_replaying():
        tell_agent(run, ending)


def _is_cancelled() -> bool:
    return workflow.cancellation_reason() is not None


def _ignore(reply: Reply) -> None:
    """A signal has no answer: one that is refused is recorded in the history."""
