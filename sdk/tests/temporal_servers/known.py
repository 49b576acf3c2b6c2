"""Servers that are made at once, and one that answers as Temporal's do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Final

from fixtures.obtaining.commands import CommandFailed
from fixtures.temporal_servers.obtaining import KnownServer, Way, obtain

VARIABLE: Final = "RESCIND_TEMPORAL_OF_TESTS"

# Answers the one question that starting asks. Leaves a process of its own behind, as a wrapper script may.
_ANSWERING: Final = """\
#!{python}
import signal, subprocess, sys, threading
from concurrent.futures import ThreadPoolExecutor
import grpc

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
handler = grpc.method_handlers_generic_handler(
    "temporal.api.workflowservice.v1.WorkflowService",
    {{"GetSystemInfo": grpc.unary_unary_rpc_method_handler(lambda request, context: b"")}},
)
server = grpc.server(ThreadPoolExecutor(1), handlers=[handler])
server.add_insecure_port("127.0.0.1:" + sys.argv[1])
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
server.start()
ended.wait()
server.stop(None).wait()
"""


def known(*makes: Callable[[Path, str], None]) -> KnownServer:
    """A server with these ways to make it."""
    ways = tuple(Way(f"way {number}", make) for number, make in enumerate(makes, 1))
    return KnownServer("the tested server", VARIABLE, "program", "server-1.0", ways)


def makes(folder: Path, program: str) -> None:
    """A way that works."""
    (folder / program).write_text("made")


def fails(folder: Path, program: str) -> None:
    """A way that fails half-way."""
    (folder / program).write_text("half a program")
    raise CommandFailed("`tool` is not on PATH; install tool")


def dies(folder: Path, program: str) -> None:
    """A way whose process is killed half-way, as far as this process can tell."""
    (folder / program).write_text("half a program")
    raise KeyboardInterrupt


def ask_at_once(barrier: Barrier, environment: Mapping[str, str], notes: Path) -> None:
    """Ask for one as soon as all others that share the barrier do; whoever makes it leaves a note.

    Args:
        barrier: shared by those that ask.
        environment: as of `obtain`.
        notes: the folder where the note is left.
    """

    def makes_slowly(folder: Path, program: str) -> None:
        (notes / f"made-by-{os.getpid()}").touch()
        (folder / program).write_text("ma")
        time.sleep(0.1)  # long enough for the others to look
        (folder / program).write_text("made")

    barrier.wait()
    assert obtain(known(makes_slowly), environment).read_text() == "made"


def script(path: Path, text: str) -> Path:
    """An executable file."""
    path.write_text(text)
    path.chmod(0o755)
    return path


def answering(folder: Path) -> Path:
    """The program of a server that answers."""
    return script(folder / "answering", _ANSWERING.format(python=sys.executable))
