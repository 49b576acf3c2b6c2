"""What the interface of flovyn.v1 finds in a server: agents, workflows, tasks, promises and workers of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import grpc.aio
import httpx
from rescind_proto.flovyn.v1 import flovyn_pb2 as wire

from rescind.transport.grpc_methods import methods_of

_COPIES: Final = 4
_BASE: Final = "/api/orgs/default"


@dataclass(frozen=True)
class FlovynWorld:
    """What is known of it.

    Attributes:
        agents: ids of agents.
        agent_tasks: ids of their tasks.
        workflows: ids of workflows: some wait, some have ended.
        tasks: ids of tasks of their own.
        promises: references of promises, each with what it is by: ``id:…``.
        workers: ids of workers.
    """

    agents: Sequence[str]
    agent_tasks: Sequence[str]
    workflows: Sequence[str]
    tasks: Sequence[str]
    promises: Sequence[str]
    workers: Sequence[str]


async def inhabit_flovyn(url: str, address: str, token: str | None, worker_token: str | None) -> FlovynWorld:
    """Put something of everything into a server.

    Args:
        url: where it serves HTTP.
        address: where it serves gRPC.
        token: an operator's; None where none is asked for.
        worker_token: a worker's, likewise.
    """
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    async with (
        httpx.AsyncClient(base_url=url, headers=headers) as http,
        grpc.aio.insecure_channel(address) as channel,
    ):
        call = _Calls(channel, worker_token)
        workers = [await _register(call, f"worker-{number}") for number in range(_COPIES)]
        agents = [await _start(http, "agent-executions", kind) for kind in ("complete", "running") * _COPIES]
        tasks = [await _start(http, "task-executions", kind) for kind in ("echo", "nobody-runs-this") * _COPIES]
        workflows = [await _start(http, "workflow-executions", "flow") for _ in range(2 * _COPIES)]
        promises = [promise for number in range(len(workflows)) for promise in await _run(call, ends=number % 2 == 1)]
        agent_tasks = [
            task["id"]
            for agent in agents
            for task in (await http.get(f"{_BASE}/agent-executions/{agent}/tasks")).json()["tasks"]
        ]
    return FlovynWorld(agents, agent_tasks, workflows, tasks, promises, workers)


class _Calls:
    """The calls of workers."""

    def __init__(self, channel: grpc.aio.Channel, token: str | None) -> None:
        self._channel = channel
        self._metadata = (("authorization", f"Bearer {token}"),) if token is not None else ()

    async def __call__(self, service: str, name: str, **fields: Any) -> Any:
        method = methods_of(wire.DESCRIPTOR.services_by_name[service])[name]
        call = self._channel.unary_unary(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.reply.FromString,
        )
        return await call(method.request(**fields), metadata=self._metadata)


async def _start(http: httpx.AsyncClient, sort: str, kind: str) -> str:
    made = (await http.post(f"{_BASE}/{sort}", json={"kind": kind, "input": None})).raise_for_status().json()
    return str(made["workflowExecutionId"] if sort == "workflow-executions" else made["id"])


async def _register(call: _Calls, name: str) -> str:
    reply = await call(
        "WorkerLifecycle",
        "RegisterWorker",
        worker_name=name,
        worker_type="UNIFIED",
        tasks=[wire.TaskCapability(kind="of-flovyn", input_schema=b'{"type": "object"}')],
        workflows=[wire.WorkflowCapability(kind="flow", version="1")],
    )
    return str(reply.worker_id)


async def _run(call: _Calls, *, ends: bool) -> list[str]:
    """Run one pass over a workflow; returns references of the promises that it made."""
    polled = await call("WorkflowDispatch", "PollWorkflow", worker_id="worker-0", timeout_seconds=10)
    execution_id = polled.workflow_execution.id
    create = wire.WorkflowCommand(command_type="CREATE_PROMISE")
    create.create_promise.promise_id = "p"
    task = wire.WorkflowCommand(command_type="SCHEDULE_TASK")
    task.schedule_task.kind, task.schedule_task.task_execution_id = "nobody-runs-this", str(uuid4())
    end = wire.WorkflowCommand(command_type="COMPLETE_WORKFLOW" if ends else "SUSPEND_WORKFLOW")
    if ends:
        end.complete_workflow.output = b"1"
    else:
        end.suspend_workflow.SetInParent()
    await call(
        "WorkflowDispatch",
        "SubmitWorkflowCommands",
        workflow_execution_id=execution_id,
        commands=[create, task, end],
        status="COMPLETED" if ends else "SUSPENDED",
    )
    events = (await call("WorkflowDispatch", "GetEvents", workflow_execution_id=execution_id)).events
    created = [each for each in events if each.event_type == "PROMISE_CREATED"]
    return [f"id:{json.loads(each.event_data)['promiseId']}" for each in created]
