"""The services of flovyn.v1 over gRPC, put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc

from rescind_server.gateway.flovyn.agent_dispatch import AGENT_SERVICE, AgentDispatch
from rescind_server.gateway.flovyn.owners import TaskOwners
from rescind_server.gateway.flovyn.polling import Polling
from rescind_server.gateway.flovyn.registrations import Registrations
from rescind_server.gateway.flovyn.task_execution import TASK_SERVICE, TaskExecution
from rescind_server.gateway.flovyn.work_hints import WorkHints
from rescind_server.gateway.flovyn.worker_lifecycle import LIFECYCLE_SERVICE, WorkerLifecycle
from rescind_server.gateway.flovyn.workflow_dispatch import DISPATCH_SERVICE, QUERY_SERVICE, WorkflowDispatch
from rescind_server.gateway.flovyn.workflow_requests import WorkflowRequests
from rescind_server.gateway.identity import Identify
from rescind_server.gateway.limits import Limits
from rescind_server.host.driver import Host
from rescind_server.store.registrations import KeptRegistrations

NAMES: tuple[str, ...] = (
    AGENT_SERVICE.full_name,
    TASK_SERVICE.full_name,
    LIFECYCLE_SERVICE.full_name,
    DISPATCH_SERVICE.full_name,
    QUERY_SERVICE.full_name,
)
"""What health and reflection call them."""


class FlovynServices:
    """The services, with what they share.

    Attributes:
        registrations: which workers have registered.
    """

    def __init__(self, host: Host, kept: KeptRegistrations, limits: Limits, identify: Identify) -> None:
        """Put them together. Raises StoreError: the registrations that are kept cannot be read."""
        self._polling = Polling(host)
        self.registrations = registrations = Registrations(kept, host.now())
        owners = TaskOwners(host)
        self._agents = AgentDispatch(host, self._polling, registrations, limits, identify)
        self._tasks = TaskExecution(host, self._polling, registrations, owners, limits, identify)
        self._workers = WorkerLifecycle(host, registrations, limits, identify)
        self._workflow_requests = WorkflowRequests(host, limits)
        self._hints = WorkHints(host)
        self._workflows = WorkflowDispatch(self._workflow_requests, self._hints, registrations, limits, identify)

    def handlers(self) -> Mapping[Any, Mapping[str, grpc.RpcMethodHandler]]:
        """The descriptors of the services, each with the handlers of its calls."""
        return {
            AGENT_SERVICE: self._agents.handlers(),
            TASK_SERVICE: self._tasks.handlers(),
            LIFECYCLE_SERVICE: self._workers.handlers(),
            DISPATCH_SERVICE: self._workflows.handlers(),
            QUERY_SERVICE: self._workflows.query_handlers(),
        }

    def stop(self) -> None:
        """End the polls: the pollers come back when a server is there again."""
        self._polling.stop()
        self._workflow_requests.begin_close()
        self._hints.begin_close()
