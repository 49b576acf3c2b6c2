"""The end of a host, wanted or not: everybody who waits learns of it, and nothing is told that is not durable."""

from __future__ import annotations

import asyncio
import logging

import pytest

from rescind.errors import ServerUnavailable
from rescind.model.commands import (
    CancelExecution,
    CancelTaskFromOutside,
    SignalExecution,
)
from rescind.model.events import EventType
from rescind.model.ids import ExecutionId, Instant, WorkerId
from rescind.model.messages import (
    AgentProgress,
    WorkerJoined,
)
from rescind.model.operations import StartTimer
from rescind.model.status import CancelMode
from rescind.testing.virtual_time import run
from rescind_server.engine.entities import Execution
from rescind_server.host.clock import WallClock
from server_stub.tests.host.setting import CAUSE, START, TASK, Setting, X, asks, settle


def test_closing_answers_whoever_waits_in_whatever_place() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.schedule()
            deferred = asyncio.create_task(setting.host.ask(CancelTaskFromOutside(X, TASK, CAUSE, CancelMode.WAIT)))
            await settle()
            setting.store.is_open.clear()
            (committing,) = await asks(setting.host, SignalExecution(X, "a"))
            (waiting,) = await asks(setting.host, SignalExecution(X, "b"))
            await setting.host.close()
            for asked in (deferred, committing, waiting):
                with pytest.raises(ServerUnavailable, match="closed"):
                    await asked

    run(main())


def test_a_closed_host_refuses_to_be_asked() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.host.close()
            with pytest.raises(ServerUnavailable, match="closed"):
                await setting.host.ask(START)

    run(main())


def test_closing_leaves_no_timer() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.host.ask(START)
            setting.host.tell(AgentProgress(X, 1, 1, (StartTimer(1, Instant(WallClock().now() + 1_000_000)),)))
            await settle()
            await setting.host.close()
            await asyncio.sleep(10)
            assert EventType.TIMER_FIRED not in [event.type for event in setting.host.history(X)]

    run(main())


def test_a_turn_that_fails_ends_the_host_visibly_and_tells_nobody_of_it(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.host.ask(START)
            pushed = len(setting.received)
            setting.store.is_open.clear()
            async with setting.host.watchers.subscribe(X) as seen:
                failing = await asks(setting.host, CancelExecution(X, CAUSE, hard=True))
                waiting = await asks(setting.host, SignalExecution(X, "go"))
                setting.store.failure = OSError("no space left on device")
                setting.store.is_open.set()
                for asked in (*failing, *waiting):
                    with pytest.raises(ServerUnavailable, match="no space left on device"):
                        await asked
                with pytest.raises(ServerUnavailable, match="no space left on device"):
                    await seen.get()
            assert len(setting.received) == pushed
            assert setting.host.failure is setting.store.failure
            with pytest.raises(ServerUnavailable, match="no space left") as refusal:
                await setting.host.ask(START)
            assert refusal.value.__cause__ is setting.store.failure
            with pytest.raises(ServerUnavailable):  # the engine's memory is ahead of what is durable
                await setting.host.details(X)
            assert EventType.EXECUTION_CANCELLED not in [event.type for event in setting.host.history(X)]

    with caplog.at_level(logging.CRITICAL):
        run(main())
    assert ["host failed" in record.message for record in caplog.records] == [True]


def test_a_look_up_that_fails_is_told_to_whoever_asked_and_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.host.ask(START)
            committed = setting.store.committed

            def failing(execution_id: ExecutionId) -> Execution | None:
                if execution_id == "odd":
                    raise ValueError("cannot be read")
                return committed(execution_id)

            monkeypatch.setattr(setting.store, "committed", failing)
            setting.store.is_open.clear()
            await asks(setting.host, SignalExecution(X, "go"))
            questions = [asyncio.create_task(setting.host.details(ExecutionId(name))) for name in ("odd", X, "nobody")]
            await settle()
            setting.store.is_open.set()
            with pytest.raises(ValueError, match="cannot be read"):
                await questions[0]
            details = await questions[1]
            assert details is not None
            assert details.execution.execution_id == X
            assert await questions[2] is None
            assert setting.host.failure is None
            assert await setting.host.details(X) is not None

    run(main())


def test_a_host_that_failed_drives_nothing_any_more() -> None:
    async def main() -> None:
        async with Setting() as setting:
            setting.store.failure = OSError("no space left on device")
            with pytest.raises(ServerUnavailable):
                await setting.host.ask(START)
            commits = len(setting.store.commits)
            setting.store.failure = None
            setting.host.tell(WorkerJoined(WorkerId("v"), 1, ("default",)))
            await asyncio.sleep(100)
            assert len(setting.store.commits) == commits

    run(main())
