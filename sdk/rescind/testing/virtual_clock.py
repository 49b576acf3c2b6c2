"""A clock that moves only when it is told to, and who lives by it.

Also what the two followers of the clock share: putting stand-ins in the place of functions that modules hold by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, Final

_MICROSECOND: Final = timedelta(microseconds=1)
# A float deadline is off by far less than this; without it 0.1 + 0.2 would become 300,001 microseconds.
_ROUNDING_TOLERANCE: Final = 0.1


def whole_microseconds(seconds: float) -> int:
    """`seconds` in microseconds, rounded up."""
    return math.ceil(seconds * 1e6 - _ROUNDING_TOLERANCE)


class VirtualClock:
    """A clock that moves only when it is told to.

    Attributes:
        start: the instant, aware and in UTC, at which it stood when it was made.
    """

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError(f"start {start!r} has no time zone; give it one, as in start.replace(tzinfo=timezone.utc)")
        self.start: Final = start.astimezone(UTC)
        self._elapsed = 0

    def microseconds(self) -> int:
        """How many virtual microseconds have passed since the start."""
        return self._elapsed

    def time(self) -> float:
        """How many virtual seconds have passed since the start."""
        return self._elapsed / 1e6

    def now(self) -> datetime:
        """The virtual instant, aware and in UTC."""
        return self.start + self._elapsed * _MICROSECOND

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once. Whatever falls due meanwhile runs afterwards, in the order of its deadlines."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self._elapsed += whole_microseconds(seconds)


class _Thread(threading.local):
    clock: VirtualClock | None = None


_thread: Final = _Thread()


def current_clock() -> VirtualClock | None:
    """The virtual clock that the calling code lives by: its running loop's, or that of the loop its thread serves."""
    loop = asyncio._get_running_loop()
    return loop if isinstance(loop, VirtualClock) else _thread.clock


@contextlib.contextmanager
def serving(clock: VirtualClock) -> Iterator[None]:
    """While the block runs, this thread lives by `clock`."""
    outer, _thread.clock = _thread.clock, clock
    try:
        yield
    finally:
        _thread.clock = outer


class Substitution:
    """Puts stand-ins in place of objects that modules hold by name, and takes them out again.

    A module is searched once, when it is first seen, so to apply a substitution again costs a few assignments.

    Args:
        stand_ins: real objects, each with its stand-in.
        spared: first words of the names of modules that keep the real objects.
    """

    def __init__(self, stand_ins: list[tuple[Any, Any]], spared: tuple[str, ...] = ()) -> None:
        self._stand_in_of = {id(real): (real, stand_in) for real, stand_in in stand_ins}
        self._real_of = {id(stand_in): real for real, stand_in in stand_ins}
        self._spared = (*spared, "_datetime", "_pydatetime", "freezegun", "rescind.testing")
        self._seen: set[str] = set()
        self._modules_counted = 0
        self._places: list[tuple[dict[str, Any], str, Any, Any]] = []

    def apply(self) -> None:
        """Put every stand-in where its real object is."""
        self._search()
        for names, name, real, stand_in in self._places:
            if names.get(name) is real:
                names[name] = stand_in

    def undo(self) -> None:
        """Put the real objects back, also in modules that were imported meanwhile."""
        self._search()
        for names, name, real, stand_in in self._places:
            if names.get(name) is stand_in:
                names[name] = real

    def _search(self) -> None:
        if len(sys.modules) == self._modules_counted:
            return
        modules = sys.modules.copy()
        self._modules_counted = len(modules)
        for module_name in modules.keys() - self._seen:
            self._seen.add(module_name)
            if isinstance(modules[module_name], ModuleType) and not module_name.startswith(self._spared):
                self._search_names(vars(modules[module_name]))

    def _search_names(self, names: dict[str, Any]) -> None:
        for name, value in list(names.items()):
            if id(value) in self._stand_in_of:
                self._places.append((names, name, *self._stand_in_of[id(value)]))
            elif id(value) in self._real_of:
                self._places.append((names, name, self._real_of[id(value)], value))
