"""A server with something of everything in it: executions and tasks in all states, stopped work and work that stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from e2e.document.flovyn_world import FlovynWorld, inhabit_flovyn
from rescind import AgentContext, TaskContext, agent, task
from rescind.client.connecting import Client
from rescind.model.commands import StartExecution
from rescind.model.events import EventType, HistoryEvent
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId
from rescind.model.payload import Payload
from rescind.model.status import TERMINAL_EXECUTION, ExecutionStatus
from rescind.worker.connecting import Worker
from rescind_server.access.token_file import TokenFile
from rescind_server.access.tokens import Role
from rescind_server.app import Server
from rescind_server.host.clock import WallClock

_COPIES: Final = 4
_SWEEP_S: Final = 0.3
_OPEN: Final = tuple(status for status in ExecutionStatus if status not in TERMINAL_EXECUTION)
_KINDS: Final[Mapping[str, Any]] = {
    "complete": {"a": [None, 1.5, "ü"]},
    "running": None,
    "failing": None,
    "patient": None,
    "nobody-runs-this": None,
}


@task("echo")
async def echo(ctx: TaskContext, given: Any) -> Any:
    """Give back what was given, a word at a time."""
    await ctx.stream_token(str(given))
    return given


@task("endless")
async def endless(ctx: TaskContext) -> None:
    """Run until it is cancelled."""
    await asyncio.Event().wait()


@task("broken", max_retries=0)
async def broken(ctx: TaskContext) -> None:
    """Fail."""
    raise ValueError("no luck")


@agent("complete")
async def complete(ctx: AgentContext, given: Any) -> Any:
    """One task, one entry, one checkpoint."""
    answer = await ctx.schedule(echo, given)
    await ctx.append_entry("assistant", f"it said {answer!r}")
    await ctx.checkpoint({"answer": answer})
    return answer


@agent("running")
async def running(ctx: AgentContext) -> None:
    """Three tasks: one is cancelled at once, one fails, one runs on."""
    cancelled, failing = ctx.schedule(endless), ctx.schedule(broken)
    await cancelled.cancel("not needed")
    await ctx.join_all_settled([cancelled, failing])
    await ctx.append_entry("assistant", "one of three is left")
    await ctx.schedule(endless)


@agent("failing")
async def failing(ctx: AgentContext) -> None:
    """Fail."""
    raise ValueError("no luck")


@agent("patient")
async def patient(ctx: AgentContext) -> Any:
    """Wait for a signal."""
    return await ctx.wait_for_signal_raw("go")


AGENTS: Final = (complete, running, failing, patient)
TASKS: Final = (echo, endless, broken)


@dataclass(frozen=True)
class World:
    """A server that is served, and what is known of it.

    Attributes:
        url: where it serves HTTP.
        token: an operator's; None where none is asked for.
        executions: ids of executions in all states.
        ended: those of them that have ended: their event streams do so, too.
        tasks: ids of tasks in all states.
        webhooks: ids of webhooks.
        flovyn: what is known there by the interface of flovyn.v1.
    """

    url: str
    token: str | None
    executions: Sequence[str]
    ended: Sequence[str]
    tasks: Sequence[str]
    webhooks: Sequence[str]
    flovyn: FlovynWorld


@asynccontextmanager
async def inhabited_server(folder: Path, *, asks_for_tokens: bool) -> AsyncIterator[World]:
    """A whole server on a file, with a worker; inside the block it serves.

    Args:
        folder: an empty one, for its files.
        asks_for_tokens: whether it lets in none but holders of tokens.
    """
    tokens = TokenFile(folder / "tokens.json") if asks_for_tokens else None
    operator, worker = (_token(tokens, role) for role in (Role.OPERATOR, Role.WORKER))
    path = tokens.path if tokens is not None else None
    async with (
        Server(folder / "store.db", "127.0.0.1:0", http_address="127.0.0.1:0", tokens=path) as server,
        Worker(server.address, agents=AGENTS, tasks=TASKS, worker_id="w-1", token=worker),
        Client(server.address, token=operator) as client,
    ):
        await server.host.ask(StartExecution("complete", Payload(b"\xff\x00", "octets"), ExecutionId("of-bytes")))
        executions = ["of-bytes", *await _inhabit(client)]
        tasks = [str(each.task_id) for found in executions for each in await client.handle(found).tasks()]
        ended = [found for found in executions if await client.handle(found).status() in TERMINAL_EXECUTION]
        # Nobody listens there: what they are told becomes dead letters, in time.
        webhooks = [(await client.webhooks.add("http://127.0.0.1:1/")).webhook.webhook_id for _ in range(_COPIES)]
        url = f"http://{server.http_address}"
        flovyn = await inhabit_flovyn(url, server.address, operator, worker)
        kept = frozenset((*executions, *flovyn.agents, *flovyn.workflows, *flovyn.tasks))
        sweeping = asyncio.create_task(_sweep(client, kept))
        try:
            yield World(url, operator, executions, ended, tasks, webhooks, flovyn)
        finally:
            sweeping.cancel()
            await asyncio.wait([sweeping])
            # A worker leaves when what it runs has ended.
            async for _ in client.cancel_where(ExecutionFilter(), "the end of the world", hard=True):
                pass


def _token(tokens: TokenFile | None, role: Role) -> str | None:
    return tokens.create(role.value, role, WallClock().now())[1] if tokens is not None else None


async def _inhabit(client: Client) -> list[str]:
    """Start executions, and wait until each is where it shall be; returns their ids."""
    started: list[str] = []
    for number in range(_COPIES):
        for kind, given in _KINDS.items():
            handle = await client.start(kind, given, id=f"{kind}-{number}", labels={"copy": str(number)})
            started.append(handle.id)
        await client.handle(f"failing-{number}").cancel(hard=number % 2 == 1)
        events = client.handle(f"running-{number}").follow()
        async for event in events:
            if isinstance(event, HistoryEvent) and event.type is EventType.ENTRY_APPENDED:
                break
        await events.aclose()
        await client.handle(f"complete-{number}").result()
    return started


async def _sweep(client: Client, kept: Collection[str]) -> None:
    """Cancel, again and again, what the calls of a run have started: so its event streams end."""
    while True:
        await asyncio.sleep(_SWEEP_S)
        for status in _OPEN:
            async for each in client.list(ExecutionFilter(statuses=(status,))):
                if each.execution_id not in kept:
                    await client.handle(each.execution_id).cancel("swept away", hard=True)
