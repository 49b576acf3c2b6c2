"""The frame around flovyn's HTTP calls: whose organisation the path names, and errors in its shape."""

from __future__ import annotations

import functools
import logging
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

from rescind.errors import InvalidInput, NotFound, NotPermitted, RescindError
from rescind_server.access.tokens import Role
from rescind_server.gateway.flovyn.rest_answers import ErrorBody
from rescind_server.gateway.http.operations import JSON, Call, Handle
from rescind_server.gateway.http.problems import headers_of, status_of
from rescind_server.gateway.identity import Caller

_LOG: Final = logging.getLogger(__name__)


def error_of(error: Exception, path: str) -> Response:
    """The answer to a call that ended with an error: ours by its class, anything else as a fault of this server's."""
    if not isinstance(error, RescindError):
        _LOG.error("%s failed", path, exc_info=error)
        error = RescindError(f"{type(error).__name__}; the server's log tells more.")
    return refusal(status_of(error), error)


def refusal(status: HTTPStatus, error: RescindError, headers: dict[str, str] | None = None) -> Response:
    """An error as an answer."""
    body = ErrorBody(str(error), type(error).__name__)
    merged = {**headers_of(status), **(headers or {})}
    return Response(msgspec.json.encode(body), status.value, merged, JSON)


def in_organisation(handle: Handle) -> Handle:
    """A handler that answers only people, and those only of the organisation that the path names."""

    @functools.wraps(handle)
    async def checked(call: Call) -> Response:
        call.caller.require(Role.CLIENT, Role.VIEWER, Role.OPERATOR)
        check_slug(call.caller, call.path["org"])
        return await handle(call)

    return checked


def check_slug(caller: Caller, organisation: str) -> None:
    """Check the organisation that a path names. Raises NotPermitted: it is not the caller's.

    Where nobody has to prove who they are there is one organisation, and every name is good for it.
    """
    if caller.by is not None and caller.organisation != organisation:
        raise NotPermitted(f"this token is not of organisation {organisation[:100]!r}. Name your own in the path.")


def no_such(what: str, name: str) -> NotFound:
    """The refusal for an id that this caller does not have."""
    return NotFound(f"no {what} {name[:100]!r}. Check the id, or list what there is.")


def bad_id(what: str, name: str) -> InvalidInput:
    """The refusal for what cannot be an id."""
    return InvalidInput(f"{name[:100]!r} is no UUID, as the id of each {what} is. Check the id.")
