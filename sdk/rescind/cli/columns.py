"""Text in columns, for people and for pipes: a line per row, never wrapped or cut, so that ids can be copied."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from rescind.cli.printable import printable

_GAP: Final = "  "


def console_for_lines() -> Console:
    """A console that prints text as it stands."""
    return Console(highlight=False, markup=False, emoji=False)


def columns(headings: Sequence[str], rows: Iterable[Sequence[str | Text]], *, margin: str = "") -> list[Text]:
    """Headings and rows as lines; every column is as wide as its longest cell.

    Args:
        headings: one for each column.
        rows: their cells; those that are plain text are made printable.
        margin: what each line begins with.
    """
    table = [[Text(heading, "bold") for heading in headings], *(list(map(_cell, row)) for row in rows)]
    widths = [max(cell.cell_len for cell in column) for column in zip(*table, strict=True)]
    return [_line(row, widths, margin) for row in table]


def print_whole(console: Console, lines: Iterable[Text]) -> None:
    """Print lines, however wide they are."""
    for line in lines:
        console.print(line, no_wrap=True, overflow="ignore", crop=False)


def _cell(value: str | Text) -> Text:
    return value if isinstance(value, Text) else Text(printable(value))


def _line(row: Sequence[Text], widths: Sequence[int], margin: str) -> Text:
    line = Text(margin)
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        line.append_text(Text(_GAP) if place else Text())
        line.append_text(cell)
        line.append(" " * (width - cell.cell_len))
    line.rstrip()
    return line
