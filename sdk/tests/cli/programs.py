"""`rescind` in processes of its own, for the tests of its commands, and the agents that they run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from click.testing import CliRunner, Result

from rescind.cli.main import rescind

ROOT: Final = Path(__file__).parents[3]
PATHS: Final = os.pathsep.join(str(ROOT / name) for name in ("sdk", "server_stub", "proto"))
LONGEST: Final = 60.0
LOOK_EVERY: Final = 0.05
WORK: Final = """
import asyncio
import threading
from typing import Any

from rescind import AgentContext, TaskContext, agent, task


@task("quote")
async def quote(ctx: TaskContext, carrier: str) -> str:
    if carrier != "bike":
        await asyncio.Event().wait()
    return f"{carrier} can do it"


@agent("fastest-quote")
async def fastest(ctx: AgentContext, carriers: list[str]) -> str:
    winner, _ = await ctx.select_ok_with_cancel([ctx.schedule(quote, carrier) for carrier in carriers])
    return winner


@agent("one-quote")
async def one_quote(ctx: AgentContext, carrier: str) -> str:
    return await ctx.schedule(quote, carrier)


HOLD = threading.Event()


@task("stubborn", executor="thread", grace=0.01)
def stubborn(ctx: TaskContext) -> None:
    HOLD.wait()


@agent("clings")
async def clings(ctx: AgentContext) -> None:
    # Its task does not stop before its worker does.
    await ctx.schedule(stubborn)


@agent("oversees")
async def oversees(ctx: AgentContext) -> None:
    await (await ctx.spawn_agent(clings))


@agent("tells")
async def tells(ctx: AgentContext) -> str:
    await ctx.wait_for_signal_raw("go")
    await ctx.stream_progress(0.5, "half of it")
    return "all of it"


@agent("waits")
async def waits(ctx: AgentContext) -> Any:
    return await ctx.wait_for_signal_raw("go")


@agent("fails")
async def fails(ctx: AgentContext) -> str:
    raise ValueError("there is no way")


EVERYTHING = [quote, fastest, one_quote, stubborn, clings, oversees, tells, waits, fails]
"""

AGENTS: Final = ["fastest-quote", "one-quote", "clings", "oversees", "tells", "waits", "fails"]
TASKS: Final = ["quote", "stubborn"]

FoundT = TypeVar("FoundT")


class Programs:
    """Starts `rescind` in processes of its own, and kills those that still run in the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[str]] = []
        self.environment = {**os.environ, "PYTHONPATH": PATHS}
        self.command = (sys.executable, "-m", "rescind")

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that goes on. Its stdout can be read; its stderr goes to a file."""
        with (self._folder / "log").open("a") as log:
            process = subprocess.Popen(
                [*self.command, *arguments],
                cwd=self._folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._running.append(process)
        return process

    def begin_at(self, terminal: int, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command at a terminal, given as a file descriptor. It is left to the caller to wait for it."""
        environment = {**self.environment, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
        return subprocess.Popen(
            [*self.command, *arguments],
            cwd=self._folder,
            env=environment,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )

    def run(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*self.command, *arguments],
            cwd=self._folder,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )

    def json(self, *arguments: str, code: int = 0, given: str | None = None) -> Any:
        """What a command tells programs."""
        done = self.run(*arguments, "--json", given=given)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def end(self) -> None:
        """Kill what still runs."""
        for process in self._running:
            with process:
                process.kill()
        print(self.log())

    def log(self) -> str:
        """What those that go on have printed to stderr so far."""
        log = self._folder / "log"
        return log.read_text() if log.exists() else ""


def next_event(process: subprocess.Popen[str]) -> Any:
    """The next line that a long-running command prints: it comes, or the process has ended."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"it has ended with {process.wait()}"
    return json.loads(line)


def in_time(look: Callable[[], FoundT | None]) -> FoundT:
    """Look again and again, until something is found."""
    give_up = time.monotonic() + LONGEST
    while (found := look()) is None:
        assert time.monotonic() < give_up
        time.sleep(LOOK_EVERY)
    return found


def ended(process: subprocess.Popen[str], number: signal.Signals) -> int:
    """Tell a process to stop, and return its exit code."""
    process.send_signal(number)
    return process.wait(LONGEST)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(rescind, list(arguments))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def refused(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line in which a command refused."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(("rescind ", "rescind: "))
    return line
