"""Callers of a cluster: ``async with TemporalClient("localhost:7233") as client``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, NoReturn, Self
from uuid import UUID

from temporalio.client import Client

from rescind.client.client import TASK_ID, BaseClient, ExecutionHandle
from rescind.errors import NotSupported, RescindError
from rescind.model.audit import AuditFilter, AuditRecord
from rescind.model.commands import StartExecution
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId
from rescind.model.overviews import CancelReach, ListedTask, ServerFacts, Stuck, WorkerView
from rescind.model.status import CancelMode, CancelTaskResult
from rescind.model.texts import checked_choice, checked_reason, checked_task_id
from rescind.model.views import ExecutionView
from rescind.settings import user_name
from rescind.telemetry.traces import calling
from rescind.temporal.client_port import DEFAULT_TIMEOUT, TemporalClientPort
from rescind.temporal.connecting import connect
from rescind.temporal.finding import PAGE, Finding, ensure_labels_are_found
from rescind.temporal.names import PAYLOAD_LIMIT
from rescind.temporal.overseeing import Overseeing


class TemporalClient(BaseClient):
    """A client of a cluster, with the surface of a server's `Client`. Use it as an async context manager."""

    def __init__(
        self,
        address: str | None = None,
        *,
        namespace: str | None = None,
        client: Client | None = None,
        by: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        payload_limit: int = PAYLOAD_LIMIT,
        **connect_options: Any,
    ) -> None:
        """Make a client; entering it connects.

        Args:
            address: the cluster's ``host:port``; None takes it from ``TEMPORAL_ADDRESS`` or Temporal's configuration
                file, or else localhost:7233.
            namespace: the namespace, looked up likewise.
            client: a connection that is open already, instead of all that says where to connect.
            by: who calls, for histories; else the name of the operating system's user.
            timeout: how long a call that does not wait may take, in seconds.
            payload_limit: the largest payload in bytes.
            connect_options: what else `temporalio.client.Client.connect` takes: ``tls``, ``api_key`` and so on.
        """
        self._address, self._namespace, self._given = address, namespace, client
        self._connect_options = connect_options
        self._by = by or f"client:{user_name()}"
        self._timeout = timeout
        self._remote: TemporalClientPort | None = None
        self._payload_limit = payload_limit

    async def __aenter__(self) -> Self:
        connected = self._given or await connect(self._address, self._namespace, **self._connect_options)
        self._remote = TemporalClientPort(
            connected,
            self._by,
            timeout=self._timeout,
            finds_labels=await ensure_labels_are_found(connected),
            payload_limit=self._payload_limit,
        )
        super().__init__(self._remote, payload_limit=self._payload_limit)
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def port(self) -> TemporalClientPort:
        """The open port. Only inside the block."""
        assert self._remote is not None, "the client is not open: enter it with `async with`"
        return self._remote

    async def close(self) -> None:
        """Be of no use any more. Executions go on; Temporal's connection closes itself when nobody refers to it."""
        self._remote = None

    @property
    def address(self) -> str:
        """The cluster's ``host:port``. Only inside the block."""
        return self.port.client.service_client.config.target_host

    @property
    def webhooks(self) -> NoReturn:
        """A cluster has none.

        Raises:
            NotSupported: always.
        """
        raise NotSupported("a Temporal cluster sends no webhooks. Follow the executions, or have a task call.")

    async def start_many(self, starts: Iterable[StartExecution]) -> list[ExecutionHandle[Any] | RescindError]:
        """Start several agents; all exist, durably, when this returns. A cluster takes them one by one.

        Returns:
            In their order a handle for each, or what it was refused with.
        """
        with calling("start many", {}):
            started = await self.port.start_many(starts)
        return [each if isinstance(each, RescindError) else self.handle(each) for each in started]

    async def list_page(
        self, selection: ExecutionFilter | None = None, *, page_size: int = PAGE, page_token: str = ""
    ) -> tuple[Sequence[ExecutionView], str]:
        """A page of the executions that a filter selects, as `list` gives them.

        Args:
            selection: which; None is all.
            page_size: how many at most: 1 to 1000. A page may have fewer, also before the last.
            page_token: what came with the page before; "" begins.

        Returns:
            The executions, and the token of the next page; "" if this is the last.

        Raises:
            InvalidInput: a page size or token that cannot be meant.
            NotSupported: a filter that a cluster cannot carry out: by worker or organisation.
        """
        return await Finding(self.port).executions_page(selection or ExecutionFilter(), page_size, page_token)

    async def list(self, selection: ExecutionFilter | None = None) -> AsyncGenerator[ExecutionView, None]:
        """All executions that a filter selects, the newest first; fetched in pages, as they are read.

        The cluster's list lags behind by up to a second or two, and knows of no payloads: those of a view are null. An
        execution at work shows as RUNNING, also while it waits.

        Raises:
            NotSupported: a filter that a cluster cannot carry out: by worker or organisation.
        """
        async for view in Finding(self.port).executions(selection or ExecutionFilter()):
            yield view

    async def tasks_page(
        self, selection: TaskFilter | None = None, *, page_size: int = PAGE, page_token: str = ""
    ) -> tuple[Sequence[ListedTask], str]:
        """A page of the tasks that a filter selects: the newest execution first, each with its tasks in their order.

        Args:
            selection: which; None is all tasks of open executions. One that names an execution selects its tasks also
                when it has ended.
            page_size: how many at most: 1 to 1000.
            page_token: what came with the page before; "" begins.

        Returns:
            The tasks, each with its stop state, and the token of the next page; "" if this is the last.

        Raises:
            InvalidInput: a page size or token that cannot be meant.
            NotFound: the filter names an execution that there is not.
            NotSupported: a filter that a cluster cannot carry out: by worker or organisation.
            ServerUnavailable: no worker answered for the execution that the filter names.
            NotAllAnswered: some executions did not answer within 3 s. Raised behind the last page.
        """
        return await Finding(self.port).tasks_page(selection or TaskFilter(), page_size, page_token)

    async def tasks(self, selection: TaskFilter | None = None) -> AsyncGenerator[ListedTask, None]:
        """All tasks of open executions that a filter selects; each execution is asked for its own.

        Raises:
            NotAllAnswered: some executions did not answer within 3 s. Raised behind all that was found.
        """
        async for listed in Finding(self.port).tasks(selection or TaskFilter()):
            yield listed

    async def workers(self) -> AsyncGenerator[WorkerView, None]:
        """The workers that poll the task queues of open executions, or did so in the last minutes, by their identities.

        A cluster tells their queues and when they polled last. The other fields are empty and 0.
        """
        async for worker in Overseeing(self.port).workers():
            yield worker

    async def audit(self, selection: AuditFilter | None = None) -> AsyncGenerator[AuditRecord, None]:
        """A cluster keeps no audit trail of executions.

        Raises:
            NotSupported: always.
        """
        raise NotSupported(
            "a Temporal cluster keeps no audit trail of executions. Who asked for what is in the history of each: "
            "handle(id).history()."
        )
        yield  # so that it is a generator, as with a server

    async def stuck(self, *, limit: int = PAGE, quiet_ms: int | None = None) -> Stuck:
        """What does not go on by itself: tasks that do not stop, work that no worker takes, agents whose turns fail.

        Up to 1,000 open executions are asked; those that no worker answers for within 3 s are left out. Of
        work that waits, a cluster tells the queue and not the kind, which is ``*``.

        Args:
            limit: how many tasks to show at most: 1 to 1000.
            quiet_ms: also show running tasks that gave no sign of life for so long; None shows none.
        """
        return await Overseeing(self.port).stuck(limit, quiet_ms)

    async def server_facts(self) -> ServerFacts:
        """The cluster, as far as it says anything of itself: its version, its store, and how much there is in it.

        The time is this process's; since when it runs, and how many attempts, a cluster does not say: both are 0.
        """
        return await Overseeing(self.port).facts()

    async def count(self, selection: ExecutionFilter | TaskFilter) -> int:
        """How many `cancel_where` with the same filter would ask to stop now.

        Raises:
            NotAllAnswered: some executions did not tell of their tasks; its `found` is how many the others have.
        """
        return await Finding(self.port).count(selection)

    async def reach(self, selection: ExecutionFilter | TaskFilter, *, hard: bool = False) -> CancelReach:
        """Not on a cluster.

        Raises:
            NotSupported: always.
        """
        raise NotSupported("a Temporal cluster does not tell what lies below many executions. Ask for their `count`.")

    async def cancel_task(
        self,
        task_id: UUID | str,
        reason: str | None = None,
        *,
        mode: CancelMode = CancelMode.TRY,
        execution_id: str = "",
    ) -> CancelTaskResult:
        """Cancel one task, of whichever execution it is.

        Args:
            task_id: which.
            reason: why, in words.
            mode: how; with WAIT the answer comes when its work has decided. FORCE leaves its work no grace, also if it
                is being stopped already.
            execution_id: the execution that it belongs to. A cluster knows no tasks: without it, open executions are
                asked one by one.

        Raises:
            InvalidInput: `task_id` is no UUID, `reason` is no text, `mode` is no mode.
        """
        how = checked_choice(CancelMode, mode, "mode")
        wanted, reason = checked_task_id(task_id), checked_reason(reason)
        with calling("cancel task", {TASK_ID: wanted}):
            holder = execution_id or await Finding(self.port).holder_of(wanted)
            if holder is None:
                return CancelTaskResult.NOT_FOUND
            return await self.port.cancel_task(ExecutionId(holder), wanted, reason, how)

    async def cancel_where(
        self, selection: ExecutionFilter | TaskFilter, reason: str | None = None, *, hard: bool = False
    ) -> AsyncGenerator[Mapping[CancelTaskResult, int], None]:
        """Cancel all executions, or all tasks, that a filter selects. Repeating it is harmless.

        Args:
            selection: which; without statuses, what is open.
            reason: why, in words.
            hard: end executions at once, without their clean-up, and the work of tasks without its grace.

        Yields:
            After each step how many requests met which result so far; the last is the whole.

        Raises:
            NotAllAnswered: some executions did not tell of their tasks. Raised behind the last counts.
        """
        async for counts in Finding(self.port).cancel(selection, checked_reason(reason), hard=hard):
            yield counts
