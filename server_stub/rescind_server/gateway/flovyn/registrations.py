"""Which workers have registered, and what they run: a poll names the worker, and no kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from rescind.model.ids import Instant
from rescind_server.gateway.flovyn.ids import registered_id_of
from rescind_server.gateway.flovyn.values import is_uuid
from rescind_server.gateway.identity import Caller

_MOST_PROCESSES: Final = 1_000


class Capability(msgspec.Struct, frozen=True):
    """A kind that a worker runs, and what it says of it. Schemas are JSON in bytes, empty if there is none."""

    kind: str
    name: str = ""
    description: str = ""
    timeout_seconds: int | None = None
    cancellable: bool = True
    tags: tuple[str, ...] = ()
    version: str | None = None
    input_schema: bytes = b""
    output_schema: bytes = b""


class Process(msgspec.Struct, frozen=True):
    """One process of a worker, as it has registered."""

    worker_type: str
    version: str
    registered_at: Instant
    workflows: tuple[Capability, ...] = ()
    tasks: tuple[Capability, ...] = ()
    agents: tuple[Capability, ...] = ()
    metadata: bytes = b""


class Registration(msgspec.Struct):
    """A worker, by its name.

    Attributes:
        name: what it calls itself.
        worker_id: the UUID that it was given.
        first_at: when it registered first.
        seen_at: when it last registered, sent a heartbeat or polled.
        processes: its processes, by host and process id, the one that registered last behind the others. Several may
            share a name.
    """

    name: str
    worker_id: str
    first_at: Instant
    seen_at: Instant
    processes: dict[tuple[str, str], Process] = {}

    @property
    def task_kinds(self) -> frozenset[str]:
        """The kinds of task that some process of it runs."""
        return frozenset(each.kind for process in self.processes.values() for each in process.tasks)

    @property
    def workflow_kinds(self) -> frozenset[str]:
        """The kinds of workflow that some process of it runs."""
        return frozenset(each.kind for process in self.processes.values() for each in process.workflows)


class Registrations:
    """The workers of all organisations."""

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, str], Registration] = {}

    def register(self, caller: Caller, name: str, place: tuple[str, str], process: Process) -> Registration:
        """A worker has come, or come back: what this process runs takes the place of what it ran before.

        Args:
            caller: whose it is.
            name: what it calls itself.
            place: the host and the process id, in text.
            process: what it says of itself.
        """
        worker_id = registered_id_of(caller, name)
        at = process.registered_at
        registration = self._by_id.setdefault((caller.organisation, worker_id), Registration(name, worker_id, at, at))
        registration.seen_at = at
        # The oldest of very many processes is gone for long.
        registration.processes.pop(place, None)
        while len(registration.processes) >= _MOST_PROCESSES:
            del registration.processes[next(iter(registration.processes))]
        registration.processes[place] = process
        return registration

    def known(self, caller: Caller, worker: str) -> Registration | None:
        """The registration that a worker calls under, by its name or its UUID; None if it has none."""
        worker_id = worker.lower() if is_uuid(worker) else registered_id_of(caller, worker)
        found = self._by_id.get((caller.organisation, worker_id))
        if found is None and is_uuid(worker):
            # A worker may be named with a UUID of its own choice.
            found = self._by_id.get((caller.organisation, registered_id_of(caller, worker)))
        return found

    def all_of(self, caller: Caller) -> Mapping[str, Registration]:
        """The workers of a caller's organisation, by their UUIDs."""
        return {
            worker_id: registration
            for (organisation, worker_id), registration in self._by_id.items()
            if organisation == caller.organisation
        }
