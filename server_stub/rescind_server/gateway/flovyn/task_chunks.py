"""A task that an agent schedules comes in pieces: one header, and then its input."""

from __future__ import annotations

from collections.abc import AsyncIterator

from rescind_proto.flovyn.v1 import agent_pb2 as wire

from rescind.errors import InvalidInput, PayloadTooLarge
from rescind_server.gateway.limits import Limits


async def header_and_input(
    chunks: AsyncIterator[wire.ScheduleAgentTaskChunk], limits: Limits
) -> tuple[wire.ScheduleAgentTaskHeader, bytes]:
    """The header and the whole input of a task.

    Raises:
        InvalidInput: the header does not come first, or not once.
        PayloadTooLarge: the input is; noticed as it comes, so that what is too large is not held.
    """
    header: wire.ScheduleAgentTaskHeader | None = None
    pieces: list[bytes] = []
    size = 0
    async for chunk in chunks:
        is_header = chunk.WhichOneof("chunk") == "header"
        if is_header == (header is not None):
            raise InvalidInput("a task is sent as one header, and then pieces of its input.")
        if is_header:
            header = chunk.header
            continue
        pieces.append(chunk.input_chunk)
        size += len(chunk.input_chunk)
        if size > limits.payload:
            raise PayloadTooLarge(
                f"the input of a task has more than {limits.payload} bytes, which is what this server takes. Pass a "
                "reference to it, or start the server with a larger limit."
            )
    if header is None:
        raise InvalidInput("no header came. A task is sent as one header, and then pieces of its input.")
    return header, b"".join(pieces)
