"""Errors that another process tells of by the name of their class."""

from __future__ import annotations

from typing import Any

from rescind import errors
from rescind.errors import RescindError


def named_error(name: str, text: str) -> RescindError | None:
    """The error of a class that has this name; None if this side knows no such."""
    error_class: Any = getattr(errors, name, None)
    if isinstance(error_class, type) and issubclass(error_class, RescindError):
        made: RescindError = error_class(text)
        return made
    return None
