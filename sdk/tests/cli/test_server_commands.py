"""The commands that run a server, a worker, or ask a server: over the loopback, with a store in a file."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from rescind.cli.options import ADDRESS_VARIABLE
from sdk.tests.cli.programs import Programs, ended, free_port, in_time, next_event, refused


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
    in_time(lambda: served.json("show", "first")["stopping"] == 0 or None)
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


def test_the_log_of_a_server_has_times_and_levels_and_leaves_stdout_to_programs(programs: Programs) -> None:
    server = programs.begin("server", "--address", "127.0.0.1:0", "--json")
    serving = next_event(server)
    assert ended(server, signal.SIGTERM) == 0
    assert next_event(server) == {"event": "stopped"}
    lines = programs.log().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ [a-z_.]+: ", line) for line in lines)
    (line,) = (line for line in lines if f"serving at {serving['address']}" in line)
    assert " INFO " in line


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_never_found_its_server_stops_when_told(programs: Programs, number: signal.Signals) -> None:
    worker = programs.begin("worker", "work", "--address", f"127.0.0.1:{free_port()}", "--json")
    assert next_event(worker)["event"] == "working"
    in_time(lambda: "is not connected, and tries again" in programs.log() or None)
    assert ended(worker, number) == 0
