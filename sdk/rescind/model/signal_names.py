"""How a pattern selects signals by their names."""

from __future__ import annotations

import re
from functools import lru_cache


def signal_pattern_matches(pattern: str, name: str) -> bool:
    """Whether a glob selects a signal's name, read from end to end.

    ``*`` stands for one or more characters other than a dot, ``**`` for one or more of any; everything else, also
    ``?``, stands for itself (flovyn.v1, Glob rules).
    """
    return _compiled(pattern).fullmatch(name) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", pattern)
    meaning = {"**": ".+", "*": r"[^.]+"}
    return re.compile("".join(meaning.get(part, re.escape(part)) for part in parts), re.DOTALL)
