"""A workflow's log in the hands of a test: what the code asks for is recorded, the rest the test writes."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_OID, uuid5

import msgspec

from rescind.authoring.conversion import encode
from rescind.authoring.workflow import WorkflowDefinition
from rescind.backends.native.workflow_run import PassResult, WorkflowRun
from rescind.model import workflow_commands as commands
from rescind.model import workflow_events as events
from rescind.model.ids import ExecutionId, Instant, TaskId
from rescind.model.operations import StepRecorded
from rescind.model.payload import Payload
from rescind.model.workflow_events import AnyWorkflowEvent, LoggedEvent
from rescind.model.workflows import WorkflowClaimed
from rescind.runtime.failures import failure_of

START = Instant(1_767_225_600_000_000)
ID = ExecutionId("3f2504e0-4f89-41d3-9a0c-0305e82c3301")


class KeptLog:
    """The log of one workflow, at one second per event.

    Attributes:
        events: the log.
        told: the code's commands that leave no event: cancels, and how a pass ended.
    """

    def __init__(self, workflow: WorkflowDefinition[Any, Any], workflow_input: Any = None) -> None:
        self.workflow = workflow
        self.events: list[LoggedEvent] = []
        self.told: list[commands.AnyWorkflowCommand] = []
        self.claimed = WorkflowClaimed(
            ID, 1, workflow.kind, "default", "default", encode(workflow_input, what="input"), 1, START, START
        )
        self.write(events.WorkflowStarted(workflow.kind, self.claimed.input))

    def write(self, *happened: AnyWorkflowEvent) -> None:
        for event in happened:
            number = len(self.events) + 1
            self.events.append(LoggedEvent(number, Instant(START + number * 1_000_000), event))

    def fresh_run(self, workflow: WorkflowDefinition[Any, Any] | None = None) -> WorkflowRun:
        return WorkflowRun(workflow or self.workflow, self.claimed)

    def go(self, run: WorkflowRun | None = None) -> PassResult:
        """One pass over the whole log, or that of a run that is kept; what it asks for is recorded."""
        mine = run or self.fresh_run()
        mine.advance(self.events[mine.seen :])
        for step in mine.new_steps():
            assert step.function is not None
            try:
                step.recorded = StepRecorded(encode(step.function(), what="result"))
            except ValueError as error:
                step.recorded = StepRecorded(failure=failure_of(error))
        result = mine.result()
        for command in result.commands:
            self.record(command)
        if run is None:
            mine.discard()
        return result

    def record(self, command: commands.AnyWorkflowCommand) -> None:
        match command:
            case commands.RecordOperation():
                self.write(events.OperationCompleted(command.operation_name, command.result, command.failure))
            case commands.SetState():
                self.write(events.StateSet(command.key, command.value))
            case commands.ClearState():
                self.write(events.StateCleared(command.key))
            case commands.ScheduleTask():
                self.write(events.TaskScheduled(command.kind, command.task_execution_id, command.input))
            case commands.StartTimer():
                self.write(events.TimerStarted(command.timer_id, command.duration_ms))
            case commands.CreatePromise():
                promise = str(uuid5(NAMESPACE_OID, command.promise_name))
                self.write(events.PromiseCreated(promise, command.promise_name, command.timeout_ms))
            case commands.ScheduleChildWorkflow():
                self.write(
                    events.ChildWorkflowInitiated(
                        command.child_execution_name,
                        command.workflow_kind,
                        command.child_workflow_execution_id,
                        command.input,
                    )
                )
            case commands.CancelTimer():
                self.write(events.TimerCancelled(command.timer_id))
            case _:
                self.told.append(command)

    # -- what others do --

    def complete_task(self, kind: str, output: Any = None) -> None:
        self.write(events.TaskCompleted(self.task(kind), encode(output, what="output")))

    def task(self, kind: str) -> TaskId:
        found = [one.event for one in self.events if isinstance(one.event, events.TaskScheduled)]
        return next(one.task_execution_id for one in found if one.kind == kind)

    def resolve(self, name: str, value: Any = None) -> None:
        self.write(events.PromiseResolved(str(uuid5(NAMESPACE_OID, name)), name, encode(value, what="value")))

    def signal(self, name: str, value: Any = None) -> None:
        self.write(events.SignalReceived(name, encode(value, what="value")))

    def types(self) -> list[str]:
        return [one.event.event_type for one in self.events]


def output_of(result: PassResult) -> Any:
    (*_, last) = result.commands
    assert isinstance(last, commands.CompleteWorkflow), last
    return decoded(last.output)


def decoded(payload: Payload) -> Any:
    return msgspec.json.decode(payload.data)
