"""Everything can be done without a mouse, and one sees where one is."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Locator, expect

from e2e.page.deployment import Deployment
from e2e.page.tab import Tab

# More than there are places to stop at on a view.
LONGEST_WAY: Final = 120


def tab_to(tab: Tab, target: Locator) -> None:
    """Press Tab until the focus is there; each place on the way shows that it has it."""
    for _ in range(LONGEST_WAY):
        tab.page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement || element.contains(document.activeElement)"):
            assert shows_focus(tab), f"the focus cannot be seen at {target}"
            return
    raise AssertionError(f"Tab does not lead to {target}")


def shows_focus(tab: Tab) -> bool:
    """Whether what has the focus has an outline or a shadow around it."""
    shown: bool = tab.page.evaluate(
        """() => {
            const style = getComputedStyle(document.activeElement);
            return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none";
        }"""
    )
    return shown


def test_an_execution_is_found_and_its_task_cancelled_with_keys_alone(deployment: Deployment, operator: Tab) -> None:
    deployment.start("holding", {"names": ["one"]}, execution_id="by-keys")
    deployment.start("patient", execution_id="another")
    (task_id,) = deployment.wait_running("by-keys")
    keyboard = operator.page.keyboard
    # A row that is drawn anew while the focus goes through it would not be the place that was reached.
    for each in ("by-keys", "another"):
        expect(operator.row(each)).to_have_attribute("data-status", "WAITING")
    tab_to(operator, operator.part("filter-id"))
    keyboard.type("by-")
    expect(operator.part("execution-row")).to_have_count(1)
    tab_to(operator, operator.row("by-keys").get_by_role("link").first)
    keyboard.press("Enter")
    expect(operator.view("execution")).to_be_visible()
    expect(operator.bar(task_id)).to_be_visible()
    tab_to(operator, operator.part("timeline"))
    reach(operator, task_id)
    keyboard.press("Enter")
    expect(operator.part("task-detail")).to_be_visible()
    tab_to(operator, operator.part("task-cancel"))
    keyboard.press("Enter")

    dialogue = operator.page.get_by_role("dialog")
    expect(dialogue).to_be_visible()
    assert has_focus_in(dialogue)
    if not dialogue.get_by_role("textbox").evaluate("box => box === document.activeElement"):
        tab_to(operator, dialogue.get_by_role("textbox"))
    keyboard.type("by hand")
    tab_to(operator, operator.part("dialog-confirm"))
    keyboard.press("Enter")
    expect(operator.stop(task_id, "STOPPED")).to_be_visible()
    assert deployment.tasks("by-keys")[0]["cause"]["reason"] == "by hand"


def reach(tab: Tab, task_id: str) -> None:
    """In the timeline, go down with the arrow keys until one is at a task."""
    for _ in range(LONGEST_WAY):
        if tab.part("timeline").get_attribute("aria-activedescendant") == tab.bar(task_id).get_attribute("id"):
            return
        tab.page.keyboard.press("ArrowDown")
    raise AssertionError("the arrow keys do not lead to the task")


def has_focus_in(place: Locator) -> bool:
    inside: bool = place.evaluate("element => element.contains(document.activeElement)")
    return inside


def test_a_dialogue_keeps_the_focus_and_escape_gives_it_back(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="escaped")
    deployment.wait_status("escaped", "WAITING")
    operator.open_execution("escaped")
    operator.part("cancel-execution").focus()
    operator.page.keyboard.press("Enter")
    dialogue = operator.page.get_by_role("dialog")
    expect(dialogue).to_be_visible()
    for _ in range(12):
        operator.page.keyboard.press("Tab")
        # Between the last and the first stop a browser may come by its own frame, where no element has the focus.
        assert has_focus_in(dialogue) or operator.page.evaluate("document.activeElement === document.body")
    operator.page.keyboard.press("Escape")
    expect(dialogue).to_have_count(0)
    expect(operator.part("cancel-execution")).to_be_focused()


def test_the_timeline_zooms_by_keys(deployment: Deployment, operator: Tab) -> None:
    deployment.start("fanning", 3, execution_id="keys-zoom")
    deployment.wait_status("keys-zoom", "COMPLETED")
    operator.open_execution("keys-zoom", "timeline")
    expect(operator.connection("ended")).to_be_visible()
    expect(operator.part("timeline-row", kind="task", status="COMPLETED")).to_have_count(3)
    tab_to(operator, operator.part("timeline"))
    axis = operator.part("timeline-axis")
    expect(axis).not_to_be_empty()
    all_of_it = axis.text_content() or ""
    operator.page.keyboard.press("+")
    operator.page.keyboard.press("+")
    expect(axis).not_to_have_text(all_of_it)
    operator.page.keyboard.press("0")
    expect(axis).to_have_text(all_of_it)


def test_every_view_is_a_main_region_with_a_heading_and_a_title_of_its_own(
    deployment: Deployment, operator: Tab
) -> None:
    deployment.start("patient", execution_id="titled")
    titles = set()
    for path in ("/page/executions", "/page/executions/titled", "/page/workers", "/page/stuck", "/page/audit"):
        operator.open(path)
        expect(operator.page.get_by_role("main")).to_have_count(1)
        expect(operator.page.get_by_role("heading", level=1)).to_have_count(1)
        expect(operator.page.get_by_role("navigation")).to_be_visible()
        titles.add(operator.page.title())
    assert len(titles) == 5
