"""Lengths of time as people write them: ``30d``, ``1h30m``, ``1.5s``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from rescind.errors import InvalidInput

_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_PART: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|s|m|h|d|w)")
_WHOLE: Final = re.compile(rf"(?:{_PART.pattern})+")


def age_of(text: str) -> timedelta:
    """The length of time that a text says: numbers with their units, the sum of which is meant.

    Args:
        text: such as ``90s``, ``12h``, ``30d`` or ``1h30m``; the units are ms, s, m, h, d and w.

    Raises:
        InvalidInput: it says none, or one that is longer than time.
    """
    if not _WHOLE.fullmatch(text):
        raise InvalidInput(f"{text[:100]!r} is no length of time. Give numbers with units, as 90s, 15m, 12h or 30d.")
    try:
        return sum((float(number) * _UNITS[unit] for number, unit in _PART.findall(text)), timedelta())
    except OverflowError:
        raise InvalidInput(f"{text[:100]!r} is longer than time.") from None
