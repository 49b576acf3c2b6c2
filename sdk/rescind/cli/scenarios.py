"""The scenarios that `rescind demo` can play."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Protocol

import click

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.task import TaskDefinition


class Scenario(Protocol):
    """See `Scenario` in `fixtures/scenarios.py`."""

    @property
    def name(self) -> str: ...

    @property
    def agent(self) -> AgentDefinition[Any, Any]: ...

    @property
    def inputs(self) -> tuple[Mapping[str, Any], ...]: ...

    @property
    def story(self) -> str: ...


class Catalogue(Protocol):
    """See the module `fixtures/scenarios.py`."""

    @property
    def SCENARIOS(self) -> Mapping[str, Scenario]: ...  # noqa: N802 - a module's constant, seen from outside

    @property
    def AGENTS(self) -> Iterable[AgentDefinition[Any, Any]]: ...  # noqa: N802 - as above

    @property
    def TASKS(self) -> Iterable[TaskDefinition[Any, Any]]: ...  # noqa: N802 - as above


class UnknownScenario(click.ClickException):
    """A name that no scenario has: told in one line, as bad input."""

    exit_code = 2

    def __init__(self, name: str, known: Iterable[str]) -> None:
        close = get_close_matches(name, known, n=1)
        meant = f" Did you mean {close[0]}?" if close else ""
        super().__init__(f"there is no scenario {name!r}.{meant} Known: {', '.join(known)}.")

    def show(self, file: Any = None) -> None:
        """Print it to stderr."""
        click.echo(f"rescind demo: {self.format_message()}", err=True)


def catalogue() -> Catalogue:
    """The scenarios, and the agents and tasks that play in them."""
    # By name, for type checkers cannot follow a package that is in another place in a wheel than in a checkout.
    module: Any = import_module("rescind.cli.fixtures.scenarios")
    found: Catalogue = module
    return found


def scenario_of(name: str) -> Scenario:
    """The scenario of this name. Raises UnknownScenario."""
    known = catalogue().SCENARIOS
    if name not in known:
        raise UnknownScenario(name, known)
    return known[name]
