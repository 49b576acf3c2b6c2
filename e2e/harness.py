"""What a scenario needs of a backend, and nothing more: the same scenario then runs on each of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from rescind import EntryRole, ExecutionStatus, StopState, TaskStatus
from rescind.model.events import HistoryEvent


@dataclass(frozen=True, slots=True)
class SeenTask:
    """A task as a caller sees it.

    Attributes:
        task_id: its id.
        kind: its kind.
        status: where it stands.
        stop_state: how far the stopping of its last attempt has come; None if there was nothing to stop.
        attempts: how many attempts were started.
        input: its input.
        output: its result, if COMPLETED.
    """

    task_id: UUID
    kind: str
    status: TaskStatus
    stop_state: StopState | None
    attempts: int
    input: Any
    output: Any


@dataclass(frozen=True, slots=True)
class SeenEntry:
    """An entry of an execution's conversation."""

    entry_id: UUID
    role: EntryRole
    content: Any


class Run(Protocol):
    """One execution of an agent.

    Attributes:
        input: what the agent was given, its delays scaled for the backend.
    """

    @property
    def input(self) -> Mapping[str, Any]: ...

    async def result(self) -> Any:
        """Wait for its end and return its output. Raises what `ExecutionHandle.result` raises."""

    async def status(self) -> ExecutionStatus:
        """Where it stands."""

    async def tasks(self) -> Sequence[SeenTask]:
        """Its tasks, in the order in which they were scheduled."""

    async def entries(self) -> Sequence[SeenEntry]:
        """Its conversation, oldest first."""

    async def checkpoints(self) -> Sequence[Any]:
        """The states of its checkpoints, oldest first."""

    async def history(self) -> Sequence[HistoryEvent] | None:
        """Everything that happened to it, in order; None if the backend keeps no history of ours."""

    async def tasks_ended(self) -> None:
        """Wait until each of its tasks has ended, also those that were left to finish."""

    async def stopped(self) -> None:
        """Wait until nothing of its cancelled tasks is at work any more, and their workers have said so."""


class Harness(Protocol):
    """A backend at work: the fixture agents and tasks have a worker, and a client can start them.

    Attributes:
        time_scale: what the scenarios' delays are multiplied by. 1 in virtual time; less where time is real.
        is_deterministic: whether the same scenario always takes the same course, so that all of it can be foretold.
    """

    time_scale: float
    is_deterministic: bool

    async def start(self, kind: str, given: Mapping[str, Any]) -> Run:
        """Start an agent. Every delay in its input (a number whose key ends in "Ms") is multiplied by `time_scale`."""


Play = Callable[[Harness], Awaitable[None]]


class Backend(Protocol):
    """Where scenarios are played.

    Attributes:
        name: its column in the matrix.
    """

    name: str

    def play(self, scenario: Play) -> None:
        """Put a harness up, play the scenario on an event loop of its own, and take the harness down again."""

    def close(self) -> None:
        """Take down what the plays of this run have shared, in order. Raises if it does not go in order."""


def scaled(given: Mapping[str, Any], time_scale: float) -> dict[str, Any]:
    """The same input with its delays multiplied, as whole milliseconds."""
    return {key: _scaled_value(key, value, time_scale) for key, value in given.items()}


def _scaled_value(key: str, value: Any, time_scale: float) -> Any:
    is_delay = key.endswith("Ms") and isinstance(value, int) and not isinstance(value, bool)
    return max(1, round(value * time_scale)) if is_delay else value
