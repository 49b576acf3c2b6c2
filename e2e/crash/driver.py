"""One run: start everything, let the client live and the faults come, wait for the last end, gather the evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from e2e.crash.caller import Caller
from e2e.crash.comparison import Comparison
from e2e.crash.deployment import Deployment, deployed
from e2e.crash.evidence import Evidence, Histories, SeenExecution, SeenTask, read_store
from e2e.crash.faults import carry_out
from e2e.crash.ledger import Ledger
from e2e.crash.notes import read_notes
from e2e.crash.plan import Fault, Plan
from e2e.crash.rules import compare
from rescind.client.connecting import Client
from rescind.client.records import TaskRecord
from rescind.errors import NotFound
from rescind.model.events import EXECUTION_ENDS, TASK_ENDS, EventType, HistoryEvent

LONGEST_RUN: Final = 60.0
LONGEST_SETTLING: Final = 30.0
_LOOK_EVERY: Final = 0.05


class NeverEnded(AssertionError):
    """A run did not come to its end; the text tells what it waited for."""


async def run(plan: Plan, folder: Path) -> Sequence[Comparison]:
    """Carry out a plan, and compare what it left behind.

    Args:
        plan: the run.
        folder: an empty one; ledger, notes, logs and the database stay in it.

    Returns:
        What each rule found.

    Raises:
        NeverEnded: an execution did not end.
        ProcessFailed: a process could not be started, or did not stop in order.
        RescindError: the client was told an error that no fault explains.
    """
    ledger = Ledger(folder / "ledger.jsonl")
    try:
        async with deployed(folder, plan.slots, plan.agent_slots) as deployment:
            evidence = await _Run(plan, deployment, ledger).carried_out()
    finally:
        ledger.close()
    return compare(evidence)


class _Run:
    def __init__(self, plan: Plan, deployment: Deployment, ledger: Ledger) -> None:
        self._plan = plan
        self._deployment = deployment
        self._ledger = ledger
        self._snapshots: list[Histories] = []
        self._is_over = asyncio.Event()

    async def carried_out(self) -> Evidence:
        async with Client(self._deployment.links[0].address, by="client:crash", patience=LONGEST_RUN) as client:
            caller = Caller(client, self._ledger)
            try:
                await self._live(caller)
            except TimeoutError:
                raise NeverEnded(await self._standing(caller)) from None
        async with Client(self._deployment.server_address, by="client:observer") as observer:
            await self._settled(observer)
            histories = await self._histories(observer)
            executions = {each.execution_id: await _seen(observer, each.execution_id) for each in self._plan.executions}
        await self._deployment.stop()
        return Evidence(
            planned={each.execution_id: each for each in self._plan.executions},
            calls=self._ledger.calls,
            notes=[note for path in self._deployment.notes() for note in read_notes(path)],
            followed=caller.followed,
            snapshots=self._snapshots,
            histories=histories,
            executions=executions,
            stored=read_store(self._deployment.store),
        )

    async def _live(self, caller: Caller) -> None:
        async with asyncio.timeout(LONGEST_RUN), asyncio.TaskGroup() as group:
            group.create_task(self._let_faults_come(caller))
            lives = [group.create_task(caller.live(each)) for each in self._plan.executions]
            await asyncio.wait(lives)
            self._is_over.set()

    async def _standing(self, caller: Caller) -> str:
        """How the executions stand that should have ended."""
        lines = []
        async with Client(self._deployment.server_address, by="client:observer") as observer:
            for execution_id, history in (await self._histories(observer)).items():
                seen = caller.followed[execution_id]
                if not any(event.type in EXECUTION_ENDS for event in seen):
                    lines.append(f"{execution_id} has not ended; followed to event {len(seen)} of {len(history)}:")
                    lines += [f"    {event.to_json()}" for event in history[-6:]]
        return "\n".join(lines) or "every execution has ended, and something else did not"

    async def _let_faults_come(self, caller: Caller) -> None:
        for fault in self._plan.faults:
            if not await self._comes(fault, caller):
                return
            await asyncio.sleep(fault.pause_ms / 1_000)
            await carry_out(fault, self._deployment, self._look_back)

    async def _comes(self, fault: Fault, caller: Caller) -> bool:
        """Wait for the point of a fault; False if everything has ended before."""
        reached = asyncio.create_task(caller.progress.reached(fault.after))
        over = asyncio.create_task(self._is_over.wait())
        try:
            await asyncio.wait([reached, over], return_when=asyncio.FIRST_COMPLETED)
            return reached.done()
        finally:
            reached.cancel()
            over.cancel()

    async def _look_back(self) -> None:
        """A server was started anew: write down what it says happened before."""
        async with Client(self._deployment.server_address, by="client:observer") as observer:
            self._snapshots.append(await self._histories(observer))

    async def _histories(self, observer: Client) -> Histories:
        found: dict[str, Sequence[HistoryEvent]] = {}
        for planned in self._plan.executions:
            try:
                found[planned.execution_id] = tuple(await observer.handle(planned.execution_id).history())
            except NotFound:
                continue
        return found

    async def _settled(self, observer: Client) -> None:
        """Wait until all tasks have ended and all orders to stop have been reported, or for as long as may be."""
        give_up = asyncio.get_running_loop().time() + LONGEST_SETTLING
        while asyncio.get_running_loop().time() < give_up:
            histories = await self._histories(observer)
            if all(_is_settled(history) for history in histories.values()):
                return
            await asyncio.sleep(_LOOK_EVERY)


def _is_settled(history: Sequence[HistoryEvent]) -> bool:
    types = [event.type for event in history]
    ended = sum(each in TASK_ENDS for each in types)
    return ended == types.count(EventType.TASK_SCHEDULED) and types.count(EventType.STOP_ENDED) == types.count(
        EventType.STOP_REQUESTED
    )


async def _seen(observer: Client, execution_id: str) -> SeenExecution:
    handle = observer.handle(execution_id)
    view = await handle.describe()
    output = None if view.output is None else await handle.result()
    tasks = [_seen_task(task) for task in await handle.tasks()]
    failure = view.failure.message if view.failure is not None else None
    return SeenExecution(view.status, output, tasks, len(await handle.entries()), failure)


def _seen_task(task: TaskRecord) -> SeenTask:
    source = task.cause.source.value if task.cause is not None else None
    return SeenTask(str(task.task_id), task.status, task.input.get("value", 0), task.output, source)
