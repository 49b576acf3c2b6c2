"""Very many pages that stand open while nothing happens: ``python -m bench.open_pages PORT PATH COUNT``.

Each is a connection of its own that reads what the page's own connection reads. Prints a line when all have begun, and
ends at a line on its standard input.
"""

from __future__ import annotations

import selectors
import socket
import sys
from typing import Final

_AT_ONCE: Final = 64 * 1024


def stand_open(port: int, path: str, count: int) -> None:
    """Open the connections, and read whatever comes until told to end."""
    selector = selectors.DefaultSelector()
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        head = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: text/event-stream\r\n\r\n"
        connection.sendall(head.encode())
        selector.register(connection, selectors.EVENT_READ, connection)
    selector.register(sys.stdin, selectors.EVENT_READ)
    begun: set[object] = set()
    while True:
        for key, _ in selector.select():
            if key.data is None:
                return
            read = key.data.recv(_AT_ONCE)
            if not read or (key.data not in begun and b" 200 " not in read.split(b"\r\n")[0]):
                raise SystemExit(f"the server ended a connection: {read[:200]!r}")
            if key.data not in begun:
                begun.add(key.data)
                if len(begun) == count:
                    print("open", flush=True)


if __name__ == "__main__":
    stand_open(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
