"""A task's life as a bar along the time of its execution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rich.text import Text

from rescind.cli.timeline import Doing, Span, TaskLife
from rescind.model.ids import Instant
from rescind.model.status import TaskStatus


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What the view is drawn with."""

    running: str
    waiting: str
    failed: str
    mark: dict[TaskStatus, str]


FINE: Final = Glyphs(
    running="━",
    waiting="┄",
    failed="✗",
    mark={
        TaskStatus.PENDING: "·",
        TaskStatus.RUNNING: "▸",
        TaskStatus.COMPLETED: "✔",
        TaskStatus.FAILED: "✘",
        TaskStatus.CANCELLED: "■",
    },
)
PLAIN: Final = Glyphs(
    running="=",
    waiting=".",
    failed="x",
    mark={
        TaskStatus.PENDING: ".",
        TaskStatus.RUNNING: ">",
        TaskStatus.COMPLETED: "+",
        TaskStatus.FAILED: "x",
        TaskStatus.CANCELLED: "#",
    },
)
COLOURS: Final = {
    TaskStatus.PENDING: "bright_black",
    TaskStatus.RUNNING: "cyan",
    TaskStatus.COMPLETED: "green",
    TaskStatus.FAILED: "red",
    TaskStatus.CANCELLED: "yellow",
}
QUIET: Final = "bright_black"


@dataclass(frozen=True, slots=True)
class Axis:
    """The time that a bar's width stands for."""

    begin: Instant
    length: int
    width: int

    def place(self, at: Instant) -> int:
        """The cell in which an instant lies."""
        return min(self.width - 1, (at - self.begin) * self.width // max(1, self.length))

    def cells(self, span: Span, now: Instant) -> range:
        """The cells that a span covers up to now: at least the one in which it begins."""
        first = self.place(span.begin)
        end = now if span.end is None else span.end
        # What ends just where a cell begins does not reach into it.
        last = self.place(Instant(max(span.begin, end - 1)))
        return range(first, last + 1)


def bar(life: TaskLife, axis: Axis, now: Instant, glyphs: Glyphs) -> Text:
    """The bar of a task, up to now."""
    cells = [(" ", "")] * axis.width
    # What runs is drawn over what waits: an instant of work is worth more than the end of a pause.
    for span in sorted(life.spans, key=lambda span: span.doing is Doing.RUNNING):
        drawn = (glyphs.running, COLOURS[life.status]) if span.doing is Doing.RUNNING else (glyphs.waiting, QUIET)
        for cell in axis.cells(span, now):
            cells[cell] = drawn
    for cell in _failures(life, axis, now):
        cells[cell] = (glyphs.failed, COLOURS[TaskStatus.FAILED])
    return Text.assemble(*cells, no_wrap=True)


def _failures(life: TaskLife, axis: Axis, now: Instant) -> list[int]:
    """Where attempts failed: those that a pause follows, and the last one of a task that failed for good."""
    failed = [span for span, after in zip(life.spans, life.spans[1:], strict=False) if after.doing is Doing.PAUSING]
    if life.status is TaskStatus.FAILED:
        failed.append(life.spans[-1])
    return [axis.cells(span, now)[-1] for span in failed]
