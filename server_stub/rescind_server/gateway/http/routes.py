"""Every path and method that is served: the table that the router and the document are both made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rescind_server.gateway.http import answers, bodies, cancel_bodies, webhook_bodies
from rescind_server.gateway.http.bulk_cancels import BulkCancels
from rescind_server.gateway.http.changes import Changes
from rescind_server.gateway.http.executions import EXECUTIONS, Executions
from rescind_server.gateway.http.following import Following
from rescind_server.gateway.http.lasting import EVENT_STREAM
from rescind_server.gateway.http.metrics import Metrics
from rescind_server.gateway.http.operations import Handle, Operation
from rescind_server.gateway.http.page_session import PageSession, session_operations
from rescind_server.gateway.http.state import ServerState
from rescind_server.gateway.http.tasks import Tasks
from rescind_server.gateway.http.webhooks import WEBHOOKS, WebhookCalls

TASKS: Final = "/api/v1/tasks"
ONE: Final = f"{EXECUTIONS}/{{execution_id}}"
ONE_TASK: Final = f"{TASKS}/{{task_id}}"
ONE_WEBHOOK: Final = f"{WEBHOOKS}/{{webhook_id}}"


def operations(
    executions: Executions,
    tasks: Tasks,
    bulk: BulkCancels,
    following: Following,
    state: ServerState,
    metrics: Metrics,
    webhooks: WebhookCalls,
    changes: Changes,
    session: PageSession | None,
) -> Sequence[Operation]:
    """All operations; a path that another's pattern matches, too, stands before that."""
    return (
        *_executions(executions, bulk, following),
        *_one_execution(executions, following),
        *_tasks(tasks, bulk),
        *_state(state),
        *_webhooks(webhooks),
        *_one_webhook(webhooks),
        *(session_operations(session) if session is not None else ()),
        Operation(
            "GET",
            "/api/v1/events",
            "follow_changes",
            "How executions stand, as that changes: each as it stands now, from now on or from `Last-Event-ID` on.",
            changes.follow,
            {200: answers.SentEvent},
            query=bodies.ChangesQuery,
            media_type=EVENT_STREAM,
        ),
        Operation(
            "GET",
            "/metrics",
            "get_metrics",
            "Figures for Prometheus: of the organisation, and of the server; for operators.",
            metrics.show,
            {200: str},
            problems=(501,),
            media_type="text/plain",
        ),
    )


def _executions(executions: Executions, bulk: BulkCancels, following: Following) -> Sequence[Operation]:
    return (
        Operation(
            "POST",
            EXECUTIONS,
            "start_execution",
            "Start an agent or a workflow. The same id with the same kind and input is the same execution.",
            executions.start,
            {201: answers.StartedBody, 200: answers.StartedBody},
            problems=(409,),
            body=bodies.StartBody,
        ),
        _get(
            EXECUTIONS,
            "list_executions",
            "List executions, the newest first.",
            executions.list_page,
            answers.ExecutionPage,
            query=bodies.ListQuery,
        ),
        _get(
            "/api/v1/counts",
            "count_executions",
            "How many executions there are of each status, of those that a filter selects.",
            executions.counts,
            answers.ExecutionCounts,
            query=bodies.CountsQuery,
        ),
        Operation(
            "POST",
            f"{EXECUTIONS}/stream",
            "stream_execution",
            "Start an agent and follow it. When this client goes away it is cancelled, or as `on_disconnect` says.",
            following.start,
            {200: answers.SentEvent},
            problems=(409,),
            body=bodies.StreamBody,
            media_type=EVENT_STREAM,
        ),
        _post(
            f"{EXECUTIONS}/cancel",
            "cancel_executions",
            "Cancel all executions that a filter selects, in bounded steps. Repeating it is harmless.",
            bulk.executions,
            cancel_bodies.CancelCounts,
            body=bodies.CancelManyBody,
            waits=True,
        ),
    )


def _one_execution(executions: Executions, following: Following) -> Sequence[Operation]:
    return (
        _get(
            ONE, "get_execution", "An execution as it stands.", executions.get, answers.ExecutionBody, problems=(404,)
        ),
        _get(
            f"{ONE}/history",
            "get_history",
            "Its history: what happened, in order.",
            executions.history,
            answers.HistoryPage,
            problems=(404,),
            query=bodies.PlaceQuery,
        ),
        _get(
            f"{ONE}/entries",
            "get_entries",
            "Its conversation.",
            executions.entries,
            answers.EntryPage,
            problems=(404,),
            query=bodies.PlaceQuery,
        ),
        _get(
            f"{ONE}/checkpoints",
            "get_checkpoints",
            "Its checkpoints.",
            executions.checkpoints,
            answers.CheckpointPage,
            problems=(404,),
            query=bodies.PlaceQuery,
        ),
        Operation(
            "GET",
            f"{ONE}/events",
            "follow_execution",
            "Its events as they happen, from the first or from `Last-Event-ID` on. 204: it has ended and all was sent.",
            following.events,
            {200: answers.SentEvent, 204: None},
            problems=(404,),
            query=bodies.EventsQuery,
            media_type=EVENT_STREAM,
        ),
        _post(
            f"{ONE}/signal",
            "signal_execution",
            "Send it a signal.",
            executions.signal,
            answers.SignalledBody,
            problems=(404, 409),
            body=bodies.SignalBody,
        ),
        _post(
            f"{ONE}/retry",
            "retry_execution",
            "Let a workflow that has FAILED go on from its log. 409: it has not failed, or is an agent.",
            executions.retry,
            answers.ExecutionRetriedBody,
            problems=(404, 409),
            body=bodies.RetryExecutionBody,
        ),
        _post(
            f"{ONE}/cancel",
            "cancel_execution",
            "Cancel it; repeating that is harmless.",
            executions.cancel,
            answers.CancelledBody,
            problems=(404,),
            body=bodies.CancelBody,
            waits=True,
        ),
    )


def _tasks(tasks: Tasks, bulk: BulkCancels) -> Sequence[Operation]:
    return (
        _get(
            TASKS,
            "list_tasks",
            "List the tasks of open executions, or with `execution_id` all of one execution.",
            tasks.list_page,
            answers.TaskPage,
            problems=(404,),
            query=bodies.ListTasksQuery,
        ),
        _post(
            f"{TASKS}/cancel",
            "cancel_tasks",
            "Cancel all open tasks that a filter selects, in bounded steps. Repeating it is harmless.",
            bulk.tasks,
            cancel_bodies.CancelCounts,
            body=bodies.CancelManyTasksBody,
            waits=True,
        ),
        _get(ONE_TASK, "get_task", "A task as it stands.", tasks.get, answers.TaskBody, problems=(404,)),
        *(
            Operation(
                "DELETE",
                path,
                name,
                "Cancel a task. 404: there is none; 400: it has ended; `result` tells which.",
                tasks.delete,
                {200: answers.TaskCancelledBody},
                problems=(404,),
                query=bodies.DeleteTaskQuery,
                waits=True,
            )
            for path, name in ((ONE_TASK, "delete_task"), ("/tasks/{task_id}", "delete_task_at_root"))
        ),
        _post(
            f"{ONE_TASK}/cancel",
            "cancel_task",
            "Cancel a task, with a body.",
            tasks.cancel,
            answers.TaskCancelledBody,
            problems=(404,),
            body=bodies.CancelTaskBody,
            waits=True,
        ),
    )


def _state(state: ServerState) -> Sequence[Operation]:
    found = [
        _get(
            "/api/v1/workers",
            "list_workers",
            "List workers; for operators.",
            state.workers,
            answers.WorkerPage,
            query=bodies.PageQuery,
        ),
        _get(
            "/api/v1/audit",
            "list_audit",
            "List who asked for what, the last request first; for operators.",
            state.audit,
            answers.AuditPage,
            query=bodies.AuditQuery,
        ),
        _get(
            "/api/v1/whoami",
            "who_am_i",
            "Who the caller is to this server, and what it may do.",
            state.who_am_i,
            answers.WhoBody,
        ),
    ]
    for prefix, suffix in (("/api/v1", ""), ("", "_at_root")):
        found += (
            _get(
                f"{prefix}/stuck",
                f"get_stuck{suffix}",
                "What does not go on by itself: not stopped, silent, without a worker, parked; for operators.",
                state.stuck,
                answers.StuckBody,
                query=bodies.StuckQuery,
            ),
            Operation(
                "GET",
                f"{prefix}/health",
                f"get_health{suffix}",
                "Whether the server is alive. Asks for no token.",
                state.health,
                {200: answers.HealthBody, 503: answers.HealthBody},
                is_open=True,
            ),
            Operation(
                "GET",
                f"{prefix}/ready",
                f"get_ready{suffix}",
                "Whether the server takes requests. Asks for no token.",
                state.ready,
                {200: answers.HealthBody, 503: answers.HealthBody},
                is_open=True,
            ),
        )
    return found


def _webhooks(webhooks: WebhookCalls) -> Sequence[Operation]:
    return (
        _get(WEBHOOKS, "list_webhooks", "List webhooks; for operators.", webhooks.list_all, webhook_bodies.WebhookList),
        Operation(
            "POST",
            WEBHOOKS,
            "add_webhook",
            "Add a webhook, and show its secret, this once; for operators.",
            webhooks.add,
            {201: webhook_bodies.WebhookSecretBody},
            problems=(409,),
            body=webhook_bodies.AddWebhookBody,
        ),
        _get(
            f"{WEBHOOKS}/dead",
            "list_dead_deliveries",
            "List what webhooks could not be told, the last given up first; for operators.",
            webhooks.dead,
            webhook_bodies.DeadPage,
            problems=(404,),
            query=webhook_bodies.DeadQuery,
        ),
        _post(
            f"{WEBHOOKS}/retry",
            "retry_dead_deliveries",
            "Try dead letters anew, from the first attempt on; for operators.",
            webhooks.retry,
            webhook_bodies.RetriedBody,
            problems=(404, 409),
            body=webhook_bodies.RetryBody,
        ),
    )


def _one_webhook(webhooks: WebhookCalls) -> Sequence[Operation]:
    shown = {200: webhook_bodies.WebhookBody}
    return (
        Operation(
            "GET", ONE_WEBHOOK, "get_webhook", "A webhook as it stands; for operators.", webhooks.show, shown, (404,)
        ),
        Operation(
            "DELETE",
            ONE_WEBHOOK,
            "remove_webhook",
            "Remove a webhook with all that it was still to be told; for operators.",
            webhooks.remove,
            shown,
            (404,),
        ),
        Operation(
            "POST",
            f"{ONE_WEBHOOK}/enable",
            "enable_webhook",
            "Tell a webhook again that was disabled; for operators.",
            webhooks.enable,
            shown,
            (404,),
        ),
        _post(
            f"{ONE_WEBHOOK}/rotate",
            "rotate_webhook_secret",
            "Give a webhook a new secret, and show it, this once; for operators.",
            webhooks.rotate,
            webhook_bodies.WebhookSecretBody,
            problems=(404,),
            body=webhook_bodies.RotateBody,
        ),
        Operation(
            "POST",
            f"{ONE_WEBHOOK}/test",
            "test_webhook",
            "Send a webhook a ping; for operators.",
            webhooks.test,
            {200: webhook_bodies.PingBody},
            (404, 409),
        ),
    )


def _get(
    path: str,
    name: str,
    summary: str,
    handle: Handle,
    answer: type[answers.AnswerBody],
    *,
    problems: tuple[int, ...] = (),
    query: type[bodies.Query] = bodies.NoQuery,
) -> Operation:
    """One that looks, and has one answer."""
    return Operation("GET", path, name, summary, handle, {200: answer}, problems, query)


def _post(
    path: str,
    name: str,
    summary: str,
    handle: Handle,
    answer: type[answers.AnswerBody],
    *,
    body: type[bodies.RequestBody],
    problems: tuple[int, ...] = (),
    waits: bool = False,
) -> Operation:
    """One that changes something, and has one answer."""
    return Operation("POST", path, name, summary, handle, {200: answer}, problems, body=body, waits=waits)
