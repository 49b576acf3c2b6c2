"""What workers write down about the code that they run: a line per fact, there also if the process dies behind it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode


class Fact(StrEnum):
    """What happened to code."""

    STARTED = "STARTED"
    ENDED = "ENDED"
    RAISED = "RAISED"
    TOLD = "TOLD"
    STEP = "STEP"


class Note(msgspec.Struct, frozen=True):
    """One line.

    Attributes:
        fact: what happened.
        execution_id: whose code it is.
        subject: the task's id; of a step its place.
        attempt: the attempt's number; 0 of a step.
        at: when, in microseconds since the epoch.
        worker: the process that wrote it.
        value: what was given back.
    """

    fact: Fact
    execution_id: str
    subject: str
    attempt: int
    at: int
    worker: str
    value: int | str | None = None


class Notebook:
    """A file that notes are appended to, one system call each."""

    def __init__(self, path: Path, worker: str) -> None:
        self._worker = f"{worker}/{os.getpid()}"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(
        self, fact: Fact, execution_id: str, subject: str, attempt: int = 0, value: int | str | None = None
    ) -> None:
        """Append a note; from any thread."""
        note = Note(fact, execution_id, subject, attempt, time.time_ns() // 1_000, self._worker, value)
        os.write(self._file, _encode(note) + b"\n")


def read_notes(path: Path) -> Sequence[Note]:
    """All notes of a file, in their order; none if there is no file. A line that a dying process left half is none."""
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [msgspec.json.decode(line, type=Note) for line in whole.splitlines()]
