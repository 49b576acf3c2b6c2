"""Callers from outside: start agents, wait for them, signal and cancel them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final, Generic, TypeVar, overload
from uuid import UUID

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.conversion import decode, encode
from rescind.authoring.workflow import WorkflowDefinition
from rescind.client.records import History, TaskRecord
from rescind.client.workflows import WorkflowCalls, workflow_port
from rescind.errors import ExecutionWasCancelled, InvalidInput, ServerUnavailable
from rescind.model.agent_values import LoadedMessage, StreamEvent
from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId
from rescind.model.messages import StreamedEvent
from rescind.model.options import DEFAULT_QUEUE
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT, NULL_PAYLOAD
from rescind.model.status import CancelMode, CancelTaskResult, ExecutionStatus
from rescind.model.texts import checked_choice, checked_labels, checked_reason, checked_task_id, checked_text
from rescind.model.views import CheckpointView, ChildView, ExecutionDetails, ExecutionView, PartialDetails
from rescind.runtime.agent_conversation import loaded_messages
from rescind.runtime.failures import error_for_caller
from rescind.runtime.ports import ClientPort
from rescind.telemetry.traces import calling

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")

# What spans call them.
EXECUTION_ID: Final = "rescind.execution.id"
TASK_ID: Final = "rescind.task.id"


class ExecutionHandle(Generic[OutputT]):
    """One execution, in the hands of a caller. It may be made anew at any time from the id.

    Attributes:
        id: the execution's id.
    """

    def __init__(
        self,
        port: ClientPort,
        execution_id: str,
        result_type: Any = None,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
    ) -> None:
        """Made by a client."""
        self.id = ExecutionId(checked_text(execution_id, "an execution's id"))
        self._port = port
        self._result_type = result_type
        self._payload_limit = payload_limit

    async def result(self) -> OutputT:
        """Wait for the end and return the output. Cancelling the wait leaves the execution as it is.

        Raises:
            ExecutionWasCancelled: it ended as CANCELLED.
            TaskFailed, TaskCancelled, AllTasksFailed: that was what ended it, unhandled.
            ExecutionFailed: it ended as FAILED for another reason.
            NotFound: no such execution.
        """
        execution = (await self._port.wait_ended(self.id)).execution
        if execution.status is ExecutionStatus.CANCELLED:
            raise ExecutionWasCancelled(self.id, execution.cause)
        if execution.failure is not None:
            raise error_for_caller(self.id, execution.failure)
        output = execution.output or NULL_PAYLOAD
        value: OutputT = decode(output, self._result_type, what=f"output of execution {self.id!r}")
        return value

    async def describe(self) -> ExecutionView:
        """The execution as it stands. Raises NotFound."""
        return (await self.details()).execution

    async def details(self) -> ExecutionDetails:
        """The execution with all that belongs to it, as it stands at one moment. Raises NotFound.

        Returns:
            The execution, its tasks in the order of scheduling, its entries and checkpoints; payloads as bytes. The
            methods below give each of them decoded. On a Temporal cluster without a worker, of an execution that has
            ended, PartialDetails: the execution alone. Then the methods below raise ServerUnavailable.
        """
        return await self._port.describe(self.id)

    async def status(self) -> ExecutionStatus:
        """Where it stands. Raises NotFound."""
        return (await self.describe()).status

    async def tasks(self) -> list[TaskRecord]:
        """Its tasks, in the order in which they were scheduled."""
        return [TaskRecord(view) for view in (await self._whole()).tasks]

    async def children(self) -> list[ChildView]:
        """The agents that it spawned, in order, as they stand; ``client.handle(child.execution_id)`` tells more."""
        return list((await self._whole()).children)

    async def entries(self) -> list[LoadedMessage]:
        """Its conversation, oldest first."""
        return loaded_messages((await self._whole()).entries)

    async def checkpoints(self) -> list[CheckpointView]:
        """Its checkpoints, oldest first."""
        return list((await self._whole()).checkpoints)

    async def _whole(self) -> ExecutionDetails:
        details = await self.details()
        if isinstance(details, PartialDetails):
            raise ServerUnavailable(details.missing)
        return details

    async def history(self) -> History:
        """Everything that happened to it, in order."""
        return History(await self._port.history(self.id))

    async def follow(self, after: int = 0, *, output: bool = False) -> AsyncGenerator[HistoryEvent | StreamEvent, None]:
        """Its history so far, then each event as it happens, and what its code streams, to its end.

        Args:
            after: the number of the last event that is known already; 0 begins with the first.
            output: whether to begin with what its programs wrote so far, as events of kind ``output``: the last 1 MiB
                of each task's, and ``left_out`` in the first of them says how much came before. What comes later
                follows without a gap.

        Raises:
            NotFound: no such execution.
            ServerUnavailable: nothing comes any more.
        """
        async for seen in self._port.follow(self.id, after, output=output):
            yield seen if isinstance(seen, HistoryEvent) else _streamed(seen)

    async def signal(self, name: str, value: Any = None) -> None:
        """Send it a signal.

        Raises:
            InvalidInput: an empty name, or a value that is not JSON.
            PayloadTooLarge: the value is larger than the limit.
            ExecutionEnded: it takes no signals any more.
            NotFound: no such execution.
        """
        name = checked_text(name, "a signal's name")
        payload = encode(value, what=f"signal {name!r}", limit=self._payload_limit)
        with calling("signal execution", {EXECUTION_ID: self.id, "rescind.signal": name}):
            await self._port.signal_execution(self.id, name, payload)

    async def retry(self, reason: str | None = None) -> int:
        """Let a workflow that has failed go on from its log, for instance when its code was mended.

        What ended or came due while it was not there is told to it now; a `timeout` that it was started with begins
        anew.

        Args:
            reason: why, in words; its history and its log tell it.

        Returns:
            How often it was let go on, this time counted.

        Raises:
            RequestError: it has not ended, or is an agent.
            ExecutionEnded: it has completed, or was cancelled.
            NotFound: no such execution.
            NotSupported: this backend has no workflows, or lets none go on.
        """
        reason = checked_reason(reason)
        with calling("retry execution", {EXECUTION_ID: self.id}):
            return await workflow_port(self._port).retry_workflow(self.id, reason or "")

    async def cancel(self, reason: str | None = None, *, hard: bool = False) -> CancelTaskResult:
        """Cancel it: its code is told, its work is stopped; `result()` tells when it has ended.

        Args:
            reason: why, in words; its code, its tasks and its history see them.
            hard: end it at once, without its clean-up, and its work without its grace. Asked behind another cancel, it
                ends by force what is being stopped already.

        Returns:
            What the request met. CANCELLED: this request began the cancellation.

        Raises:
            InvalidInput: `reason` is no text, or too long.
        """
        reason = checked_reason(reason)
        with calling("cancel execution", {EXECUTION_ID: self.id}):
            return await self._port.cancel_execution(self.id, reason, hard=hard)

    async def cancel_task(
        self, task_id: UUID | str, reason: str | None = None, *, mode: CancelMode = CancelMode.TRY
    ) -> CancelTaskResult:
        """Cancel one of its tasks from outside.

        Args:
            task_id: which.
            reason: why, in words.
            mode: how; with WAIT the answer comes when its work has decided. FORCE leaves no grace, also where it
                is being stopped already.

        Raises:
            InvalidInput: `task_id` is no UUID, `reason` is no text, `mode` is no mode.
        """
        how = checked_choice(CancelMode, mode, "mode")
        wanted, reason = checked_task_id(task_id), checked_reason(reason)
        with calling("cancel task", {EXECUTION_ID: self.id, TASK_ID: wanted}):
            return await self._port.cancel_task(self.id, wanted, reason, how)

    def __repr__(self) -> str:
        return f"<ExecutionHandle {self.id!r}>"


def _streamed(event: StreamedEvent) -> StreamEvent:
    value = decode(event.value, None, what=f"streamed {event.kind}")
    return StreamEvent(event.kind, value, UUID(event.task_id) if event.task_id is not None else None)


class BaseClient(WorkflowCalls):
    """Starts executions and finds them again: what every client can do, near or far from its engine."""

    def __init__(self, port: ClientPort, *, payload_limit: int = DEFAULT_PAYLOAD_LIMIT) -> None:
        self._port = port
        self._payload_limit = payload_limit

    @overload
    async def start(
        self,
        agent: AgentDefinition[InputT, OutputT] | WorkflowDefinition[InputT, OutputT],
        agent_input: InputT = ...,
        /,
        *,
        id: str | None = None,
        queue: str = DEFAULT_QUEUE,
        labels: Mapping[str, str] | None = None,
    ) -> ExecutionHandle[OutputT]: ...

    @overload
    async def start(
        self,
        agent: str,
        agent_input: Any = None,
        /,
        *,
        id: str | None = None,
        queue: str = DEFAULT_QUEUE,
        labels: Mapping[str, str] | None = None,
    ) -> ExecutionHandle[Any]: ...

    async def start(
        self,
        agent: AgentDefinition[Any, Any] | WorkflowDefinition[Any, Any] | str,
        agent_input: Any = None,
        /,
        *,
        id: str | None = None,
        queue: str = DEFAULT_QUEUE,
        labels: Mapping[str, str] | None = None,
    ) -> ExecutionHandle[Any]:
        """Start an agent or a workflow; it exists, durably, when this returns.

        Args:
            agent: its definition, or a kind. A kind is that of a workflow if the queue's workers run it as a workflow
                and none as an agent; else that of an agent. `start_workflow` does not ask them.
            agent_input: its input.
            id: its id, which makes the start repeatable: the same id, kind and input are the same execution.
            queue: where it is put.
            labels: free text by name.

        Raises:
            InvalidInput: the input is not JSON or not of the declared type; the id, the queue or a label is no text,
                too long, or empty.
            AlreadyExists: another execution has that id.
        """
        if isinstance(agent, WorkflowDefinition):
            return await self.start_workflow(agent, agent_input, id=id, queue=queue, labels=labels)
        if id is not None:
            id = checked_text(id, "an execution's id")
        queue = checked_text(queue, "a queue's name")
        if isinstance(agent, AgentDefinition):
            kind, result_type = agent.kind, agent.output_type
            payload = agent.encode_input(agent_input, limit=self._payload_limit)
        elif isinstance(agent, str) and agent:
            kind, result_type = checked_text(agent, "an agent's kind"), None
            payload = encode(agent_input, what=f"input of agent {agent!r}", limit=self._payload_limit)
        else:
            raise InvalidInput(f"start() was given {agent!r}. Give it a function decorated with @agent, or a kind.")
        labels = checked_labels(labels or {})
        with calling(f"start {kind}", {}) as note:
            execution_id = await self._port.start_execution(
                kind,
                payload,
                execution_id=id,
                queue=queue,
                labels=labels,
                or_workflow=isinstance(agent, str),
            )
            note(EXECUTION_ID, execution_id)
        return ExecutionHandle(self._port, execution_id, result_type, self._payload_limit)

    def handle(self, execution_id: str, result_type: Any = None) -> ExecutionHandle[Any]:
        """The handle of an execution that was started before. Whether it exists shows when it is used."""
        return ExecutionHandle(self._port, execution_id, result_type, self._payload_limit)
