"""A worker of workflows, and a server that does not answer, or refuses: none is left behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest

from rescind import RequestError, RescindError, ServerUnavailable, StoreError, WorkflowContext, workflow
from rescind.authoring.registry import Registry
from rescind.authoring.workflow import WorkflowDefinition
from rescind.model.workflow_commands import AnyWorkflowCommand, PassStatus
from rescind.model.workflow_events import LoggedEvent
from rescind.model.workflows import PASS_BEAT_MS, PASS_CLAIM_MS, WorkflowClaimed
from rescind.testing import run
from rescind.worker.workflow_runs import WorkflowRuns
from sdk.tests.workflows.kept_log import KeptLog

FULL = StoreError("the disk is full.")
AWAY = ServerUnavailable("the server is away.")


@workflow("order")
async def order(ctx: WorkflowContext) -> int:
    return await ctx.run(long_step, name="long")


@workflow("quick")
async def quick(_: WorkflowContext) -> int:
    return 1


async def long_step() -> int:
    await asyncio.sleep(3 * PASS_CLAIM_MS / 1_000)
    return 1


class Server:
    """A server with one workflow, which fails as it is told.

    Attributes:
        polls: what the next polls fail with.
        trouble: what submissions and releases fail with, for now.
        heard: what arrived, each with its time in whole seconds.
    """

    def __init__(self, of: WorkflowDefinition[Any, Any]) -> None:
        self._log = KeptLog(of)
        self._offered = [self._log.claimed]
        self.polls: list[RescindError] = []
        self.trouble: RescindError | None = None
        self.heard: list[tuple[str, int]] = []

    async def claim(self, queue: str, cleanup_budgets_ms: Mapping[str, int]) -> WorkflowClaimed | None:
        if self.polls:
            raise self.polls.pop(0)
        if not self._offered:
            await asyncio.sleep(1e9)
        return self._offered.pop()

    async def events(self, claimed: WorkflowClaimed, after: int) -> Sequence[LoggedEvent]:
        return self._log.events[after:]

    async def submit(
        self,
        claimed: WorkflowClaimed,
        commands: Sequence[AnyWorkflowCommand],
        status: PassStatus,
        seen: int,
        *,
        cleaning_up: bool,
    ) -> None:
        self._hear("submitted")

    async def hold(self, claims: Sequence[WorkflowClaimed]) -> None:
        assert claims == (self._log.claimed,)
        self._hear("held")

    async def release(self, claimed: WorkflowClaimed) -> None:
        self._hear("released")

    def _hear(self, what: str) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.heard.append((what, int(asyncio.get_running_loop().time())))

    def names(self) -> list[str]:
        """What arrived."""
        return [name for name, _ in self.heard]


def play(server: Server, scenario: Coroutine[Any, Any, None]) -> float:
    """Let a worker run while something happens; then it leaves, and so many seconds that takes."""

    async def played() -> float:
        registry: Registry[WorkflowDefinition[Any, Any]] = Registry(WorkflowDefinition)
        for each in (order, quick):
            registry.register(each)
        runs = WorkflowRuns(registry, server, ["default"], payload_limit=1_000, worker="w")
        runs.start()
        await scenario
        begun = asyncio.get_running_loop().time()
        await runs.drain()
        runs.close()
        return asyncio.get_running_loop().time() - begun

    return run(played())


@pytest.mark.parametrize("error", [FULL, AWAY, RescindError("it has a bug."), RequestError("it is older.")])
def test_a_worker_polls_on_whatever_a_poll_fails_with(error: RescindError, caplog: pytest.LogCaptureFixture) -> None:
    server = Server(quick)
    server.polls = [error] * 5

    async def scenario() -> None:
        await asyncio.sleep(60)

    play(server, scenario())
    assert server.names() == ["submitted"]
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == (0 if error is AWAY else 1), "said once, or left to the session"


@pytest.mark.parametrize("error", [FULL, AWAY])
def test_a_submission_is_repeated_while_the_claim_lasts(error: RescindError) -> None:
    server = Server(quick)
    server.trouble = error

    async def scenario() -> None:
        await asyncio.sleep(30)
        server.trouble = None
        await asyncio.sleep(30)

    play(server, scenario())
    assert server.names() == ["submitted"]


@pytest.mark.parametrize("error", [FULL, AWAY])
def test_a_submission_that_is_given_up_gives_the_claim_back(error: RescindError) -> None:
    server = Server(quick)
    server.trouble = error

    async def scenario() -> None:
        await asyncio.sleep(PASS_CLAIM_MS / 1_000)
        server.trouble = None
        await asyncio.sleep(30)

    play(server, scenario())
    assert server.names() == ["released"]


def test_a_worker_that_leaves_does_not_wait_for_a_server_that_is_away() -> None:
    server = Server(quick)
    server.trouble = AWAY

    async def scenario() -> None:
        await asyncio.sleep(1)

    assert play(server, scenario()) < 10
    assert server.heard == []


def test_a_claim_is_held_as_long_as_its_step_takes_and_no_longer() -> None:
    server = Server(order)

    async def scenario() -> None:
        await asyncio.sleep(4 * PASS_CLAIM_MS / 1_000)

    play(server, scenario())
    assert server.heard.pop()[0] == "submitted"
    assert set(server.names()) == {"held"}
    times = [at for _, at in server.heard]
    assert len(times) >= 3 * PASS_CLAIM_MS // PASS_BEAT_MS - 1
    assert max(later - sooner for sooner, later in pairwise(times)) <= PASS_BEAT_MS / 1_000


def test_a_claim_whose_submission_does_not_arrive_is_held_no_longer() -> None:
    server = Server(order)

    async def scenario() -> None:
        await asyncio.sleep(3 * PASS_CLAIM_MS / 1_000 - 1)
        server.trouble = AWAY
        server.heard.clear()
        await asyncio.sleep(30)
        server.trouble = None
        await asyncio.sleep(PASS_CLAIM_MS / 1_000)

    play(server, scenario())
    assert server.names() == ["submitted"]


def test_a_beat_that_does_not_arrive_ends_nothing() -> None:
    server = Server(order)

    async def scenario() -> None:
        server.trouble = FULL
        await asyncio.sleep(30)
        server.trouble = None
        await asyncio.sleep(4 * PASS_CLAIM_MS / 1_000)

    play(server, scenario())
    assert server.names()[-1] == "submitted"
