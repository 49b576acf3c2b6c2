"""Messages within one process: no bytes, no sockets, and the same order of things as over a wire."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from rescind.model.ids import WorkerId
from rescind.model.messages import FromWorker, ToWorker, WorkerJoined, WorkerLeft
from rescind_server.host.driver import Host


class Weather(Protocol):
    """What can happen to a message on its way."""

    def delays(self) -> Sequence[int]:
        """When the next message arrives, in microseconds from now: once per arrival, so two are a repeated delivery."""


class Lane:
    """One direction of a session: messages arrive in the order in which they were sent, some perhaps twice."""

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

    def _deliver_all(self) -> None:
        self._scheduled = False
        arrived, self._waiting = self._waiting, deque()
        for message in arrived:
            if self.is_cut:
                return
            self._arrive(message)

    def _send_through(self, weather: Weather, message: FromWorker | ToWorker) -> None:
        for delay in weather.delays():
            # No later message overtakes an earlier one: a session is one ordered stream.
            self._earliest = max(self._earliest, self._loop.time() + delay / 1_000_000)
            self._loop.call_at(self._earliest, self._deliver, message)

    def _deliver(self, message: FromWorker | ToWorker) -> None:
        if not self.is_cut:
            self._arrive(message)


class InProcessSession:
    """A worker's session with a host in the same event loop: a `WorkerPort`."""

    def __init__(self, host: Host, worker_id: str, session: int = 1, weather: Weather | None = None) -> None:
        self._host = host
        self._worker_id = WorkerId(worker_id)
        self._session = session
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
        self.cut(handed_back=True)

    def cut(self, *, handed_back: bool = False) -> None:
        """The connection is gone, with all that was on its way; the host notices."""
        if self._up.is_cut:
            return
        self._up.is_cut = self._down.is_cut = True
        self._host.tell(WorkerLeft(self._worker_id, self._session, handed_back))

    def _arrive_at_host(self, message: FromWorker | ToWorker) -> None:
        if isinstance(message, WorkerJoined):
            self._host.attach(self._worker_id, self._deliver)
        self._host.tell(message)  # type: ignore[arg-type]

    def _deliver(self, messages: Sequence[ToWorker]) -> None:
        for message in messages:
            self._down.send(message)

    def _arrive_at_worker(self, message: FromWorker | ToWorker) -> None:
        if self._receive is not None:
            self._receive(message)  # type: ignore[arg-type]
