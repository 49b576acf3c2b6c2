"""Cold starts: from typing a command to the first task done."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Final

from bench.figures import Figure, figure
from bench.measuring import Measurement, Setting
from bench.processes import line_of, python, server_arguments, worker_arguments
from rescind.client.connecting import Client


async def server_and_worker(setting: Setting) -> list[Figure]:
    """Server and worker are typed in the same moment; a caller starts an agent of one task."""
    measured, serving = [], []
    for number in range(setting.pick(4, 11)):
        folder = setting.folder / str(number)
        folder.mkdir()
        served, ended = await _one_start(folder)
        serving.append(served)
        measured.append(ended)
    floor = setting.floors.start_with_grpc
    name = "cold start: server and worker, to the first task done"
    return [
        figure(name, measured[1:], "ms", reach="< 900", floor=floor),
        figure("cold start: server, to its first line", serving[1:], "ms", floor=floor),
    ]


async def _one_start(folder: Path) -> tuple[float, float]:
    """From the spawn to the server's first line, and to the first result, in ms."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    begun = time.perf_counter()
    async with (
        python(*server_arguments(folder / "store.db", address), log=folder / "log") as server,
        python(*worker_arguments(address), log=folder / "log"),
    ):
        assert json.loads(await line_of(server))["event"] == "serving"
        served = time.perf_counter() - begun
        async with Client(address, by="client:bench") as client:
            await (await client.start("single")).result()
        return served * 1e3, (time.perf_counter() - begun) * 1e3


async def embedded(setting: Setting) -> list[Figure]:
    """A script that embeds Rescind: from its spawn to the line that it prints when its first task is done."""
    measured = [await _first_line("-m", "bench.embedded_start") for _ in range(setting.pick(4, 11))]
    floor = setting.floors.start
    name = "cold start: embedded, to the first task done"
    return [figure(name, measured[1:], "ms", reach="< 300", floor=floor)]


async def demo(setting: Setting) -> list[Figure]:
    """``rescind demo``, to its first line."""
    measured = [await _first_line("-m", "rescind", "demo") for _ in range(setting.pick(3, 6))]
    floor = setting.floors.start
    return [figure("rescind demo: first line", measured[1:], "ms", reach="< 1,000", floor=floor)]


async def _first_line(*arguments: str) -> float:
    begun = time.perf_counter()
    async with python(*arguments) as process:
        await line_of(process)
        took = (time.perf_counter() - begun) * 1e3
        # What it prints further must not fill the pipe.
        async with asyncio.timeout(30):
            await process.communicate()
    return took


MEASUREMENTS: Final = (
    Measurement("starting.server", "server and worker, to the first task done", server_and_worker),
    Measurement("starting.embedded", "a script that embeds it, to the first task done", embedded),
    Measurement("starting.demo", "rescind demo, to its first line", demo),
)
