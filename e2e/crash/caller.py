"""The client of a run: asks until it is answered, writes down each answer, and sees what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from e2e.crash.acknowledged import ENDED
from e2e.crash.ledger import Call, Ledger, Operation
from e2e.crash.plan import HERD, Action, ActionKind, Planned
from e2e.crash.stories import LABEL
from rescind import CancelMode, CancelTaskResult, ExecutionHandle
from rescind.client.connecting import Client
from rescind.errors import ExecutionEnded, ServerUnavailable
from rescind.model.events import EXECUTION_ENDS, EventType, HistoryEvent
from rescind.model.filters import ExecutionFilter, TaskFilter

_PAUSE: Final = 0.05


class Progress:
    """A count that grows, and those who wait for it to have grown so far."""

    def __init__(self) -> None:
        self.count = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def advance(self) -> None:
        """One more."""
        self.count += 1
        for reached, future in self._waiting:
            if reached <= self.count and not future.done():
                future.set_result(None)
        self._waiting = [each for each in self._waiting if not each[1].done()]

    async def reached(self, count: int) -> None:
        """Wait until it has grown so far."""
        if self.count < count:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((count, future))
            await future


class Caller:
    """Lives the client's side of a run.

    Attributes:
        progress: of the run as a whole: events seen, and answers.
        followed: by execution, the events that it was told of, in the order of their arrival.
    """

    def __init__(self, client: Client, ledger: Ledger) -> None:
        self.progress = Progress()
        self.followed: dict[str, list[HistoryEvent]] = {}
        self._client = client
        self._ledger = ledger
        self._seen: dict[str, Progress] = {}

    async def live(self, planned: Planned) -> None:
        """Start an execution, do to it what is planned, and follow it to its end."""
        self.followed[planned.execution_id] = []
        self._seen[planned.execution_id] = Progress()

        async def start(_: str) -> str:
            handle = await self._client.start(
                planned.kind, planned.given, id=planned.execution_id, labels=planned.labels
            )
            return handle.id

        await self._ask(Operation.START, planned.execution_id, start)
        acting = asyncio.create_task(self._act(planned))
        try:
            await self._follow(planned.execution_id)
        except BaseException:  # its own cancel, too: nobody else would end what acts beside it
            acting.cancel()
            raise
        await acting

    async def _follow(self, execution_id: str) -> None:
        async for event in self._client.handle(execution_id).follow():
            if isinstance(event, HistoryEvent):
                self.followed[execution_id].append(event)
                self._seen[execution_id].advance()
                self.progress.advance()
        if not self._has_ended(execution_id):
            raise AssertionError(f"{execution_id}: the events that were followed end before its end")

    def _has_ended(self, execution_id: str) -> bool:
        return any(event.type in EXECUTION_ENDS for event in self.followed[execution_id][-1:])

    async def _act(self, planned: Planned) -> None:
        for action in planned.actions:
            await self._event(planned.execution_id, partial(_has_seen, action.after))
            await asyncio.sleep(action.pause_ms / 1_000)
            await self._do(planned.execution_id, action)

    async def _event(self, execution_id: str, holds: Callable[[Sequence[HistoryEvent]], bool]) -> None:
        """Wait until something holds of what has been seen of an execution, or it has ended."""
        events, seen = self.followed[execution_id], self._seen[execution_id]
        while not holds(events) and not self._has_ended(execution_id):
            await seen.reached(seen.count + 1)

    async def _do(self, execution_id: str, action: Action) -> None:
        handle = self._client.handle(execution_id)
        match action.kind:
            case ActionKind.SIGNAL:
                await self._signal(handle, action)
            case ActionKind.CANCEL | ActionKind.CANCEL_HARD:
                hard = action.kind is ActionKind.CANCEL_HARD
                await self._ask(Operation.CANCEL, execution_id, lambda reason: handle.cancel(reason, hard=hard))
            case ActionKind.CANCEL_TASK | ActionKind.CANCEL_TASK_WAIT:
                mode = CancelMode.TRY if action.kind is ActionKind.CANCEL_TASK else CancelMode.WAIT
                await self._cancel_task(handle, int(action.subject), mode)
            case ActionKind.CANCEL_TASKS_WHERE:
                await self._cancel_where(TaskFilter(labels=dict(LABEL)))
            case ActionKind.CANCEL_HERD:
                await self._cancel_where(ExecutionFilter(labels=dict(HERD)))

    async def _signal(self, handle: ExecutionHandle[Any], action: Action) -> None:
        async def send(_: str) -> str:
            try:
                await handle.signal(action.subject, action.value)
            except ExecutionEnded:
                return ENDED
            return "ACCEPTED"

        await self._ask(Operation.SIGNAL, handle.id, send, action.subject)

    async def _cancel_task(self, handle: ExecutionHandle[Any], place: int, mode: CancelMode) -> None:
        def scheduled(events: Sequence[HistoryEvent]) -> list[str]:
            return [str(event.task_id) for event in events if event.type is EventType.TASK_SCHEDULED]

        await self._event(handle.id, lambda events: len(scheduled(events)) > place)
        tasks = scheduled(self.followed[handle.id])
        if len(tasks) > place:
            task_id = tasks[place]
            await self._ask(
                Operation.CANCEL_TASK,
                handle.id,
                lambda reason: handle.cancel_task(task_id, reason, mode=mode),
                task_id,
            )

    async def _ask(
        self,
        operation: Operation,
        execution_id: str,
        ask: Callable[[str], Awaitable[str | CancelTaskResult]],
        subject: str = "",
    ) -> None:
        """Ask until there is an answer; each time is a call of its own in the ledger."""
        while True:
            number = self._ledger.next_number()
            reason = f"request {number}"
            try:
                answer = str(await ask(reason))
            except ServerUnavailable as error:
                self._ledger.write(Call(number, operation, execution_id, subject, reason, error=str(error)))
                await asyncio.sleep(_PAUSE)
            else:
                self._ledger.write(Call(number, operation, execution_id, subject, reason, answer))
                self.progress.advance()
                return

    async def _cancel_where(self, selection: ExecutionFilter | TaskFilter) -> None:
        while True:
            number = self._ledger.next_number()
            reason = f"request {number}"
            counts: Mapping[CancelTaskResult, int] = {}
            answer: str | None = "DONE"
            error: str | None = None
            try:
                async for counts in self._client.cancel_where(selection, reason):  # noqa: B007 (the last is the whole)
                    continue
            except ServerUnavailable as unavailable:
                answer, error = None, str(unavailable)
            told = {result.value: count for result, count in counts.items()}
            self._ledger.write(Call(number, Operation.CANCEL_WHERE, "", "", reason, answer, told, error))
            if error is None:
                self.progress.advance()
                return
            await asyncio.sleep(_PAUSE)


def _has_seen(least: int, events: Sequence[HistoryEvent]) -> bool:
    return len(events) >= least
