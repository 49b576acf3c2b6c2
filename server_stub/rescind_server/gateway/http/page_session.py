"""Signing in to the page: the token in a cookie that no script reads, and what a browser may then ask for with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rescind.errors import NotAuthenticated, NotPermitted
from rescind.transport.grpc_methods import TOKEN_METADATA
from rescind_server.gateway.http.answers import WhoBody
from rescind_server.gateway.http.bodies import SessionBody
from rescind_server.gateway.http.operations import Call, Operation, answer
from rescind_server.gateway.http.problems import problem
from rescind_server.gateway.http.state import who_body
from rescind_server.gateway.identity import Identify

SESSION: Final = "/api/v1/session"
COOKIE: Final = "rescind_session"
PAGE_HEADER: Final = "x-rescind-page"
"""What a request must have that comes with the cookie and changes something: no form of another site can send it."""

_LOOKING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ATTRIBUTES: Final = "Path=/; HttpOnly; SameSite=Strict"
_LONGEST_S: Final = 30 * 24 * 60 * 60


class PageSession:
    """Signs in and out."""

    def __init__(self, identify: Identify) -> None:
        self._identify = identify

    async def sign_in(self, call: Call) -> Response:
        """Check a token, and put it into the cookie. Raises NotAuthenticated."""
        body: SessionBody = call.body
        if not body.token.isascii() or not body.token.isprintable() or set(body.token) & set(' ",;\\'):
            raise NotAuthenticated("the token is not known. Ask an operator for one: rescind token create.")
        caller = self._identify({TOKEN_METADATA: f"Bearer {body.token}"})
        signed_in = answer(who_body(caller))
        if caller.by is not None:
            # A proxy may have taken TLS away: the browser says how it came.
            secure = "; Secure" if call.headers.get("origin", "").startswith("https:") else ""
            cookie = f"{COOKIE}={body.token}; {_ATTRIBUTES}; Max-Age={_LONGEST_S}{secure}"
            signed_in.headers["set-cookie"] = cookie
        return signed_in

    async def sign_out(self, call: Call) -> Response:
        """Remove the cookie."""
        headers = {"set-cookie": f"{COOKIE}=; {_ATTRIBUTES}; Max-Age=0"}
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)


def session_operations(session: PageSession) -> Sequence[Operation]:
    """Signing in and out, as operations."""
    return (
        Operation(
            "POST",
            SESSION,
            "sign_in",
            "Sign in to the page: put a token into a cookie. Asks for no other token.",
            session.sign_in,
            {200: WhoBody},
            problems=(401, 403),
            body=SessionBody,
            is_open=True,
        ),
        Operation(
            "DELETE",
            SESSION,
            "sign_out",
            "Sign out of the page: remove the cookie.",
            session.sign_out,
            {204: None},
            problems=(403,),
            is_open=True,
        ),
    )


class BrowserRequests:
    """What stands before everything that a browser may send: who it comes from, and the token in its cookie."""

    def __init__(self, inside: ASGIApp, *, takes_cookie: bool) -> None:
        self._inside = inside
        self._takes_cookie = takes_cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with the token where it belongs; refuse what another site sent."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = _refusal(scope["method"], headers, takes_cookie=self._takes_cookie)
        if refusal is not None:
            action = "Send it from the page, or with `Authorization: Bearer TOKEN`."
            await problem(HTTPStatus.FORBIDDEN, NotPermitted(refusal), action)(scope, receive, send)
            return
        token = _token_of(headers) if self._takes_cookie else None
        if token is not None:
            given = (TOKEN_METADATA.encode(), f"Bearer {token}".encode("latin-1"))
            scope = {**scope, "headers": [*scope["headers"], given]}
        await self._inside(scope, receive, send)


def _refusal(method: str, headers: Mapping[str, str], *, takes_cookie: bool) -> str | None:
    """Why a request is refused that changes something; None if it is not."""
    if method in _LOOKING:
        return None
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") or _is_foreign(headers):
        return "a browser sent this from another site."
    if takes_cookie and _token_of(headers) is not None and PAGE_HEADER not in headers:
        return f"this came with the page's cookie and without the header {PAGE_HEADER}."
    return None


def _is_foreign(headers: Mapping[str, str]) -> bool:
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def _token_of(headers: Mapping[str, str]) -> str | None:
    """The token in the cookie, for requests that bring none of their own."""
    if TOKEN_METADATA in headers or COOKIE not in headers.get("cookie", ""):
        return None
    try:
        found = SimpleCookie(headers["cookie"]).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None and found.value else None
