"""Somebody who stands beside the engine, and hears every command and every decision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rescind.model.commands import Command
from rescind.testing import Environment
from rescind_server.engine.entities import Execution, Task
from rescind_server.engine.state import Decision, State

Look = Callable[[Command | None, Decision], None]


def look_at_decisions(env: Environment, look: Look) -> None:
    """Have `look` called with each decision, before it is committed; the command is None if only time brought it."""
    engine = env.host._engine
    decide, come_due = engine.decide, engine.come_due

    def decide_and_look(command: Command, *others: Any) -> Decision:
        decision = decide(command, *others)
        look(command, decision)
        return decision

    def come_due_and_look(*others: Any) -> Decision | None:
        decision = come_due(*others)
        if decision is not None:
            look(None, decision)
        return decision

    replace(engine, "decide", decide_and_look)
    replace(engine, "come_due", come_due_and_look)


def replace(owner: object, name: str, function: Callable[..., Any]) -> None:
    """Put a function in the place of a method of one object."""
    setattr(owner, name, function)


def state_of(env: Environment) -> State:
    """The engine's memory."""
    return env.host._engine._state


def executions_of(env: Environment) -> Iterator[Execution]:
    """The executions in the engine's memory."""
    yield from list(state_of(env).executions.values())


def tasks_of(env: Environment) -> Iterator[Task]:
    """Their tasks."""
    for execution in executions_of(env):
        yield from execution.tasks.values()
