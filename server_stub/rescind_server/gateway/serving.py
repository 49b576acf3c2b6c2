"""The frame around every call: who asks, bytes in and out, errors as status codes."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, NoReturn

import grpc
import grpc.aio
from google.protobuf.message import Message

from rescind.errors import InvalidInput, RescindError
from rescind.transport.conversion.pairs import parse
from rescind.transport.grpc_errors import ERROR_NAME, code_of
from rescind.transport.grpc_methods import Method
from rescind_server.gateway.identity import Caller, Identify
from rescind_server.gateway.limits import Limits

_LOG: Final = logging.getLogger(__name__)
_IDENTIFY_EVERY_S: Final = 15.0

Answer = Callable[[Any, Caller], Awaitable[Message]]
"""Carries out a call with one reply."""
Stream = Callable[[Any, Caller], AsyncIterator[Message]]
"""Carries out a call with many replies."""


def answering(method: Method, answer: Answer, identify: Identify, limits: Limits) -> grpc.RpcMethodHandler:
    """The handler of a call with one reply. A caller that leaves cancels it; what was decided stays decided."""

    async def handle(data: bytes, context: grpc.aio.ServicerContext) -> bytes:
        try:
            metadata = metadata_of(context)
            caller = identify(metadata).traced(metadata)
            limits.check_message(data, f"a call of {method.path}")
            reply = await answer(parse(data, method.request, f"a caller of {method.path}"), caller)
        except Exception as error:  # the border to gRPC: whatever happened, the caller gets a status
            await refuse(context, error, method.path)
        encoded: bytes = reply.SerializeToString()
        return encoded

    return grpc.unary_unary_rpc_method_handler(handle)


def streaming(method: Method, stream: Stream, identify: Identify, limits: Limits) -> grpc.RpcMethodHandler:
    """The handler of a call with many replies."""

    async def handle(data: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        try:
            metadata = metadata_of(context)
            caller = identify(metadata).traced(metadata)
            limits.check_message(data, f"a call of {method.path}")
            known_at = time.monotonic()
            async for reply in stream(parse(data, method.request, f"a caller of {method.path}"), caller):
                if time.monotonic() - known_at >= _IDENTIFY_EVERY_S:
                    # Its token may have ended since.
                    identify(metadata)
                    known_at = time.monotonic()
                yield reply.SerializeToString()
        except Exception as error:  # the border to gRPC: whatever happened, the caller gets a status
            await refuse(context, error, method.path)

    return grpc.unary_stream_rpc_method_handler(handle)


def metadata_of(context: grpc.aio.ServicerContext) -> Mapping[str, str]:
    """A call's metadata that is text; of a name that is there twice, the last."""
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}


async def refuse(context: grpc.aio.ServicerContext, error: Exception, path: str) -> NoReturn:
    """End a call with an error: ours by its code, anything else as a fault of this server's, logged with its trace."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, RescindError):
        if isinstance(error, InvalidInput):
            _LOG.warning("%s from %s: %s", path, context.peer(), error)
        trailing = ((ERROR_NAME, type(error).__name__),)
        await context.abort(code_of(error), str(error), trailing)
    _LOG.error("%s failed", path, exc_info=error)
    await context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}; the server's log tells more.")
    raise AssertionError("abort returned")
