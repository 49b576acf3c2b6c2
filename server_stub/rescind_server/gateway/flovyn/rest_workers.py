"""Workers, and the kinds that they run, over flovyn's HTTP interface."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

import msgspec
from starlette.responses import Response

from rescind.model.events import iso_time
from rescind.model.ids import Instant
from rescind_server.access.tokens import Role
from rescind_server.gateway.flovyn.registrations import Capability, Process, Registration, Registrations
from rescind_server.gateway.flovyn.rest_answers import (
    CapabilityBody,
    DefinitionBody,
    TaskDefinitionsBody,
    WorkerBody,
    WorkerDetailsBody,
    WorkersBody,
    WorkflowDefinitionsBody,
)
from rescind_server.gateway.flovyn.rest_bodies import ListWorkersQuery
from rescind_server.gateway.flovyn.rest_calls import bad_id, no_such
from rescind_server.gateway.flovyn.values import is_uuid
from rescind_server.gateway.http.operations import Call, answer
from rescind_server.gateway.identity import Caller
from rescind_server.host.driver import Host

_SILENCE: Final = 90 * 1_000_000
"""How long a worker may say nothing before it counts as gone, in microseconds: longer than a poll is held."""


class RestWorkers:
    """Shows who has registered over flovyn.v1. Workers of our own protocol are listed under /api/v1/workers."""

    def __init__(self, host: Host, registrations: Registrations) -> None:
        self._host = host
        self._registrations = registrations

    async def list_page(self, call: Call) -> Response:
        """Some of the workers, those that came first before the others."""
        query: ListWorkersQuery = call.query
        found = [each for each in self._known(call) if query.type in (None, _last(each)[1].worker_type)]
        page = found[query.offset : query.offset + query.limit]
        shown = tuple(self._worker(each) for each in page)
        return answer(WorkersBody(shown, len(found), query.limit, query.offset))

    async def get(self, call: Call) -> Response:
        """A worker, with all that it can run."""
        worker_id = call.path["worker_id"]
        if not is_uuid(worker_id):
            raise bad_id("worker", worker_id)
        found = next((each for each in self._known(call) if each.worker_id == worker_id.lower()), None)
        if found is None:
            raise no_such("worker", worker_id)
        processes = found.processes.values()
        return answer(
            WorkerDetailsBody(
                self._worker(found),
                _capabilities(each for process in processes for each in process.workflows),
                _capabilities(each for process in processes for each in process.tasks),
                _capabilities(each for process in processes for each in process.agents),
            )
        )

    async def workflow_definitions(self, call: Call) -> Response:
        """The kinds of workflows."""
        found = self._definitions(call, "workflow")
        return answer(WorkflowDefinitionsBody(tuple(found.values()), len(found)))

    async def workflow_definition(self, call: Call) -> Response:
        """One kind of workflow."""
        return self._definition(call, "workflow")

    async def task_definitions(self, call: Call) -> Response:
        """The kinds of tasks."""
        found = self._definitions(call, "task")
        return answer(TaskDefinitionsBody(tuple(found.values()), len(found)))

    async def task_definition(self, call: Call) -> Response:
        """One kind of task."""
        return self._definition(call, "task")

    def _known(self, call: Call) -> Iterable[Registration]:
        call.caller.require(Role.VIEWER, Role.OPERATOR)
        return self._registrations.all_of(call.caller).values()

    def _is_online(self, registration: Registration) -> bool:
        return self._host.now() - registration.seen_at < _SILENCE

    def _worker(self, registration: Registration) -> WorkerBody:
        (host_name, process_id), process = _last(registration)
        return WorkerBody(
            id=registration.worker_id,
            worker_name=registration.name,
            worker_version=process.version,
            worker_type=process.worker_type,
            status="ONLINE" if self._is_online(registration) else "OFFLINE",
            host_name=host_name,
            process_id=process_id,
            registered_at=iso_time(registration.first_at),
            last_heartbeat_at=iso_time(registration.seen_at),
            metadata=_metadata(process.metadata),
        )

    def _definition(self, call: Call, what: str) -> Response:
        found = self._definitions(call, what).get(call.path["kind"])
        if found is None:
            raise no_such(f"kind of {what}", call.path["kind"])
        return answer(found)

    def _definitions(self, call: Call, what: str) -> dict[str, DefinitionBody]:
        found: dict[str, DefinitionBody] = {}
        for registration in self._known(call):
            for process in registration.processes.values():
                for each in process.workflows if what == "workflow" else process.tasks:
                    known = found.get(each.kind)
                    online = self._is_online(registration) or (
                        known is not None and known.availability_status == "AVAILABLE"
                    )
                    first = known.first_seen_at if known is not None else iso_time(process.registered_at)
                    found[each.kind] = _body(call.caller, what, each, process.registered_at, first, is_online=online)
        return found


def _last(registration: Registration) -> tuple[tuple[str, str], Process]:
    """The process that registered last."""
    return next(reversed(registration.processes.items()))


def _capabilities(capabilities: Iterable[Capability]) -> tuple[CapabilityBody, ...]:
    """Each kind once, as it was registered last."""
    found = {each.kind: CapabilityBody(each.kind, each.name, each.description) for each in capabilities}
    return tuple(found.values())


def _body(
    caller: Caller, what: str, capability: Capability, at: Instant, first: str, *, is_online: bool
) -> DefinitionBody:
    return DefinitionBody(
        id=str(uuid5(NAMESPACE_OID, f"{what}:{caller.organisation}:{capability.kind}")),
        kind=capability.kind,
        name=capability.name,
        description=capability.description,
        availability_status="AVAILABLE" if is_online else "UNAVAILABLE",
        first_seen_at=first,
        last_registered_at=iso_time(at),
        timeout_seconds=capability.timeout_seconds,
        tags=capability.tags,
        cancellable=capability.cancellable,
        latest_version=capability.version,
        input_schema=_json(capability.input_schema),
        output_schema=_json(capability.output_schema),
    )


def _json(data: bytes) -> Any:
    """What a worker has registered as JSON; None if it is none."""
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None


def _metadata(data: bytes) -> dict[str, str]:
    found = _json(data)
    if not isinstance(found, dict):
        return {}
    return {
        name: given if isinstance(given, str) else msgspec.json.encode(given).decode() for name, given in found.items()
    }
