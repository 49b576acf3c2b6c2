"""The page: from commit to pixel, lists, a long timeline, and what pages cost that only stand open."""

from __future__ import annotations

import asyncio
import os
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx

from bench.figures import Figure, figure
from bench.measuring import Measurement, Setting
from bench.notices import listening
from bench.processes import System, line_of, python, running_server, running_system
from rescind.authoring.conversion import encode
from rescind.model.commands import StartExecution
from rescind.model.ids import ExecutionId

if TYPE_CHECKING:
    from bench.browsing import Window

_API: Final = "/api/v1"
_PAGE: Final = f"{_API}/executions?page_size=100"
_ROW: Final = '[data-testid="execution-row"]'
_BAR: Final = '[data-testid="timeline-row"]'
_ENDED: Final = '[data-testid="connection"][data-state="ended"]'
_SCROLLED: Final = '[data-testid="timeline-scroll"]'
_TASKS: Final = 2_000
_PAGES: Final = 200
_NOTHING: Final = encode(None, what="input")
_FILTERS: Final[Mapping[str, str]] = {
    "none": "",
    "status": "&status=PENDING",
    "rare status": "&status=CANCELLED",
    "kind": "&kind=kind-3",
    "rare kind": "&kind=rare",
    "kind of none": "&kind=none",
    "queue": "&queue=queue-1",
    "rare label": "&label=batch%3D17",
    "creator": "&created_by=client%3Abench",
    "id": "&id_prefix=job-0777",
    "status and label": "&status=PENDING&label=team%3Dred",
    "started within": "&created_after=2000-01-01T00:00:00Z",
    "still stopping": "&stopping=true",
    "older than": "&created_before=2000-01-01T00:00:00Z",
}


@asynccontextmanager
async def _browsers(count: int) -> AsyncIterator[Sequence[Window]]:
    """So many windows of a browser. Raises RuntimeError: what it takes is not installed."""
    try:
        from bench.browsing import windows  # noqa: PLC0415 - all else is measured without it
    except ImportError:
        raise RuntimeError("playwright is not installed; it is in the dependency group `page`") from None
    async with windows(count) as opened:
        yield opened


@asynccontextmanager
async def _browser() -> AsyncIterator[Window]:
    """A window of a browser. Raises RuntimeError: what it takes is not installed."""
    async with _browsers(1) as (opened,):
        yield opened


async def commit_to_pixel(setting: Setting) -> Sequence[Figure]:
    """From the time that an event has in the history, which is before its commit, to the end of the frame with it."""
    count = setting.pick(20, 100)
    async with running_system(setting.folder) as system, _browser() as window:
        await window.open(f"http://{system.http}/page/executions")
        rows = [await _until_row(window, system, number) for number in range(count)]
        bars = [await _until_bar(window, system) for _ in range(count)]
    name = "commit to pixel"
    return [
        figure(f"{name}: a start, to its row", rows, "ms", reach="< 200"),
        figure(f"{name}: a start, to its row", rows, "ms", statistic="p99"),
        figure(f"{name}: a task's cancel, to its bar", bars, "ms", reach="< 200"),
        figure(f"{name}: a task's cancel, to its bar", bars, "ms", statistic="p99"),
    ]


async def _until_row(window: Window, system: System, number: int) -> float:
    shown = await window.when_shown(f'{_ROW}[data-id="row-{number}"]')
    handle = await system.client.start("waiting", id=f"row-{number}")
    seen = await shown()
    return seen - (await handle.describe()).created_at / 1e3


async def _until_bar(window: Window, system: System) -> float:
    async with listening() as notices:
        handle = await system.client.start("held", notices.port)
        task_id = await notices.next("running")
    url = f"http://{system.http}"
    await window.open(f"{url}/page/executions/{handle.id}#timeline")
    shown = await window.when_shown(f'{_BAR}[data-task="{task_id}"][data-stop]')
    async with httpx.AsyncClient(base_url=url) as http:
        (await http.delete(f"{_API}/tasks/{task_id}")).raise_for_status()
        seen = await shown()
        history = (await http.get(f"{_API}/executions/{handle.id}/history")).json()["events"]
    decided = next(each["at"] for each in history if each["type"] == "TASK_CANCELLED")
    return seen - datetime.fromisoformat(decided).timestamp() * 1e3


async def lists(setting: Setting) -> Sequence[Figure]:
    """Pages of a list of very many executions, by each filter, with the counts that the page asks for beside them."""
    count = setting.pick(10_000, 100_000)
    async with running_server(setting.folder) as system:
        await _fill(system, count)
        async with httpx.AsyncClient(base_url=f"http://{system.http}", timeout=60) as http:
            pages = {each: await _times(http, f"{_PAGE}{query}") for each, query in _FILTERS.items()}
            counts = {each: await _times(http, f"{_API}/counts?{query[1:]}") for each, query in _FILTERS.items()}
            later = await _later_pages(http, setting.pick(5, 20))
    name = f"a page of {count:,} executions"
    slowest = max(pages, key=lambda each: sorted(pages[each])[len(pages[each]) // 2])
    slowest_count = max(counts, key=lambda each: sorted(counts[each])[len(counts[each]) // 2])
    return [
        figure(f"{name}: any filter", [each for found in pages.values() for each in found], "ms", reach="< 150"),
        figure(f"{name}: the slowest, {slowest}", pages[slowest], "ms", reach="< 150"),
        figure(f"{name}: the slowest, {slowest}", pages[slowest], "ms", statistic="p99"),
        figure(f"{name}: the pages that follow", later, "ms", reach="< 150"),
        figure(f"counts of {count:,} executions: the slowest, {slowest_count}", counts[slowest_count], "ms"),
    ]


async def _fill(system: System, count: int) -> None:
    """Executions of several kinds, queues and labels; some are cancelled, the others wait."""
    starts = [
        StartExecution(
            "rare" if number % 10_000 == 77 else f"kind-{number % 7}",
            _NOTHING,
            execution_id=ExecutionId(f"job-{number:06}"),
            queue=f"queue-{number % 3}",
            labels={"batch": str(number // 100), "team": ("red", "blue")[number % 2]},
        )
        for number in range(count)
    ]
    for first in range(0, count, 10_000):
        await system.client.start_many(starts[first : first + 10_000])
    async with httpx.AsyncClient(base_url=f"http://{system.http}", timeout=60) as http:
        cancelled = {"where": {"labels": {"batch": "5"}}}
        (await http.post(f"{_API}/executions/cancel", json=cancelled)).raise_for_status()


async def _times(http: httpx.AsyncClient, path: str, times: int = 10) -> list[float]:
    """How long a question takes, in ms, after one that warms up."""
    took = []
    for _ in range(times + 1):
        begun = time.perf_counter()
        (await http.get(path)).raise_for_status()
        took.append((time.perf_counter() - begun) * 1e3)
    return took[1:]


async def _later_pages(http: httpx.AsyncClient, times: int) -> list[float]:
    took, token = [], ""
    for _ in range(times):
        begun = time.perf_counter()
        answer = await http.get(f"{_PAGE}&page_token={token}")
        took.append((time.perf_counter() - begun) * 1e3)
        token = answer.raise_for_status().json()["next_page_token"]
    return took


async def timeline(setting: Setting) -> Sequence[Figure]:
    """The timeline of an execution of 2,000 tasks: to open it, to draw it when all is known, to scroll it."""
    times = setting.pick(3, 10)
    async with running_system(setting.folder) as system, _browser() as window:
        handle = await system.client.start("fan-out", _TASKS)
        await handle.result()
        address = f"http://{system.http}/page/executions/{handle.id}#timeline"
        await window.open(address)
        # Each row says how many there are in all: so it is known when the last of them has come.
        await window.page.wait_for_selector(_ENDED)
        rows = await window.page.get_attribute(_BAR, "aria-setsize")
        opened = [await _opened(window, address, f'{_BAR}[aria-setsize="{rows}"]') for _ in range(times)]
        drawn = []
        for _ in range(times):
            await window.click('[data-testid="tab-value"]', '[data-testid="panel-value"]')
            drawn.append(await window.click('[data-testid="tab-timeline"]', _BAR))
        frames = await window.scroll(_SCROLLED, setting.pick(120, 600), 120)
    name = f"timeline of {_TASKS:,} tasks"
    return [
        figure(f"{name}: opened, with all that it loads", opened, "ms"),
        figure(f"{name}: drawn", drawn, "ms", reach="< 300"),
        figure(f"{name}: a frame while it scrolls", frames, "ms"),
        figure(f"{name}: a frame while it scrolls", frames, "ms", statistic="p99", reach="< 50"),
    ]


async def _opened(window: Window, address: str, shown: str) -> float:
    await window.page.goto("about:blank")
    begun = time.perf_counter()
    await window.page.goto(address)
    await window.page.wait_for_selector(shown)
    await window.page.evaluate("afterTheFrame()")
    return (time.perf_counter() - begun) * 1e3


@dataclass(frozen=True)
class _Idle:
    """What a page does that stands open while nothing happens.

    Attributes:
        stream: the path of the stream that it reads.
        asked: what else it asks for, again and again: how often a second, by path.
    """

    stream: str
    asked: Mapping[str, float]


async def idle(setting: Setting) -> Sequence[Figure]:
    """What 200 pages cost the server that are open while nothing happens: as many of each view.

    What a page asks for is what one does in the browser; that is then asked for as often as there are pages.
    """
    # Views that ask again do so every 15 s: each is looked at for longer than that.
    seconds = setting.pick(16, 60)
    async with running_system(setting.folder) as system:
        handle = await system.client.start("waiting")
        views = ("executions", f"executions/{handle.id}#timeline", "workers", "stuck", "audit")
        pages = await _watched([f"http://{system.http}/page/{view}" for view in views], seconds)
        async with _open_pages(system, pages):
            await asyncio.sleep(5)
            before, begun = _cpu(system.server), time.perf_counter()
            await asyncio.sleep(seconds)
            share = (_cpu(system.server) - before) / (time.perf_counter() - begun)
    busiest = max(sum(page.asked.values()) for page in pages)
    return [
        figure(f"{_PAGES} open pages of all views: of a core of the server", [share * 100], "%", reach="< 5"),
        figure("an open page, the view that asks most: its requests while nothing happens", [busiest * 60], "1/min"),
    ]


async def _watched(addresses: Sequence[str], seconds: float) -> Sequence[_Idle]:
    """What these views do while nothing happens, all of them looked at together for so long."""
    async with _browsers(len(addresses)) as windows:
        seen: list[list[Any]] = [[] for _ in windows]
        for opened, requests in zip(windows, seen, strict=True):
            opened.page.on("request", _noting(requests))
        for opened, address in zip(windows, addresses, strict=True):
            await opened.open(address)
        streams = [next((_path(each.url) for each in found if _is_stream(each)), None) for found in seen]
        for found in seen:
            found.clear()
        await asyncio.sleep(seconds)
        asked = [Counter(_path(each.url) for each in found if not _is_stream(each)) for found in seen]
    if None in streams:
        raise RuntimeError(f"of {addresses}, these are the streams: {streams}")
    return [
        _Idle(str(stream), {path: count / seconds for path, count in found.items()})
        for stream, found in zip(streams, asked, strict=True)
    ]


def _noting(requests: list[Any]) -> Callable[[Any], None]:
    def note(request: Any) -> None:
        requests.append(request)

    return note


def _is_stream(request: Any) -> bool:
    return bool(request.resource_type == "eventsource" or "event-stream" in request.headers.get("accept", ""))


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


@asynccontextmanager
async def _open_pages(system: System, pages: Sequence[_Idle]) -> AsyncIterator[None]:
    """So many pages stand open, as many of each view."""
    port = system.http.rpartition(":")[2]
    processes = []
    async with AsyncExitStack() as stack:
        for page in pages:
            share = str(_PAGES // len(pages))
            asked = [word for path, often in page.asked.items() for word in (path, str(1 / often))]
            arguments = ("-m", "bench.open_pages", port, share, page.stream, *asked)
            processes.append(await stack.enter_async_context(python(*arguments)))
        for process in processes:
            await line_of(process)
        yield


def _cpu(process: Process) -> float:
    """The processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


MEASUREMENTS: Final = (
    Measurement("page.pixel", "from commit to pixel, in a list and in a timeline", commit_to_pixel, limit=240),
    Measurement("page.lists", "pages of 100,000 executions, by filters", lists, limit=240),
    Measurement("page.timeline", "a timeline of 2,000 tasks: drawn and scrolled", timeline, limit=240),
    Measurement("page.idle", "200 open pages, and nothing happens", idle, limit=400),
)
