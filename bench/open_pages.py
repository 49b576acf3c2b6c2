"""Very many pages that stand open while nothing happens.

``python -m bench.open_pages PORT COUNT STREAM [ASKED EVERY]…``

Each has a connection of its own that reads what the page's own connection reads, and another one on which it asks for
each path ASKED every so many seconds, as the page does; no two pages ask at the same time. Prints a line when all have
begun, and ends at a line on its standard input.
"""

from __future__ import annotations

import heapq
import http.client
import selectors
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Final

_AT_ONCE: Final = 64 * 1024
_LONGEST: Final = 60.0


class _Asking:
    """What all pages ask for, each when it is due.

    Args:
        port: the server's.
        count: of the pages.
        asked: after how many seconds each path is asked for again.
    """

    def __init__(self, port: int, count: int, asked: Mapping[str, float]) -> None:
        self._asked = asked
        self._connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=_LONGEST) for _ in range(count)]
        now = time.monotonic()
        self._due = [
            (now + every * (page + 1) / count, page, path) for path, every in asked.items() for page in range(count)
        ]
        heapq.heapify(self._due)

    def rest(self) -> float | None:
        """In how many seconds something is due; None if nothing ever is."""
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else None

    def ask(self) -> None:
        """Ask for all that is due.

        Raises:
            SystemExit: the server refuses it.
        """
        while self._due and self._due[0][0] <= time.monotonic():
            due, page, path = self._due[0]
            connection = self._connections[page]
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise SystemExit(f"the server answered {answer.status} to {path}")
            answer.read()
            heapq.heapreplace(self._due, (due + self._asked[path], page, path))


def stand_open(port: int, count: int, stream: str, asked: Mapping[str, float]) -> None:
    """Open the connections, read whatever comes, and ask for what is due, until told to end."""
    selector = selectors.DefaultSelector()
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        head = f"GET {stream} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: text/event-stream\r\n\r\n"
        connection.sendall(head.encode())
        selector.register(connection, selectors.EVENT_READ, connection)
    selector.register(sys.stdin, selectors.EVENT_READ)
    begun: set[object] = set()
    asking = _Asking(port, count, asked)
    while True:
        for key, _ in selector.select(asking.rest()):
            if key.data is None:
                return
            read = key.data.recv(_AT_ONCE)
            if not read or (key.data not in begun and b" 200 " not in read.split(b"\r\n")[0]):
                raise SystemExit(f"the server ended a connection: {read[:200]!r}")
            if key.data not in begun:
                begun.add(key.data)
                if len(begun) == count:
                    print("open", flush=True)
        asking.ask()


def _pairs(words: Sequence[str]) -> Mapping[str, float]:
    return {path: float(every) for path, every in zip(words[::2], words[1::2], strict=True)}


if __name__ == "__main__":
    stand_open(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], _pairs(sys.argv[4:]))
