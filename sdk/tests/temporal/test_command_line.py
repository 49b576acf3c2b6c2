"""`rescind … --temporal`: the same commands, the same documents and the same exit codes as of a server."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.service import RPCError

from fixtures.temporal_servers.running import DevelopmentServer
from rescind.cli.options import ADDRESS_VARIABLE
from sdk.tests.cli.programs import AGENTS, TASKS, WORK, Programs, ended, in_time, next_event, refused

# What two runs of one story never have in common, or a cluster does not know.
VARYING: Final = frozenset({"started_at", "ended_at", "at", "task_id", "worker_id", "took_ms", "stops", "attempts"})


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Commands on a queue of their own."""
    (tmp_path / "work.py").write_text(WORK)
    started = Programs(tmp_path)
    started.environment["RESCIND_QUEUE"] = f"queue-{uuid4()}"
    try:
        yield started
    finally:
        started.end()


@pytest.fixture
def clustered(programs: Programs, development_server: DevelopmentServer) -> Programs:
    """A worker on the cluster, which the setting names."""
    programs.environment["RESCIND_TEMPORAL"] = development_server.address
    working = next_event(programs.begin("worker", "work", "--json"))
    queues = [programs.environment["RESCIND_QUEUE"]]
    where = (working["address"], working["namespace"], working["queues"])
    assert where == (development_server.address, "default", queues)
    assert (working["agents"], working["tasks"]) == (AGENTS, TASKS)
    return programs


def unique(name: str) -> str:
    return f"{name}-{uuid4()}"


def keys_of(document: Any) -> Any:
    """A document's form: its keys, without its values."""
    if isinstance(document, Mapping):
        return {key: keys_of(value) for key, value in document.items() if key not in VARYING}
    if isinstance(document, list):
        return [keys_of(each) for each in document]
    return None


def answered(programs: Programs, *arguments: str) -> str | None:
    """What a command says; None if it failed."""
    done = programs.run(*arguments)
    return done.stdout if done.returncode == 0 else None


def one_story(programs: Programs) -> dict[str, Any]:
    """What a server's or cluster's commands tell programs of one race."""
    name = unique("race")
    told = {"start": programs.json("start", "fastest-quote", '["van", "bike"]', "--id", name, "--wait")}
    # What has ended on a cluster a worker must tell, within a time that a loaded machine may take for itself.
    told["show"] = json.loads(in_time(lambda: answered(programs, "show", name, "--json")))
    lines = in_time(lambda: answered(programs, "history", name)).splitlines()
    told["history"] = [json.loads(line)["type"] for line in lines]
    # A workflow that has closed records no more requests; their answers are the same.
    told["cancel"] = programs.run("cancel", name, "--json").returncode
    told["signal"] = programs.run("signal", name, "go").returncode
    told["nobody"] = programs.run("show", "nobody").returncode
    return told


def without_names(told: dict[str, Any]) -> dict[str, Any]:
    """What must be alike: forms of documents, codes, and what happened, in its order."""
    tasks = [(each["kind"], each["status"]) for each in told["show"]["tasks"]]
    return {**told, "start": keys_of(told["start"]), "show": keys_of(told["show"]), "tasks": tasks}


def test_a_cluster_tells_the_same_story_as_a_server(programs: Programs, clustered: Programs) -> None:
    on_cluster = one_story(clustered)
    del programs.environment["RESCIND_TEMPORAL"]
    serving = next_event(programs.begin("server", "--address", "127.0.0.1:0", "--json"))
    programs.environment[ADDRESS_VARIABLE] = serving["address"]
    assert next_event(programs.begin("worker", "work", "--json"))["event"] == "working"
    on_server = one_story(programs)
    assert on_cluster["show"]["output"] == on_server["show"]["output"] == "bike can do it"
    left, right = without_names(on_cluster), without_names(on_server)
    # Whether a loser is told to stop before its race is told as decided is a matter of time on both.
    assert sorted(left.pop("history")) == sorted(right.pop("history"))
    assert left == right


FLOWS: Final = """
from rescind import WorkflowContext, workflow

@workflow("approves")
async def approves(ctx: WorkflowContext, amount: int) -> str:
    words = await ctx.wait_for_signal("words", str)
    return f"{amount}: {words}"
"""


def test_a_worker_runs_the_workflows_of_its_module(
    programs: Programs, development_server: DevelopmentServer, tmp_path: Path
) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    programs.environment["RESCIND_TEMPORAL"] = development_server.address
    assert next_event(programs.begin("worker", "flows", "--json"))["event"] == "working"
    name = unique("approves")
    programs.json("start", "approves", "5", "--workflow", "--id", name)
    programs.json("signal", name, "words", '"yes"')
    assert "5: yes" in programs.run("watch", name).stdout
    assert programs.json("show", name)["output"] == "5: yes"
    log = programs.run("history", name, "--events").stdout
    assert "SIGNAL_RECEIVED" in log
    (tmp_path / "log.jsonl").write_text(log)
    assert programs.run("replay", "log.jsonl", "flows:approves").returncode == 0


def test_executions_are_listed_shown_and_cancelled_one_by_one_and_by_what_they_are(clustered: Programs) -> None:
    names = sorted(unique("w") for _ in range(3))
    for name in names:
        clustered.json("start", "waits", "--id", name, "--label", f"story={names[0]}")
    mine = ("list", "--queue", clustered.environment["RESCIND_QUEUE"])

    def listed() -> Any:
        found = clustered.json(*mine)["executions"]
        return found if len(found) == 3 else None

    assert sorted(each["execution_id"] for each in in_time(listed)) == names
    assert clustered.json("cancel", names[0], "--reason", "enough")["result"] == "CANCELLED"
    assert clustered.json("cancel", names[0])["result"] == "ALREADY_CANCELLED"
    where = f"label.story={names[0]} queue={clustered.environment['RESCIND_QUEUE']}"
    assert "give --yes" in refused(clustered.run("cancel", "--where", where), 2)

    def cancelled() -> Any:
        # The cluster's list is behind by a moment.
        return clustered.json("cancel", "--where", where, "--yes")["found"] == 0 or None

    in_time(cancelled)
    for name in names:
        assert clustered.json("show", name)["status"] == "CANCELLED"


def test_a_task_is_listed_and_cancelled(clustered: Programs) -> None:
    name = unique("one")
    clustered.json("start", "one-quote", '"van"', "--id", name)

    def running() -> Any:
        found = clustered.json("tasks", "--execution", name)["tasks"]
        return found[0] if found and found[0]["status"] == "RUNNING" else None

    task_id = in_time(running)["task_id"]
    assert clustered.json("cancel", "--task", task_id)["result"] == "CANCELLED"
    assert clustered.json("cancel", name, "--task", task_id)["result"] == "ALREADY_CANCELLED"


def test_workers_of_open_executions_are_listed(clustered: Programs) -> None:
    clustered.json("start", "waits", "--id", unique("waits"))
    mine = clustered.environment["RESCIND_QUEUE"]

    def listed() -> Any:
        return [each for each in clustered.json("workers")["workers"] if mine in each["queues"]] or None

    (worker,) = in_time(listed)
    assert worker["worker_id"] in clustered.run("workers").stdout


def test_the_doctor_tells_what_a_cluster_knows_and_which_agents_nobody_takes(clustered: Programs) -> None:
    nobodys = unique("nobody")
    clustered.json("start", "waits", "--id", unique("waits"), "--queue", nobodys)

    def missing() -> Any:
        checks = {each["check"]: each for each in json.loads(clustered.run("doctor", "--json").stdout)["checks"]}
        return checks if nobodys in checks["kinds"]["message"] else None

    checks = in_time(missing)
    assert f"1 agent on queue {nobodys!r}" in checks["kinds"]["message"]
    assert "answers: Temporal 1." in checks["address"]["message"]
    assert [checks[name]["level"] for name in ("address", "store", "stops")] == ["ok"] * 3


def test_a_list_that_is_not_whole_says_whose_tasks_are_missing(clustered: Programs) -> None:
    name, creator = unique("nobody"), unique("creator")
    clustered.environment["USER"] = clustered.environment["LOGNAME"] = creator
    clustered.json("start", "waits", "--id", name, "--queue", name)

    def told() -> Any:
        listed = clustered.run("tasks", "--agent", "waits", "--creator", f"client:{creator}", "--json")
        return listed if name in listed.stderr else None

    listed = in_time(told)
    assert listed.returncode == 5
    assert name in json.loads(listed.stdout)["unanswered"]
    where = ("cancel", "--tasks", "--where", f"agent=waits creator=client:{creator}", "--yes", "--json")
    cancelled = clustered.run(*where)
    assert (cancelled.returncode, json.loads(cancelled.stdout)["unanswered"]) == (5, [name])


def test_an_execution_is_watched_to_its_end_with_what_its_code_streams(clustered: Programs) -> None:
    name = unique("tells")
    clustered.json("start", "tells", "--id", name)
    watching = clustered.begin("watch", name, "--json")
    seen = [next_event(watching)]
    clustered.json("signal", name, "go")
    while seen[-1].get("type") != "EXECUTION_COMPLETED":
        seen.append(next_event(watching))
    assert watching.wait(10) == 0
    assert seen[0]["type"] == "EXECUTION_STARTED"
    assert {"streamed": "progress", "value": {"progress": 0.5, "details": "half of it"}} in seen


def test_a_command_runs_on_a_cluster_with_its_output_and_its_exit_code(
    programs: Programs, development_server: DevelopmentServer
) -> None:
    where = ("--temporal", development_server.address, "--queue", programs.environment["RESCIND_QUEUE"])
    assert next_event(programs.begin("worker", "--allow-shell", "*", *where, "--json"))["event"] == "working"
    done = programs.run("run", *where, "--", "sh", "-c", "echo one; echo two >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "one\n", "two\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_stop_lets_its_attempts_end(
    programs: Programs, development_server: DevelopmentServer, number: signal.Signals
) -> None:
    programs.environment["RESCIND_TEMPORAL"] = development_server.address
    worker = programs.begin("worker", "work", "--json")
    assert next_event(worker)["event"] == "working"
    assert ended(worker, number) == 0
    assert [next_event(worker)["event"] for _ in range(2)] == ["stopping", "stopped"]


def test_a_second_ctrl_c_ends_a_worker_whose_work_does_not(clustered: Programs) -> None:
    clustered.json("start", "one-quote", '"van"', "--id", unique("endless"))
    worker = clustered.begin("worker", "work", "--json")
    assert next_event(worker)["event"] == "working"
    clustered.json("start", "one-quote", '"van"', "--id", unique("endless"))
    worker.send_signal(signal.SIGINT)
    assert next_event(worker)["event"] == "stopping"
    worker.send_signal(signal.SIGINT)
    assert in_time(worker.poll) in (-signal.SIGINT, 0)


def test_a_shutdown_grace_ends_what_does_not_end_by_itself(
    programs: Programs, development_server: DevelopmentServer
) -> None:
    programs.environment["RESCIND_TEMPORAL"] = development_server.address
    worker = programs.begin("worker", "work", "--shutdown-grace", "0.1", "--cancel-within", "0.2", "--json")
    assert next_event(worker)["event"] == "working"
    name = unique("endless")
    programs.json("start", "one-quote", '"van"', "--id", name)

    def is_running() -> Any:
        tasks = programs.json("show", name)["tasks"]
        return bool(tasks and tasks[0]["status"] == "RUNNING") or None

    in_time(is_running)
    assert ended(worker, signal.SIGTERM) == 0


def test_a_worker_of_a_deployment_gets_work_when_its_version_is_the_current_one(
    programs: Programs, development_server: DevelopmentServer
) -> None:
    deployment, name = unique("deployment"), unique("versioned")
    programs.environment["RESCIND_TEMPORAL"] = development_server.address
    tuned = ("--agent-pollers", "2", "--task-pollers", "1", "--lease", "5")
    worker = programs.begin("worker", "work", "--deployment", deployment, "--build-id", "b1", *tuned, "--json")
    assert next_event(worker)["event"] == "working"
    asyncio.run(make_current(development_server.address, deployment, "b1"))
    assert programs.json("start", "fastest-quote", '["bike"]', "--id", name, "--wait")["output"] == "bike can do it"
    described = asyncio.run(version_of(development_server.address, name))
    assert described == f"{deployment}:b1"


async def make_current(address: str, deployment: str, build_id: str) -> None:
    """Have new work go to a version, as soon as the cluster knows of it."""
    client = await Client.connect(address)
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace="default", deployment_name=deployment, build_id=build_id, ignore_missing_task_queues=True
    )
    while True:
        try:
            await client.workflow_service.set_worker_deployment_current_version(request)
        except RPCError:
            await asyncio.sleep(0.1)
        else:
            return


async def version_of(address: str, workflow_id: str) -> str:
    client = await Client.connect(address)
    described = await client.get_workflow_handle(workflow_id).describe()
    version = described.raw_description.workflow_execution_info.versioning_info.deployment_version
    return f"{version.deployment_name}:{version.build_id}"


def test_temporals_own_variables_and_profiles_say_where_the_cluster_is(
    programs: Programs, development_server: DevelopmentServer, tmp_path: Path
) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text(f'[profile.mine]\naddress = "{development_server.address}"\nnamespace = "nowhere"\n')
    programs.environment["TEMPORAL_CONFIG_FILE"] = str(file)
    told = refused(programs.run("list", "--temporal-profile", "mine", "--temporal"), 3)
    assert f"Temporal at {development_server.address} has no namespace 'nowhere'" in told
    programs.environment |= {"TEMPORAL_PROFILE": "mine", "TEMPORAL_NAMESPACE": "default"}
    assert programs.run("list", "--temporal").returncode == 0
    programs.environment |= {"RESCIND_TEMPORAL": "environment", "RESCIND_TEMPORAL_NAMESPACE": "nowhere"}
    assert "has no namespace 'nowhere'" in refused(programs.run("list"), 3)
    assert programs.run("list", "--temporal-namespace", "default").returncode == 0


def test_the_file_of_settings_says_where_the_cluster_is_and_an_address_goes_before_it(
    programs: Programs, development_server: DevelopmentServer, tmp_path: Path
) -> None:
    (tmp_path / "rescind.toml").write_text(f'temporal = "{development_server.address}"\n')
    assert programs.run("list").returncode == 0
    assert "127.0.0.1:1" in refused(programs.run("list", "--address", "127.0.0.1:1"), 5)
