"""The floors: what plain asyncio, SQLite, gRPC and Python take by themselves, measured in the same run."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import grpc.aio

from bench.echo import CALL, STREAM
from bench.figures import Figure, Floor, figure
from bench.processes import line_of, python, resident

_PAYLOAD: Final = b"x" * 100
_WARM_UP: Final = 20
_ROWS: Final = 20_000
_PRINT_READY: Final = "print('ready', flush=True); input()"
_GRPC: Final = "import grpc, grpc.aio; "


@dataclass(frozen=True)
class Floors:
    """What the bare parts take.

    Attributes:
        call: one gRPC call to another process and back, in ms.
        stream: one way of a gRPC stream to another process, in ms: half of a round trip.
        commit: one commit of one row to SQLite that waits for the disk, in ms.
        rows_100: rows per second, in commits of 100.
        rows_1000: rows per second, in commits of 1,000.
        row_on_disk: a row with an id and 100 bytes in SQLite, in bytes.
        row_in_memory: the same in a dict of Python, in bytes.
        tasks: asyncio tasks that do nothing, per second.
        ten_ms: a sleep of 10 ms in asyncio, in ms.
        python: start-up of Python, in ms.
        python_with_grpc: start-up of Python that imports gRPC, in ms.
        memory_with_grpc: the memory of such a process, in MiB.
    """

    call: Figure
    stream: Figure
    commit: Figure
    rows_100: Figure
    rows_1000: Figure
    row_on_disk: Figure
    row_in_memory: Figure
    tasks: Figure
    ten_ms: Figure
    python: Figure
    python_with_grpc: Figure
    memory_with_grpc: Figure

    @property
    def figures(self) -> Sequence[Figure]:
        """All of them."""
        return [getattr(self, each.name) for each in fields(self)]

    @property
    def one_call(self) -> Floor:
        """What a caller waits for at least."""
        return Floor(self.call.value + self.commit.value, "one call, one commit")

    @property
    def cancel(self) -> Floor:
        """A client's call, a commit, and the way to the worker."""
        parts = (self.call, self.commit, self.stream)
        return Floor(sum(each.value for each in parts), "one call, one commit, half a stream round trip")

    @property
    def step(self) -> Floor:
        """A task is pushed and reported, its agent is pushed on and schedules the next."""
        return Floor(2 * self.commit.value + 4 * self.stream.value, "two commits, two stream round trips")

    @property
    def race(self) -> Floor:
        """The winner's sleep, and a commit."""
        return Floor(self.ten_ms.value + self.commit.value, "a sleep of 10 ms, one commit")

    @property
    def fan_out(self) -> Floor:
        """Rows in small commits."""
        return Floor(self.rows_100.value, "rows in commits of 100")

    @property
    def bulk(self) -> Floor:
        """Rows in large commits."""
        return Floor(self.rows_1000.value, "rows in commits of 1,000")

    @property
    def running(self) -> Floor:
        """Tasks without anything around them."""
        return Floor(self.tasks.value, "asyncio tasks that do nothing")

    @property
    def record(self) -> Floor:
        """A small record in memory."""
        return Floor(self.row_in_memory.value, "an id and 100 bytes in a dict")

    @property
    def row(self) -> Floor:
        """A small record on disk."""
        return Floor(self.row_on_disk.value, "an id and 100 bytes in SQLite")

    @property
    def start(self) -> Floor:
        """A process that begins."""
        return Floor(self.python.value, "start-up of Python")

    @property
    def start_with_grpc(self) -> Floor:
        """A process with gRPC that begins."""
        return Floor(self.python_with_grpc.value, "start-up of Python with gRPC")

    def processes(self, count: int) -> Floor:
        """The memory of so many processes with gRPC."""
        return Floor(count * self.memory_with_grpc.value, f"Python with gRPC, {count} x")


async def measure_floors(folder: Path, rounds: int) -> Floors:
    """Measure all floors; this takes a few seconds.

    Args:
        folder: an empty folder on the disk that is measured.
        rounds: how many calls and commits.
    """
    call, stream = await _echoes(rounds)
    commit = await asyncio.to_thread(_commits, folder / "commits.db", rounds)
    rows_100 = await asyncio.to_thread(_rows_per_second, folder, 100)
    rows_1000 = await asyncio.to_thread(_rows_per_second, folder, 1_000)
    on_disk = await asyncio.to_thread(_row_on_disk, folder / "rows.db", _ROWS)
    in_memory = await asyncio.to_thread(_row_in_memory, 5 * _ROWS)
    tasks = [await _tasks_per_second(1_000) for _ in range(10)]
    naps = [await _nap() for _ in range(30)]
    bare = await _start_ups("")
    with_grpc = await _start_ups(_GRPC)
    return Floors(
        call=figure("one gRPC call, echoed", call, "ms"),
        stream=figure("half a round trip of a gRPC stream", stream, "ms"),
        commit=figure("one row committed to SQLite, fsync", commit, "ms"),
        rows_100=figure("rows committed to SQLite by hundreds", rows_100, "1/s", better="higher"),
        rows_1000=figure("rows committed to SQLite by thousands", rows_1000, "1/s", better="higher"),
        row_on_disk=figure("an id and 100 bytes in SQLite", [on_disk], "bytes"),
        row_in_memory=figure("an id and 100 bytes in a dict", [in_memory], "bytes"),
        tasks=figure("plain asyncio: tasks that do nothing", tasks, "1/s", better="higher"),
        ten_ms=figure("plain asyncio: a sleep of 10 ms", naps, "ms"),
        python=figure("start-up of Python", [each for each, _ in bare], "ms"),
        python_with_grpc=figure("start-up of Python with gRPC", [each for each, _ in with_grpc], "ms"),
        memory_with_grpc=figure("memory of Python with gRPC", [each for _, each in with_grpc], "MiB"),
    )


async def _echoes(rounds: int) -> tuple[list[float], list[float]]:
    """Calls, and halves of round trips of a stream, in ms."""
    async with python("-m", "bench.echo") as process:
        port = await line_of(process)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary(CALL)
            calls = []
            for _ in range(rounds + _WARM_UP):
                begun = time.perf_counter()
                await call(_PAYLOAD)
                calls.append((time.perf_counter() - begun) * 1e3)
            stream = channel.stream_stream(STREAM)()
            halves = []
            for _ in range(rounds + _WARM_UP):
                begun = time.perf_counter()
                await stream.write(_PAYLOAD)
                await stream.read()
                halves.append((time.perf_counter() - begun) * 1e3 / 2)
            await stream.done_writing()
    return calls[_WARM_UP:], halves[_WARM_UP:]


def _opened(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table rows (number integer primary key, id text, data blob)")
    return connection


def _commit(connection: sqlite3.Connection, rows: Sequence[tuple[str, bytes]]) -> None:
    connection.execute("begin immediate")
    connection.executemany("insert into rows (id, data) values (?, ?)", rows)
    connection.execute("commit")


def _rows(count: int) -> list[tuple[str, bytes]]:
    return [(str(uuid.uuid4()), _PAYLOAD) for _ in range(count)]


def _commits(file: Path, count: int) -> list[float]:
    connection = _opened(file)
    rows = _rows(1)
    measured = []
    for _ in range(count + _WARM_UP):
        begun = time.perf_counter()
        _commit(connection, rows)
        measured.append((time.perf_counter() - begun) * 1e3)
    connection.close()
    return measured[_WARM_UP:]


def _rows_per_second(folder: Path, in_one_commit: int) -> list[float]:
    """Three rounds, each in a new file."""
    rows = _rows(in_one_commit)
    measured = []
    for number in range(3):
        connection = _opened(folder / f"{in_one_commit}-{number}.db")
        begun = time.perf_counter()
        for _ in range(_ROWS // in_one_commit):
            _commit(connection, rows)
        measured.append(_ROWS / (time.perf_counter() - begun))
        connection.close()
    return measured


def _row_on_disk(file: Path, count: int) -> float:
    connection = _opened(file)
    _commit(connection, _rows(count))
    connection.close()
    return file.stat().st_size / count


def _row_in_memory(count: int) -> float:
    """What a process grows by, not what the objects say: as for the server."""
    before = _own_memory()
    rows = {str(uuid.uuid4()): (number, b"%100d" % number) for number in range(count)}
    grown = _own_memory() - before
    rows.clear()
    return grown / count


def _own_memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def _tasks_per_second(count: int) -> float:
    async def nothing_at_all() -> None:
        await asyncio.sleep(0)

    begun = time.perf_counter()
    await asyncio.gather(*(nothing_at_all() for _ in range(count)))
    return count / (time.perf_counter() - begun)


async def _nap() -> float:
    begun = time.perf_counter()
    await asyncio.sleep(0.01)
    return (time.perf_counter() - begun) * 1e3


async def _start_ups(imports: str) -> list[tuple[float, float]]:
    """From the spawn of Python to its first line, in ms, and its memory then, in MiB."""
    measured = []
    for _ in range(6):
        begun = time.perf_counter()
        async with python("-c", imports + _PRINT_READY) as process:
            await line_of(process)
            measured.append(((time.perf_counter() - begun) * 1e3, resident(process) / 1024**2))
    return measured[1:]
