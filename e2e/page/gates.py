"""Gates: work in another process stands at one until the test opens it, which holds a moment while it looks."""

from __future__ import annotations

import socketserver
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

LONGEST: Final = 60.0


class Gates:
    """Where work comes to. Each gate has a name; one that was opened stays open.

    Attributes:
        address: HOST:PORT, where work connects and says the name of its gate in a line.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._changed = threading.Condition()
        self._waiting: dict[str, int] = defaultdict(int)
        self._opened: set[str] = set()
        self._is_closed = False

    def wait_for(self, name: str, count: int = 1) -> None:
        """Wait until so many have come to this gate in all.

        Raises:
            TimeoutError: they did not come.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting[name] >= count, LONGEST):
                raise TimeoutError(f"{self._waiting[name]} of {count} came to the gate {name!r}")

    def open(self, name: str) -> None:
        """Let those through who stand there, and those who come."""
        with self._changed:
            self._opened.add(name)
            self._changed.notify_all()

    def close(self) -> None:
        """Let everybody go; nobody waits here any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def stand_at(self, name: str) -> None:
        """Called for work that has come: returns when its gate is open."""
        with self._changed:
            self._waiting[name] += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: name in self._opened or self._is_closed)


@contextmanager
def listening() -> Iterator[Gates]:
    """Gates at a free port of the loopback, for as long as the block lasts."""

    class Visit(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            gates.stand_at(self.rfile.readline().decode().strip())
            # Whoever was killed while it stood here does not hear it.
            self.wfile.write(b"\n")

        def finish(self) -> None:
            with suppress(OSError):
                super().finish()

    class Listener(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A visitor that went away is no error of the test's."""

    with Listener(("127.0.0.1", 0), Visit) as listener:
        host, port = listener.server_address[:2]
        gates = Gates(f"{host!s}:{port}")
        serving = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, name="gates")
        serving.start()
        try:
            yield gates
        finally:
            gates.close()
            listener.shutdown()
            serving.join()
