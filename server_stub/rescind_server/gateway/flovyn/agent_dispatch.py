"""AgentDispatch: what the workers of agents call, in front of the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar
from uuid import uuid4

import grpc
from google.protobuf.empty_pb2 import Empty
from rescind_proto.flovyn.v1 import agent_pb2 as wire

from rescind.errors import AlreadyExists, InvalidInput, NotFound, NotPermitted
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import Call
from rescind.model.ids import ExecutionId, TaskId
from rescind.model.messages import StreamedEvent
from rescind.model.operations import WaitCondition
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import FailureKind
from rescind.transport.grpc_methods import methods_of
from rescind_server.access.tokens import Role
from rescind_server.engine import calls
from rescind_server.engine.entities import Execution
from rescind_server.gateway import organisations
from rescind_server.gateway.flovyn import agent_messages as messages
from rescind_server.gateway.flovyn import ids
from rescind_server.gateway.flovyn.acting import check_acting
from rescind_server.gateway.flovyn.agent_children import AgentChildren
from rescind_server.gateway.flovyn.frame import collecting, ensure_done, holding
from rescind_server.gateway.flovyn.polling import Polling, wait_ms
from rescind_server.gateway.flovyn.registrations import Registrations
from rescind_server.gateway.flovyn.task_chunks import header_and_input
from rescind_server.gateway.flovyn.values import milliseconds, named, payload
from rescind_server.gateway.identity import Caller, Identify
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.serving import Answer, answering, streaming
from rescind_server.host.driver import Host

AGENT_SERVICE: Final = wire.DESCRIPTOR.services_by_name["AgentDispatch"]
DEFAULT_QUEUE: Final = "default"
CANCELLED_BY_REQUEST: Final = "Cancelled by request"

_TYPES: Final = wire.AgentStreamEventType
_STREAMED: Final = {
    _TYPES.AGENT_TOKEN: "token",
    _TYPES.AGENT_PROGRESS: "progress",
    _TYPES.AGENT_DATA: "data",
    _TYPES.AGENT_ERROR: "error",
    _TYPES.AGENT_TOOL_START: "tool_start",
    _TYPES.AGENT_TOOL_END: "tool_end",
}

FoundT = TypeVar("FoundT")


class AgentDispatch:
    """The service. It holds polls, and nothing else."""

    def __init__(
        self, host: Host, polling: Polling, registrations: Registrations, limits: Limits, identify: Identify
    ) -> None:
        self._host = host
        self._polling = polling
        self._registrations = registrations
        self._limits = limits
        self._identify = identify
        self._children = AgentChildren(host, limits, identify)

    def handlers(self) -> Mapping[str, grpc.RpcMethodHandler]:
        """The handlers of the service's calls, by their names."""
        answers: dict[str, Answer] = {
            "AppendEntry": self._append_entry,
            "GetLatestCheckpoint": self._get_latest_checkpoint,
            "SubmitCheckpoint": self._submit_checkpoint,
            "CompleteAgent": self._complete,
            "FailAgent": self._fail,
            "SuspendAgent": self._suspend,
            "ResumeAgent": self._resume,
            "SignalAgent": self._signal,
            "ConsumeSignals": self._consume_signals,
            "HasSignal": self._has_signal,
            "GetAgentTaskResult": self._get_task_result,
            "GetAgentTaskResults": self._get_task_results,
            "GetAgentTaskCount": self._get_task_count,
            "CancelAgentTask": self._cancel_task,
        }
        frame = self._identify, self._limits
        methods = methods_of(AGENT_SERVICE)
        return {
            **{name: answering(methods[name], answer, *frame) for name, answer in answers.items()},
            "PollAgent": holding(methods["PollAgent"], self._poll, *frame),
            "GetEntries": streaming(methods["GetEntries"], self._get_entries, *frame),
            "ScheduleAgentTask": collecting(methods["ScheduleAgentTask"], self._schedule, *frame),
            "StreamAgentData": collecting(methods["StreamAgentData"], self._stream, *frame),
            **self._children.handlers(),
        }

    # ── claiming ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _poll(
        self, request: wire.PollAgentRequest, caller: Caller, if_lost: Callable[[Callable[[], None]], None]
    ) -> wire.PollAgentResponse:
        self._check_worker(caller, request.org_id)
        name = await self._worker_name(caller, request.worker_id)
        kinds = tuple(dict.fromkeys(request.agent_capabilities)) or None
        claimed = await self._polling.poll(
            calls.PollAgents(
                poll_id=str(uuid4()),
                worker_id=ids.worker_id_of(caller, name),
                queue=organisations.inner(caller.organisation, request.queue or DEFAULT_QUEUE),
                kinds=kinds,
                wait_ms=wait_ms(request.timeout_seconds),
            )
        )
        if not isinstance(claimed, calls.AgentClaimed):
            return wire.PollAgentResponse()
        if_lost(lambda: self._polling.give_back(claimed))
        return wire.PollAgentResponse(
            agent_execution=messages.agent_message(claimed, ids.organisation_id(caller)),
            traceparent=claimed.trace_parent or "",
        )

    async def _resume(self, request: wire.ResumeAgentRequest, caller: Caller) -> wire.ResumeAgentResponse:
        caller.require(Role.WORKER)
        worker_id = ids.worker_id_of(caller, await self._worker_name(caller, request.worker_id))
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        reply = await self._ask(caller, calls.ResumeAgent(execution_id=agent_id, worker_id=worker_id))
        if not isinstance(reply, calls.AgentClaimed):
            return wire.ResumeAgentResponse(success=False)
        return wire.ResumeAgentResponse(
            success=True,
            agent=messages.agent_message(reply, ids.organisation_id(caller)),
            traceparent=reply.trace_parent or "",
        )

    # ── entries and checkpoints ─────────────────────────────────────────────────────────────────────────────────────

    async def _get_entries(self, request: wire.GetEntriesRequest, caller: Caller) -> AsyncIterator[Any]:
        caller.require(Role.WORKER)
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        entries = await self._look(agent_id, lambda execution: tuple(execution.entries))
        start = 0
        if request.after_entry_id:
            places = [place for place, entry in enumerate(entries) if entry.entry_id == request.after_entry_id.lower()]
            if not places:
                raise NotFound(f"the agent has no entry {request.after_entry_id[:100]!r}.")
            start = places[0] + 1
        for entry in entries[start:]:
            yield wire.AgentEntryChunk(entry=messages.entry_message(entry))

    async def _append_entry(self, request: wire.AppendEntryRequest, caller: Caller) -> wire.AppendEntryResponse:
        caller.require(Role.WORKER)
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        key = request.idempotency_key
        entry_id = ids.entry_id_of_key(agent_id, key) if key else str(uuid4())
        command = calls.AppendAgentEntry(
            execution_id=agent_id,
            entry_id=entry_id,
            parent_id=request.parent_id or None,
            entry_type=messages.one_of(request.entry_type, messages.ENTRY_TYPES, "entry_type"),
            role=messages.one_of(request.role, messages.ROLES, "role") if request.role else "",
            content=self._payload(request.content, "content"),
            turn_id=request.turn_id if request.HasField("turn_id") else None,
            token_usage=messages.usage_of(request.token_usage) if request.HasField("token_usage") else None,
        )
        reply = await self._ask(caller, command)
        assert isinstance(reply, calls.EntryAppended)
        return wire.AppendEntryResponse(entry_id=entry_id, already_existed=not reply.created)

    async def _get_latest_checkpoint(
        self, request: wire.GetCheckpointRequest, caller: Caller
    ) -> wire.GetCheckpointResponse:
        caller.require(Role.WORKER)
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        newest = await self._look(agent_id, lambda execution: execution.checkpoints[-1:])
        if not newest:
            return wire.GetCheckpointResponse()
        return wire.GetCheckpointResponse(checkpoint=messages.checkpoint_message(agent_id, newest[0]))

    async def _submit_checkpoint(
        self, request: wire.SubmitCheckpointRequest, caller: Caller
    ) -> wire.SubmitCheckpointResponse:
        caller.require(Role.WORKER)
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        state = self._payload(request.state, "state")
        leaf = request.leaf_entry_id or None
        reply = await self._ask(
            caller, calls.SaveAgentCheckpoint(execution_id=agent_id, state=state, leaf_entry_id=leaf)
        )
        assert isinstance(reply, calls.CheckpointSaved)
        return wire.SubmitCheckpointResponse(
            checkpoint_id=ids.checkpoint_id_of(agent_id, reply.sequence), sequence=reply.sequence
        )

    # ── tasks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _schedule(self, chunks: AsyncIterator[Any], caller: Caller) -> wire.ScheduleAgentTaskResponse:
        caller.require(Role.WORKER)
        header, data = await header_and_input(chunks, self._limits)
        agent_id = ids.agent_id_of(caller, header.agent_execution_id)
        task_id = ids.task_id_of_key(header.idempotency_key) if header.idempotency_key else TaskId(str(uuid4()))
        options = messages.task_options(
            header.max_retries if header.HasField("max_retries") else None,
            header.timeout_ms if header.HasField("timeout_ms") else None,
            dict(header.metadata),
        )
        command = calls.ScheduleAgentTask(
            execution_id=agent_id,
            task_id=task_id,
            kind=named(header.task_kind, "task_kind"),
            input=self._payload(data, "the task's input"),
            queue=organisations.inner(caller.organisation, header.queue) if header.queue else None,
            options=options,
        )
        if header.idempotency_key and await self._host.owner_of_task(task_id) not in (None, agent_id):
            raise AlreadyExists(f"the key {header.idempotency_key[:100]!r} is not this agent's. Choose another one.")
        reply = await self._ask(caller, command)
        assert isinstance(reply, calls.TaskCreated)
        return wire.ScheduleAgentTaskResponse(
            task_execution_id=task_id,
            idempotency_key_used=bool(header.idempotency_key),
            idempotency_key_new=reply.created,
        )

    async def _get_task_result(
        self, request: wire.GetAgentTaskResultRequest, caller: Caller
    ) -> wire.GetAgentTaskResultResponse:
        (result,) = await self._results(caller, request.agent_execution_id, [request.task_execution_id])
        return wire.GetAgentTaskResultResponse(status=result.status, output=result.output, error=result.error)

    async def _get_task_results(
        self, request: wire.GetAgentTaskResultsRequest, caller: Caller
    ) -> wire.GetAgentTaskResultsResponse:
        results = await self._results(caller, request.agent_execution_id, request.task_execution_ids)
        return wire.GetAgentTaskResultsResponse(
            results=[
                wire.TaskResultEntry(
                    task_execution_id=result.task_id, status=result.status, output=result.output, error=result.error
                )
                for result in results
            ]
        )

    async def _results(self, caller: Caller, agent: str, given: Sequence[str]) -> list[messages.TaskResult]:
        """One result per id, in their order: clients match by position."""
        caller.require(Role.WORKER)
        agent_id = ids.agent_id_of(caller, agent)
        task_ids = [ids.task_id_of(each) for each in given]

        def look(execution: Execution) -> list[messages.TaskResult] | TaskId:
            for task_id in task_ids:
                if task_id not in execution.tasks:
                    return task_id
            return [messages.TaskResult(execution.tasks[task_id]) for task_id in task_ids]

        found = await self._look(agent_id, look)
        if isinstance(found, str):
            raise await self._no_task_of(caller, agent_id, found)
        return found

    async def _no_task_of(self, caller: Caller, agent_id: ExecutionId, task_id: TaskId) -> NotFound | NotPermitted:
        """Why an agent has no such task: it is another one's, or nobody's, as all of other organisations are."""
        owner = await self._host.execution_of_task(task_id)
        agent = organisations.outer(agent_id)
        if owner is not None and organisations.belongs(caller.organisation, owner):
            return NotPermitted(f"task {task_id!r} is not of agent {agent!r}.")
        return NotFound(f"agent {agent!r} has no task {task_id!r}. Check the id.")

    async def _get_task_count(
        self, request: wire.GetAgentTaskCountRequest, caller: Caller
    ) -> wire.GetAgentTaskCountResponse:
        caller.require(Role.WORKER)
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        return wire.GetAgentTaskCountResponse(
            task_count=await self._look(agent_id, lambda execution: len(execution.tasks))
        )

    async def _cancel_task(self, request: wire.CancelAgentTaskRequest, caller: Caller) -> wire.CancelAgentTaskResponse:
        caller.require(Role.WORKER)
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        task_id = ids.task_id_of(request.task_execution_id)
        if not await self._look(agent_id, lambda execution: task_id in execution.tasks):
            raise await self._no_task_of(caller, agent_id, task_id)
        cause = CancelCause(
            CancelSource.REQUEST, f"agent:{organisations.outer(agent_id)}", request.reason or CANCELLED_BY_REQUEST
        )
        command = calls.CancelAgentTask(execution_id=agent_id, task_id=task_id, cause=cause)
        reply = await self._ask(caller, command)
        assert isinstance(reply, calls.AgentTaskCancelled)
        return wire.CancelAgentTaskResponse(cancelled=reply.is_first, status=reply.status.value)

    # ── waiting, signals, the end ───────────────────────────────────────────────────────────────────────────────────

    async def _suspend(self, request: wire.SuspendAgentRequest, caller: Caller) -> Empty:
        caller.require(Role.WORKER)
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        reason = request.reason or None
        match request.WhichOneof("wait_condition"):
            case "wait_for_signal":
                name = named(request.wait_for_signal, "wait_for_signal")
                command = calls.SuspendAgent(execution_id=agent_id, signal=name, reason=reason)
            case "wait_for_task":
                command = _waiting_for(agent_id, [request.wait_for_task], WaitCondition.ALL_ENDED, reason)
            case "wait_for_tasks":
                wanted = request.wait_for_tasks
                # Not the first end of any sort: an agent that races tasks goes on with the first that completed, and
                # would only look, and wait again, at each failure (cancellation.md, section 5).
                is_any = wanted.mode == wire.WaitMode.WAIT_MODE_ANY
                condition = WaitCondition.SOME_COMPLETED if is_any else WaitCondition.ALL_ENDED
                command = _waiting_for(agent_id, wanted.task_ids, condition, reason)
            case None:
                raise InvalidInput("no wait condition is set. Say what the agent waits for.")
            case "wait_for_child_event":
                given = request.wait_for_child_event.child_execution_ids
                command = _waiting_for_children(caller, agent_id, given, WaitCondition.ANY_ENDED, reason)
            case _:
                given = request.wait_for_all_children.child_execution_ids
                command = _waiting_for_children(caller, agent_id, given, WaitCondition.ALL_ENDED, reason)
        await self._ask(caller, command)
        return Empty()

    async def _complete(self, request: wire.CompleteAgentRequest, caller: Caller) -> Empty:
        caller.require(Role.WORKER)
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        output = self._payload(request.output, "output")
        await self._ask(caller, calls.EndAgent(execution_id=agent_id, output=output))
        return Empty()

    async def _fail(self, request: wire.FailAgentRequest, caller: Caller) -> Empty:
        caller.require(Role.WORKER)
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        failure = Failure(FailureKind.ERROR, request.error, request.failure_type or "")
        end = calls.EndAgent(execution_id=agent_id, failure=failure, stack_trace=request.stack_trace)
        await self._ask(caller, end)
        return Empty()

    async def _signal(self, request: wire.SignalAgentRequest, caller: Caller) -> wire.SignalAgentResponse:
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        await check_acting(self._host, caller, agent_id, _no_agent(agent_id))
        command = calls.SignalAgent(
            execution_id=agent_id,
            name=named(request.signal_name, "signal_name"),
            value=self._payload(request.signal_value, "signal_value"),
            by=caller.name_for(""),
        )
        reply = await self._ask(caller, command)
        assert isinstance(reply, calls.SignalStored)
        return wire.SignalAgentResponse(
            signal_id=ids.signal_id_of(agent_id, reply.sequence), agent_resumed=reply.resumed
        )

    async def _consume_signals(
        self, request: wire.ConsumeSignalsRequest, caller: Caller
    ) -> wire.ConsumeSignalsResponse:
        caller.require(Role.WORKER)
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        command = calls.ConsumeSignals(
            execution_id=agent_id, name=request.signal_name or None, pattern=request.signal_pattern or None
        )
        reply = await self._ask(caller, command)
        assert isinstance(reply, calls.SignalsConsumed)
        return wire.ConsumeSignalsResponse(
            signals=[
                wire.AgentSignal(
                    id=ids.signal_id_of(agent_id, signal.sequence),
                    signal_name=signal.name,
                    signal_value=signal.value.data,
                    created_at_ms=milliseconds(at),
                )
                for signal, at in reply.signals
            ]
        )

    async def _has_signal(self, request: wire.HasSignalRequest, caller: Caller) -> wire.HasSignalResponse:
        caller.require(Role.WORKER)
        agent_id = ids.agent_id_of(caller, request.agent_execution_id)
        name = request.signal_name
        has = await self._look(agent_id, lambda execution: any(signal.name == name for signal in execution.signals))
        return wire.HasSignalResponse(has_signal=has)

    async def _stream(self, events: AsyncIterator[Any], caller: Caller) -> wire.StreamAgentDataResponse:
        caller.require(Role.WORKER)
        are_known = True
        async for event in events:
            agent_id = ids.agent_id_of(caller, event.agent_execution_id)
            kind = _STREAMED.get(event.event_type)
            if kind is None:
                # A newer client's; nobody here could tell those who watch what it means.
                are_known = False
                continue
            streamed = StreamedEvent(kind, self._payload(event.payload.encode(), "payload"))
            await self._ask(caller, calls.StreamEvents(execution_id=agent_id, events=(streamed,)))
        return wire.StreamAgentDataResponse(acknowledged=are_known)

    # ── what they have in common ────────────────────────────────────────────────────────────────────────────────────

    def _check_worker(self, caller: Caller, organisation: str) -> None:
        caller.require(Role.WORKER)
        ids.check_organisation(caller, organisation)

    async def _worker_name(self, caller: Caller, given: str) -> str:
        known = self._registrations.known(caller, named(given, "worker_id"))
        if known is None:
            return given
        await self._registrations.note_seen(known, self._host.now())
        return known.name

    def _payload(self, data: bytes, what: str) -> Payload:
        made = payload(data, what) if data else NULL_PAYLOAD
        self._limits.check_payload(made, what)
        return made

    async def _ask(self, caller: Caller, command: Call) -> Any:
        return ensure_done(await self._host.ask(command), caller)

    async def _look(self, agent_id: ExecutionId, question: Callable[[Execution], FoundT]) -> FoundT:
        def ask(execution: Execution | None) -> tuple[FoundT] | None:
            return (question(execution),) if execution is not None else None

        found = await self._host.look(agent_id, ask)
        if found is None:
            raise _no_agent(agent_id)
        return found[0]


def _no_agent(agent_id: ExecutionId) -> NotFound:
    return NotFound(f"no agent {organisations.outer(agent_id)!r}. Check the id, or list the agents.")


def _waiting_for(
    agent_id: ExecutionId, given: Sequence[str], condition: WaitCondition, reason: str | None
) -> calls.SuspendAgent:
    task_ids = tuple(ids.task_id_of(each, "a task to wait for") for each in given)
    return calls.SuspendAgent(execution_id=agent_id, task_ids=task_ids, condition=condition, reason=reason)


def _waiting_for_children(
    caller: Caller, agent_id: ExecutionId, given: Sequence[str], condition: WaitCondition, reason: str | None
) -> calls.SuspendAgent:
    child_ids = tuple(dict.fromkeys(ids.agent_id_of(caller, each, "a child to wait for") for each in given))
    return calls.SuspendAgent(execution_id=agent_id, child_ids=child_ids, condition=condition, reason=reason)
