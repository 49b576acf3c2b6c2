"""What callers do with workflows that agents have no such thing of: keys, promises, signals with start, their logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from rescind.authoring.conversion import encode
from rescind.authoring.workflow import WorkflowDefinition
from rescind.errors import InvalidInput, NotSupported
from rescind.model.ids import ExecutionId
from rescind.model.options import DEFAULT_QUEUE, Seconds, milliseconds
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.texts import checked_labels, checked_text
from rescind.model.workflow_events import LoggedEvent
from rescind.model.workflows import StartWorkflow
from rescind.runtime.ports import ClientPort
from rescind.runtime.workflow_ports import WorkflowClientPort
from rescind.telemetry.traces import calling, current_trace_parent

if TYPE_CHECKING:
    from rescind.client.client import ExecutionHandle

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


class WorkflowCalls:
    """The part of a client that is about workflows alone. Their handles are those of agents."""

    _port: ClientPort
    _payload_limit: int
    handle: Callable[..., ExecutionHandle[Any]]

    @overload
    async def start_workflow(
        self,
        workflow: WorkflowDefinition[InputT, OutputT],
        workflow_input: InputT = ...,
        /,
        *,
        id: str | None = None,
        queue: str = DEFAULT_QUEUE,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        idempotency_key_ttl: Seconds | None = None,
        version: str | None = None,
        priority: Seconds = 0,
        timeout: Seconds | None = None,
    ) -> ExecutionHandle[OutputT]: ...

    @overload
    async def start_workflow(
        self,
        workflow: str,
        workflow_input: Any = None,
        /,
        *,
        id: str | None = None,
        queue: str = DEFAULT_QUEUE,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        idempotency_key_ttl: Seconds | None = None,
        version: str | None = None,
        priority: Seconds = 0,
        timeout: Seconds | None = None,
    ) -> ExecutionHandle[Any]: ...

    async def start_workflow(
        self,
        workflow: WorkflowDefinition[Any, Any] | str,
        workflow_input: Any = None,
        /,
        *,
        id: str | None = None,
        queue: str = DEFAULT_QUEUE,
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        idempotency_key_ttl: Seconds | None = None,
        version: str | None = None,
        priority: Seconds = 0,
        timeout: Seconds | None = None,
    ) -> ExecutionHandle[Any]:
        """Start a workflow; it exists, durably, when this returns.

        Args:
            workflow: its definition, or its kind.
            workflow_input: its input.
            id: its id, which makes the start repeatable: the same id, kind and input are the same execution.
            queue: where it is put.
            labels: free text by name.
            idempotency_key: while a workflow with this key is open or completed, this gives its handle.
            idempotency_key_ttl: how long the key counts: a day, unless said otherwise, and at most 30 days.
            version: the version of its code; left out, that of the definition.
            priority: by how much it counts as older than it is, where the oldest goes first.
            timeout: its longest time in all; then it fails as timed out. Times are seconds or timedeltas.

        Raises:
            InvalidInput: the input is not JSON or not of the declared type; another argument cannot be meant.
            AlreadyExists: another execution has that id.
            NotSupported: this backend has no workflows.
        """
        command, result_type = self._command(
            workflow,
            workflow_input,
            execution_id=None if id is None else ExecutionId(checked_text(id, "an execution's id")),
            queue=queue,
            labels=labels,
            idempotency_key=idempotency_key,
            idempotency_key_ttl=idempotency_key_ttl,
            version=version,
            priority=priority,
            timeout=timeout,
        )
        with calling(f"start {command.kind}", {}) as note:
            execution_id = await self._workflows.start_workflow(command)
            note("rescind.execution.id", execution_id)
        return self.handle(execution_id, result_type)

    async def signal_with_start(
        self,
        workflow: WorkflowDefinition[Any, Any] | str,
        workflow_input: Any,
        signal: str,
        value: Any = None,
        /,
        *,
        idempotency_key: str,
        queue: str = DEFAULT_QUEUE,
        labels: Mapping[str, str] | None = None,
        idempotency_key_ttl: Seconds | None = None,
    ) -> ExecutionHandle[Any]:
        """Signal the open workflow that has this key, or start it and signal it, in one step.

        Args:
            workflow: its definition, or its kind; counts only if it is started.
            workflow_input: its input; likewise.
            signal: the signal's name.
            value: what it says; a JSON value.
            idempotency_key: what finds it.
            queue: where it is put if it is started.
            labels: free text by name; likewise.
            idempotency_key_ttl: how long the key counts; likewise.

        Raises:
            InvalidInput: an argument cannot be meant.
            NotSupported: this backend has no workflows.
        """
        command, result_type = self._command(
            workflow,
            workflow_input,
            queue=queue,
            labels=labels,
            idempotency_key=checked_text(idempotency_key, "an idempotency key"),
            idempotency_key_ttl=idempotency_key_ttl,
        )
        name = checked_text(signal, "a signal's name")
        payload = encode(value, what=f"signal {name!r}", limit=self._payload_limit)
        with calling(f"signal with start {command.kind}", {"rescind.signal": name}) as note:
            execution_id = await self._workflows.signal_with_start(command, name, payload)
            note("rescind.execution.id", execution_id)
        return self.handle(execution_id, result_type)

    async def resolve_promise(self, execution_id: str | None, name: str, value: Any = None) -> bool:
        """Give a workflow's promise its value.

        Args:
            execution_id: the workflow; None if `name` is the idempotency key of the promise.
            name: the promise's name.
            value: a JSON value.

        Returns:
            Whether this call settled it; False if it was settled, or had timed out, before.

        Raises:
            NotFound: no such workflow, or it has not created that promise.
            InvalidInput: an empty name, or a value that is not JSON.
        """
        payload = encode(value, what=f"value of promise {name!r}", limit=self._payload_limit)
        return await self._workflows.settle_promise(*_promise(execution_id, name), payload, None)

    async def reject_promise(self, execution_id: str | None, name: str, error: str) -> bool:
        """Let a workflow's promise fail: awaiting it raises PromiseRejected there. As `resolve_promise`."""
        error = checked_text(error, "the error of a promise")
        return await self._workflows.settle_promise(*_promise(execution_id, name), NULL_PAYLOAD, error)

    async def workflow_events(self, execution_id: str) -> Sequence[LoggedEvent]:
        """The log of a workflow, against which its code is replayed; raises NotFound."""
        return await self._workflows.workflow_events(ExecutionId(checked_text(execution_id, "an execution's id")))

    @property
    def _workflows(self) -> WorkflowClientPort:
        return workflow_port(self._port)

    def _command(
        self,
        workflow: WorkflowDefinition[Any, Any] | str,
        workflow_input: Any,
        *,
        queue: str,
        labels: Mapping[str, str] | None,
        idempotency_key: str | None,
        idempotency_key_ttl: Seconds | None,
        execution_id: ExecutionId | None = None,
        version: str | None = None,
        priority: Seconds = 0,
        timeout: Seconds | None = None,
    ) -> tuple[StartWorkflow, Any]:
        if isinstance(workflow, WorkflowDefinition):
            kind, result_type = workflow.kind, workflow.output_type
            payload = workflow.encode_input(workflow_input, limit=self._payload_limit)
            version = version or workflow.version
        elif isinstance(workflow, str) and workflow:
            kind, result_type = checked_text(workflow, "a workflow's kind"), None
            payload = encode(workflow_input, what=f"input of workflow {workflow!r}", limit=self._payload_limit)
        else:
            raise InvalidInput(f"{workflow!r} is no workflow. Give a function decorated with @workflow, or a kind.")
        key_ms = None if idempotency_key_ttl is None else milliseconds(idempotency_key_ttl, "idempotency_key_ttl")
        command = StartWorkflow(
            kind,
            payload,
            execution_id,
            checked_text(queue, "a queue's name"),
            dict(checked_labels(labels or {})),
            None if idempotency_key is None else checked_text(idempotency_key, "an idempotency key"),
            None if key_ms is None else -(-key_ms // 1_000),
            version,
            milliseconds(priority, "priority"),
            None if timeout is None else milliseconds(timeout, "timeout"),
            trace_parent=current_trace_parent(),
        )
        return command, result_type


def workflow_port(port: ClientPort) -> WorkflowClientPort:
    """A client's port, if it knows workflows. Raises NotSupported."""
    if not isinstance(port, WorkflowClientPort):
        raise NotSupported("this backend has no workflows. Use the embedded engine, or a server.")
    return port


def _promise(execution_id: str | None, name: str) -> tuple[str, bool]:
    """What names a promise, and whether it is its idempotency key."""
    name = checked_text(name, "a promise's name")
    if execution_id is None:
        return name, True
    workflow = checked_text(execution_id, "an execution's id")
    return f"{workflow}/{name}", False
