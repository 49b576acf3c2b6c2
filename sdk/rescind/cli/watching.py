"""`rescind watch`: an execution while it goes on, to its end."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, Protocol

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from rescind.cli.columns import console_for_lines, print_whole
from rescind.cli.demo_bars import QUIET
from rescind.cli.demo_view import View
from rescind.cli.execution_json import value_of
from rescind.cli.execution_parts import as_json, details_in_words
from rescind.cli.execution_view import ending_in_words
from rescind.cli.options import Remote, json_option, remote_options
from rescind.cli.printable import printable
from rescind.cli.remote import ask_either
from rescind.cli.timeline import Timeline
from rescind.cli.times import counted, local_time
from rescind.model.agent_values import StreamEvent
from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import Instant
from rescind.model.status import STOP_ENDED
from rescind.model.views import ExecutionDetails

if TYPE_CHECKING:
    from rescind.client.connecting import Client
    from rescind.temporal import TemporalClient

_FRAMES_A_SECOND: Final = 10
# The axis of a run that still goes on: the first of these that it fits on, in microseconds.
_LENGTHS: Final = [step * 10**exponent for exponent in range(5, 15) for step in (1, 2, 5)]

Seen = HistoryEvent | StreamEvent


@click.command()
@click.argument("execution_id", metavar="ID")
@click.option(
    "--after",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Begin behind the event of this number. With 0 what has happened is told first.",
)
@remote_options("The server to ask.", clusters=True)
@json_option("Print a JSON object per line: events as in a history, and what its code streams.")
def watch(execution_id: str, after: int, remote: Remote, as_json: bool) -> None:
    """Follow an execution to its end: what happens to it, and what its code streams.

    It goes on where it was when the connection breaks. Ctrl+C ends the watching, not the execution.
    """
    console = console_for_lines()

    async def work(client: Client | TemporalClient) -> ExecutionDetails:
        handle = client.handle(execution_id)
        # Asked first: a server that is not there, or does not know the id, is told at once.
        await handle.status()
        audience = _audience(console, as_json=as_json)
        try:
            async with aclosing(handle.follow(after)) as seen:
                async for each in seen:
                    audience.see(each)
        finally:
            audience.close()
        return await handle.details()

    details = ask_either(remote, work)
    if not as_json:
        _tell_end(details)


def _tell_end(details: ExecutionDetails) -> None:
    view = details.execution
    click.echo(ending_in_words(view))
    if view.output is not None:
        click.echo(json.dumps(value_of(view.output), indent=2, ensure_ascii=False))
    stopping = [task for task in details.tasks if any(stop.state not in STOP_ENDED for stop in task.stops)]
    below = view.children_stopping or 0
    if stopping or below:
        parts = [counted(len(stopping), "task")] if stopping else []
        parts += [f"what runs in {below:,} {'child' if below == 1 else 'children'}"] if below else []
        click.echo(f"Still being stopped: {' and '.join(parts)}; see rescind tasks --stopping.", err=True)


class _Audience(Protocol):
    """Who is told of what is seen."""

    def see(self, seen: Seen) -> None:
        """Something has happened, or was streamed."""

    def close(self) -> None:
        """Nothing more comes."""


class _Programs(_Audience):
    def see(self, seen: Seen) -> None:
        document = seen.to_json() if isinstance(seen, HistoryEvent) else _streamed_document(seen)
        # At once: who reads it waits for it.
        click.echo(json.dumps(document, ensure_ascii=False))

    def close(self) -> None:
        """Each line is out already."""


class _Lines(_Audience):
    def __init__(self, console: Console) -> None:
        self._console = console

    def see(self, seen: Seen) -> None:
        print_whole(self._console, [_line(seen)])

    def close(self) -> None:
        """Each line is out already."""


class _Bars(_Audience):
    """The tasks as bars that grow, with what is streamed above them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._view = View(console, "real")
        self._timeline = Timeline()
        self._names: dict[str, str] = {}
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="ellipsis")
        self._live.start()
        self._drawing = asyncio.get_running_loop().create_task(self._draw_again_and_again())

    def see(self, seen: Seen) -> None:
        if isinstance(seen, StreamEvent):
            print_whole(self._console, [_line(seen)])
            return
        self._timeline.see(seen)
        if seen.type is EventType.TASK_SCHEDULED and seen.task_id is not None:
            kind = str((seen.details or {}).get("kind", ""))
            self._names[seen.task_id] = f"{len(self._names) + 1} {printable(kind)}"

    def close(self) -> None:
        self._drawing.cancel()
        self._draw()
        self._live.stop()

    async def _draw_again_and_again(self) -> None:
        while True:
            self._draw()
            await asyncio.sleep(1 / _FRAMES_A_SECOND)

    def _draw(self) -> None:
        timeline = self._timeline
        began_at = timeline.began_at
        if began_at is None:
            return
        # The server's clock may be another one, and ahead of this.
        now = timeline.ended_at or Instant(max(timeline.seen_at, time.time_ns() // 1_000))
        elapsed = max(now, timeline.seen_at) - began_at
        length = elapsed if timeline.ended_at is not None else next(each for each in _LENGTHS if each > elapsed)
        lines = self._view.lanes(timeline, self._names, now, max(1, length))
        self._live.update(Group(*lines), refresh=True)


def _audience(console: Console, *, as_json: bool) -> _Audience:
    if as_json:
        return _Programs()
    return _Bars(console) if console.is_terminal else _Lines(console)


def _streamed_document(event: StreamEvent) -> dict[str, Any]:
    task = {"task_id": str(event.task_id)} if event.task_id is not None else {}
    return {"streamed": event.kind, **task, "value": event.value}


def _line(seen: Seen) -> Text:
    if isinstance(seen, StreamEvent):
        return Text.assemble((printable(seen.kind), "bold"), " ", printable(as_json(seen.value)))
    task = f" {seen.task_id}" if seen.task_id is not None else ""
    attempt = f" attempt {seen.attempt}" if seen.attempt else ""
    details = printable(details_in_words(seen))
    line = Text.assemble(
        (local_time(seen.at), QUIET), " ", (seen.type.value, "bold"), f"{task}{attempt} ", (details, QUIET)
    )
    line.rstrip()
    return line
