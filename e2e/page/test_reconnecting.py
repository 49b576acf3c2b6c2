"""The connection is lost and comes back: the page goes on where it was, without a reload, a gap or a repeat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, expect

from e2e.page.conftest import NewTab
from e2e.page.deployment import Deployment
from e2e.page.tab import Tab


def say(deployment: Deployment, execution_id: str, numbers: range) -> None:
    """Let a counting agent write its next entries."""
    for number in numbers:
        deployment.signal(execution_id, "next", f"word {number}")


def numbers_shown(tab: Tab) -> list[str]:
    return tab.part("entry").all_inner_texts()


def expect_numbers(tab: Tab, last: int) -> None:
    """Exactly the entries 1 to `last`, each once and in order."""
    expect(tab.part("entry")).to_have_count(last)
    for place, text in enumerate(numbers_shown(tab), start=1):
        assert f"number {place}: word {place}" in text


@contextmanager
def never_reloaded(tab: Tab) -> Iterator[None]:
    """The document that is there stays there."""
    tab.page.evaluate("window.isTheSameDocument = true")
    yield
    assert tab.page.evaluate("window.isTheSameDocument") is True


def sequences(events: Locator) -> list[int]:
    return [int(each) for each in events.evaluate_all("rows => rows.map(row => row.dataset.sequence)")]


def test_after_a_restart_of_the_server_entries_go_on_without_gaps_or_repeats(
    own_deployment: Deployment, new_tab: NewTab
) -> None:
    own_deployment.start("counting", execution_id="e-1")
    tab = new_tab(own_deployment, own_deployment.tokens.operator)
    tab.open_execution("e-1", "conversation")
    say(own_deployment, "e-1", range(1, 4))
    expect_numbers(tab, 3)
    with never_reloaded(tab):
        own_deployment.kill_server()
        expect(tab.connection("reconnecting")).to_be_visible()
        expect_numbers(tab, 3)  # what is known stays there
        own_deployment.start_server_again()
        say(own_deployment, "e-1", range(4, 8))
        expect_numbers(tab, 7)
        expect(tab.connection("live")).to_be_visible()
        tab.part("tab-history").click()
        own_deployment.signal("e-1", "next", None)
        expect(tab.part("execution-header")).to_contain_text("completed", ignore_case=True)
        expected = [event["sequence"] for event in own_deployment.history("e-1")]
        expect(tab.part("history-event")).to_have_count(len(expected))
    assert sorted(sequences(tab.part("history-event"))) == expected


def test_the_list_shows_what_was_started_after_a_restart_and_each_execution_once(
    own_deployment: Deployment, new_tab: NewTab
) -> None:
    own_deployment.start("patient", execution_id="before")
    tab = new_tab(own_deployment, own_deployment.tokens.operator)
    expect(tab.row("before")).to_be_visible()
    with never_reloaded(tab):
        own_deployment.kill_server()
        expect(tab.connection("reconnecting")).to_be_visible()
        own_deployment.start_server_again()
        own_deployment.start("patient", execution_id="after")
        own_deployment.signal("before", "go", 1)
        expect(tab.row("after")).to_be_visible()
        expect(tab.row("before")).to_have_attribute("data-status", "COMPLETED")
    assert tab.rows() == ["after", "before"]


def test_output_goes_on_behind_a_restart_and_each_line_is_there_once(
    own_deployment: Deployment, new_tab: NewTab, tmp_path: Path
) -> None:
    file = tmp_path / "printed"
    file.write_text("line 1\nline 2\n")
    own_deployment.start("following", str(file), execution_id="e-1")
    (task_id,) = own_deployment.wait_running("e-1")
    tab = new_tab(own_deployment, own_deployment.tokens.operator)
    tab.open_execution("e-1", "output")
    expect(tab.part("output")).to_contain_text("line 2")
    with never_reloaded(tab):
        own_deployment.kill_server()
        with file.open("a") as printed:
            printed.write("line 3\n")
        expect(tab.connection("reconnecting")).to_be_visible()
        own_deployment.start_server_again()
        expect(tab.part("output")).to_contain_text("line 3")
        with file.open("a") as printed:
            printed.write("line 4\n")
        expect(tab.part("output")).to_contain_text("line 4")
    text = tab.part("output").inner_text()
    assert [text.count(f"line {number}") for number in (1, 2, 3, 4)] == [1, 1, 1, 1]
    own_deployment.http.delete(f"/api/v1/tasks/{task_id}").raise_for_status()


def test_a_browser_that_was_offline_catches_up(deployment: Deployment, operator: Tab) -> None:
    deployment.start("counting", execution_id="offline")
    operator.open_execution("offline", "conversation")
    say(deployment, "offline", range(1, 3))
    expect_numbers(operator, 2)
    with never_reloaded(operator):
        operator.context.set_offline(True)
        expect(operator.connection("offline")).to_be_visible()
        say(deployment, "offline", range(3, 6))
        operator.context.set_offline(False)
        expect_numbers(operator, 5)
        expect(operator.connection("live")).to_be_visible()


def test_a_task_that_stopped_while_the_page_was_away_is_shown_as_stopped(deployment: Deployment, operator: Tab) -> None:
    deployment.start("holding", {"names": ["one"]}, execution_id="meanwhile")
    (task_id,) = deployment.wait_running("meanwhile")
    operator.open_execution("meanwhile", "timeline")
    expect(operator.bar(task_id)).to_have_attribute("data-status", "RUNNING")
    operator.context.set_offline(True)
    expect(operator.connection("offline")).to_be_visible()
    deployment.http.delete(f"/api/v1/tasks/{task_id}").raise_for_status()
    deployment.wait_status("meanwhile", "COMPLETED")
    operator.context.set_offline(False)
    expect(operator.stop(task_id, "STOPPED")).to_be_visible()
