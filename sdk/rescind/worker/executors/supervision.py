"""The worker's side of supervised processes: begin one, tell it to stop, know when nothing of it is left."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, cast
from weakref import WeakSet

from rescind.errors import NonRetryable
from rescind.runtime.task_context import TaskContext, is_lost
from rescind.worker.executors import process_table
from rescind.worker.executors.port import WorkKilled

_LOG: Final = logging.getLogger("rescind.worker")
_PROGRAM: Final = Path(__file__).with_name("fork_server.py")
_ENDS_WITHIN: Final = 10.0


class NotStarted(NonRetryable):
    """A command could not be begun: there is no such program, it cannot be run, or its folder cannot be entered."""


class Gone(NamedTuple):
    """How a process ended, when nothing that descends from it is left.

    Attributes:
        status: its wait status; None if its code never ran, or if nobody saw its end.
        told: whether it was told to stop before it had ended by itself.
        forced: whether something had to be killed because it did not stop by itself.
    """

    status: int | None
    told: bool
    forced: bool

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None if a signal ended it."""
        return os.WEXITSTATUS(self.status) if self.status is not None and os.WIFEXITED(self.status) else None

    @property
    def signal_name(self) -> str | None:
        """The signal that ended it, as ``SIGSEGV``; None if none did."""
        if self.status is None or not os.WIFSIGNALED(self.status):
            return None
        number = os.WTERMSIG(self.status)
        try:
            return signal.Signals(number).name
        except ValueError:
            return f"signal {number}"


class SupervisedProcess:
    """One process with all that descends from it. Made by a ForkServer; belongs to its event loop.

    Attributes:
        mark: what every process of it bears in its environment.
    """

    def __init__(self, mark: str, request: bytes) -> None:
        self.mark = mark
        self._loop = asyncio.get_running_loop()
        self._control, self._remote = socket.socketpair()
        self._control.setblocking(False)
        self._unsent = request
        self._received = b""
        self._gone: asyncio.Future[Gone] = self._loop.create_future()
        self._cleared: asyncio.Future[None] | None = None
        self._gone.add_done_callback(_heed)
        self._loop.add_reader(self._control, self._receive)
        self._flush()

    def terminate(self) -> None:
        """Send SIGTERM to all of it. Before it was begun: it never begins."""
        self._tell(b"T")

    def kill(self) -> None:
        """Send SIGKILL to all of it, until nothing is left."""
        self._tell(b"K")

    async def clear(self) -> None:
        """Kill what descends from the process, and leave the process itself."""
        self._cleared = self._loop.create_future()
        self._tell(b"C")
        await asyncio.wait(
            cast("list[asyncio.Future[Any]]", [self._cleared, self._gone]), return_when=asyncio.FIRST_COMPLETED
        )

    async def gone(self) -> Gone:
        """Wait until nothing of it is left.

        Raises:
            NotStarted: it could not be begun.
        """
        return await asyncio.shield(self._gone)

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it is left."""
        return self._gone.done()

    def pause(self) -> None:
        """Hear nothing of it until `resume`. A loop in virtual time waits for whatever it listens to."""
        self._loop.remove_reader(self._control)

    def resume(self) -> bool:
        """Hear of it again; returns whether it still runs."""
        try:
            if self._control.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b"{":
                return False
        except BlockingIOError:
            pass
        except OSError:
            return False
        self._loop.add_reader(self._control, self._receive)
        self._receive()
        return not self._gone.done()

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Have a function called when nothing of it is left."""
        self._gone.add_done_callback(lambda _: callback())

    def close(self) -> None:
        """Let go of it: what is left of it is killed, and nobody waits for it."""
        if self._control.fileno() >= 0:
            self._loop.remove_reader(self._control)
            self._loop.remove_writer(self._control)
            self._control.close()
        self._remote.close()
        self._gone.cancel()

    def remote_end(self) -> socket.socket:
        """For the fork server: what the supervisor is given."""
        return self._remote

    def _tell(self, letter: bytes) -> None:
        if self._control.fileno() >= 0 and not self._gone.done():
            self._unsent += letter
            self._flush()

    def _flush(self) -> None:
        try:
            sent = self._control.send(self._unsent) if self._unsent else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._unsent = b""  # the supervisor has ended; what it said last can still be read
            sent = 0
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._loop.add_writer(self._control, self._flush)
        else:
            self._loop.remove_writer(self._control)

    def _receive(self) -> None:
        try:
            data = self._control.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        if not data:
            self._loop.remove_reader(self._control)
            self._loop.remove_writer(self._control)
            if not self._gone.done():
                _LOG.warning("the supervisor of %s was killed; what it watched over is killed now", self.mark)
                self._loop.create_task(self._kill_marked())

    def _take(self, said: dict[str, Any]) -> None:
        if self._gone.done():
            return
        match said["event"]:
            case "gone":
                self._gone.set_result(Gone(said["status"], said["told"], said["forced"]))
            case "refused":
                self._gone.set_exception(_refusal(said))
            case "cleared" if self._cleared is not None and not self._cleared.done():
                self._cleared.set_result(None)

    async def _kill_marked(self) -> None:
        await asyncio.to_thread(process_table.kill_marked, lambda mark: mark == self.mark)
        if not self._gone.done():
            self._gone.set_result(Gone(None, True, True))


class ForkServer:
    """Begins processes for one worker. Its program is started with the first of them."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._program: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._waiting: deque[tuple[SupervisedProcess, Sequence[int]]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._processes: WeakSet[SupervisedProcess] = WeakSet()

    def begin(
        self,
        arguments: Sequence[str],
        *,
        attempt: str,
        files: Sequence[int],
        environment: Mapping[str, str],
        folder: str | None = None,
    ) -> SupervisedProcess:
        """Begin a process in a session of its own; returns at once, before it runs.

        Args:
            arguments: the program, looked for as a shell does, and its arguments.
            attempt: what its mark says beside the worker.
            files: what it finds as its files 0, 1, 2 and so on. They are taken over, and closed here.
            environment: its variables; its mark is added.
            folder: its working folder; else the worker's.
        """
        mark = f"{process_table.identity()}/{attempt}"
        request = {
            "arguments": list(arguments),
            "environment": {**environment, process_table.MARK: mark},
            "cwd": folder or str(Path.cwd()),
        }
        process = SupervisedProcess(mark, json.dumps(request).encode() + b"\n")
        self._processes.add(process)
        self._waiting.append((process, files))
        self.start()
        self._flush()
        return process

    def start(self) -> None:
        """Start its program, unless it runs. It kills what workers that died left behind."""
        if self._program is not None and self._program.poll() is None:
            return
        self._hang_up()
        self._loop = asyncio.get_running_loop()
        self._requests, remote = socket.socketpair()
        self._requests.setblocking(False)
        with remote:
            self._program = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM), str(remote.fileno())],
                pass_fds=[remote.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # out of reach of the Ctrl+C that stops the worker
                cwd="/",
            )

    def close(self) -> None:
        """Kill all that is left, and end. Returns when nothing is left."""
        while self._waiting:
            self._forget(*self._waiting.popleft())
        for process in list(self._processes):
            process.close()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._requests is not None and self._loop is not None:
            if not self._loop.is_closed():
                self._loop.remove_writer(self._requests)
            self._requests.close()
            self._requests = None
        if self._program is not None:
            with suppress(subprocess.TimeoutExpired):
                self._program.wait(_ENDS_WITHIN)
            if self._program.returncode is None:
                self._program.kill()
                self._program.wait()
            self._program = None

    def _flush(self) -> None:
        assert self._requests is not None
        assert self._loop is not None
        while self._waiting:
            process, files = self._waiting[0]
            if process.remote_end().fileno() < 0:  # closed before its turn
                self._forget(*self._waiting.popleft())
                continue
            try:
                socket.send_fds(self._requests, [b"."], [process.remote_end().fileno(), *files])
            except BlockingIOError:
                self._loop.add_writer(self._requests, self._flush)
                return
            except OSError:
                self._hang_up()
                self.start()
                continue
            self._waiting.popleft()
            process.remote_end().close()
            _close_all(files)
        self._loop.remove_writer(self._requests)

    def _forget(self, process: SupervisedProcess, files: Sequence[int]) -> None:
        process.close()
        _close_all(files)


async def see_through(process: SupervisedProcess, context: TaskContext) -> Gone:
    """Wait until nothing of an attempt's process is left, and hand each cancel of this call on to it.

    The first is SIGTERM, the next, which comes when the grace is over, SIGKILL.

    Raises:
        NotStarted: it could not be begun.
        WorkKilled: it was told to stop, and had to be killed.
        asyncio.CancelledError: it was told to stop, and did; or its worker is lost, and it is being killed.
    """
    terminated = False
    while True:
        try:
            gone = await process.gone()
        except asyncio.CancelledError:
            if is_lost(context):
                process.kill()
                raise
            # Cancelled without an order: the worker's event loop is being closed.
            if terminated or not context.is_cancelled:
                process.kill()
            process.terminate()
            terminated = True
            continue
        if gone.told:
            raise WorkKilled if gone.forced else asyncio.CancelledError
        return gone


def _refusal(said: dict[str, Any]) -> NotStarted:
    why = said.get("text") or os.strerror(said["errno"])
    return NotStarted({"folder": f"its working folder cannot be entered: {why}"}.get(said["stage"], why))


def _close_all(files: Sequence[int]) -> None:
    for file in files:
        os.close(file)


def _heed(gone: asyncio.Future[Gone]) -> None:
    """Nobody may wait for it; that is no news for asyncio's log."""
    if not gone.cancelled():
        gone.exception()
