"""Containers take an extra. A worker that knows such a task, and lacks it, says so when it starts."""

from __future__ import annotations

import sys

import pytest

from rescind import AgentContext, InvalidInput, agent
from rescind.testing import Environment
from rescind.worker.executors.container import ContainerExecutor


@pytest.fixture
def without_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)


@pytest.mark.usefixtures("without_httpx")
def test_without_the_extra_a_worker_does_not_start() -> None:
    with pytest.raises(InvalidInput, match=r"pip install 'rescind\[containers\]'"):
        ContainerExecutor().prepare()


@pytest.mark.rescind
@pytest.mark.usefixtures("without_httpx")
async def test_without_such_a_task_nobody_asks_for_it(rescind_env: Environment) -> None:
    @agent("plain")
    async def plain(ctx: AgentContext) -> str:
        return "done"

    rescind_env.register(plain)
    assert await (await rescind_env.start(plain)).result() == "done"
