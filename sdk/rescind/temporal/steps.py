"""Side effects of agents and workflows (``ctx.run``), as local activities of the process that runs them.

A function cannot be sent anywhere, and need not be: the workflow puts it into a table of its process, and the local
activity takes it out there. Temporal records what it gave. On a replay the record answers, and nothing is run.
"""

from __future__ import annotations

import asyncio
import inspect
from contextvars import copy_context
from functools import partial
from typing import Any, Final

from temporalio import activity
from temporalio.common import RawValue

from rescind.authoring.conversion import encode
from rescind.backends.native.agent_port import StepFunction
from rescind.backends.native.agent_run import AgentRun
from rescind.backends.native.workflow_run import WorkflowRun
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT
from rescind.runtime.failures import failure_of
from rescind.temporal.names import STEP_ACTIVITY
from rescind.temporal.payloads import record_to_temporal
from rescind.temporal.records import StepReport
from rescind.worker.agent_spans import in_step
from rescind.worker.executors.daemon_threads import DaemonThreads

StepKey = tuple[str, int]
"""A run of Temporal's workflow, and a position in its agent's journal, or a number of a workflow's own."""

_STEP_THREADS: Final = 64
_waiting: dict[StepKey, tuple[AgentRun | WorkflowRun, str, StepFunction]] = {}


def put_step(key: StepKey, run: AgentRun | WorkflowRun, name: str, function: StepFunction) -> None:
    """Let the local activity of this key find its function, and the run of the code that it belongs to."""
    _waiting[key] = (run, name, function)


def forget_step(key: StepKey) -> None:
    """The step was answered, or nobody waits for it any more."""
    _waiting.pop(key, None)


class StepRunner:
    """Runs the side effects of the agents of one worker."""

    def __init__(self, payload_limit: int = DEFAULT_PAYLOAD_LIMIT) -> None:
        self._payload_limit = payload_limit
        self._threads = DaemonThreads(_STEP_THREADS, "rescind-step")

    def local_activity(self) -> Any:
        """The function that a worker registers."""

        @activity.defn(name=STEP_ACTIVITY)
        async def run_step(run_id: str, position: int) -> RawValue:
            return record_to_temporal(await self._run((run_id, position)))

        return run_step

    def close(self) -> None:
        """The worker has ended: nothing is run any more."""
        self._threads.shutdown()

    async def _run(self, key: StepKey) -> StepReport:
        run, name, function = _waiting[key]
        try:
            with in_step(run, name):
                result = await self._call(function)
            return StepReport(value=encode(result, what=f"result of step {name!r}", limit=self._payload_limit))
        except asyncio.CancelledError as error:
            if activity.is_cancelled():
                raise
            # Nobody cancelled it: its own code raised that, and the agent waits.
            return StepReport(failure=failure_of(error))
        except (Exception, SystemExit) as error:  # the step's own code: whatever it raises is its outcome
            return StepReport(failure=failure_of(error))

    async def _call(self, function: StepFunction) -> Any:
        if inspect.iscoroutinefunction(getattr(function, "func", function)):
            return await function()
        # As asyncio.to_thread: the thread knows what it belongs to.
        call = partial(copy_context().run, function)
        result = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        return await result if inspect.isawaitable(result) else result
