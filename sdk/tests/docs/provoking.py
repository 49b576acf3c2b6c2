"""The ways to meet an error, and the work that takes part."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import rescind
from rescind import AgentContext, NonRetryable, TaskContext, agent, task
from rescind.testing import Environment, run

Provocation = Callable[[Path], BaseException]
"""Gives the error that is met; takes a folder of its own."""


class Provocations(dict[str, Provocation]):
    """How errors are met, by their names."""

    def directly(self, name: str) -> Callable[[Provocation], Provocation]:
        """The decorated function gives the error."""

        def note(provocation: Provocation) -> Provocation:
            self[name] = provocation
            return provocation

        return note

    def in_agent(self, name: str) -> Callable[[Callable[[AgentContext], Awaitable[object]]], object]:
        """The decorated function is an agent's body, in which the error is raised."""

        def note(body: Callable[[AgentContext], Awaitable[object]]) -> object:
            self[name] = lambda _: _met_in(body)
            return body

        return note

    def outside(self, name: str) -> Callable[[Callable[[], Coroutine[Any, Any, object]]], object]:
        """The decorated function is a program in virtual time that raises the error."""

        def note(program: Callable[[], Coroutine[Any, Any, object]]) -> object:
            error_class: type[rescind.RescindError] = getattr(rescind, name, rescind.RescindError)
            self[name] = lambda _: _raised_by(program(), error_class)
            return program

        return note


def ended_with(error_class: type[BaseException], definition: Any) -> BaseException:
    """What the caller of an agent gets as its end."""

    async def main() -> None:
        async with Environment(agents=[definition], tasks=[quote]) as env:
            await (await env.start(definition, id="q-1")).result()

    return _raised_by(main(), error_class)


def _raised_by(program: Coroutine[Any, Any, object], error_class: type[BaseException]) -> BaseException:
    with pytest.raises(error_class) as caught:
        run(program)
    return caught.value


def _met_in(body: Callable[[AgentContext], Awaitable[object]]) -> BaseException:
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


@task("quote", max_retries=0)
async def quote(ctx: TaskContext, carrier: str) -> str:
    if carrier == "post":
        raise ValueError("no such carrier")
    await asyncio.sleep({"bike": 1, "ship": 600}[carrier])
    return carrier


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
