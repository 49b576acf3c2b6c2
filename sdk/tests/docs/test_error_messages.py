"""The page on errors has every error of the tree, and its messages are real output."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import pytest

import rescind
from rescind import AgentContext, Budget, BudgetExceeded, NonRetryable, TaskContext, agent, errors, task
from rescind.model.commands import Command, Refused, SignalExecution
from rescind.model.ids import ExecutionId, Instant
from rescind.model.workflows import MOST_SIGNALS, StartWorkflow, SubmitWorkflowCommands
from rescind.temporal import TemporalClient
from rescind.testing import Environment, MockAgentContext, run
from rescind.transport.grpc_errors import error_of
from rescind_server.access.rates import Rates
from rescind_server.access.token_file import KnownTokens, TokenFile
from rescind_server.access.tokens import Role
from rescind_server.app import Server
from rescind_server.engine.machine import Engine
from rescind_server.gateway.identity import Caller, TokenIdentity, take_everybody
from sdk.tests.docs.workflow_errors import WORKFLOW_PROVOCATIONS

ROOT: Final = Path(__file__).parents[3]
SECTION: Final = re.compile(r"^#{2,3} (`\w+`.*?)\n(.*?)(?=^#{2,3} |\Z)", re.MULTILINE | re.DOTALL)
MESSAGE: Final = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
THIS_FILE: Final = re.compile(rf"{re.escape(__file__)}:\d+")

Provocation = Callable[[Path], BaseException]
PROVOCATIONS: Final[dict[str, Provocation]] = dict(WORKFLOW_PROVOCATIONS)


def sections() -> dict[str, str]:
    """The sections of the page by the error that they tell of."""
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    return {name: text for title, text in SECTION.findall(page) for name in re.findall(r"`(\w+)`", title)}


def tree() -> list[str]:
    return [
        name
        for name, error in vars(errors).items()
        if isinstance(error, type) and issubclass(error, BaseException) and error.__module__ == errors.__name__
    ]


@pytest.mark.parametrize("name", [name for name in tree() if name != "RescindError"])
def test_every_error_of_the_tree_is_on_the_page(name: str) -> None:
    assert name in sections()


@pytest.mark.parametrize("name", [name for name in sections() if MESSAGE.search(sections()[name])])
def test_a_message_on_the_page_is_real_output(name: str, tmp_path: Path) -> None:
    shown = MESSAGE.search(sections()[name])
    assert shown is not None
    real = THIS_FILE.sub("agents.py:12", str(PROVOCATIONS[name](tmp_path))).replace(str(tmp_path), "/var/lib")
    assert shown[1].rstrip("\n") == real


def test_every_error_that_can_be_met_has_its_message_on_the_page() -> None:
    without = {name for name in tree() if name in sections() and not MESSAGE.search(sections()[name])}
    branches = {"RequestError", "OutcomeError", "AuthoringError"}
    assert without == branches


# --- how to meet each of them ----------------------------------------------------------------------------------------


@task("quote", max_retries=0)
async def quote(ctx: TaskContext, carrier: str) -> str:
    if carrier == "post":
        raise ValueError("no such carrier")
    await asyncio.sleep({"bike": 1, "ship": 600}[carrier])
    return carrier


@task("quote")
async def another_quote(ctx: TaskContext) -> None: ...


@task("charge")
async def charge(ctx: TaskContext) -> None:
    raise NonRetryable("the card has expired")


@agent("nap")
async def nap(ctx: AgentContext, seconds: float) -> None:
    await ctx.sleep(seconds)


@agent("prices")
async def prices(ctx: AgentContext, tokens: int) -> None:
    if tokens:
        await ctx.report_usage(tokens)
    raise LookupError("no such carrier")


def provokes(name: str) -> Callable[[Provocation], Provocation]:
    def note(provocation: Provocation) -> Provocation:
        PROVOCATIONS[name] = provocation
        return provocation

    return note


def raised_in_agent(name: str) -> Callable[[Callable[[AgentContext], Awaitable[object]]], object]:
    """The decorated function is an agent's body, in which the error is raised."""

    def note(body: Callable[[AgentContext], Awaitable[object]]) -> object:
        def provoke(_: Path) -> BaseException:
            met: list[BaseException] = []

            @agent("quotes")
            async def quotes(ctx: AgentContext) -> None:
                try:
                    await body(ctx)
                except BaseException as error:
                    met.append(error)
                    if isinstance(error, asyncio.CancelledError):
                        raise

            async def main() -> None:
                async with Environment(agents=[quotes, prices], tasks=[quote, charge]) as env:
                    handle = await env.start(quotes, id="q-1")
                    await asyncio.sleep(1)
                    await handle.cancel("the customer hung up")
                    await asyncio.sleep(600)

            run(main())
            return met[0]

        PROVOCATIONS[name] = provoke
        return body

    return note


def raised_outside(name: str) -> Callable[[Callable[[], Coroutine[Any, Any, object]]], object]:
    """The decorated function is a program in virtual time that raises the error."""

    def note(program: Callable[[], Coroutine[Any, Any, object]]) -> object:
        def provoke(_: Path) -> BaseException:
            error_class: type[rescind.RescindError] = getattr(rescind, name, rescind.RescindError)
            with pytest.raises(error_class) as caught:
                run(program())
            return caught.value

        PROVOCATIONS[name] = provoke
        return program

    return note


@raised_in_agent("InvalidInput")
async def negative_time(ctx: AgentContext) -> object:
    return await ctx.schedule(quote, "bike", timeout=-1)


@raised_in_agent("PayloadTooLarge")
async def large_input(ctx: AgentContext) -> object:
    return await ctx.schedule(quote, "x" * 5_000_000)


@raised_outside("NotSupported")
async def asks_a_cluster_for_webhooks() -> None:
    _ = TemporalClient("localhost:7233").webhooks


@raised_outside("NotFound")
async def unknown_execution() -> None:
    async with Environment() as env:
        await env.handle("q-7").status()


@raised_outside("UnknownKind")
async def misspelt() -> None:
    @agent("quotes")
    async def quotes(ctx: AgentContext) -> None: ...

    async with Environment(agents=[quotes]) as env:
        await env.start("quotse")


@raised_outside("DuplicateKind")
async def same_kind_twice() -> None:
    Environment(tasks=[quote, another_quote])


@raised_outside("AlreadyExists")
async def same_id_other_input() -> None:
    async with Environment(agents=[nap]) as env:
        await env.start(nap, 1, id="q-1")
        await env.start(nap, 2, id="q-1")


@raised_outside("ExecutionEnded")
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


@raised_outside("NotClaimed")
async def reports_what_it_does_not_hold() -> None:
    workflow = ExecutionId("q-1")
    raise refused(StartWorkflow("quote", execution_id=workflow), SubmitWorkflowCommands(workflow))


@raised_outside("LimitReached")
async def signals_too_often() -> None:
    workflow = ExecutionId("q-1")
    signals = [SignalExecution(workflow, "wake-up")] * (MOST_SIGNALS + 1)
    raise refused(StartWorkflow("quote", execution_id=workflow), *signals)


@raised_outside("ForeignFuture")
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


@raised_outside("ContextNotActive")
async def kept_context() -> None:
    kept: list[AgentContext] = []

    @agent("giver")
    async def giver(ctx: AgentContext) -> None:
        kept.append(ctx)

    async with Environment(agents=[giver]) as env:
        await (await env.start(giver, id="q-1")).result()
        kept[0].random()


@provokes("WrongEventLoop")
def on_another_loop(_: Path) -> BaseException:
    async def main() -> None:
        async with Environment():
            pass

    with pytest.raises(rescind.WrongEventLoop) as caught:
        asyncio.run(main())
    return caught.value


@raised_in_agent("TaskFailed")
async def unknown_carrier(ctx: AgentContext) -> object:
    return await ctx.schedule(quote, "post")


@provokes("TaskTimedOut")
def slow_carrier(_: Path) -> BaseException:
    @agent("quotes")
    async def quotes(ctx: AgentContext) -> str:
        return await ctx.schedule(quote, "ship", start_to_close=60)

    return _ends_with(rescind.TaskTimedOut, quotes)


@raised_in_agent("TaskCancelled")
async def cancelled_carrier(ctx: AgentContext) -> object:
    future = ctx.schedule(quote, "ship")
    await future.cancel("too slow")
    return await future


@provokes("AllTasksFailed")
def race_without_winner(_: Path) -> BaseException:
    @agent("quotes")
    async def quotes(ctx: AgentContext) -> str:
        slow = ctx.schedule(quote, "post"), ctx.schedule(quote, "ship", start_to_close=60)
        return (await ctx.select_ok(slow))[0]

    return _ends_with(rescind.AllTasksFailed, quotes)


@raised_in_agent("StepFailed")
async def failing_step(ctx: AgentContext) -> object:
    def read_rate() -> float:
        raise KeyError("EUR")

    return await ctx.run(read_rate)


@raised_in_agent("ChildFailed")
async def failing_child(ctx: AgentContext) -> object:
    return await (await ctx.spawn_agent("prices", 0))


@raised_in_agent("ChildBudgetExceeded")
async def spending_child(ctx: AgentContext) -> object:
    return await (await ctx.spawn_agent("prices", 1_200, budget=Budget(max_tokens=1_000)))


@raised_in_agent("ChildCancelled")
async def cancelled_child(ctx: AgentContext) -> object:
    child = await ctx.spawn_agent("prices", 0)
    await child.cancel()
    return await child


@provokes("BudgetExceeded")
def budget_is_used_up(_: Path) -> BaseException:
    async def spends(ctx: AgentContext) -> None:
        await ctx.report_usage(1_200)

    with pytest.raises(BudgetExceeded) as caught:
        run(spends(MockAgentContext(budget=Budget(max_tokens=1_000))))
    return caught.value


@provokes("DeadlineExceeded")
def block_takes_too_long(_: Path) -> BaseException:
    @agent("quotes")
    async def quotes(ctx: AgentContext) -> None:
        async with ctx.fail_after(5):
            await ctx.schedule(quote, "ship")

    return _ends_with(rescind.DeadlineExceeded, quotes)


@provokes("ExecutionFailed")
def agent_raises(_: Path) -> BaseException:
    @agent("quotes")
    async def quotes(ctx: AgentContext) -> None:
        raise RuntimeError("no carrier is left")

    return _ends_with(rescind.ExecutionFailed, quotes)


@raised_outside("ExecutionWasCancelled")
async def cancelled_by_its_caller() -> None:
    async with Environment(agents=[nap]) as env:
        handle = await env.start(nap, 60, id="q-1")
        await handle.cancel("the customer hung up")
        await handle.result()


@provokes("NonDeterminismError")
def changed_code(_: Path) -> BaseException:
    deployed = ["first version"]

    @agent("quotes")
    async def quotes(ctx: AgentContext) -> None:
        if deployed == ["first version"]:
            await ctx.schedule(quote, "bike")
        await ctx.sleep(60)

    async def main() -> str | None:
        async with Environment(agents=[quotes], tasks=[quote]) as env:
            handle = await env.start(quotes, id="q-1")
            await asyncio.sleep(10)
            await env.kill_worker()
            deployed[0] = "second version"
            env.start_worker()
            await asyncio.sleep(60)
            return (await handle.describe()).parked

    return rescind.NonDeterminismError(run(main()))


@raised_in_agent("NotDurableError")
async def reads_a_file(ctx: AgentContext) -> object:
    with open("rates.json") as file:  # noqa: ASYNC230, PTH123 - what the guard is there for
        return file.read()


@provokes("NotMocked")
def nothing_set(_: Path) -> BaseException:
    @agent("quotes")
    async def quotes(ctx: AgentContext) -> str:
        return await ctx.schedule(quote, "bike")

    with pytest.raises(rescind.NotMocked) as caught:
        run(quotes.run(MockAgentContext()))
    return caught.value


@raised_outside("Deadlock")
async def nobody_sends() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.set_name("Task-1")
    await asyncio.Event().wait()


@provokes("StoreError")
def file_of_something_else(directory: Path) -> BaseException:
    (directory / "agents.db").write_text("a shopping list, say")

    async def main() -> None:
        async with Environment(store=directory / "agents.db"):
            pass

    with pytest.raises(rescind.StoreError) as caught:
        run(main())
    return caught.value


@raised_outside("ServerUnavailable")
async def closed() -> None:
    async with Environment(agents=[nap]) as env:
        handle = await env.start(nap, 60)
    await handle.cancel()


@raised_outside("AddressUnavailable")
async def serves_at_an_address_of_another_machine() -> None:
    async with Server(None, "192.0.2.1:7233", identify=take_everybody):
        pass


@raised_outside("NotPermitted")
async def asks_for_what_operators_may() -> None:
    Caller(by="client:web", roles=frozenset({Role.CLIENT})).require(Role.OPERATOR)


@raised_outside("NotAuthenticated")
async def brings_no_token() -> None:
    TokenIdentity(KnownTokens(TokenFile(Path("no-such-file"))), Rates(1, 1), lambda: Instant(0))({})


@raised_outside("NotAllAnswered")
async def asks_a_cluster_without_workers() -> None:
    raise errors.NotAllAnswered(["order-7", "order-8", "order-9"], found=0)


@raised_outside("RateLimited")
async def asks_too_often() -> None:
    rates = Rates(100, 1, clock=lambda: 0.0)
    rates.count("0123456789ab")
    rates.count("0123456789ab")


@raised_outside("TlsFailed")
async def does_not_trust_the_server() -> None:
    said = "failed to connect to all addresses: CERTIFICATE_VERIFY_FAILED: certificate has expired: OK"
    nothing = grpc.aio.Metadata()
    failure = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, said)
    raise error_of(failure, "192.0.2.1:7233", is_encrypted=True)


@raised_in_agent("NonRetryable")
async def expired_card(ctx: AgentContext) -> None:
    await ctx.schedule(charge)


@raised_in_agent("ExecutionCancelled")
async def cancelled_agent(ctx: AgentContext) -> None:
    await ctx.sleep(60)


def _ends_with(error_class: type[BaseException], definition: Any) -> BaseException:
    async def main() -> None:
        async with Environment(agents=[definition], tasks=[quote]) as env:
            await (await env.start(definition, id="q-1")).result()

    with pytest.raises(error_class) as caught:
        run(main())
    return caught.value
