"""Ids of the wire: UUIDs in text, in front of the names that the engine knows."""

from __future__ import annotations

from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from rescind.errors import NotPermitted
from rescind.model.ids import ExecutionId, TaskId, WorkerId
from rescind_server.gateway import organisations
from rescind_server.gateway.flovyn.values import checked_uuid, is_uuid
from rescind_server.gateway.identity import Caller

WORKER_PREFIX: Final = "flovyn:"
"""Before the name of a worker of this protocol: workers with a session have ids of their own."""


def organisation_id(caller: Caller) -> str:
    """The UUID that the wire names a caller's organisation with."""
    return str(uuid5(NAMESPACE_OID, f"organisation:{caller.organisation}"))


def check_organisation(caller: Caller, given: str) -> None:
    """Check the organisation that a request names.

    Where nobody has to prove who they are there is one organisation, and every id is good for it.

    Raises:
        InvalidInput: it is no UUID. Empty is none, and allowed.
        NotPermitted: the caller's token is of another one.
    """
    if not given:
        return
    named = checked_uuid(given, "org_id")
    if caller.by is not None and named != organisation_id(caller):
        raise NotPermitted(f"this token is not of organisation {named}. Name your own, or none.")


def agent_id_of(caller: Caller, given: str, field: str = "agent_execution_id") -> ExecutionId:
    """An agent's id as the engine knows it. Raises InvalidInput: it is no UUID."""
    return organisations.inner_id(caller.organisation, checked_uuid(given, field))


def task_id_of(given: str, field: str = "task_execution_id") -> TaskId:
    """A task's id. Raises InvalidInput: it is no UUID."""
    return TaskId(checked_uuid(given, field))


def task_id_of_key(key: str) -> TaskId:
    """The id of the task that an idempotency key names: both sides derive it, neither tells it."""
    return TaskId(str(uuid5(NAMESPACE_OID, key)))


def entry_id_of_key(agent_id: ExecutionId, key: str) -> str:
    """The id of the entry that a key names within an agent: the key itself if it is a UUID."""
    return str(UUID(key)) if is_uuid(key) else str(uuid5(NAMESPACE_OID, f"entry:{agent_id}:{key}"))


def checkpoint_id_of(agent_id: ExecutionId, sequence: int) -> str:
    """The id of a checkpoint: the same whenever it is asked for."""
    return str(uuid5(NAMESPACE_OID, f"checkpoint:{agent_id}:{sequence}"))


def signal_id_of(agent_id: ExecutionId, sequence: int) -> str:
    """The id of a signal, likewise."""
    return str(uuid5(NAMESPACE_OID, f"signal:{agent_id}:{sequence}"))


def registered_id_of(caller: Caller, name: str) -> str:
    """The id that a worker gets when it registers under a name: the same each time."""
    return str(uuid5(NAMESPACE_OID, f"worker:{caller.organisation}:{name}"))


def worker_id_of(caller: Caller, name: str) -> WorkerId:
    """A worker of this protocol, as the engine knows it."""
    return WorkerId(organisations.inner(caller.organisation, f"{WORKER_PREFIX}{name}"))
