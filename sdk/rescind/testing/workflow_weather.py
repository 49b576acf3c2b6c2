"""What a seed does to the passes of workflows: claims and submissions are late, repeated, or lost on their way."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final

from rescind.errors import ServerUnavailable
from rescind.model.commands import Command, Reply
from rescind.model.workflows import ReleaseWorkflow, SubmitWorkflowCommands
from rescind.testing.weather import Calm, SeededWeather
from rescind.transport.in_process_workflows import InProcessWorkflows
from rescind_server.host.driver import Host

_CLAIM_LEASES: Final = 2
"""A claim lasts so many leases of the environment, if its worker is lost where no end of a session tells."""


class CalmWorkflows(InProcessWorkflows):
    """Nothing is late: its questions and answers are counted."""

    def __init__(self, host: Host, worker_id: str, weather: Calm) -> None:
        super().__init__(host, worker_id)
        self._weather = weather

    async def _ask(self, command: Command) -> Reply:
        self._weather.delays()
        reply = await super()._ask(command)
        self._weather.delays()
        return reply


class WeatheredWorkflows(InProcessWorkflows):
    """A worker's way to its workflows, in some weather.

    Only a submission, or the return of a claim, is repeated: a poll is bound to its connection, and a new one has
    another name.
    """

    def __init__(
        self, host: Host, worker_id: str, weather: SeededWeather, seed: int, *, faults: bool, lease_ms: int
    ) -> None:
        super().__init__(host, worker_id, lease_ms=_CLAIM_LEASES * lease_ms)
        self._weather = weather
        self._faults = faults
        self._chance = Random(f"workflows {seed} {worker_id}")

    async def _ask(self, command: Command) -> Reply:
        await self._travel(command)
        draw = self._chance.random() if self._faults else 1.0
        if draw < 0.04:
            raise ServerUnavailable("the question was lost on its way.")
        self._weather.arrived(command)
        reply = await super()._ask(command)
        if draw < 0.08:
            raise ServerUnavailable("the answer was lost on its way.")
        await self._travel(reply)
        self._weather.arrived(reply)
        return reply

    async def _travel(self, message: Command | Reply) -> None:
        first, *again = self._weather.delays()
        loop = asyncio.get_running_loop()
        if isinstance(message, SubmitWorkflowCommands | ReleaseWorkflow):
            for delay in again:
                loop.call_later(delay / 1_000_000, self._host.tell, message)
        try:
            if first:
                await asyncio.sleep(first / 1_000_000)
        except asyncio.CancelledError:
            # Its worker is lost, and what it sent before arrives all the same.
            if isinstance(message, SubmitWorkflowCommands):
                self._host.tell(message)
            raise
