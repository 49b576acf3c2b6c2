"""What comes from values, logs and names is text, whatever it looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import expect

from e2e.page.deployment import Deployment
from e2e.page.tab import Tab

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
TABS: Final = ("timeline", "output", "conversation", "checkpoints", "history", "signals", "value")
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
    assert tab.page.evaluate("({}).polluted") is None
    assert tab.problems == []


@pytest.fixture
def hostile(deployment: Deployment) -> str:
    """An execution that holds such texts wherever it holds any."""
    if deployment.http.get("/api/v1/executions", params={"id_prefix": ID}).json()["executions"]:
        return ID
    labels = {"<b>label</b>": MARKUP[0], "__proto__": "polluted"}
    deployment.start(
        "conversing", {"texts": list(MARKUP), "__proto__": {"polluted": 1}}, execution_id=ID, labels=labels
    )
    return ID


def test_markup_is_shown_as_the_text_that_it_is(deployment: Deployment, operator: Tab, hostile: str) -> None:
    expect(operator.row(hostile)).to_be_visible()
    expect_harmless(operator)
    operator.open_execution(hostile, "conversation")
    expect(operator.part("execution-id")).to_contain_text("<script>window.ran=9</script>")
    expect(operator.part("entry").first).to_contain_text(MARKUP[0])
    shown = operator.part("entry").all_inner_texts()
    for place in (1, 2, 3, 4, 5, 6):
        assert MARKUP[place] in shown[place]
    for name in TABS:
        operator.part(f"tab-{name}").click()
        expect(operator.part(f"panel-{name}")).to_be_visible()
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


def test_what_a_worker_says_of_itself_is_text(deployment: Deployment, operator: Tab) -> None:
    operator.part("nav-workers").click()
    expect(operator.part("worker", id="worker-1")).to_be_visible()
    expect_harmless(operator)


def test_marks_of_right_to_left_writing_do_not_reach_beyond_their_text(
    deployment: Deployment, operator: Tab, hostile: str
) -> None:
    operator.open_execution(hostile, "conversation")
    text = operator.part("entry", role="user").filter(has_text="invoice")
    expect(text).to_be_visible()
    isolated = text.evaluate(
        """entry => {
            const holder = [...entry.querySelectorAll("*"), entry].find(each => each.children.length === 0
                && each.textContent.includes("invoice")) ?? entry;
            const isolating = ["isolate", "isolate-override", "plaintext"];
            for (let each = holder; each && each !== document.body; each = each.parentElement)
                if (isolating.includes(getComputedStyle(each).unicodeBidi)) return true;
            return false;
        }"""
    )
    assert isolated


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
    for name in TABS:
        operator.part(f"tab-{name}").click()
        expect(operator.part(f"panel-{name}")).to_be_visible()
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
