"""The frame around every call: who asks, what was sent, errors as problems."""

from __future__ import annotations

import asyncio
import functools
import types
import typing
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rescind.errors import InvalidInput, PayloadTooLarge
from rescind.transport.grpc_methods import TOKEN_METADATA
from rescind_server.gateway.http.bodies import GivenLabels, GivenMoment, NoQuery, Query, RequestBody
from rescind_server.gateway.http.problems import UnsupportedMediaType, problem_of
from rescind_server.gateway.identity import ANYBODY, Caller, Identify

JSON: Final = "application/json"

Disconnected = Callable[[], Awaitable[None]]
"""Returns when the client has gone away."""


class Call(msgspec.Struct, frozen=True):
    """One call, checked.

    Attributes:
        caller: who makes it.
        path: what stands in the path, by name.
        query: what stands behind the question mark, as its operation's type.
        body: what was sent, as its operation's type; None if it takes nothing.
        headers: the request's headers, by their names in lower case.
        disconnected: returns when the client has gone away.
        identify_again: raises NotPermitted when its token has ended meanwhile.
    """

    caller: Caller
    path: Mapping[str, str]
    query: Any
    body: Any
    headers: Mapping[str, str]
    disconnected: Disconnected
    identify_again: Callable[[], object]


Handle = Callable[[Call], Awaitable[Response]]
Refuse = Callable[[Exception, str], Response]
"""The answer to a call that ended with an error; the text says which call."""


class Operation(msgspec.Struct, frozen=True):
    """One thing that clients can ask for.

    Attributes:
        method: of HTTP.
        path: with names in braces.
        name: names it in the document.
        summary: what it does, in a line.
        handle: carries it out.
        answers: the type of each answer that is no problem, by status; None has no body.
        problems: the statuses of its own problems; those that every call can meet are not listed.
        query: what may stand behind the question mark.
        body: what is sent; None if nothing is.
        is_open: whether it asks for no token.
        waits: whether it may take long: it ends when its client goes away.
        media_type: of its answers.
    """

    method: str
    path: str
    name: str
    summary: str
    handle: Handle
    answers: Mapping[int, Any]
    problems: tuple[int, ...] = ()
    query: type[Query] = NoQuery
    body: type[RequestBody] | None = None
    is_open: bool = False
    waits: bool = False
    media_type: str = JSON


class Endpoint:
    """An operation as an ASGI application."""

    def __init__(
        self, operation: Operation, identify: Identify, longest_body: int, refuse: Refuse = problem_of
    ) -> None:
        self._operation = operation
        self._identify = identify
        self._longest_body = longest_body
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        request = Request(scope, receive)
        path = f"{self._operation.method} {self._operation.path}"
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except Exception as error:  # the border to HTTP: whatever happened, the caller gets a document
            response = self._refuse(error, path)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        operation = self._operation
        headers = dict(request.headers)
        credentials = _credentials(headers)
        caller = ANYBODY if operation.is_open else self._identify(credentials).traced(headers)
        path = {name: _unquoted(value) for name, value in request.path_params.items()}
        query = query_of(request.scope["query_string"], operation.query)
        body = await self._body(request) if operation.body is not None else None

        async def disconnected() -> None:
            # What is left of a body that nobody asked for is read, too.
            while (await request.receive())["type"] != "http.disconnect":
                pass

        call = Call(caller, path, query, body, headers, disconnected, lambda: self._identify(credentials))
        return await (_until_gone(operation.handle, call) if operation.waits else operation.handle(call))

    async def _body(self, request: Request) -> Any:
        wanted = self._operation.body
        assert wanted is not None
        data = bytearray()
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._longest_body:
            raise self._too_large()
        async for chunk in request.stream():
            data += chunk
            if len(data) > self._longest_body:
                raise self._too_large()
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if data and media_type != JSON:
            raise UnsupportedMediaType(f"the body is {media_type or 'of no type'!r}. Send {JSON}.")
        return decoded(bytes(data) or b"{}", wanted, "the body")

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"the body is larger than {self._longest_body} bytes, the most that this server takes.")


def decoded(data: bytes, wanted: Any, what: str) -> Any:
    """JSON as a type. Raises InvalidInput, which names `what` it is."""
    try:
        # Values that are passed on as they stand are not looked at when the rest is decoded.
        data.decode()
        return msgspec.json.decode(data, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"{what} cannot be read: {error}.") from None


def query_of(query_string: bytes, wanted: type[Query]) -> Any:
    """What stands behind the question mark, as a type.

    Raises:
        InvalidInput: something unknown, unless the type passes that over; something twice that may be there once; or a
            value that cannot be meant.
    """
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=1_000)
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidInput(f"the query cannot be read: {error}.") from None
    known = _parameters(wanted)
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name not in known:
            if not wanted.__struct_config__.forbid_unknown_fields:
                continue
            raise InvalidInput(f"there is no {name[:100]!r} in this query. Known are: {', '.join(known) or 'none'}.")
        if typing.get_origin(known[name]) is tuple:
            given.setdefault(name, []).append(value)
        elif name in given:
            raise InvalidInput(f"{name!r} is in the query twice. Give it once.")
        else:
            given[name] = value
    for name, text in given.items():
        try:
            # A number in words is that number, but no time.
            given[name] = msgspec.convert(text, known[name], strict=known[name] is GivenMoment)
        except msgspec.ValidationError as error:
            if known[name] == GivenLabels:
                raise InvalidInput(f"{name!r} in the query is no label with its value. Give NAME=VALUE.") from None
            raise InvalidInput(f"{name!r} in the query cannot be read: {error}.") from None
    names = {each.encode_name: each.name for each in msgspec.structs.fields(wanted)}
    return wanted(**{names[name]: value for name, value in given.items()})


@functools.cache
def _parameters(wanted: type[Query]) -> Mapping[str, Any]:
    """The type of each parameter, without None: a query cannot say that, `null` is a text."""
    hints = typing.get_type_hints(wanted, include_extras=True)
    return {each.encode_name: _without_none(hints[each.name]) for each in msgspec.structs.fields(wanted)}


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        (hint,) = (each for each in typing.get_args(hint) if each is not type(None))
    return hint


def answer(body: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(msgspec.json.encode(body), status, headers, JSON)


def _credentials(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {TOKEN_METADATA: headers[TOKEN_METADATA]} if TOKEN_METADATA in headers else {}


def _unquoted(value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise InvalidInput("the path has bytes in it that are not UTF-8.") from None


async def _until_gone(handle: Handle, call: Call) -> Response:
    working = asyncio.ensure_future(handle(call))
    leaving = asyncio.ensure_future(call.disconnected())
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for each in (working, leaving):
            each.cancel()
        await asyncio.wait([working, leaving])
