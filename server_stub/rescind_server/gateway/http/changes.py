"""Changes of executions, told to those who keep a list of them: which one, and how it stands now.

Only the last are kept, for readers that come back after a moment. Who was away for longer is told so, and reads the
list again: that is always the whole truth, and a change is never more than the newest state of one execution.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from starlette.responses import Response
from starlette.types import Scope, Send

from rescind.errors import InvalidInput, RescindError
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId
from rescind_server.engine.entities import Execution
from rescind_server.engine.state import Decision
from rescind_server.engine.viewing import execution_view, still_stopping
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.http.bodies import ChangesQuery
from rescind_server.gateway.http.change_bodies import BegunBody
from rescind_server.gateway.http.frames import HEARTBEAT, RETRY, event_frame
from rescind_server.gateway.http.lasting import LastingResponse, send_part
from rescind_server.gateway.http.operations import Call
from rescind_server.gateway.http.selections import labels_of
from rescind_server.gateway.http.shown import change_body
from rescind_server.gateway.organisations import outer_execution

_TELLING: Final = frozenset(
    {each for each in EventType if each.value.startswith("EXECUTION_")}
    | {EventType.STOP_REQUESTED, EventType.STOP_DELIVERED, EventType.STOP_ENDED}
)
_ID: Final = re.compile(r"([0-9a-f]{8})\.([0-9]{1,16})")
_KEPT: Final = 4_096
_LINGER_S: Final = 30.0
# One who lists many sees no difference, and a busy server sends each execution's newest state alone.
_PACE_S: Final = 0.05
_PACE_PER_READER_S: Final = 0.000_5


class Change(NamedTuple):
    """How an execution stands, and what readers select it by: all in the names of its organisation."""

    organisation: str
    execution_id: str
    kind: str
    queue: str
    created_by: str
    labels: dict[str, str]
    data: bytes


class Wanted(NamedTuple):
    """What a reader is told of.

    Attributes:
        organisation: executions of this organisation.
        query: what else must hold of them.
        created_by: started by this caller; None by any.
        labels: each of these, with this value; None selects nothing.
    """

    organisation: str
    query: ChangesQuery
    created_by: str | None
    labels: dict[str, str] | None

    def selects(self, change: Change) -> bool:
        """Whether it is told of this change."""
        query = self.query
        return (
            change.organisation == self.organisation
            and query.kind in (None, change.kind)
            and query.queue in (None, change.queue)
            and self.created_by in (None, change.created_by)
            and (query.id_prefix is None or change.execution_id.startswith(query.id_prefix))
            and self.labels is not None
            and self.labels.items() <= change.labels.items()
        )


class Changes:
    """The last changes. Where nobody reads, nothing is kept, and a commit costs nothing."""

    def __init__(self, requests: ClientRequests, *, heartbeat_s: float) -> None:
        """Keep nothing yet.

        Args:
            requests: what callers ask.
            heartbeat_s: how long nothing is sent before a comment is, in seconds.
        """
        self._requests = requests
        self._heartbeat_s = heartbeat_s
        self._name = secrets.token_hex(4)
        self._kept: deque[Change] = deque(maxlen=_KEPT)
        self._end = 0
        self._readers = 0
        self._watched_until = 0.0
        self._news = asyncio.Event()
        self._failure: RescindError | None = None

    def note(self, decisions: Sequence[Decision]) -> None:
        """Keep what one commit has made durable, if there is somebody to be told."""
        if self._readers == 0 and asyncio.get_running_loop().time() >= self._watched_until:
            self._kept.clear()
            self._end += 1  # whoever comes back has missed something
            return
        changed: dict[ExecutionId, Execution] = {}
        for decision in decisions:
            changed |= {
                execution_id: decision.executions[execution_id]
                for execution_id, event in decision.events
                if event.type in _TELLING and execution_id in decision.executions
            }
            # What stops below an execution is told in no event of its own.
            changed |= decision.stopping
        for execution in changed.values():
            self._kept.append(_change(execution))
        if changed:
            self._end += len(changed)
            self._tell()

    def close(self, reason: RescindError) -> None:
        """Nothing more comes; readers are told why."""
        self._failure = reason
        self._tell()

    async def follow(self, call: Call) -> Response:
        """Tell of changes, from now on or from `Last-Event-ID` on."""
        query: ChangesQuery = call.query
        created_by = self._requests.may_see(call.caller, query.created_by)
        wanted = Wanted(call.caller.organisation, query, created_by, labels_of(query.label))
        begin = self._number_of(call.headers.get("last-event-id"))
        return _ChangeStream(self, wanted, begin, call.identify_again)

    async def send(self, send: Send, wanted: Wanted, begin: int | None, identify_again: Callable[[], object]) -> None:
        """Send changes for as long as there is a server.

        Args:
            send: of ASGI.
            wanted: which.
            begin: the number of the first; None if what happened before is not known.
            identify_again: raises NotPermitted when the reader's token has ended.
        """
        loop = asyncio.get_running_loop()
        self._readers += 1
        try:
            number = begin if begin is not None else self._end
            begun = event_frame("begun", BegunBody(resumed=begin is not None), self._id(number))
            await send_part(send, RETRY + begun)
            known_at = loop.time()
            while self._failure is None:
                news = self._news
                data, number = self._behind(number, wanted)
                if loop.time() - known_at >= self._heartbeat_s:
                    identify_again()
                    known_at = loop.time()
                if data:
                    await send_part(send, data)
                    await asyncio.sleep(_PACE_S + _PACE_PER_READER_S * self._readers)
                elif news is self._news and not await self._comes(news):
                    await send_part(send, HEARTBEAT)
            raise self._failure
        except RescindError as error:
            await send_part(send, event_frame("closing", {"error": type(error).__name__, "message": str(error)}))
        finally:
            self._readers -= 1
            self._watched_until = loop.time() + _LINGER_S

    async def _comes(self, news: asyncio.Event) -> bool:
        try:
            async with asyncio.timeout(self._heartbeat_s):
                return await news.wait()
        except TimeoutError:
            return False

    def _behind(self, number: int, wanted: Wanted) -> tuple[bytes, int]:
        """What is to be sent from a number on, each execution once; and the number behind that."""
        first = self._end - len(self._kept)
        end = self._id(self._end)
        if number < first:
            return event_frame("begun", BegunBody(resumed=False), end), self._end
        newest = {
            change.execution_id: change.data
            for change in (self._kept[place] for place in range(number - first, len(self._kept)))
            if wanted.selects(change)
        }
        # Only the last has an id: who is cut off amid such gets all of them again, and each is a whole state.
        told = list(newest.values())
        return b"".join((*told[:-1], b"id: %s\n" % end.encode(), told[-1])) if told else b"", self._end

    def _number_of(self, last_event_id: str | None) -> int | None:
        """The number behind an id; None if there is none, or what followed is not kept any more."""
        if last_event_id is None:
            return None
        found = _ID.fullmatch(last_event_id)
        if found is None:
            raise InvalidInput(
                f"Last-Event-ID {last_event_id[:100]!r} is none of ours. Send the last that came, or none."
            )
        name, number = found[1], int(found[2])
        is_kept = name == self._name and self._end - len(self._kept) <= number <= self._end
        return number if is_kept else None

    def _id(self, number: int) -> str:
        return f"{self._name}.{number}"

    def _tell(self) -> None:
        told, self._news = self._news, asyncio.Event()
        told.set()


class _ChangeStream(LastingResponse):
    """An answer that lasts as long as its client."""

    def __init__(
        self, changes: Changes, wanted: Wanted, begin: int | None, identify_again: Callable[[], object]
    ) -> None:
        super().__init__()
        self._changes = changes
        self._wanted = wanted
        self._begin = begin
        self._identify_again = identify_again

    async def send_events(self, scope: Scope, send: Send) -> None:
        """Send changes until the token of the reader ends."""
        await self._changes.send(send, self._wanted, self._begin, self._identify_again)


def _change(execution: Execution) -> Change:
    view = outer_execution(execution_view(execution))
    body = change_body(view, still_stopping(execution))
    return Change(
        execution.organisation,
        view.execution_id,
        view.kind,
        view.queue,
        view.created_by,
        view.labels,
        event_frame("execution", body),
    )
