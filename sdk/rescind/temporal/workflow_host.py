"""The host of a workflow's execution: our engine, and passes over the workflow's code, in one place.

A pass begins when the engine has something for the code, takes in all of the log, and is submitted in the same turn;
or, if the code asked for side effects, when these are done.
"""

from __future__ import annotations

from typing import Any, Final

from rescind.authoring.workflow import WorkflowDefinition
from rescind.backends.native.workflow_port import Step
from rescind.backends.native.workflow_run import PassResult, WorkflowRun
from rescind.errors import AuthoringError, DeterminismViolation, RequestError
from rescind.errors.named import named_error
from rescind.model.commands import Refused, StartExecution
from rescind.model.ids import WorkerId
from rescind.model.messages import ToWorker
from rescind.model.operations import StepRecorded
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT
from rescind.model.workflow_commands import FailWorkflow, PassStatus, ScheduleTask
from rescind.model.workflows import (
    PollWorkflow,
    PromiseSettled,
    SettlePromise,
    StartWorkflow,
    SubmitWorkflowCommands,
    WorkflowClaimed,
)
from rescind.runtime.failures import failure_of
from rescind.temporal.effects import Effects
from rescind.temporal.engine_host import EngineHost
from rescind.temporal.records import PromiseRequest, StartMemo, StepReport
from rescind_server.engine.entities import Phase
from rescind_server.engine.workflow_entities import workflow_of
from rescind_server.engine.workflow_promises import promise_id_of

_CODE_WORKER: Final = WorkerId("workflow")


class WorkflowHost(EngineHost):
    """Drives the engine of a workflow's execution, and its code."""

    def __init__(
        self,
        definition: WorkflowDefinition[Any, Any],
        execution_id: str,
        effects: Effects,
        payload_limit: int = DEFAULT_PAYLOAD_LIMIT,
        memo: StartMemo | None = None,
    ) -> None:
        """Make a host that knows of no execution yet.

        Args:
            definition: the workflow.
            execution_id: the execution's id.
            effects: what brings about what is decided.
            payload_limit: the largest payload in bytes.
            memo: what was said at the start about a workflow alone: its version, and its longest time.
        """
        super().__init__(execution_id, effects, payload_limit)
        self._definition = definition
        self._memo = memo or StartMemo()
        self._run: WorkflowRun | None = None
        self._is_running = False
        self._claimed: WorkflowClaimed | None = None
        self._made: dict[int, Step] = {}
        self._next_step = 0

    # -- for the workflow --

    def begin(self, start: StartExecution) -> None:
        """See `EngineHost`."""
        self._decide(
            StartWorkflow(
                start.kind,
                start.input,
                start.execution_id,
                start.queue,
                start.labels,
                version=self._memo.version or self._definition.version,
                timeout_ms=self._memo.timeout_ms,
                by=start.by,
                organisation=start.organisation,
                trace_parent=start.trace_parent,
            )
        )
        execution = self._execution()
        # Said here, and not by the first claim alone: it counts from the start, as for agents.
        execution.cleanup_budget_ms = self._definition.cleanup_budget_ms
        if start.spawned is not None:
            # It lives elsewhere: only to be shown.
            workflow_of(execution).parent_id = start.spawned.parent_id

    def run(self) -> None:
        """See `EngineHost`."""
        self._is_running = True
        self._settle()

    def step_ended(self, position: int, report: StepReport) -> None:
        """See `EngineHost`."""
        step = self._made.pop(position, None)
        self._steps.discard(position)
        if step is not None:
            step.recorded = StepRecorded(report.value, report.failure)
            self._settle()

    @property
    def code(self) -> WorkflowRun:
        """See `EngineHost`."""
        assert self._run is not None, "the workflow's code was asked for before it ran"
        return self._run

    def discard(self) -> None:
        """See `EngineHost`."""
        if self._run is not None:
            self._run.discard()

    # -- inside --

    def _take_push(self, pushed: ToWorker) -> None:
        """See `EngineHost`. Passes are fetched, and nothing is sent to the code."""

    def _settle(self) -> None:
        super()._settle()
        while self._is_running and self._go_on():
            super()._settle()

    def _go_on(self) -> bool:
        """Begin a pass, or end the one that has begun; whether anything was done."""
        execution = self._execution()
        if self._claimed is None:
            if execution.phase is not Phase.QUEUED:
                return False
            self._begin_pass()
            return True
        if execution.ended:
            # It has ended without its code: of the pass that it was in, nothing counts.
            self._leave_pass()
            return True
        if self._made:
            return False
        self._end_pass(self._claimed)
        return True

    def _begin_pass(self) -> None:
        definition = self._definition
        reply = self._decide(
            PollWorkflow(
                _CODE_WORKER,
                _CODE_WORKER,
                self._queue(),
                (definition.kind,),
                wait_ms=0,
                cleanup_budgets_ms={definition.kind: definition.cleanup_budget_ms},
            )
        )
        assert isinstance(reply, WorkflowClaimed), "a workflow that is queued was not handed out"
        self._claimed = reply
        if self._run is None:
            self._run = WorkflowRun(definition, reply, payload_limit=self._payload_limit, worker=_CODE_WORKER)
        run = self._run
        try:
            run.advance(self.log()[run.seen :])
        except DeterminismViolation as violation:
            # Temporal's way to park: the workflow task fails, and is tried again with whatever is deployed next.
            raise AuthoringError(str(violation)) from violation
        for step in run.new_steps():
            position, self._next_step = self._next_step, self._next_step + 1
            assert step.function is not None
            self._made[position] = step
            self._steps.add(position)
            self._effects.run_step(position, step.name, step.function)

    def _end_pass(self, claimed: WorkflowClaimed) -> None:
        result = self.code.result()
        self._claimed = None
        self._make_room_for(
            (each.kind, each.queue or None) for each in result.commands if isinstance(each, ScheduleTask)
        )
        refused = self._submit(claimed, result)
        if refused is not None:
            # A command is bad, and would be again.
            error = named_error(refused.error, refused.message) or RequestError(refused.message)
            failed = FailWorkflow(str(error), failure=failure_of(error))
            self._submit(claimed, PassResult((failed,), PassStatus.FAILED, claimed.sequence))
        if self._execution().ended:
            self.code.discard()

    def _submit(self, claimed: WorkflowClaimed, result: PassResult) -> Refused | None:
        reply = self._decide(
            SubmitWorkflowCommands(
                claimed.execution_id,
                result.commands,
                result.status,
                claim=claimed.claim,
                first_sequence=result.seen + 1,
                cleaning_up=result.cleaning_up,
            )
        )
        return reply if isinstance(reply, Refused) else None

    def _leave_pass(self) -> None:
        self._claimed = None
        self.code.discard()
        for position in sorted(self._made):
            self._steps.discard(position)
            self._effects.cancel_step(position)
        self._made.clear()


def settled(host: EngineHost, asked: PromiseRequest, organisation: str) -> bool | Refused:
    """Resolve or reject a promise; whether this did it, and not an earlier request, or its time-out.

    Args:
        host: whose promise it is.
        asked: which, and how.
        organisation: whose the execution is.
    """
    promise_id = promise_id_of(host.execution_id, asked.name)
    reply = host.tell(SettlePromise(promise_id, asked.value, asked.error, False, asked.by, organisation))
    if isinstance(reply, PromiseSettled):
        return not reply.already
    text = f"open workflow {host.execution_id!r} has no promise {asked.name!r}. Check its name, or start the workflow."
    return Refused("NotFound", text)
