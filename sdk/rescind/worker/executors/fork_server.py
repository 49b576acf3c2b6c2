"""The program beside a worker that begins processes, and sees to it that each ends with all that descends from it.

The worker runs it as a script of its own, with the standard library only. It is small, so forking it is quick, and it
does not share the worker's fate: when the worker dies, however, its sockets close, and every process of its attempts
is killed.

For each process there is a supervisor, forked from here. It adopts what its descendants leave behind (Linux: a
sub-reaper), so none gets away by forking twice or by a session of its own; and when it has no child any more, there is
proof that nothing is left. It is told over the control socket, one letter each: ``T`` terminate, ``K`` kill, ``C`` kill
all but the process itself. It answers in lines of JSON.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any, Final, NoReturn

if __name__ == "__main__":  # run as a script: the package would be slow to import
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib is slow to import
    import process_table  # type: ignore[import-not-found, unused-ignore]
else:
    from rescind.worker.executors import process_table

MOST_FILES: Final = 16
"""The most file descriptors that may be given to a process, its control socket included."""

_CHILD_SUBREAPER: Final = 36
_PARENT_DEATH_SIGNAL: Final = 1
# A group that obeys is gone within this many seconds; only then is it worth looking for those outside of it.
_GROUP_ENDS_WITHIN: Final = 0.01
_KILL_AGAIN_AFTER: Final = 0.003
_ABOVE_ALL_TARGETS: Final = 64


def serve(requests: socket.socket) -> None:
    """Fork a supervisor per request, until the worker closes the socket or dies; then wait for all of them."""
    _become_reaper()
    process_table.kill_those_of_dead_workers()
    wakeup = _wake_up_by_child_signals()
    table = process_table.SharedTable()
    supervisors: set[int] = set()
    gc.disable()
    gc.freeze()
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    poll.register(wakeup, select.POLLIN)
    while True:
        ready = {file for file, _ in poll.poll()}
        if wakeup.fileno() in ready:
            _drain(wakeup)
            _reap(supervisors)
        if requests.fileno() in ready:
            files = _next_request(requests)
            if files is None:
                break
            if files:
                supervisors.add(_fork_supervisor(files, [requests, wakeup], table))
    poll.unregister(requests)
    while supervisors:
        poll.poll()
        _drain(wakeup)
        _reap(supervisors)


def _next_request(requests: socket.socket) -> list[int] | None:
    """The files of a request, control socket first; None when there will be none any more."""
    try:
        data, files, _, _ = socket.recv_fds(requests, 1, MOST_FILES, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
    except OSError:
        return None
    return files if data else None


def _fork_supervisor(files: list[int], own: list[socket.socket], table: process_table.SharedTable) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for each in own:
                each.close()
            Supervisor(socket.socket(fileno=files[0]), files[1:], table).run()
            code = 0
        finally:
            os._exit(code)
    for file in files:
        os.close(file)
    return pid


def _reap(supervisors: set[int]) -> None:
    """Reap what has ended. A supervisor that was killed leaves its descendants here: they are killed, too."""
    orphans = False
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            break
        orphans = orphans or pid not in supervisors or status != 0
        supervisors.discard(pid)
    while orphans:
        left = [row for row in process_table.descendants(os.getpid()) if row.parent == os.getpid()]
        strange = [row for row in left if row.pid not in supervisors and row.state != "Z"]
        process_table.send_all(strange, signal.SIGKILL)
        orphans = bool(strange)
        time.sleep(_KILL_AGAIN_AFTER if orphans else 0)


class Supervisor:
    """Begins one process, stops it when told, and ends when nothing that descends from it is left."""

    def __init__(self, control: socket.socket, files: list[int], table: process_table.SharedTable) -> None:
        """Made in a process of its own.

        Args:
            control: where the request, then letters, come from, and the answers go.
            files: what the process finds as its files 0, 1, 2 and so on.
            table: where it looks for what descends from it.
        """
        self._table = table
        self._control = control
        self._files = files
        self._wakeup = _wake_up_by_child_signals()
        self._main = 0
        self._status: int | None = None
        self._told = False
        self._forced = False
        self._killing = False
        self._clearing = False
        self._is_alone = False
        self._look_further_at: float | None = None
        self._received = b""

    def run(self) -> None:
        """Live through the whole of it."""
        _become_reaper()
        request = self._read_request()
        if request is None or not self._start(request):
            return
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wakeup, select.POLLIN)
        while True:
            # Ends first: a process that has ended by itself is not taken for one that was told to.
            if self._reap():
                break
            self._obey(poll)
            self._press_on()
            poll.poll(self._pause())
            _drain(self._wakeup)
        self._answer({"event": "gone", "status": self._status, "told": self._told, "forced": self._forced})

    def _pause(self) -> float | None:
        if self._killing or self._clearing:
            return _KILL_AGAIN_AFTER * 1_000
        if self._look_further_at is not None:
            return max(0.0, self._look_further_at - time.monotonic()) * 1_000
        return None

    def _read_request(self) -> dict[str, Any] | None:
        self._control.setblocking(True)
        while b"\n" not in self._received:
            data = self._control.recv(65_536)
            if not data:
                return None
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        self._control.setblocking(False)
        request: dict[str, Any] = json.loads(line)
        return request

    def _start(self, request: dict[str, Any]) -> bool:
        with suppress(BlockingIOError):
            self._received += self._control.recv(64)
        if self._received:
            self._answer({"event": "gone", "status": None, "told": True, "forced": False})
            return False
        problems, write_problems = os.pipe()
        self._main = os.fork()
        if self._main == 0:
            _become(request, self._files, write_problems)
        os.close(write_problems)
        for file in self._files:
            os.close(file)
        with os.fdopen(problems, "rb") as reading:
            problem = reading.read()
        if problem:
            os.waitpid(self._main, 0)
            self._answer({"event": "refused", **json.loads(problem)})
            return False
        self._answer({"event": "started", "pid": self._main})
        return True

    def _reap(self) -> bool:
        """Reap what has ended; returns whether nothing at all is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._main:
                self._status = status
                # What it leaves behind belongs to no attempt any more, unless all of them have just been told.
                self._killing = self._killing or not self._told
                # Told once more: one that was just being forked may have lost the first signal to its parent's trap.
                self._look_further_at = time.monotonic()

    def _obey(self, poll: select.poll) -> None:
        for letter in self._letters(poll).decode("ascii", "replace"):
            match letter:
                case "T":
                    self._terminate()
                case "K":
                    self._told = self._told or self._status is None
                    self._forced = self._told
                    self._killing = True
                case "C":
                    self._clearing = True

    def _letters(self, poll: select.poll) -> bytes:
        if self._is_alone:
            return b""
        try:
            letters = self._control.recv(64)
        except BlockingIOError:
            return b""
        except OSError:
            letters = b""
        if letters:
            return letters
        self._is_alone = True
        poll.unregister(self._control)
        return b"K"

    def _terminate(self) -> None:
        if self._told or self._status is not None:
            return
        self._told = True
        self._signal_group(signal.SIGTERM)
        self._look_further_at = time.monotonic() + _GROUP_ENDS_WITHIN

    def _press_on(self) -> None:
        if self._killing:
            self._signal_group(signal.SIGKILL)
            self._signal_all(signal.SIGKILL)
            return
        if self._clearing:
            self._clear()
        if self._look_further_at is not None and time.monotonic() >= self._look_further_at:
            self._look_further_at = None
            # The group has been told already; only what outlives its leader is told again.
            self._signal_all(signal.SIGTERM, besides=self._main if self._status is None else None)

    def _signal_group(self, number: int) -> None:
        # As long as it is not reaped, its number is its own; its group may live longer, and is found one by one.
        if self._status is None:
            with suppress(OSError):
                os.killpg(self._main, number)

    def _signal_all(self, number: int, besides: int | None = None) -> None:
        if self._reap():
            return
        for row in self._table.descendants(os.getpid()):
            if row.group != besides and row.state != "Z":
                process_table.send(row, number)

    def _clear(self) -> None:
        """Kill what descends from the process, and say so when there is nothing left but the process itself."""
        rows = [row for row in self._table.descendants(os.getpid()) if row.pid != self._main and row.state != "Z"]
        process_table.send_all(rows, signal.SIGKILL)
        self._clearing = bool(rows)
        if not rows:
            self._answer({"event": "cleared"})

    def _answer(self, facts: dict[str, Any]) -> None:
        with suppress(OSError):
            self._control.send(json.dumps(facts).encode() + b"\n")


def _become(request: dict[str, Any], files: list[int], problems: int) -> NoReturn:
    """In the new process: become the program that was asked for, or say why not."""
    stage = "start"
    try:
        os.setsid()
        _prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        for number in signal.valid_signals():
            if signal.getsignal(number) is not signal.SIG_DFL:
                with suppress(OSError, ValueError):
                    signal.signal(number, signal.SIG_DFL)
        held = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, _ABOVE_ALL_TARGETS) for file in files]
        problems = fcntl.fcntl(problems, fcntl.F_DUPFD_CLOEXEC, _ABOVE_ALL_TARGETS)
        for target, file in enumerate(held):
            os.dup2(file, target)
        stage = "folder"
        if request["cwd"] is not None:
            os.chdir(request["cwd"])
        stage = "program"
        os.execvpe(request["arguments"][0], request["arguments"], request["environment"])
    except OSError as error:
        facts = {"stage": stage, "errno": error.errno or errno.EINVAL}
    except Exception as error:  # this process was to become the program: it must say why not, and end
        facts = {"stage": stage, "errno": errno.EINVAL, "text": f"{type(error).__name__}: {error}"}
    os.write(problems, json.dumps(facts).encode())
    os._exit(127)


def _wake_up_by_child_signals() -> socket.socket:
    """A socket that can be read from when a child has ended."""
    reading, writing = socket.socketpair()
    reading.setblocking(False)
    writing.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)
    return reading


def _drain(wakeup: socket.socket) -> None:
    with suppress(BlockingIOError):
        while wakeup.recv(4_096):
            pass


def _become_reaper() -> None:
    _prctl(_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if _LIBRARY is not None:
        _LIBRARY.prctl(option, value, 0, 0, 0)


# Opened here, once: after a fork there is no time for it.
_LIBRARY: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
