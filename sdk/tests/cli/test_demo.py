"""`rescind demo`: what it plays, what it prints for people and for programs, and how it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from rescind import __version__
from rescind.cli.demo import DEFAULT_SCENARIO
from rescind.cli.main import EXIT_INTERRUPTED, EXIT_OUTPUT_CLOSED, rescind
from rescind.cli.scenarios import catalogue

ROOT: Final = Path(__file__).parents[3]
SCENARIOS: Final = list(catalogue().SCENARIOS)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(rescind, list(arguments))


def played(*arguments: str) -> dict[str, Any]:
    result = invoke("demo", "--json", *arguments)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def program(*arguments: str) -> subprocess.Popen[str]:
    """The real program, in a process of its own."""
    path = os.pathsep.join(str(ROOT / name) for name in ("sdk", "server_stub"))
    # As a terminal starts it: where the tests run in the background SIGINT is ignored, and that would be inherited.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "rescind", *arguments],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


# What it plays.


def test_there_are_eight_scenarios_and_the_list_names_them() -> None:
    result = invoke("demo", "--list")
    assert (result.exit_code, len(SCENARIOS)) == (0, 8)
    assert [line.split()[0] for line in result.stdout.splitlines()] == SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_is_shown(name: str) -> None:
    result = invoke("demo", "--scenario", name)
    assert result.exit_code == 0, result.output
    assert catalogue().SCENARIOS[name].story.split(".")[0] in result.stdout
    assert result.stdout.count("The agent COMPLETED") == len(catalogue().SCENARIOS[name].inputs)


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_is_told_to_programs(name: str) -> None:
    document = played("--scenario", name)
    assert document["scenario"] == name
    assert [execution["status"] for execution in document["executions"]] == ["COMPLETED"] * len(
        catalogue().SCENARIOS[name].inputs
    )


def test_without_a_name_it_is_the_race() -> None:
    assert played()["scenario"] == DEFAULT_SCENARIO == "racing_tasks_with_cancellation"


# What people see.


def test_the_race_shows_a_line_per_task_the_winner_and_the_latency_of_each_cancellation() -> None:
    lines = invoke("demo").stdout.splitlines()
    lanes = {line.split()[0]: line for line in lines if "━" in line}
    assert list(lanes) == ["fast", "medium", "slow"]
    assert lanes["fast"].endswith("✔ COMPLETED  winner")
    assert lanes["medium"].endswith("■ CANCELLED  stopped")
    assert lanes["slow"].endswith("■ CANCELLED  stopped")
    for loser in ("medium", "slow"):
        assert f"  {loser} lost the race at 100 ms; its code stopped 0 ms later" in lines


def test_a_task_that_is_tried_again_shows_each_failure_and_its_pauses() -> None:
    lines = invoke("demo", "--scenario", "parallel_with_failure").stdout.splitlines()
    (lane,) = (line for line in lines if line.startswith("  task-b"))
    assert (lane.count("✗"), "┄" in lane, lane.endswith("4 attempts")) == (4, True, True)


def test_a_task_that_outlives_its_agent_is_shown_as_left_running() -> None:
    lines = invoke("demo", "--scenario", "racing_tasks_select").stdout.splitlines()
    (lane,) = (line for line in lines if line.startswith("  primary"))
    assert lane.endswith("▸ RUNNING    left running")


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(name: str, columns: int) -> None:
    result = CliRunner(env={"COLUMNS": str(columns)}).invoke(rescind, ["demo", "--scenario", name])
    assert "Next, type" in result.stdout
    for line in result.stdout.splitlines():
        assert len(line) <= columns
        assert line == line.rstrip()


def test_it_ends_with_what_to_type_next_and_that_works() -> None:
    steps = invoke("demo").stdout.partition("Next, type\n")[2].strip().splitlines()
    assert len(steps) == 4
    for step in steps:
        command = step.partition("#")[0].split()
        assert command[0] == "rescind"
        assert invoke(*command[1:]).exit_code == 0


def test_what_is_no_terminal_gets_no_control_sequences() -> None:
    assert "\x1b" not in invoke("demo").stdout


# What programs read.


def test_the_document_has_these_keys() -> None:
    document = played("--seed", "7")
    assert list(document) == ["scenario", "story", "seed", "clock", "executions"]
    (execution,) = document["executions"]
    assert list(execution) == [
        "execution_id",
        "kind",
        "status",
        "input",
        "output",
        "error",
        "elapsed_us",
        "winners",
        "tasks",
        "cancellations",
        "history",
    ]
    assert (document["seed"], document["clock"], execution["elapsed_us"]) == (7, "virtual", 100_000)


def test_the_document_tells_the_winner_and_each_cancellation_from_the_history() -> None:
    (execution,) = played()["executions"]
    fast, medium, slow = execution["tasks"]
    assert execution["winners"] == [fast["task_id"]]
    assert [task["status"] for task in execution["tasks"]] == ["COMPLETED", "CANCELLED", "CANCELLED"]
    assert [(told["task_id"], told["state"], told["source"]) for told in execution["cancellations"]] == [
        (medium["task_id"], "STOPPED", "race_lost"),
        (slow["task_id"], "STOPPED", "race_lost"),
    ]
    stops = [event for event in execution["history"] if event["type"] == "STOP_ENDED"]
    assert [told["stopped_at"] for told in execution["cancellations"]] == [event["at"] for event in stops]


def test_the_same_seed_gives_the_same_document_and_another_seed_other_ids() -> None:
    assert played("--seed", "3") == played("--seed", "3")
    assert (
        played("--seed", "3")["executions"][0]["execution_id"] != played("--seed", "4")["executions"][0]["execution_id"]
    )


def test_the_list_is_json_too() -> None:
    listed = json.loads(invoke("demo", "--list", "--json").stdout)
    assert [scenario["name"] for scenario in listed] == SCENARIOS
    assert all(list(scenario) == ["name", "story", "agent"] for scenario in listed)


def test_in_real_time_the_clock_runs_and_a_stop_takes_its_time() -> None:
    document = played("--real-time", "--scenario", "cancel_idempotency")
    (execution,) = document["executions"]
    (cancellation,) = execution["cancellations"]
    assert document["clock"] == "real"
    assert cancellation["latency_us"] > 0


# How it refuses.


def test_an_unknown_scenario_is_refused_in_one_line_that_names_the_known_ones() -> None:
    result = invoke("demo", "--scenario", "cancel_and_replaces")
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Did you mean cancel_and_replace?" in line
    assert all(name in line for name in SCENARIOS)


@pytest.mark.parametrize("arguments", [("demo", "--fast"), ("demo", "--seed", "seven"), ("race",), ("demo", "race")])
def test_what_it_does_not_know_is_bad_input(arguments: tuple[str, ...]) -> None:
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith("Error: ")


def test_the_version_is_the_packages() -> None:
    assert invoke("--version").stdout == f"rescind {__version__}\n"


def test_help_names_the_command_and_its_options() -> None:
    assert "demo" in invoke("--help").stdout
    for option in ("--scenario", "--list", "--json", "--real-time", "--seed"):
        assert option in invoke("demo", "--help").stdout


def test_a_reader_that_goes_away_is_no_error() -> None:
    with program("demo", "--json") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait() == EXIT_OUTPUT_CLOSED
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_full_disk_is_told_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "rescind", "demo", "--json"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "rescind: cannot write: No space left on device\n")


def test_ctrl_c_ends_it_with_one_line_and_130() -> None:
    # Seven seconds by the machine's clock: it is certainly still at it when its heading has come.
    arguments = ("demo", "--real-time", "--scenario", "parallel_with_failure")
    with program(*arguments) as process:
        assert process.stdout is not None
        heading = [process.stdout.readline() for _ in range(3)]
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
    assert "parallel_with_failure" in "".join(heading)
    assert process.returncode == EXIT_INTERRUPTED
    assert error.split("\n") == ["", "rescind: interrupted", ""]
