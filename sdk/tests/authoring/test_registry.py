"""One definition per kind, and errors that tell which kinds there are."""

from __future__ import annotations

from typing import Any

import pytest

from rescind.authoring.agent import AgentDefinition, agent
from rescind.authoring.registry import Registry
from rescind.authoring.task import TaskDefinition, task
from rescind.errors import DuplicateKind, InvalidInput, UnknownKind


@task("quote")
async def quote(ctx: object, weight: float) -> float:
    return weight


@task("book")
def book(ctx: object) -> None: ...


@agent("cheapest")
async def cheapest(ctx: object) -> None: ...


@pytest.fixture
def tasks() -> Registry[TaskDefinition[Any, Any]]:
    registry = Registry(TaskDefinition)
    registry.register(quote)
    registry.register(book)
    return registry


def test_definitions_are_found_by_kind(tasks: Registry[TaskDefinition[Any, Any]]) -> None:
    assert tasks.get("quote") is quote
    assert tasks.has("quote")
    assert not tasks.has("qoute")


def test_kinds_keep_the_order_of_registration(tasks: Registry[TaskDefinition[Any, Any]]) -> None:
    assert tasks.kinds() == ("quote", "book")
    assert list(tasks) == [quote, book]
    assert len(tasks) == 2


def test_the_same_definition_twice_is_the_same_as_once(tasks: Registry[TaskDefinition[Any, Any]]) -> None:
    tasks.register(quote)
    assert len(tasks) == 2


def test_two_definitions_of_one_kind_are_refused_naming_both(tasks: Registry[TaskDefinition[Any, Any]]) -> None:
    @task("quote")
    async def other(ctx: object) -> None: ...

    with pytest.raises(DuplicateKind) as caught:
        tasks.register(other)
    assert f"quote ({quote.signature.where})" in str(caught.value)
    assert f"other ({other.signature.where})" in str(caught.value)
    assert tasks.get("quote") is quote


def test_an_unknown_kind_tells_the_close_and_the_known_ones(tasks: Registry[TaskDefinition[Any, Any]]) -> None:
    with pytest.raises(UnknownKind) as caught:
        tasks.get("qoute")
    assert str(caught.value) == (
        "no task of kind 'qoute' is registered here. Did you mean 'quote'? Known: 'quote', 'book'. "
        "Define it with @task('qoute') and register it."
    )


def test_an_unknown_kind_in_an_empty_registry_says_so() -> None:
    with pytest.raises(UnknownKind, match="Known: none"):
        Registry(AgentDefinition).get("cheapest")


def test_of_many_kinds_only_some_are_shown() -> None:
    registry = Registry(TaskDefinition)
    for number in range(100):
        registry.register_simple(f"kind-{number}", quote.run)
    with pytest.raises(UnknownKind, match="'kind-29' and 70 more"):
        registry.get("x")


def test_a_bare_function_is_refused_with_the_way_to_decorate_it(tasks: Registry[TaskDefinition[Any, Any]]) -> None:
    async def find_route(ctx: object) -> None: ...

    with pytest.raises(InvalidInput, match=r"decorate it with @task\('find-route'\)"):
        tasks.register(find_route)  # type: ignore[arg-type]


def test_a_definition_of_another_sort_is_refused(tasks: Registry[TaskDefinition[Any, Any]]) -> None:
    with pytest.raises(InvalidInput, match="Register it with the agents"):
        tasks.register(cheapest)  # type: ignore[arg-type]


def test_what_is_no_definition_at_all_is_refused(tasks: Registry[TaskDefinition[Any, Any]]) -> None:
    with pytest.raises(InvalidInput, match="3 is no task"):
        tasks.register(3)  # type: ignore[arg-type]


def test_the_simple_form_takes_and_gives_json_whatever_is_annotated() -> None:
    registry = Registry(TaskDefinition)
    registry.register_simple("double", quote.run)
    definition = registry.get("double")
    assert (definition.input_type, definition.output_type) == (Any, Any)
    assert definition.decode_input(definition.encode_input({"a": [1]})) == {"a": [1]}


def test_the_simple_form_knows_the_same_function_and_refuses_another() -> None:
    registry = Registry(AgentDefinition)
    registry.register_simple("a", cheapest.run)
    registry.register_simple("a", cheapest.run)

    async def other(ctx: object) -> None: ...

    with pytest.raises(DuplicateKind):
        registry.register_simple("a", other)


def test_repr_tells_what_is_registered(tasks: Registry[TaskDefinition[Any, Any]]) -> None:
    assert repr(tasks) == "<registry of 2 tasks: 'quote', 'book'>"
