"""WorkerLifecycle: workers announce themselves, and say that they live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import grpc
from google.protobuf.empty_pb2 import Empty
from rescind_proto.flovyn.v1 import flovyn_pb2 as wire

from rescind.errors import InvalidInput, NotFound
from rescind.model.workflows import WorkerGone, WorkerSeen
from rescind.transport.grpc_methods import methods_of
from rescind_server.access.tokens import Role
from rescind_server.engine import calls
from rescind_server.gateway.flovyn import ids
from rescind_server.gateway.flovyn.frame import ensure_done
from rescind_server.gateway.flovyn.registrations import Capability, Process, Registration, Registrations
from rescind_server.gateway.flovyn.values import checked_uuid, named
from rescind_server.gateway.identity import Caller, Identify
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.serving import Answer, answering
from rescind_server.host.driver import Host

LIFECYCLE_SERVICE: Final = wire.DESCRIPTOR.services_by_name["WorkerLifecycle"]
_TYPES: Final = ("WORKFLOW", "TASK", "UNIFIED")


class WorkerLifecycle:
    """The service."""

    def __init__(self, host: Host, registrations: Registrations, limits: Limits, identify: Identify) -> None:
        self._host = host
        self._registrations = registrations
        self._limits = limits
        self._identify = identify

    def handlers(self) -> Mapping[str, grpc.RpcMethodHandler]:
        """The handlers of the service's calls, by their names."""
        answers: dict[str, Answer] = {"RegisterWorker": self._register, "SendHeartbeat": self._beat}
        methods = methods_of(LIFECYCLE_SERVICE)
        frame = self._identify, self._limits
        return {name: answering(methods[name], answer, *frame) for name, answer in answers.items()}

    async def _register(
        self, request: wire.WorkerRegistrationRequest, caller: Caller
    ) -> wire.WorkerRegistrationResponse:
        caller.require(Role.WORKER)
        ids.check_organisation(caller, request.org_id)
        name = named(request.worker_name, "worker_name")
        if request.worker_type not in _TYPES:
            raise InvalidInput(f"worker_type is {request.worker_type[:100]!r}. Give one of: {', '.join(_TYPES)}.")
        process = Process(
            request.worker_type,
            request.worker_version,
            self._host.now(),
            workflows=tuple(_capability(each, "the kind of a workflow") for each in request.workflows),
            tasks=tuple(_capability(each, "the kind of a task") for each in request.tasks),
            agents=tuple(
                Capability(named(each.kind, "the kind of an agent"), each.name, each.description)
                for each in request.agents
            ),
            metadata=request.metadata,
        )
        place = request.host_name, request.process_id
        known = self._registrations.known(caller, name)
        if known is not None and _comes_behind_another(known, place):
            # Several processes may share a name: the one before is taken to be gone only if none of them polls.
            self._host.tell(WorkerGone(ids.worker_id_of(caller, known.name), unless_polling=True))
        registration = await self._registrations.register(caller, name, place, process)
        return wire.WorkerRegistrationResponse(worker_id=registration.worker_id, success=True)

    async def _beat(self, request: wire.WorkerHeartbeatRequest, caller: Caller) -> Empty:
        caller.require(Role.WORKER)
        worker_id = checked_uuid(request.worker_id, "worker_id")
        known = self._registrations.known(caller, worker_id)
        if known is None:
            raise NotFound(f"no worker {worker_id} is registered. Register it again.")
        await self._registrations.note_seen(known, self._host.now())
        inner_id = ids.worker_id_of(caller, known.name)
        self._host.tell(WorkerSeen(inner_id))
        ensure_done(await self._host.ask(calls.WorkerBeat(worker_id=inner_id)), caller)
        return Empty()


def _comes_behind_another(known: Registration, place: tuple[str, str]) -> bool:
    """Whether a process that has not registered before has the host of one that has."""
    return place not in known.processes and any(host == place[0] for host, _ in known.processes)


def _capability(given: wire.WorkflowCapability | wire.TaskCapability, what: str) -> Capability:
    return Capability(
        kind=named(given.kind, what),
        name=given.name,
        description=given.description,
        timeout_seconds=given.timeout_seconds if given.HasField("timeout_seconds") else None,
        cancellable=given.cancellable,
        tags=tuple(given.tags),
        version=(given.version or None) if isinstance(given, wire.WorkflowCapability) else None,
        input_schema=given.input_schema,
        output_schema=given.output_schema,
    )
