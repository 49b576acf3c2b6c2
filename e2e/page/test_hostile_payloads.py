"""What comes from values, logs and names is text, whatever it looks like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import expect

from e2e.page.conftest import NewTab
from e2e.page.deployment import Deployment
from e2e.page.tab import Tab
from e2e.page.waiting import eventually

RIGHT_TO_LEFT: Final = "\u202e"
MARKUP: Final = (
    "<script>window.ran = 1; alert(1)</script>",
    "<img src=x onerror='window.ran = 2; alert(2)'>",
    "\"'><svg/onload=alert(3)><iframe srcdoc='<script>parent.ran = 3</script>'></iframe>",
    "javascript:alert(4)",
    "[a link](javascript:alert(5)) https://elsewhere.example/beacon.png",
    "</textarea></title></style></script><script>alert(6)</script>",
    "<meta http-equiv=refresh content='0;url=https://elsewhere.example/'><base href='https://elsewhere.example/'>",
    "${alert(7)} {{7*7}} <%= 7*7 %> &lt;b&gt; &#60;",
    f"invoice{RIGHT_TO_LEFT}gpj.exe \u2066left\u2069 \u200b\u0000\u0007\u001b[31mred",
    "__proto__",
)
# Whatever is shown of one that has marks of right-to-left writing stands in an element that isolates it.
_NOT_ISOLATED: Final = """() => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        if (!/[\\u202a-\\u202e\\u2066-\\u2069]/.test(text.data)) continue;
        const holder = text.parentElement;
        // Not only in a block, where it would turn around the words beside it.
        const isolated = holder.closest("bdi");
        if (isolated && getComputedStyle(isolated).unicodeBidi === "isolate") continue;
        found.push(holder.outerHTML.slice(0, 200));
    }
    return found;
}"""
NAME: Final = f"<script>window.ran=8</script>\"'><img src=x onerror=alert(8)> {RIGHT_TO_LEFT}rekrow"
ID: Final = "<script>window.ran=9</script>/../\"'%2e?#&\u202e"


def expect_harmless(tab: Tab) -> None:
    """Nothing of it ran, and nothing of it became a part of the document."""
    assert tab.page.evaluate("window.ran") is None
    found = tab.page.evaluate(
        """() => [...document.querySelectorAll("*")].filter(each =>
            ["IFRAME", "OBJECT", "EMBED", "META", "BASE"].includes(each.tagName) && !each.matches("head > meta")
            || each.tagName === "SCRIPT" && !each.matches("head > script[src]")
            || [...each.attributes].some(one => one.name.startsWith("on") || /^\\s*javascript:/i.test(one.value)
                && ["href", "src", "action", "formaction"].includes(one.name))
        ).map(each => each.outerHTML.slice(0, 200))"""
    )
    assert found == []
    assert tab.page.evaluate(_NOT_ISOLATED) == []
    assert tab.page.evaluate("({}).polluted") is None
    assert tab.problems == []


def each_tab(tab: Tab) -> Iterator[str]:
    """Go through the tabs of an execution; gives the name of each when it is shown."""
    for each in tab.page.get_by_role("tab").all():
        each.click()
        name = (each.get_attribute("data-testid") or "").removeprefix("tab-")
        expect(tab.part(f"panel-{name}")).to_be_visible()
        yield name


@pytest.fixture
def hostile(deployment: Deployment) -> str:
    """An execution that holds such texts wherever it holds any."""

    def listed() -> list[dict[str, Any]]:
        # Its id is no part of a path here, which clients may write in different ways.
        answer = deployment.http.get("/api/v1/executions", params={"id_prefix": ID}).raise_for_status().json()
        executions: list[dict[str, Any]] = answer["executions"]
        return executions

    if listed():
        return ID
    labels = {"<b>label</b>": MARKUP[0], "__proto__": "polluted"}
    deployment.start(
        "conversing", {"texts": list(MARKUP), "__proto__": {"polluted": 1}}, execution_id=ID, labels=labels
    )
    eventually(lambda: listed()[0]["status"] == "WAITING", "it has said everything")
    return ID


def test_markup_is_shown_as_the_text_that_it_is(deployment: Deployment, operator: Tab, hostile: str) -> None:
    expect(operator.row(hostile)).to_be_visible()
    expect_harmless(operator)
    operator.open_execution(hostile, "conversation")
    expect(operator.part("execution-id")).to_contain_text("<script>window.ran=9</script>")
    expect(operator.part("entry")).to_have_count(len(MARKUP) + 1)
    shown = operator.part("entry").all_inner_texts()
    for place in (1, 2, 3, 4, 5, 6):
        assert MARKUP[place] in shown[place]
    for _ in each_tab(operator):
        expect_harmless(operator)
    # No text became a link that leads out of the page.
    links = operator.page.get_by_role("link").evaluate_all("links => links.map(link => link.href)")
    assert [link for link in links if not link.startswith(operator.url)] == []


def test_hostile_words_of_the_audit_and_of_filters_are_text(deployment: Deployment, operator: Tab) -> None:
    deployment.start("patient", execution_id="audited")
    deployment.http.post("/api/v1/executions/audited/cancel", json={"reason": MARKUP[1]}).raise_for_status()
    operator.open("/page/audit")
    expect(operator.part("audit-record").filter(has_text=MARKUP[1])).to_have_count(1)
    expect_harmless(operator)
    operator.open(
        f"/page/executions?kind={'%3Cscript%3Ealert(1)%3C/script%3E'}&queue=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E"
    )
    expect(operator.part("filter-kind")).to_have_value("<script>alert(1)</script>")
    expect(operator.part("empty")).to_be_visible()
    expect_harmless(operator)
    for nowhere in ("%3Cscript%3Ealert(1)%3C/script%3E", "constructor", "__proto__", "%zz"):
        operator.open(f"/page/{nowhere}")
        expect(operator.view("executions")).to_be_visible()
        expect_harmless(operator)


def test_kinds_queues_and_labels_are_text_wherever_they_stand(deployment: Deployment, operator: Tab) -> None:
    for number, text in enumerate(MARKUP):
        labels = {text: text}
        deployment.start(text, execution_id=f"named-{number}", labels=labels, queue=text)
    operator.open("/page/executions?id=named-")
    expect(operator.part("execution-row")).to_have_count(len(MARKUP))
    for number, text in enumerate(MARKUP):
        expect(operator.row(f"named-{number}")).to_contain_text(text[:60])
    expect_harmless(operator)
    expect_fits(operator)
    operator.open("/page/stuck")
    for text in MARKUP:
        expect(operator.part("stuck-waiting").filter(has_text=text[:60]).first).to_be_visible()
    expect_harmless(operator)
    for number, text in enumerate(MARKUP):
        operator.open_execution(f"named-{number}", "timeline")
        expect(operator.part("execution-header")).to_contain_text(text)
        expect(operator.part("timeline-row", kind="agent")).to_contain_text(text[:60])
        expect_harmless(operator)


def test_what_a_worker_says_of_itself_is_text(own_deployment: Deployment, new_tab: NewTab) -> None:
    own_deployment.worker.kill()
    own_deployment.add_worker(NAME)
    tab = new_tab(own_deployment, own_deployment.tokens.operator)
    own_deployment.start("holding", {"names": ["one"]}, execution_id="worked")
    (task_id,) = own_deployment.wait_running("worked")
    tab.open("/page/workers")
    expect(tab.part("worker", id=NAME)).to_contain_text(NAME)
    expect_harmless(tab)
    tab.open_execution("worked", "timeline")
    tab.bar(task_id).click()
    expect(tab.part("task-detail")).to_contain_text(NAME)
    for _ in each_tab(tab):
        expect_harmless(tab)


def test_reasons_are_text_wherever_they_stand(deployment: Deployment, operator: Tab) -> None:
    reason = "\n".join(MARKUP) + "z" * 60_000
    deployment.start("holding", {"names": ["one"]}, execution_id="reasoned")
    (task_id,) = deployment.wait_running("reasoned")
    deployment.http.post("/api/v1/executions/reasoned/cancel", json={"reason": reason}).raise_for_status()
    for path, part in (
        ("/page/executions?id=reasoned", "execution-row"),
        ("/page/audit?execution=reasoned", "audit-record"),
        ("/page/executions/reasoned", "execution-cause"),
    ):
        operator.open(path)
        expect(operator.part(part).filter(has_text=MARKUP[0]).first).to_be_visible()
        expect_harmless(operator)
        expect_fits(operator)
    operator.bar(task_id).click()
    expect(operator.part("task-detail")).to_be_visible()
    for _ in each_tab(operator):
        expect_harmless(operator)
        expect_fits(operator)


def test_messages_of_errors_are_text_and_cut_when_they_are_a_megabyte(deployment: Deployment, operator: Tab) -> None:
    deployment.start("refusing", "\n".join(MARKUP) + "z" * 1_000_000, execution_id="refused")
    deployment.wait_status("refused", "FAILED")
    (task,) = deployment.tasks("refused")
    operator.open_execution("refused", "timeline")
    failure = operator.part("execution-failure")
    for text in MARKUP[:8]:
        expect(failure).to_contain_text(text)
    assert len(failure.inner_text()) < 10_000
    operator.bar(task["task_id"]).click()
    expect(operator.part("task-detail")).to_contain_text(MARKUP[0])
    for _ in each_tab(operator):
        expect_harmless(operator)
        expect_fits(operator)


def test_what_programs_print_is_text(deployment: Deployment, operator: Tab, tmp_path: Path) -> None:
    file = tmp_path / "printed"
    file.write_text("\n".join([*MARKUP, "the end\n"]))
    deployment.start("following", str(file), execution_id="markup-output")
    (task_id,) = deployment.wait_running("markup-output")
    operator.open_execution("markup-output", "output")
    expect(operator.part("output")).to_contain_text("the end")
    for text in MARKUP[:8]:
        expect(operator.part("output")).to_contain_text(text)
    expect_harmless(operator)
    deployment.http.delete(f"/api/v1/tasks/{task_id}").raise_for_status()


def test_dialogues_say_hostile_names_as_text(deployment: Deployment, operator: Tab, hostile: str) -> None:
    operator.open_execution(hostile)
    operator.part("cancel-execution").click()
    expect(operator.part("dialog-confirm")).to_be_enabled()
    expect_harmless(operator)
    expect_fits(operator)
    operator.part("dialog-close").click()
    expect(operator.part("dialog")).to_have_count(0)


def test_marks_of_right_to_left_writing_do_not_reach_beyond_their_text(
    deployment: Deployment, operator: Tab, hostile: str
) -> None:
    operator.open_execution(hostile, "conversation")
    expect(operator.part("entry", role="user").filter(has_text="invoice")).to_be_visible()
    assert operator.page.evaluate(_NOT_ISOLATED) == []


def test_a_line_of_a_megabyte_is_cut_and_the_page_stays_usable(
    deployment: Deployment, operator: Tab, tmp_path: Path
) -> None:
    line = "x" * 1_000_000
    file = tmp_path / "printed"
    file.write_text(f"<b>begins</b>\n{line}\nends\n")
    deployment.start("following", str(file), execution_id="long-output")
    (task_id,) = deployment.wait_running("long-output")
    operator.open_execution("long-output", "output")
    expect(operator.part("output")).to_contain_text("ends")
    expect_fits(operator)
    assert len(operator.part("output").inner_text()) < 200_000
    expect(operator.part("output").locator("[data-testid=show-all]").first).to_be_visible()
    deployment.http.delete(f"/api/v1/tasks/{task_id}").raise_for_status()
    expect_harmless(operator)


def test_values_of_a_megabyte_are_cut_on_every_tab_until_they_are_asked_for(
    deployment: Deployment, operator: Tab
) -> None:
    text = "<i>" + "y" * 1_000_000
    deployment.start("conversing", {"texts": [text]}, execution_id="long-values")
    operator.open_execution("long-values", "conversation")
    expect(operator.part("entry").first).to_contain_text("<i>yyy")
    for _ in each_tab(operator):
        expect_fits(operator)
    operator.part("tab-conversation").click()
    operator.part("entry").first.locator("[data-testid=show-all]").click()
    expect(operator.part("entry").first).to_contain_text(text)
    expect_fits(operator)
    expect_harmless(operator)


def expect_fits(tab: Tab) -> None:
    """Nothing makes the page wider than its window."""
    wide, window = tab.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= window
