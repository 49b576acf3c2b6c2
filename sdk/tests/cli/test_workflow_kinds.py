"""Kinds on the command line: started as what workers run, told apart by whoever looks, and run over flovyn.v1."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from rescind.cli.options import ADDRESS_VARIABLE
from sdk.tests.cli.programs import AGENTS, TASKS, Programs, ended, in_time, next_event, refused

FLOWS = """
from typing import Any

from rescind import AgentContext, WorkflowContext, agent, workflow


@workflow("order")
async def order(ctx: WorkflowContext, amount: int) -> Any:
    return await ctx.promise_raw("approval")


@agent("greet")
async def greet(ctx: AgentContext, name: str) -> str:
    return f"hello {name}"


@workflow("breaks")
async def breaks(ctx: WorkflowContext) -> None:
    raise ValueError("not yet")
"""
MENDED = """
from rescind import WorkflowContext, workflow


@workflow("breaks")
async def breaks(ctx: WorkflowContext) -> str:
    return "done"
"""


@pytest.fixture
def served_flows(served: Programs, tmp_path: Path) -> Programs:
    (tmp_path / "flows.py").write_text(FLOWS)
    return served


def doctor_of(programs: Programs, check: str) -> tuple[str, str]:
    """What the doctor says of one thing, and what to do."""
    # Not by its exit code: on a slow machine it finds that an agent waits for long, and it does.
    checks = json.loads(programs.run("doctor", "--json").stdout)["checks"]
    (found,) = (each for each in checks if each["check"] == check)
    return found["message"], found["advice"]


def sort_of(programs: Programs, execution_id: str) -> bool:
    """Whether an execution is a workflow."""
    (found,) = programs.json("list", "--id", execution_id)["executions"]
    return bool(found["is_workflow"])


def test_a_kind_is_started_as_what_workers_run(served_flows: Programs) -> None:
    served_flows.json("start", "order", "5", "--id", "early")
    message, advice = doctor_of(served_flows, "kinds")
    assert "1 agent 'order' on queue 'default'" in message
    assert "--workflow" not in advice

    working = served_flows.begin("worker", "flows", "--json")
    worker_id = next_event(working)["worker_id"]
    served_flows.json("start", "greet", '"Ada"', "--wait")
    served_flows.json("start", "order", "5", "--id", "late")
    assert (sort_of(served_flows, "early"), sort_of(served_flows, "late")) == (False, True)

    message, advice = doctor_of(served_flows, "kinds")
    assert "(no worker runs this agent; 1 worker as a workflow)" in message
    assert advice.endswith("cancel it, and start it again with --workflow.")
    agents = sorted([*AGENTS, "greet"])
    told = f"agents {', '.join(agents[:3])} and {len(agents) - 3} more; tasks quote, stubborn; workflows breaks, order"
    assert told in doctor_of(served_flows, "workers")[0]
    workers = {each["worker_id"]: each for each in served_flows.json("workers")["workers"]}
    assert (workers[worker_id]["agents"], workers[worker_id]["workflows"]) == (["greet"], ["order", "breaks"])
    assert (workers[worker_id]["tasks"], workers[worker_id]["polls"]) == ([], False)

    ended(working, signal.SIGTERM)
    served_flows.json("start", "order", "5", "--id", "between")
    assert sort_of(served_flows, "between")


def test_a_worker_that_speaks_flovyn_runs_agents_and_tasks_and_is_told_with_them(programs: Programs) -> None:
    serving = next_event(programs.begin("server", "--address", "127.0.0.1:0", "--json"))
    programs.environment[ADDRESS_VARIABLE] = serving["address"]
    worker = programs.begin("worker", "work", "--protocol", "flovyn.v1", "--json")
    assert next_event(worker)["agents"] == AGENTS
    done = programs.json("start", "fastest-quote", '["bike", "van"]', "--wait")
    assert (done["status"], done["output"]) == ("COMPLETED", "bike can do it")
    (told,) = programs.json("workers")["workers"]
    assert (told["polls"], told["connected"], told["queues"]) == (True, False, ["default"])
    assert (sorted(told["agents"]), sorted(told["tasks"])) == (sorted(AGENTS), sorted(TASKS))
    assert doctor_of(programs, "workers")[0].startswith("0 connected, 1 polling;")
    assert ended(worker, signal.SIGTERM) == 0


def test_what_a_worker_cannot_do_over_flovyn_is_refused_in_one_line(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    line = refused(programs.run("worker", "flows", "--protocol", "flovyn.v1"), 2)
    assert "workflow 'order'" in line
    assert "--protocol native" in line
    misspelt = programs.run("worker", "flows", "--protocol", "flovyn.v9")
    assert (misspelt.returncode, "'native', 'flovyn.v1'" in misspelt.stderr) == (2, True)
    assert "--temporal" in refused(programs.run("worker", "flows", "--protocol", "flovyn.v1", "--temporal", "x:1"), 2)


def test_a_workflow_that_failed_goes_on_when_its_code_is_mended(served_flows: Programs, tmp_path: Path) -> None:
    working = served_flows.begin("worker", "flows", "--json")
    next_event(working)
    assert served_flows.run("start", "breaks", "--workflow", "--id", "it", "--wait").returncode == 1
    ended(working, signal.SIGTERM)
    (tmp_path / "mended.py").write_text(MENDED)
    next_event(served_flows.begin("worker", "mended", "--json"))
    assert served_flows.json("retry", "it", "--reason", "mended") == {"execution_id": "it", "attempt": 1}

    def completed() -> bool | None:
        return served_flows.json("show", "it")["status"] == "COMPLETED" or None

    in_time(completed)
    assert "'it' is COMPLETED; only a FAILED one is let go on" in refused(served_flows.run("retry", "it"), 4)
    assert "nobody" in refused(served_flows.run("retry", "nobody"), 3)


def test_an_agent_has_no_event_log_and_is_not_let_go_on(served: Programs) -> None:
    served.json("start", "waits", "--id", "it")
    said = refused(served.run("history", "it", "--events"), 2)
    assert "'it' is an agent, and has no event log. Its history, without --events, tells" in said
    assert "nobody" in refused(served.run("history", "nobody", "--events"), 3)
    assert "'it' is an agent; only workflows" in refused(served.run("retry", "it"), 4)
