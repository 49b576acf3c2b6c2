"""Workflows over flovyn's HTTP interface."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

from rescind.errors import InvalidInput, NotFound, NotSupported
from rescind.model.events import iso_time
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import TERMINAL_EXECUTION, CancelTaskResult, ExecutionStatus
from rescind.model.views import ExecutionDetails, ExecutionView
from rescind.model.workflow_json import event_data
from rescind.model.workflows import WorkflowView
from rescind_server.engine.natures import Nature, NatureFilter
from rescind_server.gateway import organisations
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.flovyn import rest_answers as answers
from rescind_server.gateway.flovyn import rest_bodies as bodies
from rescind_server.gateway.flovyn.ids import organisation_id
from rescind_server.gateway.flovyn.rest_attempts import attempts_of
from rescind_server.gateway.flovyn.rest_calls import bad_id, no_such
from rescind_server.gateway.flovyn.rest_listing import part_of
from rescind_server.gateway.flovyn.rest_shown import error_text, task_body
from rescind_server.gateway.flovyn.rest_task_looks import UNKNOWN, answer_logs, noted_of
from rescind_server.gateway.flovyn.values import is_uuid
from rescind_server.gateway.flovyn.workflow_requests import WorkflowRequests, WorkflowStart
from rescind_server.gateway.http.operations import Call, answer
from rescind_server.gateway.http.shown import moment, payload_of, value
from rescind_server.host.driver import Host

_TIME: Final = re.compile(r"([0-9]{1,9})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_TERMINAL: Final = "ALREADY_TERMINAL"


class RestWorkflows:
    """Carries out what is asked about workflows."""

    def __init__(self, host: Host, requests: ClientRequests, workflows: WorkflowRequests) -> None:
        self._host = host
        self._requests = requests
        self._workflows = workflows

    async def create(self, call: Call) -> Response:
        """Start a workflow: 201 if this created it, 200 if its idempotency key had."""
        body: bodies.CreateWorkflowBody = call.body
        start = WorkflowStart(
            kind=body.kind,
            input=payload_of(body.input),
            queue=bodies.queue_of(body.queue),
            labels={**(body.metadata or {}), **(body.labels or {})},
            idempotency_key=body.idempotency_key,
            idempotency_key_ttl_seconds=seconds_of(body.idempotency_key_ttl),
            version=body.version,
            priority_seconds=body.priority_seconds,
        )
        started = await self._workflows.start(call.caller, start)
        details, _ = await self._workflows.details(call.caller, started.execution_id)
        where = f"/api/orgs/{call.path['org']}/workflow-executions/{started.execution_id}"
        shown = answers.WorkflowStartedBody(
            workflow_execution_id=started.execution_id,
            status=details.execution.status,
            kind=details.execution.kind,
            created_at=iso_time(details.execution.created_at),
            links=answers.LinksBody(where, f"{where}/events"),
            idempotency_key_used=body.idempotency_key is not None,
            idempotency_key_new=started.created,
        )
        return answer(shown, HTTPStatus.CREATED if started.created else HTTPStatus.OK, {"location": where})

    async def get(self, call: Call) -> Response:
        """A workflow as it stands."""
        details, view = await self.found(call)
        return answer(workflow_body(details.execution, organisation_id(call.caller), view))

    async def list_page(self, call: Call) -> Response:
        """Some of the workflows, the newest first."""
        query: bodies.ListWorkflowsQuery = call.query
        statuses = (query.status,) if query.status is not None else ()
        selection = NatureFilter(statuses=statuses, kind=query.kind, nature=Nature.WORKFLOW)

        async def read(size: int, token: str) -> tuple[Sequence[ExecutionView], str]:
            return await self._requests.list_executions(call.caller, selection, size, token)

        views = await part_of(read, query.limit, query.offset)
        total = sum((await self._requests.counts(call.caller, selection)).values())
        of = organisation_id(call.caller)
        shown = tuple(workflow_body(view, of) for view in views)
        return answer(answers.WorkflowPage(shown, total, query.limit, query.offset))

    async def events(self, call: Call) -> Response:
        """Its log: a bare array."""
        query: bodies.EventsQuery = call.query
        await self.found(call)
        log = await self._workflows.log(call.caller, call.path["id"], query.since_sequence)
        return answer(
            [
                answers.WorkflowEventBody(
                    logged.sequence,
                    logged.event.event_type,
                    msgspec.Raw(event_data(logged.event)),
                    iso_time(logged.at),
                )
                for logged in log
            ]
        )

    async def cancel(self, call: Call) -> Response:
        """Cancel a workflow, with its children; its code may clean up."""
        body: bodies.CancelWorkflowBody = call.body
        if not body.cascade_to_children:
            raise NotSupported("a cancel reaches the children, unless the workflow started them to be left alone.")
        _, view = await self.found(call)
        before = await self._open_descendants(call, view)
        result = await self._workflows.cancel(call.caller, call.path["id"], body.reason)
        details, after_view = await self.found(call)
        status: str = details.execution.status
        if result is not CancelTaskResult.CANCELLED and details.execution.status in TERMINAL_EXECUTION:
            status = _TERMINAL
        after = await self._open_descendants(call, after_view)
        return answer(answers.WorkflowCancelledBody(status, len(before - after)))

    async def retry(self, call: Call) -> Response:
        """Let a failed workflow run once more."""
        body: bodies.RetryWorkflowBody = call.body
        details, _ = await self.found(call)
        if details.execution.status is not ExecutionStatus.FAILED:
            raise InvalidInput(
                f"workflow {call.path['id']} is {details.execution.status}: only a failed one is retried."
            )
        retried = await self._workflows.retry(call.caller, call.path["id"], body.note or "")
        shown = answers.WorkflowRetriedBody(
            call.path["id"], ExecutionStatus.PENDING, retried.attempt, "the workflow runs once more", success=True
        )
        return answer(shown)

    async def children(self, call: Call) -> Response:
        """The workflows that it has started."""
        _, view = await self.found(call)
        found: list[answers.ChildWorkflowBody] = []
        for child_id, name in view.children.items():
            try:
                details, _ = await self._workflows.details(call.caller, child_id)
            except NotFound:
                continue
            child = details.execution
            found.append(answers.ChildWorkflowBody(child_id, name, child.status, iso_time(child.created_at)))
        return answer(answers.ChildWorkflowsBody(tuple(found)))

    async def tasks(self, call: Call) -> Response:
        """Its tasks, in the order of their scheduling."""
        details, _ = await self.found(call)
        known = await noted_of(self._host, organisations.inner_id(call.caller.organisation, call.path["id"]))
        of = organisation_id(call.caller)
        shown = (task_body(each, of, known.get(each.task_id, UNKNOWN)) for each in details.tasks)
        return answer(answers.TasksBody(tuple(shown)))

    async def attempts(self, call: Call) -> Response:
        """All attempts at one of its tasks."""
        details, _ = await self.found(call)
        task = next((each for each in details.tasks if each.task_id == call.path["task_id"]), None)
        if task is None:
            raise no_such("task", call.path["task_id"])
        inner_id = organisations.inner_id(call.caller.organisation, call.path["id"])
        return answer(answers.AttemptsBody(await attempts_of(self._host, inner_id, task)))

    async def logs(self, call: Call) -> Response:
        """What one of its tasks has logged."""
        await self.found(call)
        inner_id = organisations.inner_id(call.caller.organisation, call.path["id"])
        return await answer_logs(self._host, inner_id, call.path["task_id"], call.query)

    async def state(self, call: Call) -> Response:
        """What it has set, by its keys."""
        query: bodies.StateQuery = call.query
        _, view = await self.found(call)
        return answer(
            answers.StateBody({key: value(kept) for key, kept in view.state.items() if query.key in (None, key)})
        )

    async def signal(self, call: Call) -> Response:
        """Send it a signal."""
        body: bodies.SignalWorkflowBody = call.body
        name = body.signal_name or body.snake_name or body.name
        if name is None:
            raise InvalidInput("`signalName` is missing. Give the signal's name.")
        given = _first(body.signal_value, body.snake_value, body.payload)
        await self.found(call)
        sequence = await self._workflows.signal(call.caller, call.path["id"], name, given)
        return answer(answers.WorkflowSignalledBody(sequence))

    async def signal_with_start(self, call: Call) -> Response:
        """Signal the workflow that runs under a key, or start it and signal it."""
        body: bodies.SignalWithStartBody = call.body
        given = {
            "workflow_id": body.workflow_id or body.camel_id,
            "workflow_kind": body.workflow_kind or body.camel_kind,
            "signal_name": body.signal_name or body.camel_signal,
        }
        for field, text in given.items():
            if text is None:
                raise InvalidInput(f"`{field}` is missing.")
        start = WorkflowStart(
            kind=given["workflow_kind"] or "",
            input=_first(body.workflow_input, body.camel_input),
            queue=bodies.queue_of(body.queue),
            labels=dict(body.metadata or {}),
            idempotency_key=given["workflow_id"],
        )
        signalled = _first(body.signal_value, body.camel_value)
        made = await self._workflows.signal_with_start(call.caller, start, given["signal_name"] or "", signalled)
        shown = answers.SignalledWithStartBody(made.execution_id, made.created, made.sequence, signal_delivered=True)
        return answer(shown, HTTPStatus.CREATED if made.created else HTTPStatus.OK)

    async def found(self, call: Call) -> tuple[ExecutionDetails, WorkflowView]:
        """The workflow that a path names. Raises NotFound, or InvalidInput for what cannot be an id."""
        given = call.path["id"]
        try:
            return await self._workflows.details(call.caller, given)
        except NotFound:
            raise (no_such("workflow", given) if is_uuid(given) else bad_id("workflow", given)) from None

    async def _open_descendants(self, call: Call, view: WorkflowView) -> set[str]:
        """Those that nobody has asked to cancel."""
        found: set[str] = set()
        waiting = list(view.children)
        while waiting:
            child_id = waiting.pop()
            try:
                details, child = await self._workflows.details(call.caller, child_id)
            except NotFound:
                continue
            status = details.execution.status
            if status not in TERMINAL_EXECUTION and status is not ExecutionStatus.CANCELLING:
                found.add(child_id)
            waiting += child.children
        return found


def workflow_body(view: ExecutionView, of: str, workflow: WorkflowView | None = None) -> answers.WorkflowBody:
    """A workflow of an organisation; what its own view has stands in it if that is given."""
    return answers.WorkflowBody(
        id=view.execution_id,
        org_id=of,
        workflow_kind=view.kind,
        status=view.status,
        input=value(view.input),
        output=value(view.output) if view.output is not None else None,
        error=error_text(view),
        queue=view.queue,
        created_at=iso_time(view.created_at),
        completed_at=moment(view.ended_at),
        metadata=view.labels,
        workflow_version=workflow.version if workflow is not None else None,
        parent_workflow_execution_id=workflow.parent_id if workflow is not None else None,
    )


def seconds_of(text: str | None) -> int | None:
    """A time as ``30s``, ``5m``, ``2h`` or ``7d`` in seconds. Raises InvalidInput."""
    if text is None:
        return None
    found = _TIME.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{text[:50]!r} is no time. Write a number and its unit: 30s, 5m, 2h, 7d.")
    return int(found[1]) * _SECONDS[found[2]]


def _first(*given: msgspec.Raw) -> Payload:
    return next((payload_of(each) for each in given if bytes(each)), NULL_PAYLOAD)
