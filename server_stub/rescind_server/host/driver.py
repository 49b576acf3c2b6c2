"""The loop around the engine: decide, commit, reply, act.

It is the same for the embedded engine, the server and `explore`; only clock and transport differ.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from rescind.errors import RescindError, ServerUnavailable, StoreError
from rescind.model.commands import Command, Deferred, Reply
from rescind.model.events import HistoryEvent
from rescind.model.ids import ExecutionId, Instant, TaskId, WorkerId
from rescind.model.messages import FromWorker, ToWorker
from rescind.model.views import ExecutionDetails
from rescind.model.workflow_events import LoggedEvent
from rescind_server.engine.entities import Execution
from rescind_server.engine.machine import Engine
from rescind_server.engine.state import Decision, SessionKey
from rescind_server.host.availability import Availability
from rescind_server.host.clock import Alarm, Clock
from rescind_server.host.deciding import Deciding
from rescind_server.host.details import Details
from rescind_server.host.kept_output import KeptOutput
from rescind_server.host.sessions import Deliver, End, Sessions
from rescind_server.host.watchers import Watchers
from rescind_server.store.port import Store

Asked = tuple[Command, asyncio.Future[Reply] | None]
AnswerT = TypeVar("AnswerT")
Listener = Callable[[Sequence[Decision]], None]
"""Takes durable decisions; it must not wait."""

_LOG: Final = logging.getLogger(__name__)
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 5.0


class Host:
    """Drives one engine over one store.

    What came in since the last turn is decided together and becomes durable in one commit; only then is anybody
    answered, and any worker told (invariant 2). What comes in during the commit is the next turn.

    When a turn fails, the engine's memory is ahead of what is durable, and must not be told to anybody. If the store
    did not take it, a host that `reopens` refuses what would change anything until the store takes commits again; then
    the engine goes on from what is durable, as after a restart. What is durable can be read meanwhile. Any other
    failure ends the host: open a new engine on the same store.

    Attributes:
        failure: what ended the host; None while it is well.
        availability: whether it takes commands.
        watchers: those who follow executions.
        output: what the programs of tasks wrote.
        listeners: told of every turn's decisions, as soon as they are durable.
    """

    def __init__(self, engine: Engine, store: Store, clock: Clock, *, reopens: bool = False) -> None:
        """Make a host that does not drive yet.

        Args:
            engine: what decides; it holds what the store loaded.
            store: where it lasts.
            clock: what the time is.
            reopens: whether it goes on by itself when the store takes commits again; else the first one that it does
                not take ends the host. The store's `load` must give what was committed.
        """
        self.watchers = Watchers()
        self.output = KeptOutput(store)
        self.listeners: list[Listener] = []
        self.availability = Availability()
        self._engine = engine
        self._deciding = Deciding(engine, store)
        self._details = Details(engine, store)
        self._store = store
        self._clock = clock
        self.failure: BaseException | None = None
        self._inbox: list[Asked] = []
        self._turn: list[Asked] = []
        self._deferred: dict[int, asyncio.Future[Reply]] = {}
        self._is_committing = False
        self._questions: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []
        self._sessions = Sessions()
        self._work = asyncio.Event()
        self._alarm: Alarm | None = None
        self._alarm_due = 0
        self._driving: asyncio.Task[None] | None = None
        self._reopens = reopens
        self._has_failed = asyncio.Event()

    def start(self, trouble: StoreError | None = None) -> None:
        """Begin to drive, on the running event loop.

        Args:
            trouble: why the store did not take what the engine was restored with: the host begins by waiting for that
                to end. Only where it `reopens`.
        """
        if trouble is not None:
            self.availability.suspend(trouble)
        self._driving = asyncio.get_running_loop().create_task(self._drive(trouble), name="rescind host")
        # The first turn finds nothing to decide, and sets the alarm for what a restart brought along.
        self._work.set()

    async def close(self) -> None:
        """Stop driving. Whoever still waits for an answer, or asks from now on, gets ServerUnavailable."""
        if self._driving is not None:
            self._driving.cancel()
            await asyncio.wait([self._driving])
        self._end("the engine was closed before it answered; start it and ask again.")
        await self.output.close()

    def tell(self, command: Command) -> None:
        """Let the engine decide a command whose answer nobody waits for."""
        if self.availability.is_open():
            self._inbox.append((command, None))
            self._work.set()

    def may_speak(self, worker_id: WorkerId, message: FromWorker) -> bool:
        """Whether a worker may tell this: it speaks of itself, and of what it holds."""
        return self._engine.may_speak(worker_id, message)

    async def ask(self, command: Command) -> Reply:
        """Let the engine decide a command; returns its durable answer. Leaving the wait withdraws nothing.

        Raises:
            StoreError: the store takes no commits; what was answered before is not lost.
            ServerUnavailable: the host was closed, or has failed, before it answered.
        """
        (reply,) = await self.ask_all((command,))
        return reply

    async def ask_all(self, commands: Sequence[Command]) -> Sequence[Reply]:
        """Let the engine decide several commands in one turn, and one commit; see `ask`."""
        self._ensure_available()
        futures = [self._put(command) for command in commands]
        try:
            # They are answered together, so this waits once; a callback for each cost more than the decision.
            return [await future for future in futures]
        except BaseException:  # most of all a cancel of the caller: nobody else fetches these answers
            for future in futures:
                if not future.cancel() and not future.cancelled():
                    future.exception()  # told for one of them, it is told for all
            raise

    def asked(self, command: Command) -> asyncio.Future[Reply]:
        """As `ask`, for those who go on without its answer, and want to know what it was if it comes.

        Returns:
            Gives the durable answer, or raises as `ask`. Cancelled, it gives none.

        Raises:
            StoreError: the store takes no commits.
            ServerUnavailable: the host was closed, or has failed.
        """
        self._ensure_available()
        return self._put(command)

    def attach(self, worker_id: WorkerId, session: int, deliver: Deliver, end: End | None = None) -> None:
        """From now on, hand a worker's messages to `deliver`, a batch per turn.

        Args:
            worker_id: the worker.
            session: the number with which it joins. What was decided for an older session goes nowhere.
            deliver: takes the messages of a turn.
            end: called when the session must end: the worker said nothing for too long, its messages could not be
                delivered, or the store takes no commits. The worker may join again.

        Raises:
            StoreError: the store takes no commits.
            ServerUnavailable: the host was closed, or has failed.
        """
        self._ensure_available()
        self._sessions.attach((worker_id, session), deliver, end)

    def detach(self, worker_id: WorkerId, deliver: Deliver) -> None:
        """Hand nothing to `deliver` any more. A later session of this worker is left alone."""
        self._sessions.detach(worker_id, deliver)

    async def wait_failed(self) -> BaseException:
        """Wait until the host cannot go on by itself, and return why."""
        await self._has_failed.wait()
        assert self.failure is not None
        return self.failure

    async def details(self, execution_id: ExecutionId) -> ExecutionDetails | None:
        """An execution as it durably stands, open or closed; None if there is no such.

        Raises:
            ServerUnavailable: the host has failed, or was closed within a commit: what the engine remembers need not be
                durable.
        """
        try:
            return await self.consult(lambda: self._details.of(execution_id))
        except StoreError:
            if self.availability.trouble is None:
                raise
            return self._details.committed(execution_id)

    async def consult(self, question: Callable[[], AnswerT]) -> AnswerT:
        """What a look into the engine's memory gives, at a moment when all that is in it is durable.

        Args:
            question: looks, changes nothing, and takes little time; what it raises is raised here.

        Raises:
            StoreError: the store takes no commits.
            ServerUnavailable: the host has failed, or was closed within a commit: what the engine remembers need not be
                durable.
        """
        if self.failure is not None or self.availability.trouble is not None or self._is_committing:
            self._ensure_available()
        if not self._is_committing:
            return question()
        # The engine is ahead of the store, and has forgotten what it has closed: nobody may see that (invariant 2).
        future: asyncio.Future[AnswerT] = asyncio.get_running_loop().create_future()
        self._questions.append((question, future))
        return await future

    async def look(self, execution_id: ExecutionId, question: Callable[[Execution | None], AnswerT]) -> AnswerT:
        """What a look at an execution gives as it durably stands, open or closed.

        Args:
            execution_id: which.
            question: looks, as in `consult`; it is given None if there is no such execution.

        Raises:
            StoreError: the store takes no commits.
            ServerUnavailable: as in `consult`.
        """
        return await self.consult(
            lambda: question(self._engine.execution(execution_id) or self._store.committed(execution_id))
        )

    async def execution_of_task(self, task_id: TaskId) -> ExecutionId | None:
        """The execution that has a task of this id, open or closed; None if none has."""
        return await self._store.execution_of_task(task_id)

    async def owner_of_task(self, task_id: TaskId) -> ExecutionId | None:
        """The same for tasks that calls name by their id alone, found at once; None for every other task."""
        return await self._store.owner_of_task(task_id)

    def now(self) -> Instant:
        """The time, by the host's clock."""
        return self._clock.now()

    def history(self, execution_id: ExecutionId, after: int = 0, limit: int | None = None) -> Sequence[HistoryEvent]:
        """The durable events of an execution whose number is larger than `after`, or the first `limit` of them."""
        return self._store.history(execution_id, after, limit)

    def workflow_log(
        self, execution_id: ExecutionId, after: int = 0, limit: int | None = None
    ) -> Sequence[LoggedEvent]:
        """The durable log of a workflow behind event number `after`, or the first `limit` events of that."""
        return self._store.workflow_log(execution_id, after, limit)

    def execution_ids(self) -> list[ExecutionId]:
        """All executions; first those that are not in the engine's memory, since they are closed or rest."""
        away = [each for each in self._store.execution_ids() if not self._engine.holds(each)]
        return [*away, *self._engine.execution_ids()]

    async def _drive(self, trouble: StoreError | None) -> None:
        try:
            if trouble is not None:
                await self._reopen(trouble)
            while True:
                await self._work.wait()
                self._work.clear()
                try:
                    await self._take_turn()
                except StoreError as error:
                    if not self._reopens:
                        raise
                    await self._reopen(error)
        except Exception as error:  # the driver is gone then, and whoever waits for it must hear of it
            self._fail(error)

    async def _take_turn(self) -> None:
        self._turn, self._inbox = self._inbox, []
        decisions = self._deciding.decide([command for command, _ in self._turn], self._clock.now())
        self._is_committing = True
        await self._store.commit(decisions)
        self._is_committing = False
        self._engine.let_rest()
        # Workers first: an order to stop is not to wait until the one who asked for it has been answered.
        self._act(decisions)
        self._answer_questions()
        self._reply(self._turn, decisions)
        self._turn = []
        self._set_alarm()

    async def _reopen(self, trouble: StoreError) -> None:
        """Refuse what would change anything, until the store takes commits and the engine goes on from there."""
        _LOG.error("%s Until it takes commits again, requests that change something are refused.", trouble)
        self.availability.suspend(trouble)
        self._refuse_waiting(trouble)
        self._sessions.end_all(trouble)
        pause = _FIRST_PAUSE
        while not await self._has_gone_on():
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)

    async def _has_gone_on(self) -> bool:
        try:
            await self._store.ensure_writable()
            self._engine.forget()
            decision = self._engine.restore(*self._store.load(), self._clock.now())
            await self._store.commit([decision])
        except StoreError as error:
            _LOG.debug("the store takes no commits yet: %s", error)
            return False
        _LOG.warning("the store takes commits again, and the server goes on from what it holds")
        self._is_committing = False
        self.availability.resume()
        self._tell([decision])
        self._work.set()
        return True

    def _fail(self, error: Exception) -> None:
        _LOG.critical("the engine's host failed; nothing of the failed turn is told to anybody", exc_info=error)
        self.failure = error
        self._end(f"the engine's host failed ({type(error).__name__}: {error}); see its log, and start it anew.")
        self._has_failed.set()

    def _end(self, reason: str) -> None:
        self.availability.end(reason)
        assert self.availability.over is not None
        self.watchers.close(self.availability.over)
        self._refuse_waiting(ServerUnavailable(reason))

    def _refuse_waiting(self, error: RescindError) -> None:
        """Answer everybody who waits with an error of their own."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        asked = [future for _, future in (*self._turn, *self._inbox) if future is not None]
        questions = [future for _, future in self._questions]
        for future in (*asked, *self._deferred.values(), *questions):
            if not future.done():
                future.set_exception(type(error)(str(error)))
        self._turn, self._inbox, self._questions = [], [], []
        self._deferred.clear()

    def _put(self, command: Command) -> asyncio.Future[Reply]:
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._inbox.append((command, future))
        self._work.set()
        return future

    def _ensure_available(self) -> None:
        self.availability.ensure(self.failure)

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
        for question, future in questions:
            if future.done():
                continue
            try:
                answer = question()
            except Exception as error:
                # Whoever asked learns of it, as from a question outside a commit; the others are answered.
                future.set_exception(error)
            else:
                future.set_result(answer)

    def _act(self, decisions: Sequence[Decision]) -> None:
        outgoing: dict[SessionKey, list[ToWorker]] = {}
        for decision in decisions:
            for session, message in decision.pushes:
                outgoing.setdefault(session, []).append(message)
            for worker_id in decision.silent:
                self._sessions.end(worker_id, _said_nothing(worker_id))
        self._sessions.deliver(outgoing)
        self._tell(decisions)

    def _tell(self, decisions: Sequence[Decision]) -> None:
        self.output.take(decisions)
        self.watchers.tell(decisions)
        for listener in self.listeners:
            try:
                listener(decisions)
            except Exception:
                # Who counts is not to end who decides.
                _LOG.exception("a listener failed, and missed %d decisions", len(decisions))

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


def _said_nothing(worker_id: WorkerId) -> ServerUnavailable:
    return ServerUnavailable(
        f"worker {worker_id!r} said nothing for too long, and was taken for lost: its event loop may be blocked. It "
        "may join again; what it ran is tried anew."
    )
