"""What a seed can do to a run: late and repeated messages, ties broken otherwise, lost answers, lost workers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from rescind.model.commands import CancelExecution, CancelTaskFromOutside, Command, Reply, StartExecution
from rescind_server.host.driver import Host

# How late a message may be, in microseconds. Short against what agents wait for, long against nothing at all.
_LATEST: Final = 3_000


class SeededWeather:
    """Decides, from a seed, when each message between worker and engine arrives."""

    def __init__(self, seed: int, *, repeats: bool) -> None:
        self._random = Random(f"weather {seed}")
        self._repeats = repeats
        self._trace = hashlib.sha1(usedforsecurity=False)
        # The message at which something is to happen, and what; set by `call_at_message`.
        self._count = 0
        self._at: dict[int, Callable[[], None]] = {}

    def delays(self) -> Sequence[int]:
        """See `in_process.Weather`."""
        self._count += 1
        happening = self._at.pop(self._count, None)
        if happening is not None:
            happening()
        draw = self._random.random()
        first = 0 if draw < 0.5 else self._random.randrange(_LATEST)
        delays = [first]
        if self._repeats and draw > 0.9:
            delays.append(first + self._random.randrange(_LATEST))
        self._trace.update(repr(delays).encode())
        return delays

    def break_tie(self, count: int) -> int:
        """Which of several timers that are due together comes first."""
        choice = self._random.randrange(count)
        self._trace.update(bytes((choice % 256,)))
        return choice

    def call_at_message(self, number: int, happening: Callable[[], None]) -> None:
        """Let something happen when the `number`-th message is sent."""
        self._at[number] = happening

    def interleaving(self) -> str:
        """What was decided, in short: two runs with the same text went the same way."""
        return self._trace.hexdigest()


class ForgetfulServer:
    """A host whose answers are sometimes lost on their way, so that the caller asks again.

    Only what may be repeated is: starts with an id, and cancels.
    """

    def __init__(self, host: Host, seed: int) -> None:
        self._host = host
        self._random = Random(f"answers {seed}")
        self.watchers = host.watchers
        self.details = host.details
        self.history = host.history

    async def ask(self, command: Command) -> Reply:
        """The durable answer, perhaps to the second time of asking."""
        if _may_be_repeated(command) and self._random.random() < 0.3:
            first = await self._host.ask(command)
            again = await self._host.ask(command)
            return first if isinstance(command, CancelExecution | CancelTaskFromOutside) else again
        return await self._host.ask(command)


def _may_be_repeated(command: Command) -> bool:
    if isinstance(command, StartExecution):
        return command.execution_id is not None
    return isinstance(command, CancelExecution | CancelTaskFromOutside)
