"""The frame around the calls of flovyn.v1: what our own services have not, calls that stream in, and refused ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.message import Message

from rescind.errors import RescindError
from rescind.errors.named import named_error
from rescind.model.commands import Refused, Reply
from rescind.transport.conversion.pairs import parse
from rescind.transport.grpc_methods import Method
from rescind_server.gateway import organisations
from rescind_server.gateway.identity import Caller, Identify
from rescind_server.gateway.limits import Limits
from rescind_server.gateway.serving import metadata_of, refuse

Collect = Callable[[AsyncIterator[Any], Caller], Awaitable[Message]]
"""Carries out a call with many messages in and one reply."""
Hold = Callable[[Any, Caller, Callable[[Callable[[], None]], None]], Awaitable[Message]]
"""Carries out a poll. Besides it is given what it tells what to do if its answer does not reach the caller."""


def collecting(method: Method, collect: Collect, identify: Identify, limits: Limits) -> grpc.RpcMethodHandler:
    """The handler of a call with many messages in and one reply."""

    async def handle(messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
        async def parsed() -> AsyncIterator[Any]:
            async for data in messages:
                limits.check_message(data, f"a message of {method.path}")
                yield parse(data, method.request, f"a caller of {method.path}")

        try:
            metadata = metadata_of(context)
            reply = await collect(parsed(), identify(metadata).traced(metadata))
        except Exception as error:  # the border to gRPC: whatever happened, the caller gets a status
            await refuse(context, error, method.path)
        encoded: bytes = reply.SerializeToString()
        return encoded

    return grpc.stream_unary_rpc_method_handler(handle)


def holding(method: Method, hold: Hold, identify: Identify, limits: Limits) -> grpc.RpcMethodHandler:
    """The handler of a long poll. A caller that leaves ends it; what is on its way to one that has left goes back."""

    async def handle(data: bytes, context: grpc.aio.ServicerContext) -> bytes:
        undoing: list[Callable[[], None]] = []

        def undo_if_lost(ended: Any) -> None:
            if ended.cancelled():
                for undo in undoing:
                    undo()

        try:
            metadata = metadata_of(context)
            caller = identify(metadata).traced(metadata)
            limits.check_message(data, f"a call of {method.path}")
            request = parse(data, method.request, f"a caller of {method.path}")
            reply = await hold(request, caller, undoing.append)
            if undoing:
                context.add_done_callback(undo_if_lost)
        except Exception as error:  # the border to gRPC: whatever happened, the caller gets a status
            await refuse(context, error, method.path)
        encoded: bytes = reply.SerializeToString()
        return encoded

    return grpc.unary_unary_rpc_method_handler(handle)


def not_offered(method: Method, why: str) -> grpc.RpcMethodHandler:
    """The handler of a call that is left out; `why` says the reason, and what to do instead."""

    async def handle(_: Any, context: grpc.aio.ServicerContext) -> bytes:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{method.path} is not offered: {why}")
        raise AssertionError("abort returned")

    return grpc.unary_unary_rpc_method_handler(handle)


def ensure_done(reply: Reply, caller: Caller) -> Reply:
    """The answer of the engine, if it is none that refuses. Raises the error that it names, in the caller's names."""
    if isinstance(reply, Refused):
        raise_refused(reply, caller)
    return reply


def raise_refused(refused: Refused, caller: Caller) -> NoReturn:
    """Raise the error that a refusal names."""
    text = organisations.outer_text(caller.organisation, refused.message)
    raise named_error(refused.error, text) or RescindError(text)
