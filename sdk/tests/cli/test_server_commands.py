"""The commands that run a server, a worker, or ask a server: over the loopback, with a store in a file."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from click.testing import CliRunner, Result

from rescind.cli.columns import printable
from rescind.cli.main import rescind
from rescind.cli.options import ADDRESS_VARIABLE, DEFAULT_ADDRESS
from rescind.cli.refusals import exit_code_of
from rescind.cli.server import is_loopback
from rescind.errors import (
    AlreadyExists,
    DuplicateKind,
    ExecutionEnded,
    InvalidInput,
    NotFound,
    NotPermitted,
    PayloadTooLarge,
    RescindError,
    ServerUnavailable,
    StoreError,
)
from rescind_server import app

ROOT: Final = Path(__file__).parents[3]
PATHS: Final = os.pathsep.join(str(ROOT / name) for name in ("sdk", "server_stub", "proto"))
LONGEST: Final = 60.0
LOOK_EVERY: Final = 0.05
WORK: Final = """
import asyncio
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


@agent("waits")
async def waits(ctx: AgentContext) -> Any:
    return await ctx.wait_for_signal_raw("go")


@agent("fails")
async def fails(ctx: AgentContext) -> str:
    raise ValueError("there is no way")


EVERYTHING = [quote, fastest, one_quote, waits, fails]
"""

FoundT = TypeVar("FoundT")


class Programs:
    """Starts `rescind` in processes of its own, and kills those that still run in the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[str]] = []
        self.environment = {**os.environ, "PYTHONPATH": PATHS}

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that goes on. Its stdout can be read; its stderr goes to a file."""
        with (self._folder / "log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "rescind", *arguments],
                cwd=self._folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._running.append(process)
        return process

    def run(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "rescind", *arguments],
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


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    (tmp_path / "work.py").write_text(WORK)
    started = Programs(tmp_path)
    try:
        yield started
    finally:
        started.end()


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
    assert line.startswith("rescind ")
    return line


@pytest.fixture
def served(programs: Programs, tmp_path: Path) -> Programs:
    """A server on a file and a worker, in processes of their own."""
    server = programs.begin("server", "--store", "store.db", "--address", "127.0.0.1:0", "--json")
    serving = next_event(server)
    assert serving == {
        "event": "serving",
        "address": serving["address"],
        "store": str(tmp_path / "store.db"),
        "durability": "full",
        "access": "open",
        "loopback": True,
    }
    programs.environment[ADDRESS_VARIABLE] = serving["address"]
    working = next_event(programs.begin("worker", "work", "--json"))
    assert (working["agents"], working["tasks"]) == (["fastest-quote", "one-quote", "waits", "fails"], ["quote"])
    return programs


# From end to end.


def test_what_is_started_is_worked_on_listed_shown_and_told(served: Programs) -> None:
    done = served.json("start", "fastest-quote", '["bike", "van"]', "--id", "first", "--label", "region=eu", "--wait")
    assert (done["execution_id"], done["status"], done["output"]) == ("first", "COMPLETED", "bike can do it")
    assert done["labels"] == {"region": "eu"}
    assert served.json("start", "waits", "--id", "second") == {"execution_id": "second"}

    listed = served.json("list")
    assert ([each["execution_id"] for each in listed["executions"]], listed["more"]) == (["second", "first"], False)
    assert [each["execution_id"] for each in served.json("list", "--kind", "waits")["executions"]] == ["second"]
    completed = served.json("list", "--status", "completed", "--label", "region=eu")
    assert [each["execution_id"] for each in completed["executions"]] == ["first"]
    assert served.json("list", "--limit", "1")["more"] is True

    def shown_when_all_has_stopped() -> Any:
        shown = served.json("show", "first")
        return shown if shown["tasks"][1]["stop_state"] == "STOPPED" else None

    bike, van = in_time(shown_when_all_has_stopped)["tasks"]
    assert (bike["status"], bike["output"], bike["stop_state"], bike["stops"]) == (
        "COMPLETED",
        "bike can do it",
        None,
        [],
    )
    assert (van["status"], van["cause"]["source"], len(van["stops"])) == ("CANCELLED", "race_lost", 1)

    history = [json.loads(line) for line in served.run("history", "first").stdout.splitlines()]
    assert [event["sequence"] for event in history] == list(range(1, len(history) + 1))
    assert [history[0]["type"], "EXECUTION_COMPLETED" in [event["type"] for event in history]] == [
        "EXECUTION_STARTED",
        True,
    ]


def test_people_see_a_line_per_execution_and_a_bar_per_task(served: Programs) -> None:
    started = served.run("start", "fastest-quote", '["bike", "van"]', "--id", "first", "--wait").stdout.splitlines()
    assert (started[0], started[1].split()[0], started[2]) == ("Started first", "COMPLETED", '"bike can do it"')
    heading, row = served.run("list").stdout.splitlines()
    assert heading.split() == ["ID", "KIND", "STATUS", "QUEUE", "STARTED", "TOOK"]
    assert row.split()[:4] == ["first", "fastest-quote", "COMPLETED", "default"]
    shown = served.run("show", "first").stdout
    assert shown.splitlines()[0] == "first  fastest-quote  COMPLETED"
    (bar,) = (line for line in shown.splitlines() if line.startswith("  1 quote"))
    assert bar.endswith("winner")
    assert "race_lost by agent:first" in shown
    assert all(line == line.rstrip() for line in shown.splitlines())


def test_a_cancel_stops_it_is_repeatable_and_comes_too_late_for_what_has_completed(served: Programs) -> None:
    served.json("start", "one-quote", '"van"', "--id", "endless")

    def quote_if_it_runs() -> Any:
        tasks = served.json("show", "endless")["tasks"]
        return tasks if tasks and tasks[0]["status"] == "RUNNING" else None

    in_time(quote_if_it_runs)
    answer = served.json("cancel", "endless", "--reason", "no need")
    assert answer == {"execution_id": "endless", "result": "CANCELLED"}
    # Starting the same again is waiting for the one that there is.
    done = served.json("start", "one-quote", '"van"', "--id", "endless", "--wait", code=1)
    assert (done["status"], done["cause"]["reason"]) == ("CANCELLED", "no need")
    assert served.json("cancel", "endless", "--hard")["result"] == "ALREADY_CANCELLED"
    assert "STOP_REQUESTED" in served.run("history", "endless", "--json").stdout

    served.json("start", "fastest-quote", '["bike"]', "--id", "done", "--wait")
    assert "had completed before" in refused(served.run("cancel", "done"), 4)
    assert served.json("cancel", "done", code=4)["result"] == "ALREADY_COMPLETED"


def test_a_signal_reaches_the_agent_with_its_value_also_from_a_pipe(served: Programs, tmp_path: Path) -> None:
    served.json("start", "waits", "--id", "asked")
    assert served.json("signal", "asked", "go", "-", given='{"way": "north"}') == {
        "execution_id": "asked",
        "signal": "go",
    }
    assert served.json("start", "waits", "--id", "asked", "--wait")["output"] == {"way": "north"}
    assert "takes no more signals" in refused(served.run("signal", "asked", "go"), 4)
    (tmp_path / "carriers.json").write_text('["bike"]')
    assert served.json("start", "fastest-quote", "@carriers.json", "--wait")["input"] == ["bike"]


def test_what_the_server_refuses_has_its_own_exit_code(served: Programs) -> None:
    for command in (("show", "nobody"), ("history", "nobody"), ("signal", "nobody", "go"), ("cancel", "nobody")):
        assert "nobody" in refused(served.run(*command), 3)
    served.json("start", "waits", "--id", "one")
    assert "exists" in refused(served.run("start", "waits", "7", "--id", "one"), 4)
    done = served.json("start", "fails", "--wait", code=1)
    assert (done["status"], "there is no way" in done["error"]) == ("FAILED", True)
    locked = served.run("server", "--store", "store.db", "--address", "127.0.0.1:0")
    assert "store.db" in refused(locked, 4)
    taken = served.run("server")  # at the address of the one that serves
    assert "cannot be served at" in refused(taken, 5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_server_and_worker_stop_in_order_and_the_next_server_goes_on(
    programs: Programs, number: signal.Signals
) -> None:
    programs.environment[ADDRESS_VARIABLE] = f"127.0.0.1:{free_port()}"
    # The worker first: it goes on trying until its server is there.
    worker = programs.begin("worker", "work:EVERYTHING", "--slots", "2", "--json")
    assert next_event(worker)["event"] == "working"
    server = programs.begin("server", "--store", "store.db", "--durability", "off", "--json")
    assert next_event(server)["durability"] == "off"
    programs.json("start", "fastest-quote", '["bike"]', "--id", "before", "--wait")
    assert ended(worker, number) == 0
    assert [next_event(worker)["event"] for _ in range(2)] == ["stopping", "stopped"]
    assert ended(server, number) == 0
    assert next_event(server) == {"event": "stopped"}

    assert next_event(programs.begin("server", "--store", "store.db", "--json"))["event"] == "serving"
    assert programs.json("show", "before")["status"] == "COMPLETED"


def test_a_worker_lets_run_what_runs_and_a_second_ctrl_c_ends_it_at_once(served: Programs) -> None:
    worker = served.begin("worker", "work", "--queue", "other", "--json")
    assert next_event(worker)["queues"] == ["other"]
    served.json("start", "one-quote", '"van"', "--id", "endless", "--queue", "other")

    def runs() -> bool | None:
        return any(task["status"] == "RUNNING" for task in served.json("show", "endless")["tasks"]) or None

    in_time(runs)
    worker.send_signal(signal.SIGINT)
    assert next_event(worker)["event"] == "stopping"
    assert worker.poll() is None
    worker.send_signal(signal.SIGINT)
    in_time(worker.poll)
    assert worker.returncode == -signal.SIGINT


# What needs no server.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_never_found_its_server_stops_when_told(programs: Programs, number: signal.Signals) -> None:
    worker = programs.begin("worker", "work", "--address", f"127.0.0.1:{free_port()}", "--json")
    assert next_event(worker)["event"] == "working"
    in_time(lambda: "is not connected, and tries again" in programs.log() or None)
    assert ended(worker, number) == 0


@pytest.mark.parametrize(
    "command",
    [("start", "kind"), ("list",), ("show", "id"), ("history", "id"), ("signal", "id", "go"), ("cancel", "id")],
)
def test_a_server_that_is_not_there_is_told_in_one_line(command: tuple[str, ...]) -> None:
    address = f"127.0.0.1:{free_port()}"
    result = invoke(*command, "--address", address)
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (5, "")
    assert line.startswith(f"rescind {command[0]}: ")
    assert address in line


@pytest.mark.parametrize(
    ("command", "told"),
    [
        pytest.param(("start", "kind", "{"), "the input is not JSON", id="malformed input"),
        pytest.param(("start", "kind", "[" * 100_000), "the input is not JSON", id="endless input"),
        pytest.param(("start", "kind", "@nowhere.json"), "cannot be read from 'nowhere.json'", id="no file"),
        pytest.param(("start", "kind", "NaN"), "cannot be written as JSON", id="not a number"),
        pytest.param(("start", "kind", "--label", "eu"), "'eu' is no label", id="label without a value"),
        pytest.param(("start", "kind", "--label", "a=1", "--label", "a=2"), "'a' is given twice", id="label twice"),
        pytest.param(("start", "kind", "--id", ""), "not empty", id="empty id"),
        pytest.param(("signal", "id", "go", "{"), "the signal's value is not JSON", id="malformed signal"),
        pytest.param(("list", "--label", "=eu"), "'=eu' is no label", id="label without a name"),
        pytest.param(("list", "--address", "nowhere"), "'nowhere' is no address", id="address without a port"),
        pytest.param(("server", "--address", "localhost:65536"), "is no address", id="no such port"),
        pytest.param(("worker", ":x"), "':x' is no MODULE", id="no module's name"),
        pytest.param(("worker", "no_such_module"), "there is no module 'no_such_module'", id="unknown module"),
        pytest.param(("worker", "json.nowhere"), "there is no module 'json.nowhere'", id="unknown submodule"),
        pytest.param(("worker", "json"), "defines no agent and no task", id="module without agents"),
        pytest.param(("worker", "json:nowhere"), "no attribute 'nowhere'", id="unknown attribute"),
        pytest.param(("worker", "json:__name__"), "no list of them", id="attribute of another sort"),
        pytest.param(("worker", "json:__all__"), "holds 'dump'", id="list of something else"),
    ],
)
def test_bad_input_is_told_in_one_line(command: tuple[str, ...], told: str) -> None:
    result = invoke(*command)
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (2, "")
    assert line.startswith(f"rescind {command[0]}: ")
    assert told in line


@pytest.mark.parametrize(
    ("code", "told"),
    [
        pytest.param("\n1 / 0\n", "ZeroDivisionError: division by zero", id="raises"),
        pytest.param("x = (", "SyntaxError", id="is no Python"),
        pytest.param("import no_such_module", "No module named 'no_such_module'", id="needs another module"),
        pytest.param("raise SystemExit", "SystemExit", id="exits"),
        pytest.param(
            "from rescind import agent\n\nasync def run(ctx): ...\n\none, two = agent('a')(run), agent('a')(run)\n",
            "two agents have the kind 'a'",
            id="defines a kind twice",
        ),
    ],
)
def test_a_module_that_cannot_be_used_is_told_in_one_line(
    programs: Programs, tmp_path: Path, code: str, told: str
) -> None:
    (tmp_path / "broken.py").write_text(code)
    assert told in refused(programs.run("worker", "broken"), 2)


@pytest.mark.parametrize(
    "command", [("server",), ("worker", "work"), ("list",), ("start", "kind"), ("cancel", "id"), ("show", "id")]
)
def test_without_grpc_it_tells_what_to_install(programs: Programs, command: tuple[str, ...]) -> None:
    without = "import sys; sys.modules['grpc'] = None; from rescind.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", without, *command],
        env=programs.environment,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert "pip install 'rescind[server]'" in refused(done, 2)


def test_the_demo_starts_without_grpc() -> None:
    asked = "import sys, rescind.cli.main; print([name for name in ('grpc', 'google.protobuf') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=LONGEST)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("command", ["server", "worker", "start", "list", "show", "history", "signal", "cancel"])
def test_each_command_has_help_json_and_an_address(command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    for named in ("--json", "--address", ADDRESS_VARIABLE, DEFAULT_ADDRESS):
        assert named in result.stdout


def test_the_default_address_is_the_servers() -> None:
    assert DEFAULT_ADDRESS == app.DEFAULT_ADDRESS


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("x"), 2),
        (PayloadTooLarge("x"), 2),
        (DuplicateKind("x"), 2),
        (NotFound("x"), 3),
        (AlreadyExists("x"), 4),
        (ExecutionEnded("x"), 4),
        (NotPermitted("x"), 4),
        (StoreError("x"), 4),
        (ServerUnavailable("x"), 5),
        (RescindError("x"), 1),
    ],
)
def test_an_exit_code_says_who_must_act(error: RescindError, code: int) -> None:
    assert exit_code_of(error) == code


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:7233", True),
        ("127.9.9.9:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("example.org:1", False),
    ],
)
def test_only_the_loopback_is_closed_to_others(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


def test_control_characters_of_others_do_not_reach_the_terminal() -> None:
    assert printable("\x1b[2Jé\n") == "\\x1b[2Jé\\n"
