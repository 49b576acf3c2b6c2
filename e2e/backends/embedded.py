"""The engine in this process, in virtual time: in memory, and on a SQLite file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from e2e.backends.handle_run import HandleRun
from e2e.harness import Play, Run, scaled
from fixtures.scenarios import AGENTS, TASKS
from rescind.testing import Environment, run


class EmbeddedMemory:
    """See `Backend`."""

    name = "embedded-memory"

    def play(self, scenario: Play) -> None:
        """See `Backend`."""
        run(_play(scenario, None))

    def close(self) -> None:
        """See `Backend`. Every play takes down what it put up."""


class EmbeddedSqlite:
    """See `Backend`."""

    name = "embedded-sqlite"

    def play(self, scenario: Play) -> None:
        """See `Backend`."""
        with TemporaryDirectory() as folder:
            run(_play(scenario, Path(folder) / "store.db"))

    def close(self) -> None:
        """See `Backend`. Every play takes down what it put up."""


class EmbeddedHarness:
    """See `Harness`."""

    time_scale = 1.0
    is_deterministic = True

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def start(self, kind: str, given: Mapping[str, Any]) -> Run:
        """See `Harness`."""
        agent_input = scaled(given, self.time_scale)
        return HandleRun(await self._environment.start(kind, agent_input), agent_input)


async def _play(scenario: Play, store: Path | None) -> None:
    async with Environment(agents=AGENTS, tasks=TASKS, store=store) as environment:
        await scenario(EmbeddedHarness(environment))
