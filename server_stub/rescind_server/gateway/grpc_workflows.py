"""The Workflows service: callers start and settle, workers claim and submit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final
from uuid import uuid4

from rescind_proto.rescind.v1 import workflows_pb2 as wire

from rescind.errors import InvalidInput, NotFound, RequestError
from rescind.errors.named import named_error
from rescind.model.commands import DEFAULT_ORGANISATION, Command, Refused, Reply, Started
from rescind.model.ids import ExecutionId, WorkerId
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.texts import LONGEST_TEXT
from rescind.model.workflow_commands import PassStatus
from rescind.model.workflows import (
    PASS_CLAIM_MS,
    HoldWorkflows,
    PollWorkflow,
    PromiseSettled,
    ReleaseWorkflow,
    SignalledWithStart,
    SignalWithStart,
    StartWorkflow,
    Submitted,
    SubmitWorkflowCommands,
    WithdrawPoll,
    WorkflowClaimed,
)
from rescind.transport.grpc_methods import WORKFLOW_METHODS
from rescind.transport.workflow_messages import claimed_message, commands_of, event_message, optional, payload_of
from rescind_server.access.tokens import Role
from rescind_server.engine.entities import Execution
from rescind_server.engine.workflow_starts import id_is_taken, key_is_taken
from rescind_server.gateway import organisations
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.flovyn.frame import holding
from rescind_server.gateway.flovyn.workflow_names import inner_commands
from rescind_server.gateway.flovyn.workflow_requests import WorkflowRequests
from rescind_server.gateway.identity import Caller, Identify
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.serving import Answer, answering, streaming
from rescind_server.gateway.workflow_owners import ensure_visible, sees_all_workflows
from rescind_server.host.driver import Host
from rescind_server.host.queries import Queries

_EVENTS_AT_ONCE: Final = 500
_LONGEST_WAIT_MS: Final = 60_000
_LEASE_MS: Final = 120_000
"""How long a claim lasts if its worker says nothing and has no session whose end would tell; in milliseconds."""
_MOST_HELD: Final = 10_000
_ACTING: Final = (Role.CLIENT, Role.WORKER, Role.OPERATOR)
_WORKING: Final = (Role.WORKER, Role.OPERATOR)


class WorkflowGateway:
    """The service."""

    def __init__(self, host: Host, queries: Queries, limits: Limits, identify: Identify) -> None:
        self._host = host
        self._clients = ClientRequests(host, queries, limits)
        self._limits = limits
        self._identify = identify
        self._requests = WorkflowRequests(host, limits)
        self._polls: set[str] = set()

    def handlers(self) -> Mapping[str, Any]:
        """The handlers of the service's calls, by their names."""
        answers: dict[str, Answer] = {
            "StartWorkflow": self._start,
            "SignalWithStart": self._signal_with_start,
            "SettlePromise": self._settle,
            "SubmitWorkflow": self._submit,
            "HoldWorkflows": self._hold,
            "ReleaseWorkflow": self._release,
            "RetryWorkflow": self._retry,
        }
        frame = self._identify, self._limits
        return {
            **{name: answering(WORKFLOW_METHODS[name], answer, *frame) for name, answer in answers.items()},
            "GetLog": streaming(WORKFLOW_METHODS["GetLog"], self._get_log, *frame),
            "ClaimWorkflow": holding(WORKFLOW_METHODS["ClaimWorkflow"], self._claim, *frame),
        }

    def stop(self) -> None:
        """The server stops: whoever polls is told that there was nothing."""
        for poll in self._polls:
            self._host.tell(WithdrawPoll(poll))

    # -- callers --

    async def _start(self, request: wire.StartWorkflowRequest, caller: Caller) -> wire.WorkflowExists:
        caller.require(*_ACTING)
        command = self._start_command(request, caller)
        reply = await self._ask(command)
        assert isinstance(reply, Started)
        outer_id = organisations.outer(reply.execution_id)
        by_id = reply.execution_id == command.execution_id
        taken = id_is_taken(outer_id) if by_id else key_is_taken(request.idempotency_key)
        await ensure_visible(self._host, caller, reply, taken)
        return wire.WorkflowExists(execution_id=outer_id, created=reply.created)

    async def _signal_with_start(self, request: wire.SignalWithStartRequest, caller: Caller) -> wire.WorkflowExists:
        caller.require(*_ACTING)
        value = payload_of(request.value)
        self._limits.check_name(request.name, "the signal's name")
        self._limits.check_payload(value, f"signal {request.name!r}")
        self._limits.check_name(request.start.idempotency_key, "the idempotency key")
        start, only_own = self._start_command(request.start, caller), not sees_all_workflows(caller)
        reply = await self._ask(SignalWithStart(start, request.name, value, only_own))
        assert isinstance(reply, SignalledWithStart)
        return wire.WorkflowExists(execution_id=organisations.outer(reply.execution_id), created=reply.created)

    async def _settle(self, request: wire.SettlePromiseRequest, caller: Caller) -> wire.SettlePromiseReply:
        error = optional(request, "error")
        settled: PromiseSettled = await self._requests.settle(
            caller, request.promise, payload_of(request.value), error, by_key=request.by_key
        )
        return wire.SettlePromiseReply(already=settled.already)

    async def _retry(self, request: wire.RetryWorkflowRequest, caller: Caller) -> wire.RetryWorkflowReply:
        attempt = await self._clients.retry(caller, request.execution_id, request.reason, request.by)
        return wire.RetryWorkflowReply(attempt=attempt)

    async def _get_log(self, request: wire.GetLogRequest, caller: Caller) -> AsyncIterator[wire.LogBatch]:
        log = await self._requests.log(caller, request.execution_id, request.after)
        for begin in range(0, len(log), _EVENTS_AT_ONCE):
            yield wire.LogBatch(events=[event_message(logged) for logged in log[begin : begin + _EVENTS_AT_ONCE]])

    # -- workers --

    async def _claim(
        self, request: wire.ClaimWorkflowRequest, caller: Caller, if_lost: Callable[[Callable[[], None]], None]
    ) -> wire.ClaimWorkflowReply:
        caller.require(*_WORKING)
        self._limits.check_name(request.worker_id, "the worker's id")
        self._limits.check_name(request.queue, "the queue's name")
        poll = str(uuid4())
        command = PollWorkflow(
            poll,
            WorkerId(organisations.inner(caller.organisation, request.worker_id)),
            organisations.inner(caller.organisation, request.queue),
            tuple(request.kinds),
            max(0, min(request.wait_ms, _LONGEST_WAIT_MS)),
            _LEASE_MS,
            caller.organisation,
            pass_ms=PASS_CLAIM_MS,
            cleanup_budgets_ms=dict(request.cleanup_budgets_ms),
        )
        self._polls.add(poll)
        try:
            reply = await self._ask(command)
        except asyncio.CancelledError:
            self._host.tell(WithdrawPoll(poll))
            raise
        finally:
            self._polls.discard(poll)
        if not isinstance(reply, WorkflowClaimed):
            return wire.ClaimWorkflowReply()
        if_lost(lambda: self._host.tell(WithdrawPoll(poll)))
        return claimed_message(reply, organisations.outer(reply.execution_id), organisations.outer(reply.queue))

    async def _submit(self, request: wire.SubmitWorkflowRequest, caller: Caller) -> wire.SubmitWorkflowReply:
        caller.require(*_WORKING)
        if request.status not in PassStatus.__members__:
            raise InvalidInput(f"a pass cannot end as {request.status!r}. Say {', '.join(PassStatus.__members__)}.")
        commands = inner_commands(caller.organisation, commands_of(request.commands))
        reply = await self._ask(
            SubmitWorkflowCommands(
                await self._own(caller, request.execution_id),
                commands,
                PassStatus(request.status),
                claim=request.claim,
                first_sequence=request.seen + 1,
                cleaning_up=request.cleaning_up,
            )
        )
        assert isinstance(reply, Submitted)
        return wire.SubmitWorkflowReply(sequence=reply.sequence)

    async def _hold(self, request: wire.HoldWorkflowsRequest, caller: Caller) -> wire.HoldWorkflowsReply:
        caller.require(*_WORKING)
        self._limits.check_name(request.worker_id, "the worker's id")
        if len(request.claims) > _MOST_HELD:
            raise InvalidInput(f"{len(request.claims)} claims at once; at most {_MOST_HELD} are taken.")
        organisation = caller.organisation
        worker_id = WorkerId(organisations.inner(organisation, request.worker_id))
        claims = tuple((organisations.inner_id(organisation, each.execution_id), each.claim) for each in request.claims)
        await self._ask(HoldWorkflows(worker_id, claims, PASS_CLAIM_MS))
        return wire.HoldWorkflowsReply()

    async def _release(self, request: wire.ReleaseWorkflowRequest, caller: Caller) -> wire.ReleaseWorkflowReply:
        caller.require(*_WORKING)
        await self._ask(ReleaseWorkflow(await self._own(caller, request.execution_id), request.claim))
        return wire.ReleaseWorkflowReply()

    # -- inside --

    async def _own(self, caller: Caller, execution_id: str) -> ExecutionId:
        """The engine's name of a workflow of the caller's organisation. Raises NotFound."""
        inner_id = organisations.inner_id(caller.organisation, execution_id)

        def is_workflow(found: Execution | None) -> bool:
            return found is not None and found.workflow is not None

        if not await self._host.look(inner_id, is_workflow):
            raise NotFound(f"no workflow {execution_id!r}. Check the id, or list the executions.")
        return inner_id

    async def _ask(self, command: Command) -> Reply:
        reply = await self._host.ask(command)
        if isinstance(reply, Refused):
            raise named_error(reply.error, reply.message) or RequestError(reply.message)
        return reply

    def _start_command(self, request: wire.StartWorkflowRequest, caller: Caller) -> StartWorkflow:
        queue = optional(request, "queue") or DEFAULT_QUEUE
        key, version, chosen = (optional(request, name) for name in ("idempotency_key", "version", "execution_id"))
        given = payload_of(request.input)
        self._limits.check_name(request.kind, "the workflow's kind")
        self._limits.check_name(queue, "the queue's name")
        self._limits.check_payload(given, f"the input of workflow {request.kind!r}")
        for name, text in (("the idempotency key", key), ("the version", version), ("the execution's id", chosen)):
            if text is not None:
                self._limits.check_name(text, name)
        for name, text in request.labels.items():
            self._limits.check_name(name, "a label's name")
            if len(text) > LONGEST_TEXT:
                raise InvalidInput(f"label {name!r} has {len(text)} characters; at most {LONGEST_TEXT} are taken.")
        if chosen is None and caller.organisation != DEFAULT_ORGANISATION:
            chosen = str(uuid4())
        return StartWorkflow(
            kind=request.kind,
            input=given,
            execution_id=None if chosen is None else organisations.inner_id(caller.organisation, chosen),
            queue=organisations.inner(caller.organisation, queue),
            labels=dict(request.labels),
            idempotency_key=key,
            idempotency_key_ttl_seconds=optional(request, "idempotency_key_ttl_seconds"),
            version=version,
            priority_ms=request.priority_ms,
            timeout_ms=optional(request, "timeout_ms"),
            by=caller.name_for(optional(request, "by") or ""),
            organisation=caller.organisation,
            trace_parent=caller.trace_parent,
        )
