"""The processes that are measured: started, waited for, weighed, and ended whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

from rescind.client.connecting import Client

ROOT: Final = Path(__file__).parents[1]
DEFAULT_SLOTS: Final = 100

_PATIENCE: Final = 15.0
# The largest line that a helper prints: thousands of samples.
_LINE_LIMIT: Final = 16 * 1024**2
_alive: set[Process] = set()
_profiles: Path | None = None


class ProcessEndedError(Exception):
    """A process ended that should have printed something."""

    def __init__(self, process: Process) -> None:
        super().__init__(f"process {process.pid} has ended")
        self.process = process


@dataclass(frozen=True)
class System:
    """A server on a file with fsync and a worker, each in a process of its own, and a client of it in this one.

    Attributes:
        client: connected to the server.
        address: where the server serves.
        http: where it serves HTTP.
        store: its file.
        server: its process.
        worker: the worker's process; None if there is none.
    """

    client: Client
    address: str
    http: str
    store: Path
    server: Process
    worker: Process | None


@asynccontextmanager
async def python(*arguments: str, log: Path | None = None) -> AsyncIterator[Process]:
    """A Python process in the folder of the sources, ended with the block; what it prints is read line by line.

    Args:
        arguments: those of ``python``.
        log: where its standard error goes, and stays; None forgets it at the end.
    """
    errors: IO[bytes] = log.open("ab") if log is not None else tempfile.TemporaryFile()  # noqa: SIM115 - see below
    with errors:
        # A session of its own: Ctrl+C reaches the benchmark alone, which then ends the others in order.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=ROOT,
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
            limit=_LINE_LIMIT,
            start_new_session=True,
        )
        _alive.add(process)
        try:
            yield process
        except ProcessEndedError as error:
            if error.process is not process:
                raise
            raise RuntimeError(f"`python {' '.join(arguments)}` has ended: {_last_line(errors)}") from None
        finally:
            await end(process)


def _last_line(errors: IO[bytes]) -> str:
    """What a process said last: in Python, why it ended."""
    lines = Path(f"/proc/self/fd/{errors.fileno()}").read_bytes().decode(errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")


async def end(process: Process) -> None:
    """End a process in order; by force, if it does not."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_PATIENCE):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        _alive.discard(process)


def kill_all() -> None:
    """Kill what is still there: for an end that left no time to end it in order."""
    for process in _alive:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    _alive.clear()


async def line_of(process: Process) -> str:
    """The next line that a process prints. Raises ProcessEndedError if it ended instead; its block then tells why."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise ProcessEndedError(process)
    return line.decode().strip()


async def json_of(*arguments: str) -> Any:
    """Run a Python process to its end, and read the JSON document that it prints in one line."""
    async with python(*arguments) as process:
        return json.loads(await line_of(process))


def server_arguments(store: Path, address: str = "127.0.0.1:0") -> tuple[str, ...]:
    """The arguments of ``python`` for a server on a file, as a user starts it."""
    return (*_profiled("server"), "-m", "rescind", "server", "--store", str(store), "--address", address, "--json")


def worker_arguments(address: str, *, queue: str = "default", slots: int = DEFAULT_SLOTS) -> tuple[str, ...]:
    """The arguments of ``python`` for a worker of the workload, as a user starts it."""
    place = ("--address", address, "--queue", queue, "--slots", str(slots), "--json")
    return (*_profiled("worker"), "-m", "rescind", "worker", "bench.workload", *place)


def profile_into(folder: Path | None) -> None:
    """Let the servers and workers that are started from now on write profiles of their main threads into a folder.

    They are then about half as fast. None lets them run as they are.
    """
    global _profiles
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    _profiles = folder


def _profiled(which: str) -> tuple[str, ...]:
    if _profiles is None:
        return ()
    number = len(list(_profiles.iterdir())) + 1
    target = _profiles / f"{number}-{which}.prof"
    target.touch()
    return ("-m", "cProfile", "-o", str(target.absolute()))


@asynccontextmanager
async def running_server(folder: Path) -> AsyncIterator[System]:
    """A server alone, and a client. Started again in the same folder, it goes on from its file."""
    store = folder / "store.db"
    async with python(*server_arguments(store), log=folder / "server.log") as server:
        serving = json.loads(await line_of(server))
        async with Client(serving["address"], by="client:bench") as client:
            yield System(client, serving["address"], serving["http"], store, server, None)


@asynccontextmanager
async def running_worker(
    system: System, *, queue: str = "default", slots: int = DEFAULT_SLOTS
) -> AsyncIterator[System]:
    """The same with a worker, which has joined and run its first task."""
    arguments = worker_arguments(system.address, queue=queue, slots=slots)
    async with python(*arguments, log=system.store.with_name("worker.log")) as worker:
        await (await system.client.start("single", queue=queue)).result()
        yield replace(system, worker=worker)


@asynccontextmanager
async def running_system(folder: Path, *, slots: int = DEFAULT_SLOTS) -> AsyncIterator[System]:
    """A server, a worker that has joined, and a client."""
    async with running_server(folder) as system, running_worker(system, slots=slots) as whole:
        yield whole


def resident(process: Process) -> float:
    """The memory that a process holds, in bytes."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
