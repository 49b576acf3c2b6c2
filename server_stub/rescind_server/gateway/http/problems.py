"""Errors as HTTP answers: one shape, the name that the SDK knows, and what to do."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

from rescind.errors import (
    AlreadyExists,
    ExecutionEnded,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    NotSupported,
    PayloadTooLarge,
    RateLimited,
    RequestError,
    RescindError,
    ServerUnavailable,
    StoreError,
)
from rescind.model.status import CancelTaskResult
from rescind_server.gateway.http.answers import ProblemBody

MEDIA_TYPE: Final = "application/problem+json"

_LOG: Final = logging.getLogger(__name__)
_KINDS: Final[Mapping[type[RescindError], tuple[HTTPStatus, str]]] = {
    PayloadTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Send less, or a reference to it."),
    NotSupported: (HTTPStatus.NOT_IMPLEMENTED, "Ask a server or a backend that offers it."),
    InvalidInput: (HTTPStatus.BAD_REQUEST, "Mend the request as the message says; /openapi.json describes it."),
    NotFound: (HTTPStatus.NOT_FOUND, "Check the id, or list what there is."),
    AlreadyExists: (HTTPStatus.CONFLICT, "Choose another id."),
    ExecutionEnded: (HTTPStatus.CONFLICT, "Nothing can be done: it has ended."),
    NotAuthenticated: (HTTPStatus.UNAUTHORIZED, "Send a valid token: `Authorization: Bearer TOKEN`."),
    NotPermitted: (HTTPStatus.FORBIDDEN, "Ask with the token that started it, or with an operator's."),
    RateLimited: (HTTPStatus.TOO_MANY_REQUESTS, "Wait a moment, then go on with fewer calls."),
    RequestError: (HTTPStatus.CONFLICT, "Mend the request as the message says."),
    ServerUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "Try again: what was accepted is not lost."),
    StoreError: (HTTPStatus.SERVICE_UNAVAILABLE, "Mend the server's disk or file, then try again; nothing is lost."),
    RescindError: (HTTPStatus.INTERNAL_SERVER_ERROR, "Look into the server's log."),
}
_EXTRA_HEADERS: Final[Mapping[HTTPStatus, Mapping[str, str]]] = {
    HTTPStatus.UNAUTHORIZED: {"www-authenticate": "Bearer"},
    HTTPStatus.TOO_MANY_REQUESTS: {"retry-after": "1"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"retry-after": "1"},
}


class UnsupportedMediaType(InvalidInput):
    """A body that does not say that it is JSON."""


def problem_of(error: Exception, path: str) -> Response:
    """The answer to a call that ended with an error: ours by its class, anything else as a fault of this server's."""
    if isinstance(error, UnsupportedMediaType):
        return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, InvalidInput(str(error)), "Send application/json.")
    if isinstance(error, RescindError):
        status, action = _kind_of(error)
        return problem(status, error, action)
    _LOG.error("%s failed", path, exc_info=error)
    hidden = RescindError(f"{type(error).__name__}; the server's log tells more.")
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, hidden, "Look into the server's log.")


def problem(
    status: HTTPStatus,
    error: RescindError,
    action: str,
    *,
    result: CancelTaskResult | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error as an answer.

    Args:
        status: the status code.
        error: what happened.
        action: what to do.
        result: what a request to cancel met, if it was one.
        headers: further headers.
    """
    name = type(error).__name__
    message = str(error)
    body = ProblemBody(
        type=f"https://rescind.dev/errors#{name.lower()}",
        title=status.phrase,
        status=status.value,
        detail=message,
        error=name,
        message=message,
        action=action,
        result=result,
    )
    merged = {**headers_of(status), **(headers or {})}
    return Response(msgspec.json.encode(body), status.value, merged, MEDIA_TYPE)


def status_of(error: RescindError) -> HTTPStatus:
    """The status of an answer to a call that ended with this error."""
    return HTTPStatus.UNSUPPORTED_MEDIA_TYPE if isinstance(error, UnsupportedMediaType) else _kind_of(error)[0]


def headers_of(status: HTTPStatus) -> Mapping[str, str]:
    """The headers that an error of this status has beside the usual ones."""
    return _EXTRA_HEADERS.get(status, {})


def _kind_of(error: RescindError) -> tuple[HTTPStatus, str]:
    return _KINDS[next(each for each in type(error).__mro__ if each in _KINDS)]
