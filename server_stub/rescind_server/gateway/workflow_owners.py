"""Whose workflows are: a client reaches those that it has started itself, also by a key that anybody may guess."""

from __future__ import annotations

from rescind.errors import AlreadyExists
from rescind.model.commands import Refused, Started
from rescind.model.views import ExecutionDetails
from rescind_server.access.tokens import Role
from rescind_server.engine.entities import Execution
from rescind_server.gateway.identity import Caller
from rescind_server.host.driver import Host


def sees_all_workflows(caller: Caller) -> bool:
    """Whether a caller sees every workflow of its organisation, not only those that it has started."""
    return caller.sees_all or Role.WORKER in caller.roles


def sees(caller: Caller, details: ExecutionDetails) -> bool:
    """Whether a caller sees this workflow of its organisation."""
    return sees_all_workflows(caller) or details.execution.created_by == caller.by


async def ensure_visible(host: Host, caller: Caller, started: Started, taken: Refused) -> None:
    """Tell of what a start has found only to whoever may see it.

    Args:
        host: where it lives.
        caller: who has asked for the start.
        started: what the engine has answered.
        taken: what it is refused with otherwise: nothing in it is of what was found.

    Raises:
        AlreadyExists: the start has created nothing, and found what another caller has started.
    """
    if started.created or sees_all_workflows(caller):
        return

    def creator_of(found: Execution | None) -> str | None:
        return found.created_by if found is not None else None

    if await host.look(started.execution_id, creator_of) != caller.by:
        raise AlreadyExists(taken.message)
