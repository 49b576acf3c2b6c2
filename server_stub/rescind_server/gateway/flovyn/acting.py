"""Who may act from outside on what flovyn.v1 names: start, signal, cancel."""

from __future__ import annotations

from typing import Final

from rescind.errors import NotFound
from rescind.model.ids import ExecutionId
from rescind_server.access.tokens import Role
from rescind_server.engine.entities import Execution
from rescind_server.gateway.identity import Caller
from rescind_server.host.driver import Host

ACTING: Final = (Role.CLIENT, Role.WORKER, Role.OPERATOR)
"""Workers, too: their agents signal each other, and their workflows cancel tasks, by these calls."""


async def check_acting(host: Host, caller: Caller, execution_id: ExecutionId, missing: NotFound) -> None:
    """Check that a caller may act on an execution: a client does so on what it started itself.

    Args:
        host: what drives the engine.
        caller: who asks.
        execution_id: on what, as the engine knows it.
        missing: what is raised if there is no such execution, or none of this caller's: it cannot tell which.

    Raises:
        NotPermitted: the caller's role is to look only.
        NotFound: `missing`.
    """
    caller.require(*ACTING)
    if caller.is_operator or Role.WORKER in caller.roles:
        return

    def is_own(execution: Execution | None) -> bool:
        return execution is not None and execution.created_by == caller.by

    if not await host.look(execution_id, is_own):
        raise missing
