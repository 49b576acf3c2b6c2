"""What workers of flovyn.v1 call; and many that have nothing to do.

``python -m bench.pollers ADDRESS COUNT [tasks|bare]`` prints a line when all polls are held. They are held on few
connections, as in a house with many small workers behind one proxy, and take from the queue that is measured, but other
kinds. With ``tasks`` each worker polls for tasks alone, otherwise also for agents and workflows. With ``bare`` as many
calls are held by `bench.echo` instead.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import grpc.aio
from rescind_proto.flovyn.v1 import agent_pb2, flovyn_pb2

from bench.echo import CALL, HOLD
from rescind.transport.grpc_methods import methods_of

POLL_SECONDS: Final = 60
"""How long a poll is held at most, by the worker's wish and by the server's bound."""

_WORKERS_PER_CONNECTION: Final = 100
_SERVICES: Final = (
    agent_pb2.DESCRIPTOR.services_by_name["AgentDispatch"],
    flovyn_pb2.DESCRIPTOR.services_by_name["TaskExecution"],
    flovyn_pb2.DESCRIPTOR.services_by_name["WorkerLifecycle"],
    flovyn_pb2.DESCRIPTOR.services_by_name["WorkflowDispatch"],
)


class Calls:
    """The calls of one message in and one out, by their names."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        methods = [each for service in _SERVICES for each in methods_of(service).items()]
        self._requests = {name: method.request for name, method in methods}
        self._calls = {
            name: channel.unary_unary(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.reply.FromString,
            )
            for name, method in methods
            if not method.is_session and not method.is_stream
        }

    async def make(self, name: str, **fields: Any) -> Any:
        """Make a call; returns its answer."""
        return await self._calls[name](self._requests[name](**fields))


async def _poll_on(calls: Calls, name: str, first_seconds: int, **fields: Any) -> None:
    """Poll for ever. The first poll is shorter, so that not all polls of all workers end in one moment."""
    seconds = first_seconds
    while True:
        await calls.make(name, timeout_seconds=seconds, **fields)
        seconds = POLL_SECONDS


async def _work(calls: Calls, number: int, *, tasks_alone: bool) -> None:
    """One worker: it registers, and polls for tasks alone or for everything."""
    name = f"idle-{number}"
    await calls.make(
        "RegisterWorker", worker_name=name, worker_type="UNIFIED", tasks=[flovyn_pb2.TaskCapability(kind="idle")]
    )
    first = 1 + number % POLL_SECONDS
    polls = [_poll_on(calls, "PollTask", first, worker_id=name)]
    if not tasks_alone:
        polls += [
            _poll_on(calls, "PollAgent", first, worker_id=name, agent_capabilities=["idle"]),
            _poll_on(calls, "PollWorkflow", first, worker_id=name, workflow_capabilities=["idle"]),
        ]
    await asyncio.gather(*polls)


async def _work_bare(channel: grpc.aio.Channel, number: int) -> None:
    """The floor of one worker: three calls that are held for as long, and nothing else."""

    async def hold_on() -> None:
        hold = channel.unary_unary(HOLD)
        seconds = 1 + number % POLL_SECONDS
        while True:
            await hold(b"%d" % seconds)
            seconds = POLL_SECONDS

    await asyncio.gather(*(hold_on() for _ in range(3)))


async def _stay(address: str, count: int, sort: str) -> None:
    is_bare = sort == "bare"
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    working: Sequence[asyncio.Task[None]] = []
    async with AsyncExitStack() as stack:
        for first in range(0, count, _WORKERS_PER_CONNECTION):
            # Channels to one address share a connection, unless their options differ.
            options = (("grpc.use_local_subchannel_pool", 1),)
            channel = await stack.enter_async_context(grpc.aio.insecure_channel(address, options))
            calls = Calls(channel)
            numbers = range(first, min(first + _WORKERS_PER_CONNECTION, count))
            works = (
                _work_bare(channel, each) if is_bare else _work(calls, each, tasks_alone=sort == "tasks")
                for each in numbers
            )
            working = [*working, *map(asyncio.create_task, works)]
            # Answered behind them, on the same connection: they have been asked.
            if is_bare:
                await channel.unary_unary(CALL)(b"")
            else:
                await calls.make("PollTask", worker_id="last", queue="another")
        print("polling", flush=True)
        await told.wait()
        for each in working:
            each.cancel()
        await asyncio.wait(working)


if __name__ == "__main__":
    asyncio.run(_stay(sys.argv[1], int(sys.argv[2]), "".join(sys.argv[3:])))
