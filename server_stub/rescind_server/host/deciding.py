"""What the engine is asked in one turn, and what it needs of the store for that: both only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rescind.model.commands import Command, FromClient
from rescind.model.ids import ExecutionId, Instant
from rescind_server.engine.entities import Execution
from rescind_server.engine.machine import Engine
from rescind_server.engine.state import Decision
from rescind_server.store.port import Store

_NONE: Final[Mapping[ExecutionId, Execution]] = {}


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
            command.execution_id
            for command in commands
            if isinstance(command, FromClient) and command.execution_id is not None and not holds(command.execution_id)
        ]
        return self._store.committed_among(wanted) if wanted else _NONE

    def _decide(self, command: Command, now: Instant) -> Decision:
        closed = self._closed(command) if isinstance(command, FromClient) else None
        decision = self._complete(self._engine.decide(command, now, closed))
        for execution in decision.closed:
            self._closed_now[execution.execution_id] = execution
        return decision

    def _complete(self, decision: Decision) -> Decision:
        """Give the engine the pages that a decision wants; the decision goes on with them."""
        while decision.wanted:
            wanted = decision.wanted.pop(0)
            page = self._store.resting(wanted.key, wanted.beyond, wanted.limit)
            self._engine.take_page(wanted, page)
        return decision

    def _closed(self, command: FromClient) -> Execution | None:
        """The execution that a command names, if it has closed; one that rests is taken up by the engine instead."""
        execution_id = command.execution_id
        if execution_id is None or self._engine.holds(execution_id):
            return None
        execution = self._closed_now.get(execution_id) or self._away.get(execution_id)
        if execution is None:
            return None
        if execution.ended:
            return execution
        self._engine.take_up(execution)
        return None
