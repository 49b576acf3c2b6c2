"""A worker's sessions: what came twice over one is known as such; a new one begins without a past."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rescind import AgentContext, TaskContext, agent, task
from rescind.model.ids import ExecutionId, Instant, Lease, TaskId
from rescind.model.messages import AgentActivation, AgentProgress, AgentStart, FromWorker, TaskActivation, ToWorker
from rescind.model.payload import NULL_PAYLOAD
from rescind.testing import Environment
from rescind.worker.worker import Worker


class Port:
    """A worker's port to nobody; what is sent over it is kept."""

    def __init__(self) -> None:
        self.sent: list[FromWorker] = []
        self.deliver: Callable[[ToWorker], None] = _nobody

    def open(self, receive: Callable[[ToWorker], None]) -> None:
        self.deliver = receive

    def send(self, message: FromWorker) -> None:
        self.sent.append(message)

    async def close(self) -> None:
        """Nobody is told."""

    def progress(self) -> int:
        """How many answers of agents were sent."""
        return sum(isinstance(message, AgentProgress) for message in self.sent)


def _nobody(message: ToWorker) -> None:
    raise AssertionError("the port is not open")


@agent("brief")
async def brief(ctx: AgentContext) -> str:
    return "done"


def first_run(now: int = 0) -> AgentActivation:
    start = AgentStart(kind="brief", queue="default", organisation="", input=NULL_PAYLOAD, labels={})
    return AgentActivation(ExecutionId("e-1"), 1, 1, Instant(now), (), None, start)


def working(port: Port, **definitions: Any) -> Worker:
    worker = Worker(port, worker_id="w-1", **definitions)
    worker.start()
    return worker


@pytest.mark.rescind
async def test_a_run_that_is_over_is_not_begun_again_by_the_same_message(rescind_env: Environment) -> None:
    port = Port()
    worker = working(port, agents=[brief])
    port.deliver(first_run())
    port.deliver(first_run())
    assert port.progress() == 1
    worker.abandon()


@pytest.mark.rescind
async def test_an_id_that_its_server_has_forgotten_begins_anew(rescind_env: Environment) -> None:
    port = Port()
    worker = working(port, agents=[brief])
    port.deliver(first_run())
    port.deliver(first_run(now=1_000))
    assert port.progress() == 2
    worker.abandon()


@pytest.mark.rescind
async def test_over_a_new_session_the_same_run_is_another_servers(rescind_env: Environment) -> None:
    first, second = Port(), Port()
    worker = working(first, agents=[brief])
    first.deliver(first_run())
    worker.rejoin(second, 2)
    second.deliver(first_run())
    assert (first.progress(), second.progress()) == (1, 1)
    worker.abandon()


@pytest.mark.rescind
async def test_a_lease_that_is_not_new_starts_no_code_over_any_session(rescind_env: Environment) -> None:
    started: list[int] = []

    @task("note")
    async def note(ctx: TaskContext) -> None:
        started.append(ctx.attempt)

    first, second = Port(), Port()
    worker = working(first, tasks=[note])
    activation = TaskActivation(TaskId("t-1"), Lease(7), ExecutionId("e-1"), "note", NULL_PAYLOAD, 1, 1_000)
    first.deliver(activation)
    first.deliver(activation)
    worker.rejoin(second, 2)
    second.deliver(activation)
    await rescind_env.settled()
    assert started == [1]
    worker.abandon()
