"""Ending coroutines that are to be forgotten, also those that will not be ended."""

from __future__ import annotations

import gc
from typing import Any, Final

_PATIENCE: Final = 100


def close_coroutine(coroutine: Any) -> None:
    """Close a suspended coroutine and all that it awaits; what they raise is dropped.

    One that swallows being closed, again and again, is left as it is.
    """
    # All are held until all are closed: what the outer ones let go of when an inner one swallows being closed, Python
    # would close by itself, and complain.
    for held in _awaited_in(coroutine):
        _close_one(held)


def _close_one(coroutine: Any) -> None:
    for _ in range(_PATIENCE):
        try:
            coroutine.close()
        except BaseException as error:  # what an agent's `finally` raises here is nobody's news
            if "ignored GeneratorExit" in str(error):
                continue
        return
    _keep_for_ever(coroutine)


def _awaited_in(coroutine: Any) -> list[Any]:
    """A coroutine, what it awaits, and so on, as far as these can be closed."""
    found = []
    while hasattr(coroutine, "close"):
        found.append(coroutine)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
        if type(coroutine).__name__ == "coroutine_wrapper":
            coroutine = next(iter(gc.get_referents(coroutine)), None)
    return found


def _keep_for_ever(coroutine: Any) -> None:
    # Python would close it once more if it were let go, at the interpreter's exit at the latest; there the agent's
    # context refuses at once whatever it is asked, and the code would spin.
    import ctypes  # noqa: PLC0415 - hardly any process ever needs it

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(coroutine))
