"""Whether something has happened to an execution: Temporal's own history of its workflow is waited for, not polled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowHistoryEventAsyncIterator
from temporalio.service import RPCError, RPCStatusCode

from rescind.errors import NotFound
from rescind.temporal.connecting import error_of

_CLOSED: Final = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
    }
)
_MOVED_ON: Final = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
_STATUS_SHOWN: Final = EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED
_TURN: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
_TURN_FAILED: Final = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED

# A server answers a wait for the next page within 20 s, the first at once. The time-skipping test server has no such
# pages, and may miss what happens: there one looks again after a while.
_PATIENCE: Final = 30.0
_FIRST_PATIENCE: Final = 2.0
_TURNS: Final = frozenset({_TURN, _TURN_FAILED, *_CLOSED})


class News:
    """Tells when it is worth while to ask a workflow: True if its last turn failed, so that it would not answer."""

    def __init__(self, handle: WorkflowHandle[Any, Any]) -> None:
        self._handle = handle

    def of_turns(self) -> AsyncIterator[bool]:
        """After each of the workflow's turns, to its end."""
        return self._of(frozenset({_TURN, _MOVED_ON, *_CLOSED}))

    def of_ends(self) -> AsyncIterator[bool]:
        """When the agent may have ended, and when its workflow has."""
        return self._of(frozenset({_STATUS_SHOWN, *_CLOSED}))

    async def _of(self, told: frozenset[Any]) -> AsyncIterator[bool]:
        token: bytes | None = None
        waits = False
        while True:
            events = self._handle.fetch_history_events(next_page_token=token, wait_new_event=waits)
            kinds = await self._next_kinds(events, _PATIENCE if token or not waits else _FIRST_PATIENCE)
            turns = [kind for kind in kinds or () if kind in _TURNS]
            if turns and turns[-1] == _TURN_FAILED:
                yield True
            elif not told.isdisjoint(kinds or ()):
                yield False
            is_closed = not _CLOSED.isdisjoint(kinds or ())
            if is_closed and not await self._was_replaced():
                return
            if kinds is None or is_closed or _MOVED_ON in kinds:
                # From the beginning: of the next run, which is the one that is found without a run's id.
                token, waits = None, False
            else:
                token = events.next_page_token
                if token is None:
                    # All that was there is read: wait for more. After a wait without pages, read what has come.
                    waits = not waits

    async def _was_replaced(self) -> bool:
        """Whether another run has taken the place of the one that has closed: a reset ends one, and begins the next."""
        try:
            return (await self._handle.describe()).close_time is None
        except RPCError as error:
            raise error_of(error, f"execution {self._handle.id!r}") from error

    async def _next_kinds(self, events: WorkflowHistoryEventAsyncIterator, patience: float) -> list[Any] | None:
        """What has happened since the last look, which is asked about once; None if one must look anew."""
        try:
            # Not as the call's own time: of such calls Temporal's SDK repeats those that take longer.
            async with asyncio.timeout(patience):
                await events.fetch_next_page()
        except TimeoutError:
            return None
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NotFound(f"no execution {self._handle.id!r}. Check the id, or list the executions.") from None
            raise error_of(error, f"the history of execution {self._handle.id!r}") from error
        return [event.event_type for event in events.current_page or ()]
