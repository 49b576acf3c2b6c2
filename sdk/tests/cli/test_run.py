"""`rescind run`: a command here, or on a server; its output, its exit code, its end."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from rescind.worker.executors import process_table
from sdk.tests.cli.programs import Programs, ended, in_time, next_event, refused


def alive_with(sign: str) -> list[int]:
    """The processes with a sign on their command line, this test's own aside."""
    found = []
    for row in process_table.processes():
        try:
            line = Path(f"/proc/{row.pid}/cmdline").read_bytes()
        except OSError:
            continue
        if f"sleep\0{sign}".encode() in line and row.state != "Z":
            found.append(row.pid)
    return found


@pytest.fixture
def sign() -> str:
    """A number of seconds that no other process sleeps."""
    return f"{8_000_000 + os.getpid()}.{time.time_ns() % 1_000_000}"


def test_a_command_shows_what_it_writes_and_hands_on_its_exit_code(programs: Programs) -> None:
    done = programs.run("run", "--", "sh", "-c", "echo to you; echo to me >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "to you\n", "to me\n")


def test_a_single_word_with_blanks_is_a_line_for_the_shell(programs: Programs) -> None:
    assert programs.run("run", "seq 3 | tac").stdout == "3\n2\n1\n"


def test_it_has_its_variables_and_its_folder(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    done = programs.run("run", "--env", "GIVEN=a b", "--cwd", "inner", "echo $GIVEN; pwd")
    assert done.stdout == f"a b\n{tmp_path}/inner\n"


def test_nothing_of_a_long_output_is_left_out(programs: Programs) -> None:
    done = programs.run("run", "seq 400000")
    assert done.stdout == "".join(f"{number}\n" for number in range(1, 400_001))


@pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), ("/", 126)])
def test_what_cannot_be_run_has_the_exit_code_of_shells(programs: Programs, command: str, code: int) -> None:
    done = programs.run("run", command)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"rescind: '{command}' cannot be run: ")


def test_a_signal_that_ends_it_is_told_as_shells_do(programs: Programs) -> None:
    assert programs.run("run", "kill -SEGV $$").returncode == 128 + signal.SIGSEGV


def test_a_command_that_takes_too_long_is_stopped(programs: Programs, sign: str) -> None:
    done = programs.run("run", "--timeout", "0.2", "sleep", sign)
    assert (done.returncode, "timed out" in done.stderr, alive_with(sign)) == (1, True, [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cancels_it_with_all_that_descends_from_it(
    programs: Programs, number: signal.Signals, sign: str
) -> None:
    running = programs.begin("run", f"(setsid sleep {sign} &); trap 'exit 0' TERM; echo ready; sleep {sign} & wait")
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    assert ended(running, number) == 128 + number
    assert "cancelled: request" in programs.log()
    assert alive_with(sign) == []


def test_a_second_ctrl_c_kills_it(programs: Programs, sign: str, tmp_path: Path) -> None:
    running = programs.begin("run", f"sleep {sign} & trap 'touch told' TERM; echo ready; while :; do sleep 0.1; done")
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.send_signal(signal.SIGINT)
    in_time(lambda: (tmp_path / "told").exists() or None)
    assert ended(running, signal.SIGINT) == 130
    assert alive_with(sign) == []


def test_one_that_is_killed_takes_the_command_with_it(programs: Programs, sign: str) -> None:
    running = programs.begin("run", f"(setsid sleep {sign} &); echo ready; sleep {sign}")
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.kill()
    in_time(lambda: True if not alive_with(sign) else None)


def test_its_history_is_kept_where_it_is_asked_for(programs: Programs, tmp_path: Path) -> None:
    assert programs.run("run", "--store", "kept.db", "--id", "mine", "true").returncode == 0
    assert (tmp_path / "kept.db").exists()


# --- on a server -----------------------------------------------------------------------------------------------------


@pytest.fixture
def shell_served(served: Programs) -> Programs:
    """Its worker allows everything on the queue `shell`."""
    working = next_event(served.begin("worker", "--allow-shell", "*", "--queue", "shell", "--json"))
    assert (working["agents"], working["tasks"]) == (["run-command"], ["shell"])
    return served


def address_of(programs: Programs) -> str:
    return programs.environment["RESCIND_ADDRESS"]


def test_a_command_runs_on_a_server_as_it_does_here(shell_served: Programs) -> None:
    done = shell_served.run(
        "run", "--address", address_of(shell_served), "--queue", "shell", "echo to you; echo to me >&2; exit 7"
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "to you\n", "to me\n")


def test_ctrl_c_cancels_it_on_the_server_too(shell_served: Programs, sign: str) -> None:
    running = shell_served.begin(
        "run", "--address", address_of(shell_served), "--queue", "shell", f"echo ready; sleep {sign}"
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    assert ended(running, signal.SIGINT) == 130
    assert alive_with(sign) == []


def test_detached_it_runs_on_and_attach_comes_back_to_it(shell_served: Programs, tmp_path: Path) -> None:
    command = "echo early; while [ ! -e go ]; do sleep 0.01; done; echo late; exit 5"
    detached = shell_served.run("run", "--detach", "--queue", "shell", "--id", "mine", command)
    assert (detached.returncode, detached.stdout) == (0, "mine\n")
    attached = shell_served.begin("attach", "mine")
    (tmp_path / "go").touch()
    assert attached.stdout is not None
    assert attached.stdout.read().endswith("late\n")
    assert attached.wait() == 5
    again = shell_served.run("attach", "mine")
    assert (again.returncode, again.stdout) == (5, "early\nlate\n")


def test_a_worker_that_does_not_allow_a_command_rejects_it(served: Programs) -> None:
    next_event(served.begin("worker", "--allow-shell", "echo *", "--queue", "echo", "--json"))
    asked = ("run", "--address", address_of(served), "--queue", "echo", "--")
    assert served.run(*asked, "echo", "a").stdout == "a\n"
    refusal = served.run(*asked, "id")
    assert (refusal.returncode, refusal.stdout) == (126, "")
    assert "this worker does not allow the command 'id'. It allows 'echo *'." in refusal.stderr


def test_what_cannot_be_meant_is_refused(programs: Programs) -> None:
    assert "--store is for" in refused(programs.run("run", "--detach", "--store", "x.db", "true"), 2)
    assert "is no label" in refused(programs.run("run", "--env", "x", "true"), 2)
    assert "nothing to run" in refused(programs.run("worker"), 2)
