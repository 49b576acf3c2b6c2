"""What the tests of this folder look at beside what those of other executors do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rescind import TaskDefinition
from rescind.authoring.conversion import decode
from rescind.client.records import TaskRecord
from rescind.executors import ContainerResult
from sdk.tests.worker.executors.observed import NOTHING, Observed, observed


def result_of(record: TaskRecord) -> ContainerResult:
    """The result of a task that completed."""
    assert record.status == "COMPLETED", record.error
    assert record.view.output is not None
    result: ContainerResult = decode(record.view.output, ContainerResult, what="output")
    return result


def how_it_ended(record: TaskRecord) -> tuple[str, str | None]:
    """Its status and its stop state."""
    return record.status.value, record.stop_state and record.stop_state.value


@asynccontextmanager
async def ready(definition: TaskDefinition[Any, Any], task_input: Any = NOTHING) -> AsyncIterator[Observed]:
    """A container that has said that it is ready."""
    async with observed(definition, task_input) as seen:
        await seen.said("ready\n")
        yield seen
