"""One execution: what it is, what it did, what it said, and what can be said to it."""

from __future__ import annotations

import re
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
    expect(operator.part("timeline-row", kind="wait", status="WAITING")).to_be_visible()
    deployment.signal("growing", "go", 1)
    expect(operator.part("timeline-row", kind="signal", status="COMPLETED")).to_be_visible()
    expect(operator.part("timeline-row", kind="wait", status="COMPLETED")).to_be_visible()
    expect(operator.part("timeline-row", kind="agent", status="COMPLETED")).to_be_visible()


def test_zooming_makes_bars_wider_and_back_shows_all(deployment: Deployment, operator: Tab) -> None:
    deployment.start("fanning", 5, execution_id="zoomed")
    deployment.wait_status("zoomed", "COMPLETED")
    operator.open_execution("zoomed", "timeline")
    expect(operator.connection("ended")).to_be_visible()
    expect(operator.part("timeline-row", kind="task", status="COMPLETED")).to_have_count(5)

    def widest() -> float:
        bars = operator.part("timeline-bar").evaluate_all("bars => bars.map(bar => bar.getBoundingClientRect().width)")
        return max(float(each) for each in bars)

    all_of_it = widest()
    for _ in range(4):
        operator.part("zoom-in").click()
    eventually(lambda: widest() > all_of_it, "bars are wider")
    operator.part("zoom-all").click()
    eventually(lambda: widest() == all_of_it, "bars are as they were")


def test_ctrl_and_the_wheel_zoom_around_the_pointer_and_arrow_keys_move_along(
    deployment: Deployment, operator: Tab
) -> None:
    deployment.start("fanning", 3, execution_id="wheeled")
    deployment.wait_status("wheeled", "COMPLETED")
    operator.open_execution("wheeled", "timeline")
    expect(operator.connection("ended")).to_be_visible()
    expect(operator.part("timeline-row", kind="task", status="COMPLETED")).to_have_count(3)
    axis = operator.part("timeline-axis")
    expect(axis).to_have_text(re.compile("^0"))
    all_of_it = axis.text_content() or ""
    box = operator.part("timeline-scroll").bounding_box()
    assert box is not None
    operator.page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 20)
    operator.page.keyboard.down("Control")
    for _ in range(6):
        operator.page.mouse.wheel(0, -120)
    operator.page.keyboard.up("Control")
    expect(axis).not_to_have_text(re.compile("^0"))  # the pointer is at the end, and so is what is shown
    operator.part("timeline").focus()
    at_the_end = axis.text_content() or ""
    operator.page.keyboard.press("ArrowLeft")
    expect(axis).not_to_have_text(at_the_end)
    for _ in range(60):
        operator.page.keyboard.press("ArrowLeft")
    expect(axis).to_have_text(re.compile("^0"))
    operator.page.keyboard.press("0")
    expect(axis).to_have_text(all_of_it)


def test_keys_go_through_all_rows_of_a_long_timeline(deployment: Deployment, operator: Tab) -> None:
    deployment.start("fanning", 150, execution_id="long")
    deployment.wait_status("long", "COMPLETED")
    operator.open_execution("long", "timeline")
    expect(operator.connection("ended")).to_be_visible()
    timeline = operator.part("timeline")
    first = operator.part("timeline-row", kind="agent")
    expect(first).to_have_attribute("aria-posinset", "1")
    rows = int(first.get_attribute("aria-setsize") or 0)
    assert rows > 150
    # Few of them are in the document at a time; each says where it stands among all.
    assert operator.part("timeline-row").count() < 100
    timeline.focus()
    operator.page.keyboard.press("End")
    last = operator.page.locator(f'[aria-posinset="{rows}"]')
    expect(last).to_be_in_viewport()
    expect(timeline).to_have_attribute("aria-activedescendant", str(last.get_attribute("id")))
    operator.page.keyboard.press("PageUp")
    operator.page.keyboard.press("ArrowUp")
    active = operator.page.locator(f"#{timeline.get_attribute('aria-activedescendant')}")
    expect(active).to_be_in_viewport()
    operator.page.keyboard.press("Enter")
    expect(active).to_have_attribute("aria-selected", "true")
    expect(operator.part("task-detail")).to_be_visible()
    operator.page.keyboard.press("Escape")
    expect(operator.part("task-detail")).to_be_hidden()
    operator.page.keyboard.press("Home")
    expect(first).to_be_in_viewport()


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
    for line in operator.part("output-line").all():
        expect(line).to_contain_text("follow-file")  # also where output came before the history that names its task
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
    deployment.wait_status("told", "WAITING")  # so that its history stands still
    recorded = [event["sequence"] for event in deployment.history("told")]
    expect(operator.part("history-event")).to_have_count(len(recorded))
    shown = operator.part("history-event").evaluate_all("rows => rows.map(row => Number(row.dataset.sequence))")
    assert shown == recorded[::-1]  # the newest first


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
    expect(operator.connection("ended")).to_be_visible()  # nothing is followed
