"""The floor of the wire: a gRPC server of its own process that sends back or holds what it gets. It prints its port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

import grpc
import grpc.aio

CALL: Final = "/bench/Call"
STREAM: Final = "/bench/Stream"
HOLD: Final = "/bench/Hold"


async def _call(data: bytes, context: grpc.aio.ServicerContext) -> bytes:
    return data


class _Holding:
    """Holds a call for as many seconds as it says; those of one second end together, as the polls of a server do."""

    def __init__(self) -> None:
        self._ends: dict[int, asyncio.Event] = {}

    async def hold(self, seconds: bytes, context: grpc.aio.ServicerContext) -> bytes:
        due = int(time.time()) + int(seconds)
        if due not in self._ends:
            self._ends[due] = asyncio.Event()
            asyncio.get_running_loop().call_later(due - time.time(), self._end, due)
        await self._ends[due].wait()
        return b""

    def _end(self, due: int) -> None:
        self._ends.pop(due).set()


async def _stream(incoming: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
    async for data in incoming:
        yield data


async def _serve() -> None:
    server = grpc.aio.server()
    handlers = {
        "Call": grpc.unary_unary_rpc_method_handler(_call),
        "Stream": grpc.stream_stream_rpc_method_handler(_stream),
        "Hold": grpc.unary_unary_rpc_method_handler(_Holding().hold),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve())
