"""What a seed does to what is on its way: late and repeated messages, other ties, lost answers, slow commits.

Each of these is legal: correct code notices nothing of it but the time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from rescind.model.commands import CancelExecution, CancelTaskFromOutside, Command, Reply, StartExecution
from rescind.model.messages import FromWorker, ToWorker
from rescind.model.workflows import SettlePromise, StartWorkflow
from rescind_server.engine.state import Decision
from rescind_server.host.driver import Host
from rescind_server.store.memory import MemoryStore

# How late anything may be, in microseconds. Short against what agents wait for, long against nothing at all.
_LATEST: Final = 3_000
# A run with more messages than this is taken to be one that never ends.
_MOST_MESSAGES: Final = 200_000


class EndlessRun(AssertionError):
    """A run does not come to its end: its code goes round and round in virtual time."""


def _check_end(messages: int) -> None:
    if messages > _MOST_MESSAGES:
        raise EndlessRun(f"{_MOST_MESSAGES:,} messages were sent, and the run has not ended; what keeps it going?")


class Calm:
    """No delay, no fault: counts the messages of a run, so that every one of them can be chosen for a fault."""

    def __init__(self) -> None:
        self.messages = 0

    def delays(self) -> Sequence[int]:
        """See `in_process.Weather`."""
        self.messages += 1
        _check_end(self.messages)
        return (0,)

    def arrived(self, message: FromWorker | ToWorker) -> None:
        """See `in_process.Weather`."""


class SeededWeather:
    """Decides, from a seed, when each message between worker and engine arrives, and how long each commit takes.

    Attributes:
        messages: how many were sent so far.
    """

    def __init__(self, seed: int, *, repeats: bool) -> None:
        self.messages = 0
        self._random = Random(f"weather {seed}")
        self._commits = Random(f"commits {seed}")
        self._repeats = repeats
        self._trace = hashlib.sha1(usedforsecurity=False)
        self._at: dict[int, Callable[[], None]] = {}

    def delays(self) -> Sequence[int]:
        """See `in_process.Weather`."""
        self.messages += 1
        _check_end(self.messages)
        happening = self._at.pop(self.messages, None)
        if happening is not None:
            happening()
        draw = self._random.random()
        first = 0 if draw < 0.5 else self._random.randrange(_LATEST)
        if self._repeats and draw > 0.85:
            return first, first + self._random.randrange(_LATEST)
        return (first,)

    def arrived(self, message: object) -> None:
        """See `in_process.Weather`; here also of questions about workflows, and their answers."""
        number = getattr(message, "lease", 0) or getattr(message, "number", 0) or getattr(message, "claim", 0)
        self.note(f"{type(message).__name__} {number}")

    def break_tie(self, count: int) -> int:
        """Which of several timers that are due together comes first."""
        return self._random.randrange(count)

    def commit_delay(self) -> int:
        """How long the next commit takes, in microseconds: what comes in meanwhile is decided together."""
        return self._commits.randrange(1, _LATEST) if self._commits.random() < 0.2 else 0

    def call_at_message(self, number: int, happening: Callable[[], None]) -> None:
        """Let something happen when the `number`-th message is sent."""
        self._at[number] = happening

    def note(self, text: str) -> None:
        """Something happened whose place among the other things makes an interleaving."""
        self._trace.update(text.encode() + b"\n")

    def interleaving(self) -> str:
        """The order in which everything happened, in short: runs with the same text went the same way."""
        return self._trace.hexdigest()


class SlowStore(MemoryStore):
    """A store whose commits take their time now and then."""

    def __init__(self, weather: SeededWeather) -> None:
        super().__init__()
        self._weather = weather

    async def commit(self, decisions: Sequence[Decision]) -> None:
        """See `Store.commit`."""
        delay = self._weather.commit_delay()
        if delay:
            await asyncio.sleep(delay / 1_000_000)
        await super().commit(decisions)


class ForgetfulServer:
    """A host whose questions and answers are sometimes lost on their way, or arrive twice.

    Only what may be repeated is treated so: starts with an id, cancels, and what settles a promise. A caller whose
    answer was lost asks again: so a cancel may be answered ALREADY_CANCELLED though it was this caller's first request
    that did it.
    """

    def __init__(self, host: Host, seed: int) -> None:
        self._host = host
        self._random = Random(f"answers {seed}")
        self.watchers = host.watchers
        self.output = host.output
        self.details = host.details
        self.history = host.history
        self.workflow_log = host.workflow_log

    async def ask(self, command: Command) -> Reply:
        """The durable answer, perhaps to the second time of asking."""
        if not _may_be_repeated(command):
            return await self._host.ask(command)
        draw = self._random.random()
        if draw < 0.1:  # the question is lost
            await self._a_while()
        elif draw < 0.25:  # the answer is lost
            await self._host.ask(command)
            await self._a_while()
        elif draw < 0.4:  # the question arrives twice, and the caller hears the first answer
            first, _ = await asyncio.gather(self._host.ask(command), self._host.ask(command))
            return first
        return await self._host.ask(command)

    async def _a_while(self) -> None:
        await asyncio.sleep(self._random.randrange(_LATEST) / 1_000_000)


def _may_be_repeated(command: Command) -> bool:
    if isinstance(command, StartExecution | StartWorkflow):
        return command.execution_id is not None
    return isinstance(command, CancelExecution | CancelTaskFromOutside | SettlePromise)
