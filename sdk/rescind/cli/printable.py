"""Text of others, made safe to print. Apart from `columns`, so that a server and a worker start without Rich."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with its control characters as escapes: what others wrote must not move the reader's cursor."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
