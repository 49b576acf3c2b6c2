"""Who stands still, and where."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import rescind_server
from rescind.backends.native.code_places import OUR_CODE, suspended_frames

LOOK_EVERY: Final = 0.005  # real seconds between two looks at a thread
_LOOKS_TO_BE_STUCK: Final = 6
_FUTEX: Final = frozenset({"202", "98"})  # the system call in which a thread waits for a lock: x86-64, arm64
_IDLE_SHARE: Final = 0.2  # of the real time, the most that an idle process spends on the CPU
_ASYNCIO: Final = str(Path(asyncio.__file__).parent)
_SERVER: Final = str(Path(rescind_server.__file__).parent)


class StuckWatch:
    """Looks, again and again, whether a thread hangs on a lock while the process idles."""

    def __init__(self, native_id: int | None) -> None:
        self._status = Path(f"/proc/self/task/{native_id}/syscall")
        self._last = ""
        self._looks = 0
        self._busy_at_first = 0.0

    def is_stuck(self) -> bool:
        """Whether this look and the last few found it in the same wait for the same lock."""
        try:
            status = self._status.read_text()
        except OSError:  # another system, or a thread that has just ended
            return False
        if status != self._last or status.partition(" ")[0] not in _FUTEX:
            self._last = status
            self.look_again()
            return False
        self._looks += 1
        if time.process_time() - self._busy_at_first > _IDLE_SHARE * self._looks * LOOK_EVERY:
            self.look_again()  # someone computes, maybe what this thread waits for
        return self._looks >= _LOOKS_TO_BE_STUCK

    def look_again(self) -> None:
        """Forget the looks up to now."""
        self._looks, self._busy_at_first = 0, time.process_time()


def place_of(task: asyncio.Task[Any]) -> str:
    """The innermost line outside asyncio and Rescind where `task` stands; else how it got into these."""
    frames = list(suspended_frames(task.get_coro()))
    others = [frame for frame in frames if not frame.f_code.co_filename.startswith((_ASYNCIO, OUR_CODE, _SERVER))]
    frame = others[-1] if others else frames[0]
    return f"{frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_qualname}"


def is_the_engines(task: asyncio.Task[Any]) -> bool:
    """Whether the engine's host runs here: it waits for whoever asks, and nobody can mend that."""
    return next((frame.f_code.co_filename.startswith(_SERVER) for frame in suspended_frames(task.get_coro())), False)
