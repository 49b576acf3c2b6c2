"""Lines of the author's own code, for messages: those of Rescind and of the standard library help nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

OUR_CODE: Final = str(Path(__file__).parents[2])
_STANDARD_CODE: Final = str(Path(asyncio.__file__).parents[1])


def running_place(frame: FrameType | None) -> str:
    """File and line of the innermost frame that is the author's own, from `frame` outwards."""
    while frame is not None:
        if _is_the_authors(frame):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return "an unknown line"


def suspended_place(awaited: object) -> str:
    """File and line of the innermost frame that is the author's own, where a coroutine is suspended."""
    own = [frame for frame in suspended_frames(awaited) if _is_the_authors(frame)]
    return f"{own[-1].f_code.co_filename}:{own[-1].f_lineno}" if own else "an unknown line"


def suspended_frames(awaited: object) -> Iterator[FrameType]:
    """The frames of a suspended coroutine, and of what it awaits, outermost first."""
    while awaited is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(awaited, f"{kind}_frame", None)
            if frame is not None:
                yield frame
                awaited = getattr(awaited, f"{kind}_await" if kind != "gi" else "gi_yieldfrom")
                break
        else:
            return


def _is_the_authors(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return not file.startswith((OUR_CODE, _STANDARD_CODE, "<")) or "site-packages" in file
