"""What happens to the workers of an explored run, and when: every message of the run has its seed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from random import Random

from rescind.runtime.ports import ClientPort
from rescind.runtime.workflow_ports import WorkflowPort
from rescind.testing.environment import Environment, SettledClientPort
from rescind.testing.weather import Calm, ForgetfulServer, SeededWeather, SlowStore
from rescind.testing.workflow_weather import CalmWorkflows, WeatheredWorkflows
from rescind.transport.in_process import InProcessSession
from rescind.worker.worker import Worker
from rescind_server.host.driver import Host


class Disturbance(Enum):
    """What can happen to a worker."""

    LOSS = "lost"
    """It ends at once, telling nobody; another one is started."""
    CUT = "cut off"
    """Its session breaks; it goes on, and comes back over another session."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One disturbance: at which message of the run, counted from 1."""

    what: Disturbance
    message: int


def disturbances_of(seed: int, messages: int) -> tuple[Planned, ...]:
    """What is to happen under a seed, in a run of about so many messages.

    Of four seeds in a row one leaves the workers alone, one loses a worker, one cuts it off, and one does two such
    things. Four seeds further, each happens one message later: 4 * `messages` seeds in a row do each at every message.
    """
    sort, place = seed % 4, seed // 4 % messages + 1
    chance = Random(f"disturbances {seed}")
    match sort:
        case 0:
            return ()
        case 1:
            return (Planned(Disturbance.LOSS, place),)
        case 2:
            return (Planned(Disturbance.CUT, place),)
        case _:
            first, second = chance.choices(tuple(Disturbance), k=2)
            return Planned(first, place), Planned(second, place + chance.randrange(1, messages + 1))


class CalmEnvironment(Environment):
    """An environment in which nothing is late: as every environment, but its messages are counted."""

    def __init__(self, seed: int, lease_ms: int) -> None:
        self.weather = Calm()
        super().__init__(seed=seed, weather=self.weather, lease_ms=lease_ms)

    def _workflow_port(self, worker_id: str) -> WorkflowPort:
        return CalmWorkflows(self.host, worker_id, self.weather)


class DisturbedEnvironment(Environment):
    """An environment in some weather, whose workers are lost and cut off as planned.

    Attributes:
        happened: the disturbances that met a worker.
    """

    def __init__(
        self, seed: int, weather: SeededWeather, plan: Iterable[Planned], *, faults: bool, lease_ms: int
    ) -> None:
        store = SlowStore(weather)
        super().__init__(seed=seed, weather=weather, store=store, lease_ms=lease_ms)
        self.happened: list[Planned] = []
        self._seeded = weather
        self._faults = faults
        self._chance = Random(f"workers {seed}")
        self._sessions: dict[str, int] = {}
        self._settings: dict[str, tuple[tuple[str, ...], int]] = {}
        self._disturbing: set[asyncio.Task[None]] = set()
        self._calm_at = 0.0
        for planned in plan:
            weather.call_at_message(planned.message, self._beginning(planned))

    async def until_undisturbed(self) -> None:
        """Return when every lost or cut off worker is replaced or has come back, and what that set off is over."""
        waited_until = 0.0
        while self._disturbing or self._calm_at != waited_until:
            if self._disturbing:
                await asyncio.wait(self._disturbing)
            # A session whose end was noticed late begins its lease late, though the scenario may be over by then.
            waited_until = self._calm_at
            await asyncio.sleep(max(0.0, waited_until - self._time()))

    def start_worker(self, *, queues: Iterable[str] | None = None, slots: int | None = None) -> Worker:
        """See `Embedded.start_worker`. One that is lost is replaced by one of the same queues and slots."""
        wanted = tuple(queues) if queues is not None else self._queues
        worker = super().start_worker(queues=wanted, slots=slots)
        self._settings[worker.worker_id] = (wanted, slots if slots is not None else self._slots)
        return worker

    def _client_port(self, host: Host) -> ClientPort:
        return SettledClientPort(ForgetfulServer(host, self._seed) if self._faults else host)

    def _workflow_port(self, worker_id: str) -> WorkflowPort:
        return WeatheredWorkflows(
            self.host, worker_id, self._seeded, self._seed, faults=self._faults, lease_ms=self._lease_ms
        )

    def _beginning(self, planned: Planned) -> Callable[[], None]:
        def begin() -> None:
            task = asyncio.get_running_loop().create_task(self._disturb(planned))
            self._disturbing.add(task)
            task.add_done_callback(self._end_disturbance)

        return begin

    def _end_disturbance(self, task: asyncio.Task[None]) -> None:
        self._disturbing.discard(task)
        self._calm_at = self._time() + 2 * self._lease_ms / 1_000

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    async def _disturb(self, planned: Planned) -> None:
        if self._chance.random() < 0.3:
            # Not where a message leaves, but while it is on its way, or between two of them.
            await asyncio.sleep(self._chance.choice((0.0005, 0.002, 0.05, 0.4)))
        if not self._workers:
            return
        worker, session = self._chance.choice(self._workers)
        self.happened.append(planned)
        self._seeded.note(planned.what.value)
        if planned.what is Disturbance.LOSS:
            await self._lose(worker, session)
        else:
            await self._cut_off(worker, session)

    async def _lose(self, worker: Worker, session: InProcessSession) -> None:
        self._workers.remove((worker, session))
        session.cut()
        worker.abandon()
        queues, slots = self._settings[worker.worker_id]
        await asyncio.sleep(self._pause())
        self.start_worker(queues=queues, slots=slots)

    async def _cut_off(self, worker: Worker, session: InProcessSession) -> None:
        session.cut(noticed=self._chance.random() < 0.7)
        await asyncio.sleep(self._pause())
        if (worker, session) in self._workers:  # not lost meanwhile
            number = self._sessions[worker.worker_id] = self._sessions.get(worker.worker_id, 1) + 1
            again = InProcessSession(self.host, worker.worker_id, number, self._seeded)
            self._workers[self._workers.index((worker, session))] = (worker, again)
            worker.rejoin(again, number)
            await asyncio.sleep(self._chance.choice((0.0, 0.002)))
        # Sooner or later everybody notices the end of a session, also when the next one has begun.
        session.cut()

    def _pause(self) -> float:
        """Before and behind the end of the lease."""
        return self._chance.choice((0.0, 0.001, 0.1, 0.5 * self._lease_ms / 1_000, 1.5 * self._lease_ms / 1_000))
