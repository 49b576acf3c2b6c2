"""Temporal's development server with a worker of ours, each in a process of its own, and a client of it in this one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.processes import DEFAULT_SLOTS, line_of, python
from fixtures.temporal_servers.running import WORKER_COMMANDS, DevelopmentServer, Json, running
from rescind.temporal import TemporalClient

_DEFAULT_CANCEL_WITHIN_MS: Final = 1_000


class TunedServer(DevelopmentServer):
    """The development server on a file that is written as our own server writes its: WAL, and fsync at each commit."""

    def arguments(self, port: int) -> Sequence[str]:
        """See `DevelopmentServer`."""
        pragmas = ("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=FULL")
        return [*super().arguments(port), *pragmas]


@dataclass(frozen=True)
class TemporalSystem:
    """A cluster of one with a worker that has run its first task.

    Attributes:
        client: connected to it.
        address: where it serves.
    """

    client: TemporalClient
    address: str


@asynccontextmanager
async def running_temporal(
    folder: Path,
    *,
    database: bool = False,
    tuned: bool = False,
    slots: int = DEFAULT_SLOTS,
    dynamic_config: Mapping[str, Json] = WORKER_COMMANDS,
    cancel_within_ms: int = _DEFAULT_CANCEL_WITHIN_MS,
) -> AsyncIterator[TemporalSystem]:
    """A development server and a worker.

    Args:
        folder: where its log and its file lie.
        database: whether it keeps all in a file; else in memory.
        tuned: whether the file is written as our own server's is.
        slots: how many attempts the worker runs at once.
        dynamic_config: the server's; without worker commands, a cancel comes with a sign of life.
        cancel_within_ms: what the worker is told of that.
    """
    kind = TunedServer if tuned else DevelopmentServer
    server = kind(folder, database=folder / "temporal.db" if database else None, dynamic_config=dynamic_config)
    async with running(server):
        arguments = ("-m", "bench.temporal_worker", server.address, str(slots), str(cancel_within_ms))
        async with python(*arguments, log=folder / "worker.log") as worker:
            await line_of(worker)
            async with TemporalClient(server.address, by="client:bench") as client:
                await (await client.start("single")).result()
                yield TemporalSystem(client, server.address)
