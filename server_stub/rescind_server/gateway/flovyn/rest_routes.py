"""Every path and method of flovyn's HTTP interface: the table that the router and the document are both made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rescind_server.gateway.flovyn import rest_answers as answers
from rescind_server.gateway.flovyn import rest_bodies as bodies
from rescind_server.gateway.flovyn.rest_agent_streams import RestAgentStreams
from rescind_server.gateway.flovyn.rest_agents import RestAgents
from rescind_server.gateway.flovyn.rest_calls import in_organisation
from rescind_server.gateway.flovyn.rest_health import RestHealth
from rescind_server.gateway.http.lasting import EVENT_STREAM
from rescind_server.gateway.http.metrics import Metrics
from rescind_server.gateway.http.operations import Handle, Operation

ORGANISATION: Final = "/api/orgs/{org}"
AGENTS: Final = f"{ORGANISATION}/agent-executions"
ONE_AGENT: Final = f"{AGENTS}/{{id}}"
AGENT_TASK: Final = f"{ONE_AGENT}/tasks/{{task_id}}"


def get(
    path: str,
    name: str,
    summary: str,
    handle: Handle,
    answer: Any,
    *,
    problems: tuple[int, ...] = (404,),
    query: type[bodies.LenientQuery] = bodies.NothingAsked,
    media_type: str = "application/json",
) -> Operation:
    """An operation of an organisation that changes nothing."""
    return Operation(
        "GET",
        path,
        name,
        summary,
        in_organisation(handle),
        {200: answer},
        problems=problems,
        query=query,
        media_type=media_type,
    )


def stream(path: str, name: str, summary: str, handle: Handle) -> Operation:
    """An operation of an organisation that tells what happens, from now on."""
    return get(path, name, summary, handle, answers.SentEvent, query=bodies.StreamQuery, media_type=EVENT_STREAM)


def change(
    method: str,
    path: str,
    name: str,
    summary: str,
    handle: Handle,
    found: dict[int, Any],
    *,
    problems: tuple[int, ...] = (404, 409),
    body: type[bodies.LenientBody] | None = None,
) -> Operation:
    """An operation of an organisation that changes something."""
    return Operation(
        method,
        path,
        name,
        summary,
        in_organisation(handle),
        found,
        problems=problems,
        query=bodies.NothingAsked,
        body=body,
    )


def agents(served: RestAgents, streams: RestAgentStreams) -> Sequence[Operation]:
    """The operations on agents."""
    return (
        change(
            "POST",
            AGENTS,
            "create_agent",
            "Start an agent.",
            served.create,
            {201: answers.AgentBody},
            problems=(),
            body=bodies.CreateAgentBody,
        ),
        get(
            AGENTS,
            "list_agents",
            "List agents, the newest first.",
            served.list_page,
            answers.AgentPage,
            problems=(),
            query=bodies.ListAgentsQuery,
        ),
        get(ONE_AGENT, "get_agent", "An agent as it stands.", served.get, answers.AgentBody),
        change(
            "DELETE",
            ONE_AGENT,
            "cancel_agent",
            "Cancel an agent. 204: it is cancelled; 202: its code cleans up; 409: it has ended otherwise.",
            served.cancel,
            {204: None, 202: answers.AgentBody},
        ),
        change(
            "POST",
            f"{ONE_AGENT}/signal",
            "signal_agent",
            "Send an agent a signal.",
            served.signal,
            {200: answers.AgentSignalledBody},
            body=bodies.SignalAgentBody,
        ),
        get(f"{ONE_AGENT}/entries", "get_entries", "Its conversation.", served.entries, answers.EntriesBody),
        get(
            f"{ONE_AGENT}/checkpoints",
            "get_checkpoints",
            "Its checkpoints, the oldest first.",
            served.checkpoints,
            answers.CheckpointsBody,
        ),
        get(
            f"{ONE_AGENT}/checkpoints/{{sequence}}",
            "get_checkpoint",
            "One checkpoint, by its number, or `latest`.",
            served.checkpoint,
            answers.CheckpointBody,
        ),
        get(
            f"{ONE_AGENT}/children",
            "get_children",
            "The agents that it has started, the newest first.",
            served.children,
            answers.ChildAgentsBody,
            query=bodies.PageQuery,
        ),
        *_agent_tasks(served),
        stream(f"{ONE_AGENT}/stream", "follow_agent", "What happens in it, from now on.", streams.follow),
        stream(
            f"{ONE_AGENT}/stream/consolidated",
            "follow_agent_and_children",
            "What happens in it and in its children, from now on.",
            streams.follow_all,
        ),
    )


def _agent_tasks(served: RestAgents) -> Sequence[Operation]:
    return (
        get(f"{ONE_AGENT}/tasks", "get_agent_tasks", "Its tasks.", served.tasks, answers.TasksBody),
        get(
            f"{AGENT_TASK}/attempts",
            "get_agent_task_attempts",
            "The attempts at one of its tasks.",
            served.attempts,
            answers.AttemptsBody,
        ),
        change(
            "DELETE",
            AGENT_TASK,
            "cancel_agent_task",
            "Cancel one of its tasks. 204: it is cancelled; 409: it has ended otherwise.",
            served.cancel_task,
            {204: None},
            body=bodies.CancelTaskBody,
        ),
    )


def health(served: RestHealth, metrics: Metrics) -> Sequence[Operation]:
    """The operations of those who look after the server."""
    found = [
        Operation(
            "GET",
            path,
            name,
            "Whether the server is well. Asks for no token.",
            handle,
            {200: answers.HealthBody, 503: answers.HealthBody},
            query=bodies.NothingAsked,
            is_open=True,
        )
        for path, name, handle in (
            ("/_/health", "get_health", served.health),
            ("/_/health/live", "get_health_live", served.health),
            ("/_/health/ready", "get_health_ready", served.ready),
            ("/_/health/startup", "get_health_startup", served.ready),
        )
    ]
    return (
        *found,
        Operation(
            "GET",
            "/_/metrics",
            "get_metrics",
            "Figures for Prometheus: of the organisation, and of the server; for operators.",
            metrics.show,
            {200: str},
            problems=(501,),
            query=bodies.NothingAsked,
            media_type="text/plain",
        ),
    )
