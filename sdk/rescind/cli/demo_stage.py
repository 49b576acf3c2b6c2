"""The demo in motion: a run in virtual time is replayed at a pace for people, one in real time is drawn as it goes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live

from rescind.cli.demo_play import Played
from rescind.cli.demo_view import Lines, View, names_of
from rescind.cli.timeline import Timeline
from rescind.client.records import History, TaskRecord
from rescind.model.events import HistoryEvent
from rescind.model.ids import Instant

_FRAMES_A_SECOND: Final = 25
# How long the replay of a whole scenario takes, in real seconds; shorter where nothing in it takes time.
_REPLAY: Final = 2.0
_REPLAY_OF_AN_INSTANT: Final = 0.8
# The axis of a run that still goes on: the first of these that it fits on, in microseconds.
_LENGTHS: Final = [step * 10**exponent for exponent in range(4, 12) for step in (1, 2, 5)]


def show_replayed(console: Console, view: View, executions: Sequence[Played]) -> None:
    """Show executions that are over, in motion."""
    for played in executions:
        _print_given(console, view, played.given, among=len(executions))
        _replay(console, view, played, 1 / len(executions))
        print_lines(console, view.ending(played))


def show_still(console: Console, view: View, executions: Sequence[Played]) -> None:
    """Show executions that are over as they stand: for output that is no terminal."""
    for played in executions:
        _print_given(console, view, played.given, among=len(executions))
        timeline = Timeline.of(played.history)
        print_lines(console, view.lanes(timeline, names_of(played.tasks), *_whole(timeline)))
        print_lines(console, view.ending(played))


def print_lines(console: Console, lines: Lines) -> None:
    """Print lines as they are."""
    for line in lines:
        console.print(line)


def _print_given(console: Console, view: View, given: Mapping[str, Any], *, among: int) -> None:
    if among > 1:
        print_lines(console, view.given(given))


def _replay(console: Console, view: View, played: Played, share: float) -> None:
    names = names_of(played.tasks)
    begin, length = played.history[0].at, _length_of(played.history)
    frames = max(2, round((_REPLAY if length else _REPLAY_OF_AN_INSTANT) * share * _FRAMES_A_SECOND))
    with Live(console=console, auto_refresh=False) as live:
        for frame in range(1, frames + 1):
            now = Instant(begin + length * frame // frames)
            # Where everything happens in one instant, the events themselves are the clock.
            seen = len(played.history) if length else len(played.history) * frame // frames
            timeline = Timeline.of(event for event in played.history[:seen] if event.at <= now)
            live.update(Group(*view.lanes(timeline, names, now, length)), refresh=True)
            time.sleep(1 / _FRAMES_A_SECOND)


def _length_of(history: History) -> int:
    return history[-1].at - history[0].at


def _whole(timeline: Timeline) -> tuple[Instant, int]:
    """The end of what was seen, and how long it took until then."""
    return timeline.seen_at, timeline.seen_at - (timeline.began_at or timeline.seen_at)


class LiveStage:
    """Draws executions while they go on: an `Audience`."""

    def __init__(self, console: Console, view: View, *, among: int) -> None:
        self._console = console
        self._view = view
        self._among = among
        self._timeline = Timeline()
        self._tasks: Sequence[TaskRecord] = ()
        self._live: Live | None = None
        self._drawing: asyncio.Task[None] | None = None

    def begin(self, given: Mapping[str, Any]) -> None:
        """See `Audience`."""
        _print_given(self._console, self._view, given, among=self._among)
        self._timeline, self._tasks = Timeline(), ()
        self._live = Live(console=self._console, auto_refresh=False)
        self._live.start()
        self._drawing = asyncio.get_running_loop().create_task(self._draw_again_and_again(self._live))

    def see(self, event: HistoryEvent, tasks: Sequence[TaskRecord]) -> None:
        """See `Audience`."""
        # As cheap as it can be: the code whose stopping is measured waits for this.
        self._timeline.see(event)
        self._tasks = tasks

    def end(self, played: Played) -> None:
        """See `Audience`."""
        timeline = Timeline.of(played.history)
        self._tasks = played.tasks
        self._draw(timeline, *_whole(timeline))
        self.close()
        print_lines(self._console, self._view.ending(played))

    def close(self) -> None:
        """Leave the terminal as it should be, whatever has happened."""
        if self._drawing is not None:
            self._drawing.cancel()
        if self._live is not None:
            self._live.stop()
            self._live = None

    async def _draw_again_and_again(self, live: Live) -> None:
        while True:
            now = Instant(time.time_ns() // 1_000)
            elapsed = max(0, now - (self._timeline.began_at or now))
            self._draw(self._timeline, now, next(length for length in _LENGTHS if length > elapsed))
            await asyncio.sleep(1 / _FRAMES_A_SECOND)

    def _draw(self, timeline: Timeline, now: Instant, length: int) -> None:
        if self._live is not None:
            self._live.update(Group(*self._view.lanes(timeline, names_of(self._tasks), now, length)), refresh=True)
