"""What a client asked for and was answered, written down as the answers arrive."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode


class Operation(StrEnum):
    """What was asked for."""

    START = "START"
    SIGNAL = "SIGNAL"
    CANCEL = "CANCEL"
    CANCEL_TASK = "CANCEL_TASK"
    CANCEL_WHERE = "CANCEL_WHERE"


class Call(msgspec.Struct, frozen=True):
    """One request, asked once.

    Attributes:
        number: which one.
        operation: what was asked for.
        execution_id: of which execution; "" where it was of many.
        subject: the signal's name or the task's id, if one.
        reason: the words by which the history shows the request; no two requests to cancel share them.
        answer: what it was answered; None if no answer came.
        counts: of a cancel of many, how many requests met which result, as far as was answered.
        error: why no answer came.
    """

    number: int
    operation: Operation
    execution_id: str
    subject: str = ""
    reason: str = ""
    answer: str | None = None
    counts: dict[str, int] = {}
    error: str | None = None

    @property
    def is_acknowledged(self) -> bool:
        """Whether it was answered."""
        return self.answer is not None


class Ledger:
    """All calls of a run, in memory and in a file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._calls: list[Call] = []
        self._numbers = 0

    @property
    def calls(self) -> Sequence[Call]:
        """The calls that are over, in the order of their ends."""
        return self._calls

    def next_number(self) -> int:
        """The number of the next call."""
        self._numbers += 1
        return self._numbers

    def write(self, call: Call) -> None:
        """A call is over."""
        self._calls.append(call)
        self._file.write(_encode(call) + b"\n")

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()
