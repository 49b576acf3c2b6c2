"""One execution: what it is, what it did, what it said, and what can be said to it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from e2e.page.deployment import Deployment
from e2e.page.tab import Tab, selector
from e2e.page.waiting import eventually


def test_the_timeline_has_a_row_for_each_task_and_a_bar_for_each_attempt(deployment: Deployment, operator: Tab) -> None:
    deployment.start("stumbling", execution_id="stumbled")
    deployment.wait_status("stumbled", "COMPLETED")
    (task,) = deployment.tasks("stumbled")
    operator.open_execution("stumbled", "timeline")
    expect(operator.bar(task["task_id"])).to_have_attribute("data-status", "COMPLETED")
    running = operator.bar(task["task_id"]).locator(selector("timeline-bar", phase="running"))
    expect(running).to_have_count(3)
    operator.bar(task["task_id"]).click()
    expect(operator.part("task-detail")).to_contain_text("stumble")
    operator.part("task-close").click()
    expect(operator.part("task-detail")).to_be_hidden()


def test_the_timeline_grows_while_the_agent_goes_on(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="growing")
    operator.open_execution("growing", "timeline")
    expect(operator.part("timeline-row", status="WAITING").or_(operator.part("timeline-row")).first).to_be_visible()
    before = operator.part("timeline-row").count()
    deployment.signal("growing", "go", 1)
    expect(operator.part("execution-header").locator(selector("status", status="COMPLETED"))).to_be_visible()
    assert operator.part("timeline-row").count() >= before


def test_zooming_makes_bars_wider_and_back_shows_all(deployment: Deployment, operator: Tab) -> None:
    deployment.start("fanning", 5, execution_id="zoomed")
    deployment.wait_status("zoomed", "COMPLETED")
    operator.open_execution("zoomed", "timeline")
    expect(operator.connection("ended")).to_be_visible()

    def widest() -> float:
        bars = operator.part("timeline-bar").evaluate_all("bars => bars.map(bar => bar.getBoundingClientRect().width)")
        return max(float(each) for each in bars)

    all_of_it = widest()
    for _ in range(4):
        operator.part("zoom-in").click()
    eventually(lambda: widest() > all_of_it, "bars are wider")
    operator.part("zoom-all").click()
    eventually(lambda: widest() == all_of_it, "bars are as they were")


def test_output_streams_in_as_programs_write_it(deployment: Deployment, operator: Tab, tmp_path: Path) -> None:
    file = tmp_path / "printed"
    file.write_text("before somebody looked\n")
    deployment.start("following", str(file), execution_id="printing")
    (task_id,) = deployment.wait_running("printing")
    operator.open_execution("printing", "output")
    expect(operator.part("output")).to_contain_text("before somebody looked")
    with file.open("a") as printed:
        printed.write("while somebody looks\n")
    expect(operator.part("output-line").filter(has_text="while somebody looks")).to_be_visible()
    deployment.http.delete(f"/api/v1/tasks/{task_id}").raise_for_status()


def test_conversation_checkpoints_history_and_values_are_there(deployment: Deployment, operator: Tab) -> None:
    deployment.start("conversing", {"texts": ["hello", "again"]}, execution_id="told")
    operator.open_execution("told", "conversation")
    expect(operator.part("entry", role="user")).to_contain_text(["hello", "again"])
    operator.part("tab-checkpoints").click()
    expect(operator.part("checkpoint")).to_have_count(1)
    operator.part("tab-value").click()
    expect(operator.part("panel-value")).to_contain_text("again")
    operator.part("tab-history").click()
    expect(operator.part("history-event", type="CHECKPOINT_SAVED")).to_be_visible()
    shown = operator.part("history-event").evaluate_all("rows => rows.map(row => Number(row.dataset.sequence))")
    assert sorted(shown) == [event["sequence"] for event in deployment.history("told")]


def test_a_signal_that_is_sent_from_its_form_lets_the_agent_go_on(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="signalled")
    operator.open_execution("signalled", "signals")
    operator.part("signal-name").fill("go")
    operator.part("signal-value").fill('{"by": "hand"')
    operator.part("signal-send").click()
    expect(operator.part("signal-problem")).to_be_visible()
    operator.part("signal-value").fill('{"by": "hand"}')
    operator.part("signal-send").click()
    expect(operator.part("signal").filter(has_text="go")).to_be_visible()
    expect(operator.part("execution-header").locator(selector("status", status="COMPLETED"))).to_be_visible()
    answer = deployment.http.get("/api/v1/executions/signalled").json()
    assert answer["output"] == {"by": "hand"}


def test_an_execution_that_is_not_there_is_said_to_be_none(operator: Tab) -> None:
    operator.open_execution("no-such-execution")
    expect(operator.part("problem")).to_contain_text("no-such-execution")
