"""What waits: put there, taken back, and what it weighs."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.figures import Figure, Floor, figure
from bench.measuring import Measurement, Setting
from bench.notices import listening
from bench.processes import (
    System,
    line_of,
    python,
    resident,
    running_server,
    running_system,
    worker_arguments,
)
from bench.workload import Amount
from rescind.authoring.conversion import encode
from rescind.model.commands import StartExecution
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT

QUEUE: Final = "pending"
_MIB: Final = 1024**2
_RUNS: Final = 3


async def put(system: System, count: int, *, kind: str = "nobody", given: object = None) -> float:
    """Start executions that wait, in one call; returns how many per second.

    Args:
        system: where.
        count: how many.
        kind: of agent.
        given: its input.
    """
    start = StartExecution(kind, encode(given, what="input", limit=DEFAULT_PAYLOAD_LIMIT), queue=QUEUE)
    begun = time.perf_counter()
    await system.client.start_many(start for _ in range(count))
    return count / (time.perf_counter() - begun)


async def enqueue_executions(setting: Setting) -> list[Figure]:
    """Executions that nobody runs, by `start_many`."""
    count = setting.pick(5_000, 20_000)
    async with running_server(setting.folder) as system:
        await put(system, 1_000)
        measured = [await put(system, count) for _ in range(_RUNS)]
    name = f"enqueue {count:,} executions, start_many"
    return [figure(name, measured, "1/s", reach="> 20,000", floor=setting.floors.bulk)]


async def enqueue_tasks(setting: Setting) -> list[Figure]:
    """Tasks that nobody runs, scheduled by one agent in batches."""
    count = setting.pick(5_000, 20_000)
    async with running_system(setting.folder) as system, listening() as notices:
        measured = []
        for _ in range(_RUNS + 1):
            begun = time.monotonic_ns()
            await system.client.start("heap", Amount(notices.port, count))
            measured.append(count / (int(await notices.next("scheduled")) - begun) * 1e9)
    name = f"enqueue {count:,} tasks, schedule in batches of 1,000"
    return [figure(name, measured[1:], "1/s", reach="> 20,000", floor=setting.floors.bulk)]


async def cancel_executions(setting: Setting) -> list[Figure]:
    """`cancel_where` over executions that wait, while another client calls."""
    count = setting.pick(5_000, 20_000)
    rates: list[float] = []
    calls: list[float] = []
    async with running_server(setting.folder) as system:
        for _ in range(_RUNS):
            await put(system, count)
            async with _another_client(system) as took:
                rates.append(count / await _seconds_to_cancel(system, ExecutionFilter(queue=QUEUE), count))
            calls += took
    return _figures_of_cancel(f"cancel_where over {count:,} pending executions", rates, calls, setting)


async def cancel_tasks(setting: Setting) -> list[Figure]:
    """`cancel_where` over tasks that wait, while another client calls."""
    count = setting.pick(5_000, 20_000)
    rates: list[float] = []
    calls: list[float] = []
    async with running_system(setting.folder) as system, listening() as notices:
        for _ in range(_RUNS):
            await system.client.start("heap", Amount(notices.port, count))
            await notices.next("scheduled")
            async with _another_client(system) as took:
                rates.append(count / await _seconds_to_cancel(system, TaskFilter(kind="nobody"), count))
            calls += took
    return _figures_of_cancel(f"cancel_where over {count:,} pending tasks", rates, calls, setting)


def _figures_of_cancel(name: str, rates: list[float], calls: list[float], setting: Setting) -> list[Figure]:
    one_call = setting.floors.one_call
    return [
        figure(name, rates, "1/s", reach="> 40,000", floor=setting.floors.bulk),
        figure(f"{name}: others' calls", calls, "ms", statistic="p99", reach="< 50", floor=one_call),
    ]


async def _seconds_to_cancel(system: System, selection: ExecutionFilter | TaskFilter, count: int) -> float:
    begun = time.perf_counter()
    cancelled = 0
    async for counts in system.client.cancel_where(selection):
        cancelled = sum(counts.values())
    took = time.perf_counter() - begun
    if cancelled != count:
        raise RuntimeError(f"cancel_where met {cancelled:,} of {count:,}")
    return took


@asynccontextmanager
async def _another_client(system: System) -> AsyncIterator[list[float]]:
    """A client in another process that calls during the block; afterwards the times of its calls, in ms."""
    called = await system.client.start("waiting", queue="another")
    took: list[float] = []
    async with python(
        "-m", "bench.calling", system.address, called.id, log=system.store.with_name("calls.log")
    ) as other:
        await line_of(other)
        yield took
        assert other.stdin is not None
        other.stdin.write(b"enough\n")
        took += json.loads(await line_of(other))


async def weigh_executions(setting: Setting) -> list[Figure]:
    """What an execution that waits takes, in the server's memory and in its file."""
    count = setting.pick(5_000, 20_000, 100_000)
    async with running_server(setting.folder) as system:
        await put(system, 2_000)
        before = resident(system.server)
        await put(system, count)
        grown = resident(system.server) - before
    return _weights("execution", grown / count, _size(system.store) / (count + 2_000), setting)


async def weigh_tasks(setting: Setting) -> list[Figure]:
    """What a task that waits takes, in the server's memory and in its file."""
    count = setting.pick(5_000, 20_000, 100_000)
    async with running_system(setting.folder) as system, listening() as notices:
        await system.client.start("heap", Amount(notices.port, 2_000))
        await notices.next("scheduled")
        before = resident(system.server)
        await system.client.start("heap", Amount(notices.port, count))
        await notices.next("scheduled")
        grown = resident(system.server) - before
    return _weights("task", grown / count, _size(system.store) / (count + 2_000), setting)


def _size(store: Path) -> int:
    """What a server that stopped has left: its file, with all that was in the log beside it."""
    return sum(each.stat().st_size for each in store.parent.glob(f"{store.name}*"))


def _weights(what: str, memory: float, disk: float, setting: Setting) -> list[Figure]:
    in_memory, on_disk = setting.floors.record, setting.floors.row
    return [
        figure(f"memory of the server per pending {what}", [memory], "bytes", reach="< 400", floor=in_memory),
        figure(f"disk per pending {what}", [disk], "bytes", reach="< 600", floor=on_disk),
    ]


async def backlog(setting: Setting) -> list[Figure]:
    """Very many executions that wait, a million in a long run: the server's memory, and how soon a restart serves."""
    count = setting.pick(5_000, 100_000, 1_000_000)
    empty, full = setting.folder / "empty", setting.folder / "full"
    empty.mkdir()
    full.mkdir()
    alone = await _claims(empty, setting, "brief-counted", 0)
    restarted_empty = await _seconds_to_serve(empty)
    among = await _claims(full, setting, "brief-counted", count)
    restarted_full = await _seconds_to_serve(full)
    of_empty = Floor(alone.per_second, "the empty server's")
    marks = ("< 512", "< 30") if count >= 1_000_000 else ("", "")
    name = f"{count:,} pending"
    memory, start = setting.floors.processes(1), Floor(restarted_empty, "the empty server's")
    return [
        figure(f"{name}: the server's memory", [among.memory / _MIB], "MiB", reach=marks[0], floor=memory),
        figure(f"{name}: the server's memory after claims", [among.memory_after / _MIB], "MiB", floor=memory),
        figure(
            f"{name}: claimed, of the empty server's rate", [among.per_second / alone.per_second], "x", reach="> 0.8"
        ),
        figure(f"{name}: claimed", [among.per_second], "1/s", better="higher", floor=of_empty),
        figure(f"{name}: restart to the first answer", [restarted_full], "s", reach=marks[1], floor=start),
    ]


async def backlog_with_tasks(setting: Setting) -> list[Figure]:
    """How fast a worker comes to the ends of executions of one task each, when very many wait for it."""
    count = setting.pick(5_000, 50_000)
    empty, full = setting.folder / "empty", setting.folder / "full"
    empty.mkdir()
    full.mkdir()
    alone = await _claims(empty, setting, "single-counted", 0)
    among = await _claims(full, setting, "single-counted", count)
    of_empty = Floor(alone.per_second, "the empty server's")
    name = f"{count:,} pending of one task each: done"
    return [figure(name, [among.per_second], "1/s", better="higher", floor=of_empty)]


@dataclass(frozen=True)
class Claims:
    """How a worker took from what waited.

    Attributes:
        per_second: how many it took per second, of the first of them.
        memory: the server's memory before, in bytes.
        memory_after: and afterwards.
    """

    per_second: float
    memory: float
    memory_after: float


async def _claims(folder: Path, setting: Setting, kind: str, count: int) -> Claims:
    """Let a worker come to executions that wait; without a count, no more than are measured.

    What it takes is one queue's, all of one kind.
    """
    every = setting.pick(500, 2_000)
    async with running_server(folder) as system, listening() as notices:
        await put(system, max(count, 6 * every), kind=kind, given=Amount(notices.port, every))
        memory = resident(system.server)
        arguments = worker_arguments(system.address, queue=QUEUE)
        async with python(*arguments, log=folder / "worker.log") as worker:
            begun = int(await notices.next("counted"))
            for _ in range(4):
                ended = int(await notices.next("counted"))
            # In order it would first end all that it has been given.
            worker.kill()
        return Claims(4 * every / (ended - begun) * 1e9, memory, resident(system.server))


async def _seconds_to_serve(folder: Path) -> float:
    """From the spawn of a server on a file to its first answer."""
    begun = time.perf_counter()
    async with running_server(folder) as system:
        await system.client.list_page(page_size=1)
        return time.perf_counter() - begun


MEASUREMENTS: Final = (
    Measurement("pending.enqueue-executions", "20,000 executions that nobody runs, by start_many", enqueue_executions),
    Measurement("pending.enqueue-tasks", "20,000 tasks that nobody runs, scheduled by one agent", enqueue_tasks),
    Measurement(
        "pending.cancel-executions", "cancel_where over executions; others' calls meanwhile", cancel_executions
    ),
    Measurement("pending.cancel-tasks", "cancel_where over tasks; others' calls meanwhile", cancel_tasks),
    Measurement("pending.weigh-executions", "memory and disk of an execution that waits", weigh_executions),
    Measurement("pending.weigh-tasks", "memory and disk of a task that waits", weigh_tasks),
    Measurement("pending.backlog", "memory, claims and restart with very many that wait", backlog, limit=1_200),
    Measurement("pending.backlog-with-tasks", "the same with one task each: how fast they end", backlog_with_tasks),
)
