"""Questions and requests to the workflow of an execution, and why it did not answer, if it did not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WorkflowExecutionDescription,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from rescind.errors import NotFound, RescindError, ServerUnavailable, UnknownKind
from rescind.model.ids import ExecutionId
from rescind.model.status import CancelTaskResult
from rescind.temporal.connecting import error_of
from rescind.temporal.names import ANSWER_QUERY, PROMISE_UPDATE, UNKNOWN_KIND
from rescind.temporal.payloads import AnswerPart, part_from_temporal, record_from_json, record_to_temporal
from rescind.temporal.records import PageRequest, PromiseRequest

RecordT = TypeVar("RecordT")

SOON: Final = 3.0
"""For how long, in seconds, one waits for a worker that may not be there, where there is something else to be told."""

_NO_ANSWER: Final = frozenset({RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})
_TURN_FAILED: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED


class Asking:
    """Asks workflows.

    Attributes:
        client: the connection.
    """

    def __init__(self, client: Client, timeout: float) -> None:
        """For one cluster and namespace.

        Args:
            client: the connection.
            timeout: how long an answer may take, in seconds.
        """
        self.client = client
        self.timeout = timedelta(seconds=timeout)

    def handle(
        self, execution_id: ExecutionId, run_id: str | None = None, result_type: type[Any] | None = None
    ) -> WorkflowHandle[Any, Any]:
        """The workflow of an execution: its last run, or another one."""
        return self.client.get_workflow_handle(execution_id, run_id=run_id, result_type=result_type)

    async def describe(self, execution_id: ExecutionId) -> WorkflowExecutionDescription:
        """The last run of its workflow as Temporal shows it. No worker is asked.

        Raises:
            NotFound: no such execution.
        """
        try:
            return await self.handle(execution_id).describe(rpc_timeout=self.timeout)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise _no_execution(execution_id) from None
            raise error_of(error, f"execution {execution_id!r}") from error

    async def page(
        self,
        execution_id: ExecutionId,
        query: str,
        page_type: type[RecordT],
        after: int = 0,
        run_id: str | None = None,
    ) -> RecordT:
        """A page of what a query answers, behind the first `after`.

        One thing may be too large for an answer: then the page comes in parts. If it has changed between two of them,
        it is fetched anew.

        Raises:
            NotFound: no such execution.
            UnknownKind: the workers of its task queue do not know its agent.
            ServerUnavailable: nobody answered in time; for an execution that has ended that is soon.
        """
        read = bytearray()
        digest = b""
        while True:
            part = await self._part(execution_id, query, PageRequest(after, len(read)), run_id)
            if read and part.digest != digest:
                digest = b""
                read.clear()
                if part.digest:
                    continue
            read += part.data
            digest = part.digest
            if len(read) >= part.size:
                return record_from_json(bytes(read), page_type)

    async def _part(self, execution_id: ExecutionId, query: str, asked: PageRequest, run_id: str | None) -> AnswerPart:
        question = asyncio.ensure_future(
            self.handle(execution_id, run_id).query(
                query, args=[record_to_temporal(asked)], result_type=RawValue, rpc_timeout=self.timeout
            )
        )
        try:
            await asyncio.wait([question], timeout=SOON)
            if not question.done() and await self._has_closed(execution_id, run_id):
                raise ServerUnavailable(
                    f"execution {execution_id!r} has ended, and no worker answered within {SOON:g} s for what it did: "
                    "its tasks, entries and history. Start one on its task queue, and try again."
                )
            return part_from_temporal(await question)
        except (WorkflowQueryFailedError, WorkflowQueryRejectedError) as error:
            text = f"execution {execution_id!r} could not be asked: {error}. See its workers' log."
            raise ServerUnavailable(text) from error
        except RPCError as error:
            raise await self._why_not(execution_id, error) from error
        finally:
            question.cancel()

    async def _has_closed(self, execution_id: ExecutionId, run_id: str | None) -> bool:
        found = await self.handle(execution_id, run_id).describe(rpc_timeout=self.timeout)
        return found.close_time is not None

    async def cancel(self, execution_id: ExecutionId, reason: str) -> bool:
        """Ask for a cancel as Temporal does it; False if there is no such workflow, or it has closed."""
        try:
            await self.handle(execution_id).cancel(reason=reason, rpc_timeout=self.timeout)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise error_of(error, f"a cancel of execution {execution_id!r}") from error
        return True

    async def request(
        self, execution_id: ExecutionId, name: str, asked: Any, *, waits: bool = False
    ) -> CancelTaskResult | None:
        """What an update answers; None if its workflow takes none any more, or there is no such.

        Args:
            execution_id: the execution.
            name: the update.
            asked: its argument.
            waits: whether the answer may take as long as it wants.

        Raises:
            UnknownKind: the workers of its task queue do not know its agent.
            ServerUnavailable: nobody answered in time.
        """
        try:
            answer = await self.handle(execution_id).execute_update(
                name, record_to_temporal(asked), result_type=str, rpc_timeout=None if waits else self.timeout
            )
        except WorkflowUpdateFailedError:
            # It ended in the very turn in which the request came.
            return None
        except RPCTimeoutOrCancelledError as error:
            raise await self._stuck(execution_id) from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise await self._why_not(execution_id, error) from error
        return CancelTaskResult(answer)

    async def settle_promise(self, execution_id: ExecutionId, asked: PromiseRequest) -> bool:
        """Whether a request settled a promise of a workflow; False if it was settled before.

        Raises:
            NotFound: no such open workflow, or it has not created that promise.
            UnknownKind: the workers of its task queue do not know it.
            ServerUnavailable: nobody answered in time.
        """
        try:
            answer: bool = await self.handle(execution_id).execute_update(
                PROMISE_UPDATE, record_to_temporal(asked), result_type=bool, rpc_timeout=self.timeout
            )
        except WorkflowUpdateFailedError as error:
            said = error.cause.message if isinstance(error.cause, ApplicationError) else "it has ended"
            raise NotFound(said) from None
        except RPCTimeoutOrCancelledError as error:
            raise await self._stuck(execution_id) from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NotFound(f"no open workflow {execution_id!r}. Check the id.") from None
            raise await self._why_not(execution_id, error) from error
        return answer

    async def answer(self, execution_id: ExecutionId, request_id: str) -> CancelTaskResult | None:
        """What a request was answered that came by Temporal's own cancel; None if nobody knows of it."""
        try:
            answered = await self.handle(execution_id).query(
                ANSWER_QUERY, request_id, result_type=str, rpc_timeout=self.timeout
            )
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
            return None
        return CancelTaskResult(answered) if answered else None

    async def problem_of(self, execution_id: ExecutionId) -> str:
        """Why the workflow cannot take its turn, in words; empty if it can, as far as anybody knows."""
        return str(await self._last_problem(execution_id) or "")

    async def ensure_known(self, execution_id: ExecutionId) -> None:
        """Raises UnknownKind if the last turn of its workflow failed since no agent of its kind was there."""
        problem = await self._last_problem(execution_id)
        if isinstance(problem, UnknownKind):
            raise problem

    async def _why_not(self, execution_id: ExecutionId, error: RPCError) -> RescindError:
        if error.status is RPCStatusCode.NOT_FOUND:
            return _no_execution(execution_id)
        if error.status in _NO_ANSWER or error.status is RPCStatusCode.FAILED_PRECONDITION:
            return await self._stuck(execution_id)
        return error_of(error, f"a question to execution {execution_id!r}")

    async def _stuck(self, execution_id: ExecutionId) -> RescindError:
        return await self._last_problem(execution_id) or ServerUnavailable(
            f"no worker answered for execution {execution_id!r} within {self.timeout.total_seconds():g} s. Start one "
            "on its task queue, and try again; nothing that was accepted is lost."
        )

    async def _last_problem(self, execution_id: ExecutionId) -> RescindError | None:
        """Why the workflow cannot take its turn; None if it can, as far as anybody knows."""
        try:
            described = await self.handle(execution_id).describe(rpc_timeout=self.timeout)
            if described.raw_description.pending_workflow_task.attempt <= 1:
                return None
            failures = [
                event.workflow_task_failed_event_attributes.failure
                async for event in self.handle(execution_id).fetch_history_events(rpc_timeout=self.timeout)
                if event.event_type == _TURN_FAILED
            ]
        except RPCError:
            return None
        if not failures:
            return None
        said = failures[-1].message
        if failures[-1].application_failure_info.type == UNKNOWN_KIND:
            return UnknownKind(f"execution {execution_id!r} waits for a worker that knows its agent: {said}")
        return ServerUnavailable(f"execution {execution_id!r} cannot go on until other code is deployed: {said}")


def _no_execution(execution_id: ExecutionId) -> NotFound:
    return NotFound(f"no execution {execution_id!r}. Check the id, or list the executions.")
