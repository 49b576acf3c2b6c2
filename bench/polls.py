"""Long polls of flovyn.v1: what those cost that have nothing to do, and how soon one is answered."""

from __future__ import annotations

import asyncio
import os
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import grpc.aio

from bench.figures import Figure, Floor, figure
from bench.measuring import Measurement, Setting
from bench.pollers import POLL_SECONDS, Calls
from bench.processes import System, line_of, python, running_server
from rescind.model.commands import StartExecution

_SETTLING_SECONDS: Final = 5.0
_WORKERS: Final = 1_000
_POLLERS: Final = 100
_TASKS: Final = 10


async def idle(setting: Setting) -> list[Figure]:
    """The server's share of a processor while 1,000 workers poll in vain: for tasks; then for all there is."""
    seconds = setting.pick(20.0, float(POLL_SECONDS))
    async with running_server(setting.folder) as system:
        alone = await _share(system.server, setting.pick(5.0, 20.0))
        tasks_share = await _share_under(system.server, system.address, seconds, setting, "tasks")
        share = await _share_under(system.server, system.address, seconds, setting)
    async with python("-m", "bench.echo") as bare:
        address = f"127.0.0.1:{await line_of(bare)}"
        bare_share = await _share_under(bare, address, seconds, setting, "bare")
    name = f"server's processor, {_WORKERS:,} idle workers, {3 * _WORKERS:,} polls"
    return [
        figure(f"server's processor, {_WORKERS:,} idle workers, a poll each", [tasks_share], "%", reach="< 2"),
        figure(name, [share], "%", reach="< 2", floor=Floor(bare_share, "a bare gRPC server that holds as many calls")),
        figure("bare gRPC server's processor, as many calls", [bare_share], "%"),
        figure("server's processor, nobody there", [alone], "%"),
    ]


async def _share_under(server: Process, address: str, seconds: float, setting: Setting, *arguments: str) -> float:
    """A server's share of a processor, in percent, while the pollers' calls are held there."""
    log = setting.folder / "pollers.log"
    async with python("-m", "bench.pollers", address, str(_WORKERS), *arguments, log=log) as pollers:
        await line_of(pollers)
        await asyncio.sleep(_SETTLING_SECONDS)
        return await _share(server, seconds)


async def claims(setting: Setting) -> list[Figure]:
    """From the call that brings work until a poll that was held has it; and from a poll until it has what waits."""
    count = setting.pick(200, 1_000)
    async with (
        running_server(setting.folder) as system,
        grpc.aio.insecure_channel(system.address) as channel,
        grpc.aio.insecure_channel(system.address, (("grpc.use_local_subchannel_pool", 1),)) as other,
    ):
        worker, client = Calls(channel), Calls(other)
        figures: list[Figure] = []
        for what, poll, start, finish in _sorts(system, worker, client):
            held: list[float] = []
            waiting: list[float] = []
            for _ in range(10 + count):
                polling = asyncio.ensure_future(poll())
                # A round trip on the same connection later, it is held.
                await worker.make("PollTask", worker_id="w", queue="another")
                begun = time.perf_counter()
                started = asyncio.ensure_future(start())
                claimed = await polling
                held.append((time.perf_counter() - begun) * 1_000)
                await started
                await finish(claimed)
                await start()
                begun = time.perf_counter()
                claimed = await poll()
                waiting.append((time.perf_counter() - begun) * 1_000)
                await finish(claimed)
            for name, samples in ((f"{what}: start to held poll", held), (f"{what}: poll to what waits", waiting)):
                figures.append(figure(f"{name}, median", samples[10:], "ms", reach="< 5"))
                figures.append(figure(f"{name}, p99", samples[10:], "ms", statistic="p99"))
        return figures


async def crowd(setting: Setting) -> list[Figure]:
    """100 held polls for 10 tasks: from the first task's start until all are claimed, each once."""
    rounds = setting.pick(10, 50)
    samples: list[float] = []
    async with (
        running_server(setting.folder) as system,
        grpc.aio.insecure_channel(system.address) as channel,
        grpc.aio.insecure_channel(system.address, (("grpc.use_local_subchannel_pool", 1),)) as other,
    ):
        workers, client = Calls(channel), Calls(other)

        async def claimed(number: int) -> str:
            polled = await workers.make("PollTask", worker_id=f"w-{number}", timeout_seconds=POLL_SECONDS)
            return str(polled.task.task_execution_id)

        for _ in range(1 + rounds):
            polls = [asyncio.ensure_future(claimed(number)) for number in range(_POLLERS)]
            await workers.make("PollTask", worker_id="w", queue="another")
            begun = time.perf_counter()
            submitted = await asyncio.gather(*(client.make("SubmitTask", kind="work") for _ in range(_TASKS)))
            done: set[asyncio.Future[str]] = set()
            pending: set[asyncio.Future[str]] = set(polls)
            while len(done) < _TASKS:
                ended, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                done |= ended
            samples.append((time.perf_counter() - begun) * 1_000)
            for each in pending:
                each.cancel()
            await asyncio.wait(pending)
            found = sorted(each.result() for each in done)
            if found != sorted(each.task_execution_id for each in submitted):
                raise RuntimeError(f"{_TASKS} tasks were claimed as {found}")
            for task_id in found:
                await client.make("CompleteTask", task_execution_id=task_id)
    return [figure(f"{_POLLERS} pollers, {_TASKS} tasks: all claimed, each once", samples[1:], "ms")]


Ask = Callable[[], Awaitable[Any]]
Finish = Callable[[Any], Awaitable[Any]]


def _sorts(system: System, worker: Calls, client: Calls) -> list[tuple[str, Ask, Ask, Finish]]:
    """Agent, task and workflow: each with its poll, its start and its end."""
    polls = {"worker_id": "w", "timeout_seconds": POLL_SECONDS}
    return [
        (
            "agent",
            lambda: worker.make("PollAgent", **polls),
            lambda: system.client.start_many([StartExecution("work")]),
            lambda claimed: worker.make("CompleteAgent", agent_execution_id=claimed.agent_execution.id),
        ),
        (
            "task",
            lambda: worker.make("PollTask", **polls),
            lambda: client.make("SubmitTask", kind="work"),
            lambda claimed: worker.make("CompleteTask", task_execution_id=claimed.task.task_execution_id),
        ),
        (
            "workflow",
            lambda: worker.make("PollWorkflow", **polls),
            lambda: client.make("StartWorkflow", workflow_kind="work"),
            lambda claimed: _complete(worker, claimed.workflow_execution.id),
        ),
    ]


async def _complete(worker: Calls, execution_id: str) -> None:
    command = {"command_type": "COMPLETE_WORKFLOW", "complete_workflow": {"output": b"1"}}
    await worker.make(
        "SubmitWorkflowCommands", workflow_execution_id=execution_id, commands=[command], status="COMPLETED"
    )


async def _share(process: Process, seconds: float) -> float:
    """The share of one processor that a process uses in the next seconds, in percent."""
    before, begun = _processor_seconds(process), time.monotonic()
    await asyncio.sleep(seconds)
    return (_processor_seconds(process) - before) / (time.monotonic() - begun) * 100


def _processor_seconds(process: Process) -> float:
    """What a process has used so far, all its threads together."""
    # Behind the name of the program, which may have anything in it.
    values = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


MEASUREMENTS: Final = (
    Measurement("polls.idle", "the server's processor under the polls of 1,000 idle workers", idle, limit=180),
    Measurement("polls.claims", "from work to a poll that is held, and from a poll to work that waits", claims),
    Measurement("polls.crowd", "100 held polls for 10 tasks", crowd),
)
