"""Questions about many executions, and requests to many: in pages and steps, so that others are served meanwhile."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from rescind.errors import InvalidInput, NotFound, ServerUnavailable, StoreError
from rescind.model.cause import CancelCause
from rescind.model.commands import CancelAnswered, CancelExecution, CancelTaskFromOutside, FromClient
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId, TaskId, WorkerId
from rescind.model.overviews import CancelReach, ListedTask, RunningWork, ServerFacts, StillStopping, Stuck, WorkerView
from rescind.model.status import TERMINAL_EXECUTION, CancelMode, CancelTaskResult, ExecutionStatus
from rescind.model.views import ExecutionView
from rescind_server.access.token_file import TokenFile
from rescind_server.engine.entities import Execution, Task
from rescind_server.engine.finding import (
    Place,
    find_execution_of,
    find_held,
    find_still_stopping,
    find_tasks,
    place_of,
    stopping_of,
)
from rescind_server.engine.machine import Engine
from rescind_server.engine.overview import (
    counts_of,
    parked_agents,
    stuck_attempts,
    stuck_view,
    waiting_work,
    worker_views,
)
from rescind_server.engine.reaching import Reach
from rescind_server.engine.running import work_of
from rescind_server.engine.viewing import execution_view, listed_task, with_stopping
from rescind_server.host.about import About
from rescind_server.host.audit import AuditTrail
from rescind_server.host.driver import Host
from rescind_server.host.pace import Pace
from rescind_server.store.port import Found, Store

STEP: Final = 500
"""How many are looked up to be cancelled, before they are cancelled in one or more turns of the host."""
LOOK_STEP: Final = 2_000
"""How many tasks are looked at before others are served."""

_OPEN: Final = tuple(status for status in ExecutionStatus if status not in TERMINAL_EXECUTION)
_LONGEST_TOKEN: Final = 40
_LONGEST_NUMBER: Final = 18


class Queries:
    """Lists executions, tasks and workers, tells what is stuck, and cancels many executions or tasks.

    What is told of the engine's memory is durable: nothing of a turn that is still being committed is shown.

    Attributes:
        audit: who asked for what.
    """

    def __init__(
        self, host: Host, engine: Engine, store: Store, about: About | None = None, tokens: TokenFile | None = None
    ) -> None:
        self.audit = AuditTrail(store, tokens)
        self._host = host
        self._engine = engine
        self._store = store
        self._pace = Pace()
        self._about = about or About()

    async def list_executions(
        self, selection: ExecutionFilter, page_size: int, page_token: str
    ) -> tuple[Sequence[ExecutionView], str]:
        """A page of what a filter selects, the newest first, and the token of the next page; "" ends.

        Raises:
            InvalidInput: the token is not one of ours.
        """
        before = _before(page_token)
        found = await self._find_executions(selection, before, page_size + 1)
        page = found[:page_size]
        views = await self._with_stopping([each.view for each in page])
        return views, str(page[-1].ordinal) if len(found) > page_size else ""

    async def counts(self, selection: ExecutionFilter) -> Mapping[ExecutionStatus, int]:
        """How many executions there are of each status, of those that a filter selects; those of none are left out."""
        if _is_stored(selection):
            return await self._store.count_executions(selection)
        held = await self._find_executions(selection, None, sys.maxsize)
        return Counter(found.view.status for found in held)

    async def count_stopping(self, selection: ExecutionFilter) -> int | None:
        """How many of those that a filter selects have ended while something of them is still being stopped.

        None if it cannot be told, since the store takes no commits.
        """
        of_those = msgspec.structs.replace(selection, stopping=True)
        try:
            return await self._host.consult(lambda: len(find_still_stopping(self._engine, of_those)))
        except (StoreError, ServerUnavailable):
            return None

    async def list_tasks(
        self, selection: TaskFilter, page_size: int, page_token: str
    ) -> tuple[Sequence[ListedTask], str]:
        """A page of the tasks that a filter selects, and the token of the next page; "" ends.

        Those of open executions, in the order of their executions' start, then of scheduling. A filter that names an
        execution selects its tasks also when it has ended.

        Raises:
            InvalidInput: the token is not one of ours.
            NotFound: the filter names an execution that there is not.
        """
        after = _after(page_token)
        if selection.execution_id is not None and not self._engine.holds(selection.execution_id):
            return await self._list_tasks_of(selection.execution_id, selection, page_size, after)
        found: list[tuple[Place, ListedTask]] = []
        steps = find_tasks(self._engine, selection, LOOK_STEP, after)

        def look() -> bool:
            """Look at some; whether there may be more that the page needs."""
            tasks = next(steps, None)
            if tasks is not None:
                found.extend((place_of(task), listed_task(task)) for task in tasks[: page_size + 1 - len(found)])
            return tasks is not None and len(found) <= page_size

        is_on_its_way = True
        while is_on_its_way:
            is_on_its_way = await self._host.consult(look)
            # Others are served between two steps.
            await asyncio.sleep(0)
        token = _token(found[page_size - 1][0]) if len(found) > page_size else ""
        return [listed for _, listed in found[:page_size]], token

    async def list_workers(self, page_size: int, page_token: str) -> tuple[Sequence[WorkerView], str]:
        """A page of the workers in the order of their ids, and the token of the next page; "" ends."""
        now = self._host.now()
        found = await self._host.consult(lambda: worker_views(self._engine, now, page_token, page_size + 1))
        page = found[:page_size]
        return page, page[-1].worker_id if len(found) > page_size else ""

    async def work_of(self, worker_ids: Iterable[WorkerId], most: int) -> Mapping[WorkerId, Sequence[RunningWork]]:
        """What each of these workers runs now, at most so many of each."""
        return await self._host.consult(lambda: work_of(self._engine, worker_ids, most))

    async def stuck(self, limit: int, *, quiet_ms: int | None = None, organisation: str | None = None) -> Stuck:
        """What does not go on by itself.

        Args:
            limit: how many tasks to show at most, those that are stuck for longest first.
            quiet_ms: also list running tasks that gave no sign of life for so many milliseconds; None lists none.
            organisation: whose tasks; None is all.
        """
        now = self._host.now()

        def look() -> Stuck:
            attempts = stuck_attempts(self._engine, now, quiet_ms, organisation)
            return Stuck(
                tasks=tuple(stuck_view(*each) for each in attempts[:limit]),
                task_count=len(attempts),
                waiting=tuple(waiting_work(self._engine, self._store.resting)),
                parked=tuple(parked_agents(self._engine)),
            )

        return await self._host.consult(look)

    async def execution_of_task(self, task_id: TaskId) -> ExecutionId | None:
        """The execution, open or closed, that a task belongs to; None if there is no such task."""
        for found in find_execution_of(self._engine, task_id, LOOK_STEP):
            if found is not None:
                return found
            await asyncio.sleep(0)
        return await self._store.execution_of_task(task_id)

    async def facts(self) -> ServerFacts:
        """The server, as it says of itself. It answers also where the store takes no commits."""
        counts = counts_of(self._engine)
        disk = await asyncio.to_thread(self._about.disk)
        return ServerFacts(
            version=self._about.version,
            now=self._host.now(),
            started_at=self._about.started_at,
            store=self._about.store,
            store_path=self._about.store_path,
            durability=self._about.durability,
            store_problem=self._store_problem(),
            store_bytes=disk.taken,
            store_free_bytes=disk.free,
            **counts._asdict(),
        )

    def _store_problem(self) -> str | None:
        trouble = self._host.failure or self._host.availability.trouble
        return str(trouble) or type(trouble).__name__ if trouble is not None else None

    async def reach(self, selection: ExecutionFilter | TaskFilter, *, hard: bool) -> CancelReach:
        """What would be cancelled, and told to stop, if all that a filter selects were cancelled."""
        reach = Reach(self._engine, hard=hard)
        if isinstance(selection, ExecutionFilter):
            async for found in self._open_executions(selection):
                reach.select(found)
                is_on_its_way = True
                while is_on_its_way:
                    is_on_its_way = await self._host.consult(lambda: reach.look(LOOK_STEP))
                    # Others are served between two steps.
                    await asyncio.sleep(0)
        else:
            async for tasks in self._open_tasks(selection, LOOK_STEP):
                reach.add_tasks(tasks)
        return reach.reach

    async def cancel_executions(
        self, selection: ExecutionFilter, cause: CancelCause, *, hard: bool
    ) -> AsyncIterator[Mapping[CancelTaskResult, int]]:
        """Cancel what a filter selects; without a status, what is open. Yields the counts so far, after each step."""
        counts: Counter[CancelTaskResult] = Counter()
        async for found in self._open_executions(selection):
            await self._cancel([CancelExecution(each, cause, hard) for each in found], counts)
            yield counts

    async def cancel_tasks(
        self, selection: TaskFilter, cause: CancelCause, mode: CancelMode = CancelMode.TRY
    ) -> AsyncIterator[Mapping[CancelTaskResult, int]]:
        """Cancel the open tasks that a filter selects. Yields the counts so far, after each step."""
        counts: Counter[CancelTaskResult] = Counter()
        async for found in self._open_tasks(selection, STEP):
            asked = [CancelTaskFromOutside(task.execution.execution_id, task.task_id, cause, mode) for task in found]
            await self._cancel(asked, counts)
            yield counts

    async def _find_executions(self, selection: ExecutionFilter, before: int | None, limit: int) -> Sequence[Found]:
        if _is_stored(selection):
            return await self._store.find_executions(selection, before, limit)
        find = find_held if selection.worker_id is not None else find_still_stopping
        return await self._host.consult(
            lambda: [
                Found(execution.order, execution_view(execution))
                for execution in find(self._engine, selection)
                if before is None or execution.order < before
            ][:limit]
        )

    async def _with_stopping(self, views: Sequence[ExecutionView]) -> Sequence[ExecutionView]:
        """Executions with what is still being stopped of them; without, if the store takes no commits."""
        execution_ids = [view.execution_id for view in views]
        try:
            found = await self._host.consult(lambda: stopping_of(self._engine, execution_ids))
        except (StoreError, ServerUnavailable):
            return views
        return [with_stopping(view, found.get(view.execution_id, StillStopping())) for view in views]

    async def _open_executions(self, selection: ExecutionFilter) -> AsyncIterator[Sequence[ExecutionId]]:
        if not selection.statuses:
            selection = msgspec.structs.replace(selection, statuses=_OPEN)
        before: int | None = None
        while found := await self._find_ids(selection, before):
            before = found[-1][0]
            yield [execution_id for _, execution_id in found]

    async def _find_ids(self, selection: ExecutionFilter, before: int | None) -> Sequence[tuple[int, ExecutionId]]:
        if _is_stored(selection):
            return await self._store.find_ids(selection, before, STEP)
        found = await self._find_executions(selection, before, STEP)
        return [(each.ordinal, each.view.execution_id) for each in found]

    async def _open_tasks(self, selection: TaskFilter, step: int) -> AsyncIterator[Sequence[Task]]:
        """The open tasks that a filter selects: after about `step` were looked at, what was found there."""
        steps = find_tasks(self._engine, selection, step)

        def look() -> Sequence[Task] | None:
            tasks = next(steps, None)
            return None if tasks is None else [task for task in tasks if task.outcome is None]

        while (found := await self._host.consult(look)) is not None:
            yield found
            # Others are served between two steps.
            await asyncio.sleep(0)

    async def _list_tasks_of(
        self, execution_id: ExecutionId, selection: TaskFilter, page_size: int, after: Place | None
    ) -> tuple[Sequence[ListedTask], str]:
        """A page of the tasks of an execution that is closed: nothing of it runs, and nothing of it is open.

        Places are those of an open one's list: it may have been closed between two pages.
        """
        execution = await self._committed(execution_id)
        if execution is None:
            raise NotFound(f"no execution {execution_id!r}. Check the id, or list the executions.")
        found = [
            (place_of(task), listed)
            for task in execution.tasks.values()
            if after is None or place_of(task) > after
            if _selects_closed(selection, execution, listed := listed_task(task))
        ]
        page = found[:page_size]
        return [listed for _, listed in page], _token(page[-1][0]) if len(found) > page_size else ""

    async def _committed(self, execution_id: ExecutionId) -> Execution | None:
        try:
            return await self._host.consult(lambda: self._store.committed(execution_id))
        except StoreError:
            if self._host.availability.trouble is None:
                raise
            # What is durable can be read also where the store takes no commits.
            return self._store.committed(execution_id)

    async def _cancel(self, commands: Sequence[FromClient], counts: Counter[CancelTaskResult]) -> None:
        now = asyncio.get_running_loop().time
        asked = 0
        while asked < len(commands):
            step = commands[asked : asked + self._pace.size]
            asked += len(step)
            begun = now()
            for reply in await self._host.ask_all(step):
                if isinstance(reply, CancelAnswered):
                    counts[reply.result] += 1
            self._pace.note(len(step), now() - begun)
        # Also where nothing was found: others are served between two steps.
        await asyncio.sleep(0)


def _is_stored(selection: ExecutionFilter) -> bool:
    """Whether the store can answer. Who holds what, and what still stops, it does not know: that changes too often."""
    return selection.worker_id is None and not selection.stopping


def _selects_closed(selection: TaskFilter, execution: Execution, listed: ListedTask) -> bool:
    task = listed.task
    return (
        not (selection.stopping or selection.unsettled or selection.worker_id is not None)
        and (not selection.statuses or task.status in selection.statuses)
        and selection.kind in (None, task.kind)
        and selection.queue in (None, task.queue)
        and selection.agent in (None, execution.kind)
        and selection.created_by in (None, execution.created_by)
        and selection.organisation in (None, execution.organisation)
        and (selection.scheduled_before is None or task.scheduled_at < selection.scheduled_before)
        and (selection.scheduled_after is None or task.scheduled_at >= selection.scheduled_after)
        and selection.labels.items() <= task.labels.items()
    )


def _before(page_token: str) -> int | None:
    return _number(page_token, page_token) if page_token else None


def _after(page_token: str) -> Place | None:
    if not page_token:
        return None
    execution, sign, task = page_token.partition(".")
    if not sign or len(page_token) > _LONGEST_TOKEN:
        raise _no_token(page_token)
    return _number(execution, page_token), _number(task, page_token)


def _token(place: Place) -> str:
    return f"{place[0]}.{place[1]}"


def _number(text: str, page_token: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST_NUMBER:
        raise _no_token(page_token)
    return int(text)


def _no_token(page_token: str) -> InvalidInput:
    return InvalidInput(f"{page_token[:100]!r} is no page token. Give the one that came with the page before.")
