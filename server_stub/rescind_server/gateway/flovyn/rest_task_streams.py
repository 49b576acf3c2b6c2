"""What happens to a task that belongs to nothing else, as the events of its stream."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.responses import Response

from rescind.model.status import TERMINAL_EXECUTION
from rescind_server.gateway import organisations
from rescind_server.gateway.flovyn.rest_agent_streams import is_end
from rescind_server.gateway.flovyn.rest_following import Followers
from rescind_server.gateway.flovyn.rest_streams import KEEP_ALIVE, RestStream, Wanted
from rescind_server.gateway.flovyn.rest_tasks import RestTasks
from rescind_server.gateway.flovyn.rest_workflow_streams import WorkflowFrames
from rescind_server.gateway.http.operations import Call
from rescind_server.host.driver import Host


class RestTaskStreams:
    """Lets people follow tasks."""

    def __init__(self, host: Host, tasks: RestTasks, *, heartbeat_s: float) -> None:
        self._host = host
        self._tasks = tasks
        self._heartbeat_s = heartbeat_s

    async def follow(self, call: Call) -> Response:
        """What happens to one task."""
        shown = WorkflowFrames(Wanted(call.query), only_task=call.path["task_id"])
        await self._tasks.found(call)
        return RestStream(self._frames(call, shown), self._heartbeat_s, call.identify_again)

    async def _frames(self, call: Call, shown: WorkflowFrames) -> AsyncIterator[bytes]:
        root = organisations.inner_id(call.caller.organisation, call.path["task_id"])
        async with Followers(self._host) as followers:
            await followers.add(root)
            details = await self._tasks.found(call)
            shown.know(details)
            yield KEEP_ALIVE
            has_ended = details.execution.status in TERMINAL_EXECUTION
            while not has_ended:
                for followed in await followers.take():
                    has_ended = has_ended or is_end(followed.seen)
                    data = shown.of(followed)
                    if data is not None:
                        yield data
