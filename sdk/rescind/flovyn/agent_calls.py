"""What one agent tells and asks its server, by calls that may be repeated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from rescind_proto.flovyn.v1 import agent_pb2 as wire

from rescind.errors import ExecutionEnded, RequestError, RescindError
from rescind.flovyn.calls import Calls, Pause, insisting
from rescind.flovyn.waiting import Waiting
from rescind.model.ids import ExecutionId, Instant, TaskId, task_id_from_key
from rescind.model.messages import AgentCancelled, AgentCompleted, AgentFailed, AgentParked, StreamedEvent
from rescind.model.operations import AppendEntry, SaveCheckpoint, ScheduleTask

_CHUNK: Final = 65_536
_KEPT_S: Final = 10 * 365 * 24 * 3_600
_TYPES: Final = {
    "token": wire.AgentStreamEventType.AGENT_TOKEN,
    "progress": wire.AgentStreamEventType.AGENT_PROGRESS,
    "data": wire.AgentStreamEventType.AGENT_DATA,
    "error": wire.AgentStreamEventType.AGENT_ERROR,
}


class AgentCalls:
    """The calls about one agent. Each is made until a server answers, and raises what it refuses with."""

    def __init__(self, calls: Calls, agent_id: ExecutionId) -> None:
        self._calls = calls
        self._agent_id = agent_id
        # Tasks whose ids here differ from the server's: those that the code named by a key of its own.
        self._named: dict[TaskId, TaskId] = {}
        self._last_entry: str | None = None
        self._streamed = 0

    async def schedule(self, task: ScheduleTask) -> bool:
        """Create a task, unless it is there: its key is the same in each run of the code. Returns whether it is new."""
        key = f"{self._agent_id}:{task.position}"
        if task_id_from_key(key) != task.task_id:
            key = f"task:{self._agent_id}:{task.task_id}"
            self._named[task.task_id] = task_id_from_key(key)
        header = wire.ScheduleAgentTaskHeader(
            agent_execution_id=self._agent_id,
            task_kind=task.kind,
            queue=task.queue,
            max_retries=task.options.retry.max_attempts - 1,
            timeout_ms=task.options.schedule_to_close_ms,
            idempotency_key=key,
            idempotency_key_ttl_seconds=_KEPT_S,
            metadata=task.options.labels,
        )
        data = task.input.data
        chunks = [wire.ScheduleAgentTaskChunk(header=header)]
        chunks += [
            wire.ScheduleAgentTaskChunk(input_chunk=data[start : start + _CHUNK])
            for start in range(0, len(data), _CHUNK)
        ]
        answer = await insisting(lambda: self._calls.upload("ScheduleAgentTask", chunks))
        return bool(answer.idempotency_key_new)

    async def results(self, task_ids: Sequence[TaskId]) -> list[tuple[TaskId, wire.TaskResultEntry]]:
        """How tasks stand, in the order of their ids."""
        if not task_ids:
            return []
        request = wire.GetAgentTaskResultsRequest(
            agent_execution_id=self._agent_id, task_execution_ids=[self._at_server(each) for each in task_ids]
        )
        answer = await self._calls.insist("GetAgentTaskResults", request)
        return list(zip(task_ids, answer.results, strict=True))

    async def task_count(self) -> int:
        """How many tasks the server has of this agent."""
        request = wire.GetAgentTaskCountRequest(agent_execution_id=self._agent_id)
        answer = await self._calls.insist("GetAgentTaskCount", request)
        return int(answer.task_count)

    async def cancel(self, task_id: TaskId, reason: str | None) -> bool:
        """Cancel a task; returns whether this very request did it."""
        request = wire.CancelAgentTaskRequest(
            agent_execution_id=self._agent_id, task_execution_id=self._at_server(task_id), reason=reason
        )
        return bool((await self._calls.insist("CancelAgentTask", request)).cancelled)

    async def append(self, entry: AppendEntry) -> None:
        """Append an entry, unless it is there: its id is its key."""
        request = wire.AppendEntryRequest(
            agent_execution_id=self._agent_id,
            parent_id=self._last_entry,
            entry_type=entry.entry_type,
            role=entry.role or None,
            content=entry.content.data,
            turn_id=entry.turn_id,
            idempotency_key=entry.entry_id,
        )
        self._last_entry = (await self._calls.insist("AppendEntry", request)).entry_id

    async def save(self, checkpoint: SaveCheckpoint, number: int) -> None:
        """Store a checkpoint. A call that was cut off is repeated only if it did not arrive: nothing names it."""
        request = wire.SubmitCheckpointRequest(
            agent_execution_id=self._agent_id, leaf_entry_id=self._last_entry, state=checkpoint.state.data
        )
        pause = Pause()
        while True:
            try:
                await self._calls.ask("SubmitCheckpoint", request)
                return
            except RequestError:
                raise
            except RescindError:
                await pause.wait()
            if await self._last_checkpoint() >= number:
                return

    async def _last_checkpoint(self) -> int:
        request = wire.GetCheckpointRequest(agent_execution_id=self._agent_id)
        answer = await self._calls.insist("GetLatestCheckpoint", request)
        return int(answer.checkpoint.sequence) if answer.HasField("checkpoint") else 0

    async def consume(self, pattern: str, *, is_glob: bool) -> Sequence[wire.AgentSignal]:
        """Take signals out of the server's queue: all that are selected, since it hands out no single one."""
        request = wire.ConsumeSignalsRequest(
            agent_execution_id=self._agent_id,
            signal_name=None if is_glob else pattern,
            signal_pattern=pattern if is_glob else None,
        )
        signals: Sequence[wire.AgentSignal] = (await self._calls.insist("ConsumeSignals", request)).signals
        return signals

    async def has_signal(self, names: Iterable[str]) -> bool:
        """Whether a signal of one of these names waits at the server."""
        for name in names:
            request = wire.HasSignalRequest(agent_execution_id=self._agent_id, signal_name=name)
            if (await self._calls.insist("HasSignal", request)).has_signal:
                return True
        return False

    async def stream(self, events: Sequence[StreamedEvent], now: Instant) -> None:
        """Tell those who watch; that it fails is nobody's loss."""
        messages = []
        for event in events:
            messages.append(
                wire.StreamAgentDataRequest(
                    agent_execution_id=self._agent_id,
                    sequence=self._streamed,
                    event_type=_TYPES.get(event.kind, wire.AgentStreamEventType.AGENT_DATA),
                    payload=event.value.data.decode(),
                    timestamp_ms=now // 1_000,
                )
            )
            self._streamed += 1
        with suppress(RescindError):
            await self._calls.upload("StreamAgentData", messages)

    async def suspend(self, waiting: Waiting) -> None:
        """Let the agent wait."""
        if waiting.signal is not None:
            await self._suspend(wire.SuspendAgentRequest(wait_for_signal=waiting.signal))
            return
        task_ids = [self._at_server(each) for each in waiting.tasks]
        await self._suspend(
            wire.SuspendAgentRequest(wait_for_tasks=wire.WaitForTasks(task_ids=task_ids, mode=waiting.mode))
        )

    async def hand_back(self) -> None:
        """Let another worker claim the agent: a wait for nothing holds."""
        nothing = wire.WaitForTasks(mode=wire.WaitMode.WAIT_MODE_ALL)
        await self._suspend(wire.SuspendAgentRequest(wait_for_tasks=nothing))

    async def _suspend(self, request: wire.SuspendAgentRequest) -> None:
        request.agent_execution_id = self._agent_id
        pause = Pause()
        is_repeated = False
        while True:
            try:
                await self._calls.ask("SuspendAgent", request)
                return
            except ExecutionEnded:
                if is_repeated:
                    return  # the first request has arrived
                raise
            except RequestError:
                raise
            except RescindError:
                is_repeated = True
            await pause.wait()

    async def resume(self, worker_id: str) -> wire.AgentExecutionInfo | None:
        """Claim the agent while it waits; None if it waits no longer, or another was faster."""
        request = wire.ResumeAgentRequest(agent_execution_id=self._agent_id, worker_id=worker_id)
        answer = await self._calls.insist("ResumeAgent", request)
        return answer.agent if answer.success else None

    async def end(self, ending: AgentCompleted | AgentFailed | AgentCancelled | AgentParked) -> None:
        """The agent's code has ended."""
        match ending:
            case AgentCompleted(output):
                request = wire.CompleteAgentRequest(agent_execution_id=self._agent_id, output=output.data)
                await self._calls.insist("CompleteAgent", request)
            case AgentFailed(failure):
                await self._fail(failure.message, failure.error_type)
            case AgentParked():
                await self._fail(ending.problem, "CODE_BUG")
            case AgentCancelled():
                await self._fail("the agent's code raised CancelledError", "CancelledError")

    async def fail(self, error: str, failure_type: str) -> None:
        """The agent cannot go on."""
        await self._fail(error, failure_type)

    async def _fail(self, error: str, failure_type: str) -> None:
        request = wire.FailAgentRequest(
            agent_execution_id=self._agent_id, error=error, failure_type=failure_type or None
        )
        await self._calls.insist("FailAgent", request)

    def _at_server(self, task_id: TaskId) -> TaskId:
        return self._named.get(task_id, task_id)
