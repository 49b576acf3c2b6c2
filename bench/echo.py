"""The floor of the wire: a gRPC server of its own process that sends back what it gets. It prints its port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import grpc
import grpc.aio

CALL: Final = "/bench/Call"
STREAM: Final = "/bench/Stream"


async def _call(data: bytes, context: grpc.aio.ServicerContext) -> bytes:
    return data


async def _stream(incoming: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
    async for data in incoming:
        yield data


async def _serve() -> None:
    server = grpc.aio.server()
    handlers = {
        "Call": grpc.unary_unary_rpc_method_handler(_call),
        "Stream": grpc.stream_stream_rpc_method_handler(_stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve())
