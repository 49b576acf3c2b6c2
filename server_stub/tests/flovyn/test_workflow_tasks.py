"""The tasks of workflows, claimed and ended by workers that poll."""

from __future__ import annotations

from uuid import uuid4

import grpc
import pytest

from rescind.model.ids import ExecutionId, TaskId, WorkerId
from rescind.model.workflow_commands import ScheduleTask, SuspendWorkflow
from rescind.model.workflows import PollWorkflow, StartWorkflow, SubmitWorkflowCommands, WorkflowClaimed
from rescind_server.app import Server

from .workflow_calls import Wire, command, data, refused, task_command

pytestmark = pytest.mark.asyncio


async def scheduled(calls: Wire, **fields: int) -> tuple[str, str]:
    """A workflow that waits for a task; returns both ids."""
    execution_id, task_id = await calls.claimed(), str(uuid4())
    await calls.submit(
        execution_id, task_command("work", task_id, input=data([1]), **fields), command("suspend_workflow")
    )
    return execution_id, task_id


async def test_a_task_names_its_workflow_which_goes_on_with_its_result(calls: Wire) -> None:
    execution_id, task_id = await scheduled(calls)
    task = (await calls.call("PollTask", worker_id="t", timeout_seconds=5)).task
    assert (task.task_execution_id, task.workflow_execution_id) == (task_id, execution_id)
    assert (task.kind, task.input, task.execution_count) == ("work", b"[1]", 1)
    await calls.call("CompleteTask", task_execution_id=task_id, output=b"2")
    assert (await calls.poll("worker-1", "w")).id == execution_id
    event, told = (await calls.events(execution_id))[-1]
    assert (event, told["taskExecutionId"], told["output"]) == ("TASK_COMPLETED", task_id, 2)


async def test_a_workflow_is_told_of_the_last_failure_of_its_task_alone(calls: Wire) -> None:
    execution_id, task_id = await scheduled(calls, max_retries=1)
    for attempt in (1, 2):
        task = (await calls.call("PollTask", worker_id="t", timeout_seconds=5)).task
        assert task.execution_count == attempt
        await calls.call("FailTask", task_execution_id=task_id, error=f"failure {attempt}")
    assert (await calls.poll("worker-1", "w")).id == execution_id
    events = await calls.events(execution_id)
    assert [told["error"] for event, told in events if event == "TASK_FAILED"] == ["failure 2"]


async def test_the_id_of_another_task_is_refused_also_when_that_has_left_memory(calls: Wire) -> None:
    alone = (await calls.call("SubmitTask", kind="alone")).task_execution_id
    execution_id, task_id = await calls.claimed(), str(uuid4())
    await calls.submit(execution_id, task_command("work", task_id), command("complete_workflow"), status="COMPLETED")
    later = await calls.claimed("later")
    for taken in (alone, task_id):
        with refused(grpc.StatusCode.FAILED_PRECONDITION):
            await calls.submit(later, task_command("work", taken))
    assert await calls.types(later) == ["WORKFLOW_STARTED"]


async def test_a_task_of_a_workflow_whose_id_is_no_uuid_names_none(server: Server, calls: Wire) -> None:
    execution_id, task_id = ExecutionId("by-name"), str(uuid4())
    await server.host.ask(StartWorkflow("w", execution_id=execution_id))
    claimed = await server.host.ask(PollWorkflow("poll", WorkerId("ours"), wait_ms=0))
    assert isinstance(claimed, WorkflowClaimed)
    await server.host.ask(
        SubmitWorkflowCommands(
            execution_id, (ScheduleTask("work", TaskId(task_id)), SuspendWorkflow()), claim=claimed.claim
        )
    )
    task = (await calls.call("PollTask", worker_id="t", timeout_seconds=5)).task
    assert (task.task_execution_id, task.workflow_execution_id) == (task_id, "")
