"""Whether changed code still goes the way that executions on a cluster have gone: asked before it is deployed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.workflow import WorkflowDefinition
from rescind.errors import AuthoringError, NonDeterminismError
from rescind.temporal.hosting import Known, registry_of
from rescind.temporal.names import PAYLOAD_LIMIT
from rescind.temporal.workflow import DEFAULT_LEASE_MS, agent_workflow


class TemporalReplayer:
    """Runs agents and workflows anew over Temporal's histories of them, without a cluster, and changes nothing."""

    def __init__(
        self,
        agents: Iterable[AgentDefinition[Any, Any]] = (),
        *,
        workflows: Iterable[WorkflowDefinition[Any, Any]] = (),
        payload_limit: int = PAYLOAD_LIMIT,
        lease_ms: int = DEFAULT_LEASE_MS,
        data_converter: DataConverter = DataConverter.default,
    ) -> None:
        """Make a replayer.

        Args:
            agents: the agents, as they are to be deployed.
            workflows: the workflows, likewise.
            payload_limit: as their workers have it.
            lease_ms: as their workers have it.
            data_converter: as their workers' client has it: what codecs have written, it must be able to read.
        """
        known = Known(registry_of(AgentDefinition, agents), registry_of(WorkflowDefinition, workflows))
        workflow = agent_workflow(known, payload_limit=payload_limit, lease_ms=lease_ms)
        self._replayer = Replayer(workflows=[workflow], data_converter=data_converter)

    async def replay(self, history: WorkflowHistory) -> None:
        """Run an execution's code over its history, as far as it goes.

        Args:
            history: `await client.port.client.get_workflow_handle(id).fetch_history()`, or one from a file.

        Raises:
            NonDeterminismError: the code does not do what it did then. Open executions like this one would stand still
                with this code.
            AuthoringError: its code cannot be run at all.
        """
        result = await self._replayer.replay_workflow(history, raise_on_replay_failure=False)
        failure = result.replay_failure
        if isinstance(failure, NondeterminismError):
            raise NonDeterminismError(
                f"execution {history.workflow_id!r} took another path than this code does: {failure}. Let such "
                "executions end on the old code, or take the change back."
            ) from failure
        if failure is not None:
            raise AuthoringError(
                f"execution {history.workflow_id!r} cannot be run again with this code: {failure}."
            ) from failure
