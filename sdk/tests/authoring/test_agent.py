"""What ``@agent`` makes of a function, and what it refuses."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from rescind.authoring.agent import AgentDefinition, agent
from rescind.errors import InvalidInput
from rescind.model.payload import NULL_PAYLOAD, Payload

if TYPE_CHECKING:
    from somewhere import AgentContext, Nowhere  # type: ignore[import-not-found]


@dataclass
class Request:
    weight: float


async def cheapest(ctx: AgentContext, request: Request) -> Quote:
    """The cheapest of all."""
    return Quote(request.weight)


CHEAPEST = agent("cheapest-quote")(cheapest)


@dataclass
class Quote:
    price: float


def refusal_of(function: Callable[..., Any], **options: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        agent("a", **options)(function)
    return str(caught.value)


def test_run_is_the_undecorated_function() -> None:
    assert CHEAPEST.run is cheapest
    assert asyncio.run(CHEAPEST.run(None, Request(2.0))) == Quote(2.0)


def test_a_definition_looks_like_its_function() -> None:
    assert (CHEAPEST.__name__, CHEAPEST.__doc__, CHEAPEST.__module__) == ("cheapest", "The cheapest of all.", __name__)
    assert CHEAPEST.__wrapped__ is cheapest
    assert inspect.signature(CHEAPEST) == inspect.signature(cheapest)
    assert AgentDefinition.__module__ == "rescind.authoring.agent"


def test_what_is_not_said_has_defaults() -> None:
    assert (CHEAPEST.kind, CHEAPEST.name, CHEAPEST.version) == ("cheapest-quote", "cheapest-quote", "1.0.0")
    assert (CHEAPEST.recovery, CHEAPEST.cleanup_budget_ms) == ("replay", 30_000)
    assert (CHEAPEST.description, CHEAPEST.tags) == (None, ())


def test_what_is_said_is_kept() -> None:
    definition = agent(
        "a",
        recovery="checkpoint",
        cleanup_budget=timedelta(minutes=1),
        version="2.0.0",
        description="it quotes",
        tags=["x", "y"],
    )(cheapest)
    assert (definition.recovery, definition.cleanup_budget_ms) == ("checkpoint", 60_000)
    assert (definition.version, definition.description, definition.tags) == ("2.0.0", "it quotes", ("x", "y"))


def test_types_may_be_defined_after_the_function() -> None:
    assert (CHEAPEST.takes_input, CHEAPEST.input_type, CHEAPEST.output_type) == (True, Request, Quote)


def test_types_may_be_defined_where_a_local_function_is() -> None:
    @dataclass
    class Local:
        n: int

    @agent("local")
    async def local(ctx: AgentContext, given: list[Local]) -> Local | None: ...

    assert (local.input_type, local.output_type) == (list[Local], Local | None)


def test_types_that_are_missing_are_any() -> None:
    @agent("bare")
    async def bare(ctx, value):  # type: ignore[no-untyped-def]
        ...

    assert (bare.input_type, bare.output_type) == (Any, Any)
    assert (bare.input_schema(), bare.output_schema()) == (None, None)


def test_without_a_second_parameter_no_input_is_taken() -> None:
    @agent("alone")
    async def alone(ctx: AgentContext) -> None: ...

    assert (alone.takes_input, alone.input_type, alone.output_type) == (False, type(None), type(None))


def test_an_annotation_that_cannot_be_resolved_is_named_when_it_is_needed() -> None:
    @agent("lost")
    async def lost(ctx: AgentContext, given: Nowhere) -> Quote:
        return Quote(1.0)

    assert lost.output_type is Quote
    with pytest.raises(InvalidInput) as caught:
        _ = lost.input_type
    assert f"agent 'lost' ({__file__}:" in str(caught.value)
    assert "annotation 'Nowhere' of parameter 'given' cannot be resolved" in str(caught.value)


def test_values_go_through_a_definition_checked_and_named() -> None:
    assert CHEAPEST.decode_input(CHEAPEST.encode_input(Request(1.5))) == Request(1.5)
    assert CHEAPEST.decode_output(CHEAPEST.encode_output(Quote(1.5))) == Quote(1.5)
    with pytest.raises(InvalidInput, match="input of agent 'cheapest-quote' does not fit Request"):
        CHEAPEST.decode_input(Payload(b"1"))
    with pytest.raises(InvalidInput, match="output of agent 'cheapest-quote' cannot be written"):
        CHEAPEST.encode_output(print)  # type: ignore[arg-type]


def test_no_input_gives_the_default_of_the_parameter() -> None:
    @agent("counted")
    async def counted(ctx: AgentContext, count: int = 3) -> None: ...

    assert counted.takes_input
    assert counted.decode_input(NULL_PAYLOAD) == 3
    assert counted.decode_input(Payload(b"4")) == 4


def test_schemas_come_from_the_types() -> None:
    schema = CHEAPEST.input_schema()
    assert schema is not None
    assert schema["$defs"]["Request"]["properties"] == {"weight": {"type": "number"}}


def test_a_definition_is_not_called_itself() -> None:
    with pytest.raises(InvalidInput, match=r"unit test: `await cheapest\.run\(ctx, …\)`"):
        CHEAPEST(None, Request(1.0))


def test_repr_tells_kind_form_and_place() -> None:
    line = cheapest.__code__.co_firstlineno
    assert repr(CHEAPEST) == f"<agent 'cheapest-quote' (request: Request) -> Quote, {__file__}:{line}>"


def test_what_can_be_called_is_a_function_too() -> None:
    class Caller:
        async def __call__(self, ctx: AgentContext, request: Request) -> Quote:
            return Quote(request.weight)

    class Service:
        async def quote(self, ctx: AgentContext, request: Request) -> Quote:
            return Quote(request.weight)

    async def priced(price: float, ctx: AgentContext, request: Request) -> Quote:
        return Quote(price)

    assert agent("caller")(Caller()).output_type is Quote
    assert agent("bound")(Service().quote).input_type is Request
    assert agent("partial")(partial(priced, 1.0)).output_type is Quote


def test_a_plain_function_is_no_agent() -> None:
    def plain(ctx: AgentContext) -> None: ...

    text = refusal_of(plain)
    assert text.startswith(f"agent 'a' ({__file__}:{plain.__code__.co_firstlineno}): an agent waits")
    assert "Write `async def`" in text


def test_an_agent_has_a_parameter_for_the_context() -> None:
    async def empty() -> None: ...
    async def by_name(*, ctx: AgentContext) -> None: ...

    for function in (empty, by_name):
        assert f"Write `async def {function.__name__}(ctx)`" in refusal_of(function)


def test_an_agent_takes_at_most_one_input() -> None:
    async def three(ctx: AgentContext, first: int, second: int, *, third: int, fourth: int = 1) -> None: ...

    text = refusal_of(three)
    assert "more than the context and one input: second, third." in text
    assert "as a dataclass: `async def three(ctx)` or `async def three(ctx, input)`" in text


def test_further_parameters_with_defaults_are_for_tests() -> None:
    async def seeded(ctx: AgentContext, given: int, clock: object = None, *rest: int, seed: int = 1) -> None: ...

    assert agent("seeded")(seeded).input_type is int


def test_a_generator_is_refused() -> None:
    async def stream(ctx: AgentContext) -> AsyncIterator[int]:
        yield 1

    assert "a generator has no single result" in refusal_of(stream)


def test_a_method_of_a_class_is_refused() -> None:
    class Service:
        async def quote(self, ctx: AgentContext) -> None: ...

    assert "it belongs to a class" in refusal_of(Service.quote)


@pytest.mark.parametrize("function", [CHEAPEST, Request, 3])
def test_what_is_no_function_is_refused(function: Any) -> None:
    assert "@agent('a') stands on " in refusal_of(function)


@pytest.mark.parametrize("kind", [cheapest, "", "  ", None])
def test_a_kind_is_required(kind: Any) -> None:
    with pytest.raises(InvalidInput, match=r"Give it a name: @agent\('some-kind'\)"):
        agent(kind)


@pytest.mark.parametrize(
    ("option", "part"),
    [
        ({"recovery": "hope"}, "recovery is 'hope'. Give one of 'replay', 'checkpoint'"),
        ({"cleanup_budget": -1}, "cleanup_budget is -1"),
        ({"version": ""}, "version is ''"),
        ({"tags": "abc"}, "Give a list of strings"),
        ({"tags": [1]}, "a tag is 1"),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused(option: dict[str, Any], part: str) -> None:
    assert part in refusal_of(cheapest, **option)
