"""The ASGI application: the operations behind a router, and the document that describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rescind.errors import NotFound, RequestError, ServerUnavailable
from rescind_server.gateway.client_requests import ClientRequests
from rescind_server.gateway.flovyn.registrations import Registrations
from rescind_server.gateway.flovyn.rest_application import Beside
from rescind_server.gateway.flovyn.rest_gateway import flovyn_http
from rescind_server.gateway.http.attachments import Attachments
from rescind_server.gateway.http.bulk_cancels import BulkCancels
from rescind_server.gateway.http.changes import Changes
from rescind_server.gateway.http.executions import Executions
from rescind_server.gateway.http.feeds import Feeds
from rescind_server.gateway.http.following import Following
from rescind_server.gateway.http.host_names import NamedRequests
from rescind_server.gateway.http.metrics import Metrics
from rescind_server.gateway.http.openapi import PATH, document
from rescind_server.gateway.http.operations import JSON, Endpoint
from rescind_server.gateway.http.page_files import page_routes
from rescind_server.gateway.http.page_session import BrowserRequests, PageSession
from rescind_server.gateway.http.problems import problem
from rescind_server.gateway.http.routes import operations
from rescind_server.gateway.http.state import ServerState
from rescind_server.gateway.http.tasks import Tasks
from rescind_server.gateway.http.webhooks import WebhookCalls
from rescind_server.gateway.identity import Identify, take_everybody
from rescind_server.gateway.limits import Limits
from rescind_server.host.driver import Host
from rescind_server.host.queries import Queries
from rescind_server.store.registrations import MemoryRegistrations
from rescind_server.telling.counts import Counts
from rescind_server.webhooks.operating import Webhooks

_ROOM_AROUND_A_PAYLOAD: Final = 256 * 1024
_HEADERS: Final = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class HttpGateway:
    """Callers' calls over HTTP. Open it before it is served, close it when nothing more comes.

    Attributes:
        operations: what is served.
        routes: where.
        flovyn: what is served beside, under flovyn's paths.
        application: the ASGI application.
        attachments: who follows what is held by its clients.
    """

    def __init__(
        self,
        host: Host,
        queries: Queries,
        webhooks: Webhooks,
        limits: Limits,
        identify: Identify,
        *,
        version: str,
        feeds: Feeds | None = None,
        page: bool = True,
        names: Iterable[str] = (),
        registrations: Registrations | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            host: what drives the engine.
            queries: what is asked about many.
            webhooks: who is told of what happens.
            limits: bounds on what comes in.
            identify: who makes a call, by its headers.
            version: of the server, for the document.
            feeds: what happens, for those who follow; None bounds them as usual.
            page: whether the page is served, too.
            names: of hosts at which everybody may ask, besides the loopback's, where access is open.
            registrations: which workers of flovyn.v1 have registered; None shows none.
        """
        self._host = host
        self._queries = queries
        self._feeds = feeds or Feeds(host)
        self.attachments = Attachments(host)
        requests = ClientRequests(host, queries, limits)
        self._state = ServerState(host, requests)
        self._counts = Counts()
        following = Following(host, requests, self._feeds, self.attachments, heartbeat_s=limits.heartbeat_s)
        metrics = Metrics(self._counts, requests, webhooks)
        self._changes = Changes(requests, heartbeat_s=limits.heartbeat_s)
        self.operations = operations(
            Executions(host, requests),
            Tasks(requests),
            BulkCancels(host, requests),
            following,
            self._state,
            metrics,
            WebhookCalls(webhooks),
            self._changes,
            PageSession(identify) if page else None,
        )
        self._document = document(self.operations, version, asks_for_tokens=identify is not take_everybody)
        longest_body = limits.payload + _ROOM_AROUND_A_PAYLOAD
        self.flovyn = flovyn_http(
            host,
            requests,
            registrations or Registrations(MemoryRegistrations(), host.now()),
            self._state,
            metrics,
            limits,
            identify,
            version=version,
            longest_body=longest_body,
        )
        routes = [
            Route(PATH, self._describe, methods=["GET"]),
            *(
                Route(each.path, Endpoint(each, identify, longest_body), methods=[each.method])
                for each in self.operations
            ),
        ]
        self.routes: Sequence[Route] = _literal_first(routes)
        pages = page_routes() if page else ()
        router = Starlette(routes=[*self.routes, *pages], exception_handlers={HTTPException: self._not_routed})
        asks_for_tokens = identify is not take_everybody
        ours = BrowserRequests(router, takes_cookie=page and asks_for_tokens)
        answering = Beside(self.flovyn, ours)
        self.application: ASGIApp = _Outside(answering if asks_for_tokens else NamedRequests(answering, names))

    async def open(self) -> None:
        """Take up what clients of before a restart have left open."""
        self._host.listeners += (self._counts.note, self._changes.note)
        await self.attachments.restore(self._queries)

    async def begin_close(self) -> None:
        """The server stops: streams end, and that is nobody's leaving."""
        self._state.begin_close()
        self.attachments.begin_close()
        stopping = ServerUnavailable("the server is stopping. Come back with the last event's id.")
        self._changes.close(stopping)
        await self._feeds.close(stopping)

    async def close(self) -> None:
        """Let go of what is held."""
        for listener in (self._counts.note, self._changes.note):
            if listener in self._host.listeners:
                self._host.listeners.remove(listener)
        await self.attachments.close()

    async def _describe(self, request: Request) -> Response:
        return Response(self._document, media_type=JSON)

    async def _not_routed(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        what = f"{request.method} {request.url.path}"
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            matching = [route for route in self.routes if route.matches(request.scope)[0] is not Match.NONE]
            matching = [route for route in matching if route.path == request.scope["path"]] or matching
            allowed = ", ".join(sorted({method for route in matching for method in route.methods or ()}))
            refused = RequestError(f"{what} is not served; this path takes {allowed}.")
            return problem(status, refused, f"Use {allowed}.", headers={"allow": allowed})
        return problem(status, NotFound(f"{what} is not served."), f"GET {PATH} describes what is.")


class _NotAllowed:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)


def _literal_first(routes: Sequence[Route]) -> Sequence[Route]:
    """A path of its own, as /executions/cancel, is nobody's id, whatever the method."""
    literal = [route for route in routes if "{" not in route.path]
    refusing = [Route(path, _NotAllowed()) for path in sorted({route.path for route in literal})]
    return [*literal, *refusing, *(route for route in routes if "{" in route.path)]


class _Outside:
    """What every answer has, and the path as it was sent: an id may have an encoded slash in it."""

    def __init__(self, inside: ASGIApp) -> None:
        self._inside = inside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Mapping[str, object]) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                assert isinstance(headers, list)
                known = {name for name, _ in headers}
                headers.extend(each for each in _HEADERS if each[0] not in known)
            await send(dict(message))

        path = scope["raw_path"].decode("ascii", "replace")
        await self._inside({**scope, "path": path}, receive, send_with_headers)
