"""Where a commit is made: in place, or in the store's thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rescind_server.engine.state import Decision

# So much is written in about the time that the way to another thread and back takes.
_MOST_ROWS: Final = 16
# A disk that takes longer is waited for in the thread: meanwhile the event loop has more to do than to be idle.
_LONGEST: Final = 0.002
_WEIGHT: Final = 1 / 8


class CommitPace:
    """Whether the event loop makes a commit itself.

    Nothing is told to anybody before a commit, so an idle server has nothing to gain from a thread, and two switches of
    threads to lose: a third of the time that a cancel takes through the server. Many rows, or a slow disk, would keep
    the loop from taking in what arrives; such a commit is made in the thread.
    """

    def __init__(self) -> None:
        self._mean = 0.0

    def is_in_place(self, decisions: Sequence[Decision]) -> bool:
        """Whether these decisions are few, and commits of few have been quick of late."""
        return self._mean < _LONGEST and is_small(decisions)

    def note(self, seconds: float) -> None:
        """A small commit took so long, wherever it was made."""
        self._mean += (seconds - self._mean) * _WEIGHT


def is_small(decisions: Sequence[Decision]) -> bool:
    """Whether decisions are few enough to be written in no time, but for the disk's."""
    rows = 0
    for decision in decisions:
        rows += len(decision.executions) + len(decision.tasks) + len(decision.events)
        if rows > _MOST_ROWS:
            return False
    return True
