"""What a worker over flovyn.v1 refuses before it begins, and what it makes of a server's refusals."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest

from rescind import AgentContext, ExecutionStatus, agent, workflow
from rescind.client.connecting import Client
from rescind.errors import (
    ExecutionEnded,
    InvalidInput,
    NotPermitted,
    NotSupported,
    RequestError,
    RescindError,
    ServerUnavailable,
)
from rescind.flovyn.agent_calls import AgentCalls
from rescind.flovyn.calls import insisting
from rescind.testing import run
from rescind.worker.connecting import Worker
from rescind_server.app import Server

LONGEST: Final = 30.0


def test_a_protocol_that_nobody_speaks_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"flovyn\.v1"):
        Worker("127.0.0.1:1", protocol="flovyn.v9")  # type: ignore[arg-type]


def test_workflows_are_refused_over_flovyn() -> None:
    @workflow("flow")
    async def flow(ctx: Any) -> None: ...

    with pytest.raises(NotSupported, match=r"workflow 'flow' .* protocol 'native'"):
        Worker("127.0.0.1:1", workflows=[flow], protocol="flovyn.v1")


@pytest.mark.parametrize(("protocol", "options"), [("native", {"heartbeat_ms": 5}), ("flovyn.v1", {"look_every_s": 0})])
def test_an_option_that_cannot_be_meant_is_refused(protocol: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(options))):
        Worker("127.0.0.1:1", protocol=protocol, **options)


def test_a_server_that_fails_over_a_call_is_asked_again() -> None:
    answers: list[Exception | str] = [RescindError("it failed"), ServerUnavailable("it is away"), "an answer"]

    async def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert run(insisting(ask)) == "an answer"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "refusal", [RequestError("not in this state"), ExecutionEnded("another runs it"), NotPermitted("a new token")]
)
async def test_a_late_call_that_is_refused_fails_nothing(
    refusal: RequestError, server: Server, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = asyncio.Event()

    @agent("late")
    async def late(ctx: AgentContext) -> None:
        try:
            await ctx.append_entry("assistant", "too late")
            await ctx.wait_for_signal_raw("go")
        finally:
            forgotten.set()

    async def refused(*_: Any) -> None:
        raise refusal

    monkeypatch.setattr(AgentCalls, "append", refused)
    async with Worker(server.address, agents=[late], protocol="flovyn.v1"):
        handle = await client.start("late")
        await asyncio.wait_for(forgotten.wait(), LONGEST)
        assert await handle.status() is ExecutionStatus.RUNNING
