"""Random numbers of a workflow: the wire's generator, so that every pass, in any language, draws the same."""

from __future__ import annotations

from random import Random
from typing import Final
from uuid import UUID

_MASK: Final = (1 << 64) - 1


class WorkflowRandom(Random):
    """xorshift64, seeded with the low 64 bits of the workflow's id, anew in each pass.

    All of ``random.Random`` works on it; the methods of its own are those of the other SDKs.
    """

    def __init__(self, workflow_id: UUID) -> None:
        """Begin where each pass over this workflow begins."""
        self._bits = workflow_id.int & _MASK or 1
        super().__init__()

    def seed(self, *_: object, **__: object) -> None:
        """It has its seed."""

    def next_bits(self) -> int:
        """The generator's next output: 64 bits."""
        bits = self._bits
        bits ^= (bits << 13) & _MASK
        bits ^= bits >> 7
        bits ^= (bits << 17) & _MASK
        self._bits = bits
        return bits

    def random(self) -> float:
        """A number from 0 up to, but not including, 1."""
        return (self.next_bits() >> 11) * 2.0**-53

    def getrandbits(self, count: int, /) -> int:
        """A whole number of so many random bits."""
        drawn = 0
        for _ in range((count + 63) // 64):
            drawn = drawn << 64 | self.next_bits()
        return drawn >> (-count % 64)

    def next_int(self, least: int, beyond: int) -> int:
        """A whole number from `least` up to, but not including, `beyond`; `least` if there is none."""
        return least if least >= beyond else least + self.next_bits() % (beyond - least)

    next_long = next_int

    def next_double(self) -> float:
        """A number from 0 to 1, both included."""
        return self.next_bits() / _MASK

    def next_bool(self) -> bool:
        """One of two."""
        return self.next_bits() % 2 == 0
