"""Workflows for a worker in the engine's own process: a `WorkflowPort` over its host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from rescind.errors import RequestError
from rescind.errors.named import named_error
from rescind.model.commands import Command, Refused, Reply
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
    """See `WorkflowPort`. `lease_ms` is as in `PollWorkflow`."""

    def __init__(self, host: Host, worker_id: str, *, lease_ms: int | None = None) -> None:
        self._host = host
        self._lease_ms = lease_ms
        self._worker_id = WorkerId(worker_id)
        self._numbers = count(1)

    async def claim(self, queue: str, cleanup_budgets_ms: Mapping[str, int]) -> WorkflowClaimed | None:
        """See `WorkflowPort`."""
        poll = f"{self._worker_id}/{next(self._numbers)}"
        answered = False
        try:
            reply = await self._ask(
                PollWorkflow(
                    poll,
                    self._worker_id,
                    queue,
                    tuple(cleanup_budgets_ms),
                    lease_ms=self._lease_ms,
                    brings_log=True,
                    cleanup_budgets_ms=dict(cleanup_budgets_ms),
                )
            )
            answered = True
        finally:
            if not answered:
                self._host.tell(WithdrawPoll(poll))
        if isinstance(reply, Refused):
            raise named_error(reply.error, reply.message) or RequestError(reply.message)
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
        reply = await self._ask(
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
            raise named_error(reply.error, reply.message) or RequestError(reply.message)

    async def hold(self, claims: Sequence[WorkflowClaimed]) -> None:
        """See `WorkflowPort`. These claims last without it: nothing is lost on the way to an engine in this process."""

    async def release(self, claimed: WorkflowClaimed) -> None:
        """See `WorkflowPort`."""
        await self._ask(ReleaseWorkflow(claimed.execution_id, claimed.claim))

    async def _ask(self, command: Command) -> Reply:
        return await self._host.ask(command)
