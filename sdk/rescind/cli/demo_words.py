"""How the demo says things: lengths of time, names of tasks, causes of cancels."""

from __future__ import annotations

from typing import Any, Final

_CAUSES: Final = {
    "race_lost": "lost the race",
    "request": "was cancelled by its agent",
    "replaced": "was replaced",
    "deadline": "ran out of time",
    "scope_left": "was left behind with its scope",
    "parent": "outlived its agent",
    "shutdown": "was shut down",
}
# How the fixture tasks name themselves in their input.
_NAMES: Final = ("source", "name", "message")


def length_of_time(microseconds: int) -> str:
    """A length of time as people say it: 240 µs, 1.2 ms, 100 ms, 7.05 s."""
    if microseconds == 0:
        return "0 ms"
    if microseconds < 1_000:
        return f"{microseconds} µs"
    if microseconds < 1_000_000:
        return f"{_short(microseconds / 1_000)} ms"
    return f"{_short(microseconds / 1_000_000)} s"


def _short(number: float) -> str:
    digits = 0 if number >= 100 else 1 if number >= 10 else 2
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def name_of(task_input: Any, kind: str) -> str:
    """What to call a task: the name that its input gives it, else its kind."""
    given = task_input if isinstance(task_input, dict) else {}
    return next((given[key] for key in _NAMES if isinstance(given.get(key), str)), kind)


def cause_in_words(source: str) -> str:
    """What brought a cancel about."""
    return _CAUSES.get(source, source)
