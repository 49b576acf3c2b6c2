"""The agents of a worker: claimed by polls, run on while there is something to do, kept while they wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rescind_proto.flovyn.v1 import agent_pb2 as wire

from rescind.errors import RequestError, RescindError
from rescind.flovyn.agent_calls import AgentCalls
from rescind.flovyn.calls import POLL_SECONDS, Calls, Pause
from rescind.flovyn.held_agent import FromAgent, HeldAgent
from rescind.flovyn.local_run import LocalRun
from rescind.model.ids import ExecutionId, Instant
from rescind.model.messages import AgentKind, ToWorker

_LOG: Final = logging.getLogger("rescind.flovyn")


class Agents:
    """Polls for agents while there are free slots, and holds those that came."""

    def __init__(
        self,
        calls: Calls,
        worker_id: Callable[[], str],
        tell: Callable[[ToWorker], None],
        fail: Callable[[RescindError], None],
        now: Callable[[], Instant],
        look_every: float,
    ) -> None:
        """Make it; it polls from `start` on.

        Args:
            calls: to the server.
            worker_id: what the worker is called at the server now.
            tell: takes what is for the worker.
            fail: takes a refusal after which there is no use in going on.
            now: the time.
            look_every: seconds between looks, where looks are needed.
        """
        self._calls = calls
        self._worker_id = worker_id
        self._tell = tell
        self._fail = fail
        self._now = now
        self._look_every = look_every
        self._kinds: Mapping[str, AgentKind] = {}
        self._slots = 1
        self._running = 0
        self._has_room = asyncio.Event()
        self._held: dict[ExecutionId, HeldAgent] = {}
        self._lives: dict[ExecutionId, asyncio.Task[None]] = {}
        self._claimed: dict[ExecutionId, asyncio.Event] = {}
        self._polls: list[asyncio.Task[None]] = []

    def start(self, kinds: Sequence[AgentKind], queues: Sequence[str], slots: int) -> None:
        """Poll for agents of these kinds in these queues; so many run at once, and so many are kept that wait."""
        self._kinds = {each.kind: each for each in kinds}
        self._slots = slots
        self._has_room.set()
        if self._kinds:
            self._polls = [asyncio.create_task(self._poll(queue)) for queue in queues]

    def take(self, message: FromAgent) -> None:
        """The worker tells of an agent's code."""
        held = self._held.get(message.execution_id)
        if held is not None:
            held.take(message)

    async def leave(self) -> None:
        """Take nothing new, and hand back what is claimed."""
        self.cut()
        lives, held = list(self._lives.values()), list(self._held.values())
        if lives:
            await asyncio.wait(lives)
        self._held.clear()
        await asyncio.gather(*(each.hand_back() for each in held))

    def cut(self) -> None:
        """Stop at once."""
        for task in (*self._polls, *self._lives.values()):
            task.cancel()

    async def _poll(self, queue: str) -> None:
        pause = Pause()
        request = wire.PollAgentRequest(
            queue=queue, timeout_seconds=POLL_SECONDS, agent_capabilities=sorted(self._kinds)
        )
        while True:
            await self._has_room.wait()
            request.worker_id = self._worker_id()
            try:
                answer = await self._calls.poll("PollAgent", request)
            except RequestError as error:
                self._fail(error)
                return
            except RescindError:
                await pause.wait()
                continue
            pause.reset()
            if answer.HasField("agent_execution"):
                await self._take_claimed(answer.agent_execution, answer.traceparent)

    async def _take_claimed(self, info: wire.AgentExecutionInfo, trace_parent: str) -> None:
        execution_id = ExecutionId(info.id)
        held = self._held.get(execution_id)
        try:
            if held is not None and held.is_resting and await held.is_current(info):
                self._claimed[execution_id].set()
                return
        except RequestError as error:
            _LOG.warning("agent %s is run no further here: %s", execution_id, error)
            return
        if held is not None:
            await self._drop(execution_id)
        self._make_room()
        kind = self._kinds[info.kind]
        run = LocalRun(info, trace_parent, kind, self._now)
        calls = AgentCalls(self._calls, execution_id)
        checkpoints = info.current_checkpoint_seq
        made = HeldAgent(run, calls, self._worker_id, self._tell, self._now, checkpoints, self._look_every)
        self._held[execution_id] = made
        self._claimed[execution_id] = asyncio.Event()
        self._lives[execution_id] = asyncio.create_task(self._live(execution_id, made))

    async def _live(self, execution_id: ExecutionId, held: HeldAgent) -> None:
        """Run an agent on whenever it is claimed, until it has ended."""
        claimed = self._claimed[execution_id]
        try:
            while await self._run_on(held):
                await self._wait_claimed(held, claimed)
                claimed.clear()
        except Exception:  # one agent's defect, or ours: the others of this worker run on
            _LOG.exception("agent %s could not be run", execution_id)
            held.forget()
        if self._held.get(execution_id) is held:
            del self._held[execution_id], self._claimed[execution_id], self._lives[execution_id]

    async def _run_on(self, held: HeldAgent) -> bool:
        self._running += 1
        self._note_room()
        try:
            return await held.run_on()
        finally:
            self._running -= 1
            self._note_room()

    async def _wait_claimed(self, held: HeldAgent, claimed: asyncio.Event) -> None:
        """Wait until a poll brings the agent, or it is claimed because its time has come."""
        waiting = asyncio.create_task(claimed.wait())
        resuming = asyncio.create_task(held.wait_to_resume())
        try:
            await asyncio.wait([waiting, resuming], return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done() and not _has_resumed(resuming):
                # Somebody else has it, or it is on its way to a poll.
                await waiting
        finally:
            waiting.cancel()
            resuming.cancel()
            await asyncio.gather(resuming, return_exceptions=True)

    def _note_room(self) -> None:
        if self._running < self._slots:
            self._has_room.set()
        else:
            self._has_room.clear()

    def _make_room(self) -> None:
        """Forget an agent that waits, if there are too many: whoever claims it next runs it from its first line."""
        if len(self._held) < self._slots:
            return
        for execution_id, held in self._held.items():
            is_claimed = self._claimed[execution_id].is_set()
            if held.is_suspended and not is_claimed and not held.has_time:
                self._lives[execution_id].cancel()
                held.forget()
                del self._held[execution_id], self._claimed[execution_id], self._lives[execution_id]
                return

    async def _drop(self, execution_id: ExecutionId) -> None:
        """Forget a run that is not the last any more."""
        self._held.pop(execution_id).forget()
        self._claimed.pop(execution_id)
        life = self._lives.pop(execution_id)
        life.cancel()
        await asyncio.wait([life])


def _has_resumed(resuming: asyncio.Task[bool]) -> bool:
    return resuming.done() and not resuming.cancelled() and resuming.exception() is None and resuming.result()
