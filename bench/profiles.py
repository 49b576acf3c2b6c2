"""Where the time goes: profiles of servers and workers, summed up by room and library."""

from __future__ import annotations

import marshal
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

# What `cProfile` writes: by file, line and name the numbers of calls, the own and the whole time, and the callers.
Statistics: TypeAlias = Mapping[tuple[str, int, str], tuple[int, int, float, float, object]]

_SHOWN: Final = 12
_OWN: Final = ("rescind_server", "rescind_proto", "rescind", "bench")
_HOMES_OF_LIBRARIES: Final = ("site-packages", f"python{sys.version_info.major}.{sys.version_info.minor}")
_WAITING: Final = ("epoll", "poll", "select", "kqueue")
_BUILT_IN: Final = "~"
_IMPORTING: Final = ("builtins.compile", "marshal.loads", "builtins.__build_class__", "_imp.")


def summaries(folder: Path) -> Iterator[str]:
    """For each profile below a folder two lines: how long its process was busy, and the shares of the places in it."""
    for file in sorted(folder.rglob("*.prof")):
        if not file.stat().st_size:  # it was killed
            continue
        shares = own_seconds(marshal.loads(file.read_bytes()))
        # Every process begins with imports, and how long it waits says how much it was asked.
        aside = [f"{shares.pop(name, 0.0):.2f} s {name}" for name in ("importing", "waiting")]
        busy = sum(shares.values()) or 1.0
        most = sorted(shares.items(), key=lambda each: -each[1])[:_SHOWN]
        yield f"{file.relative_to(folder)}: {busy:.2f} s busy, beside {' and '.join(aside)}"
        yield "  " + ", ".join(f"{place} {own / busy:.0%}" for place, own in most)


def own_seconds(statistics: Statistics) -> dict[str, float]:
    """The time that functions took themselves, without what they called, in seconds by place."""
    seconds: dict[str, float] = defaultdict(float)
    for (file, _, name), (_, _, own, *_) in statistics.items():
        seconds[place_of(file, name)] += own
    return seconds


def place_of(file: str, name: str) -> str:
    """The place of a function: a module of Rescind, a library, ``importing``, ``built-in`` or ``waiting``."""
    if file == _BUILT_IN:
        if any(f"'{word}'" in name or f".{word}" in name for word in _WAITING):
            return "waiting"
        return "importing" if any(word in name for word in _IMPORTING) else "built-in"
    if file.startswith("<frozen importlib"):
        return "importing"
    if file.startswith("<conversion"):  # made from the types of the messages, when they are first needed
        return "conversion of messages"
    parts = Path(file).with_suffix("").parts
    for package in _OWN:
        if package in parts[:-1]:
            return ".".join(parts[_last(parts, package) :])
    library = next((home for home in _HOMES_OF_LIBRARIES if home in parts[:-1]), None)
    return parts[_last(parts, library) + 1] if library is not None else parts[-1]


def _last(parts: tuple[str, ...], name: str) -> int:
    """The last place at which a name stands."""
    return len(parts) - parts[::-1].index(name) - 1
