"""Orders to stop, and workers that do not hear them: cut off, frozen, killed, or not there yet."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from e2e.crash.proxy import Proxy
from e2e.crash.stopping_worker import GO, RUNS, TOLD
from e2e.processes import Process
from rescind import CancelMode, CancelTaskResult, ExecutionHandle
from rescind.cli.examinations import Level, examine
from rescind.client.connecting import Client
from rescind.client.records import TaskRecord
from rescind.model.events import EventType
from rescind.model.filters import TaskFilter
from rescind.model.overviews import StuckReason, StuckTask
from rescind.testing import check_history
from rescind.worker.executors import process_table
from rescind_server.app import Server

pytestmark = pytest.mark.asyncio
LONGEST: Final = 60.0
# Long enough that nothing is lost while a test looks at it.
PATIENT_MS: Final = 60_000
HASTY_MS: Final = 300


class Setting(NamedTuple):
    """A server, somebody who asks it, and one worker process behind a network of its own."""

    client: Client
    network: Proxy
    worker: Process
    folder: Path
    address: str

    async def started(self, kind: str) -> ExecutionHandle[None]:
        """An agent whose one task of this kind runs."""
        handle: ExecutionHandle[None] = await self.client.start("holding", self.given(kind))
        await until(self.path(RUNS).exists)
        return handle

    def given(self, kind: str) -> dict[str, str]:
        return {"kind": kind, "folder": str(self.folder)}

    def path(self, name: str) -> Path:
        """What a task writes, or looks for."""
        return self.folder / name

    async def cancel(self, handle: ExecutionHandle[None], mode: CancelMode = CancelMode.TRY) -> CancelTaskResult:
        """Cancel its task."""
        return await handle.cancel_task((await task_of(handle)).task_id, "not needed", mode=mode)

    async def is_told(self) -> None:
        """Return when the worker has acknowledged an order to stop."""
        while True:
            listed, _ = await self.client.tasks_page(TaskFilter(stopping=True))
            if any(attempt.acknowledged for each in listed for attempt in each.at_work):
                return
            await asyncio.sleep(0.02)

    async def is_away(self) -> None:
        """Cut the worker off, and return when the server knows."""
        self.network.point_to(None)
        self.network.cut()
        while [each async for each in self.client.workers() if each.connected]:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)

    def is_back(self) -> None:
        """Let the worker reach the server again."""
        self.network.point_to(self.address)

    async def stuck(self, reason: StuckReason) -> StuckTask:
        """The task, as soon as it is stuck for this reason."""
        while True:
            for each in (await self.client.stuck()).tasks:
                if each.reason is reason:
                    return each
            await asyncio.sleep(0.02)

    async def checked(self, check: str) -> tuple[Level, str]:
        """What the doctor finds."""
        return next((each.level, each.message) for each in await examine(self.client) if each.check == check)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; the test's own limit of time ends a wait in vain."""
    while not condition():  # noqa: ASYNC110 - the disk and the process table tell nobody when they change
        await asyncio.sleep(0.01)


def running_with(sign: str) -> bool:
    """Whether some process has this in its command line."""
    return any(sign in command_line(row.pid) for row in process_table.processes() if row.state != "Z")


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


async def task_of(handle: ExecutionHandle[None]) -> TaskRecord:
    (task,) = await handle.tasks()
    return task


async def stop_state(handle: ExecutionHandle[None], state: str) -> None:
    """Wait until the stopping of its task has come so far."""
    while (await task_of(handle)).stop_state != state:  # noqa: ASYNC110 - nobody is told of each step
        await asyncio.sleep(0.02)


async def stopped(handle: ExecutionHandle[None]) -> TaskRecord:
    """The task, when its stop record has come to its end."""
    await handle.result()
    record = await task_of(handle)
    check_history(await handle.history())
    return record


@asynccontextmanager
async def setting(folder: Path, *, lease_ms: int = PATIENT_MS, silence_ms: int = PATIENT_MS) -> AsyncIterator[Setting]:
    async with (
        asyncio.timeout(LONGEST),
        Server(folder / "store.db", "127.0.0.1:0", lease_ms=lease_ms) as server,
        Proxy() as network,
        Client(server.address, by="client:test") as client,
    ):
        network.point_to(server.address)
        arguments = ("-m", "e2e.crash.stopping_worker", network.address, str(silence_ms))
        worker = Process("worker", arguments, folder / "worker.log", announces="begins")
        try:
            yield Setting(client, network, worker, folder, server.address)
        finally:
            worker.thaw()
            worker.kill()
            print(worker.logged())


async def test_an_order_waits_for_a_worker_that_is_cut_off_and_reaches_it_when_it_is_back(tmp_path: Path) -> None:
    async with setting(tmp_path) as everything:
        handle = await everything.started("held")
        await everything.is_away()
        assert await everything.cancel(handle) is CancelTaskResult.CANCELLED
        waits = await everything.stuck(StuckReason.STOP_WAITS)
        assert [attempt.deliveries for attempt in waits.listed.at_work] == [0]
        level, message = await everything.checked("offline")
        assert (level, waits.listed.task.task_id in message) == (Level.WARN, True)
        assert not everything.path(TOLD).exists()
        everything.is_back()
        assert (await stopped(handle)).stop_state == "STOPPED"
        assert everything.path(TOLD).exists()


async def test_a_worker_that_is_frozen_is_told_again_and_stops_when_it_wakes(tmp_path: Path) -> None:
    async with setting(tmp_path) as everything:
        handle = await everything.started("held")
        everything.worker.freeze()
        await everything.cancel(handle)
        unheard = await everything.stuck(StuckReason.NOT_ACKNOWLEDGED)
        (attempt,) = unheard.listed.at_work
        assert (attempt.deliveries > 1, attempt.acknowledged) == (True, False)
        level, message = await everything.checked("orders")
        assert level is Level.FAIL
        assert re.search(r"worker away was told [2-9] times", message)
        everything.worker.thaw()
        (stop,) = (await stopped(handle)).stops
        assert (stop.state, stop.deliveries > 1) == ("STOPPED", True)


async def test_a_worker_that_never_answers_is_lost_when_its_silence_has_lasted(tmp_path: Path) -> None:
    async with setting(tmp_path, silence_ms=HASTY_MS) as everything:
        handle = await everything.started("held")
        everything.worker.freeze()
        await everything.cancel(handle)
        await stop_state(handle, "LOST")
        assert (await task_of(handle)).status == "CANCELLED"
        assert (await everything.client.stuck()).tasks == ()
        # It comes back with work that the server has given up: the code is stopped, and the record stays.
        everything.worker.thaw()
        assert (await stopped(handle)).stop_state == "LOST"
        await until(everything.path(TOLD).exists)


async def test_a_worker_that_comes_back_behind_its_lease_finds_its_work_taken_back(tmp_path: Path) -> None:
    async with setting(tmp_path, lease_ms=HASTY_MS) as everything:
        handle = await everything.started("held")
        await everything.is_away()
        await everything.cancel(handle)
        await stop_state(handle, "LOST")
        assert not everything.path(TOLD).exists()
        everything.is_back()
        await until(everything.path(TOLD).exists)
        assert (await stopped(handle)).stop_state == "LOST"


async def test_a_result_that_a_worker_brings_back_too_late_ends_the_stop_record_and_not_the_task(
    tmp_path: Path,
) -> None:
    async with setting(tmp_path) as everything:
        handle = await everything.started("stubborn")
        await everything.is_away()
        await everything.cancel(handle)
        everything.path(GO).touch()
        everything.is_back()
        record = await stopped(handle)
        assert (record.status, record.stop_state, record.view.output) == ("CANCELLED", "STOPPED", None)
        assert EventType.RESULT_DISCARDED in (await handle.history()).types()


async def test_a_worker_dies_between_sigterm_and_its_report(tmp_path: Path) -> None:
    async with setting(tmp_path) as everything:
        handle = await everything.started("deaf")
        await everything.cancel(handle)
        await stop_state(handle, "DELIVERED")
        everything.worker.kill()
        await until(lambda: not running_with(str(tmp_path)))
        waits = await everything.stuck(StuckReason.STOP_WAITS)
        assert waits.listed.task.status == "CANCELLED"


async def test_a_task_cancelled_before_a_worker_has_come_never_starts(tmp_path: Path) -> None:
    async with setting(tmp_path) as everything:
        everything.network.point_to(None)
        handle: ExecutionHandle[None] = await everything.client.start("holding", everything.given("held"))
        assert await handle.cancel("before anybody came") is CancelTaskResult.CANCELLED
        everything.is_back()
        other = await everything.started("held")
        assert await handle.tasks() == []
        assert (await handle.history()).types().count(EventType.TASK_STARTED) == 0
        await other.cancel(hard=True)


@pytest.mark.parametrize("first", [None, CancelMode.TRY, CancelMode.WAIT])
async def test_force_ends_at_once_what_ignores_its_grace(first: CancelMode | None, tmp_path: Path) -> None:
    async with setting(tmp_path) as everything, asyncio.TaskGroup() as asking:
        handle = await everything.started("deaf")
        if first is not None:
            asking.create_task(everything.cancel(handle, first))
            await everything.is_told()
            assert running_with(str(tmp_path))
        expected = "ALREADY_CANCELLED" if first is CancelMode.TRY else "CANCELLED"
        assert await everything.cancel(handle, CancelMode.FORCE) == expected
        record = await stopped(handle)
        assert (record.status, record.stop_state) == ("CANCELLED", "KILLED")
        assert record.stops[0].forced_at is not None
        assert not running_with(str(tmp_path))
        requests = [each async for each in everything.client.audit() if each.action == "CANCEL_TASK"]
        assert [each.forced for each in requests] == [True] + [False] * (first is not None)
