"""The agents whose code is in this worker's memory, and the side effects that they asked for."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from rescind.authoring.agent import AgentDefinition
from rescind.authoring.conversion import encode
from rescind.authoring.registry import Registry
from rescind.backends.native.agent_port import StepFunction
from rescind.backends.native.agent_run import AgentRun
from rescind.model.ids import ExecutionId
from rescind.model.messages import AgentActivation, AgentEviction, AgentProgress, FromWorker, StepReported
from rescind.runtime.failures import failure_of


class AgentRuns:
    """Activates agents; keeps them suspended in between."""

    def __init__(
        self, registry: Registry[AgentDefinition[Any, Any]], send: Callable[[FromWorker], None], payload_limit: int
    ) -> None:
        self._registry = registry
        self._send = send
        self._payload_limit = payload_limit
        self._runs: dict[ExecutionId, AgentRun] = {}
        self._steps: dict[tuple[ExecutionId, int], asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def activate(self, activation: AgentActivation) -> None:
        """Run an agent on, and send what it asks for. An activation that came before changes nothing."""
        run = self._runs.get(activation.execution_id)
        if run is not None and (activation.run < run.run or activation.number <= run.number):
            return
        if activation.start is not None:
            if run is not None:
                self._drop(run)
            definition = self._registry.get(activation.start.kind)
            run = AgentRun(definition, activation, activation.start, payload_limit=self._payload_limit)
            self._runs[activation.execution_id] = run
        elif run is None or run.run != activation.run:
            return
        answer = run.activate(activation)
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

    def _drop(self, run: AgentRun) -> None:
        run.discard()
        self._runs.pop(run.execution_id, None)
        self._cancel_unwanted_steps(run)

    def _mind_steps(self, run: AgentRun) -> None:
        self._cancel_unwanted_steps(run)
        for position, name, function in run.new_steps():
            key = (run.execution_id, position)
            task = asyncio.get_running_loop().create_task(self._run_step(run, position, name, function))
            self._steps[key] = task
            task.add_done_callback(partial(self._step_ended, key))

    def _step_ended(self, key: tuple[ExecutionId, int], _: asyncio.Task[None]) -> None:
        self._steps.pop(key, None)

    def _cancel_unwanted_steps(self, run: AgentRun) -> None:
        for (execution_id, position), task in list(self._steps.items()):
            if execution_id == run.execution_id and not run.waits_for_step(position):
                task.cancel()

    async def _run_step(self, run: AgentRun, position: int, name: str, function: StepFunction) -> None:
        try:
            result = await _call(function)
            value = encode(result, what=f"result of step {name!r}", limit=self._payload_limit)
            report = StepReported(run.execution_id, run.run, position, value=value)
        except Exception as error:
            report = StepReported(run.execution_id, run.run, position, failure=failure_of(error))
        self._send(report)


async def _call(function: StepFunction) -> Any:
    inner = getattr(function, "func", function)
    if inspect.iscoroutinefunction(inner):
        return await function()
    result = await asyncio.get_running_loop().run_in_executor(None, function)
    return await result if inspect.isawaitable(result) else result
