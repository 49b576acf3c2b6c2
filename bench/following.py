"""Very many readers of one event stream, in a process of their own: bare sockets, so that reading costs little.

``python -m bench.following PORT EXECUTION READERS STUCK``: connects; the last STUCK of the readers then read nothing.
Prints a line when all of the others have had the first event, and at a line on its standard input what was found, as
JSON: how long each event took from the task to each reader, in ms, and what the stuck ones got in the end.
"""

from __future__ import annotations

import contextlib
import json
import re
import selectors
import socket
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

_FIRST: Final = b"EXECUTION_STARTED"
_TIMES: Final = re.compile(rb'"text":"(\d+) ')
_SMALL_BUFFER: Final = 4_096
_AT_ONCE: Final = 256 * 1024
_PATIENCE_S: Final = 20.0


class Reader:
    """One connection, and how long each event took to come."""

    def __init__(self, port: int, execution_id: str, *, is_stuck: bool) -> None:
        self.delays: list[float] = []
        self.has_begun = False
        self._rest = b""
        self.socket = socket.socket()
        if is_stuck:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(f"GET /api/v1/executions/{execution_id}/events HTTP/1.1\r\nhost: bench\r\n\r\n".encode())
        self.socket.setblocking(False)

    def read(self) -> None:
        """Take what is there."""
        data = self.socket.recv(_AT_ONCE)
        now = time.monotonic_ns()
        if not self.has_begun:
            self._rest += data
            if _FIRST not in self._rest:
                return
            self.has_begun, self._rest = True, b""
        whole, sign, rest = (self._rest + data).rpartition(b"\n\n")
        self._rest = rest
        if sign:
            self.delays += [(now - int(told)) / 1e6 for told in _TIMES.findall(whole)]


def read_until_told(readers: Sequence[Reader]) -> None:
    """Read all, until a line comes on the standard input."""
    selector = selectors.DefaultSelector()
    for reader in readers:
        selector.register(reader.socket, selectors.EVENT_READ, reader)
    selector.register(sys.stdin, selectors.EVENT_READ)
    have_begun = is_told = False
    while not is_told:
        for key, _ in selector.select():
            if key.data is None:
                is_told = True
            else:
                key.data.read()
        if not have_begun and all(reader.has_begun for reader in readers):
            have_begun = True
            print("following", flush=True)


def found_by_stuck(readers: Iterable[Reader]) -> tuple[int, int]:
    """Let the stuck ones read what is there for them; returns how many were told what they missed, and the bytes."""
    told = taken = 0
    for reader in readers:
        data = bytearray()
        reader.socket.settimeout(_PATIENCE_S)
        with contextlib.suppress(OSError):
            while b"event: missed" not in data and (part := reader.socket.recv(_AT_ONCE)):
                data += part
        told += b"event: missed" in data
        taken += len(data)
    return told, taken


def main(port: str, execution_id: str, readers: str, stuck: str) -> None:
    """Follow, and tell."""
    quick = [Reader(int(port), execution_id, is_stuck=False) for _ in range(int(readers) - int(stuck))]
    slow = [Reader(int(port), execution_id, is_stuck=True) for _ in range(int(stuck))]
    read_until_told(quick)
    delays = [round(delay, 2) for reader in quick for delay in reader.delays]
    least = min(len(reader.delays) for reader in quick)
    told, taken = found_by_stuck(slow)
    found: dict[str, Any] = {"delays": delays, "least": least, "told": told, "taken": taken}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
