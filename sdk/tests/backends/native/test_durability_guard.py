"""What an agent's body must not do, and what it may."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import linecache
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import freezegun
import pytest

from rescind.backends.native.agent_loop import AgentLoop
from rescind.backends.native.durability_guard import outside_agent
from rescind.errors import NotDurableError


class NoTimers:
    def start_timer(self, due: int) -> int:
        return 0

    def cancel_timer(self, timer: int) -> None:
        pass


def in_agent(call: Callable[[], Any]) -> Any:
    async def main() -> Any:
        result = call()
        return await result if inspect.isawaitable(result) else result

    loop = AgentLoop(NoTimers(), 0)
    task = loop.create_task(main())
    try:
        loop.step(0)
        return task.result()
    finally:
        loop.close()


REACHES_OUTSIDE: dict[str, Callable[[], Any]] = {
    "asyncio.threads.to_thread": lambda: asyncio.to_thread(print),
    "loop.run_in_executor": lambda: asyncio.get_running_loop().run_in_executor(None, print),
    "open_connection": lambda: asyncio.open_connection("localhost", 1),
    "start_server": lambda: asyncio.start_server(print, "localhost", 0),
    "create_subprocess_exec": lambda: asyncio.create_subprocess_exec("true"),
    "create_subprocess_shell": lambda: asyncio.create_subprocess_shell("true"),
    "loop.add_reader": lambda: asyncio.get_running_loop().add_reader(0, print),
    "loop.sock_recv": lambda: asyncio.get_running_loop().sock_recv(None, 1),  # type: ignore[arg-type]
    "loop.getaddrinfo": lambda: asyncio.get_running_loop().getaddrinfo("localhost", 1),
    "loop.add_signal_handler": lambda: asyncio.get_running_loop().add_signal_handler(10, print),
    "loop.connect_read_pipe": lambda: asyncio.get_running_loop().connect_read_pipe(print, None),
    "loop.run_until_complete": lambda: asyncio.get_running_loop().run_until_complete(asyncio.Future()),
    "open": lambda: open(__file__),  # noqa: SIM115, PTH123
    "os.listdir": lambda: os.listdir("."),  # noqa: PTH208
    "os.mkdir": lambda: Path("/nowhere/at/all").mkdir(),
    "pathlib": lambda: Path(__file__).read_text(),
    "socket.__new__": lambda: socket.socket(),
    "socket.getaddrinfo": lambda: socket.getaddrinfo("localhost", 1),
    "_thread.start": lambda: threading.Thread(target=print).start(),
    "subprocess.Popen": lambda: subprocess.run(["true"], check=False),
    "os.system": lambda: os.system("true"),
    "os.posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "os.fork": lambda: os.fork(),
    "time.sleep": lambda: time.sleep(0.001),
    "builtins.input": lambda: input(),
}


@pytest.mark.parametrize("operation", REACHES_OUTSIDE)
def test_reaching_outside_names_the_operation_the_line_and_the_way_out(operation: str) -> None:
    call = REACHES_OUTSIDE[operation]
    awaited_in = call.__code__.co_firstlineno, in_agent.__code__.co_firstlineno + 3
    place = re.escape(__file__) + f":({awaited_in[0]}|{awaited_in[1]}) "
    with pytest.raises(NotDurableError, match=f"{re.escape(operation)}.* at {place}.*ctx.run.* or a task"):
        in_agent(call)


@pytest.mark.parametrize("operation", ["open", "time.sleep", "_thread.start", "socket.__new__", "os.system"])
def test_outside_agents_nothing_changes(operation: str) -> None:
    AgentLoop(NoTimers(), 0).close()
    result = REACHES_OUTSIDE[operation]()
    if hasattr(result, "close"):
        result.close()


def test_another_thread_is_free_while_an_agent_runs() -> None:
    free: list[str] = []
    go, gone = threading.Event(), threading.Event()

    def other() -> None:
        go.wait(5)
        free.append(Path(__file__).read_text()[:3])
        gone.set()

    thread = threading.Thread(target=other)
    thread.start()

    def let_go() -> None:
        go.set()
        gone.wait(5)

    in_agent(let_go)
    thread.join()
    assert free == ['"""']


def test_frozen_time_changes_nothing() -> None:
    with freezegun.freeze_time("2024-02-29"), pytest.raises(NotDurableError, match=r"time\.sleep"):
        in_agent(lambda: time.sleep(1))


def test_code_given_to_run_may_reach_outside() -> None:
    def effect() -> str:
        with outside_agent():
            time.sleep(0)
            return Path(__file__).read_text()

    assert in_agent(effect).startswith('"""')


def test_the_agent_is_guarded_again_after_it() -> None:
    def effects() -> None:
        with outside_agent():
            time.sleep(0)
        time.sleep(0)

    with pytest.raises(NotDurableError):
        in_agent(effects)


# -- what Python reads for itself --


def test_imports_work_in_an_agent_whatever_the_module_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_by_an_agent.py").write_text(
        "import socket\nwith open(__file__) as f, socket.socket(): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert in_agent(lambda: importlib.import_module("imported_by_an_agent")).__file__


def test_the_code_of_an_imported_module_is_guarded_once_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "called_by_an_agent.py").write_text("def read():\n    return open(__file__)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(NotDurableError, match=r"called_by_an_agent\.py:2"):
        in_agent(lambda: importlib.import_module("called_by_an_agent").read())


def test_tracebacks_and_sources_can_be_read() -> None:
    def show() -> str:
        linecache.clearcache()
        try:
            raise LookupError
        except LookupError:
            return traceback.format_exc() + inspect.getsource(in_agent)

    assert "raise LookupError" in in_agent(show)


def test_warnings_and_logs_can_be_written(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "log", delay=True)
    log = logging.Logger("agents")
    log.addHandler(handler)

    def speak() -> None:
        linecache.clearcache()
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            warnings.warn("careful", stacklevel=1)
        log.error("a line")
        print("spoken")

    in_agent(speak)
    handler.close()
    assert (tmp_path / "log").read_text() == "a line\n"


def test_numbers_and_time_zones_are_no_effects() -> None:
    zone = in_agent(lambda: zoneinfo.ZoneInfo.no_cache("Europe/Berlin"))
    assert (str(zone), in_agent(lambda: Decimal(1) / 4)) == ("Europe/Berlin", Decimal("0.25"))


def test_the_hook_is_installed_once_and_only_for_agents() -> None:
    script = """
import sys
hooks = []
add = sys.addaudithook
sys.addaudithook = lambda hook: (hooks.append(hook), add(hook))
from rescind.backends.native.agent_loop import AgentLoop
assert hooks == []
for _ in range(3):
    AgentLoop(None, 0).close()
assert len(hooks) == 1
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
