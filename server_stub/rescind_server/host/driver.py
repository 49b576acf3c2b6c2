"""The loop around the engine: decide, commit, reply, act.

It is the same for the embedded engine, the server and `explore`; only clock and transport differ.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rescind.errors import ServerUnavailable
from rescind.model.commands import Command, Deferred, FromClient, Reply
from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId, WorkerId
from rescind.model.messages import ToWorker
from rescind.model.views import ExecutionDetails
from rescind_server.engine.entities import Execution
from rescind_server.engine.machine import Engine
from rescind_server.engine.state import Decision
from rescind_server.engine.viewing import details_of
from rescind_server.host.clock import Clock
from rescind_server.host.watchers import Watchers
from rescind_server.store.port import Store

Deliver = Callable[[Sequence[ToWorker]], None]
Asked = tuple[Command, asyncio.Future[Reply] | None]

_LOG: Final = logging.getLogger(__name__)


class Host:
    """Drives one engine over one store.

    What came in since the last turn is decided together and becomes durable in one commit; only then is anybody
    answered, and any worker told (invariant 2). What comes in during the commit is the next turn.

    A turn that fails ends the host: the engine's memory is then ahead of what is durable, and must not be told to
    anybody. Open a new engine on the same store.

    Attributes:
        failure: what ended the host; None while it is well.
    """

    def __init__(self, engine: Engine, store: Store, clock: Clock) -> None:
        self.watchers = Watchers()
        self._engine = engine
        self._store = store
        self._clock = clock
        self.failure: BaseException | None = None
        self._inbox: list[Asked] = []
        self._turn: list[Asked] = []
        self._deferred: dict[int, asyncio.Future[Reply]] = {}
        self._is_committing = False
        self._questions: list[tuple[ExecutionId, asyncio.Future[ExecutionDetails | None]]] = []
        self._sessions: dict[WorkerId, Deliver] = {}
        self._work = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_due = 0
        self._driving: asyncio.Task[None] | None = None
        self._unavailable: str | None = None

    def start(self) -> None:
        """Begin to drive, on the running event loop."""
        self._driving = asyncio.get_running_loop().create_task(self._drive(), name="rescind host")
        # The first turn finds nothing to decide, and sets the alarm for what a restart brought along.
        self._work.set()

    async def close(self) -> None:
        """Stop driving. Whoever still waits for an answer, or asks from now on, gets ServerUnavailable."""
        if self._driving is not None:
            self._driving.cancel()
            await asyncio.wait([self._driving])
        self._refuse_all("the engine was closed before it answered; start it and ask again.")

    def tell(self, command: Command) -> None:
        """Let the engine decide a command whose answer nobody waits for."""
        if self._unavailable is None:
            self._inbox.append((command, None))
            self._work.set()

    async def ask(self, command: Command) -> Reply:
        """Let the engine decide a command; returns its durable answer. Leaving the wait withdraws nothing.

        Raises:
            ServerUnavailable: the host was closed, or has failed, before it answered.
        """
        self._ensure_available()
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._inbox.append((command, future))
        self._work.set()
        return await future

    def attach(self, worker_id: WorkerId, deliver: Deliver) -> None:
        """From now on, hand a worker's messages to `deliver`, a batch per turn."""
        self._sessions[worker_id] = deliver

    async def details(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        """An execution as it durably stands, open or closed; None if there is no such.

        Raises:
            ServerUnavailable: the host has failed, or was closed within a commit: what the engine remembers need not be
                durable.
        """
        if self.failure is not None or self._is_committing:
            self._ensure_available()
        if not self._is_committing:
            return self._look_up(execution_id)
        # The engine is ahead of the store, and has forgotten what it has closed: nobody may see that (invariant 2).
        future: asyncio.Future[ExecutionDetails | None] = asyncio.get_running_loop().create_future()
        self._questions.append((execution_id, future))
        return await future

    def history(self, execution_id: ExecutionId, after: int = 0) -> Sequence[HistoryEvent]:
        """The durable events of an execution whose number is larger than `after`."""
        return self._store.history(execution_id, after)

    def execution_ids(self) -> list[ExecutionId]:
        """All executions, closed ones first."""
        return [*self._store.closed_ids(), *self._engine.execution_ids()]

    async def _drive(self) -> None:
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                self._turn, self._inbox = self._inbox, []
                decisions = self._decide(self._turn)
                self._is_committing = True
                await self._store.commit(decisions)
                self._is_committing = False
                self._answer_questions()
                self._reply(self._turn, decisions)
                self._turn = []
                self._act(decisions)
                self._set_alarm()
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        _LOG.critical("the engine's host failed; nothing of the failed turn is told to anybody", exc_info=error)
        self.failure = error
        self._refuse_all(f"the engine's host failed ({type(error).__name__}: {error}); see its log, and start it anew.")

    def _refuse_all(self, reason: str) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._unavailable = self._unavailable or reason
        self.watchers.close(self._unavailable)
        waiting = [future for _, future in (*self._turn, *self._inbox) if future is not None]
        for future in (*waiting, *self._deferred.values()):
            if not future.done():
                future.set_exception(ServerUnavailable(reason))
        for _, question in self._questions:
            if not question.done():
                question.set_exception(ServerUnavailable(reason))
        self._questions.clear()
        self._turn, self._inbox = [], []
        self._deferred.clear()

    def _ensure_available(self) -> None:
        if self._unavailable is not None:
            raise ServerUnavailable(self._unavailable) from self.failure

    def _decide(self, batch: Sequence[Asked]) -> list[Decision]:
        now = self._clock.now()
        decisions: list[Decision] = []
        closed_now: dict[ExecutionId, Execution] = {}
        for command, _ in batch:
            decision = self._engine.decide(command, now, self._closed_execution(command, closed_now))
            decisions.append(decision)
            for execution in decision.closed:
                closed_now[execution.execution_id] = execution
        # What came in by now happened before what only time brings about.
        while (due := self._engine.come_due(now)) is not None:
            decisions.append(due)
        return decisions

    def _closed_execution(
        self, command: Command, closed_now: Mapping[ExecutionId, Execution]
    ) -> ExecutionDetails | None:
        """The execution that a client's command names, if it has left the engine's memory, in this turn or before."""
        if not isinstance(command, FromClient) or command.execution_id is None:
            return None
        if self._engine.holds(command.execution_id):
            return None
        execution = closed_now.get(command.execution_id)
        return details_of(execution) if execution is not None else self._store.closed(command.execution_id)

    def _reply(self, batch: Sequence[Asked], decisions: Sequence[Decision]) -> None:
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

    def _answer_questions(self) -> None:
        questions, self._questions = self._questions, []
        for execution_id, future in questions:
            if future.done():
                continue
            try:
                details = self._look_up(execution_id)
            except Exception as error:
                # Whoever asked learns of it, as from a question outside a commit; the others are answered.
                future.set_exception(error)
            else:
                future.set_result(details)

    def _look_up(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        return self._engine.details(execution_id) or self._store.closed(execution_id)

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
