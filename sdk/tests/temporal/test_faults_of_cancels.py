"""Cancels at awkward moments, by every door that Temporal has: each is decided once, and callers are told the truth."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType as TemporalEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle, WorkflowUpdateFailedError

from fixtures.temporal_servers.running import DevelopmentServer
from rescind import CancelTaskResult, ExecutionHandle
from rescind.errors import AlreadyExists, ExecutionWasCancelled, ServerUnavailable
from rescind.model.events import EXECUTION_ENDS, TASK_ENDS
from rescind.temporal import TemporalClient
from rescind.temporal.names import CANCEL_UPDATE
from rescind.temporal.payloads import record_to_temporal
from rescind.temporal.records import CancelRequest

from .faulty_worker import AGENTS, Meeting, cleans_up_slowly, holds, runner, three_race, worker_process
from .world import World, stopped, world

pytestmark = pytest.mark.asyncio


async def test_a_cancel_before_any_worker_runs_is_kept_and_the_code_never_starts(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    async with world(development_server.address) as here:
        handle = await here.start(holds, str(tmp_path))
        async with TemporalClient(here.address, by="client:hasty", timeout=0.5) as hasty:
            with pytest.raises(ServerUnavailable, match=r"no worker answered .* nothing that was accepted is lost"):
                await hasty.handle(handle.id).cancel("too early")
        async with here.worker(AGENTS, (runner,)):
            with pytest.raises(ExecutionWasCancelled, match="request by client:hasty: too early"):
                await handle.result()
            assert await handle.tasks() == []
    assert meeting.noted == []


async def test_a_caller_that_waits_is_answered_when_a_worker_comes(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    async with world(development_server.address) as here:
        handle = await here.start(holds, str(tmp_path))
        answer = asyncio.ensure_future(handle.cancel("patient"))
        await temporal_has(here, handle, TemporalEvent.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
        async with here.worker(AGENTS, (runner,)):
            assert await answer is CancelTaskResult.CANCELLED
            assert await handle.cancel() is CancelTaskResult.ALREADY_CANCELLED
        assert (await described(here, handle)).status is WorkflowExecutionStatus.CANCELED


async def test_a_cancel_of_the_agent_in_one_turn_with_the_end_of_its_task_is_decided_once(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    async with world(development_server.address) as here, worker_process(here.address, here.queue, "tasks"):
        handle = await here.start(holds, str(tmp_path))
        async with worker_process(here.address, here.queue, "agents") as first:
            await meeting.has("a 1 begun")
            await first.kill()
        answer = asyncio.ensure_future(handle.cancel("at once"))
        await temporal_has(here, handle, TemporalEvent.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
        meeting.let_go("a")
        await temporal_has(here, handle, TemporalEvent.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
        async with here.worker(AGENTS, ()):
            assert await answer is CancelTaskResult.CANCELLED
            with pytest.raises(ExecutionWasCancelled, match="at once"):
                await handle.result()
            ends = await ends_of(handle)
    assert sum(ends.values()) == len(ends) == 2


async def test_a_cancel_of_a_task_in_one_turn_with_its_end_is_answered_by_what_came_first(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    async with world(development_server.address) as here, worker_process(here.address, here.queue, "tasks"):
        handle = await here.start(holds, str(tmp_path))
        async with worker_process(here.address, here.queue, "agents") as first:
            await meeting.has("a 1 begun")
            (task,) = await handle.tasks()
            await first.kill()
        answer = asyncio.ensure_future(handle.cancel_task(task.task_id, "at once"))
        meeting.let_go("a")
        await temporal_has(here, handle, TemporalEvent.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
        async with here.worker(AGENTS, ()):
            answered = await answer
            (task,) = await handle.tasks()
            ends = await ends_of(handle)
    assert answered.value in (task.status.value, f"ALREADY_{task.status.value}")
    assert ends[task.view.task_id] == 1


async def test_a_second_cancel_does_not_disturb_the_clean_up_and_neither_does_temporals(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    async with world(development_server.address, AGENTS, (runner,)) as here:
        handle = await here.start(cleans_up_slowly, str(tmp_path))
        await meeting.has("work 1 begun")
        assert await handle.cancel("first") is CancelTaskResult.CANCELLED
        await meeting.has("clean-up 1 begun")
        assert await handle.cancel("second") is CancelTaskResult.ALREADY_CANCELLED
        await workflow_of(here, handle).cancel(reason="third")
        meeting.let_go("clean-up")
        with pytest.raises(ExecutionWasCancelled, match="request by client:test: first"):
            await handle.result()
        (entry,) = await handle.entries()
    assert entry.content == "cleaned up: request by client:test: first"
    assert [each for each in meeting.noted if each.startswith("work")] == [
        "work 1 begun",
        "work 1 cancelled, parent by client:test: first",
    ]


async def test_temporals_cancel_and_ours_at_one_time_are_one_cancel_with_one_cause(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    meeting.let_go("clean-up")
    async with world(development_server.address, AGENTS, (runner,)) as here:
        handle = await here.start(cleans_up_slowly, str(tmp_path))
        await meeting.has("work 1 begun")
        ours = [handle.cancel(f"ours {number}") for number in range(3)]
        theirs = [workflow_of(here, handle).cancel(reason="theirs") for _ in range(3)]
        *answers, _, _, _ = await asyncio.gather(*ours, *theirs)
        with pytest.raises(ExecutionWasCancelled):
            await handle.result()
        (entry,) = await handle.entries()
        ends = await ends_of(handle)
    assert answers.count(CancelTaskResult.CANCELLED) <= 1
    assert set(answers) <= {CancelTaskResult.CANCELLED, CancelTaskResult.ALREADY_CANCELLED}
    assert str(entry.content).startswith("cleaned up: request by")
    assert set(ends.values()) == {1}


async def test_our_update_without_temporals_cancel_is_refused_and_changes_nothing(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    meeting.let_go("a")
    async with world(development_server.address, AGENTS, (runner,)) as here:
        handle = await here.start(holds, str(tmp_path))
        asked = record_to_temporal(CancelRequest("somebody", "by the wrong door", request_id=str(uuid4())))
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await workflow_of(here, handle).execute_update(CANCEL_UPDATE, asked)
        assert "ask for Temporal's own first" in str(refused.value.cause)
        await handle.signal("go")
        assert await handle.result() == "a"


async def test_an_execution_that_was_terminated_is_told_as_that_and_its_work_is_stopped(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    async with world(development_server.address, AGENTS, (runner,), cancel_within_ms=100) as here:
        handle = await here.start(holds, str(tmp_path))
        await meeting.has("a 1 begun")
        await workflow_of(here, handle).terminate("from outside")
        with pytest.raises(ExecutionWasCancelled, match="terminated"):
            await handle.result()
        assert await handle.status() == "CANCELLED"
        assert await handle.cancel() is CancelTaskResult.ALREADY_CANCELLED
        await meeting.has("a 1 cancelled, parent by temporal: its workflow waits for it no longer")


async def test_an_execution_that_was_reset_goes_on_in_its_new_run(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    async with world(development_server.address, AGENTS, (runner,), cancel_within_ms=100) as here:
        handle = await here.start(three_race, str(tmp_path))
        await meeting.has("a 1 begun", "b 1 begun", "c 1 begun")
        result = asyncio.ensure_future(handle.result())
        await reset(here, handle)
        await until_noted(meeting, " begun", 6)
        meeting.let_go("b")
        assert await result == "b"
        tasks = await stopped(handle)
        entries = await handle.entries()
    assert [each.content for each in entries] == ["b before 2"]
    assert [each.status for each in tasks] == ["CANCELLED", "COMPLETED", "CANCELLED"]


async def test_a_reset_to_before_a_cancel_takes_it_back_as_temporal_does(
    development_server: DevelopmentServer, tmp_path: Path
) -> None:
    meeting = Meeting(tmp_path)
    meeting.let_go("clean-up")
    async with world(development_server.address, AGENTS, (runner,), cancel_within_ms=100) as here:
        handle = await here.start(cleans_up_slowly, str(tmp_path))
        await meeting.has("work 1 begun")
        assert await handle.cancel("too soon") is CancelTaskResult.CANCELLED
        with pytest.raises(ExecutionWasCancelled, match="too soon"):
            await handle.result()
        meeting.let_go("work")
        await reset(here, handle)
        assert await handle.result() is None
        assert await handle.status() == "COMPLETED"


async def test_many_starts_with_one_id_are_one_execution(development_server: DevelopmentServer, tmp_path: Path) -> None:
    meeting = Meeting(tmp_path)
    meeting.let_go("a")
    async with world(development_server.address, AGENTS, (runner,)) as here:
        name = f"one-{here.queue}"
        handles = await asyncio.gather(*(here.start(holds, str(tmp_path), id=name) for _ in range(10)))
        await handles[0].signal("go")
        assert [await each.result() for each in handles] == ["a"] * 10
        assert (await here.start(holds, str(tmp_path), id=name)).id == name
        with pytest.raises(AlreadyExists, match="with other input"):
            await here.start(holds, "elsewhere", id=name)
        with pytest.raises(AlreadyExists, match="of kind 'holds'"):
            await here.start(three_race, str(tmp_path), id=name)
    assert meeting.noted == ["a 1 begun", "a 1 ended"]


def workflow_of(here: World, handle: ExecutionHandle[Any]) -> WorkflowHandle[Any, Any]:
    """Temporal's own handle of an execution."""
    return here.client.port.client.get_workflow_handle(handle.id)


async def described(here: World, handle: ExecutionHandle[Any]) -> Any:
    """What Temporal itself says of an execution."""
    return await workflow_of(here, handle).describe()


async def temporal_has(here: World, handle: ExecutionHandle[Any], wanted: TemporalEvent.ValueType) -> None:
    """Return when Temporal's own history of an execution has such an event."""
    async for event in workflow_of(here, handle).fetch_history_events(wait_new_event=True):
        if event.event_type == wanted:
            return


async def until_noted(meeting: Meeting, words: str, count: int) -> None:
    """Return when so many notes end with these words."""
    while sum(each.endswith(words) for each in meeting.noted) < count:  # noqa: ASYNC110 - a task brings it about
        await asyncio.sleep(0.01)


async def ends_of(handle: ExecutionHandle[Any]) -> Counter[Any]:
    """How often each task, and the execution itself, has ended."""
    history = await handle.history()
    return Counter(each.task_id for each in history if each.type in TASK_ENDS | EXECUTION_ENDS)


async def reset(here: World, handle: ExecutionHandle[Any]) -> None:
    """Reset an execution to the end of its first turn, as people do on Temporal's page."""
    first_turn = next(
        event.event_id
        for event in (await workflow_of(here, handle).fetch_history()).events
        if event.event_type == TemporalEvent.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    )
    await here.client.port.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=handle.id),
            reason="test",
            workflow_task_finish_event_id=first_turn,
            request_id=here.queue,
        )
    )
