"""One run of an agent's code: activations go in, batches of operations come out; a journal makes it catch up first."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from rescind.authoring.agent import AgentDefinition
from rescind.backends.native.agent_loop import AbandonRun, SpinningRun
from rescind.backends.native.agent_port import NativeAgentPort, StepFunction
from rescind.backends.native.code_places import running_place
from rescind.errors import AuthoringError, NonDeterminismError, RescindError
from rescind.model.cause import CancelCause
from rescind.model.ids import Instant
from rescind.model.messages import (
    AgentActivation,
    AgentCancelled,
    AgentCompleted,
    AgentFailed,
    AgentParked,
    AgentProgress,
    AgentStart,
    Issued,
    JournalEntry,
)
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT
from rescind.runtime.agent_context import AgentContext
from rescind.runtime.failures import failure_of
from rescind.telemetry.at_work import AtWork
from rescind.telemetry.traces import enter_agent


class AgentRun:
    """An agent's code in this worker's memory, suspended at its awaits.

    Attributes:
        run: the run's number; its messages carry it.
        number: the number of the last activation that it was given.
        told_at: the time of that activation.
        started_at: when it was started.
        at_work: what its code belongs to.
        kind: the agent's kind.
    """

    __slots__ = (
        *("at_work", "execution_id", "kind", "number", "run", "started_at", "told_at"),
        *("_begun_steps", "_definition", "_exit", "_goes_on_from_checkpoint", "_journal", "_main", "_port"),
    )

    def __init__(
        self,
        definition: AgentDefinition[Any, Any],
        activation: AgentActivation,
        start: AgentStart,
        *,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
        worker: str = "",
    ) -> None:
        self.execution_id = activation.execution_id
        self.run = activation.run
        self.number = 0
        self.told_at = activation.now
        self._definition = definition
        self._journal = start.journal
        self.kind = start.kind
        self.started_at = start.started_at
        self.at_work = AtWork(
            activation.execution_id, worker, organisation=start.organisation, trace_parent=start.trace_parent
        )
        first = start.journal[0].now if start.journal else activation.now
        self._port = NativeAgentPort(activation.execution_id, start, first, payload_limit)
        self._main: asyncio.Task[Any] | None = None
        self._exit: SystemExit | AuthoringError | None = None
        self._goes_on_from_checkpoint = start.base_position > 0
        self._begun_steps: frozenset[int] = frozenset()

    def activate(self, activation: AgentActivation) -> AgentProgress | AgentParked:
        """Run the code until it can do no more; returns what it asked for.

        The first activation of a run repeats the journal before.
        """
        self.number = activation.number
        self.told_at = activation.now
        try:
            self._catch_up()
            self._step(JournalEntry(activation.number, activation.now, activation.resolutions, activation.cancel))
        except NonDeterminismError as error:
            self.discard()
            return AgentParked(self.execution_id, self.run, str(error))
        port = self._port
        progress = AgentProgress(
            self.execution_id, self.run, self.number, tuple(port.issued), self._ending(), tuple(port.streamed)
        )
        port.issued.clear()
        port.streamed.clear()
        if progress.ending is not None:
            self.discard()
        return progress

    def new_steps(self) -> list[tuple[int, str, StepFunction]]:
        """Side effects that the code waits for and that were not begun in this run."""
        steps = [(at, *step) for at, step in self._port.steps.items() if at not in self._begun_steps]
        if steps:
            self._begun_steps |= {position for position, _, _ in steps}
        return steps

    def waits_for_step(self, position: int) -> bool:
        """Whether the code still wants a side effect's result."""
        return position in self._port.steps

    def discard(self) -> None:
        """Forget the code where it stands; it is told nothing."""
        self._port.loop.discard()
        self._port.steps.clear()

    def _catch_up(self) -> None:
        if not self._journal:
            return
        port = self._port
        port.is_replaying = True
        places: dict[int, str] = {}
        port.note_place = lambda position: places.__setitem__(position, running_place(sys._getframe(2)))
        for entry in self._journal:
            self._step(entry)
            self._compare(entry, places)
            if self._has_ended():
                raise NonDeterminismError(
                    f"agent {self.execution_id!r} ends now where its journal goes on, in activation {entry.number}. "
                    "Deploy code that takes the recorded path; the execution is parked until then."
                )
            port.issued.clear()
            places.clear()
        port.is_replaying = False
        port.note_place = None
        self._journal = ()

    def _step(self, entry: JournalEntry) -> None:
        port = self._port
        if self._main is None:
            self._main = port.loop.create_task(self._call())
            if entry.cancel is not None and self._goes_on_from_checkpoint:
                # It began long ago: cancelled before its first line, it would skip the clean-up that it owes.
                self._run_loop(entry.now)
        if entry.cancel is not None:
            port.loop.delivery.request(entry.cancel)
        for resolution in entry.resolutions:
            port.resolve(resolution)
        self._run_loop(entry.now)

    def _run_loop(self, now: Instant) -> None:
        try:
            self._port.loop.step(now)
        except SpinningRun as error:
            # The code is at fault, not its journal: tried again, it would spin again.
            self._exit = AuthoringError(str(error))
        except AbandonRun as error:
            raise NonDeterminismError(str(error)) from error
        except SystemExit as error:
            # It ends the agent, not the worker: whoever recovered the agent would only end as well.
            self._exit = error

    def _has_ended(self) -> bool:
        return self._exit is not None or (self._main is not None and self._main.done())

    def cancel_cause(self) -> CancelCause | None:
        """Why it is being cancelled; None if it is not."""
        return self._port.cancel_cause()

    async def _call(self) -> Any:
        enter_agent(self.at_work)
        context = AgentContext(self._port)
        if not self._definition.takes_input:
            return await self._definition.run(context)
        return await self._definition.run(context, self._definition.decode_input(self._port.input))

    def _ending(self) -> AgentCompleted | AgentFailed | AgentCancelled | None:
        main = self._main
        if self._exit is not None:
            return AgentFailed(failure_of(self._exit))
        if main is None or not main.done():
            return None
        if main.cancelled():
            return AgentCancelled()
        error = main.exception()
        if error is not None:
            return AgentCancelled() if isinstance(error, asyncio.CancelledError) else AgentFailed(failure_of(error))
        try:
            return AgentCompleted(self._definition.encode_output(main.result(), limit=self._port.payload_limit))
        except RescindError as refusal:
            return AgentFailed(failure_of(refusal))

    def _compare(self, entry: JournalEntry, places: dict[int, str]) -> None:
        """The code must have asked for what it asked for then, in the same order."""
        now = [Issued(each.position, type(each).__name__, each.subject) for each in self._port.issued]
        then = [each for issued in entry.issued for each in issued.one_by_one()]
        if now == then:
            return
        for recorded, repeated in zip(then, now, strict=False):
            if recorded != repeated:
                raise self._divergence(recorded, repeated, places)
        if len(now) < len(then):
            raise self._divergence(then[len(now)], None, places)
        raise self._divergence(None, now[len(then)], places)

    def _divergence(
        self, recorded: Issued | None, repeated: Issued | None, places: dict[int, str]
    ) -> NonDeterminismError:
        position = (repeated or recorded or Issued(0, "")).position
        place = f" at {places[position]}" if repeated is not None and position in places else ""
        return NonDeterminismError(
            f"agent {self.execution_id!r} takes another path than its journal at position {position}: recorded "
            f"{_shown(recorded)}, now {_shown(repeated)}{place}. Deploy code that takes the recorded path; the "
            "execution is parked until then."
        )


def _shown(issued: Issued | None) -> str:
    if issued is None:
        return "nothing"
    return f"{issued.operation} {issued.subject!r}" if issued.subject else issued.operation
