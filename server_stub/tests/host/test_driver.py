"""The host: decide, commit, reply, act, in this order, whatever the store does (cancellation.md, invariant 2)."""

from __future__ import annotations

import asyncio

from rescind.model.commands import (
    CancelAnswered,
    CancelExecution,
    CancelTaskFromOutside,
    Refused,
    SignalExecution,
    Signalled,
    Started,
    StartExecution,
)
from rescind.model.events import EventType, HistoryEvent
from rescind.model.ids import ExecutionId, Instant
from rescind.model.messages import (
    AgentActivation,
    AgentCompleted,
    AgentProgress,
    StreamedEvent,
    TaskReported,
)
from rescind.model.operations import StartTimer, TimerFired
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import CancelMode, CancelTaskResult, ExecutionStatus
from rescind.testing.virtual_time import run
from rescind_server.host.clock import WallClock
from server_stub.tests.host.setting import CAUSE, START, TASK, Setting, X, asks, read, settle


def test_nothing_is_replied_or_pushed_before_the_commit_has_returned() -> None:
    async def main() -> None:
        async with Setting() as setting:
            setting.store.is_open.clear()
            async with setting.host.watchers.subscribe(X) as seen:
                (asked,) = await asks(setting.host, START)
                assert len(setting.store.commits[-1]) == 1  # it is decided
                assert not asked.done()
                assert setting.received == []
                assert await read(seen) == []
                setting.store.is_open.set()
                assert await asked == Started(X, created=True)
                assert isinstance(setting.received[0], AgentActivation)
                assert await read(seen) == list(setting.host.history(X))

    run(main())


def test_what_comes_in_during_a_commit_is_the_next_commit_as_one() -> None:
    async def main() -> None:
        async with Setting() as setting:
            setting.store.is_open.clear()
            before = len(setting.store.commits)
            await asks(setting.host, START)
            names = [ExecutionId(f"x{number}") for number in range(10)]
            asked = await asks(setting.host, *[StartExecution("agent", NULL_PAYLOAD, name) for name in names])
            setting.store.is_open.set()
            assert [await each for each in asked] == [Started(name, created=True) for name in names]
            assert [len(commit) for commit in setting.store.commits[before:]] == [1, 10]

    run(main())


def test_a_deadline_is_decided_at_its_time_and_once() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.host.ask(START)
            begin = WallClock().now()
            setting.host.tell(AgentProgress(X, 1, 1, (StartTimer(1, Instant(begin + 5_000_000)),)))
            await asyncio.sleep(4.999)
            assert setting.activation().number == 1
            await asyncio.sleep(0.001)
            await settle()
            assert [each.answer for each in setting.activation().resolutions] == [TimerFired()]
            await asyncio.sleep(100)
            fired = [event for event in setting.host.history(X) if event.type is EventType.TIMER_FIRED]
            assert [event.at for event in fired] == [begin + 5_000_000]

    run(main())


def test_a_deadline_that_came_during_a_commit_is_decided_after_what_came_in() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.host.ask(START)
            setting.host.tell(AgentProgress(X, 1, 1, (StartTimer(1, Instant(WallClock().now() + 1_000_000)),)))
            await settle()
            setting.store.is_open.clear()
            await asks(setting.host, SignalExecution(X, "before"))
            await asyncio.sleep(2)
            await asks(setting.host, SignalExecution(X, "during"))
            setting.store.is_open.set()
            await settle()
            later = [event.type for event in setting.host.history(X)][-4:]
            assert later == ["SIGNAL_RECEIVED", "SIGNAL_RECEIVED", "TIMER_FIRED", "EXECUTION_ACTIVATED"]

    run(main())


def test_an_idle_host_commits_nothing() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.host.ask(START)
            commits = len(setting.store.commits)
            await asyncio.sleep(1_000)
            assert len(setting.store.commits) == commits

    run(main())


def test_an_answer_that_comes_later_reaches_who_asked() -> None:
    async def main() -> None:
        async with Setting() as setting:
            work = await setting.schedule()
            cancel = CancelTaskFromOutside(X, TASK, CAUSE, CancelMode.WAIT)
            asked = [asyncio.create_task(setting.host.ask(cancel)) for _ in range(2)]
            await settle()
            assert not any(each.done() for each in asked)
            setting.host.tell(TaskReported(TASK, work.lease, cancelled=True))
            results = [await each for each in asked]
            assert results == [
                CancelAnswered(CancelTaskResult.CANCELLED),
                CancelAnswered(CancelTaskResult.ALREADY_CANCELLED),
            ]

    run(main())


def test_leaving_the_wait_for_an_answer_withdraws_nothing_and_hinders_nobody() -> None:
    async def main() -> None:
        async with Setting() as setting:
            work = await setting.schedule()
            asked = asyncio.create_task(setting.host.ask(CancelTaskFromOutside(X, TASK, CAUSE, CancelMode.WAIT)))
            await settle()
            asked.cancel()
            setting.host.tell(TaskReported(TASK, work.lease, cancelled=True))
            await settle()
            assert setting.host.failure is None
            assert EventType.TASK_CANCELLED in [event.type for event in setting.host.history(X)]

    run(main())


def test_what_is_streamed_reaches_who_follows_and_is_not_kept() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.host.ask(START)
            word = StreamedEvent("token", Payload(b'{"text":"hi"}'))
            async with setting.host.watchers.subscribe(X) as seen:
                setting.host.tell(AgentProgress(X, 1, 1, (), AgentCompleted(NULL_PAYLOAD), (word,)))
                told = await read(seen)
            assert word in told
            assert [each for each in told if isinstance(each, HistoryEvent)] == list(setting.host.history(X, after=2))

    run(main())


# -- after the end --


def test_a_closed_execution_answers_as_it_did_before() -> None:
    async def main() -> None:
        async with Setting() as setting:
            work = await setting.schedule()
            setting.host.tell(TaskReported(TASK, work.lease, NULL_PAYLOAD))
            await setting.host.ask(SignalExecution(X, "go"))
            await setting.host.ask(CancelExecution(X, CAUSE))
            await setting.end()
            details = await setting.host.details(X)
            assert details is not None
            assert details.execution.status is ExecutionStatus.CANCELLED
            assert await setting.host.ask(START) == Started(X, created=False)
            other = await setting.host.ask(StartExecution("agent", Payload(b"other"), X))
            assert isinstance(other, Refused)
            assert other.error == "AlreadyExists"
            signal = await setting.host.ask(SignalExecution(X, "go"))
            assert isinstance(signal, Refused)
            assert signal.error == "ExecutionEnded"
            cancel = await setting.host.ask(CancelExecution(X, CAUSE))
            assert cancel == CancelAnswered(CancelTaskResult.ALREADY_CANCELLED)
            cancel = await setting.host.ask(CancelTaskFromOutside(X, TASK, CAUSE))
            assert cancel == CancelAnswered(CancelTaskResult.ALREADY_COMPLETED)
            assert len(setting.host.execution_ids()) == 1

    run(main())


def test_an_execution_that_closes_within_a_turn_answers_so_in_the_rest_of_it() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.host.ask(START)
            setting.host.tell(AgentProgress(X, 1, 1, (), AgentCompleted(NULL_PAYLOAD)))
            again, signal = await asks(setting.host, START, SignalExecution(X, "go"))
            assert await again == Started(X, created=False)
            reply = await signal
            assert isinstance(reply, Refused)
            assert reply.error == "ExecutionEnded"

    run(main())


def test_a_signal_is_numbered_in_the_order_of_asking() -> None:
    async def main() -> None:
        async with Setting() as setting:
            await setting.host.ask(START)
            asked = await asks(setting.host, *[SignalExecution(X, "go") for _ in range(3)])
            assert [await each for each in asked] == [Signalled(1), Signalled(2), Signalled(3)]

    run(main())
