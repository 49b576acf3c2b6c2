"""The host of an agent's execution: our engine, and our run of the agent's code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rescind.authoring.agent import AgentDefinition
from rescind.backends.native.agent_run import AgentRun
from rescind.errors import AuthoringError
from rescind.model.children import Spawned
from rescind.model.commands import StartExecution
from rescind.model.ids import WorkerId
from rescind.model.messages import (
    AgentActivation,
    AgentCancelled,
    AgentCompleted,
    AgentEviction,
    AgentFailed,
    AgentKind,
    AgentParked,
    StepReported,
    ToWorker,
    WorkerJoined,
)
from rescind.model.operations import ScheduleTask
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT, Payload
from rescind.temporal.continuing import Carried, carried_of, execution_of, stands_at_checkpoint
from rescind.temporal.effects import Effects
from rescind.temporal.engine_host import EngineHost
from rescind.temporal.records import StepReport

AgentEnding = AgentCompleted | AgentFailed | AgentCancelled
"""How an agent's code has ended."""

_AGENT_WORKER: Final = WorkerId("workflow")


class Host(EngineHost):
    """Drives the engine of an agent's execution, and its code.

    Attributes:
        on_agent_end: told of the end of the agent's code, if anybody wants to know.
    """

    def __init__(
        self,
        definition: AgentDefinition[Any, Any],
        execution_id: str,
        effects: Effects,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
    ) -> None:
        """Make a host that knows of no execution yet.

        Args:
            definition: the agent.
            execution_id: the execution's id.
            effects: what brings about what is decided.
            payload_limit: the largest payload in bytes.
        """
        super().__init__(execution_id, effects, payload_limit)
        self.on_agent_end: Callable[[AgentRun, AgentEnding], None] | None = None
        self._definition = definition
        self._run: AgentRun | None = None
        # At a checkpoint from which the workflow may continue as new: what the code is told if it does not.
        self._held: AgentActivation | None = None

    # -- for the workflow --

    def begin(self, start: StartExecution) -> None:
        """See `EngineHost`."""
        self._decide(start)

    def go_on(self, carried: Carried, queue: str, agent_input: Payload, spawned: Spawned | None) -> None:
        """The execution exists, and goes on from what an earlier run of its workflow has carried over."""
        execution = execution_of(carried, self.execution_id, self._definition.kind, queue, agent_input, spawned)
        self.first_event, self.previous_run = carried.sequence, carried.previous_run
        last = max((1, *(task.order for task in carried.tasks), *(child.order for child in carried.children)))
        self._take(self._engine.restore([(execution, None)], carried.lease, last, {}, {}, self._effects.now()))

    def carry(self, run_id: str) -> Carried | None:
        """See `EngineHost`."""
        held, self._held = self._held, None
        if held is None:
            return None
        execution = self._execution()
        if stands_at_checkpoint(execution, held) and (carried := carried_of(execution, self._lease, run_id)):
            return carried
        self._activate(held)
        self._settle()
        return None

    @property
    def may_move_on(self) -> bool:
        """See `EngineHost`."""
        return self._held is not None

    def run(self) -> None:
        """See `EngineHost`."""
        kind = AgentKind(self._definition.kind, self._definition.recovery, self._definition.cleanup_budget_ms)
        self._decide(WorkerJoined(_AGENT_WORKER, 1, (self._queue(),), (kind,), agent_slots=1))
        self._settle()

    def step_ended(self, position: int, report: StepReport) -> None:
        """See `EngineHost`."""
        self._steps.discard(position)
        if self._run is not None:
            self.tell(StepReported(self.execution_id, self._run.run, position, report.value, report.failure))

    @property
    def code(self) -> AgentRun:
        """See `EngineHost`."""
        assert self._run is not None, "the agent's code was asked for before it ran"
        return self._run

    def discard(self) -> None:
        """See `EngineHost`."""
        if self._run is not None:
            self._run.discard()

    # -- inside --

    def _take_push(self, pushed: ToWorker) -> None:
        match pushed:
            case AgentActivation():
                if self._effects.should_move_on() and stands_at_checkpoint(self._execution(), pushed):
                    self._held = pushed
                else:
                    self._activate(pushed)
            case AgentEviction():
                self._leave_run()

    def _activate(self, activation: AgentActivation) -> None:
        if activation.start is not None:
            self._run = AgentRun(self._definition, activation, activation.start, payload_limit=self._payload_limit)
        run = self._run
        assert run is not None, "the first activation of a run brings what it starts with"
        answer = run.activate(activation)
        if isinstance(answer, AgentParked):
            # Temporal's way to park: the workflow task fails, and is tried again with whatever is deployed next.
            raise AuthoringError(answer.problem)
        if answer.ending is not None and self.on_agent_end is not None:
            self.on_agent_end(run, answer.ending)
        self._make_room_for((each.kind, each.queue) for each in answer.operations if isinstance(each, ScheduleTask))
        self._decide(answer)
        self._mind_steps(run)

    def _leave_run(self) -> None:
        if self._run is not None:
            self._run.discard()
            self._mind_steps(self._run)

    def _mind_steps(self, run: AgentRun) -> None:
        for position in sorted(self._steps):
            if not run.waits_for_step(position):
                self._steps.discard(position)
                self._effects.cancel_step(position)
        for position, name, function in run.new_steps():
            self._steps.add(position)
            self._effects.run_step(position, name, function)
