"""Messages within one process: no bytes, no sockets, and the same order of things as over a wire."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from rescind.errors import ServerUnavailable
from rescind.model.ids import WorkerId
from rescind.model.messages import FromWorker, ToWorker, WorkerJoined, WorkerLeft
from rescind_server.host.driver import Host


class Weather(Protocol):
    """What can happen to a message on its way."""

    def delays(self) -> Sequence[int]:
        """When the next message arrives, in microseconds from now: once per arrival, so two are a repeated delivery."""

    def arrived(self, message: FromWorker | ToWorker) -> None:
        """A message has arrived."""


class Lane:
    """One direction of a session: messages arrive in the order in which they were sent.

    Some perhaps arrive once more, later; others that were sent in between may then have arrived before.
    """

    def __init__(self, arrive: Callable[[FromWorker | ToWorker], None], weather: Weather | None) -> None:
        self._arrive = arrive
        self._weather = weather
        self._waiting: deque[FromWorker | ToWorker] = deque()
        self._loop = asyncio.get_running_loop()
        self._scheduled = False
        self._earliest = 0.0
        self.is_cut = False

    def send(self, message: FromWorker | ToWorker) -> None:
        """Put a message on its way."""
        if self.is_cut:
            return
        if self._weather is not None:
            self._send_through(self._weather, message)
            return
        self._waiting.append(message)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._deliver_all)

    async def wait_arrived(self) -> None:
        """Return when what was sent has arrived, or never will."""
        while self._waiting and not self.is_cut:  # noqa: ASYNC110 - the lane itself says when the next one arrives
            await asyncio.sleep(max(0.0, self._earliest - self._loop.time()))

    def _deliver_all(self) -> None:
        self._scheduled = False
        arrived, self._waiting = self._waiting, deque()
        for message in arrived:
            if self.is_cut:
                return
            self._arrive(message)

    def _send_through(self, weather: Weather, message: FromWorker | ToWorker) -> None:
        now = self._loop.time()
        first, *again = weather.delays()
        # No later message overtakes an earlier one: a session is one ordered stream.
        self._earliest = max(self._earliest, now + first / 1_000_000)
        self._waiting.append(message)
        self._loop.call_at(self._earliest, self._deliver_next, weather)
        for delay in again:
            self._loop.call_at(max(self._earliest, now + delay / 1_000_000), self._deliver_again, message, weather)

    def _deliver_next(self, weather: Weather) -> None:
        # Whatever is first, not one message of its own: timers of one instant may be run in any order.
        self._deliver(self._waiting.popleft(), weather)

    def _deliver_again(self, message: FromWorker | ToWorker, weather: Weather) -> None:
        if not any(each is message for each in self._waiting):
            self._deliver(message, weather)

    def _deliver(self, message: FromWorker | ToWorker, weather: Weather) -> None:
        if not self.is_cut:
            weather.arrived(message)
            self._arrive(message)


class InProcessSession:
    """A worker's session with a host in the same event loop: a `WorkerPort`."""

    def __init__(self, host: Host, worker_id: str, session: int = 1, weather: Weather | None = None) -> None:
        self._host = host
        self._worker_id = WorkerId(worker_id)
        self._session = session
        self._is_noticed = False
        self._receive: Callable[[ToWorker], None] | None = None
        self._up = Lane(self._arrive_at_host, weather)
        self._down = Lane(self._arrive_at_worker, weather)

    def open(self, receive: Callable[[ToWorker], None]) -> None:
        """See `WorkerPort.open`."""
        self._receive = receive

    def send(self, message: FromWorker) -> None:
        """See `WorkerPort.send`."""
        self._up.send(message)

    async def close(self) -> None:
        """See `WorkerPort.close`."""
        await self._up.wait_arrived()
        self.cut(handed_back=True)

    def cut(self, *, handed_back: bool = False, noticed: bool = True) -> None:
        """The connection is gone, with all that was on its way.

        Args:
            handed_back: the worker left in order.
            noticed: the host notices now; otherwise when the worker joins again, or when this is called again.
        """
        self._up.is_cut = self._down.is_cut = True
        if noticed and not self._is_noticed:
            self._is_noticed = True
            self._host.tell(WorkerLeft(self._worker_id, self._session, handed_back))

    def _arrive_at_host(self, message: FromWorker | ToWorker) -> None:
        if isinstance(message, WorkerJoined):
            self._session = max(self._session, message.session)
            # A host that takes nothing any more takes no session either; what is told to it is void as well.
            with contextlib.suppress(ServerUnavailable):
                self._host.attach(self._worker_id, self._session, self._deliver)
        self._host.tell(message)  # type: ignore[arg-type]

    def _deliver(self, messages: Sequence[ToWorker]) -> None:
        for message in messages:
            self._down.send(message)

    def _arrive_at_worker(self, message: FromWorker | ToWorker) -> None:
        if self._receive is not None:
            self._receive(message)  # type: ignore[arg-type]
