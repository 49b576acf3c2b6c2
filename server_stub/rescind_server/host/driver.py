"""The loop around the engine: decide, commit, reply, act.

It is the same for the embedded engine, the server and `explore`; only clock and transport differ.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from rescind.errors import ServerUnavailable
from rescind.model.commands import Command, Deferred, Reply
from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId, WorkerId
from rescind.model.messages import ToWorker
from rescind.model.views import ExecutionDetails
from rescind_server.engine.machine import Engine
from rescind_server.engine.state import Decision
from rescind_server.host.clock import Clock
from rescind_server.host.watchers import Watchers
from rescind_server.store.port import Store

Deliver = Callable[[Sequence[ToWorker]], None]


class Host:
    """Drives one engine over one store.

    What came in since the last turn is decided together and becomes durable in one commit; only then is anybody
    answered, and any worker told (invariant 2). What comes in during the commit is the next turn.
    """

    def __init__(self, engine: Engine, store: Store, clock: Clock) -> None:
        self.watchers = Watchers()
        self._engine = engine
        self._store = store
        self._clock = clock
        self._inbox: list[tuple[Command, asyncio.Future[Reply] | None]] = []
        self._deferred: dict[int, asyncio.Future[Reply]] = {}
        self._sessions: dict[WorkerId, Deliver] = {}
        self._work = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_due = 0
        self._driving: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to drive, on the running event loop."""
        self._driving = asyncio.get_running_loop().create_task(self._drive(), name="rescind host")

    async def close(self) -> None:
        """Stop driving. Whoever still waits for an answer gets ServerUnavailable."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._driving is not None:
            self._driving.cancel()
            await asyncio.wait([self._driving])
        waiting = [future for _, future in self._inbox if future is not None] + list(self._deferred.values())
        for future in waiting:
            if not future.done():
                future.set_exception(
                    ServerUnavailable("the engine was closed before it answered; start it and ask again.")
                )

    def tell(self, command: Command) -> None:
        """Let the engine decide a command whose answer nobody waits for."""
        self._inbox.append((command, None))
        self._work.set()

    async def ask(self, command: Command) -> Reply:
        """Let the engine decide a command; returns its durable answer. Leaving the wait withdraws nothing."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._inbox.append((command, future))
        self._work.set()
        return await future

    def attach(self, worker_id: WorkerId, deliver: Deliver) -> None:
        """From now on, hand a worker's messages to `deliver`, a batch per turn."""
        self._sessions[worker_id] = deliver

    def details(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        """An execution as it stands, open or closed; None if there is no such."""
        return self._engine.details(execution_id) or self._store.closed(execution_id)

    def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        """The durable events of an execution whose number is larger than `after`."""
        return self._store.history(execution_id, after)

    def execution_ids(self) -> list[ExecutionId]:
        """All executions, closed ones first."""
        return [*self._store.closed_ids(), *self._engine.execution_ids()]

    async def _drive(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            batch, self._inbox = self._inbox, []
            decisions = self._decide(batch)
            await self._store.commit(decisions)
            self._reply(batch, decisions)
            self._act(decisions)
            self._set_alarm()

    def _decide(self, batch: Sequence[tuple[Command, asyncio.Future[Reply] | None]]) -> list[Decision]:
        now = self._clock.now()
        decisions = [self._engine.decide(command, now) for command, _ in batch]
        # What came in by now happened before what only time brings about.
        while (decision := self._engine.come_due(now)) is not None:
            decisions.append(decision)
        return decisions

    def _reply(
        self, batch: Sequence[tuple[Command, asyncio.Future[Reply] | None]], decisions: Sequence[Decision]
    ) -> None:
        for (_, future), decision in zip(batch, decisions, strict=False):
            if future is None or future.done():
                continue
            if isinstance(decision.reply, Deferred):
                self._deferred[decision.reply.number] = future
            else:
                future.set_result(decision.reply)
        for decision in decisions:
            for number, reply in decision.late:
                late = self._deferred.pop(number, None)
                if late is not None and not late.done():
                    late.set_result(reply)

    def _act(self, decisions: Sequence[Decision]) -> None:
        outgoing: dict[WorkerId, list[ToWorker]] = {}
        for decision in decisions:
            for worker_id, message in decision.pushes:
                outgoing.setdefault(worker_id, []).append(message)
        for worker_id, messages in outgoing.items():
            self._sessions[worker_id](messages)
        self.watchers.tell(decisions)

    def _set_alarm(self) -> None:
        due = self._engine.next_due()
        if self._alarm is not None and due == self._alarm_due:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if due is not None:
            self._alarm_due = due
            self._alarm = self._clock.call_at(due, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._work.set()
