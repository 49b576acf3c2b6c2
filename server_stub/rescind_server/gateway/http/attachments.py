"""Executions that belong to whoever follows them: what becomes of one when its last client goes away.

The rule of each stands in its labels, so a server that is started anew knows it, too: the clients of before then have a
while to come back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec

from rescind.errors import InvalidInput, RescindError
from rescind.model.cause import CancelCause, CancelSource
from rescind.model.commands import CancelExecution
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId
from rescind.model.status import TERMINAL_EXECUTION, ExecutionStatus
from rescind.model.views import ExecutionView
from rescind_server.gateway.http.bodies import OnDisconnect
from rescind_server.host.driver import Host
from rescind_server.host.queries import Queries

POLICY_LABEL: Final = "rescind.on_disconnect"
GRACE_LABEL: Final = "rescind.grace_ms"
GRACE_AFTER_RESTART_S: Final = 10.0
"""How long clients have to come back to a server that was started anew, in seconds."""

_LOG: Final = logging.getLogger(__name__)
_OPEN: Final = tuple(status for status in ExecutionStatus if status not in TERMINAL_EXECUTION)
_REASON: Final = "the client that followed it went away"
_TRY_AGAIN_S: Final = 1.0
_PAGE: Final = 500


class _Held(msgspec.Struct):
    by: str
    grace_s: float
    attached: int = 0
    leaving: asyncio.Task[None] | None = None


class Attachments:
    """Counts who follows each execution that is held by its clients."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._held: dict[ExecutionId, _Held] = {}
        self._is_closing = False

    async def restore(self, queries: Queries) -> None:
        """Take up what is open and was held when the server ended."""
        for policy in (OnDisconnect.CANCEL, OnDisconnect.CANCEL_AFTER):
            async for view in _labelled(queries, policy):
                grace_s = max(GRACE_AFTER_RESTART_S, _grace_of(view.labels))
                self.hold(view.execution_id, view.created_by, grace_s)
                self._leave(view.execution_id, self._held[view.execution_id])

    def hold(self, execution_id: ExecutionId, by: str, grace_s: float) -> None:
        """From now on it is cancelled when nobody has been attached to it for so long.

        Args:
            execution_id: the engine's name of it.
            by: who started it.
            grace_s: how long, in seconds.
        """
        self._held.setdefault(execution_id, _Held(by, grace_s))

    @contextmanager
    def attached(self, execution_id: ExecutionId) -> Iterator[None]:
        """A block in which a client follows the execution. One that nobody holds is left alone."""
        held = self._held.get(execution_id)
        if held is None:
            yield
            return
        held.attached += 1
        if held.leaving is not None:
            held.leaving.cancel()
            held.leaving = None
        try:
            yield
        finally:
            held.attached -= 1
            # A server that stops sends its clients away; they have not left.
            if held.attached == 0 and not self._is_closing and self._held.get(execution_id) is held:
                self._leave(execution_id, held)

    def is_leaving(self, execution_id: ExecutionId) -> bool:
        """Whether it is cancelled before long, unless somebody comes."""
        held = self._held.get(execution_id)
        return held is not None and held.leaving is not None

    def forget(self, execution_id: ExecutionId) -> None:
        """It has ended."""
        held = self._held.pop(execution_id, None)
        if held is not None and held.leaving is not None:
            held.leaving.cancel()

    def begin_close(self) -> None:
        """From now on nobody leaves: the server stops."""
        self._is_closing = True

    async def close(self) -> None:
        """Cancel nothing any more."""
        self._is_closing = True
        leaving = [held.leaving for held in self._held.values() if held.leaving is not None]
        self._held.clear()
        for each in leaving:
            each.cancel()
        if leaving:
            await asyncio.wait(leaving)

    def _leave(self, execution_id: ExecutionId, held: _Held) -> None:
        held.leaving = asyncio.get_running_loop().create_task(
            self._cancel(execution_id, held), name="rescind client has left"
        )

    async def _cancel(self, execution_id: ExecutionId, held: _Held) -> None:
        if held.grace_s > 0:
            await asyncio.sleep(held.grace_s)
        cause = CancelCause(CancelSource.DISCONNECT, held.by, _REASON)
        while True:
            try:
                await self._host.ask(CancelExecution(execution_id, cause))
                break
            except RescindError as error:
                # The store takes no commits for now, or the host has ended, and with it this task.
                _LOG.warning(
                    "execution %r, whose client went away, is not cancelled yet: %s",
                    execution_id,
                    error,
                    extra={"execution_id": execution_id},
                )
                await asyncio.sleep(_TRY_AGAIN_S)
        if self._held.get(execution_id) is held:
            del self._held[execution_id]


def labels_for(policy: OnDisconnect, grace_ms: float | None) -> Mapping[str, str]:
    """The labels that keep a rule.

    Raises:
        InvalidInput: a grace where none belongs, or none where one does.
    """
    if (grace_ms is not None) != (policy is OnDisconnect.CANCEL_AFTER):
        raise InvalidInput("grace_ms belongs to on_disconnect CANCEL_AFTER, and that needs it.")
    if policy is OnDisconnect.DETACH:
        return {}
    return {POLICY_LABEL: policy.value} | ({GRACE_LABEL: str(round(grace_ms))} if grace_ms is not None else {})


def _grace_of(labels: Mapping[str, str]) -> float:
    grace_ms = labels.get(GRACE_LABEL, "0")
    return int(grace_ms) / 1_000 if grace_ms.isdigit() else 0.0


async def _labelled(queries: Queries, policy: OnDisconnect) -> AsyncIterator[ExecutionView]:
    selection = ExecutionFilter(statuses=_OPEN, labels={POLICY_LABEL: policy.value})
    token = ""
    while True:
        page, token = await queries.list_executions(selection, _PAGE, token)
        for view in page:
            yield view
        if not token:
            return
