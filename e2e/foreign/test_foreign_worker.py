"""What a worker in another language gets from our server, with nothing but the protocol between them."""

from __future__ import annotations

from e2e.foreign.deployment import Deployment


def test_an_agent_races_two_tasks_and_cancels_the_loser_once(deployment: Deployment) -> None:
    agent = deployment.agent("go-race", {})
    ended = deployment.ended(f"agent-executions/{agent}")
    assert ended["status"] == "COMPLETED"
    expected = {"winner": "go-quick", "cancelled": True, "again": "CANCELLED"}
    assert {key: ended["output"][key] for key in expected} == expected
    assert ended["output"]["passes"] >= 2


def test_the_losers_code_learns_of_the_cancel_by_its_heartbeat_and_its_late_result_changes_nothing(
    deployment: Deployment,
) -> None:
    agent = deployment.agent("go-race", {})
    deployment.ended(f"agent-executions/{agent}")
    winner, loser = deployment.request("GET", f"agent-executions/{agent}/tasks")["tasks"]
    deployment.worker_said(f"stopped {loser['id']} FailedPrecondition")
    deployment.worker_said(f"ended go-endless {loser['id']}")
    after = deployment.request("GET", f"agent-executions/{agent}/tasks")["tasks"]
    assert [(task["status"], task.get("output")) for task in after] == [
        ("COMPLETED", {"input": {"from": "go"}, "attempt": 1}),
        ("CANCELLED", None),
    ]
    assert winner["kind"] == "go-quick"


def test_a_workflow_waits_for_timer_task_and_child_and_takes_a_timer_and_a_child_back(deployment: Deployment) -> None:
    workflow = deployment.workflow("go-order", None)
    ended = deployment.ended(f"workflow-executions/{workflow}")
    assert ended["status"] == "COMPLETED"
    assert {key: ended["output"][key] for key in ("twice", "attempt", "fired")} == {
        "twice": 42,
        "attempt": 2,
        "fired": "soon",
    }
    assert "cancel" in ended["output"]["endless"].lower()


def test_the_cancelled_child_is_told_of_it_and_ends_as_cancelled(deployment: Deployment) -> None:
    workflow = deployment.workflow("go-order", None)
    deployment.ended(f"workflow-executions/{workflow}")
    children = deployment.request("GET", f"workflow-executions/{workflow}/children")["children"]
    assert {child["childExecutionName"]: child["status"] for child in children} == {
        "twice": "COMPLETED",
        "endless": "CANCELLED",
    }
    (endless,) = [child for child in children if child["childExecutionName"] == "endless"]
    events = deployment.request("GET", f"workflow-executions/{endless['childWorkflowExecutionId']}/events")
    types = [event["eventType"] for event in events]
    assert types.index("CANCELLATION_REQUESTED") < types.index("WORKFLOW_CANCELLED")
    assert "TIMER_FIRED" not in types


def test_a_killed_server_goes_on_with_the_worker_that_stayed(deployment: Deployment) -> None:
    waiting = [deployment.workflow("go-order", None) for _ in range(5)]
    deployment.kill_and_restart_server()
    ended = [deployment.ended(f"workflow-executions/{workflow}") for workflow in waiting]
    assert [each["status"] for each in ended] == ["COMPLETED"] * 5
