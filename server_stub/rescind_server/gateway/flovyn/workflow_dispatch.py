"""flovyn.v1's WorkflowDispatch and WorkflowQuery: workflows started, signalled and run by workers that poll."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import msgspec
from google.protobuf import empty_pb2
from rescind_proto.flovyn.v1 import flovyn_pb2 as wire

from rescind.errors import NotSupported
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.workflow_commands import first_sequence_of
from rescind.transport.grpc_methods import methods_of
from rescind_server.gateway.flovyn.frame import holding, not_offered
from rescind_server.gateway.flovyn.ids import check_organisation, organisation_id
from rescind_server.gateway.flovyn.polling import wait_ms
from rescind_server.gateway.flovyn.registrations import Registrations
from rescind_server.gateway.flovyn.spans import Spans
from rescind_server.gateway.flovyn.values import checked_uuid, named, payload
from rescind_server.gateway.flovyn.work_hints import WorkHints
from rescind_server.gateway.flovyn.workflow_messages import claimed_message, command_of, event_message, pass_status
from rescind_server.gateway.flovyn.workflow_requests import WorkflowRequests, WorkflowStart
from rescind_server.gateway.http.shown import value
from rescind_server.gateway.identity import Caller, Identify
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.serving import Answer, Stream, answering, streaming

DISPATCH_SERVICE: Final = wire.DESCRIPTOR.services_by_name["WorkflowDispatch"]
QUERY_SERVICE: Final = wire.DESCRIPTOR.services_by_name["WorkflowQuery"]
_LONGEST_KEY_SECONDS: Final = 30 * 86_400


class WorkflowDispatch:
    """The services."""

    def __init__(
        self,
        requests: WorkflowRequests,
        hints: WorkHints,
        registrations: Registrations,
        limits: Limits,
        identify: Identify,
    ) -> None:
        self._requests = requests
        self._hints = hints
        self._registrations = registrations
        self._limits = limits
        self._identify = identify
        self._spans = Spans(requests)

    def handlers(self) -> Mapping[str, Any]:
        """The handlers of WorkflowDispatch's calls, by their names."""
        answers: dict[str, Answer] = {
            "StartWorkflow": self._start,
            "StartChildWorkflow": self._start_child,
            "ResolvePromise": self._resolve,
            "RejectPromise": self._reject,
            "SignalWithStartWorkflow": self._signal_with_start,
            "SignalWorkflow": self._signal,
            "GetEvents": self._get_events,
            "SubmitWorkflowCommands": self._submit,
            "ReportExecutionSpans": self._report_spans,
        }
        streams: dict[str, Stream] = {"SubscribeToNotifications": self._subscribe}
        methods, frame = methods_of(DISPATCH_SERVICE), (self._identify, self._limits)
        return {
            **{name: answering(methods[name], answer, *frame) for name, answer in answers.items()},
            **{name: streaming(methods[name], stream, *frame) for name, stream in streams.items()},
            "PollWorkflow": holding(methods["PollWorkflow"], self._poll, *frame),
            "GetVisualWorkflowDefinitionById": not_offered(
                methods["GetVisualWorkflowDefinitionById"], "this server runs workflows that are code."
            ),
        }

    def query_handlers(self) -> Mapping[str, Any]:
        """The handlers of WorkflowQuery's calls, by their names."""
        method = methods_of(QUERY_SERVICE)["QueryWorkflow"]
        return {"QueryWorkflow": answering(method, self._query, self._identify, self._limits)}

    # ── workers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _poll(
        self, request: wire.PollRequest, caller: Caller, if_lost: Callable[[Callable[[], None]], None]
    ) -> wire.PollResponse:
        check_organisation(caller, request.org_id)
        known = self._registrations.known(caller, named(request.worker_id, "worker_id"))
        kinds = tuple(request.workflow_capabilities)
        if known is not None:
            await self._registrations.note_seen(known, self._hints.now())
            kinds = kinds or tuple(sorted(known.workflow_kinds))
        worker = known.name if known is not None else request.worker_id
        claimed, undo = await self._requests.poll(
            caller, worker, request.queue or DEFAULT_QUEUE, kinds, wait_ms(request.timeout_seconds)
        )
        if claimed is None:
            return wire.PollResponse()
        if_lost(undo)
        return claimed_message(claimed, organisation_id(caller))

    async def _get_events(self, request: wire.GetEventsRequest, caller: Caller) -> wire.GetEventsResponse:
        log = await self._requests.log(caller, _workflow_id(request))
        return wire.GetEventsResponse(events=[event_message(logged) for logged in log])

    async def _submit(self, request: wire.SubmitWorkflowCommandsRequest, caller: Caller) -> empty_pb2.Empty:
        execution_id = _workflow_id(request)
        status = pass_status(request.status)
        read = [command_of(each) for each in request.commands]
        commands = [each for each in read if each is not None]
        first = first_sequence_of([each.sequence_number for each in request.commands])
        await self._requests.submit(caller, execution_id, commands, status, first)
        return empty_pb2.Empty()

    async def _subscribe(self, request: wire.SubscriptionRequest, caller: Caller) -> AsyncIterator[Any]:
        check_organisation(caller, request.org_id)
        queue = request.queue or DEFAULT_QUEUE
        async for at_ms in self._hints.follow(caller, queue):
            yield wire.WorkAvailableEvent(org_id=organisation_id(caller), queue=queue, timestamp_ms=at_ms)

    async def _report_spans(
        self, request: wire.ReportExecutionSpansRequest, caller: Caller
    ) -> wire.ReportExecutionSpansResponse:
        accepted = await self._spans.take_in(caller, request.sdk_info, request.spans)
        return wire.ReportExecutionSpansResponse(accepted_count=accepted, rejected_count=len(request.spans) - accepted)

    # ── clients ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _start(self, request: wire.StartWorkflowRequest, caller: Caller) -> wire.StartWorkflowResponse:
        check_organisation(caller, request.org_id)
        if request.workflow_definition_id and not request.workflow_kind:
            raise NotSupported("drawn workflows are not offered. Name the workflow's kind.")
        key = request.idempotency_key or None
        parent = request.parent_workflow_execution_id or None
        start = WorkflowStart(
            kind=named(request.workflow_kind, "workflow_kind"),
            input=payload(request.input, "the workflow's input"),
            queue=request.queue or DEFAULT_QUEUE,
            labels=dict(request.metadata),
            idempotency_key=key,
            idempotency_key_ttl_seconds=_key_seconds(request),
            version=request.workflow_version or None,
            priority_seconds=request.priority_seconds,
            parent_id=checked_uuid(parent, "parent_workflow_execution_id") if parent is not None else None,
        )
        started = await self._requests.start(caller, start)
        return wire.StartWorkflowResponse(
            workflow_execution_id=started.execution_id,
            idempotency_key_used=key is not None,
            idempotency_key_new=started.created,
        )

    async def _start_child(
        self, request: wire.StartChildWorkflowRequest, caller: Caller
    ) -> wire.StartChildWorkflowResponse:
        check_organisation(caller, request.org_id)
        if request.WhichOneof("workflow_execution_identifier") == "workflow_definition_id":
            raise NotSupported("drawn workflows are not offered. Name the workflow's kind.")
        parent_id = checked_uuid(request.parent_workflow_execution_id, "parent_workflow_execution_id")
        details, _ = await self._requests.details(caller, parent_id)
        start = WorkflowStart(
            kind=named(request.workflow_kind, "workflow_kind"),
            input=payload(request.input, "the workflow's input"),
            queue=request.queue or details.execution.queue,
            priority_seconds=request.priority_seconds,
            parent_id=parent_id,
            child_execution_name=named(request.child_execution_name, "child_execution_name"),
        )
        started = await self._requests.start(caller, start)
        return wire.StartChildWorkflowResponse(child_workflow_execution_id=started.execution_id)

    async def _signal(self, request: wire.SignalWorkflowRequest, caller: Caller) -> wire.SignalWorkflowResponse:
        check_organisation(caller, request.org_id)
        value = payload(request.signal_value, "the signal's value")
        sequence = await self._requests.signal(caller, _workflow_id(request), request.signal_name, value)
        return wire.SignalWorkflowResponse(signal_event_sequence=sequence)

    async def _signal_with_start(
        self, request: wire.SignalWithStartWorkflowRequest, caller: Caller
    ) -> wire.SignalWithStartWorkflowResponse:
        check_organisation(caller, request.org_id)
        start = WorkflowStart(
            kind=named(request.workflow_kind, "workflow_kind"),
            input=payload(request.workflow_input, "the workflow's input"),
            queue=request.queue or DEFAULT_QUEUE,
            labels=dict(request.metadata),
            idempotency_key=named(request.workflow_id, "workflow_id"),
            idempotency_key_ttl_seconds=_key_seconds(request),
            version=request.workflow_version or None,
            priority_seconds=request.priority_seconds,
        )
        value = payload(request.signal_value, "the signal's value")
        made = await self._requests.signal_with_start(caller, start, request.signal_name, value)
        return wire.SignalWithStartWorkflowResponse(
            workflow_execution_id=made.execution_id,
            workflow_created=made.created,
            signal_event_sequence=made.sequence,
        )

    async def _resolve(self, request: wire.ResolvePromiseRequest, caller: Caller) -> empty_pb2.Empty:
        value = payload(request.value, "the promise's value")
        await self._requests.settle(caller, _promise_id(request), value)
        return empty_pb2.Empty()

    async def _reject(self, request: wire.RejectPromiseRequest, caller: Caller) -> empty_pb2.Empty:
        await self._requests.settle(caller, _promise_id(request), error=request.error)
        return empty_pb2.Empty()

    async def _query(self, request: wire.QueryWorkflowRequest, caller: Caller) -> wire.QueryWorkflowResponse:
        details, view = await self._requests.details(caller, _workflow_id(request))
        payload(request.params, "the parameters")
        match request.query_name:
            case "state":
                found: Any = {key: value(kept) for key, kept in view.state.items()}
            case "status":
                found = details.execution.status
            case name:
                text = f"unknown query {name[:100]!r}. Known are 'state' and 'status'."
                return wire.QueryWorkflowResponse(error=text)
        return wire.QueryWorkflowResponse(result=msgspec.json.encode(found))


def _workflow_id(request: Any) -> str:
    return checked_uuid(request.workflow_execution_id, "workflow_execution_id")


def _promise_id(request: Any) -> str:
    promise = named(request.promise_id, "promise_id")
    execution_id, slash, name = promise.partition("/")
    checked = checked_uuid(execution_id, "promise_id")
    return f"{checked}/{name}" if slash else checked


def _key_seconds(request: Any) -> int | None:
    if not request.HasField("idempotency_key_ttl_seconds"):
        return None
    seconds: int = request.idempotency_key_ttl_seconds
    return min(seconds, _LONGEST_KEY_SECONDS)
