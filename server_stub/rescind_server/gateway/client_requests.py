"""What callers ask, over any wire: checked against who they are, and turned into the engine's commands.

An operator sees and cancels everything of its organisation; a client what it started itself (cancellation.md, section
8). What a client did not start and what does not exist are one thing to it, in the same words.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from rescind.errors import AlreadyExists, InvalidInput, NotFound, NotPermitted, RescindError
from rescind.errors.named import named_error
from rescind.model.audit import AuditFilter, AuditRecord
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import (
    CancelAnswered,
    CancelExecution,
    CancelTaskFromOutside,
    FromClient,
    Refused,
    Reply,
    SignalExecution,
    Signalled,
    Started,
    StartExecution,
)
from rescind.model.events import EXECUTION_ENDS
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId, TaskId, WorkerId
from rescind.model.overviews import CancelReach, ListedTask, RunningWork, ServerFacts, Stuck, WorkerView
from rescind.model.payload import Payload
from rescind.model.status import TERMINAL_EXECUTION, CancelMode, CancelTaskResult, ExecutionStatus
from rescind.model.texts import LONGEST_TEXT
from rescind.model.views import ExecutionDetails, ExecutionView
from rescind.model.workflows import RetryWorkflow, StartWorkflow, WorkflowRetried
from rescind_server.access.tokens import Role
from rescind_server.gateway import organisations
from rescind_server.gateway.identity import Caller
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.starts import StartRequest, start_command
from rescind_server.host.driver import Host
from rescind_server.host.queries import Queries

PAGE: Final = 100
"""How many a page has, unless asked otherwise."""
LARGEST_PAGE: Final = 1_000
FilterT = TypeVar("FilterT", ExecutionFilter, TaskFilter)
_WHO_LOOK: Final = (Role.CLIENT, Role.VIEWER, Role.OPERATOR)


class ClientRequests:
    """Carries out what callers ask. Ids in and out are those that the caller knows."""

    def __init__(self, host: Host, queries: Queries, limits: Limits) -> None:
        self._host = host
        self._queries = queries
        self._limits = limits

    async def start(
        self, caller: Caller, request: StartRequest, *, own_labels: Mapping[str, str] | None = None
    ) -> Started:
        """Start an agent or a workflow, or find what this very request started before.

        Args:
            caller: who asks.
            request: what to start.
            own_labels: labels of the server's own, beside those that the caller gives.

        Raises:
            InvalidInput: an empty or too long name.
            PayloadTooLarge: its input is.
            AlreadyExists: another request, or another caller, has this id.
        """
        caller.require(Role.CLIENT, Role.OPERATOR)
        command = start_command(caller, request, self._limits, own_labels or {})
        result = await self._started(caller, command, await self._host.ask(command))
        if isinstance(result, RescindError):
            raise result
        return result

    async def start_many(self, caller: Caller, requests: Sequence[StartRequest]) -> Sequence[Started | RescindError]:
        """Start agents and workflows in one commit; returns for each what `start` returns or raises.

        Raises:
            InvalidInput: one of them cannot be meant; none was started.
        """
        caller.require(Role.CLIENT, Role.OPERATOR)
        if len(requests) > self._limits.starts:
            raise InvalidInput(f"{len(requests)} starts at once; at most {self._limits.starts} are taken.")
        commands = [start_command(caller, request, self._limits) for request in requests]
        # Asked in one turn of the event loop, they are one turn of the host, and one commit.
        replies = await self._host.ask_all(commands)
        return [await self._started(caller, *each) for each in zip(commands, replies, strict=True)]

    async def details(self, caller: Caller, execution_id: str) -> ExecutionDetails:
        """An execution with all that belongs to it. Raises NotFound."""
        caller.require(*_WHO_LOOK)
        details = await self._visible(caller, execution_id)
        if details is None:
            raise not_found(execution_id)
        return organisations.outer_details(details)

    async def list_executions(
        self, caller: Caller, selection: ExecutionFilter, page_size: int, page_token: str
    ) -> tuple[Sequence[ExecutionView], str]:
        """A page of what a filter selects, the newest first, and the next page's token; "" ends."""
        _check_size(page_size)
        own = self._own_executions(caller, selection)
        views, token = await self._queries.list_executions(own, page_size, page_token)
        return [organisations.outer_execution(view) for view in views], token

    def may_see(self, caller: Caller, created_by: str | None) -> str | None:
        """Whose executions a caller sees that wants those of `created_by`; None is everybody's of its organisation.

        Raises NotPermitted: those of another.
        """
        return self._started_by(caller, ExecutionFilter(created_by=created_by)).created_by

    async def list_tasks(
        self, caller: Caller, selection: TaskFilter, page_size: int, page_token: str
    ) -> tuple[Sequence[ListedTask], str]:
        """A page of the tasks that a filter selects, and the next page's token; "" ends.

        Raises:
            InvalidInput: a page size or token that cannot be meant.
            NotFound: the filter names an execution that there is not.
        """
        _check_size(page_size)
        own = self._own_tasks(caller, selection)
        if selection.execution_id is not None and await self._visible(caller, selection.execution_id) is None:
            raise not_found(selection.execution_id)
        listed, token = await self._queries.list_tasks(own, page_size, page_token)
        return [organisations.outer_listed(each) for each in listed], token

    async def list_workers(self, caller: Caller, page_size: int, page_token: str) -> tuple[Sequence[WorkerView], str]:
        """A page of the organisation's workers, and the next page's token; for operators and viewers."""
        caller.require(Role.VIEWER, Role.OPERATOR)
        _check_size(page_size)
        token = organisations.inner(caller.organisation, page_token) if page_token else ""
        own: list[WorkerView] = []
        while len(own) <= page_size:
            workers, token = await self._queries.list_workers(LARGEST_PAGE, token)
            own += [
                organisations.outer_worker(each)
                for each in workers
                if organisations.belongs(caller.organisation, each.worker_id)
            ]
            if not token:
                break
        page = own[:page_size]
        return page, page[-1].worker_id if len(own) > page_size else ""

    async def work_of(
        self, caller: Caller, worker_ids: Iterable[str], most: int
    ) -> Mapping[str, Sequence[RunningWork]]:
        """What each of these workers of the organisation runs now, at most so many; for operators and viewers."""
        caller.require(Role.VIEWER, Role.OPERATOR)
        inner_ids = [WorkerId(organisations.inner(caller.organisation, each)) for each in worker_ids]
        found = await self._queries.work_of(inner_ids, most)
        return {organisations.outer(each): [organisations.outer_work(one) for one in found[each]] for each in found}

    async def stuck(self, caller: Caller, limit: int, quiet_ms: int | None) -> Stuck:
        """What of the organisation does not go on by itself; for operators and viewers."""
        caller.require(Role.VIEWER, Role.OPERATOR)
        _check_size(limit)
        stuck = await self._queries.stuck(limit, quiet_ms=quiet_ms, organisation=caller.organisation)
        return Stuck(
            tasks=tuple(organisations.outer_stuck(each) for each in stuck.tasks),
            task_count=stuck.task_count,
            waiting=tuple(
                organisations.outer_waiting(each)
                for each in stuck.waiting
                if organisations.belongs(caller.organisation, each.queue)
            ),
            parked=tuple(
                organisations.outer_parked(each)
                for each in stuck.parked
                if organisations.belongs(caller.organisation, each.execution_id)
            ),
        )

    async def list_audit(
        self, caller: Caller, selection: AuditFilter, page_size: int, page_token: str
    ) -> tuple[Sequence[AuditRecord], str]:
        """A page of who asked for what in the organisation, and the next page's token. For operators."""
        caller.require(Role.OPERATOR)
        _check_size(page_size)
        if selection.execution_id is not None:
            inner_id = organisations.inner_id(caller.organisation, selection.execution_id)
            selection = msgspec.structs.replace(selection, execution_id=inner_id)
        records, token = await self._queries.audit.page(caller.organisation, selection, page_size, page_token)
        return [organisations.outer_audit(each) for each in records], token

    async def facts(self, caller: Caller) -> ServerFacts:
        """The server, as it says of itself; for operators."""
        caller.require(Role.OPERATOR)
        return await self._queries.facts()

    async def reach(self, caller: Caller, selection: ExecutionFilter | TaskFilter, *, hard: bool) -> CancelReach:
        """What would be cancelled, and told to stop, if all that a filter selects were cancelled, `hard` by force."""
        caller.require(Role.CLIENT, Role.OPERATOR)
        own = (
            self._own_executions(caller, selection)
            if isinstance(selection, ExecutionFilter)
            else self._own_tasks(caller, selection)
        )
        return await self._queries.reach(own, hard=hard)

    async def counts(self, caller: Caller, selection: ExecutionFilter) -> Mapping[ExecutionStatus, int]:
        """How many executions there are of each status, of those that a filter selects."""
        return await self._queries.counts(self._own_executions(caller, selection))

    async def count_stopping(self, caller: Caller, selection: ExecutionFilter) -> int | None:
        """How many of them have ended while something of them is still being stopped; None if it cannot be told."""
        return await self._queries.count_stopping(self._own_executions(caller, selection))

    async def signal(self, caller: Caller, execution_id: str, name: str, value: Payload, by: str = "") -> Signalled:
        """Send a signal.

        Raises:
            NotPermitted: the caller may not, or there is no such execution.
            NotFound: there is no such execution.
            ExecutionEnded: it takes none any more.
        """
        self._limits.check_name(name, "the signal's name")
        self._limits.check_payload(value, f"signal {name!r}")
        inner_id = await self._may_act(caller, execution_id)
        reply = await self._ask(caller, SignalExecution(inner_id, name, value, caller.name_for(by)))
        assert isinstance(reply, Signalled)
        return reply

    async def retry(self, caller: Caller, execution_id: str, reason: str = "", by: str = "") -> int:
        """Let a workflow that has FAILED go on from its log; returns how often that was done, this time counted.

        Raises:
            NotPermitted: the caller may not, or for a client there is no such execution.
            NotFound: there is no such execution.
            ExecutionEnded: it has ended otherwise, or was cancelled before it failed.
            RequestError: it has not ended, or is an agent.
        """
        _check_reason(reason)
        inner_id = await self._may_act(caller, execution_id)
        reply = await self._ask(caller, RetryWorkflow(inner_id, reason, caller.name_for(by)))
        assert isinstance(reply, WorkflowRetried)
        return reply.attempt

    async def cancel_execution(
        self,
        caller: Caller,
        execution_id: str,
        reason: str | None = None,
        *,
        hard: bool = False,
        by: str = "",
        source: CancelSource = CancelSource.REQUEST,
    ) -> CancelTaskResult:
        """Cancel an agent. Raises NotPermitted: the caller may not, or for a client there is no such execution."""
        inner_id = await self._may_act(caller, execution_id)
        reply = await self._ask(caller, CancelExecution(inner_id, _cause(caller, reason, by, source), hard))
        assert isinstance(reply, CancelAnswered)
        return reply.result

    async def cancel_task(
        self,
        caller: Caller,
        execution_id: str | None,
        task_id: str,
        reason: str | None = None,
        mode: CancelMode = CancelMode.TRY,
        by: str = "",
    ) -> CancelTaskResult:
        """Cancel one task. With mode WAIT, answers when its work has decided.

        Args:
            caller: who asks.
            execution_id: the execution that it belongs to; None finds that by the task's id.
            task_id: the task: a UUID in text.
            reason: why, in words.
            mode: how.
            by: who asks, where nobody has to prove that.

        Raises:
            NotPermitted: the caller may not, or for a client there is no such task.
        """
        caller.require(Role.CLIENT, Role.OPERATOR)
        if execution_id is None:
            execution_id = await self.execution_of_task(caller, task_id)
        if execution_id is None:
            if not caller.is_operator:
                raise not_permitted(task_id)
            return CancelTaskResult.NOT_FOUND
        inner_id = await self._may_act(caller, execution_id)
        cause = _cause(caller, reason, by)
        reply = await self._ask(caller, CancelTaskFromOutside(inner_id, TaskId(task_id), cause, mode))
        assert isinstance(reply, CancelAnswered)
        return reply.result

    async def execution_of_task(self, caller: Caller, task_id: str) -> str | None:
        """The execution that a task belongs to, as this caller knows it; None if it sees no such task."""
        caller.require(*_WHO_LOOK)
        found = await self._queries.execution_of_task(TaskId(task_id))
        if found is None or not organisations.belongs(caller.organisation, found):
            return None
        execution_id = organisations.outer(found)
        return execution_id if await self._visible(caller, execution_id) is not None else None

    async def cancel_where(
        self, caller: Caller, selection: ExecutionFilter | TaskFilter, reason: str | None, *, hard: bool, by: str = ""
    ) -> AsyncIterator[Mapping[CancelTaskResult, int]]:
        """Cancel all that a filter selects, `hard` by force. Yields the counts so far, after each durable step."""
        caller.require(Role.CLIENT, Role.OPERATOR)
        cause = _cause(caller, reason, by)
        steps = (
            self._queries.cancel_executions(self._own_executions(caller, selection), cause, hard=hard)
            if isinstance(selection, ExecutionFilter)
            else self._queries.cancel_tasks(
                self._own_tasks(caller, selection), cause, CancelMode.FORCE if hard else CancelMode.TRY
            )
        )
        async for counts in steps:
            yield counts

    async def wait_ended(self, caller: Caller, execution_id: str) -> ExecutionView:
        """An execution, when it has ended. Raises NotFound."""
        inner_id = organisations.inner_id(caller.organisation, execution_id)
        async with self._host.watchers.subscribe(inner_id, EXECUTION_ENDS) as ends:
            view = (await self.details(caller, execution_id)).execution
            while view.status not in TERMINAL_EXECUTION:
                await ends.get()
                view = organisations.outer_execution(ends.ended) if ends.ended is not None else view
        return view

    def inner_id(self, caller: Caller, execution_id: str) -> ExecutionId:
        """The engine's name of an execution of this caller's organisation. Raises InvalidInput."""
        return organisations.inner_id(caller.organisation, execution_id)

    async def _started(
        self, caller: Caller, command: StartExecution | StartWorkflow, reply: Reply
    ) -> Started | RescindError:
        is_new = isinstance(reply, Started) and reply.created
        if not is_new and not caller.is_operator and command.execution_id is not None:
            chosen = organisations.outer(command.execution_id)
            if await self._visible(caller, chosen) is None:
                # Not how it was started: that is another caller's.
                return AlreadyExists(f"execution {chosen!r} exists. Choose another id.")
        if isinstance(reply, Refused):
            return _error_of(caller, reply)
        assert isinstance(reply, Started)
        return Started(ExecutionId(organisations.outer(reply.execution_id)), reply.created)

    async def _visible(self, caller: Caller, execution_id: str) -> ExecutionDetails | None:
        details = await self._host.details(organisations.inner_id(caller.organisation, execution_id))
        if details is None or caller.sees_all or details.execution.created_by == caller.by:
            return details
        return None

    async def _may_act(self, caller: Caller, execution_id: str) -> ExecutionId:
        caller.require(Role.CLIENT, Role.OPERATOR)
        if not caller.is_operator and await self._visible(caller, execution_id) is None:
            raise not_permitted(execution_id)
        return organisations.inner_id(caller.organisation, execution_id)

    def _own_executions(self, caller: Caller, selection: ExecutionFilter) -> ExecutionFilter:
        own = organisations.inner_execution_filter(caller.organisation, selection)
        return self._started_by(caller, own)

    def _own_tasks(self, caller: Caller, selection: TaskFilter) -> TaskFilter:
        own = organisations.inner_task_filter(caller.organisation, selection)
        return self._started_by(caller, own)

    def _started_by(self, caller: Caller, selection: FilterT) -> FilterT:
        caller.require(*_WHO_LOOK)
        if caller.sees_all:
            return selection
        if selection.created_by not in (None, caller.by):
            raise NotPermitted(f"{caller.by} sees what it started itself. Leave `created_by` out.")
        return msgspec.structs.replace(selection, created_by=caller.by)

    async def _ask(self, caller: Caller, command: FromClient | RetryWorkflow) -> Reply:
        reply = await self._host.ask(command)
        if isinstance(reply, Refused):
            raise _error_of(caller, reply)
        return reply


def not_found(execution_id: str) -> NotFound:
    """The refusal for an id that this caller does not have."""
    return NotFound(f"no execution {execution_id!r}. Check the id, or list the executions.")


def not_permitted(name: str) -> NotPermitted:
    """The refusal to act on what a client did not start, or what does not exist: it cannot tell which."""
    return NotPermitted(f"{name!r} is not yours to act on. Only who started an execution, or an operator, may do so.")


def _cause(caller: Caller, reason: str | None, by: str, source: CancelSource = CancelSource.REQUEST) -> CancelCause:
    _check_reason(reason)
    return CancelCause(source, caller.name_for(by), reason, caller.trace_parent)


def _check_reason(reason: str | None) -> None:
    if reason is not None and len(reason) > LONGEST_TEXT:
        raise InvalidInput(f"the reason has {len(reason)} characters; at most {LONGEST_TEXT} are taken.")


def _check_size(size: int) -> None:
    if not 1 <= size <= LARGEST_PAGE:
        raise InvalidInput(f"page_size is {size}. Give 1 to {LARGEST_PAGE}.")


def _error_of(caller: Caller, refused: Refused) -> RescindError:
    text = organisations.outer_text(caller.organisation, refused.message)
    return named_error(refused.error, text) or RescindError(text)
