"""Finds the agents, tasks and workflows of a module, for `rescind worker`."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.registry import Registry
from rescind.authoring.task import TaskDefinition
from rescind.authoring.workflow import WorkflowDefinition
from rescind.cli.refusals import EXIT_BAD_INPUT, Refused


class Definitions(NamedTuple):
    """What a worker can run."""

    agents: Registry[AgentDefinition[Any, Any]]
    tasks: Registry[TaskDefinition[Any, Any]]
    workflows: Registry[WorkflowDefinition[Any, Any]]


Defined = AgentDefinition[Any, Any] | TaskDefinition[Any, Any] | WorkflowDefinition[Any, Any]
_DEFINITIONS: Final = (AgentDefinition, TaskDefinition, WorkflowDefinition)


def definitions_at(place: str) -> Definitions:
    """What is defined at `module`, or at `module:attribute`: a definition, a registry, or a list of them.

    Raises:
        Refused: there is no such module or attribute, the module cannot be imported, or nothing is defined there.
        DuplicateKind: two agents, two tasks, or two workflows have one kind.
    """
    value = imported_value(place)
    found = no_definitions()
    for each in _of_module(value) if ":" not in place else _within(value, place):
        if isinstance(each, AgentDefinition):
            found.agents.register(each)
        elif isinstance(each, TaskDefinition):
            found.tasks.register(each)
        else:
            found.workflows.register(each)
    if not any(len(registry) for registry in found):
        raise Refused(
            f"{place} defines no agent, task or workflow. Decorate them with @agent, @task or @workflow.",
            EXIT_BAD_INPUT,
        )
    return found


def no_definitions() -> Definitions:
    """Nothing yet."""
    return Definitions(Registry(AgentDefinition), Registry(TaskDefinition), Registry(WorkflowDefinition))


def imported_value(place: str) -> Any:
    """What stands at `module:attribute`; the module itself at `module`.

    Raises:
        Refused: there is no such module or attribute, or the module cannot be imported.
    """
    name, sign, attribute = place.partition(":")
    if not name or name.startswith(".") or (sign and not attribute):
        raise Refused(f"{place!r} is no MODULE or MODULE:ATTRIBUTE.", EXIT_BAD_INPUT)
    module = _imported(name)
    return _attribute(module, attribute) if attribute else module


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


def _of_module(module: ModuleType) -> Iterator[Defined]:
    for value in list(vars(module).values()):
        if isinstance(value, _DEFINITIONS):
            yield value


def _within(value: Any, place: str) -> Iterator[Defined]:
    if isinstance(value, _DEFINITIONS):
        yield value
        return
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes)):
        raise Refused(
            f"{place} is {value!r}: no agent, task or workflow, no registry, and no list of them.", EXIT_BAD_INPUT
        )
    for each in value:
        if not isinstance(each, _DEFINITIONS):
            raise Refused(f"{place} holds {each!r}, which is no agent, task or workflow.", EXIT_BAD_INPUT)
        yield each
