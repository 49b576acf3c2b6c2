"""The part of a caller's port that starts executions on a cluster, and what it does with workflows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from temporalio.client import Client
from temporalio.common import (
    RawValue,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from rescind.errors import AlreadyExists, NotSupported, PayloadTooLarge
from rescind.model.ids import ExecutionId
from rescind.model.payload import Payload
from rescind.model.workflow_events import LoggedEvent
from rescind.model.workflows import StartWorkflow
from rescind.temporal import names
from rescind.temporal.asking import Asking
from rescind.temporal.connecting import error_of
from rescind.temporal.outside import start_memo
from rescind.temporal.payloads import record_to_temporal, to_temporal
from rescind.temporal.records import LogPage, PromiseRequest, StartMemo

_LABELS: Final = SearchAttributeKey.for_keyword_list(names.LABELS_ATTRIBUTE)


class Starting:
    """Starts executions. See also `WorkflowClientPort`: an idempotency key is the id of the execution that it finds."""

    client: Client
    finds_labels: bool
    _asking: Asking
    _by: str

    async def start_workflow(self, command: StartWorkflow) -> ExecutionId:
        """See `WorkflowClientPort`."""
        _ensure_supported(command)
        key = command.idempotency_key
        wanted = command.execution_id or key or str(uuid4())
        if key is not None and wanted != key:
            raise NotSupported(
                f"workflow {command.kind!r} was given an id and another idempotency key: on a Temporal cluster the key "
                "is the id. Give one of them."
            )
        memo = self._memo(command.labels, command.input, command.trace_parent, command)
        return await self._begin(
            command.kind, command.input, wanted, command.queue, memo, is_found_by_key=key is not None
        )

    async def signal_with_start(self, command: StartWorkflow, name: str, value: Payload) -> ExecutionId:
        """See `WorkflowClientPort`. Temporal does it in one step."""
        _ensure_supported(command)
        wanted = command.idempotency_key or ""
        memo = self._memo(command.labels, command.input, command.trace_parent, command)
        try:
            await self.client.start_workflow(
                command.kind,
                args=[to_temporal(command.input)],
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal=name,
                start_signal_args=[to_temporal(value), record_to_temporal(self._by)],
                **self._options(wanted, command.queue, memo),
            )
        except RPCError as error:
            raise _start_refused(error, command.kind, len(command.input.data)) from error
        return ExecutionId(wanted)

    async def settle_promise(self, promise: str, by_key: bool, value: Payload, error: str | None) -> bool:
        """See `WorkflowClientPort`."""
        if by_key:
            raise NotSupported(
                "a Temporal cluster knows no idempotency keys of promises. Give the workflow's id, and the promise's "
                "name."
            )
        execution_id, _, name = promise.partition("/")
        asked = PromiseRequest(name, self._by, value, error)
        return await self._asking.settle_promise(ExecutionId(execution_id), asked)

    async def retry_workflow(self, execution_id: ExecutionId, reason: str) -> int:
        """See `WorkflowClientPort`. Raises NotSupported."""
        raise NotSupported(
            f"execution {execution_id!r} is on a Temporal cluster, where nothing goes on that has ended. Mend the code "
            "and start another one, or reset that one with Temporal's own tools."
        )

    async def workflow_events(self, execution_id: ExecutionId) -> Sequence[LoggedEvent]:
        """See `WorkflowClientPort`."""
        events: list[LoggedEvent] = []
        while True:
            page = await self._asking.page(execution_id, names.LOG_QUERY, LogPage, len(events))
            events.extend(page.items)
            if page.is_last:
                return events

    def _memo(
        self, labels: Mapping[str, str], payload: Payload, trace_parent: str | None, flow: StartWorkflow | None = None
    ) -> StartMemo:
        return StartMemo(
            self._by,
            dict(labels),
            input_digest=_digest(payload),
            trace_parent=trace_parent,
            version=flow.version if flow is not None else None,
            timeout_ms=flow.timeout_ms if flow is not None else None,
            is_workflow=flow is not None,
        )

    async def _begin(
        self, kind: str, payload: Payload, wanted: str, queue: str, memo: StartMemo, *, is_found_by_key: bool = False
    ) -> ExecutionId:
        """Start a workflow of an id that no other one has, unless it was the very same start."""
        policy = WorkflowIDReusePolicy
        reuse = policy.ALLOW_DUPLICATE_FAILED_ONLY if is_found_by_key else policy.REJECT_DUPLICATE
        try:
            await self.client.start_workflow(
                kind, args=[to_temporal(payload)], id_reuse_policy=reuse, **self._options(wanted, queue, memo)
            )
        except WorkflowAlreadyStartedError:
            if not is_found_by_key:
                await self._ensure_same_start(wanted, kind, memo.input_digest)
        except RPCError as error:
            raise _start_refused(error, kind, len(payload.data)) from error
        return ExecutionId(wanted)

    def _options(self, wanted: str, queue: str, memo: StartMemo) -> dict[str, Any]:
        return {
            "id": wanted,
            "task_queue": queue,
            "result_type": RawValue,
            "memo": {names.MEMO_KEY: record_to_temporal(memo)},
            "search_attributes": self._searched(memo.labels),
            "rpc_timeout": self._asking.timeout,
        }

    def _searched(self, labels: Mapping[str, str]) -> TypedSearchAttributes:
        if not self.finds_labels:
            return TypedSearchAttributes.empty
        keywords = [names.LABELLED, *(f"{name}={value}" for name, value in labels.items())]
        return TypedSearchAttributes([SearchAttributePair(_LABELS, keywords)])

    async def _ensure_same_start(self, execution_id: str, kind: str, digest: str) -> None:
        described = await self._asking.handle(ExecutionId(execution_id)).describe(rpc_timeout=self._asking.timeout)
        if described.workflow_type != kind:
            differs = f"of kind {described.workflow_type!r}"
        elif (memo := await start_memo(described)) is None or memo.input_digest != digest:
            differs = "with other input"
        else:
            return
        raise AlreadyExists(f"execution {execution_id!r} exists, {differs}. Choose another id.")


def _ensure_supported(command: StartWorkflow) -> None:
    if command.priority_ms:
        raise NotSupported(
            f"workflow {command.kind!r} was given a priority: a Temporal cluster hands out the oldest first, as they "
            "were started. Leave it out, or use another queue."
        )
    if command.idempotency_key_ttl_seconds is not None:
        raise NotSupported(
            f"workflow {command.kind!r} was given idempotency_key_ttl: a Temporal cluster keeps a key for as long as "
            "its namespace keeps closed workflows. Leave it out."
        )


def _digest(payload: Payload) -> str:
    return sha256(payload.encoding.encode() + b"\0" + payload.data).hexdigest()


def _start_refused(error: RPCError, kind: str, size: int) -> Exception:
    if error.status is RPCStatusCode.INVALID_ARGUMENT and "exceeds" in error.message and "limit" in error.message:
        return PayloadTooLarge(
            f"input of agent {kind!r} has {size:,} bytes, more than the cluster takes: {error.message.rstrip('.')}."
        )
    return error_of(error, f"the start of agent {kind!r}")
