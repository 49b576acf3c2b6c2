"""What callers ask about workflows, over any wire: checked against who they are, and turned into the engine's commands.

Whoever belongs to an organisation may start its workflows; those that it did not start itself are shown to its
operators, viewers and workers. What a caller may not see looks as if it did not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import uuid4

import msgspec

from rescind.errors import AlreadyExists, InvalidInput, NotFound, RequestError, RescindError, ServerUnavailable
from rescind.errors.named import named_error
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import (
    CancelAnswered,
    CancelExecution,
    Command,
    Refused,
    Reply,
    SignalExecution,
    Signalled,
    Started,
)
from rescind.model.events import EXECUTION_ENDS
from rescind.model.ids import ExecutionId
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelTaskResult
from rescind.model.texts import LONGEST_TEXT
from rescind.model.views import ExecutionDetails
from rescind.model.workflow_commands import AnyWorkflowCommand, PassStatus, ScheduleTask
from rescind.model.workflow_events import LoggedEvent
from rescind.model.workflows import (
    NoWorkflow,
    PollWorkflow,
    PromiseSettled,
    RetryWorkflow,
    SettlePromise,
    SignalledWithStart,
    SignalWithStart,
    StartWorkflow,
    Submitted,
    SubmitWorkflowCommands,
    WithdrawPoll,
    WorkflowClaimed,
    WorkflowRetried,
    WorkflowView,
)
from rescind_server.access.tokens import Role
from rescind_server.engine.entities import Execution
from rescind_server.engine.viewing import details_of
from rescind_server.engine.workflow_checks import task_is_taken
from rescind_server.engine.workflow_starts import key_is_taken
from rescind_server.engine.workflow_viewing import workflow_view
from rescind_server.gateway import organisations
from rescind_server.gateway.flovyn.ids import worker_id_of
from rescind_server.gateway.flovyn.workflow_names import inner_commands, outer_logged, outer_view
from rescind_server.gateway.identity import Caller
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.workflow_owners import ensure_visible, sees, sees_all_workflows
from rescind_server.host.driver import Host

LONGEST_POLL_MS: Final = 60_000
"""How long a poll is held at most, in milliseconds."""
CLAIM_LEASE_MS: Final = 180_000
"""How long a claim lasts without a sign of life of its worker, in milliseconds.

Some never send heartbeats, and between two polls lies up to their longest wait.
"""
LONGEST_PASS_MS: Final = 60_000
"""How long a pass may take before another one is made, in milliseconds.

A pass is short by nature: whatever takes long is a task. A worker whose submission was lost polls on all the same.
"""
_ACTING: Final = (Role.CLIENT, Role.WORKER, Role.OPERATOR)
_LOOKING: Final = (*_ACTING, Role.VIEWER)


class WorkflowStart(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow to start, as its caller names things; see `StartWorkflow`."""

    kind: str
    input: Payload = NULL_PAYLOAD
    queue: str
    labels: Mapping[str, str] = {}
    idempotency_key: str | None = None
    idempotency_key_ttl_seconds: int | None = None
    version: str | None = None
    priority_seconds: int = 0
    parent_id: str | None = None
    child_execution_name: str = ""


class WorkflowPolled(NamedTuple):
    """What a poll was answered.

    Attributes:
        claimed: a workflow; None if there was none.
        undo: gives it back, if the answer did not reach who asked.
    """

    claimed: WorkflowClaimed | None
    undo: Callable[[], None]


class WorkflowRequests:
    """Carries out what callers ask. Ids in and out are those that the caller knows."""

    def __init__(self, host: Host, limits: Limits) -> None:
        self._host = host
        self._limits = limits
        self._polls: set[str] = set()
        self._is_closing = False

    # ── clients ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self, caller: Caller, request: WorkflowStart) -> Started:
        """Start a workflow, or find what its idempotency key has started before.

        Raises:
            InvalidInput: an empty or too long name.
            PayloadTooLarge: its input is.
            NotFound: its parent is not there.
            AlreadyExists: the key is of something else, or of what another caller has started.
        """
        caller.require(*_ACTING)
        if request.parent_id is not None:
            await self.details(caller, request.parent_id)
        reply = await self._ask(caller, self._start(caller, request))
        assert isinstance(reply, Started)
        await ensure_visible(self._host, caller, reply, key_is_taken(request.idempotency_key or ""))
        return Started(ExecutionId(organisations.outer(reply.execution_id)), reply.created)

    async def signal(self, caller: Caller, execution_id: str, name: str, value: Payload) -> int:
        """Send a workflow a signal; returns the number of the event.

        Raises:
            NotFound: there is no such workflow.
            ExecutionEnded: it has ended.
        """
        self._check_signal(name, value)
        inner_id = await self._acting_on(caller, execution_id)
        reply = await self._ask(caller, SignalExecution(inner_id, name, value, caller.name_for("")))
        assert isinstance(reply, Signalled)
        return reply.sequence

    async def signal_with_start(
        self, caller: Caller, start: WorkflowStart, name: str, value: Payload
    ) -> SignalledWithStart:
        """Signal the open workflow that has the key of `start`, or start it and signal it.

        Raises:
            AlreadyExists: as in `start`.
        """
        caller.require(*_ACTING)
        self._check_signal(name, value)
        self._limits.check_name(start.idempotency_key or "", "the workflow's id")
        only_own = not sees_all_workflows(caller)
        reply = await self._ask(caller, SignalWithStart(self._start(caller, start), name, value, only_own))
        assert isinstance(reply, SignalledWithStart)
        return msgspec.structs.replace(reply, execution_id=ExecutionId(organisations.outer(reply.execution_id)))

    async def settle(
        self,
        caller: Caller,
        promise: str,
        value: Payload = NULL_PAYLOAD,
        error: str | None = None,
        *,
        by_key: bool = False,
    ) -> PromiseSettled:
        """Resolve a promise with a value, or reject it with an error.

        Args:
            caller: who asks.
            promise: its id, ``<workflow id>/<name>``, or with `by_key` its idempotency key.
            value: its value, unless it is rejected.
            error: why it is rejected; None resolves it.
            by_key: whether `promise` is a key.

        Raises:
            NotFound: there is no such promise.
            ExecutionEnded: its workflow has ended.
        """
        caller.require(*_ACTING)
        self._limits.check_name(promise, "the promise's id")
        self._limits.check_payload(value, "the promise's value")
        if error is not None and len(error) > LONGEST_TEXT:
            raise InvalidInput(f"the error has {len(error)} characters; at most {LONGEST_TEXT} are taken.")
        execution_id, slash, name = promise.partition("/")
        if slash and not by_key:
            promise = f"{organisations.inner_id(caller.organisation, execution_id)}/{name}"
        command = SettlePromise(promise, value, error, by_key, caller.name_for(""), caller.organisation)
        reply = await self._ask(caller, command)
        assert isinstance(reply, PromiseSettled)
        return msgspec.structs.replace(reply, execution_id=ExecutionId(organisations.outer(reply.execution_id)))

    async def cancel(self, caller: Caller, execution_id: str, reason: str | None) -> CancelTaskResult:
        """Cancel a workflow. Raises NotFound: there is no such workflow."""
        if reason is not None and len(reason) > LONGEST_TEXT:
            raise InvalidInput(f"the reason has {len(reason)} characters; at most {LONGEST_TEXT} are taken.")
        inner_id = await self._acting_on(caller, execution_id)
        cause = CancelCause(CancelSource.REQUEST, caller.name_for(""), reason, caller.trace_parent)
        reply = await self._ask(caller, CancelExecution(inner_id, cause))
        assert isinstance(reply, CancelAnswered)
        return reply.result

    async def retry(self, caller: Caller, execution_id: str, note: str) -> WorkflowRetried:
        """Let a failed workflow go on by hand.

        Raises:
            NotFound: there is no such workflow.
            RequestError: it has not failed.
        """
        inner_id = await self._acting_on(caller, execution_id)
        reply = await self._ask(caller, RetryWorkflow(inner_id, note, caller.name_for("")))
        assert isinstance(reply, WorkflowRetried)
        return reply

    # ── looks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def details(self, caller: Caller, execution_id: str) -> tuple[ExecutionDetails, WorkflowView]:
        """A workflow with all that belongs to it. Raises NotFound."""
        caller.require(*_LOOKING)
        inner_id = organisations.inner_id(caller.organisation, execution_id)
        found = await self._host.look(inner_id, _looked_up)
        if found is None or not sees(caller, found[0]):
            raise NotFound(f"no workflow {execution_id[:100]!r}. Check the id, or list the workflows.")
        details, view = found
        return organisations.outer_details(details), outer_view(view)

    async def log(self, caller: Caller, execution_id: str, after: int = 0) -> Sequence[LoggedEvent]:
        """The events of a workflow behind number `after`. Raises NotFound."""
        await self.details(caller, execution_id)
        inner_id = organisations.inner_id(caller.organisation, execution_id)
        events = await self._host.look(inner_id, lambda found: _log_of(found)[max(0, after) :])
        return [outer_logged(caller.organisation, event) for event in events]

    async def wait_ended(self, caller: Caller, execution_id: str) -> ExecutionDetails:
        """A workflow, when it has ended. Raises NotFound."""
        inner_id = organisations.inner_id(caller.organisation, execution_id)
        async with self._host.watchers.subscribe(inner_id, EXECUTION_ENDS) as ends:
            details, _ = await self.details(caller, execution_id)
            while details.execution.ended_at is None:
                await ends.get()
                details, _ = await self.details(caller, execution_id)
        return details

    # ── workers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def poll(
        self, caller: Caller, worker_id: str, queue: str, kinds: Sequence[str], wait_ms: int
    ) -> WorkflowPolled:
        """Claim the workflow whose turn it is, or wait for one.

        Whoever goes away while it waits is given nothing.

        Args:
            caller: who asks.
            worker_id: the name of the worker, as it has registered it.
            queue: where from.
            kinds: the kinds that it runs; none is any.
            wait_ms: how long to wait at most, in milliseconds.

        Raises:
            ServerUnavailable: the server stops.
        """
        caller.require(Role.WORKER, Role.OPERATOR)
        self._limits.check_name(worker_id, "worker_id")
        self._limits.check_name(queue, "the queue's name")
        poll = str(uuid4())
        command = PollWorkflow(
            poll,
            worker_id_of(caller, worker_id),
            organisations.inner(caller.organisation, queue),
            tuple(kinds),
            max(0, min(wait_ms, LONGEST_POLL_MS)),
            CLAIM_LEASE_MS,
            caller.organisation,
            only_uuids=True,
            pass_ms=LONGEST_PASS_MS,
            announces=True,
        )
        self._polls.add(poll)
        try:
            reply = await self._ask(caller, command)
        except asyncio.CancelledError:
            self._host.tell(WithdrawPoll(poll))
            raise
        finally:
            self._polls.discard(poll)
        if isinstance(reply, NoWorkflow):
            if self._is_closing:
                raise ServerUnavailable("the server is stopping. Poll again in a moment.")
            return WorkflowPolled(None, lambda: None)
        assert isinstance(reply, WorkflowClaimed)
        return WorkflowPolled(reply, lambda: self._host.tell(WithdrawPoll(poll)))

    async def submit(
        self,
        caller: Caller,
        execution_id: str,
        commands: Sequence[AnyWorkflowCommand],
        status: PassStatus,
        first_sequence: int | None,
    ) -> Submitted:
        """Record the result of a pass.

        Raises:
            NotFound: there is no such workflow.
            RequestError: nobody has claimed it, or the pass is an older one: nothing was recorded.
            InvalidInput: a command cannot be meant; nothing was recorded.
        """
        caller.require(Role.WORKER, Role.OPERATOR)
        inner_id = await self._acting_on(caller, execution_id)
        await self._check_tasks(inner_id, commands)
        inner = inner_commands(caller.organisation, commands)
        command = SubmitWorkflowCommands(inner_id, inner, status, first_sequence=first_sequence)
        try:
            reply = await self._ask(caller, command)
        except AlreadyExists as error:
            # The wire knows no such status: an id that is taken is a thing in the wrong state.
            raise RequestError(str(error)) from None
        assert isinstance(reply, Submitted)
        return reply

    def begin_close(self) -> None:
        """The server stops: whoever polls is told so."""
        self._is_closing = True
        for poll in self._polls:
            self._host.tell(WithdrawPoll(poll))

    # ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, caller: Caller, request: WorkflowStart) -> StartWorkflow:
        self._limits.check_name(request.kind, "the workflow's kind")
        self._limits.check_name(request.queue, "the queue's name")
        self._limits.check_payload(request.input, f"the input of workflow {request.kind!r}")
        if request.idempotency_key is not None:
            self._limits.check_name(request.idempotency_key, "the idempotency key")
        for name, text in request.labels.items():
            self._limits.check_name(name, "the name of a label")
            if len(text) > LONGEST_TEXT:
                raise InvalidInput(f"label {name!r} has {len(text)} characters; at most {LONGEST_TEXT} are taken.")
        organisation = caller.organisation
        parent_id = request.parent_id
        return StartWorkflow(
            kind=request.kind,
            input=request.input,
            execution_id=organisations.inner_id(organisation, str(uuid4())),
            queue=organisations.inner(organisation, request.queue),
            labels=dict(request.labels),
            idempotency_key=request.idempotency_key,
            idempotency_key_ttl_seconds=request.idempotency_key_ttl_seconds,
            version=request.version,
            priority_ms=request.priority_seconds * 1_000,
            parent_id=organisations.inner_id(organisation, parent_id) if parent_id is not None else None,
            child_execution_name=request.child_execution_name,
            by=caller.name_for(""),
            organisation=organisation,
            trace_parent=caller.trace_parent,
        )

    def _check_signal(self, name: str, value: Payload) -> None:
        self._limits.check_name(name, "the signal's name")
        self._limits.check_payload(value, f"signal {name!r}")

    async def _check_tasks(self, inner_id: ExecutionId, commands: Sequence[AnyWorkflowCommand]) -> None:
        """The engine knows the tasks of what is in its memory; here those that have left it are asked for."""
        ids = [command.task_execution_id for command in commands if isinstance(command, ScheduleTask)]
        owners = await asyncio.gather(*(self._host.owner_of_task(task_id) for task_id in ids))
        for task_id, owner in zip(ids, owners, strict=True):
            if owner not in (None, inner_id):
                raise RequestError(task_is_taken(task_id).message)

    async def _acting_on(self, caller: Caller, execution_id: str) -> ExecutionId:
        caller.require(*_ACTING)
        details, _ = await self.details(caller, execution_id)
        return organisations.inner_id(caller.organisation, details.execution.execution_id)

    async def _ask(self, caller: Caller, command: Command) -> Reply:
        reply = await self._host.ask(command)
        if isinstance(reply, Refused):
            text = organisations.outer_text(caller.organisation, reply.message)
            raise named_error(reply.error, text) or RescindError(text)
        return reply


def _looked_up(execution: Execution | None) -> tuple[ExecutionDetails, WorkflowView] | None:
    view = workflow_view(execution) if execution is not None else None
    return (details_of(execution), view) if execution is not None and view is not None else None


def _log_of(execution: Execution | None) -> Sequence[LoggedEvent]:
    return execution.workflow.log if execution is not None and execution.workflow is not None else ()
