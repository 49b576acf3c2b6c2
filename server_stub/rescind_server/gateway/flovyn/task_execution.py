"""TaskExecution: what the workers of tasks call, in front of the engine. Whose the tasks are makes no difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from uuid import uuid4

import grpc
import msgspec
from google.protobuf.empty_pb2 import Empty
from rescind_proto.flovyn.v1 import flovyn_pb2 as wire

from rescind.errors import ExecutionEnded, InvalidInput
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import CancelAnswered, CancelTaskFromOutside, Refused
from rescind.model.ids import ExecutionId
from rescind.model.messages import StreamedEvent
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelTaskResult, FailureKind
from rescind.transport.grpc_methods import methods_of
from rescind_server.access.tokens import Role
from rescind_server.engine import calls
from rescind_server.engine.entities import Execution
from rescind_server.engine.naming import has_uuid
from rescind_server.gateway import organisations
from rescind_server.gateway.flovyn import ids
from rescind_server.gateway.flovyn.acting import ACTING, check_acting
from rescind_server.gateway.flovyn.agent_messages import task_options
from rescind_server.gateway.flovyn.frame import ensure_done, holding
from rescind_server.gateway.flovyn.owners import TaskOwners, no_task
from rescind_server.gateway.flovyn.polling import Polling, wait_ms
from rescind_server.gateway.flovyn.registrations import Registrations
from rescind_server.gateway.flovyn.standalone_tasks import StandaloneTask, StandaloneTasks
from rescind_server.gateway.flovyn.values import named, payload
from rescind_server.gateway.identity import Caller, Identify
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.serving import Answer, answering
from rescind_server.host.driver import Host

TASK_SERVICE: Final = wire.DESCRIPTOR.services_by_name["TaskExecution"]
DEFAULT_QUEUE: Final = "default"
CANCELLED_BY_REQUEST: Final = "Cancelled by request"
_STREAMED: Final = {
    wire.StreamEventType.TOKEN: "token",
    wire.StreamEventType.PROGRESS: "progress",
    wire.StreamEventType.DATA: "data",
    wire.StreamEventType.ERROR: "error",
}
_LEVELS: Final = ("DEBUG", "INFO", "WARN", "ERROR")


class TaskExecution:
    """The service. It holds polls, and nothing else."""

    def __init__(
        self,
        host: Host,
        polling: Polling,
        registrations: Registrations,
        owners: TaskOwners,
        limits: Limits,
        identify: Identify,
    ) -> None:
        self._host = host
        self._polling = polling
        self._registrations = registrations
        self._owners = owners
        self._standalone = StandaloneTasks(host, owners)
        self._limits = limits
        self._identify = identify

    def handlers(self) -> Mapping[str, grpc.RpcMethodHandler]:
        """The handlers of the service's calls, by their names."""
        answers: dict[str, Answer] = {
            "SubmitTask": self._submit,
            "CompleteTask": self._complete,
            "FailTask": self._fail,
            "ReportProgress": self._report_progress,
            "Heartbeat": self._heartbeat,
            "CancelTask": self._cancel,
            "LogMessage": self._log,
            "GetState": self._get_state,
            "SetState": self._set_state,
            "ClearState": self._clear_state,
            "ClearAllState": self._clear_all_state,
            "GetStateKeys": self._get_state_keys,
            "StreamTaskData": self._stream,
        }
        methods = methods_of(TASK_SERVICE)
        frame = self._identify, self._limits
        return {
            **{name: answering(methods[name], answer, *frame) for name, answer in answers.items()},
            "PollTask": holding(methods["PollTask"], self._poll, *frame),
        }

    async def _poll(
        self, request: wire.PollTaskRequest, caller: Caller, if_lost: Callable[[Callable[[], None]], None]
    ) -> wire.PollTaskResponse:
        caller.require(Role.WORKER)
        ids.check_organisation(caller, request.org_id)
        known = self._registrations.known(caller, named(request.worker_id, "worker_id"))
        if known is not None:
            await self._registrations.note_seen(known, self._host.now())
        claimed = await self._polling.poll(
            calls.PollTasks(
                poll_id=str(uuid4()),
                worker_id=ids.worker_id_of(caller, known.name if known is not None else request.worker_id),
                queue=organisations.inner(caller.organisation, request.queue or DEFAULT_QUEUE),
                kinds=tuple(sorted(known.task_kinds)) if known is not None else None,
                wait_ms=wait_ms(request.timeout_seconds),
            )
        )
        if not isinstance(claimed, calls.TaskClaimed):
            return wire.PollTaskResponse()
        if_lost(lambda: self._polling.give_back(claimed))
        self._owners.remember(claimed.task_id, claimed.execution_id)
        return wire.PollTaskResponse(
            task=wire.TaskExecutionInfo(
                task_execution_id=claimed.task_id,
                kind=claimed.kind,
                input=claimed.input.data,
                workflow_execution_id=_workflow_id(claimed),
                execution_count=claimed.number,
                queue=organisations.outer(claimed.queue),
                traceparent=claimed.trace_parent or "",
            )
        )

    async def _submit(self, request: wire.SubmitTaskRequest, caller: Caller) -> wire.SubmitTaskResponse:
        caller.require(*ACTING)
        ids.check_organisation(caller, request.org_id)
        if request.workflow_execution_id:
            raise InvalidInput(
                "a workflow schedules its tasks itself, with SCHEDULE_TASK. Leave workflow_execution_id empty."
            )
        key = request.idempotency_key
        ttl_s = request.idempotency_key_ttl_seconds if request.HasField("idempotency_key_ttl_seconds") else None
        task = StandaloneTask(
            kind=named(request.kind, "kind"),
            input=self._payload(request.input, "input"),
            queue=request.queue or DEFAULT_QUEUE,
            options=task_options(request.max_retries, request.timeout_ms, dict(request.metadata)),
        )
        task_id, is_new = await self._standalone.submit(caller, task, key, ttl_s)
        return wire.SubmitTaskResponse(
            task_execution_id=task_id, idempotency_key_used=bool(key), idempotency_key_new=is_new
        )

    async def _complete(self, request: wire.CompleteTaskRequest, caller: Caller) -> Empty:
        output = self._payload(request.output, "output")
        await self._say(caller, calls.ReportTask(task_id=ids.task_id_of(request.task_execution_id), output=output))
        return Empty()

    async def _fail(self, request: wire.FailTaskRequest, caller: Caller) -> Empty:
        failure = Failure(FailureKind.ERROR, request.error)
        await self._say(caller, calls.ReportTask(task_id=ids.task_id_of(request.task_execution_id), failure=failure))
        return Empty()

    async def _heartbeat(self, request: wire.HeartbeatRequest, caller: Caller) -> Empty:
        await self._say(caller, calls.BeatTask(task_id=ids.task_id_of(request.task_execution_id)))
        return Empty()

    async def _cancel(self, request: wire.CancelTaskRequest, caller: Caller) -> Empty:
        caller.require(*ACTING)
        task_id = ids.task_id_of(request.task_execution_id)
        owner = await self._owners.owner_of(caller, task_id)
        await check_acting(self._host, caller, owner, no_task(task_id))
        cause = CancelCause(CancelSource.REQUEST, caller.name_for(""), CANCELLED_BY_REQUEST)
        reply = await self._host.ask(CancelTaskFromOutside(owner, task_id, cause))
        assert isinstance(reply, CancelAnswered)
        match reply.result:
            case CancelTaskResult.ALREADY_COMPLETED:
                raise ExecutionEnded(f"task {task_id!r} is COMPLETED; it cannot be cancelled any more.")
            case CancelTaskResult.ALREADY_FAILED:
                raise ExecutionEnded(f"task {task_id!r} is FAILED; it cannot be cancelled any more.")
            case _:
                return Empty()

    async def _report_progress(self, request: wire.ReportProgressRequest, caller: Caller) -> Empty:
        if not 0 <= request.progress <= 1:
            raise InvalidInput(f"progress is {request.progress}. Give 0 to 1.")
        task_id = ids.task_id_of(request.task_execution_id)
        command = calls.ReportTaskProgress(task_id=task_id, progress=request.progress, details=request.details)
        owner = await self._note(caller, command)
        shown = {"progress": request.progress, "details": request.details or None}
        await self._pass_on(caller, owner, StreamedEvent("progress", Payload(msgspec.json.encode(shown)), task_id))
        return Empty()

    async def _log(self, request: wire.LogMessageRequest, caller: Caller) -> Empty:
        if request.level not in _LEVELS:
            raise InvalidInput(f"level is {request.level[:100]!r}. Give one of: {', '.join(_LEVELS)}.")
        task_id = ids.task_id_of(request.task_execution_id)
        owner = await self._note(caller, calls.LogTask(task_id=task_id, level=request.level, message=request.message))
        line = {"level": request.level.lower(), "message": request.message}
        await self._pass_on(caller, owner, StreamedEvent("log", Payload(msgspec.json.encode(line)), task_id))
        return Empty()

    async def _get_state(self, request: wire.GetStateRequest, caller: Caller) -> wire.GetStateResponse:
        state = await self._state(caller, request.task_execution_id)
        value = state.get(request.key)
        return wire.GetStateResponse(value=value or b"", found=value is not None)

    async def _get_state_keys(self, request: wire.GetStateKeysRequest, caller: Caller) -> wire.GetStateKeysResponse:
        return wire.GetStateKeysResponse(keys=sorted(await self._state(caller, request.task_execution_id)))

    async def _set_state(self, request: wire.SetStateRequest, caller: Caller) -> Empty:
        key = named(request.key, "key")
        value = self._payload(request.value, "value").data
        task_id = ids.task_id_of(request.task_execution_id)
        await self._note(caller, calls.SetTaskState(task_id=task_id, key=key, value=value))
        return Empty()

    async def _clear_state(self, request: wire.ClearStateRequest, caller: Caller) -> Empty:
        task_id = ids.task_id_of(request.task_execution_id)
        await self._note(caller, calls.ClearTaskState(task_id=task_id, key=named(request.key, "key")))
        return Empty()

    async def _clear_all_state(self, request: wire.ClearAllStateRequest, caller: Caller) -> Empty:
        await self._note(caller, calls.ClearTaskState(task_id=ids.task_id_of(request.task_execution_id), key=None))
        return Empty()

    async def _stream(self, request: wire.StreamTaskDataRequest, caller: Caller) -> wire.StreamTaskDataResponse:
        caller.require(Role.WORKER)
        kind = _STREAMED.get(request.type)
        task_id = ids.task_id_of(request.task_execution_id)
        owner = await self._owners.owner_of(caller, task_id)
        if kind is None:
            # A newer client's; nobody here could tell those who watch what it means.
            return wire.StreamTaskDataResponse(acknowledged=False)
        event = StreamedEvent(kind, self._payload(request.payload.encode(), "payload"), task_id)
        await self._pass_on(caller, owner, event)
        return wire.StreamTaskDataResponse(acknowledged=True)

    async def _note(self, caller: Caller, command: calls.TaskCall) -> ExecutionId:
        """Have something noted of a task; returns whose it is."""
        caller.require(Role.WORKER)
        owner = await self._owners.owner_of(caller, command.task_id)
        ensure_done(await self._host.ask(msgspec.structs.replace(command, execution_id=owner)), caller)
        return owner

    async def _pass_on(self, caller: Caller, owner: ExecutionId, event: StreamedEvent) -> None:
        ensure_done(await self._host.ask(calls.StreamEvents(execution_id=owner, events=(event,))), caller)

    async def _state(self, caller: Caller, given: str) -> dict[str, bytes]:
        caller.require(Role.WORKER)
        task_id = ids.task_id_of(given)
        owner = await self._owners.owner_of(caller, task_id)

        def look(execution: Execution | None) -> dict[str, bytes]:
            assert execution is not None, "it has the task"
            notes = execution.tasks[task_id].notes
            return dict(notes.state) if notes is not None else {}

        return await self._host.look(owner, look)

    async def _say(self, caller: Caller, command: calls.TaskCall) -> None:
        """What a worker says of its task. If nobody has the task at work, find out why, for the refusal."""
        caller.require(Role.WORKER)
        owner = await self._owners.owner_of(caller, command.task_id)
        reply = await self._host.ask(command)
        if not (isinstance(reply, Refused) and reply.error == "NotFound"):
            ensure_done(reply, caller)
            return

        def status_of(execution: Execution | None) -> str:
            assert execution is not None, "it has the task"
            return execution.tasks[command.task_id].status.value

        status = await self._host.look(owner, status_of)
        raise ExecutionEnded(f"task {command.task_id!r} is {status}; no worker of this protocol has it.")

    def _payload(self, data: bytes, what: str) -> Payload:
        made = payload(data, what) if data else NULL_PAYLOAD
        self._limits.check_payload(made, what)
        return made


def _workflow_id(claimed: calls.TaskClaimed) -> str:
    """Whose task it is; empty if that is no workflow, or one whose id this protocol cannot carry."""
    if not claimed.is_of_workflow or not has_uuid(claimed.execution_id):
        return ""
    return organisations.outer(claimed.execution_id)
