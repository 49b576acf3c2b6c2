"""How Python works in a process that is ours and runs for long: a server's, a worker's."""

from __future__ import annotations

import gc
import sys
from typing import Final

# Ten times Python's own: what a task costs is mostly freed by counting references, and looked through in vain.
_THRESHOLDS: Final = (10_000, 10, 10)
# A tenth of Python's own: a store that writes, or a task on a thread, holds up the event loop no longer, at each of the
# three or four steps that a message takes.
_SWITCH_SECONDS: Final = 0.0005


def settle() -> None:
    """Set up the interpreter for answering soon; to be called when a process has started.

    What is there by now, modules, classes and code, is looked through no more by the garbage collector. It lives as
    long as the process, and each full collection would stop everything for tens of milliseconds.
    """
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_SECONDS)
