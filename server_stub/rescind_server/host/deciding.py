"""What the engine is asked in one turn, and what it needs of the store for that: both only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rescind.model.child_operations import SpawnChild
from rescind.model.commands import Command, FromClient
from rescind.model.ids import ExecutionId, Instant
from rescind.model.messages import AgentProgress
from rescind.model.workflow_commands import ScheduleChildWorkflow
from rescind.model.workflows import (
    ReleaseWorkflow,
    RetryWorkflow,
    SettlePromise,
    StartWorkflow,
    SubmitWorkflowCommands,
)
from rescind_server.engine.entities import Execution
from rescind_server.engine.machine import Engine
from rescind_server.engine.state import Decision
from rescind_server.store.port import Store

_NONE: Final[Mapping[ExecutionId, Execution]] = {}
_Naming = FromClient | StartWorkflow | RetryWorkflow | SettlePromise | SubmitWorkflowCommands | ReleaseWorkflow
"""Commands that name an execution which may have left memory."""


class Deciding:
    """Lets an engine decide the commands of a turn, with what has left its memory at hand."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self._engine = engine
        self._store = store
        # Of the commands of this turn: executions that are not in the engine's memory, as they were committed.
        self._away: Mapping[ExecutionId, Execution] = _NONE
        self._closed_now: dict[ExecutionId, Execution] = {}

    def decide(self, commands: Sequence[Command], now: Instant) -> list[Decision]:
        """Decide commands in their order, then what time brings about.

        Returns:
            A decision per command, and those that time brought about behind them.
        """
        self._closed_now = {}
        self._away = self._look_up(commands)
        decisions = [self._decide(command, now) for command in commands]
        # What came in by now happened before what only time brings about.
        while (due := self._engine.come_due(now)) is not None:
            decisions.append(self._complete(due))
        self._away, self._closed_now = _NONE, {}
        return decisions

    def _look_up(self, commands: Sequence[Command]) -> Mapping[ExecutionId, Execution]:
        """All in one question to the store: a caller may cancel, or start, a thousand at once."""
        holds = self._engine.holds
        wanted = [
            execution_id
            for command in commands
            if isinstance(command, _Naming)
            and (execution_id := self._named_by(command)) is not None
            and not holds(execution_id)
        ]
        wanted += [child_id for command in commands for child_id in _spawned_by(command) if not holds(child_id)]
        return self._store.committed_among(wanted) if wanted else _NONE

    def _decide(self, command: Command, now: Instant) -> Decision:
        closed = self._closed(command) if isinstance(command, _Naming) else None
        known = (self._away, self._closed_now)
        taken = [child_id for child_id in _spawned_by(command) if any(child_id in each for each in known)]
        away = self._children_of(closed) if isinstance(command, RetryWorkflow) else _NONE
        decision = self._complete(self._engine.decide(command, now, closed, taken, away))
        for execution in decision.closed:
            self._closed_now[execution.execution_id] = execution
        return decision

    def _children_of(self, closed: Execution | None) -> Mapping[ExecutionId, Execution]:
        """Those children of a workflow that have left memory."""
        if closed is None or closed.workflow is None:
            return _NONE
        return {**self._store.committed_among([*closed.workflow.children]), **self._closed_now}

    def _complete(self, decision: Decision) -> Decision:
        """Give the engine the pages that a decision wants; the decision goes on with them."""
        while decision.wanted:
            wanted = decision.wanted.pop(0)
            page = self._store.resting(wanted.key, wanted.beyond, wanted.limit)
            self._engine.take_page(wanted, page)
        return decision

    def _named_by(self, command: _Naming) -> ExecutionId | None:
        if not isinstance(command, SettlePromise):
            return command.execution_id
        known = self._engine.execution_of_promise(command)
        return known if known is not None or command.by_key else self._store.owner_of_promise(command.promise)

    def _closed(self, command: _Naming) -> Execution | None:
        """The execution that a command names, if it has closed; one that rests is taken up by the engine instead."""
        execution_id = self._named_by(command)
        if execution_id is None or self._engine.holds(execution_id):
            return None
        execution = self._closed_now.get(execution_id) or self._away.get(execution_id)
        if execution is None:
            return None
        if execution.ended:
            return execution
        self._engine.take_up(execution)
        return None


def _spawned_by(command: Command) -> Sequence[ExecutionId]:
    """The ids of the children that an agent spawns by what it tells, or a workflow starts."""
    if isinstance(command, SubmitWorkflowCommands):
        children = [each for each in command.commands if isinstance(each, ScheduleChildWorkflow)]
        return [each.child_workflow_execution_id for each in children]
    if not isinstance(command, AgentProgress):
        return ()
    return [operation.child_id for operation in command.operations if isinstance(operation, SpawnChild)]
