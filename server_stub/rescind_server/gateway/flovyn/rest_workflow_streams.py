"""What happens in a workflow, as the events of its stream: changes of state are `data` events with a snapshot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from starlette.responses import Response

from rescind.model import workflow_events as logged
from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import ExecutionId, Instant
from rescind.model.messages import StreamedEvent
from rescind.model.status import TERMINAL_EXECUTION
from rescind.model.views import ExecutionDetails
from rescind_server.gateway import organisations
from rescind_server.gateway.flovyn.rest_agent_streams import is_end
from rescind_server.gateway.flovyn.rest_following import Followed, Followers
from rescind_server.gateway.flovyn.rest_streams import KEEP_ALIVE, RestStream, Wanted, frame, said
from rescind_server.gateway.flovyn.rest_workflows import RestWorkflows
from rescind_server.gateway.flovyn.values import milliseconds
from rescind_server.gateway.flovyn.workflow_snapshots import snapshot_of_log, task_snapshot
from rescind_server.gateway.http.operations import Call
from rescind_server.gateway.organisations import outer
from rescind_server.host.driver import Host

_TASKS: Final = frozenset(
    {
        EventType.TASK_SCHEDULED,
        EventType.TASK_STARTED,
        EventType.TASK_COMPLETED,
        EventType.TASK_FAILED,
        EventType.TASK_CANCELLED,
    }
)


class RestWorkflowStreams:
    """Lets people follow workflows."""

    def __init__(self, host: Host, workflows: RestWorkflows, *, heartbeat_s: float) -> None:
        self._host = host
        self._workflows = workflows
        self._heartbeat_s = heartbeat_s

    async def follow(self, call: Call) -> Response:
        """What happens in one workflow."""
        return await self._stream(call)

    async def follow_all(self, call: Call) -> Response:
        """What happens in a workflow, in its children and in their tasks."""
        return await self._stream(call, consolidated=True)

    async def follow_tasks(self, call: Call) -> Response:
        """What happens to the tasks of a workflow."""
        return await self._stream(call, only_tasks=True)

    async def _stream(self, call: Call, *, consolidated: bool = False, only_tasks: bool = False) -> Response:
        shown = WorkflowFrames(Wanted(call.query), only_tasks=only_tasks)
        await self._workflows.found(call)
        frames = self._frames(call, shown, consolidated=consolidated)
        return RestStream(frames, self._heartbeat_s, call.identify_again)

    async def _frames(self, call: Call, shown: WorkflowFrames, *, consolidated: bool) -> AsyncIterator[bytes]:
        root = organisations.inner_id(call.caller.organisation, call.path["id"])
        async with Followers(self._host) as followers:
            await followers.add(root)
            details, view = await self._workflows.found(call)
            shown.know(details)
            for child_id in view.children if consolidated else ():
                await followers.add(organisations.inner_id(call.caller.organisation, child_id))
            yield KEEP_ALIVE
            has_ended = details.execution.status in TERMINAL_EXECUTION
            while not has_ended:
                for followed in await followers.take():
                    has_ended = has_ended or (followed.execution_id == root and is_end(followed.seen))
                    child = _child_of(followed) if consolidated else None
                    if child is not None:
                        await followers.add(child)
                    data = shown.of(followed)
                    if data is not None:
                        yield data


class WorkflowFrames:
    """Writes what happens in workflows as events."""

    def __init__(self, wanted: Wanted, *, only_tasks: bool = False, only_task: str | None = None) -> None:
        """Make one that knows no task yet.

        Args:
            wanted: which events.
            only_tasks: whether only those of tasks are wanted.
            only_task: the task whose events alone are wanted; None is no such.
        """
        self._wanted = wanted
        self._only_tasks = only_tasks or only_task is not None
        self._only_task = only_task
        self._kinds: dict[str, str] = {}

    def know(self, details: ExecutionDetails) -> None:
        """Take in the kinds of the tasks that there are."""
        self._kinds.update({task.task_id: task.kind for task in details.tasks})

    def of(self, followed: Followed) -> bytes | None:
        """What is sent of it; None if nothing is."""
        match followed.seen:
            case StreamedEvent() as seen:
                return self._streamed(seen)
            case HistoryEvent() as seen:
                return self._of_history(followed.execution_id, seen) if self._wanted.changes else None
            case seen:
                return self._of_log(followed.execution_id, seen) if self._wanted.changes else None

    def _streamed(self, event: StreamedEvent) -> bytes | None:
        if not self._wanted.streamed(event.kind) or self._is_of_another(event.task_id):
            return None
        return frame(event.kind, said(event))

    def _of_history(self, execution_id: ExecutionId, event: HistoryEvent) -> bytes | None:
        if event.task_id is not None:
            if event.type is EventType.TASK_SCHEDULED:
                self._kinds[event.task_id] = (event.details or {})["kind"]
            if event.type not in _TASKS or self._is_of_another(event.task_id):
                return None
            name, snapshot = task_snapshot(event, self._kinds.get(event.task_id, ""))
            return _change(name, snapshot, event.at)
        if event.type is not EventType.EXECUTION_ACTIVATED or self._only_tasks:
            return None
        details = event.details or {}
        is_first = details.get("number") == 1
        snapshot = {"id": outer(execution_id), "status": "RUNNING", "workerId": outer(details.get("worker", ""))}
        return _change("WORKFLOW_STARTED" if is_first else "WORKFLOW_RESUMED", snapshot, event.at)

    def _of_log(self, execution_id: ExecutionId, event: logged.LoggedEvent) -> bytes | None:
        found = None if self._only_tasks else snapshot_of_log(outer(execution_id), event)
        return _change(*found, event.at) if found is not None else None

    def _is_of_another(self, task_id: str | None) -> bool:
        return self._only_task is not None and task_id != self._only_task


def _change(name: str, snapshot: Mapping[str, Any], at: Instant) -> bytes:
    return frame("data", {"type": "Event", "event": name, "data": snapshot, "timestampMs": milliseconds(at)})


def _child_of(followed: Followed) -> ExecutionId | None:
    seen = followed.seen
    if isinstance(seen, logged.LoggedEvent) and isinstance(seen.event, logged.ChildWorkflowInitiated):
        return seen.event.child_workflow_execution_id
    return None
