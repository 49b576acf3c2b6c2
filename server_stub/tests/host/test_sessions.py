"""Workers' sessions as the host sees them: one that fails, or whose worker is silent, is nobody else's trouble."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest

from rescind.errors import RescindError, ServerUnavailable
from rescind.model.commands import StartExecution
from rescind.model.ids import ExecutionId, WorkerId
from rescind.model.messages import (
    AgentActivation,
    AgentKind,
    AgentProgress,
    TaskActivation,
    ToWorker,
    WorkerAlive,
    WorkerJoined,
)
from rescind.model.operations import ScheduleTask
from rescind.model.payload import NULL_PAYLOAD
from rescind.testing.virtual_time import run
from server_stub.tests.host.setting import START, TASK, Setting, X, asks, settle


class Worker:
    """A worker's end of a session.

    Attributes:
        received: what it was sent.
        ended: why its session was ended, each time.
        failure: what sending to it raises.
    """

    def __init__(self, setting: Setting, name: str, kind: str) -> None:
        self.received: list[ToWorker] = []
        self.ended: list[RescindError] = []
        self.failure: Exception | None = None
        self.worker_id = WorkerId(name)
        self._host = setting.host
        self._kind = kind

    def deliver(self, messages: Sequence[ToWorker]) -> None:
        if self.failure is not None:
            raise self.failure
        self.received.extend(messages)

    async def join(self, session: int = 1, silence_ms: int | None = None) -> None:
        self._host.attach(self.worker_id, session, self.deliver, self.ended.append)
        kinds = (AgentKind(self._kind),)
        self._host.tell(WorkerJoined(self.worker_id, session, ("default",), kinds, silence_ms=silence_ms))
        await settle()

    def executions(self) -> list[str]:
        return [each.execution_id for each in self.received if isinstance(each, AgentActivation)]


def starting(kind: str, name: str) -> StartExecution:
    return StartExecution(kind, NULL_PAYLOAD, ExecutionId(name))


def test_a_session_that_cannot_be_sent_to_is_ended_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Setting() as setting:
            broken, well = Worker(setting, "broken", "b"), Worker(setting, "well", "w")
            await broken.join()
            await well.join()
            broken.failure = TypeError("cannot be encoded")
            await asks(setting.host, starting("b", "b-1"), starting("w", "w-1"))
            assert setting.host.failure is None
            assert well.executions() == ["w-1"]
            assert [str(error) for error in broken.ended] == [
                "the server could not send (TypeError: cannot be encoded)."
            ]
            await asks(setting.host, starting("b", "b-2"), starting("w", "w-2"))
            assert well.executions() == ["w-1", "w-2"]

    with caplog.at_level(logging.ERROR):
        run(main())
    assert [record.getMessage() for record in caplog.records] == [
        "the messages for worker 'broken' could not be sent; its session is ended"
    ]


def test_a_worker_that_says_nothing_for_too_long_is_told_so_once() -> None:
    async def main() -> None:
        async with Setting() as setting:
            silent, lively = Worker(setting, "silent", "s"), Worker(setting, "lively", "l")
            await silent.join(silence_ms=1_000)
            await lively.join(silence_ms=1_000)
            for _ in range(10):
                await asyncio.sleep(0.5)
                setting.host.tell(WorkerAlive(lively.worker_id))
            assert lively.ended == []
            assert [type(error) for error in silent.ended] == [ServerUnavailable]
            assert "worker 'silent' said nothing for too long" in str(silent.ended[0])
            await silent.join(session=2, silence_ms=1_000)
            await asks(setting.host, starting("s", "s-1"))
            assert silent.executions() == ["s-1"], "it may come back"

    run(main())


def test_a_session_that_left_is_sent_nothing_and_its_successor_everything() -> None:
    async def main() -> None:
        async with Setting() as setting:
            before, after = Worker(setting, "same", "a"), Worker(setting, "same", "a")
            await before.join()
            await after.join(session=2)
            setting.host.detach(before.worker_id, before.deliver)
            await asks(setting.host, starting("a", "a-1"))
            assert (before.executions(), after.executions()) == ([], ["a-1"])
            setting.host.detach(after.worker_id, after.deliver)
            await asks(setting.host, starting("a", "a-2"))
            assert after.executions() == ["a-1"]
            assert setting.host.failure is None

    run(main())


def test_what_was_decided_for_a_session_does_not_reach_the_next_one() -> None:
    """The engine counts it as lost when the worker joins without it: so its code must not run."""

    async def main() -> None:
        async with Setting() as setting:
            await setting.host.ask(START)
            setting.store.is_open.clear()
            setting.host.tell(AgentProgress(X, 1, 1, (ScheduleTask(1, TASK, "work", NULL_PAYLOAD),)))
            await settle()
            second: list[ToWorker] = []
            worker_id = WorkerId("w")
            setting.host.attach(worker_id, 2, second.extend)
            setting.host.tell(WorkerJoined(worker_id, 2, ("default",), (AgentKind("agent"),), ("work",)))
            setting.store.is_open.set()
            await asyncio.sleep(60)
            assert [each.attempt for each in second if isinstance(each, TaskActivation)] == [2]

    run(main())
