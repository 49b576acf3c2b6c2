"""Which host a workflow of Temporal's gets: that of an agent, or that of a workflow of ours. Its type says which."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from temporalio import workflow
from temporalio.common import RawValue

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.registry import Registry
from rescind.authoring.workflow import WorkflowDefinition
from rescind.backends.native.agent_run import AgentRun
from rescind.errors import DuplicateKind
from rescind.model.commands import StartExecution
from rescind.model.ids import ExecutionId
from rescind.temporal.attempts import WorkflowEffects
from rescind.temporal.continuing import Carried
from rescind.temporal.engine_host import EngineHost
from rescind.temporal.host import AgentEnding, Host
from rescind.temporal.payloads import first_payload, record_from_temporal
from rescind.temporal.records import StartMemo
from rescind.temporal.workflow_host import WorkflowHost


class Known(NamedTuple):
    """What a worker can host, by kind.

    Attributes:
        agents: the agents.
        workflows: the workflows.
    """

    agents: Registry[AgentDefinition[Any, Any]]
    workflows: Registry[WorkflowDefinition[Any, Any]]

    def ensure_distinct(self) -> None:
        """A workflow's type on a cluster is a kind: raises DuplicateKind if an agent and a workflow share one."""
        for kind in self.workflows.kinds():
            if self.agents.has(kind):
                raise DuplicateKind(
                    f"an agent and a workflow have the kind {kind!r}, and a cluster tells them apart by that alone. "
                    "Give one of them another kind."
                )


def registry_of(sort: type[Any], definitions: Iterable[Any] | Registry[Any]) -> Registry[Any]:
    """Definitions of one sort by kind; a registry is left as it is. Raises DuplicateKind."""
    if isinstance(definitions, Registry):
        return definitions
    registry: Registry[Any] = Registry(sort)
    for definition in definitions:
        registry.register(definition)
    return registry


def begun_host(
    known: Known,
    effects: WorkflowEffects,
    memo: StartMemo,
    args: Sequence[RawValue],
    payload_limit: int,
    on_agent_end: Callable[[AgentRun, AgentEnding], None],
) -> EngineHost:
    """The host of the present workflow's execution, which exists from now on.

    Args:
        known: the definitions.
        effects: what brings about what is decided.
        memo: what was said at the start.
        args: the workflow's arguments: its input, and what an earlier run of it has carried over.
        payload_limit: the largest payload in bytes.
        on_agent_end: told of the end of an agent's code.

    Raises:
        UnknownKind: there is no definition of this kind.
    """
    info = workflow.info()
    host: EngineHost
    if known.workflows.has(info.workflow_type) or not len(known.agents):
        flow = known.workflows.get(info.workflow_type)
        host = WorkflowHost(flow, info.workflow_id, effects, payload_limit, memo)
        effects.relatives.are_workflows = True
    else:
        definition = known.agents.get(info.workflow_type)
        host = agent = Host(definition, info.workflow_id, effects, payload_limit)
        effects.relatives.moves_on = definition.recovery == "checkpoint"
        agent.on_agent_end = on_agent_end
        if len(args) > 1:
            effects.host = agent
            carried = record_from_temporal(args[1], Carried)
            agent.go_on(carried, info.task_queue, first_payload(args), memo.spawned)
            effects.relatives.adopt(carried.children)
            return agent
    effects.host = host
    host.begin(
        StartExecution(
            info.workflow_type,
            first_payload(args),
            ExecutionId(info.workflow_id),
            info.task_queue,
            memo.labels,
            memo.by,
            memo.organisation,
            memo.trace_parent,
            memo.spawned,
        )
    )
    return host
