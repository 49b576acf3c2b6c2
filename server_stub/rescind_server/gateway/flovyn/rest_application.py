"""Flovyn's HTTP interface as an ASGI application: its operations behind a router, and the document of them."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from rescind.errors import NotFound, RequestError
from rescind_server.gateway.flovyn.rest_answers import ErrorBody
from rescind_server.gateway.flovyn.rest_calls import error_of, refusal
from rescind_server.gateway.http.openapi import Described, document
from rescind_server.gateway.http.operations import JSON, Endpoint, Operation
from rescind_server.gateway.identity import Identify, take_everybody

PATH: Final = "/api/docs/openapi.json"
_PREFIXES: Final = ("/api/orgs/", "/api/docs", "/_/")
_OF_ALL: Final = Described(
    title="Rescind, as flovyn.v1",
    description="The HTTP interface of flovyn.v1, over the same engine.",
    refused=ErrorBody,
    media_type=JSON,
)


class FlovynHttp:
    """What is served.

    Attributes:
        operations: what is served.
        routes: where.
        application: the ASGI application.
    """

    def __init__(self, operations: Sequence[Operation], identify: Identify, longest_body: int, version: str) -> None:
        self.operations = operations
        self._document = document(operations, version, asks_for_tokens=identify is not take_everybody, of=_OF_ALL)
        self.routes: Sequence[Route] = [
            Route(PATH, self._describe, methods=["GET"]),
            Route("/api/docs", self._describe, methods=["GET"]),
            *(
                Route(each.path, Endpoint(each, identify, longest_body, error_of), methods=[each.method])
                for each in operations
            ),
        ]
        self.application: ASGIApp = Starlette(routes=self.routes, exception_handlers={HTTPException: self._not_routed})

    @staticmethod
    def serves(path: str) -> bool:
        """Whether a path is of this interface."""
        return path.startswith(_PREFIXES)

    async def _describe(self, request: Request) -> Response:
        return Response(self._document, media_type=JSON)

    async def _not_routed(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        what = f"{request.method} {request.url.path}"
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            matching = [route for route in self.routes if route.matches(request.scope)[0] is not Match.NONE]
            allowed = ", ".join(sorted({method for route in matching for method in route.methods or ()}))
            refused = RequestError(f"{what} is not served; this path takes {allowed}.")
            return refusal(HTTPStatus.METHOD_NOT_ALLOWED, refused, {"allow": allowed})
        return refusal(HTTPStatus.NOT_FOUND, NotFound(f"{what} is not served. GET {PATH} describes what is."))


class Beside:
    """Two interfaces on one port: flovyn's paths go there, all others to ours."""

    def __init__(self, flovyn: FlovynHttp, ours: ASGIApp) -> None:
        self._flovyn = flovyn
        self._ours = ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chosen = self._flovyn.application if self._flovyn.serves(scope["path"]) else self._ours
        await chosen(scope, receive, send)
