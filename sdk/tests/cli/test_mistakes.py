"""What people mistype, and what is not there: each is told in one line, with the exit code that says who must act."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rescind.cli.options import ADDRESS_VARIABLE
from rescind.cli.printable import printable
from rescind.cli.refusals import exit_code_of
from rescind.errors import (
    AddressUnavailable,
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
from rescind.settings import DEFAULT_ADDRESS
from rescind_server import app
from rescind_server.access.addresses import is_loopback
from sdk.tests.cli.programs import LONGEST, Programs, free_port, invoke, refused


@pytest.mark.parametrize(
    "command",
    [
        ("start", "kind"),
        ("list",),
        ("show", "id"),
        ("watch", "id"),
        ("history", "id"),
        ("signal", "id", "go"),
        ("cancel", "id"),
        ("cancel", "--where", "queue=default"),
        ("tasks",),
        ("workers",),
    ],
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
        pytest.param(("list", "--label", "=eu"), "'=eu' is no label with its value", id="label without a name"),
        pytest.param(("list", "--address", "nowhere"), "'nowhere' is no address", id="address without a port"),
        pytest.param(("server", "--address", "localhost:65536"), "is no address", id="no such port"),
        pytest.param(("server", "--http-name", "a.example:80"), "is no name of a host", id="a name with a port"),
        pytest.param(("server", "--retention", "soon"), "'soon' is no length of time", id="no age"),
        pytest.param(("cancel",), "give an ID, --task, or --where", id="nothing to cancel"),
        pytest.param(("cancel", "id", "--where", "queue=a"), "give --where alone", id="one and many"),
        pytest.param(("cancel", "id", "--yes"), "--tasks, --dry-run and --yes go with --where", id="yes to nothing"),
        pytest.param(("cancel", "id", "--mode", "wait"), "--mode goes with --task", id="mode of an execution"),
        pytest.param(("cancel", "--task", "x", "--force", "--mode", "wait"), "leave --mode out", id="forced to decide"),
        pytest.param(
            ("cancel", "--task", "x"), "'x' is no task id. Give one as `rescind tasks`", id="malformed task id"
        ),
        pytest.param(
            ("list", "--address", "http://here:1/"), "Leave 'http://' away: here:1.", id="address with a scheme"
        ),
        pytest.param(("server", "--retention", "0s"), "--retention is less than a second", id="no retention"),
        pytest.param(("cancel", "--where", " "), "would select everything", id="no condition"),
        pytest.param(("cancel", "--where", "quue=a"), "there is no 'quue' to select by", id="unknown condition"),
        pytest.param(("tasks", "--where", "age=1h"), "give age>1h for older", id="age without a side"),
        pytest.param(("list", "--kind", "a", "--where", "kind=b"), "kind is given twice", id="condition twice"),
        pytest.param(("worker", ":x"), "':x' is no MODULE", id="no module's name"),
        pytest.param(("worker", "no_such_module"), "there is no module 'no_such_module'", id="unknown module"),
        pytest.param(("worker", "json.nowhere"), "there is no module 'json.nowhere'", id="unknown submodule"),
        pytest.param(("worker", "json"), "defines no agent, task or workflow", id="module without agents"),
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
    ("command", "path", "told"),
    [
        pytest.param(("list", "--foo"), "rescind list", "--foo", id="unknown option"),
        pytest.param(("list", "--limit", "x"), "rescind list", "'--limit'", id="no number"),
        pytest.param(("show",), "rescind show", "'ID'", id="no id"),
        pytest.param(("cancle", "id"), "rescind", "'cancle'", id="unknown command"),
    ],
)
def test_a_command_that_was_mistyped_is_told_in_one_line_with_where_its_help_is(
    programs: Programs, command: tuple[str, ...], path: str, told: str
) -> None:
    line = refused(programs.run(*command), 2)
    command_path, _, message = line.partition(": ")
    assert command_path == path
    # The words in between are Click's.
    assert told in message
    assert message.endswith(f" See {path} --help.")


def test_a_cancel_that_met_no_server_can_be_repeated() -> None:
    address = f"127.0.0.1:{free_port()}"
    for command in (("cancel", "id"), ("cancel", "--task", "0" * 32, "--mode", "wait")):
        result = invoke(*command, "--address", address)
        assert result.exit_code == 5
        assert result.stderr.endswith(" Repeat it: that is harmless.\n")


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
    "command", [("server",), ("worker", "work"), ("list",), ("start", "kind"), ("cancel", "id"), ("doctor",)]
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
    asked = "import sys, rescind.cli.demo; print([name for name in ('grpc', 'google.protobuf') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=LONGEST)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "command",
    [
        "server",
        "worker",
        "start",
        "list",
        "show",
        "watch",
        "history",
        "signal",
        "cancel",
        "tasks",
        "workers",
        "doctor",
    ],
)
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
        (AddressUnavailable("x"), 5),
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
