"""How the demo looks: a line per task, and what came of it all. Every method gives lines, ready to print."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from rich.console import Console
from rich.text import Text

from rescind.cli.demo_bars import COLOURS, FINE, PLAIN, QUIET, Axis, Glyphs, bar
from rescind.cli.demo_play import Played
from rescind.cli.demo_words import cause_in_words, length_of_time, name_of
from rescind.cli.scenarios import Scenario
from rescind.cli.timeline import Stopping, TaskLife, Timeline
from rescind.client.records import TaskRecord
from rescind.model.ids import Instant
from rescind.model.status import ExecutionStatus, TaskStatus

ClockName = Literal["virtual", "real"]
Lines = Sequence[Text]

_MARGIN: Final = "  "
_GAP: Final = "  "
_WIDEST: Final = 110
_SHORTEST_BAR: Final = 8
_LONGEST_NAME: Final = 24
# The columns behind name and bar: how long, which state, a remark.
_LENGTH, _STATE, _REMARK = 7, 11, 12
_END_COLOURS: Final = {ExecutionStatus.COMPLETED: "green", ExecutionStatus.CANCELLED: "yellow"}
_STOPS: Final = {"STOPPED": "stopped", "KILLED": "was killed", "LOST": "was lost with its worker"}


class View:
    """Draws for one console, as wide and as fine as that is."""

    def __init__(self, console: Console, clock: ClockName) -> None:
        self._console = console
        self._width = min(console.width, _WIDEST) - len(_MARGIN)
        self._glyphs: Glyphs = PLAIN if console.options.ascii_only else FINE
        self._clock = clock

    def heading(self, scenario: Scenario) -> Lines:
        """What is about to be seen."""
        title = Text.assemble((scenario.name, "bold"), (f"{_GAP}in {self._clock} time", QUIET))
        return [Text(), *self._prose(title), *self._prose(Text(scenario.story)), Text()]

    def given(self, agent_input: Mapping[str, Any]) -> Lines:
        """The input of one of several executions."""
        return [self._one_line(Text(f"input {_as_json(dict(agent_input))}", QUIET)), Text()]

    def lanes(self, timeline: Timeline, names: Mapping[str, str], now: Instant, length: int) -> Lines:
        """A line per task, up to now, on an axis of this length."""
        longest = max((len(names.get(task_id, "")) for task_id in timeline.tasks), default=0)
        name_width = min(longest, _LONGEST_NAME)
        beside = name_width + _LENGTH + _STATE + _REMARK + 4 * len(_GAP)
        axis = Axis(timeline.began_at or now, length, max(_SHORTEST_BAR, self._width - beside))
        is_over = timeline.ended_at is not None
        return [
            self._one_line(
                Text.assemble(
                    (_fitted(names.get(life.task_id, ""), name_width), "bold" if life.is_winner else ""),
                    _GAP,
                    *self._lane(life, axis, now, is_over=is_over),
                )
            )
            for life in timeline.tasks.values()
        ]

    def _lane(self, life: TaskLife, axis: Axis, now: Instant, *, is_over: bool) -> Sequence[Text | str]:
        colour = COLOURS[life.status]
        state = f"{self._glyphs.mark[life.status]} {life.status.value}"
        remark_style = f"bold {colour}" if life.is_winner else QUIET
        return (
            bar(life, axis, now, self._glyphs),
            f"{_GAP}{self._time(life.time_at_work(now)):>{_LENGTH}}{_GAP}",
            Text(f"{state:<{_STATE}}{_GAP}", colour),
            Text(_remark(life, is_over=is_over), remark_style),
        )

    def ending(self, played: Played) -> Lines:
        """What came of an execution: who was cancelled, how the agent ended, what it returned."""
        timeline = Timeline.of(played.history)
        parts = [self._cancelled(timeline, names_of(played.tasks)), self._end(timeline, played), self._output(played)]
        return [line for part in parts if part for line in (Text(), *part)] + [Text()]

    def _cancelled(self, timeline: Timeline, names: Mapping[str, str]) -> Lines:
        cancelled = [life for life in timeline.tasks.values() if life.status is TaskStatus.CANCELLED]
        lines = [
            line
            for life in cancelled
            for line in self._prose(self._how_cancelled(life, names[life.task_id], timeline), hang=_GAP)
        ]
        if self._clock == "virtual" and any(life.stoppings for life in cancelled):
            lines += self._prose(Text("In virtual time only waiting takes time; --real-time measures the stop.", QUIET))
        return lines

    def _how_cancelled(self, life: TaskLife, name: str, timeline: Timeline) -> Text:
        at = self._time(timeline.elapsed_until(life.spans[-1].end))
        stops = "; ".join(map(self._how_stopped, life.stoppings)) or "its code never ran"
        cause = cause_in_words(life.cancelled_by or "request")
        return Text.assemble((name, COLOURS[life.status]), f" {cause} at {at}; {stops}")

    def _how_stopped(self, stopping: Stopping) -> str:
        if stopping.latency is None:
            return "its code is still being stopped"
        return f"its code {_STOPS.get(stopping.state or '', 'ended')} {self._time(stopping.latency)} later"

    def _end(self, timeline: Timeline, played: Played) -> Lines:
        took = self._time(round(played.took * 1e6))
        clock = f" of virtual time, in {took} of yours" if self._clock == "virtual" else ""
        end = (played.status.value, f"bold {_END_COLOURS.get(played.status, 'red')}")
        why = f": {played.error}" if played.error is not None else "."
        elapsed = self._time(timeline.elapsed_until(timeline.ended_at))
        return self._prose(Text.assemble("The agent ", end, f" after {elapsed}{clock}{why}"))

    def _output(self, played: Played) -> Lines:
        output = played.output if isinstance(played.output, dict) else {}
        longest = max(map(len, output), default=0)
        return [
            self._one_line(Text.assemble((f"{key:<{longest}}", QUIET), f"{_GAP}{_as_json(value)}"))
            for key, value in output.items()
        ]

    def next_steps(self, scenario: Scenario, scenarios: Iterable[Scenario]) -> Lines:
        """What to type next."""
        names = [each.name for each in scenarios]
        other = names[(names.index(scenario.name) + 1) % len(names)]
        this = "rescind demo" if scenario.name == names[0] else f"rescind demo --scenario {scenario.name}"
        steps = {f"{this} --real-time": "by your own clock"} if self._clock == "virtual" else {}
        steps |= {
            f"rescind demo --scenario {other}": "the next story",
            f"{this} --json": "outcome and history",
            "rescind demo --list": f"all {len(names)} stories",
        }
        longest = max(map(len, steps))
        shown = [self._step(command, meaning, longest) for command, meaning in steps.items()]
        return [self._one_line(Text("Next, type")), *shown, Text()]

    def _step(self, command: str, meaning: str, longest: int) -> Text:
        # A comment to the shell: the whole line can be typed as it stands.
        comment = f"{'':<{longest - len(command)}}{_GAP}# {meaning}"
        fits = len(_GAP) + len(command) + len(comment) <= self._width
        return self._one_line(Text.assemble(_GAP, (command, "bold"), (comment if fits else "", QUIET)))

    def _prose(self, text: Text, hang: str = "") -> Lines:
        """Text that goes on in the next line where it must; that line hangs in a little."""
        wrapped = text.wrap(self._console, self._width - len(hang))
        return [self._one_line(Text.assemble(hang if place else "", line)) for place, line in enumerate(wrapped)]

    def _one_line(self, text: Text) -> Text:
        text.rstrip()
        text.truncate(self._width, overflow="ellipsis" if self._glyphs is FINE else "crop")
        return Text.assemble(_MARGIN, text, no_wrap=True, overflow="crop")

    def _time(self, microseconds: int) -> str:
        shown = length_of_time(microseconds)
        return shown if self._glyphs is FINE else shown.replace("µ", "u")


def names_of(tasks: Iterable[TaskRecord]) -> dict[str, str]:
    """What to call each task, by its id."""
    return {task.view.task_id: name_of(task.input, task.kind) for task in tasks}


def _remark(life: TaskLife, *, is_over: bool) -> str:
    if life.is_winner:
        return "winner"
    if life.stoppings:
        return (life.stoppings[-1].state or "stopping").lower()
    if is_over and life.status is TaskStatus.RUNNING:
        return "left running"
    return f"{life.attempts} attempts" if life.attempts > 1 else ""


def _fitted(text: str, width: int) -> str:
    return f"{text[:width]:<{width}}"


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
