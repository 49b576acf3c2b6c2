"""What reaches outside an agent's body fails it, and the error names the line and the way out (agents.md)."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rescind import AgentContext, ExecutionFailed, agent
from rescind.testing import Environment
from sdk.tests.agents.work import begin, result_of

SIZE = len(Path(__file__).read_text())


async def _opens_a_socket() -> None:
    socket.socket()


async def _connects() -> None:
    await asyncio.open_connection("localhost", 80)


async def _starts_a_thread() -> None:
    threading.Thread(target=print).start()


async def _uses_the_executor() -> None:
    await asyncio.to_thread(print)


async def _reads_a_file() -> None:
    Path(__file__).read_text()  # noqa: ASYNC240 - likewise


async def _blocks() -> None:
    time.sleep(1)  # noqa: ASYNC251 - likewise


async def _starts_a_process() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)  # noqa: ASYNC221 - likewise


async def _starts_a_process_with_asyncio() -> None:
    await asyncio.create_subprocess_exec(sys.executable)


@pytest.mark.parametrize(
    "reach_out",
    [
        *(_opens_a_socket, _connects, _starts_a_thread, _uses_the_executor, _reads_a_file, _blocks),
        *(_starts_a_process, _starts_a_process_with_asyncio),
    ],
)
async def test_what_reaches_outside_fails_the_agent_and_names_the_line(
    rescind_env: Environment, reach_out: Callable[[], Any]
) -> None:
    @agent("reaching")
    async def reaching(ctx: AgentContext) -> None:
        await ctx.sleep(1)
        await reach_out()

    handle = await begin(rescind_env, reaching)
    with pytest.raises(ExecutionFailed) as caught:
        await handle.result()
    assert caught.value.error_type == "NotDurableError"
    assert f"{__file__}:{reach_out.__code__.co_firstlineno + 1}" in caught.value.error
    assert "use ctx.run(...) or a task" in caught.value.error


async def test_an_agent_that_catches_the_error_goes_on(rescind_env: Environment) -> None:
    async def body(ctx: AgentContext) -> str:
        try:
            await _reads_a_file()
        except Exception as refusal:
            return type(refusal).__name__
        return "read"

    assert await result_of(rescind_env, body) == "NotDurableError"


async def test_ctx_run_is_the_way_out(rescind_env: Environment) -> None:
    async def ask() -> str:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "", stdout=subprocess.PIPE)
        return str(await process.wait())

    async def body(ctx: AgentContext) -> list[Any]:
        size = await ctx.run(lambda: len(Path(__file__).read_text()))
        await ctx.run(time.sleep, 2, name="nap")
        return [size, await ctx.run(ask), ctx.now().second]

    assert await result_of(rescind_env, body) == [SIZE, "0", 2]


async def test_a_step_that_raises_cancelled_error_by_itself_fails_and_hangs_nobody(rescind_env: Environment) -> None:
    async def cancels_itself() -> None:
        raise asyncio.CancelledError("by itself")

    async def body(ctx: AgentContext) -> str:
        try:
            await ctx.run(cancels_itself)
        except Exception as error:
            return str(error)
        return "went on"

    assert await result_of(rescind_env, body) == "Step 'cancels_itself' raised CancelledError: by itself"


async def test_a_step_that_nobody_waits_for_any_more_is_cancelled(rescind_env: Environment) -> None:
    seen: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def body(ctx: AgentContext) -> int:
        async with ctx.move_on_after(2):
            await ctx.run(slow)
        await ctx.sleep(1)
        return ctx.now().second

    assert await result_of(rescind_env, body) == 3
    assert seen == ["cancelled"]
