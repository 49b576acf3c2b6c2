"""A server on a file with fsync, a worker and a caller, each in a process of its own: ``python -m bench.server``.

Measured, never asserted. The floors are measured in the same run: one gRPC call that echoes, and one commit of SQLite
that waits for the disk. ``--quick`` takes fewer rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final

import grpc.aio

from bench.measuring import Figure, figure, save, show
from rescind import AgentContext, ExecutionHandle, TaskContext, agent, task
from rescind.client.connecting import ConnectedClient, connect
from rescind.model.commands import StartExecution
from rescind.model.filters import ExecutionFilter
from rescind.worker.connecting import ConnectedWorker

ROOT: Final = Path(__file__).parents[1]


@task("nothing")
async def nothing(ctx: TaskContext) -> None:
    """The smallest task."""


@task("nap")
async def nap(ctx: TaskContext, seconds: float) -> None:
    """Sleeps."""
    await asyncio.sleep(seconds)


@task("until-told")
async def until_told(ctx: TaskContext, file: str) -> None:
    """Runs until it is cancelled, and tells when it saw that, by a clock that all processes of a machine share."""
    await ctx.report_progress(0.5)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        seen = time.monotonic_ns()
        put(Path(file), str(seen))
        raise


def put(file: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    whole = file.with_suffix(".new")
    whole.write_text(text)
    whole.rename(file)


@agent("fan-out")
async def fan_out(ctx: AgentContext, count: int) -> int:
    """Many tasks at once, joined."""
    return len(await ctx.join_all([ctx.schedule(nothing) for _ in range(count)]))


@agent("steps")
async def steps(ctx: AgentContext, count: int) -> None:
    """One task after another."""
    for _ in range(count):
        await ctx.schedule(nothing)


@agent("race")
async def race(ctx: AgentContext) -> None:
    """A race of three; the winner takes 10 ms."""
    await ctx.select_ok_with_cancel([ctx.schedule(nap, seconds) for seconds in (0.01, 5.0, 5.0)])


@agent("one")
async def one(ctx: AgentContext, file: str) -> None:
    """Waits for one task that runs until it is cancelled."""
    await ctx.schedule(until_told, file)


@contextlib.asynccontextmanager
async def server_and_worker(folder: Path) -> AsyncIterator[tuple[ConnectedClient, Sequence[int]]]:
    """A server and a worker in processes of their own; gives a client, and the ids of the two processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    log = (folder / "log").open("w")
    commands = (
        ["rescind_server.app", "--address", address, "--store", str(folder / "store.db")],
        ["bench.server", "--worker", address],
    )
    processes = [
        subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, stdout=log, stderr=log)  # noqa: ASYNC220 - briefly
        for command in commands
    ]
    try:
        async with connect(address, by="client:bench") as client:
            handle = await first_start(client)
            await handle.result()
            yield client, [process.pid for process in processes]
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()
        log.close()


async def first_start(client: ConnectedClient) -> ExecutionHandle[int]:
    for _ in range(200):
        with contextlib.suppress(Exception):
            return await client.start(fan_out, 1)
        await asyncio.sleep(0.05)
    raise RuntimeError("the server did not come up")


async def cancel_latency(client: ConnectedClient, folder: Path, count: int) -> list[float]:
    """From the caller's cancel to the running code seeing it, in ms, one at a time on an idle server."""
    measured = []
    for number in range(count):
        file = folder / f"seen-{number}"
        handle = await client.start(one, str(file))
        while not ((tasks := await handle.tasks()) and tasks[0].progress):  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.01)
        begun = time.monotonic_ns()
        await handle.cancel_task(tasks[0].task_id)
        while not file.exists():  # noqa: ASYNC110 - another process tells by it
            await asyncio.sleep(0.001)
        measured.append((int(file.read_text()) - begun) / 1e6)
    return measured


async def timed(client: ConnectedClient, agent_kind: str, given: object, count: int) -> list[float]:
    """From the start to the result in the caller's hands, in seconds."""
    measured = []
    for _ in range(count):
        begun = time.perf_counter()
        handle = await client.start(agent_kind, given)
        await handle.result()
        measured.append(time.perf_counter() - begun)
    return measured


async def many(client: ConnectedClient, count: int) -> tuple[float, float]:
    """Executions that nobody runs: started per second, and cancelled per second."""
    begun = time.perf_counter()
    for _ in range(count // 1_000):
        await client.start_many(StartExecution("nobody", queue="pending") for _ in range(1_000))
    started = count / (time.perf_counter() - begun)
    begun = time.perf_counter()
    async for _ in client.cancel_where(ExecutionFilter(queue="pending")):
        pass
    return started, count / (time.perf_counter() - begun)


async def echo_floor(count: int) -> list[float]:
    """One gRPC call to another process and back, in ms: bytes in, the same bytes out."""
    process = subprocess.Popen(  # noqa: ASYNC220 - briefly
        [sys.executable, "-m", "bench.server", "--echo"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        port = (await asyncio.to_thread(process.stdout.readline)).strip()
        measured = []
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/bench/Echo")
            for _ in range(count):
                begun = time.perf_counter()
                await call(b"x" * 100)
                measured.append((time.perf_counter() - begun) * 1e3)
        return measured[10:]
    finally:
        process.terminate()
        process.wait()


def commit_floor(folder: Path, count: int) -> list[float]:
    """One commit of one row that waits for the disk, in ms."""
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table rows (number integer primary key, data blob)")
    measured = []
    for _ in range(count):
        begun = time.perf_counter()
        connection.execute("begin immediate")
        connection.execute("insert into rows (data) values (?)", (b"x" * 200,))
        connection.execute("commit")
        measured.append((time.perf_counter() - begun) * 1e3)
    connection.close()
    return measured


def resident(process: int) -> float:
    """The memory of a process in MiB; Linux only."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def measure(quick: bool) -> list[Figure]:
    rounds = 30 if quick else 200
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        echo = await echo_floor(rounds + 10)
        commit = await asyncio.to_thread(commit_floor, folder, rounds)
        call, write = statistics.median(echo), statistics.median(commit)
        async with server_and_worker(folder) as (client, processes):
            latency = sorted(await cancel_latency(client, folder, rounds))
            await timed(client, "fan-out", 1_000, 1)
            fans = await timed(client, "fan-out", 1_000, 3 if quick else 7)
            chain = await timed(client, "steps", 200, 3 if quick else 5)
            races = await timed(client, "race", None, 10 if quick else 50)
            memory = sum(map(resident, processes))
            started, cancelled = await many(client, 5_000 if quick else 20_000)
    tail = latency[min(len(latency) - 1, int(len(latency) * 0.99))]
    return [
        figure("floor: one gRPC call, echoed", echo, "ms"),
        figure("floor: one commit, fsync", commit, "ms"),
        figure("cancel call to running code", latency, "ms", reach="< 2 median", floor=call + write + call / 2),
        figure("cancel call to running code, p99", [tail], "ms", reach="< 5", floor=call + write + call / 2),
        figure("fan-out of 1,000, joined", [1_000 / each for each in fans], "tasks/s", reach="> 5,000"),
        figure(
            "200 tasks in a row, per step",
            [each * 5 for each in chain],
            "ms",
            reach="< 2.5",
            floor=2 * (write + call / 2),
        ),
        figure("race of three, winner after 10 ms", [each * 1e3 for each in races], "ms", reach="< 16", floor=10.3),
        figure("start_many", [started], "1/s", reach="> 20,000"),
        figure("cancel_where over executions", [cancelled], "1/s", reach="> 40,000"),
        figure("server + worker after the fan-outs", [memory], "MiB", reach="< 100"),
    ]


async def serve_echo() -> None:
    async def echo(data: bytes, context: grpc.aio.ServicerContext) -> bytes:
        return data

    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("bench", {"Echo": grpc.unary_unary_rpc_method_handler(echo)}),)
    )
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination()


async def work(address: str) -> None:
    await ConnectedWorker(address, agents=[fan_out, steps, race, one], tasks=[nothing, nap, until_told]).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--worker", metavar="ADDRESS", help=argparse.SUPPRESS)
    parser.add_argument("--echo", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        asyncio.run(work(given.worker))
    elif given.echo:
        asyncio.run(serve_echo())
    else:
        figures = asyncio.run(measure(given.quick))
        show(figures)
        print(f"written to {save('server', figures)}")


if __name__ == "__main__":
    main()
