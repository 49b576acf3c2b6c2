"""Puts flovyn's HTTP interface together, and stands it beside ours on one port."""

from __future__ import annotations

from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.flovyn import rest_other_routes, rest_routes, rest_workflow_routes
from rescind_server.gateway.flovyn.registrations import Registrations
from rescind_server.gateway.flovyn.rest_agent_streams import RestAgentStreams
from rescind_server.gateway.flovyn.rest_agents import RestAgents
from rescind_server.gateway.flovyn.rest_application import FlovynHttp
from rescind_server.gateway.flovyn.rest_health import RestHealth
from rescind_server.gateway.flovyn.rest_promises import RestPromises
from rescind_server.gateway.flovyn.rest_task_streams import RestTaskStreams
from rescind_server.gateway.flovyn.rest_tasks import RestTasks
from rescind_server.gateway.flovyn.rest_workers import RestWorkers
from rescind_server.gateway.flovyn.rest_workflow_streams import RestWorkflowStreams
from rescind_server.gateway.flovyn.rest_workflows import RestWorkflows
from rescind_server.gateway.flovyn.workflow_requests import WorkflowRequests
from rescind_server.gateway.http.metrics import Metrics
from rescind_server.gateway.http.state import ServerState
from rescind_server.gateway.identity import Identify
from rescind_server.gateway.limits import Limits
from rescind_server.host.driver import Host


def flovyn_http(
    host: Host,
    requests: ClientRequests,
    registrations: Registrations,
    state: ServerState,
    metrics: Metrics,
    limits: Limits,
    identify: Identify,
    *,
    version: str,
    longest_body: int,
) -> FlovynHttp:
    """Flovyn's HTTP interface over an engine that is driven.

    Args:
        host: what drives the engine.
        requests: what callers may ask of it.
        registrations: which workers have registered.
        state: how the server is.
        metrics: its figures.
        limits: bounds on what comes in.
        identify: who makes a call, by its headers.
        version: of the server.
        longest_body: the most bytes of a request.
    """
    beat = limits.heartbeat_s
    agents = RestAgents(host, requests)
    known = WorkflowRequests(host, limits)
    workflows = RestWorkflows(host, requests, known)
    tasks = RestTasks(host, requests)
    operations = (
        *rest_routes.health(RestHealth(state, version), metrics),
        *rest_routes.agents(agents, RestAgentStreams(host, requests, agents, heartbeat_s=beat)),
        *rest_workflow_routes.workflows(workflows, RestWorkflowStreams(host, workflows, heartbeat_s=beat)),
        *rest_workflow_routes.promises(RestPromises(known)),
        *rest_other_routes.tasks(tasks, RestTaskStreams(host, tasks, heartbeat_s=beat)),
        *rest_other_routes.workers(RestWorkers(host, registrations)),
        *rest_other_routes.agent_definitions(),
    )
    return FlovynHttp(operations, identify, longest_body, version)
