"""Our errors as status codes of gRPC, and back: the same error reaches the caller, near or far."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import grpc

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
    TlsFailed,
    UnknownKind,
)
from rescind.errors.named import named_error

ERROR_NAME: Final = "rescind-error"
"""The metadata that names the class of an error: several share a status code."""

_CODES: Final[Mapping[type[RescindError], grpc.StatusCode]] = {
    PayloadTooLarge: grpc.StatusCode.RESOURCE_EXHAUSTED,
    NotSupported: grpc.StatusCode.UNIMPLEMENTED,
    InvalidInput: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    ExecutionEnded: grpc.StatusCode.FAILED_PRECONDITION,
    UnknownKind: grpc.StatusCode.FAILED_PRECONDITION,
    NotAuthenticated: grpc.StatusCode.UNAUTHENTICATED,
    NotPermitted: grpc.StatusCode.PERMISSION_DENIED,
    RequestError: grpc.StatusCode.FAILED_PRECONDITION,
    RateLimited: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ServerUnavailable: grpc.StatusCode.UNAVAILABLE,
    StoreError: grpc.StatusCode.UNAVAILABLE,
}
# What a code means that came without a name: from gRPC itself, or from a proxy.
_ERRORS: Final[Mapping[grpc.StatusCode, type[RescindError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
    grpc.StatusCode.OUT_OF_RANGE: InvalidInput,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: RequestError,
    grpc.StatusCode.PERMISSION_DENIED: NotPermitted,
    grpc.StatusCode.UNAUTHENTICATED: NotAuthenticated,
    grpc.StatusCode.RESOURCE_EXHAUSTED: PayloadTooLarge,
}
# Trying again would fail in the same way.
_CUT_WITHIN_GRPC: Final = "Internal error from Core"
"""What gRPC says on this side when the connection goes while a message is being written."""
_NO_CONNECTION: Final = "failed to connect"
"""How it begins what it says when there is no connection."""
# What gRPC says of a handshake, and what that means. It tells all of it with one status code.
_OVER_TLS: Final = (
    (
        r"CERTIFICATE_VERIFY_FAILED: ([^:]*)",
        "its certificate is not taken ({0}). Name its authority with tls_ca; an expired one is to be renewed there.",
    ),
    (
        r"Hostname Verification",
        "its certificate is for another name. Use the name that stands in it as the address, or say it as "
        "tls_server_name.",
    ),
    (r"WRONG_VERSION_NUMBER", "it serves in the clear. Leave TLS away, or give the server a certificate."),
    (
        r"Socket closed|CERTIFICATE|alert",
        "it closed the connection. It may ask for a certificate of an authority that it knows: give tls_certificate "
        "and tls_key, and see that the certificate has not expired.",
    ),
)
_IN_THE_CLEAR: Final = (
    (
        r"Socket closed",
        "it closed a connection in the clear. It may ask for TLS: say tls, or tls_ca with its authority.",
    ),
)
_ITS_FAULT: Final = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS)


def code_of(error: RescindError) -> grpc.StatusCode:
    """The status code of an error, by the nearest of its classes."""
    for error_class in type(error).__mro__:
        if error_class in _CODES:
            return _CODES[error_class]
    return grpc.StatusCode.INTERNAL


def error_of(
    failure: grpc.RpcError, address: str, *, is_encrypted: bool = False, was_connected: bool = False
) -> RescindError:
    """What to raise for a call that failed.

    Args:
        failure: what gRPC raised.
        address: where the call went, for the text.
        is_encrypted: whether it went over TLS.
        was_connected: whether such a call was answered there before, so that both sides agree on TLS.
    """
    code, text = failure.code(), failure.details() or ""
    name = dict(failure.trailing_metadata() or ()).get(ERROR_NAME)
    named = named_error(name, text) if isinstance(name, str) else None
    if named is not None:
        return named
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return RequestError(f"what answers at {address} is no Rescind server that knows this call: {text}")
    if code in _ITS_FAULT and text != _CUT_WITHIN_GRPC:
        return RescindError(f"the server at {address} failed ({code.name}: {text}). Its log tells why.")
    error_class = _ERRORS.get(code)
    if error_class is not None:
        return error_class(text)
    signs = _OVER_TLS if is_encrypted else () if was_connected else _IN_THE_CLEAR
    return _unavailable(code, text, address, signs)


def was_never_sent(failure: grpc.RpcError) -> bool:
    """Whether the call found no connection, so that repeating it can do nothing twice."""
    text = failure.details() or ""
    return failure.code() is grpc.StatusCode.UNAVAILABLE and text.startswith(_NO_CONNECTION)


def _unavailable(code: grpc.StatusCode, text: str, address: str, signs: Iterable[tuple[str, str]]) -> ServerUnavailable:
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ServerUnavailable(f"the server at {address} did not answer in time. Try again, or allow it more time.")
    if code is grpc.StatusCode.UNAVAILABLE and text.startswith(_NO_CONNECTION):
        for sign, meaning in signs:
            if found := re.search(sign, text):
                return TlsFailed(f"no TLS with the server at {address}: {meaning.format(*found.groups())}")
    if code is grpc.StatusCode.UNAVAILABLE:
        return ServerUnavailable(
            f"the server at {address} cannot be reached ({text}). Is it running, and is the address right? What it "
            "accepted is not lost."
        )
    return ServerUnavailable(f"the call to the server at {address} was broken off ({code.name}: {text}). Try again.")
