"""`rescind show` draws the tree below an execution."""

from __future__ import annotations

import asyncio
from typing import Final

from rich.console import Console

from rescind import AgentContext, ParentClosePolicy, TaskContext, agent, task
from rescind.cli.execution_view import show_execution, status_of, stopping_in_words
from rescind.cli.family import family_document, family_lines, family_of
from rescind.client.client import BaseClient
from rescind.testing import Environment, run

LET_GO: Final[dict[str, asyncio.Event]] = {}


@agent("leaf")
async def leaf(ctx: AgentContext, number: int) -> int:
    return number


@agent("branch")
async def branch(ctx: AgentContext, width: int) -> None:
    await ctx.join_children([await ctx.spawn_agent(leaf, each) for each in range(width)])
    await ctx.spawn_agent("nobody-runs-this", None, parent_close=ParentClosePolicy.ABANDON)
    await ctx.wait_for_signal_raw("never")


@agent("root")
async def root(ctx: AgentContext) -> None:
    await ctx.report_usage(5, 0.25)
    await (await ctx.spawn_agent(branch, 2))


def test_each_member_stands_below_its_parent_with_its_status() -> None:
    async def play() -> None:
        async with Environment([leaf, branch, root]) as env:
            handle = await env.start(root, id="r")
            await env.settled()
            client: BaseClient = env.client
            details = await handle.details()
            family = await family_of(client, details)  # type: ignore[arg-type]
            lines = [line.plain.split() for line in family_lines(family)]
            assert [line[1:] for line in lines[1:]] == [
                ["branch", "WAITING"],
                ["leaf", "COMPLETED"],
                ["leaf", "COMPLETED"],
                ["nobody-runs-this", "PENDING", "goes", "on", "without", "its", "parent"],
            ]
            (document,) = family_document(family)
            assert [child["status"] for child in document["children"]] == ["COMPLETED", "COMPLETED", "PENDING"]
            console = Console(record=True, width=200)
            show_execution(console, details, await handle.history(), family)
            text = console.export_text()
            assert "CHILDREN" in text
            assert "5 tokens, 0.25 USD" in text

    run(play())


@task("clings", grace=60)
async def clings(ctx: TaskContext) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await LET_GO["now"].wait()


@agent("above")
async def above(ctx: AgentContext, levels: int) -> None:
    if levels:
        await (await ctx.spawn_agent(above, levels - 1))
    await ctx.schedule(clings)


def test_a_tree_says_of_each_member_that_something_of_it_still_stops() -> None:
    async def play() -> None:
        LET_GO["now"] = asyncio.Event()
        async with Environment([above], [clings]) as env:
            handle = await env.start(above, 2, id="r")
            await env.settled()
            await handle.cancel()
            await env.settled()
            view = (await handle.details()).execution
            assert (status_of(view).plain, stopping_in_words(view)) == ("CANCELLED, still stopping", "in 1 child")
            client: BaseClient = env.client
            family = await family_of(client, await handle.details())  # type: ignore[arg-type]
            assert [" ".join(line.plain.split()[1:]) for line in family_lines(family)[1:]] == [
                "above CANCELLED, still stopping"
            ] * 2
            LET_GO["now"].set()
            await env.settled()
            view = (await handle.details()).execution
            assert (status_of(view).plain, view.stopping, view.children_stopping) == ("CANCELLED", 0, 0)

    run(play())


def test_an_execution_without_children_has_no_tree() -> None:
    assert family_lines(()) == []
    assert family_document(()) == []
