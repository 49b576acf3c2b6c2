"""Waiting for what nobody tells of."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LONGEST: Final = 60.0
_LOOK_EVERY: Final = 0.02


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds, looking again and again.

    Raises:
        AssertionError: it did not come to hold; the text says `what` was waited for.
    """
    end = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(_LOOK_EVERY)
