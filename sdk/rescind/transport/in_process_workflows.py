"""Workflows for a worker in the engine's own process: a `WorkflowPort` over its host."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from rescind import errors
from rescind.errors import RequestError, RescindError
from rescind.model.commands import Refused
from rescind.model.ids import WorkerId
from rescind.model.workflow_commands import AnyWorkflowCommand, PassStatus
from rescind.model.workflow_events import LoggedEvent
from rescind.model.workflows import (
    PollWorkflow,
    ReleaseWorkflow,
    SubmitWorkflowCommands,
    WithdrawPoll,
    WorkflowClaimed,
)
from rescind_server.host.driver import Host


class InProcessWorkflows:
    """See `WorkflowPort`."""

    def __init__(self, host: Host, worker_id: str) -> None:
        self._host = host
        self._worker_id = WorkerId(worker_id)
        self._numbers = count(1)

    async def claim(self, queue: str, kinds: Sequence[str]) -> WorkflowClaimed | None:
        """See `WorkflowPort`."""
        poll = f"{self._worker_id}/{next(self._numbers)}"
        answered = False
        try:
            reply = await self._host.ask(PollWorkflow(poll, self._worker_id, queue, tuple(kinds), brings_log=True))
            answered = True
        finally:
            if not answered:
                self._host.tell(WithdrawPoll(poll))
        if isinstance(reply, Refused):
            raise _refusal(reply)
        return reply if isinstance(reply, WorkflowClaimed) else None

    async def events(self, claimed: WorkflowClaimed, after: int) -> Sequence[LoggedEvent]:
        """See `WorkflowPort`. The claim has brought them along."""
        return claimed.events[after:]

    async def submit(
        self,
        claimed: WorkflowClaimed,
        commands: Sequence[AnyWorkflowCommand],
        status: PassStatus,
        seen: int,
        *,
        cleaning_up: bool,
    ) -> None:
        """See `WorkflowPort`."""
        reply = await self._host.ask(
            SubmitWorkflowCommands(
                claimed.execution_id,
                tuple(commands),
                status,
                claim=claimed.claim,
                first_sequence=seen + 1,
                cleaning_up=cleaning_up,
            )
        )
        if isinstance(reply, Refused):
            raise _refusal(reply)

    async def release(self, claimed: WorkflowClaimed) -> None:
        """See `WorkflowPort`."""
        await self._host.ask(ReleaseWorkflow(claimed.execution_id, claimed.claim))


def _refusal(refused: Refused) -> RescindError:
    error_class = getattr(errors, refused.error, None)
    if isinstance(error_class, type) and issubclass(error_class, RescindError):
        return error_class(refused.message)
    return RequestError(refused.message)
