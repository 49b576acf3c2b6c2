"""Which machine, and which versions: figures of two machines cannot be compared."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sqlite3
import time
from pathlib import Path
from typing import Final

import msgspec

_MIB: Final = 1024**2
_PACKAGES: Final = ("rescind", "grpcio", "msgspec", "protobuf")
# In them a commit that waits for the disk waits for nothing.
_IN_MEMORY: Final = ("tmpfs", "ramfs")


class Machine(msgspec.Struct, frozen=True):
    """What figures depend on.

    Attributes:
        processor: the model of its processor.
        cores: how many of them this process may use.
        memory_mib: its memory.
        kernel: its operating system.
        filesystem: what the stores lay on.
        versions: of Python, SQLite and the packages that matter, by name.
    """

    processor: str
    cores: int
    memory_mib: int
    kernel: str
    filesystem: str
    versions: dict[str, str]

    @property
    def is_forgetful(self) -> bool:
        """Whether the stores lay in memory, where a commit waits for no disk."""
        return self.filesystem in _IN_MEMORY


class Others:
    """How much of the processors others use while something is measured: what makes figures worse than they are.

    Made when the measurement begins. The processes that it starts are counted as its own once they have ended.
    """

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._busy = _busy_seconds()
        self._own = _own_seconds()

    def share(self) -> float:
        """Their share of all processors since then: between 0 and 1."""
        passed = (time.monotonic() - self._begun) * len(os.sched_getaffinity(0))
        taken = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        return min(1.0, max(0.0, taken / passed))


def _busy_seconds() -> float:
    """For how long all processors together have worked for programs, or were taken by another virtual machine."""
    user, nice, system, _idle, _waiting, interrupt, soft, stolen, *_ = map(
        int, Path("/proc/stat").read_text("utf-8").splitlines()[0].split()[1:]
    )
    return (user + nice + system + interrupt + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def this_machine(folder: Path) -> Machine:
    """The machine that this runs on, with the file system of a folder."""
    versions = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    versions |= {name: importlib.metadata.version(name) for name in _PACKAGES}
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        _processor(), len(os.sched_getaffinity(0)), pages // _MIB, platform.platform(), _filesystem(folder), versions
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _filesystem(folder: Path) -> str:
    """The type of the file system that is mounted nearest above a folder."""
    above = [folder.resolve(), *folder.resolve().parents]
    mounted = {}
    for line in Path("/proc/mounts").read_text("utf-8").splitlines():
        _, place, kind, *_ = line.split(" ")
        mounted[Path(place)] = kind
    return next((mounted[each] for each in above if each in mounted), "unknown")
