"""Finds the agents and tasks of a module, for `rescind worker`."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.registry import Registry
from rescind.authoring.task import TaskDefinition
from rescind.cli.refusals import EXIT_BAD_INPUT, Refused


class Definitions(NamedTuple):
    """What a worker can run."""

    agents: Registry[AgentDefinition[Any, Any]]
    tasks: Registry[TaskDefinition[Any, Any]]


def definitions_at(place: str) -> Definitions:
    """The agents and tasks at `module`, or at `module:attribute`: a definition, a registry, or a list of them.

    Raises:
        Refused: there is no such module or attribute, the module cannot be imported, or nothing is defined there.
        DuplicateKind: two agents, or two tasks, have one kind.
    """
    name, sign, attribute = place.partition(":")
    if not name or name.startswith(".") or (sign and not attribute):
        raise Refused(f"{place!r} is no MODULE or MODULE:ATTRIBUTE.", EXIT_BAD_INPUT)
    module = _imported(name)
    found = Definitions(Registry(AgentDefinition), Registry(TaskDefinition))
    for each in _within(_attribute(module, attribute), place) if attribute else _of_module(module):
        if isinstance(each, AgentDefinition):
            found.agents.register(each)
        else:
            found.tasks.register(each)
    if not found.agents and not found.tasks:
        raise Refused(f"{place} defines no agent and no task. Decorate them with @agent or @task.", EXIT_BAD_INPUT)
    return found


def _imported(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise Refused(
                f"there is no module {name!r}. It was looked for in {here} and in the installed packages.",
                EXIT_BAD_INPUT,
            ) from None
        raise _cannot_import(name, error) from None
    # Whatever the code of another raises; a module that exits when imported is no better.
    except (Exception, SystemExit) as error:
        raise _cannot_import(name, error) from None


def _cannot_import(name: str, error: BaseException) -> Refused:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith("<frozen ")][1:]
    where = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
    return Refused(f"module {name!r} cannot be imported: {type(error).__name__}: {error}{where}", EXIT_BAD_INPUT)


def _attribute(module: ModuleType, attribute: str) -> Any:
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise Refused(f"module {module.__name__!r} has no attribute {attribute!r}.", EXIT_BAD_INPUT) from None


def _of_module(module: ModuleType) -> Iterator[AgentDefinition[Any, Any] | TaskDefinition[Any, Any]]:
    for value in list(vars(module).values()):
        if isinstance(value, (AgentDefinition, TaskDefinition)):
            yield value


def _within(value: Any, place: str) -> Iterator[AgentDefinition[Any, Any] | TaskDefinition[Any, Any]]:
    if isinstance(value, (AgentDefinition, TaskDefinition)):
        yield value
        return
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes)):
        raise Refused(f"{place} is {value!r}: no agent or task, no registry, and no list of them.", EXIT_BAD_INPUT)
    for each in value:
        if not isinstance(each, (AgentDefinition, TaskDefinition)):
            raise Refused(f"{place} holds {each!r}, which is no agent and no task.", EXIT_BAD_INPUT)
        yield each
