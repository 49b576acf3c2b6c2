"""The paths of flovyn's HTTP interface that are about tasks of their own, and about workers and what they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from rescind.errors import NotSupported
from rescind_server.gateway.flovyn import rest_answers as answers
from rescind_server.gateway.flovyn import rest_bodies as bodies
from rescind_server.gateway.flovyn.rest_routes import ORGANISATION, change, get, stream
from rescind_server.gateway.flovyn.rest_task_streams import RestTaskStreams
from rescind_server.gateway.flovyn.rest_tasks import RestTasks
from rescind_server.gateway.flovyn.rest_workers import RestWorkers
from rescind_server.gateway.http.operations import Call, Operation

TASKS: Final = f"{ORGANISATION}/task-executions"
ONE_TASK: Final = f"{TASKS}/{{task_id}}"
WORKERS: Final = f"{ORGANISATION}/workers"
AGENT_DEFINITIONS: Final = f"{ORGANISATION}/agent-definitions"


def tasks(served: RestTasks, streams: RestTaskStreams) -> Sequence[Operation]:
    """The operations on tasks that belong to nothing else."""
    return (
        change(
            "POST",
            TASKS,
            "start_task",
            "Start a task of its own.",
            served.create,
            {201: answers.TaskBody},
            problems=(501,),
            body=bodies.CreateTaskBody,
        ),
        get(
            TASKS,
            "list_tasks",
            "List tasks that belong to nothing else, the newest first.",
            served.list_page,
            answers.TaskPage,
            problems=(),
            query=bodies.ListTasksQuery,
        ),
        get(ONE_TASK, "get_task", "A task as it stands.", served.get, answers.TaskBody),
        change(
            "DELETE",
            ONE_TASK,
            "cancel_task",
            "Cancel a task. 204: it is cancelled; 400: it has ended.",
            served.cancel,
            {204: None},
            problems=(404,),
        ),
        get(
            f"{ONE_TASK}/attempts",
            "get_task_attempts",
            "The attempts at a task.",
            served.attempts,
            answers.AttemptsBody,
        ),
        get(
            f"{ONE_TASK}/logs",
            "get_task_logs",
            "The last lines that it has logged.",
            served.logs,
            answers.LogsBody,
            query=bodies.TaskLogsQuery,
        ),
        stream(f"{ONE_TASK}/stream", "follow_task", "What happens to it, from now on.", streams.follow),
    )


def workers(served: RestWorkers) -> Sequence[Operation]:
    """The operations on workers, and on the kinds that they run."""
    return (
        get(
            WORKERS,
            "list_workers",
            "List workers that have registered; for operators and viewers.",
            served.list_page,
            answers.WorkersBody,
            problems=(),
            query=bodies.ListWorkersQuery,
        ),
        get(
            f"{WORKERS}/{{worker_id}}",
            "get_worker",
            "A worker, with all that it can run.",
            served.get,
            answers.WorkerDetailsBody,
        ),
        *(
            operation
            for what, listed, one, page in (
                ("workflow", served.workflow_definitions, served.workflow_definition, answers.WorkflowDefinitionsBody),
                ("task", served.task_definitions, served.task_definition, answers.TaskDefinitionsBody),
            )
            for operation in (
                get(
                    f"{ORGANISATION}/{what}-definitions",
                    f"list_{what}_definitions",
                    f"The kinds of {what}s that workers have registered.",
                    listed,
                    page,
                    problems=(),
                ),
                get(
                    f"{ORGANISATION}/{what}-definitions/{{kind}}",
                    f"get_{what}_definition",
                    f"One kind of {what}.",
                    one,
                    answers.DefinitionBody,
                ),
            )
        ),
    )


def agent_definitions() -> Sequence[Operation]:
    """What is left out: agents without code."""
    return tuple(
        Operation(
            method,
            f"{AGENT_DEFINITIONS}{path}",
            f"{method.lower()}_agent_definition{'s' if not path else ''}",
            "Not offered: agents are code here.",
            _no_agent_definitions,
            {},
            problems=(501,),
            query=bodies.NothingAsked,
        )
        for path, methods in (("", ("GET", "POST")), ("/{id}", ("GET", "PUT", "DELETE")))
        for method in methods
    )


async def _no_agent_definitions(call: Call) -> Response:
    raise NotSupported("agent definitions are not offered: agents are code here, and workers bring it.")
