"""Callers of a server: ``async with Client("localhost:7233") as client``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from rescind.client.client import TASK_ID, BaseClient, ExecutionHandle
from rescind.errors import RescindError
from rescind.model.audit import AuditFilter, AuditRecord
from rescind.model.commands import StartExecution
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId
from rescind.model.overviews import CancelReach, ListedTask, ServerFacts, Stuck, WorkerView
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT
from rescind.model.status import CancelMode, CancelTaskResult
from rescind.model.texts import checked_choice, checked_reason, checked_task_id
from rescind.model.views import ExecutionView
from rescind.settings import Tls, load_settings, tls_given, user_name
from rescind.telemetry.traces import calling

try:
    from rescind.client.webhooks import WebhookClient
    from rescind.transport.grpc_client import DEFAULT_TIMEOUT, GrpcConnection
    from rescind.transport.grpc_client_port import GrpcClientPort
except ImportError as error:
    raise ImportError(f"{error}. A server is reached with gRPC: pip install 'rescind[server]'") from error

_PAGE = 100


class Client(BaseClient):
    """A client of a server. Left as a context manager, or closed, its connection is gone.

    Attributes:
        address: the server's ``host:port``.
        webhooks: who is told over HTTP of what happens; for operators.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        token: str | None = None,
        by: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        patience: float = 60.0,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
        tls: Tls | bool | None = None,
        credentials: Any = None,
    ) -> None:
        """Make a client; the first call connects.

        Args:
            address: the server's ``host:port``; None takes that of the variable ``RESCIND_ADDRESS``, or else of
                ``rescind.toml``, or else 127.0.0.1:7233.
            token: what proves who calls; None takes that of ``RESCIND_TOKEN`` or ``rescind.toml``, if there is one.
            by: who calls, for histories; else the name of the operating system's user.
            timeout: how long a call that does not wait may take, in seconds.
            patience: how long a call that waits (``result``, ``follow``) may find no server, in seconds: it outlives a
                restart of the server.
            payload_limit: the largest payload in bytes.
            tls: the files of TLS; True trusts public authorities, False connects in the clear; None takes what
                ``RESCIND_TLS…`` or ``rescind.toml`` say, which is in the clear if they say nothing.
            credentials: gRPC's channel credentials, instead of `tls`.

        Raises:
            InvalidInput: the address is empty, ``rescind.toml`` cannot be meant, or a file of TLS cannot be used.
        """
        if address is None or token is None or (tls is None and credentials is None):
            settings = load_settings()
            address = settings.address if address is None else address
            token = settings.caller_token() if token is None else token
            tls = settings.client_tls() if tls is None else tls
        self.address = address
        self._connection = GrpcConnection(address, token=token, credentials=credentials, tls=tls_given(tls))
        name = by or f"client:{user_name()}"
        self._remote = GrpcClientPort(self._connection, name, timeout=timeout, patience=patience)
        self.webhooks = WebhookClient(self._connection, name, timeout)
        super().__init__(self._remote, payload_limit=payload_limit)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Executions go on; calls that still wait are cancelled."""
        await self._connection.close()

    async def start_many(self, starts: Iterable[StartExecution]) -> list[ExecutionHandle[Any] | RescindError]:
        """Start several agents at once; all exist, durably, when this returns.

        Returns:
            In their order a handle for each, or what it was refused with.
        """
        with calling("start many", {}):
            started = await self._remote.start_many(starts)
        return [each if isinstance(each, RescindError) else self.handle(each) for each in started]

    async def list_page(
        self, selection: ExecutionFilter | None = None, *, page_size: int = _PAGE, page_token: str = ""
    ) -> tuple[Sequence[ExecutionView], str]:
        """A page of the executions that a filter selects, the newest first.

        Args:
            selection: which; None is all.
            page_size: how many at most: 1 to 1000.
            page_token: what came with the page before; "" begins.

        Returns:
            The executions, and the token of the next page; "" if this is the last.

        Raises:
            InvalidInput: a page size or token that cannot be meant.
        """
        return await self._remote.list_executions(selection or ExecutionFilter(), page_size, page_token)

    async def list(self, selection: ExecutionFilter | None = None) -> AsyncGenerator[ExecutionView, None]:
        """All executions that a filter selects, the newest first; fetched in pages, as they are read."""
        token = ""
        while True:
            page, token = await self.list_page(selection, page_token=token)
            for view in page:
                yield view
            if not token:
                return

    async def tasks_page(
        self, selection: TaskFilter | None = None, *, page_size: int = _PAGE, page_token: str = ""
    ) -> tuple[Sequence[ListedTask], str]:
        """A page of the tasks that a filter selects, in the order of their executions' start, then of scheduling.

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
        """
        return await self._remote.list_tasks(selection or TaskFilter(), page_size, page_token)

    async def tasks(self, selection: TaskFilter | None = None) -> AsyncGenerator[ListedTask, None]:
        """All tasks that a filter selects, as `tasks_page` gives them; fetched in pages, as they are read."""
        token = ""
        while True:
            page, token = await self.tasks_page(selection, page_token=token)
            for listed in page:
                yield listed
            if not token:
                return

    async def workers(self) -> AsyncGenerator[WorkerView, None]:
        """The workers that are connected or may come back to their attempts, by their ids; fetched in pages."""
        token = ""
        while True:
            page, token = await self._remote.list_workers(_PAGE, token)
            for worker in page:
                yield worker
            if not token:
                return

    async def audit(self, selection: AuditFilter | None = None) -> AsyncGenerator[AuditRecord, None]:
        """Who asked for what, when and why, and what they were told; the last request first. For operators.

        Args:
            selection: which; None is all that the server still has.

        Yields:
            Each request; fetched in pages, as they are read.
        """
        token = ""
        while True:
            page, token = await self._remote.list_audit(selection or AuditFilter(), _PAGE, token)
            for record in page:
                yield record
            if not token:
                return

    async def stuck(self, *, limit: int = _PAGE, quiet_ms: int | None = None) -> Stuck:
        """What does not go on by itself: tasks that do not stop, work that no worker takes, parked agents.

        Args:
            limit: how many tasks to show at most: 1 to 1000.
            quiet_ms: also show running tasks that gave no sign of life for so long; None shows none.
        """
        return await self._remote.stuck(limit, quiet_ms)

    async def server_facts(self) -> ServerFacts:
        """The server, as it says of itself: its version, clock and store, and how much there is in it."""
        return await self._remote.server_facts()

    async def count(self, selection: ExecutionFilter | TaskFilter) -> int:
        """How many `cancel_where` with the same filter would ask to stop now."""
        return await self._remote.count(selection)

    async def reach(self, selection: ExecutionFilter | TaskFilter, *, hard: bool = False) -> CancelReach:
        """What `cancel_where` with the same filter would reach now: executions, all below them, and work.

        Args:
            selection: which; without statuses, what is open.
            hard: by force, which reaches what is being stopped already, too.
        """
        return await self._remote.reach(selection, hard=hard)

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
            mode: how; with WAIT the answer comes when its work has decided. FORCE leaves no grace, also where it
                is being stopped already.
            execution_id: the execution that it belongs to, which spares the server to look for it.

        Raises:
            InvalidInput: `task_id` is no UUID, `reason` is no text, `mode` is no mode.
        """
        how = checked_choice(CancelMode, mode, "mode")
        wanted, reason = checked_task_id(task_id), checked_reason(reason)
        with calling("cancel task", {TASK_ID: wanted}):
            return await self._remote.cancel_task(ExecutionId(execution_id), wanted, reason, how)

    async def cancel_where(
        self, selection: ExecutionFilter | TaskFilter, reason: str | None = None, *, hard: bool = False
    ) -> AsyncGenerator[Mapping[CancelTaskResult, int], None]:
        """Cancel all executions, or all tasks, that a filter selects. Repeating it is harmless.

        Args:
            selection: which; without statuses, what is open.
            reason: why, in words.
            hard: end executions at once, without their clean-up, and the work of tasks without its grace.

        Yields:
            After each durable step how many requests met which result so far; the last is the whole. Leaving the
            iterator ends the work after the step at hand.
        """
        async for counts in self._remote.cancel_where(selection, reason, hard=hard):
            yield counts
