"""One story with all that is counted in it, told by `GET /metrics` of a real server with a real worker."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rescind import AgentContext, TaskContext, agent, task
from rescind.authoring.agent import AgentDefinition
from rescind.executors import shell
from rescind.worker.connecting import Worker
from rescind_server.app import Server
from rescind_server.store.sqlite import SqliteStore

from .calls import TASKS, start, status_of, tasks_of
from .work import echo

pytestmark = pytest.mark.asyncio

PAGE: Final = Path(__file__).parents[3] / "docs" / "observing.md"


@task("on-the-loop")
async def on_the_loop(ctx: TaskContext, begun: str) -> None:
    await asyncio.to_thread(Path(begun).touch)
    await asyncio.Event().wait()


@task("on-a-thread")
def on_a_thread(ctx: TaskContext, begun: str) -> None:
    Path(begun).touch()
    while True:
        ctx.check_cancelled()
        time.sleep(0.001)


@task("in-a-process", executor="process")
def in_a_process(ctx: TaskContext, begun: str) -> None:
    Path(begun).touch()
    while True:
        time.sleep(60)


def deaf_to_sigterm(begun: str) -> str:
    return f"trap '' TERM; touch {begun}; while :; do sleep 60; done"


stubborn = shell("stubborn", deaf_to_sigterm, grace=0)


@task("unlucky", max_retries=0)
async def unlucky(ctx: TaskContext) -> None:
    raise ValueError("no luck")


ENDLESS: Final = {each.kind: each for each in (on_the_loop, on_a_thread, in_a_process, stubborn)}
STOPS: Final = {
    ("async", "stopped"),
    ("thread", "stopped"),
    ("process", "stopped"),
    ("shell", "killed"),
    *((executor, "delivered") for executor in ("async", "thread", "process", "shell")),
}


@agent("endless")
async def endless(ctx: AgentContext, given: tuple[str, str]) -> None:
    kind, begun = given
    await ctx.schedule(ENDLESS[kind], begun)


@agent("brief")
async def brief(ctx: AgentContext) -> Any:
    return await ctx.schedule(echo, 1)


@agent("failing-task")
async def failing_task(ctx: AgentContext) -> None:
    await ctx.schedule(unlucky)


AGENTS: Final[Sequence[AgentDefinition[Any, Any]]] = (endless, brief, failing_task)


async def told_by(http: httpx.AsyncClient) -> dict[tuple[str, str], float]:
    """Each figure by its name and its labels."""
    answer = await http.get("/metrics")
    return {
        (sample.name, ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what must come: a process may take its time to begin."""
    async with asyncio.timeout(60):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def cancel_when_running(http: httpx.AsyncClient, execution_id: str, begun: Path) -> str:
    """Cancel the only task of an execution as soon as its code runs; returns its id."""

    async def runs() -> bool:
        return await asyncio.to_thread(begun.exists)

    await eventually(runs)
    (found,) = await tasks_of(http, execution_id)
    await http.delete(f"{TASKS}/{found['task_id']}", params={"execution_id": execution_id})
    task_id: str = found["task_id"]
    return task_id


async def has_ended(http: httpx.AsyncClient, execution_id: str) -> None:
    async def ended() -> bool:
        return await status_of(http, execution_id) in ("COMPLETED", "FAILED", "CANCELLED")

    await eventually(ended)


async def test_each_figure_is_what_the_story_says(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    async with (
        Server(store, "127.0.0.1:0", http_address="127.0.0.1:0") as server,
        Worker(server.address, agents=AGENTS, tasks=[*ENDLESS.values(), echo, unlucky], worker_id="w-1"),
        httpx.AsyncClient(base_url=f"http://{server.http_address}", timeout=60) as http,
    ):
        for kind in ENDLESS:
            begun = tmp_path / kind
            await start(http, "endless", [kind, str(begun)], f"e-{kind}")
            task_id = await cancel_when_running(http, f"e-{kind}", begun)
            await has_ended(http, f"e-{kind}")
            await http.delete(f"{TASKS}/{task_id}", params={"execution_id": f"e-{kind}"})
        for kind in ("brief", "failing-task"):
            await has_ended(http, await start(http, kind, execution_id=kind))
        await http.post("/api/v1/executions/brief/cancel", json={})
        await http.post("/api/v1/executions", json={"kind": "brief", "queue": "nobodys"})

        async def all_have_stopped() -> bool:
            told = await told_by(http)
            return all(("rescind_stop_seconds_count", f"executor={e},stage={s}") in told for e, s in STOPS)

        await eventually(all_have_stopped)
        told = await told_by(http)
        page = (await http.get("/metrics")).text
    store.close()

    counts = {labels: value for (name, labels), value in told.items() if name == "rescind_stop_seconds_count"}
    assert counts == {f"executor={executor},stage={stage}": 1 for executor, stage in STOPS}
    assert told["rescind_executions_started_total", "kind=endless"] == len(ENDLESS)
    assert told["rescind_executions_ended_total", "kind=brief,status=COMPLETED"] == 1
    assert told["rescind_executions_ended_total", "kind=failing-task,status=FAILED"] == 1
    assert told["rescind_tasks_ended_total", "failure=ERROR,kind=unlucky,status=FAILED"] == 1
    assert told["rescind_tasks_ended_total", "failure=,kind=stubborn,status=CANCELLED"] == 1
    asked = {labels: value for (name, labels), value in told.items() if name == "rescind_cancel_requests_total"}
    assert asked == {
        "result=CANCELLED,source=request,target=task": len(ENDLESS),
        "result=ALREADY_CANCELLED,source=request,target=task": len(ENDLESS),
        "result=ALREADY_COMPLETED,source=request,target=execution": 1,
    }
    waiting = "kind=brief,queue=nobodys,sort=agent"
    assert (told["rescind_queue_depth", waiting], told["rescind_queue_workers", waiting]) == (1, 0)
    assert told["rescind_queue_oldest_seconds", waiting] >= 0
    assert (told["rescind_stuck_tasks", ""], told["rescind_running_attempts", ""]) == (0, 0)
    assert (told["rescind_workers", "session=connected"], told["rescind_workers", "session=away"]) == (1, 0)
    assert told["rescind_commit_decisions_sum", ""] >= told["rescind_commit_decisions_count", ""] > 0
    assert told["rescind_store_takes_commits", ""] == 1

    families = {family.name for family in text_string_to_metric_families(page)}
    documented = set(re.findall(r"^\| (`rescind_.*?) \| ", PAGE.read_text("utf-8"), re.MULTILINE))
    named = {name.removesuffix("_total") for row in documented for name in re.findall(r"rescind_\w+", row)}
    assert families == named
