"""The agents whose code is in this worker's memory, and the side effects that they asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.conversion import encode
from rescind.authoring.registry import Registry
from rescind.backends.native.agent_port import StepFunction
from rescind.backends.native.agent_run import AgentRun
from rescind.model.ids import ExecutionId, Instant
from rescind.model.messages import (
    AgentActivation,
    AgentEviction,
    AgentParked,
    AgentProgress,
    FromWorker,
    StepReported,
)
from rescind.model.texts import recordable
from rescind.runtime.failures import failure_of
from rescind.worker.agent_spans import in_step, tell_agent
from rescind.worker.side_effects import SideEffects

_LOG: Final = logging.getLogger("rescind.worker")
# How many runs that are over are known as such. What comes twice does so soon, or not at all.
_REMEMBERED: Final = 1_000


class AgentRuns:
    """Activates agents; keeps them suspended in between."""

    def __init__(
        self,
        registry: Registry[AgentDefinition[Any, Any]],
        send: Callable[[FromWorker], None],
        payload_limit: int,
        worker: str = "",
    ) -> None:
        self._registry = registry
        self._send = send
        self._payload_limit = payload_limit
        self._worker = worker
        self._runs: dict[ExecutionId, AgentRun] = {}
        # The last run of each agent that is over here, and when it was last told something: its first activation, come
        # once more, must not begin it anew. An id that its server has forgotten may be given again, and counts from 1.
        self._over: dict[ExecutionId, tuple[int, Instant]] = {}
        self._steps: dict[ExecutionId, dict[int, asyncio.Task[None]]] = {}
        self._effects = SideEffects()

    def __len__(self) -> int:
        return len(self._runs)

    def activate(self, activation: AgentActivation) -> None:
        """Run an agent on, and send what it asks for. An activation that came before changes nothing."""
        run = self._runs.get(activation.execution_id)
        if run is not None and (activation.run < run.run or activation.number <= run.number):
            return
        over, last_told = self._over.get(activation.execution_id, (0, 0))
        if activation.run <= over and activation.now <= last_told:
            return
        if activation.start is not None:
            if run is not None:
                self._drop(run)
            definition = self._registry.get(activation.start.kind)
            run = AgentRun(
                definition, activation, activation.start, payload_limit=self._payload_limit, worker=self._worker
            )
            self._runs[activation.execution_id] = run
        elif run is None or run.run != activation.run:
            return
        try:
            answer = run.activate(activation)
        except Exception as error:
            # Ours, not the agent's: its own errors end in its answer. Without one the execution would wait for ever.
            _LOG.exception("agent %s could not be run", activation.execution_id, extra={"at_work": run.at_work})
            problem = recordable(f"its worker could not run it: {type(error).__name__}: {error}")
            answer = AgentParked(activation.execution_id, activation.run, problem)
        else:
            if isinstance(answer, AgentParked):
                _LOG.warning(
                    "agent %s is parked: %s", answer.execution_id, answer.problem, extra={"at_work": run.at_work}
                )
            elif answer.ending is not None:
                tell_agent(run, answer.ending)
        self._send(answer)
        if not isinstance(answer, AgentProgress) or answer.ending is not None:
            self._drop(run)
        else:
            self._mind_steps(run)

    def evict(self, eviction: AgentEviction) -> None:
        """Forget a run of an agent."""
        run = self._runs.get(eviction.execution_id)
        if run is not None and run.run == eviction.run:
            self._drop(run)

    def discard(self) -> None:
        """The worker is lost: forget everything."""
        for run in list(self._runs.values()):
            self._drop(run)

    def begin_session(self) -> None:
        """A new session begins: forget everything. Nothing that came over an older one can come once more."""
        self.discard()
        self._over.clear()

    def close(self) -> None:
        """The worker has ended: forget everything, for good."""
        self.discard()
        self._effects.close()

    async def wait_for_steps(self) -> None:
        """Return when every function given to ``ctx.run`` that runs now has ended."""
        running = [task for steps in self._steps.values() for task in steps.values()]
        if running:
            await asyncio.wait(running)

    def _drop(self, run: AgentRun) -> None:
        run.discard()
        self._runs.pop(run.execution_id, None)
        self._over.pop(run.execution_id, None)
        self._over[run.execution_id] = (run.run, run.told_at)
        if len(self._over) > _REMEMBERED:
            del self._over[next(iter(self._over))]
        self._cancel_unwanted_steps(run)

    def _mind_steps(self, run: AgentRun) -> None:
        self._cancel_unwanted_steps(run)
        for position, name, function in run.new_steps():
            task = asyncio.get_running_loop().create_task(self._run_step(run, position, name, function))
            self._steps.setdefault(run.execution_id, {})[position] = task
            task.add_done_callback(partial(self._step_ended, run.execution_id, position))

    def _step_ended(self, execution_id: ExecutionId, position: int, ended: asyncio.Task[None]) -> None:
        steps = self._steps.get(execution_id)
        # A later run of the agent may have begun the step anew before this task had ended.
        if steps is not None and steps.get(position) is ended:
            del steps[position]
            if not steps:
                del self._steps[execution_id]

    def _cancel_unwanted_steps(self, run: AgentRun) -> None:
        for position, task in self._steps.get(run.execution_id, {}).items():
            if not run.waits_for_step(position):
                task.cancel()

    async def _run_step(self, run: AgentRun, position: int, name: str, function: StepFunction) -> None:
        try:
            with in_step(run, name):
                result = await self._effects.call(function)
            value = encode(result, what=f"result of step {name!r}", limit=self._payload_limit)
            report = StepReported(run.execution_id, run.run, position, value=value)
        except asyncio.CancelledError as error:
            if not run.waits_for_step(position):
                raise
            # Nobody cancelled it: its own code raised that, and the agent waits.
            report = StepReported(run.execution_id, run.run, position, failure=failure_of(error))
        except (Exception, SystemExit) as error:  # the step's own code: whatever it raises is its outcome
            report = StepReported(run.execution_id, run.run, position, failure=failure_of(error))
        self._send(report)
