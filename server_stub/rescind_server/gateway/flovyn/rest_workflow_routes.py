"""The paths of flovyn's HTTP interface that are about workflows and promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rescind_server.gateway.flovyn import rest_answers as answers
from rescind_server.gateway.flovyn import rest_bodies as bodies
from rescind_server.gateway.flovyn.rest_promises import RestPromises
from rescind_server.gateway.flovyn.rest_routes import ORGANISATION, change, get, stream
from rescind_server.gateway.flovyn.rest_workflow_streams import RestWorkflowStreams
from rescind_server.gateway.flovyn.rest_workflows import RestWorkflows
from rescind_server.gateway.http.operations import Operation

WORKFLOWS: Final = f"{ORGANISATION}/workflow-executions"
ONE: Final = f"{WORKFLOWS}/{{id}}"
ONE_TASK: Final = f"{ONE}/tasks/{{task_id}}"
PROMISE: Final = f"{ORGANISATION}/promises/{{ref}}"


def workflows(served: RestWorkflows, streams: RestWorkflowStreams) -> Sequence[Operation]:
    """The operations on workflows; a path that another's pattern matches, too, stands before that."""
    return (*_starts(served), *_looks(served), *_changes(served), *_streams(streams))


def promises(served: RestPromises) -> Sequence[Operation]:
    """The operations on promises."""
    return (
        change(
            "POST",
            f"{PROMISE}/resolve",
            "resolve_promise",
            "Give a promise its value. It is named `id:UUID` or `key:KEY`.",
            served.resolve,
            {200: answers.PromiseSettledBody},
            body=bodies.ResolvePromiseBody,
        ),
        change(
            "POST",
            f"{PROMISE}/reject",
            "reject_promise",
            "Give a promise an error instead.",
            served.reject,
            {200: answers.PromiseSettledBody},
            body=bodies.RejectPromiseBody,
        ),
    )


def _starts(served: RestWorkflows) -> Sequence[Operation]:
    return (
        change(
            "POST",
            WORKFLOWS,
            "start_workflow",
            "Start a workflow. The same idempotency key finds the one that it started.",
            served.create,
            {201: answers.WorkflowStartedBody, 200: answers.WorkflowStartedBody},
            problems=(),
            body=bodies.CreateWorkflowBody,
        ),
        change(
            "POST",
            f"{WORKFLOWS}/signal-with-start",
            "signal_with_start",
            "Signal the workflow that runs under an id of yours, or start it and signal it.",
            served.signal_with_start,
            {200: answers.SignalledWithStartBody, 201: answers.SignalledWithStartBody},
            problems=(409,),
            body=bodies.SignalWithStartBody,
        ),
        get(
            WORKFLOWS,
            "list_workflows",
            "List workflows, the newest first.",
            served.list_page,
            answers.WorkflowPage,
            problems=(),
            query=bodies.ListWorkflowsQuery,
        ),
    )


def _looks(served: RestWorkflows) -> Sequence[Operation]:
    return (
        get(ONE, "get_workflow", "A workflow as it stands.", served.get, answers.WorkflowBody),
        get(
            f"{ONE}/events",
            "get_workflow_events",
            "Its log: what its code is replayed against.",
            served.events,
            tuple[answers.WorkflowEventBody, ...],
            query=bodies.EventsQuery,
        ),
        get(
            f"{ONE}/children",
            "get_child_workflows",
            "The workflows that it has started.",
            served.children,
            answers.ChildWorkflowsBody,
        ),
        get(
            f"{ONE}/state",
            "get_workflow_state",
            "What its code has set.",
            served.state,
            answers.StateBody,
            query=bodies.StateQuery,
        ),
        get(f"{ONE}/tasks", "get_workflow_tasks", "Its tasks.", served.tasks, answers.TasksBody),
        get(
            f"{ONE_TASK}/attempts",
            "get_workflow_task_attempts",
            "The attempts at one of its tasks.",
            served.attempts,
            answers.AttemptsBody,
        ),
        get(
            f"{ONE_TASK}/logs",
            "get_workflow_task_logs",
            "The last lines that one of its tasks has logged.",
            served.logs,
            answers.LogsBody,
            query=bodies.LogsQuery,
        ),
    )


def _changes(served: RestWorkflows) -> Sequence[Operation]:
    return (
        change(
            "POST",
            f"{ONE}/signal",
            "signal_workflow",
            "Send a workflow a signal.",
            served.signal,
            {200: answers.WorkflowSignalledBody},
            body=bodies.SignalWorkflowBody,
        ),
        change(
            "POST",
            f"{ONE}/cancel",
            "cancel_workflow",
            "Cancel a workflow and its children; its code may clean up.",
            served.cancel,
            {200: answers.WorkflowCancelledBody},
            problems=(404, 501),
            body=bodies.CancelWorkflowBody,
        ),
        change(
            "POST",
            f"{ONE}/retry",
            "retry_workflow",
            "Let a failed workflow run once more.",
            served.retry,
            {200: answers.WorkflowRetriedBody},
            body=bodies.RetryWorkflowBody,
        ),
    )


def _streams(streams: RestWorkflowStreams) -> Sequence[Operation]:
    return (
        stream(f"{ONE}/stream", "follow_workflow", "What happens in it, from now on.", streams.follow),
        stream(
            f"{ONE}/stream/consolidated",
            "follow_workflow_and_children",
            "What happens in it, in its children and in their tasks, from now on.",
            streams.follow_all,
        ),
        stream(
            f"{ONE}/tasks/stream",
            "follow_workflow_tasks",
            "What happens to its tasks, from now on.",
            streams.follow_tasks,
        ),
    )
