"""`rescind run`: a command here, or on a server; its output, its exit code, its end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from rescind.cli.options import ADDRESS_VARIABLE
from rescind.executors import Command, shell_commands
from rescind.worker.executors import process_table
from sdk.tests.cli.programs import Programs, ended, free_port, in_time, next_event, refused
from sdk.tests.worker.executors.observed import in_real_time, observed


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


def test_what_is_no_utf8_comes_as_it_was_written(programs: Programs) -> None:
    wanted = bytes(range(256)) * 40 + "é".encode()[:1]
    octal = "".join(f"\\{byte:03o}" for byte in wanted)
    done = subprocess.run(
        [*programs.command, "run", "--", "sh", "-c", f"printf '{octal}'; printf '{octal}' >&2"],
        env=programs.environment,
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (wanted, wanted)


def test_a_huge_line_comes_whole(programs: Programs) -> None:
    done = programs.run("run", "head -c 3000000 /dev/zero | tr '\\0' x")
    assert done.stdout == "x" * 3_000_000


def test_nothing_of_a_long_output_is_left_out(programs: Programs) -> None:
    done = programs.run("run", "seq 400000")
    assert done.stdout == "".join(f"{number}\n" for number in range(1, 400_001))


@pytest.mark.parametrize(("command", "code"), [("no-such-command", 127), ("/", 126)])
def test_what_cannot_be_run_has_the_exit_code_of_shells(programs: Programs, command: str, code: int) -> None:
    done = programs.run("run", command)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"rescind: '{command}' cannot be run: ")


def test_a_file_that_is_not_executable_is_told_as_such(programs: Programs, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho ran\n")
    done = programs.run("run", str(script))
    assert (done.returncode, done.stdout) == (126, "")
    assert done.stderr.startswith(f"rescind: '{script}' cannot be run: Permission denied")


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


def test_what_it_wrote_is_kept_where_it_is_asked_for(programs: Programs) -> None:
    assert programs.run("run", "--store", "kept.db", "--id", "mine", "echo here; exit 3").returncode == 3
    again = programs.run("attach", "--store", "kept.db", "mine")
    assert (again.returncode, again.stdout) == (3, "here\n")
    assert "no execution 'other'" in refused(programs.run("attach", "--store", "kept.db", "other"), 3)
    assert "does not exist" in refused(programs.run("attach", "--store", "none.db", "mine"), 2)


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


def test_a_second_ctrl_c_kills_it_on_the_server_too_whatever_its_grace(
    shell_served: Programs, sign: str, tmp_path: Path
) -> None:
    stubborn = f"sleep {sign} & trap 'touch told' TERM; echo ready; while :; do sleep 0.1; done"
    running = shell_served.begin(
        *("run", "--address", address_of(shell_served), "--queue", "shell", "--grace", "6000", stubborn)
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    running.send_signal(signal.SIGINT)
    in_time(lambda: (tmp_path / "told").exists() or None)
    assert ended(running, signal.SIGINT) == 130
    in_time(lambda: True if not alive_with(sign) else None)


WAITS_FOR_A_FILE = "while [ ! -e go ]; do sleep 0.01; done"


def test_detached_it_runs_on_and_attach_shows_what_it_wrote_so_far_and_follows(
    shell_served: Programs, tmp_path: Path
) -> None:
    command = f"echo early; touch began; {WAITS_FOR_A_FILE}; echo late; exit 5"
    detached = shell_served.run("run", "--detach", "--queue", "shell", "--id", "mine", command)
    assert (detached.returncode, detached.stdout) == (0, "mine\n")
    in_time(lambda: (tmp_path / "began").exists() or None)
    attached = shell_served.begin("attach", "mine")
    assert attached.stdout is not None
    assert attached.stdout.readline() == "early\n"
    (tmp_path / "go").touch()
    assert attached.stdout.read() == "late\n"
    assert attached.wait() == 5
    again = shell_served.run("attach", "mine")
    assert (again.returncode, again.stdout) == (5, "early\nlate\n")


def test_another_terminal_attaches_when_the_first_is_gone(shell_served: Programs, tmp_path: Path) -> None:
    command = f"echo early; {WAITS_FOR_A_FILE}; echo late"
    first = shell_served.begin(
        "run", "--address", address_of(shell_served), "--queue", "shell", "--id", "mine", command
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "early\n"
    first.kill()
    second = shell_served.begin("attach", "mine")
    assert second.stdout is not None
    assert second.stdout.readline() == "early\n"
    (tmp_path / "go").touch()
    assert second.stdout.read() == "late\n"
    assert second.wait() == 0


def test_of_a_long_output_attach_shows_the_end_and_says_how_much_came_before(shell_served: Programs) -> None:
    shell_served.run("run", "--detach", "--queue", "shell", "--id", "long", "seq -w 250000")
    attached = shell_served.run("attach", "long")
    shown = attached.stdout.encode()
    assert attached.stdout.endswith("249999\n250000\n")
    assert 1024 * 1024 <= len(shown) < 7 * 250_000
    left_out = re.findall(r"rescind: ([\d,]+) bytes of its stdout are left out here.", attached.stderr)
    assert sum(int(each.replace(",", "")) for each in left_out) + len(shown) == 7 * 250_000


def test_what_it_wrote_is_there_after_a_restart_of_the_server(programs: Programs) -> None:
    address = f"127.0.0.1:{free_port()}"
    programs.environment[ADDRESS_VARIABLE] = address
    serve = ("server", "--store", "store.db", "--address", address, "--no-http", "--json")
    server = programs.begin(*serve)
    next_event(server)
    next_event(programs.begin("worker", "--allow-shell", "*", "--json"))
    assert programs.run("run", "--address", address, "--id", "mine", "echo early; echo oh >&2").returncode == 0
    assert ended(server, signal.SIGTERM) == 0
    next_event(programs.begin(*serve))
    again = programs.run("attach", "mine")
    assert (again.returncode, again.stdout, again.stderr) == (0, "early\n", "oh\n")


def test_who_is_attached_sees_also_what_was_written_while_the_server_was_away(
    programs: Programs, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_port()}"
    programs.environment[ADDRESS_VARIABLE] = address
    serve = ("server", "--store", "store.db", "--address", address, "--no-http", "--json")
    server = programs.begin(*serve)
    next_event(server)
    next_event(programs.begin("worker", "--allow-shell", "*", "--json"))
    writes = f"until [ -e cut ]; do sleep 0.05; done; echo away; touch away; {WAITS_FOR_A_FILE}; echo late"
    programs.run("run", "--detach", "--id", "mine", f"echo early; {writes}")
    attached = programs.begin("attach", "mine")
    assert attached.stdout is not None
    assert attached.stdout.readline() == "early\n"
    assert ended(server, signal.SIGTERM) == 0
    (tmp_path / "cut").touch()
    in_time(lambda: (tmp_path / "away").exists() or None)
    next_event(programs.begin(*serve))
    assert attached.stdout.readline() == "away\n"
    (tmp_path / "go").touch()
    assert attached.stdout.read() == "late\n"
    assert attached.wait() == 0
    assert programs.run("attach", "mine").stdout == "early\naway\nlate\n"


def test_a_worker_that_does_not_allow_a_command_rejects_it(served: Programs) -> None:
    next_event(served.begin("worker", "--allow-shell", "echo *", "--queue", "echo", "--json"))
    asked = ("run", "--address", address_of(served), "--queue", "echo", "--")
    assert served.run(*asked, "echo", "a").stdout == "a\n"
    refusal = served.run(*asked, "id")
    assert (refusal.returncode, refusal.stdout) == (126, "")
    assert "this worker does not allow the command 'id'. It allows 'echo *'." in refusal.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("echo a; id",), "a; id"),
        (("echo $(id) `id` | id && id > x",), "$(id) `id` | id && id > x"),
        (("echo a\nid",), "a id"),
        (("echo", "a", "; id"), "a ; id"),
        (("echo", "$(id)\nid"), "$(id)\nid"),
    ],
)
def test_a_pattern_of_commands_cannot_be_got_around_by_what_a_shell_would_do(
    command: tuple[str, ...], said: str
) -> None:
    @in_real_time
    async def main() -> None:
        wanted = command[0] if len(command) == 1 else list(command)
        async with observed(shell_commands(allowed=["echo *"]), Command(command=wanted)) as seen:
            await seen.over()
            assert seen.output() == f"{said}\n"

    main()


def test_without_allow_shell_no_worker_takes_a_command(served: Programs) -> None:
    served.run("run", "--detach", "--id", "mine", "id")
    assert "Nobody takes what waits: 1 agent 'run-command' on queue 'default'" in served.run("doctor").stdout


def test_what_cannot_be_meant_is_refused(programs: Programs) -> None:
    assert "--store is for" in refused(programs.run("run", "--detach", "--store", "x.db", "true"), 2)
    assert "is no label" in refused(programs.run("run", "--env", "x", "true"), 2)
    assert "nothing to run" in refused(programs.run("worker"), 2)
