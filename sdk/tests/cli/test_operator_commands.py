"""What operators type: where work is, what does not stop, and how to take back many at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import Any

import pytest

from rescind.cli.options import ADDRESS_VARIABLE
from sdk.tests.cli.programs import Programs, ended, free_port, in_time, next_event, refused


def task_of(served: Programs, execution_id: str, status: str = "RUNNING") -> Any:
    """The one task of an execution, as soon as it stands so."""

    def look() -> Any:
        found = served.json("tasks", "--execution", execution_id)["tasks"]
        return found[0] if found and found[0]["status"] == status else None

    return in_time(look)


def checks_of(served: Programs, *, code: int) -> dict[str, tuple[str, str]]:
    """What each check of the doctor found: its level and its message."""
    examined = served.json("doctor", code=code)
    assert examined["well"] is (code == 0)
    return {each["check"]: (each["level"], each["message"]) for each in examined["checks"]}


def start_many(served: Programs, count: int) -> None:
    for number in range(count):
        served.json("start", "waits", "--id", f"w-{number}", "--label", "team=a team", "--queue", "other")


# tasks and workers


def test_tasks_are_listed_with_who_runs_them_and_workers_with_what_they_run(served: Programs) -> None:
    served.json("start", "one-quote", '"van"', "--id", "endless")
    task = task_of(served, "endless")
    (worker,) = served.json("workers")["workers"]
    assert (task["agent"], task["kind"], task["input"], task["stop_state"]) == ("one-quote", "quote", "van", None)
    assert [attempt["worker_id"] for attempt in task["at_work"]] == [worker["worker_id"]]
    assert (worker["connected"], worker["running"], worker["stopping"], worker["held"]) == (True, 1, 0, 1)
    assert served.json("tasks", "--worker", worker["worker_id"])["tasks"][0]["task_id"] == task["task_id"]
    assert served.json("tasks", "--worker", "another")["tasks"] == []
    assert served.json("list", "--worker", worker["worker_id"])["executions"][0]["execution_id"] == "endless"

    heading, row = served.run("tasks").stdout.splitlines()
    assert heading.split() == ["EXECUTION", "TASK", "KIND", "STATUS", "STOP", "ATTEMPTS", "WORKER", "QUEUE", "AGE"]
    assert row.split()[:4] == ["endless", task["task_id"], "quote", "RUNNING"]
    heading, row = served.run("workers").stdout.splitlines()
    assert row.startswith(f"{worker['worker_id']}  connected")


def test_tasks_that_are_over_are_listed_when_asked_for(served: Programs) -> None:
    served.json("start", "fastest-quote", '["bike"]', "--id", "done", "--wait")
    assert served.json("tasks")["tasks"] == []
    (task,) = served.json("tasks", "--execution", "done", "--status", "completed")["tasks"]
    assert (task["output"], task["at_work"]) == ("bike can do it", [])
    assert served.json("tasks", "--execution", "done", "--kind", "another")["tasks"] == []
    assert "nobody" in refused(served.run("tasks", "--execution", "nobody"), 3)


def test_a_cancelled_task_that_runs_on_is_listed_until_it_stops(served: Programs) -> None:
    served.json("start", "clings", "--id", "stuck")
    task_of(served, "stuck")
    served.json("cancel", "stuck")

    def unresponsive() -> Any:
        (worker,) = served.json("workers")["workers"]
        return worker["unresponsive"] == 1 or None

    in_time(unresponsive)
    (stopping,) = served.json("tasks", "--stopping")["tasks"]
    assert (stopping["status"], stopping["stop_state"]) == ("CANCELLED", "DELIVERED")
    _, row = served.run("tasks", "--stopping").stdout.splitlines()
    assert "CANCELLED  DELIVERED, unresponsive for" in row
    level, message = checks_of(served, code=1)["stops"]
    assert (level, stopping["task_id"] in message) == ("fail", True)


def test_force_ends_the_grace_of_what_is_being_stopped_and_changes_no_outcome(served: Programs) -> None:
    served.json("start", "clings", "--id", "stuck")
    task_id = task_of(served, "stuck")["task_id"]
    assert served.json("cancel", "--task", task_id)["result"] == "CANCELLED"
    assert served.json("cancel", "--task", task_id, "--force")["result"] == "ALREADY_CANCELLED"
    (stop,) = task_of(served, "stuck", "CANCELLED")["stops"]
    assert stop["forced_at"] is not None
    requests = [each for each in served.json("audit")["requests"] if each["action"] == "CANCEL_TASK"]
    assert [each["forced"] for each in requests] == [True, False]
    assert "cancel task by force" in served.run("audit").stdout


def test_what_is_cancelled_says_that_work_below_it_still_stops(served: Programs) -> None:
    served.json("start", "oversees", "--id", "root")

    def at_work() -> Any:
        return [each for each in served.json("tasks")["tasks"] if each["status"] == "RUNNING"] or None

    (task,) = in_time(at_work)
    served.json("cancel", "root", "--hard")
    shown = served.json("show", "root")
    assert (shown["status"], shown["stopping"], shown["children_stopping"]) == ("CANCELLED", 1, 1)
    (child,) = shown["children"]
    assert (child["execution_id"], child["status"], child["stopping"]) == (task["execution_id"], "CANCELLED", 1)
    listed = {each["execution_id"]: each for each in served.json("list")["executions"]}
    counts = [(each["stopping"], each["children_stopping"]) for each in (listed["root"], listed[task["execution_id"]])]
    assert counts == [(1, 1), (1, 0)]
    _, *rows = served.run("list").stdout.splitlines()
    assert all("CANCELLED, still stopping" in row for row in rows)
    heading, *lines = served.run("show", "root").stdout.splitlines()
    assert heading == "root  oversees  CANCELLED, still stopping"
    assert any(line.split() == ["stopping", "in", "1", "child"] for line in lines)
    watched = served.run("watch", "root")
    assert ", still stopping: " in watched.stdout.splitlines()[-1]
    assert "Still being stopped: what runs in 1 child" in watched.stderr


def test_lists_tell_on_stderr_that_they_are_empty_or_not_whole(served: Programs) -> None:
    assert served.run("tasks").stderr == "No tasks.\n"
    start_many(served, 2)
    assert served.run("list", "--limit", "1").stderr == "There are more than this one: --limit shows them.\n"


def test_executions_are_listed_by_the_beginning_of_their_id(served: Programs) -> None:
    start_many(served, 2)
    served.json("start", "waits", "--id", "v-0")
    found = served.json("list", "--id", "w-")["executions"]
    assert [each["execution_id"] for each in found] == ["w-1", "w-0"]
    assert served.json("list", "--id", "w-0", "--queue", "default")["executions"] == []


# doctor


def test_the_doctor_finds_nothing_where_all_is_well(served: Programs) -> None:
    checks = checks_of(served, code=0)
    assert {level for level, _ in checks.values()} == {"ok"}
    expected = "address access clock store workers stops orders offline signs contact kinds parked webhooks"
    assert list(checks) == expected.split()
    assert "store.db" in checks["store"][1]
    lines = served.run("doctor").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", check] for check in checks]


def test_the_doctor_names_kinds_that_nobody_takes(served: Programs) -> None:
    served.json("start", "unheard-of", "--id", "lonely")
    done = served.run("doctor")
    (line,) = (line for line in done.stdout.splitlines() if " kinds " in line)
    assert "1 agent 'unheard-of' on queue 'default'" in line
    assert "rescind worker MODULE --queue NAME" in line


def test_the_doctor_tells_that_nothing_is_kept_and_that_nobody_works(programs: Programs) -> None:
    serving = next_event(programs.begin("server", "--address", "127.0.0.1:0", "--json"))
    programs.environment[ADDRESS_VARIABLE] = serving["address"]
    checks = checks_of(programs, code=0)
    assert (checks["store"][0], checks["workers"][0]) == ("warn", "warn")


def test_the_doctor_tells_a_server_that_is_not_there(programs: Programs) -> None:
    programs.environment[ADDRESS_VARIABLE] = f"127.0.0.1:{free_port()}"
    done = programs.run("doctor")
    (line,) = done.stdout.splitlines()
    assert (done.returncode, done.stderr, line.split()[:2]) == (5, "", ["fail", "address"])
    assert programs.json("doctor", code=5)["well"] is False


# cancel


def test_many_are_cancelled_by_what_they_are_and_counted(served: Programs) -> None:
    start_many(served, 3)
    where = ("cancel", "--where", "queue=other label.team='a team' age<1h", "--reason", "mistake")
    line = refused(served.run(*where), 2)
    assert "it would cancel 3 executions" in line
    assert "give --yes" in line
    assert served.json("show", "w-0")["status"] == "PENDING"
    assert served.run(*where, "--yes").stdout == "3 cancelled by this request\n"
    assert served.json("show", "w-0")["cause"]["reason"] == "mistake"
    assert served.json(*where, "--yes") == {
        "found": 0,
        "seen": 0,
        "results": {
            "CANCELLED": 0,
            "ALREADY_CANCELLED": 0,
            "ALREADY_COMPLETED": 0,
            "ALREADY_FAILED": 0,
            "NOT_FOUND": 0,
        },
    }
    assert served.run(*where).stdout == "No open execution is selected; nothing was cancelled.\n"


def test_a_dry_run_tells_what_would_be_hit_and_cancels_nothing(served: Programs) -> None:
    start_many(served, 2)
    served.json("start", "one-quote", '"van"', "--id", "working")
    task_of(served, "working")
    dry = ("cancel", "--where", "age>0s", "--dry-run")
    assert served.json(*dry) == {"found": 3, "dry_run": True, "descendants": 0, "tasks": 1, "attempts": 1}
    words = "It would cancel 3 executions, 1 open task and 1 running attempt. Nothing was cancelled.\n"
    assert served.run(*dry).stdout == words
    assert served.json("show", "w-0")["status"] == "PENDING"


def test_tasks_are_cancelled_by_what_they_are_or_one_by_its_id(served: Programs) -> None:
    served.json("start", "one-quote", '"van"', "--id", "first")
    served.json("start", "one-quote", '"ship"', "--id", "second")
    first, second = task_of(served, "first"), task_of(served, "second")
    # Whose it is, is left to the server to find.
    assert served.json("cancel", "--task", first["task_id"], "--mode", "wait")["result"] == "CANCELLED"
    assert served.json("cancel", "first", "--task", first["task_id"])["result"] == "ALREADY_CANCELLED"
    assert "there is no task" in refused(served.run("cancel", "--task", "0" * 32), 3)
    many = served.json("cancel", "--tasks", "--where", "kind=quote agent=one-quote", "--yes")
    assert (many["found"], many["results"]["CANCELLED"]) == (1, 1)
    assert served.json("show", "second")["tasks"][0]["task_id"] == second["task_id"]


def test_before_many_are_cancelled_the_terminal_is_asked(served: Programs) -> None:
    start_many(served, 1)

    def answered(answer: bytes) -> tuple[int, str]:
        ours, theirs = os.openpty()
        command = ("cancel", "--where", "queue=other")
        with served.begin_at(theirs, *command) as process:
            os.close(theirs)
            os.write(ours, answer)
            told = b""
            while chunk := read_terminal(ours):
                told += chunk
            os.close(ours)
        return process.returncode, told.decode()

    code, told = answered(b"n\n")
    assert (code, "This cancels 1 execution. Go on?" in told, "nothing was cancelled" in told) == (1, True, True)
    code, told = answered(b"y\n")
    assert (code, "1/1" in told, "1 cancelled by this request" in told) == (0, True, True)


def read_terminal(ours: int) -> bytes:
    """What a program has written to its terminal; b"" when it has ended."""
    try:
        return os.read(ours, 65_536)
    except OSError:  # how Linux tells that the other end is closed
        return b""


# watch


def test_an_execution_is_followed_to_its_end_with_what_it_streams(served: Programs) -> None:
    served.json("start", "tells", "--id", "told")
    watching = served.begin("watch", "told", "--json")
    first = next_event(watching)
    assert (first["sequence"], first["type"]) == (1, "EXECUTION_STARTED")
    served.json("signal", "told", "go")
    rest = [json.loads(line) for line in watching.stdout or ()]
    assert watching.wait() == 0
    assert rest[-1]["type"] == "EXECUTION_COMPLETED"
    (streamed,) = (each for each in rest if "streamed" in each)
    assert (streamed["streamed"], streamed["value"]["progress"]) == ("progress", 0.5)
    sequences = [each["sequence"] for each in rest if "sequence" in each]
    assert sequences == list(range(2, len(sequences) + 2))

    later = served.run("watch", "told", "--json", "--after", str(sequences[-2])).stdout.splitlines()
    assert [json.loads(line)["sequence"] for line in later] == sequences[-1:]
    assert served.run("watch", "told", "--json", "--after", str(sequences[-1])).stdout == ""
    *_, ending, output = served.run("watch", "told").stdout.splitlines()
    assert (ending.split()[0], output) == ("COMPLETED", '"all of it"')
    assert "nobody" in refused(served.run("watch", "nobody"), 3)


def test_watching_outlives_a_restart_of_the_server(programs: Programs) -> None:
    programs.environment[ADDRESS_VARIABLE] = f"127.0.0.1:{free_port()}"
    serve = ("server", "--store", "store.db", "--json")
    server = programs.begin(*serve)
    next_event(server)
    programs.json("start", "waits", "--id", "long")
    watching = programs.begin("watch", "long", "--json")
    assert next_event(watching)["sequence"] == 1
    assert ended(server, signal.SIGKILL) == -signal.SIGKILL
    next_event(programs.begin(*serve))
    programs.json("cancel", "long", "--hard")
    events = [json.loads(line) for line in watching.stdout or ()]
    assert watching.wait() == 0
    assert [event["sequence"] for event in events] == list(range(2, len(events) + 2))
    assert events[-1]["type"] == "EXECUTION_CANCELLED"


def test_on_a_terminal_tasks_are_bars(served: Programs) -> None:
    served.json("start", "fastest-quote", '["bike", "van"]', "--id", "race", "--wait")
    ours, theirs = os.openpty()
    with served.begin_at(theirs, "watch", "race") as process:
        os.close(theirs)
        told = b""
        while chunk := read_terminal(ours):
            told += chunk
        os.close(ours)
    assert process.returncode == 0
    assert "winner" in told.decode()
    assert "COMPLETED after" in told.decode()


# All of them.


def test_a_reader_that_goes_away_is_no_disaster(served: Programs) -> None:
    start_many(served, 2)
    for command in (["list"], ["list", "--json"], ["history", "w-0"], ["tasks", "--json"], ["doctor"], ["--help"]):
        reading = served.begin(*command)
        assert reading.stdout is not None
        reading.stdout.close()
        # As of any program that a closed pipe ended.
        assert reading.wait() == 141
    assert "Traceback" not in served.log()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete_the_commands(programs: Programs, shell: str) -> None:
    done = programs.run("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "_RESCIND_COMPLETE" in done.stdout


def test_the_script_for_bash_completes_a_command(programs: Programs) -> None:
    asked = {"_RESCIND_COMPLETE": "bash_complete", "COMP_WORDS": "rescind do", "COMP_CWORD": "1"}
    done = subprocess.run(
        [*programs.command], env={**programs.environment, **asked}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "plain,doctor\n"
