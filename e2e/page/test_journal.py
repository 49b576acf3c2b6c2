"""What an agent asked for, what it waits for, and what it was answered."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from e2e.page.deployment import Deployment
from e2e.page.tab import Tab

DRAG = """([selector, moves]) => {
    const place = document.querySelector(selector);
    for (const [type, pointerId, clientX] of moves) place.dispatchEvent(
        new PointerEvent(type, {pointerId, clientX, pointerType: "touch", button: 0, bubbles: true}));
}"""
ROWS = '[data-testid="timeline-scroll"]'


def test_a_wait_is_named_by_what_it_waits_for(deployment: Deployment, operator: Tab) -> None:
    deployment.start("holding", {"names": ["one", "two"]}, execution_id="named")
    tasks = deployment.wait_running("named", 2)
    operator.open_execution("named", "timeline")
    expect(operator.part("timeline-row", kind="wait")).to_have_accessible_name(
        re.compile("the ends of hold .2, waiting")
    )
    for each in tasks:
        deployment.http.delete(f"/api/v1/tasks/{each}").raise_for_status()
    deployment.start("patient", execution_id="named-signal")
    operator.open_execution("named-signal", "timeline")
    expect(operator.part("timeline-row", kind="wait")).to_have_accessible_name(re.compile("signal go, waiting"))


def test_the_journal_has_a_line_for_each_thing_asked_for_with_its_answer(deployment: Deployment, operator: Tab) -> None:
    deployment.start("conversing", {"texts": ["<b>bold</b>"]}, execution_id="journalled")
    deployment.wait_status("journalled", "WAITING")
    operator.open_execution("journalled", "journal")
    waiting = operator.part("journal-line", kind="wait", open="true")
    expect(waiting).to_contain_text("waits for signal go")
    expect(operator.part("journal-line", kind="checkpoint_saved")).to_contain_text("saves checkpoint 1")
    expect(operator.part("journal-line", kind="task").last).to_contain_text("schedules say")
    expect(operator.part("journal-line", kind="task").last).to_contain_text("completed")
    deployment.signal("journalled", "go", 1)
    expect(waiting).to_have_count(0)
    numbers = operator.part("journal-line").evaluate_all("rows => rows.map(row => Number(row.dataset.sequence))")
    assert numbers == sorted(numbers, reverse=True)


def test_fingers_zoom_the_timeline_and_drag_it(deployment: Deployment, operator: Tab) -> None:
    deployment.start("fanning", 3, execution_id="touched")
    deployment.wait_status("touched", "COMPLETED")
    operator.open_execution("touched", "timeline")
    expect(operator.connection("ended")).to_be_visible()
    axis = operator.part("timeline-axis")
    expect(axis).to_have_text(re.compile("^0"))
    whole = axis.text_content() or ""
    box = axis.bounding_box()
    assert box is not None
    left, right = box["x"], box["x"] + box["width"]
    apart = [("pointerdown", 1, right - 60), ("pointerdown", 2, right - 20), ("pointermove", 1, left + 20)]
    operator.page.evaluate(DRAG, [ROWS, [*apart, ("pointerup", 1, left + 20), ("pointerup", 2, right - 20)]])
    expect(axis).not_to_have_text(whole)
    zoomed = axis.text_content() or ""
    dragged = [("pointerdown", 3, left + 10), ("pointermove", 3, right - 10), ("pointerup", 3, right - 10)]
    operator.page.evaluate(DRAG, [ROWS, dragged])
    expect(axis).not_to_have_text(zoomed)
