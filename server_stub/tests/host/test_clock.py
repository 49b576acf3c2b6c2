"""The server's clock, while somebody sets the machine's: what waits for a time neither stops nor comes too early."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from rescind.model.events import EventType
from rescind.model.ids import Instant
from rescind.model.messages import AgentProgress
from rescind.model.operations import StartTimer
from rescind.testing.virtual_time import run
from rescind_server.host.clock import WallClock
from server_stub.tests.host.setting import START, Setting, X, settle

HOUR = 3_600


class MachineClock:
    """A machine's clock that a test sets.

    Attributes:
        set_by: how far it was set forward, in seconds; negative is back.
    """

    def __init__(self) -> None:
        self.set_by = 0

    def __call__(self) -> int:
        return time.time_ns() + self.set_by * 1_000_000_000


class Fired:
    """Alarms, and what rang when."""

    def __init__(self) -> None:
        self.machine = MachineClock()
        self.clock = WallClock(self.machine)
        self.begin = self.clock.now()
        self.loop = asyncio.get_running_loop()
        self._begin = self.loop.time()
        self.rang: list[tuple[str, float]] = []

    def at(self, seconds: float, name: str) -> None:
        """Let something ring so long after the beginning, by this clock."""
        self.clock.call_at(Instant(self.begin + round(seconds * 1_000_000)), self._ringing(name))

    def _ringing(self, name: str) -> Callable[[], None]:
        return lambda: self.rang.append((name, round(self.loop.time() - self._begin, 3)))


def test_time_goes_on_where_the_machines_clock_is_set_back() -> None:
    async def main() -> None:
        fired = Fired()
        fired.at(5, "short")
        fired.at(60, "long")
        fired.machine.set_by = -HOUR
        seen = []
        for _ in range(100):
            await asyncio.sleep(1)
            seen.append(fired.clock.now())
        assert seen == sorted(seen)
        assert seen[-1] - fired.begin == 100_000_000
        assert fired.rang == [("short", 5.0), ("long", 60.0)]

    run(main())


def test_what_is_set_behind_a_jump_back_waits_no_longer_than_it_was_told() -> None:
    async def main() -> None:
        fired = Fired()
        fired.machine.set_by = -HOUR
        fired.at(5, "short")
        await asyncio.sleep(10)
        assert fired.rang == [("short", 5.0)]

    run(main())


def test_a_jump_forward_brings_what_is_due_soon_and_once() -> None:
    async def main() -> None:
        fired = Fired()
        fired.at(HOUR, "within the jump")
        fired.at(3 * HOUR, "behind it")
        await asyncio.sleep(1)
        fired.machine.set_by = 2 * HOUR
        await asyncio.sleep(2 * HOUR)
        assert [name for name, _ in fired.rang] == ["within the jump", "behind it"]
        assert [when for _, when in fired.rang] == [10.0, HOUR]

    run(main())


def test_a_clock_that_is_set_forward_and_back_again_keeps_the_later_time() -> None:
    async def main() -> None:
        fired = Fired()
        fired.machine.set_by = HOUR
        ahead = fired.clock.now()
        fired.machine.set_by = 0
        assert fired.clock.now() == ahead
        await asyncio.sleep(1)
        assert fired.clock.now() == ahead + 1_000_000

    run(main())


def test_an_alarm_that_was_cancelled_never_rings() -> None:
    async def main() -> None:
        fired = Fired()
        alarm = fired.clock.call_at(Instant(fired.begin + HOUR * 1_000_000), fired._ringing("cancelled"))
        await asyncio.sleep(60)
        alarm.cancel()
        fired.machine.set_by = 2 * HOUR
        await asyncio.sleep(2 * HOUR)
        assert fired.rang == []

    run(main())


def test_a_durable_timer_comes_in_its_time_whatever_the_machines_clock_does() -> None:
    async def main() -> None:
        machine = MachineClock()
        async with Setting(read_clock=machine) as setting:
            await setting.host.ask(START)
            begin = WallClock(machine).now()
            timers = (StartTimer(1, Instant(begin + 5_000_000)), StartTimer(2, Instant(begin + 30_000_000)))
            setting.host.tell(AgentProgress(X, 1, 1, timers))
            await settle()
            for jump in (-HOUR, HOUR, -HOUR):
                machine.set_by += jump
                await asyncio.sleep(2)
            await asyncio.sleep(100)
            fired = [event for event in setting.host.history(X) if event.type is EventType.TIMER_FIRED]
            assert [(event.details or {})["position"] for event in fired] == [1, 2], "in their order, and each once"
            assert [event.at for event in fired] == sorted(event.at for event in fired)

    run(main())
