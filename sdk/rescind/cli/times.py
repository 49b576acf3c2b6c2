"""How long something has gone on, when something happened, and how many there are, for people."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from rescind.client.records import moment
from rescind.model.ids import Instant

_STEPS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def age_in_words(microseconds: int) -> str:
    """A length of time in its two largest units: ``3 d 4 h``, ``2 min 5 s``, ``12 s``."""
    seconds = max(0, microseconds) // 1_000_000
    for place, (size, unit) in enumerate(_STEPS):
        if seconds >= size:
            count, rest = divmod(seconds, size)
            if place + 1 == len(_STEPS) or not rest // _STEPS[place + 1][0]:
                return f"{count} {unit}"
            smaller, smaller_unit = _STEPS[place + 1]
            return f"{count} {unit} {rest // smaller} {smaller_unit}"
    return "0 s"


def local_time(at: Instant) -> str:
    """An instant by the reader's clock and zone."""
    shown: datetime = moment(at).astimezone()
    return shown.strftime("%Y-%m-%d %H:%M:%S")


def counted(count: int, thing: str) -> str:
    """So many of a thing: ``1 task``, ``2 tasks``."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
