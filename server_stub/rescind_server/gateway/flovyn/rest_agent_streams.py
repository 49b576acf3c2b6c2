"""What happens in an agent, as the events of its stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from starlette.responses import Response

from rescind.model.events import EXECUTION_ENDS, EventType, HistoryEvent
from rescind.model.ids import ExecutionId
from rescind.model.messages import StreamedEvent
from rescind.model.status import TERMINAL_EXECUTION
from rescind.model.workflow_events import LoggedEvent
from rescind_server.gateway import organisations
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.flovyn.rest_agents import RestAgents
from rescind_server.gateway.flovyn.rest_following import Followers
from rescind_server.gateway.flovyn.rest_streams import KEEP_ALIVE, RestStream, Wanted, frame, said
from rescind_server.gateway.http.operations import Call
from rescind_server.gateway.organisations import outer
from rescind_server.host.driver import Host
from rescind_server.host.watchers import Seen

_AGENT: Final[Mapping[EventType, tuple[str, str]]] = {
    EventType.EXECUTION_SUSPENDED: ("agent.waiting", "WAITING"),
    EventType.EXECUTION_COMPLETED: ("agent.completed", "COMPLETED"),
    EventType.EXECUTION_FAILED: ("agent.failed", "FAILED"),
    EventType.EXECUTION_CANCELLED: ("agent.cancelled", "CANCELLED"),
}
_TASK: Final[Mapping[EventType, str]] = {
    EventType.TASK_SCHEDULED: "task.created",
    EventType.TASK_STARTED: "task.started",
    EventType.TASK_COMPLETED: "task.completed",
    EventType.TASK_FAILED: "task.failed",
    EventType.TASK_CANCELLED: "task.cancelled",
}


class RestAgentStreams:
    """Lets people follow agents."""

    def __init__(self, host: Host, requests: ClientRequests, agents: RestAgents, *, heartbeat_s: float) -> None:
        self._host = host
        self._requests = requests
        self._agents = agents
        self._heartbeat_s = heartbeat_s

    async def follow(self, call: Call) -> Response:
        """What happens in one agent."""
        return await self._stream(call, consolidated=False)

    async def follow_all(self, call: Call) -> Response:
        """What happens in an agent and in all that comes of it."""
        return await self._stream(call, consolidated=True)

    async def _stream(self, call: Call, *, consolidated: bool) -> Response:
        wanted = Wanted(call.query)
        await self._agents.found(call)
        frames = self._frames(call, wanted, consolidated=consolidated)
        return RestStream(frames, self._heartbeat_s, call.identify_again)

    async def _frames(self, call: Call, wanted: Wanted, *, consolidated: bool) -> AsyncIterator[bytes]:
        root = organisations.inner_id(call.caller.organisation, call.path["id"])
        async with Followers(self._host) as followers:
            await followers.add(root)
            details = await self._requests.details(call.caller, call.path["id"])
            yield KEEP_ALIVE
            shown = AgentFrames({str(task.task_id): task.kind for task in details.tasks}, wanted)
            has_ended = details.execution.status in TERMINAL_EXECUTION
            while not has_ended:
                for execution_id, seen in await followers.take():
                    has_ended = has_ended or (execution_id == root and is_end(seen))
                    child = child_of(seen) if consolidated else None
                    if child is not None:
                        await followers.add(child)
                    data = shown.of(execution_id, seen)
                    if data is not None:
                        yield data


class AgentFrames:
    """Writes what happens in agents as events."""

    def __init__(self, kinds: Mapping[str, str], wanted: Wanted) -> None:
        """Make one that knows the kinds of some tasks, by their ids."""
        self._kinds = dict(kinds)
        self._wanted = wanted

    def of(self, execution_id: ExecutionId, seen: Seen | LoggedEvent) -> bytes | None:
        """What is sent of it; None if nothing is."""
        if isinstance(seen, LoggedEvent):
            return None
        if isinstance(seen, StreamedEvent):
            return self._streamed(outer(execution_id), seen) if self._wanted.streamed(seen.kind) else None
        change = self._change(outer(execution_id), seen)
        return frame(*change) if change is not None and self._wanted.changes else None

    def _streamed(self, execution_id: str, event: StreamedEvent) -> bytes:
        body: dict[str, Any] = {"agentExecutionId": execution_id, "data": said(event)}
        if event.task_id is not None:
            body["taskExecutionId"] = event.task_id
        return frame(event.kind, body)

    def _change(self, execution_id: str, event: HistoryEvent) -> tuple[str, Any] | None:
        details = event.details or {}
        if event.task_id is not None:
            if event.type is EventType.TASK_SCHEDULED:
                self._kinds[event.task_id] = details["kind"]
            name = _TASK.get(event.type)
            kind = self._kinds.get(event.task_id, "")
            return None if name is None else (name, {"taskExecutionId": event.task_id, "kind": kind})
        of = {"agentExecutionId": execution_id}
        match event.type:
            case EventType.EXECUTION_ACTIVATED:
                name = "agent.started" if details.get("number") == 1 else "agent.resumed"
                return name, {**of, "status": "RUNNING"}
            case EventType.CHECKPOINT_SAVED:
                return "agent.checkpoint", {**of, "sequence": details["number"]}
            case EventType.EXECUTION_SUSPENDED:
                return "agent.waiting", {**of, "status": "WAITING", "reason": str(details.get("reason", ""))}
            case _ if event.type in _AGENT:
                name, status = _AGENT[event.type]
                return name, {**of, "status": status}
            case _:
                return None


def child_of(seen: Seen | LoggedEvent) -> ExecutionId | None:
    """The agent that an event says was started by the one that it happened in."""
    if not isinstance(seen, HistoryEvent) or seen.type is not EventType.CHILD_SPAWNED:
        return None
    child: ExecutionId | None = (seen.details or {}).get("child_id")
    return child


def is_end(seen: Seen | LoggedEvent) -> bool:
    """Whether it is the end of the execution that it happened in."""
    return isinstance(seen, HistoryEvent) and seen.type in EXECUTION_ENDS
