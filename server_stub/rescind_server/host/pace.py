"""How much is asked of the engine in one turn, where much is to be asked: so that nobody else waits for long."""

from __future__ import annotations

from typing import Final

TURN_S: Final = 0.020
"""How long such a turn is to take, in seconds: others wait for the present one, and are decided with the next."""

_LEAST: Final = 20
_FIRST: Final = 100
_MOST: Final = 500


class Pace:
    """Finds out how much fits into a turn of this machine and its disk.

    Attributes:
        size: how much to ask next.
    """

    def __init__(self) -> None:
        self.size = _FIRST

    def note(self, count: int, seconds: float) -> None:
        """A turn with so much in it took that long."""
        fits = count * TURN_S / seconds if seconds > 0 else _MOST
        # Not at once: a single slow turn may be the disk's, or somebody else's.
        self.size = round(min(_MOST, max(_LEAST, (self.size + fits) / 2)))
