"""The calls of AgentDispatch about children."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import grpc
from rescind_proto.flovyn.v1 import agent_pb2 as wire

from rescind.errors import InvalidInput, NotFound, NotSupported
from rescind.model.children import Budget
from rescind.model.commands import Call
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import ExecutionStatus
from rescind.transport.grpc_methods import methods_of
from rescind_server.access.tokens import Role
from rescind_server.engine import calls
from rescind_server.engine.entities import Execution
from rescind_server.gateway import organisations
from rescind_server.gateway.flovyn import ids
from rescind_server.gateway.flovyn.agent_messages import PERSISTENCE_LABEL
from rescind_server.gateway.flovyn.frame import ensure_done
from rescind_server.gateway.flovyn.values import named, payload
from rescind_server.gateway.identity import Caller, Identify
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.serving import Answer, answering
from rescind_server.host.driver import Host

_INHERITED_LABEL: Final = "session_default_queue"
_MODES: Final = ("REMOTE", "LOCAL", "EXTERNAL")


class AgentChildren:
    """These calls, as a part of the service."""

    def __init__(self, host: Host, limits: Limits, identify: Identify) -> None:
        self._host = host
        self._limits = limits
        self._identify = identify

    def handlers(self) -> Mapping[str, grpc.RpcMethodHandler]:
        """The handlers of the calls, by their names."""
        answers: dict[str, Answer] = {
            "SpawnChildAgent": self._spawn,
            "SendParentSignal": self._signal_parent,
            "SendChildSignal": self._signal_child,
            "PollChildEvents": self._poll_events,
        }
        methods = methods_of(wire.DESCRIPTOR.services_by_name["AgentDispatch"])
        return {
            name: answering(methods[name], answer, self._identify, self._limits) for name, answer in answers.items()
        }

    async def _spawn(self, request: wire.SpawnChildAgentRequest, caller: Caller) -> wire.SpawnChildAgentResponse:
        self._check(caller, request.org_id)
        parent_id = ids.agent_id_of(caller, request.parent_execution_id, "parent_execution_id")
        mode = request.mode or _MODES[0]
        if mode not in _MODES:
            raise InvalidInput(f"mode is {mode[:100]!r}. Give one of: {', '.join(_MODES)}.")
        if mode == "EXTERNAL":
            raise NotSupported(
                "a child of mode EXTERNAL is not offered: nobody here could run it. Give REMOTE or LOCAL."
            )
        if request.template_slug:
            raise NotFound(f"no agent definition {request.template_slug[:100]!r}. Name the kind of the child instead.")
        if request.max_budget_tokens < 0:
            raise InvalidInput(f"max_budget_tokens is {request.max_budget_tokens}. Give 0 or more.")
        inherited = await self._host.look(parent_id, _labels_of)
        command = calls.SpawnAgent(
            execution_id=parent_id,
            child_id=organisations.inner_id(caller.organisation, str(uuid4())),
            kind=named(request.agent_kind, "agent_kind"),
            input=self._payload(request.input, "input"),
            queue=organisations.inner(caller.organisation, request.queue) if request.queue else None,
            labels=inherited | _labels(request, mode),
            budget=Budget(max_tokens=request.max_budget_tokens) if request.HasField("max_budget_tokens") else None,
        )
        await self._ask(caller, command)
        return wire.SpawnChildAgentResponse(
            child_execution_id=organisations.outer(command.child_id), status=ExecutionStatus.PENDING.value
        )

    async def _signal_parent(
        self, request: wire.SendParentSignalRequest, caller: Caller
    ) -> wire.SendParentSignalResponse:
        self._check(caller, request.org_id)
        command = calls.SignalParent(
            execution_id=ids.agent_id_of(caller, request.child_execution_id, "child_execution_id"),
            name=named(request.signal_name, "signal_name"),
            value=self._payload(request.payload, "payload"),
        )
        return wire.SendParentSignalResponse(delivered=(await self._ask(caller, command)).delivered)

    async def _signal_child(self, request: wire.SendChildSignalRequest, caller: Caller) -> wire.SendChildSignalResponse:
        self._check(caller, request.org_id)
        command = calls.SignalChild(
            execution_id=ids.agent_id_of(caller, request.parent_execution_id, "parent_execution_id"),
            child_id=ids.agent_id_of(caller, request.child_execution_id, "child_execution_id"),
            name=named(request.signal_name, "signal_name"),
            value=self._payload(request.payload, "payload"),
        )
        return wire.SendChildSignalResponse(delivered=(await self._ask(caller, command)).delivered)

    async def _poll_events(self, request: wire.PollChildEventsRequest, caller: Caller) -> wire.PollChildEventsResponse:
        self._check(caller, request.org_id)
        child_ids = tuple(ids.agent_id_of(caller, each, "child_execution_ids") for each in request.child_execution_ids)
        parent_id = ids.agent_id_of(caller, request.parent_execution_id, "parent_execution_id")
        reply = await self._ask(caller, calls.PollChildren(execution_id=parent_id, child_ids=child_ids))
        return wire.PollChildEventsResponse(events=[_event_message(event) for event in reply.events])

    def _check(self, caller: Caller, organisation: str) -> None:
        caller.require(Role.WORKER)
        ids.check_organisation(caller, organisation)

    def _payload(self, data: bytes, what: str) -> Payload:
        made = payload(data, what) if data else NULL_PAYLOAD
        self._limits.check_payload(made, what)
        return made

    async def _ask(self, caller: Caller, command: Call) -> Any:
        return ensure_done(await self._host.ask(command), caller)


def _labels_of(parent: Execution | None) -> dict[str, str]:
    """What a child has from its parent."""
    labels = parent.labels if parent is not None else {}
    return {name: labels[name] for name in (_INHERITED_LABEL,) if name in labels}


def _labels(request: wire.SpawnChildAgentRequest, mode: str) -> dict[str, str]:
    """What is said of a child besides, as its metadata."""
    labels = {PERSISTENCE_LABEL: mode}
    if request.system_prompt:
        labels["system_prompt"] = request.system_prompt
    if request.model:
        labels["model"] = request.model
    if request.tools:
        labels["tools"] = json.dumps(list(request.tools))
    return labels


def _event_message(event: calls.ChildEvent) -> wire.ChildEventInfo:
    message = wire.ChildEventInfo(child_execution_id=organisations.outer(event.child_id))
    if event.name is not None:
        message.event_type = "signal"
        message.signal_name = event.name
        message.signal_payload = event.payload.data if event.payload is not None else b"null"
    elif event.error is not None:
        message.event_type = "failed"
        message.error = event.error
    else:
        message.event_type = "completed"
        message.output = event.output.data if event.output is not None else b"null"
    return message
