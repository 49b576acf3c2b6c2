"""How running code tells the benchmark what it sees, at once and past the server: datagrams on the loopback.

Their times are those of `time.monotonic_ns`, a clock that all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_HERE: Final = "127.0.0.1"
_sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
_sending.setblocking(False)


def notify(port: int, text: str) -> None:
    """Tell the benchmark that listens at a port."""
    _sending.sendto(text.encode(), (_HERE, port))


class Notices(asyncio.DatagramProtocol):
    """What running code told.

    Attributes:
        port: where it listens; what the code is given.
    """

    def __init__(self) -> None:
        self.port = 0
        self._received: asyncio.Queue[str] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.DatagramProtocol`."""
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: object) -> None:
        """See `asyncio.DatagramProtocol`."""
        self._received.put_nowait(data.decode())

    async def next(self, word: str) -> str:
        """Wait for the next notice that begins with a word; returns what follows it. Others before it are dropped."""
        while True:
            first, _, rest = (await self._received.get()).partition(" ")
            if first == word:
                return rest


@asynccontextmanager
async def listening() -> AsyncIterator[Notices]:
    """Listen for as long as the block lasts."""
    transport, notices = await asyncio.get_running_loop().create_datagram_endpoint(Notices, local_addr=(_HERE, 0))
    try:
        yield notices
    finally:
        transport.close()
