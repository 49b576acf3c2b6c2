"""Events as they happen, over one response that lasts: server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rescind.errors import InvalidInput, RescindError
from rescind.model.events import EXECUTION_ENDS
from rescind.model.ids import ExecutionId
from rescind.model.messages import StreamedEvent
from rescind.model.output import piece_of
from rescind.model.status import TERMINAL_EXECUTION
from rescind_server.access.tokens import Role
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.history_pages import history_pages, last_sequence
from rescind_server.gateway.http.answers import StartedBody
from rescind_server.gateway.http.attachments import Attachments, labels_for
from rescind_server.gateway.http.bodies import EventsQuery, OnDisconnect, StreamBody
from rescind_server.gateway.http.fan_out import Outlet, outlet_of
from rescind_server.gateway.http.feeds import Feed, Feeds, OutputSoFar
from rescind_server.gateway.http.frames import HEARTBEAT, RETRY, Place, event_frame, kept_output_event
from rescind_server.gateway.http.lasting import LastingResponse, send_part
from rescind_server.gateway.http.operations import Call
from rescind_server.gateway.http.readers import Reader
from rescind_server.gateway.http.shown import payload_of
from rescind_server.gateway.starts import StartRequest
from rescind_server.host.driver import Host

_SHARED_FOR: Final = 1.0
"""How long what programs wrote is kept for readers that begin a little later, in seconds."""
_PART: Final = 64 * 1024


class Following:
    """The operations that answer with events."""

    def __init__(
        self, host: Host, requests: ClientRequests, feeds: Feeds, attachments: Attachments, *, heartbeat_s: float
    ) -> None:
        """Put them together.

        Args:
            host: where things happen.
            requests: what callers ask.
            feeds: what happens, for all who follow.
            attachments: who follows what is held by its clients.
            heartbeat_s: how long nothing is sent before a comment is, in seconds.
        """
        self._host = host
        self._requests = requests
        self._feeds = feeds
        self._attachments = attachments
        self._heartbeat_s = heartbeat_s

    async def events(self, call: Call) -> Response:
        """Follow an execution from an event on."""
        query: EventsQuery = call.query
        details = await self._requests.details(call.caller, call.path["execution_id"])
        execution_id = self._requests.inner_id(call.caller, call.path["execution_id"])
        place = self._place(execution_id, query, call.headers.get("last-event-id"))
        has_ended = details.execution.status in TERMINAL_EXECUTION
        if has_ended and place is not None and await self._is_over(execution_id, place):
            # Tells an event source that it need not come back.
            return Response(status_code=HTTPStatus.NO_CONTENT)
        may_act = not call.caller.roles.isdisjoint((Role.CLIENT, Role.OPERATOR))
        is_client = query.attach if query.attach is not None else "last-event-id" in call.headers
        # Who may not cancel must not do so by leaving.
        attached = self._attached(execution_id) if is_client and may_act else nullcontext
        # Who gives an event's number as `after` has not said how much of the output it has.
        wants_output = query.output and (place is None or "last-event-id" in call.headers)
        return EventStream(self, execution_id, place, attached, call.identify_again, wants_output=wants_output)

    async def start(self, call: Call) -> Response:
        """Start an agent and follow it; what the client's leaving means begins before its first event."""
        body: StreamBody = call.body
        labels = labels_for(body.on_disconnect, body.grace_ms)
        request = StartRequest(
            body.kind, payload_of(body.input), body.execution_id, body.queue, body.labels, workflow=body.workflow
        )
        leaving = asyncio.ensure_future(call.disconnected())
        try:
            # Nothing interrupts this: a start that was asked for is decided, and then it is known what to cancel.
            started = await self._requests.start(call.caller, request, own_labels=labels)
        except BaseException:  # also where the server stops: nobody would look after this task
            leaving.cancel()
            raise
        execution_id = self._requests.inner_id(call.caller, started.execution_id)
        if started.created and body.on_disconnect is not OnDisconnect.DETACH:
            self._attachments.hold(execution_id, call.caller.name_for(""), (body.grace_ms or 0) / 1_000)
        first = event_frame("started", StartedBody(started.execution_id, started.created))
        headers = {"location": f"/api/v1/executions/{quote(started.execution_id, safe='')}"}
        attached = self._attached(execution_id)
        return EventStream(self, execution_id, None, attached, call.identify_again, first, headers, leaving)

    async def send(self, stream: EventStream, send: Send, outlet: Outlet | None) -> None:
        """Send the events of an execution until it ends, or the server does.

        Args:
            stream: which.
            send: of ASGI.
            outlet: the connection itself; None if it is not known.
        """
        feed = await self._feeds.enter(stream.execution_id)
        try:
            output = await self._output_for(feed, stream.place) if stream.wants_output else None
            reader = Reader(self._host, feed, stream.place, outlet, output=output)
            await send_part(send, RETRY + stream.first)
            if output is not None:
                await _send_in_parts(send, output.data)
            loop = asyncio.get_running_loop()
            known_at = loop.time()
            while (data := await self._next(reader)) is not None:
                if loop.time() - known_at >= self._heartbeat_s:
                    # Its token may have ended since.
                    stream.identify_again()
                    known_at = loop.time()
                await send_part(send, data)
            self._attachments.forget(stream.execution_id)
        except RescindError as error:
            await send_part(send, event_frame("closing", {"error": type(error).__name__, "message": str(error)}))
        finally:
            self._feeds.leave(feed)

    async def _output_for(self, feed: Feed, place: Place | None) -> OutputSoFar | None:
        """What a reader does not get from the feed of what programs wrote; None if that has it all."""
        if place is None:
            return await self._output_so_far(feed)
        if feed.number_behind(place) is not None and place.output >= feed.output_before:
            return None
        await self._host.output.at_rest()
        kept = self._host.output.so_far(feed.execution_id, place.output)
        until = self._host.output.size(feed.execution_id)
        told = sum(piece.size for event in kept if (piece := piece_of(event)) is not None)
        return OutputSoFar(_as_sent(kept), feed.catch_up(), until, max(0, until - place.output - told))

    async def _output_so_far(self, feed: Feed) -> OutputSoFar:
        """What programs wrote. Made once for all who begin at about the same time: it is large."""
        await self._host.output.at_rest()
        shared = feed.output_so_far
        if shared is None or shared.known_to < feed.first:
            kept = self._host.output.so_far(feed.execution_id)
            shared = OutputSoFar(_as_sent(kept), feed.catch_up(), self._host.output.size(feed.execution_id))
            feed.output_so_far = shared
            asyncio.get_running_loop().call_later(_SHARED_FOR, _share_no_more, feed, shared)
        return shared

    async def _next(self, reader: Reader) -> bytes | None:
        try:
            async with asyncio.timeout(self._heartbeat_s):
                return await reader.read()
        except TimeoutError:
            return HEARTBEAT

    def _attached(self, execution_id: ExecutionId) -> Callable[[], AbstractContextManager[None]]:
        return lambda: self._attachments.attached(execution_id)

    def _place(self, execution_id: ExecutionId, query: EventsQuery, last_event_id: str | None) -> Place | None:
        if last_event_id is None and query.after is None:
            return None
        # An event source that was opened with `after` comes back to the same address, with the last id that came.
        place = Place.parse(last_event_id) if last_event_id is not None else Place(query.after or 0)
        if place.sequence > 0 and not self._host.history(execution_id, place.sequence - 1, 1):
            last = last_sequence(self._host, execution_id)
            raise InvalidInput(f"there is no event {place.sequence} yet; the last one is {last}.")
        return place

    async def _is_over(self, execution_id: ExecutionId, place: Place) -> bool:
        """Whether an execution that has ended has no event left behind a place that readers are shown."""
        async for events in history_pages(self._host, execution_id, place.sequence):
            if any(event.type in EXECUTION_ENDS for event in events):
                return False
        return True


class EventStream(LastingResponse):
    """An answer that lasts as long as there are events and a client."""

    def __init__(
        self,
        following: Following,
        execution_id: ExecutionId,
        place: Place | None,
        attached: Callable[[], AbstractContextManager[None]],
        identify_again: Callable[[], object],
        first: bytes = b"",
        headers: dict[str, str] | None = None,
        leaving: asyncio.Future[None] | None = None,
        *,
        wants_output: bool = False,
    ) -> None:
        super().__init__(headers, leaving)
        self.execution_id = execution_id
        self.place = place
        self.first = first
        self.identify_again = identify_again
        self.wants_output = wants_output
        self._following = following
        self._attached = attached

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until there are no more, or the client goes away."""
        with self._attached():
            await super().__call__(scope, receive, send)

    async def send_events(self, scope: Scope, send: Send) -> None:
        """Send events until there are no more."""
        await self._following.send(self, send, outlet_of(scope))


async def _send_in_parts(send: Send, data: bytes) -> None:
    """Send much at once: what a slow reader has not taken is in memory once, and not in its connection as well."""
    for start in range(0, len(data), _PART):
        await send_part(send, data[start : start + _PART])


def _as_sent(kept: Sequence[StreamedEvent]) -> bytes:
    return b"".join(kept_output_event(event) for event in kept)


def _share_no_more(feed: Feed, shared: OutputSoFar) -> None:
    if feed.output_so_far is shared:
        feed.output_so_far = None
