"""The machine's process table, as far as it concerns attempts: who descends from whom, and who bears which mark.

Nothing but the standard library: the fork server, which must stay small, runs it, too.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

MARK: Final = "RESCIND_ATTEMPT"
"""The variable by which every process of an attempt bears its mark: the worker's identity, a slash, the attempt."""

_TABLE: Final = "/proc"
_PAUSE: Final = 0.002
_INSTANT: Final = struct.Struct("d")


class Process(NamedTuple):
    """One row of the table.

    Attributes:
        pid: its number, which may come to mean another process when this one has ended.
        parent: its parent's number.
        group: its process group.
        state: one letter of the kernel; ``Z`` has ended and waits to be reaped.
        began: when it began, in ticks since the machine did; with the number, it means one process for ever.
    """

    pid: int
    parent: int
    group: int
    state: str
    began: int


def process(pid: int) -> Process | None:
    """One row; None if there is no such process, or no table on this system."""
    try:
        file = os.open(f"{_TABLE}/{pid}/stat", os.O_RDONLY)
        try:
            row = os.read(file, 4_096)
        finally:
            os.close(file)
    except OSError:
        return None
    # The program's name stands in brackets and may hold anything, brackets too.
    fields = row[row.rindex(b")") + 2 :].split(b" ", 20)
    return Process(pid, int(fields[1]), int(fields[2]), fields[0].decode(), int(fields[19]))


def processes() -> Iterator[Process]:
    """All rows."""
    with suppress(OSError):
        for name in os.listdir(_TABLE):  # noqa: PTH208 - pathlib is slow to import
            if name.isdigit() and (row := process(int(name))) is not None:
                yield row


def descendants(ancestor: int) -> list[Process]:
    """All that descend from a process, parents before their children; itself not among them."""
    return _descendants(ancestor, _children())


def _children() -> dict[int, list[Process]]:
    children: dict[int, list[Process]] = {}
    for row in processes():
        children.setdefault(row.parent, []).append(row)
    return children


def _descendants(ancestor: int, children: Mapping[int, Sequence[Sequence[Any]]]) -> list[Process]:
    found = [Process(*row) for row in children.get(ancestor, ())]
    for row in found:
        found.extend(Process(*each) for each in children.get(row.pid, ()))
    return found


class SharedTable:
    """The table, read once for many processes that want to know at the same time.

    Reading it takes longer the more processes there are. Hundreds of supervisors, each reading what is there because of
    the others, would keep the machine busy for seconds. So each one waits for its turn, and takes what another has
    begun to read after it had asked.
    """

    def __init__(self) -> None:
        """Made before the processes are forked that share it."""
        self._file = os.memfd_create("rescind-processes") if sys.platform == "linux" else -1

    def descendants(self, ancestor: int) -> list[Process]:
        """As the function of this name."""
        if self._file < 0:
            return descendants(ancestor)
        asked_at = time.monotonic()
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            children = self._kept(asked_at)
            if children is None:
                began_at, children = time.monotonic(), _children()
                self._keep(began_at, children)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        return _descendants(ancestor, children)

    def _kept(self, since: float) -> Mapping[int, Sequence[Sequence[Any]]] | None:
        began_at = os.pread(self._file, _INSTANT.size, 0)
        if len(began_at) < _INSTANT.size or _INSTANT.unpack(began_at)[0] < since:
            return None
        size = os.fstat(self._file).st_size - _INSTANT.size
        kept: dict[int, list[tuple[Any, ...]]] = marshal.loads(os.pread(self._file, size, _INSTANT.size))
        return kept

    def _keep(self, began_at: float, children: Mapping[int, Sequence[Process]]) -> None:
        plain = {parent: [tuple(row) for row in rows] for parent, rows in children.items()}
        data = marshal.dumps(plain)
        # The instant last: a reader that dies in between leaves nothing that looks new.
        os.pwrite(self._file, _INSTANT.pack(0.0), 0)
        os.ftruncate(self._file, _INSTANT.size + len(data))
        os.pwrite(self._file, data, _INSTANT.size)
        os.pwrite(self._file, _INSTANT.pack(began_at), 0)


def send(row: Process, number: int) -> None:
    """Send a signal to a process, and to no other that may have its number by now."""
    try:
        held = os.pidfd_open(row.pid)
    except OSError:
        return
    try:
        same = process(row.pid)
        if same is not None and same.began == row.began:
            with suppress(OSError):
                signal.pidfd_send_signal(held, number)
    finally:
        os.close(held)


# --- marks -----------------------------------------------------------------------------------------------------------


def identity() -> str:
    """What this process is called in marks: unlike its number alone, nobody else is ever called so."""
    row = process(os.getpid())
    return f"{_namespace()}-{os.getpid()}-{row.began if row is not None else 0}"


def is_alive(named: str) -> bool:
    """Whether the process of an identity lives. Of those that this one cannot see it is assumed."""
    parts = named.split("-")
    if len(parts) != 3 or parts[0] != _namespace() or not (parts[1] + parts[2]).isdigit():
        return True
    row = process(int(parts[1]))
    return row is not None and row.began == int(parts[2]) and row.state != "Z"


def marked(is_meant: Callable[[str], bool]) -> list[Process]:
    """All living processes whose mark is meant; those of other users are not looked at."""
    found = []
    for row in processes():
        mark = _mark_of(row.pid) if row.state != "Z" else None
        if mark is not None and is_meant(mark):
            found.append(row)
    return found


def kill_marked(is_meant: Callable[[str], bool], within: float = 10.0) -> int:
    """Kill all whose mark is meant, until none is left or the seconds are over; returns how many were met."""
    met: set[tuple[int, int]] = set()
    until = time.monotonic() + within
    while (found := marked(is_meant)) and time.monotonic() < until:
        met.update((row.pid, row.began) for row in found)
        send_all(found, signal.SIGKILL)
        time.sleep(_PAUSE)
    return len(met)


def kill_those_of_dead_workers() -> int:
    """Kill what workers left behind that died themselves; returns how many were met."""
    return kill_marked(lambda mark: not is_alive(mark.partition("/")[0]))


def send_all(rows: Iterable[Process], number: int) -> None:
    """Send a signal to each of these."""
    for row in rows:
        send(row, number)


def _mark_of(pid: int) -> str | None:
    try:
        with open(f"{_TABLE}/{pid}/environ", "rb") as file:  # noqa: PTH123 - as above
            environment = file.read()
    except OSError:
        return None
    sign = f"{MARK}=".encode()
    for entry in environment.split(b"\0"):
        if entry.startswith(sign):
            return entry[len(sign) :].decode("utf-8", "replace")
    return None


def _namespace() -> str:
    """Numbers of processes mean something within one namespace only; a host sees those of its containers, too."""
    if sys.platform != "linux":
        return "0"
    return os.readlink(f"{_TABLE}/self/ns/pid").strip("pid:[]")  # noqa: PTH115 - as above
