"""Callers of a cluster: ``async with TemporalClient("localhost:7233") as client``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from temporalio.client import Client

from rescind.client.client import BaseClient
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId
from rescind.model.overviews import ListedTask
from rescind.model.status import CancelMode, CancelTaskResult
from rescind.model.texts import checked_choice, checked_reason, checked_task_id
from rescind.model.views import ExecutionView
from rescind.settings import user_name
from rescind.temporal.client_port import DEFAULT_TIMEOUT, TemporalClientPort
from rescind.temporal.connecting import connect
from rescind.temporal.finding import Finding, ensure_labels_are_found
from rescind.temporal.names import PAYLOAD_LIMIT


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
        """Left, it is of no use any more. Temporal's connection closes itself when nobody refers to it."""
        self._remote = None

    @property
    def port(self) -> TemporalClientPort:
        """The open port. Only inside the block."""
        assert self._remote is not None, "the client is not open: enter it with `async with`"
        return self._remote

    async def list(self, selection: ExecutionFilter | None = None) -> AsyncGenerator[ExecutionView, None]:
        """All executions that a filter selects, the newest first; fetched in pages, as they are read.

        The cluster's list lags behind by up to a second or two, and knows of no payloads: those of a view are null. An
        execution at work shows as RUNNING, also while it waits.

        Raises:
            InvalidInput: a filter that a cluster cannot carry out: by worker.
        """
        async for view in Finding(self.port).executions(selection or ExecutionFilter()):
            yield view

    async def tasks(self, selection: TaskFilter | None = None) -> AsyncGenerator[ListedTask, None]:
        """All tasks of open executions that a filter selects; each execution is asked for its own."""
        async for listed in Finding(self.port).tasks(selection or TaskFilter()):
            yield listed

    async def count(self, selection: ExecutionFilter | TaskFilter) -> int:
        """How many `cancel_where` with the same filter would ask to stop now."""
        return await Finding(self.port).count(selection)

    async def cancel_task(
        self,
        task_id: UUID | str,
        reason: str | None = None,
        *,
        mode: CancelMode = CancelMode.TRY,
        execution_id: str,
    ) -> CancelTaskResult:
        """Cancel one task. A cluster knows no tasks, so its execution must be named.

        Raises:
            InvalidInput: `task_id` is no UUID, `reason` is no text, `mode` is no mode.
        """
        how = checked_choice(CancelMode, mode, "mode")
        wanted = checked_task_id(task_id)
        return await self.port.cancel_task(ExecutionId(execution_id), wanted, checked_reason(reason), how)

    async def cancel_where(
        self, selection: ExecutionFilter | TaskFilter, reason: str | None = None, *, hard: bool = False
    ) -> AsyncGenerator[Mapping[CancelTaskResult, int], None]:
        """Cancel all executions, or all tasks, that a filter selects. Repeating it is harmless.

        Yields:
            After each step how many requests met which result so far; the last is the whole.
        """
        async for counts in Finding(self.port).cancel(selection, checked_reason(reason), hard=hard):
            yield counts
