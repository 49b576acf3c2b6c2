"""What a type checker knows of a definition. Run by pytest, but proved by mypy."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, assert_type

import pytest

from rescind.authoring.agent import AgentDefinition, agent
from rescind.authoring.registry import Registry
from rescind.authoring.task import TaskDefinition, task
from rescind.errors import InvalidInput
from rescind.model.payload import Payload


class Context:
    """Stands for the real context, whose type is free."""


@dataclass
class Request:
    weight: float


@dataclass
class Quote:
    price: float


@task("quote", timeout=3)
async def quote(ctx: Context, request: Request) -> Quote:
    return Quote(request.weight)


@task("ping")
async def ping(ctx: Context) -> int:
    return 1


@task("plain")
def plain(ctx: Context, request: Request) -> Quote:
    return Quote(request.weight)


@task("plain-ping")
def plain_ping(ctx: Context) -> None: ...


@task("optional")
async def optional(ctx: Context, count: int = 3) -> list[Quote]:
    return []


@agent("cheapest")
async def cheapest(ctx: Context, request: Request) -> Quote:
    return Quote(request.weight)


@agent("loop", recovery="checkpoint")
async def loop(ctx: Context) -> None: ...


def test_a_task_is_typed_by_what_it_takes_and_gives() -> None:
    assert_type(quote, TaskDefinition[Request, Quote])
    assert_type(plain, TaskDefinition[Request, Quote])
    assert_type(optional, TaskDefinition[int, list[Quote]])


def test_a_task_without_input_takes_none() -> None:
    assert_type(ping, TaskDefinition[None, int])
    assert_type(plain_ping, TaskDefinition[None, None])


def test_an_agent_is_typed_by_what_it_takes_and_gives() -> None:
    assert_type(cheapest, AgentDefinition[Request, Quote])
    assert_type(loop, AgentDefinition[None, None])


def test_running_an_agent_in_a_unit_test_is_typed() -> None:
    assert_type(asyncio.run(cheapest.run(Context(), Request(1.0))), Quote)


def test_values_that_go_through_a_definition_are_typed() -> None:
    assert_type(quote.encode_input(Request(1.0)), Payload)
    assert_type(quote.decode_output(Payload(b'{"price":1.0}')), Quote)


def test_a_plain_function_is_no_agent() -> None:
    def synchronous(ctx: Context) -> int:
        return 1

    with pytest.raises(InvalidInput):
        agent("a")(synchronous)  # type: ignore[arg-type]


def test_a_registry_keeps_one_sort() -> None:
    tasks: Registry[TaskDefinition[Any, Any]] = Registry(TaskDefinition)
    tasks.register(quote)
    assert_type(tasks.get("quote"), TaskDefinition[Any, Any])
