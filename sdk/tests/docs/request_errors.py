"""How to meet each error of a call that must be mended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest

import rescind
from rescind import AgentContext, TaskContext, agent, errors, task
from rescind.model.commands import Command, Refused, SignalExecution
from rescind.model.ids import ExecutionId, Instant
from rescind.model.workflows import MOST_SIGNALS, StartWorkflow, SubmitWorkflowCommands
from rescind.temporal import TemporalClient
from rescind.testing import Environment
from rescind_server.access.rates import Rates
from rescind_server.access.token_file import KnownTokens, TokenFile
from rescind_server.access.tokens import Role
from rescind_server.engine.machine import Engine
from rescind_server.gateway.identity import Caller, TokenIdentity
from sdk.tests.docs.provoking import Provocations, nap, quote

met: Final = Provocations()


@met.in_agent("InvalidInput")
async def negative_time(ctx: AgentContext) -> object:
    return await ctx.schedule(quote, "bike", timeout=-1)


@met.in_agent("PayloadTooLarge")
async def large_input(ctx: AgentContext) -> object:
    return await ctx.schedule(quote, "x" * 5_000_000)


@met.outside("NotSupported")
async def asks_a_cluster_for_webhooks() -> None:
    _ = TemporalClient("localhost:7233").webhooks


@met.outside("NotFound")
async def unknown_execution() -> None:
    async with Environment() as env:
        await env.handle("q-7").status()


@met.outside("UnknownKind")
async def misspelt() -> None:
    @agent("quotes")
    async def quotes(ctx: AgentContext) -> None: ...

    async with Environment(agents=[quotes]) as env:
        await env.start("quotse")


@task("quote")
async def another_quote(ctx: TaskContext) -> None: ...


@met.outside("DuplicateKind")
async def same_kind_twice() -> None:
    Environment(tasks=[quote, another_quote])


@met.outside("AlreadyExists")
async def same_id_other_input() -> None:
    async with Environment(agents=[nap]) as env:
        await env.start(nap, 1, id="q-1")
        await env.start(nap, 2, id="q-1")


@met.outside("ExecutionEnded")
async def too_late() -> None:
    async with Environment(agents=[nap]) as env:
        handle = await env.start(nap, 1, id="q-1")
        await handle.result()
        await handle.signal("wake-up")


def refused(*commands: Command) -> BaseException:
    """The error that a client would raise for the engine's answer to the last of these commands."""
    engine = Engine()
    replies = [engine.decide(command, Instant(0)).reply for command in commands]
    answer = replies[-1]
    assert isinstance(answer, Refused)
    error: BaseException = getattr(errors, answer.error)(answer.message)
    return error


@met.outside("NotClaimed")
async def reports_what_it_does_not_hold() -> None:
    workflow = ExecutionId("q-1")
    raise refused(StartWorkflow("quote", execution_id=workflow), SubmitWorkflowCommands(workflow))


@met.outside("LimitReached")
async def signals_too_often() -> None:
    workflow = ExecutionId("q-1")
    signals = [SignalExecution(workflow, "wake-up")] * (MOST_SIGNALS + 1)
    raise refused(StartWorkflow("quote", execution_id=workflow), *signals)


@met.outside("ForeignFuture")
async def future_of_another() -> None:
    kept: list[Any] = []
    met: list[BaseException] = []

    @agent("giver")
    async def giver(ctx: AgentContext) -> None:
        kept.append(ctx.schedule(quote, "bike"))
        await ctx.sleep(10)

    @agent("taker")
    async def taker(ctx: AgentContext) -> None:
        try:
            await ctx.join_all(kept)
        except rescind.ForeignFuture as error:
            met.append(error)

    async with Environment(agents=[giver, taker], tasks=[quote]) as env:
        await env.start(giver, id="q-1")
        await (await env.start(taker, id="q-2")).result()
    raise met[0]


@met.outside("ContextNotActive")
async def kept_context() -> None:
    kept: list[AgentContext] = []

    @agent("giver")
    async def giver(ctx: AgentContext) -> None:
        kept.append(ctx)

    async with Environment(agents=[giver]) as env:
        await (await env.start(giver, id="q-1")).result()
        kept[0].random()


@met.directly("WrongEventLoop")
def on_another_loop(_: Path) -> BaseException:
    async def main() -> None:
        async with Environment():
            pass

    with pytest.raises(rescind.WrongEventLoop) as caught:
        asyncio.run(main())
    return caught.value


@met.outside("NotPermitted")
async def asks_for_what_operators_may() -> None:
    Caller(by="client:web", roles=frozenset({Role.CLIENT})).require(Role.OPERATOR)


@met.outside("NotAuthenticated")
async def brings_no_token() -> None:
    TokenIdentity(KnownTokens(TokenFile(Path("no-such-file"))), Rates(1, 1), lambda: Instant(0))({})
