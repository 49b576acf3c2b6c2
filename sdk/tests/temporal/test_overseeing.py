"""What an operator asks of a cluster: pages, workers, what is stuck, and the cluster itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from temporalio.client import Client, Interceptor, OutboundInterceptor, QueryWorkflowInput

from fixtures.temporal_servers.running import DevelopmentServer, TimeSkippingServer
from rescind import AgentContext, ExecutionHandle, StopState, TaskContext, TaskStatus, agent, task
from rescind.errors import AlreadyExists, ExecutionEnded, ExecutionWasCancelled, InvalidInput, NotSupported
from rescind.model.commands import StartExecution
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import ExecutionId
from rescind.model.overviews import ListedTask, StuckReason
from rescind.model.payload import Payload
from rescind.temporal import TemporalClient

from .functions import ignores_its_end
from .world import its_code_runs, nap, stopped, world

pytestmark = pytest.mark.asyncio
FoundT = TypeVar("FoundT")


@agent("naps-thrice")
async def naps_thrice(ctx: AgentContext) -> None:
    await ctx.join_all([ctx.schedule(nap, 60.0, labels={"number": str(number)}) for number in range(3)])


@agent("returns-its-input")
async def returns_its_input(ctx: AgentContext, value: Any) -> Any:
    return value


RELEASED = threading.Event()


@task("never-looks-up")
def never_looks_up(ctx: TaskContext) -> None:
    RELEASED.wait()


@agent("leaves-lingering-work")
async def leaves_lingering_work(ctx: AgentContext) -> None:
    future = ctx.schedule(never_looks_up, grace=0.05)
    await ctx.wait_for_signal_raw("enough")
    await future.cancel("enough")


@agent("works-stubbornly")
async def works_stubbornly(ctx: AgentContext) -> None:
    await ctx.schedule(ignores_its_end, grace=60.0)


async def until(look: Callable[[], Awaitable[FoundT]], holds: Callable[[FoundT], bool]) -> FoundT:
    """What is seen as soon as it is as it should be: a cluster's lists lag behind."""
    while not holds(found := await look()):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return found


async def all_of(things: AsyncIterator[FoundT]) -> list[FoundT]:
    return [each async for each in things]


async def has_tasks(handle: ExecutionHandle[Any], count: int = 1) -> None:
    await until(handle.tasks, lambda tasks: [each.status for each in tasks].count(TaskStatus.RUNNING) == count)


async def test_many_are_started_at_once_and_each_refusal_is_told(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [returns_its_input]) as here:
        first = await here.start(returns_its_input, 1)
        starts = [StartExecution("returns-its-input", Payload(b"%d" % each), queue=here.queue) for each in range(60)]
        other = StartExecution("returns-its-input", Payload(b"2"), ExecutionId(first.id), here.queue)
        *started, refused = await here.client.start_many([*starts, other])
        results = [await each.result() for each in started if isinstance(each, ExecutionHandle)]
    assert results == list(range(60))
    assert isinstance(refused, AlreadyExists)


async def test_executions_come_in_pages_which_together_are_all(development_server: DevelopmentServer) -> None:
    async with world(development_server.address) as here:
        mine = ExecutionFilter(queue=here.queue)
        ids = [(await here.start(naps_thrice)).id for _ in range(5)]
        await until(lambda: all_of(here.client.list(mine)), lambda found: len(found) == len(ids))
        pages, token = [], ""
        while True:
            page, token = await here.client.list_page(mine, page_size=2, page_token=token)
            pages.append([each.execution_id for each in page])
            if not token:
                break
    assert [each for page in pages for each in page] == list(reversed(ids))
    assert max(map(len, pages)) == 2


async def test_tasks_come_in_pages_which_together_are_all_each_with_what_is_at_work(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address, [naps_thrice]) as here:
        # Of other tests no execution may be asked: their workers are gone.
        by = str(uuid4())
        async with TemporalClient(here.address, by=by) as client:
            handles = [await client.start(naps_thrice, queue=here.queue) for _ in range(2)]
            for handle in handles:
                await has_tasks(handle, 3)
            mine = TaskFilter(created_by=by)
            await until(lambda: client.count(mine), lambda count: count == 6)
            seen: list[ListedTask] = []
            token, sizes = "", []
            while True:
                page, token = await client.tasks_page(mine, page_size=4, page_token=token)
                seen += page
                sizes.append(len(page))
                if not token:
                    break
    assert sizes == [4, 2]
    assert [each.execution_id for each in seen] == [handles[1].id] * 3 + [handles[0].id] * 3
    assert [each.task.labels["number"] for each in seen] == ["0", "1", "2"] * 2
    assert [len(each.at_work) for each in seen] == [1] * 6


@pytest.mark.parametrize(("size", "token"), [(0, ""), (1_001, ""), (10, "nonsense"), (10, "bm8=")])
async def test_a_page_that_cannot_be_meant_is_refused(
    development_server: DevelopmentServer, size: int, token: str
) -> None:
    async with TemporalClient(development_server.address) as client:
        with pytest.raises(InvalidInput, match="page"):
            await client.list_page(page_size=size, page_token=token)
        with pytest.raises(InvalidInput, match="page"):
            await client.tasks_page(page_size=size, page_token=token)


async def test_a_filter_by_organisation_is_refused_and_cancels_nothing(development_server: DevelopmentServer) -> None:
    async with TemporalClient(development_server.address) as client:
        for selection in (ExecutionFilter(organisation="acme"), TaskFilter(organisation="acme")):
            with pytest.raises(NotSupported, match="by their organisation"):
                await all_of(client.cancel_where(selection))


async def test_labels_are_found_also_of_executions_that_were_started_before_there_was_an_index_of_them(
    development_server: DevelopmentServer,
) -> None:
    async with world(development_server.address) as here:
        here.client.port.finds_labels = False
        old = await here.start(naps_thrice, labels={"colour": "red"})
        await here.start(naps_thrice, labels={"colour": "blue"})
        here.client.port.finds_labels = True
        new = await here.start(naps_thrice, labels={"colour": "red", "size": "1"})
        red = ExecutionFilter(queue=here.queue, labels={"colour": "red"})
        found = await until(lambda: all_of(here.client.list(red)), lambda found: len(found) == 2)
        both = ExecutionFilter(queue=here.queue, labels={"colour": "red", "size": "1"})
        assert [each.execution_id for each in await all_of(here.client.list(both))] == [new.id]
    assert [each.execution_id for each in found] == [new.id, old.id]


async def test_a_task_is_cancelled_without_its_execution_being_named(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [returns_its_input, naps_thrice]) as here:
        handle = await here.start(naps_thrice)
        await has_tasks(handle, 3)
        (wanted, *_) = await handle.tasks()
        by = ExecutionFilter(queue=here.queue)
        await until(lambda: here.client.count(by), lambda count: count == 1)
        assert (await here.client.cancel_task(wanted.task_id)).value == "CANCELLED"
        assert (await here.client.cancel_task(uuid4(), execution_id=handle.id)).value == "NOT_FOUND"


async def test_hard_ends_the_work_of_selected_tasks_by_force(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [works_stubbornly], [ignores_its_end]) as here:
        handle = await here.start(works_stubbornly)
        await its_code_runs(handle)
        mine = TaskFilter(execution_id=ExecutionId(handle.id))
        await all_of(here.client.cancel_where(mine, "now", hard=True))
        (ended,) = await stopped(handle)
    assert ended.stop_state is StopState.KILLED


async def test_workers_are_those_who_poll(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [naps_thrice], worker_id="worker-of-this-test") as here:
        await here.start(naps_thrice)

        async def mine() -> list[Any]:
            return [each for each in await all_of(here.client.workers()) if each.worker_id == "worker-of-this-test"]

        (worker,) = await until(mine, bool)
    assert (worker.queues, worker.connected) == ((here.queue,), True)
    assert worker.last_contact > 0


async def test_work_that_no_worker_takes_is_stuck(development_server: DevelopmentServer) -> None:
    async with world(development_server.address) as here:
        await here.start(naps_thrice)

        async def waiting() -> list[Any]:
            return [each for each in (await here.client.stuck()).waiting if each.queue == here.queue]

        (work,) = await until(waiting, bool)
    assert (work.is_agent, work.kind, work.count, work.workers) == (True, "*", 1, 0)


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Lets the work end that never looks up; at the end of the test, if not before."""
    RELEASED.clear()
    yield RELEASED
    RELEASED.set()


async def test_work_that_runs_on_after_its_grace_is_stuck(
    development_server: DevelopmentServer, released: threading.Event
) -> None:
    async with world(development_server.address, [leaves_lingering_work], [never_looks_up]) as here:
        handle = await here.start(leaves_lingering_work)
        await has_tasks(handle)
        await handle.signal("enough")

        async def mine() -> list[Any]:
            return [each for each in (await here.client.stuck()).tasks if each.listed.execution_id == handle.id]

        (found,) = await until(mine, bool)
        released.set()
    assert found.reason is StuckReason.NOT_STOPPED


async def test_a_cluster_tells_its_version_and_how_much_is_open(development_server: DevelopmentServer) -> None:
    async with world(development_server.address) as here:
        await here.start(naps_thrice)
        facts = await until(here.client.server_facts, lambda facts: facts.open_executions > 0)
        assert here.client.address == development_server.address
    assert facts.version.startswith("Temporal 1.")
    assert facts.store == "sqlite"


async def test_that_the_test_server_does_not_know_itself_is_said(time_skipping_server: TimeSkippingServer) -> None:
    async with TemporalClient(time_skipping_server.address) as client:
        with pytest.raises(NotSupported, match="This server cannot do it"):
            await client.server_facts()


class Queries(Interceptor):
    """Counts the questions that need a worker to answer them."""

    def __init__(self) -> None:
        self.count = 0

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        """See `Interceptor`."""
        queries = self

        class Counting(OutboundInterceptor):
            async def query_workflow(self, input: QueryWorkflowInput) -> Any:
                queries.count += 1
                return await super().query_workflow(input)

        return Counting(next)


async def test_for_the_result_of_a_closed_workflow_no_worker_is_asked(development_server: DevelopmentServer) -> None:
    async with world(development_server.address, [returns_its_input, naps_thrice]) as here:
        done, cancelled = await here.start(returns_its_input, {"a": [1]}), await here.start(naps_thrice)
        await cancelled.cancel("not needed")
        for each in (done, cancelled):
            await here.client.port.client.get_workflow_handle(each.id).describe()
        await done.result()
        with pytest.raises(ExecutionWasCancelled):
            await cancelled.result()
    queries = Queries()
    client = await Client.connect(development_server.address, interceptors=[queries])
    async with TemporalClient(client=client) as later:
        assert await later.handle(done.id).result() == {"a": [1]}
        with pytest.raises(ExecutionWasCancelled, match="request by client:test: not needed"):
            await later.handle(cancelled.id).result()
    assert queries.count == 0


async def test_a_signal_to_an_agent_that_has_ended_is_refused_while_its_work_still_stops(
    development_server: DevelopmentServer, released: threading.Event
) -> None:
    async with world(development_server.address, [leaves_lingering_work], [never_looks_up]) as here:
        handle = await here.start(leaves_lingering_work)
        await has_tasks(handle)
        await handle.signal("enough")
        await handle.result()
        with pytest.raises(ExecutionEnded, match="is COMPLETED; it takes no more signals"):
            await handle.signal("more")
        released.set()
