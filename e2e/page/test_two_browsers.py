"""Two people look at the same: what one does the other sees, and neither sees anything else."""

from __future__ import annotations

from playwright.sync_api import expect

from e2e.page.conftest import NewTab
from e2e.page.deployment import Deployment
from e2e.page.gates import Gates
from e2e.page.tab import selector
from e2e.page.test_cancelling import cancel_task


def test_what_one_cancels_the_other_sees_stop_in_the_same_states(
    deployment: Deployment, new_tab: NewTab, gates: Gates
) -> None:
    deployment.start("holding", {"names": ["one", "two"], "gate": gates.address}, execution_id="shared")
    first, second = deployment.wait_running("shared", 2)
    olga = new_tab(deployment, deployment.tokens.operator)
    vera = new_tab(deployment, deployment.tokens.viewer, viewport={"width": 800, "height": 600})
    for tab in (olga, vera):
        tab.open_execution("shared", "timeline")
    noted = [tab.watch(selector("timeline-row", task=first), "status", "stop") for tab in (olga, vera)]
    cancel_task(olga, first)
    for tab in (olga, vera):
        expect(tab.stop(first, "DELIVERED")).to_be_visible()
        expect(tab.bar(second)).to_have_attribute("data-status", "RUNNING")
    gates.open("one")
    for tab in (olga, vera):
        expect(tab.stop(first, "STOPPED")).to_be_visible()
    # Either may have drawn once for two events that came at once, and neither anything that the other has not.
    assert all(states()[-1] == ("CANCELLED", "STOPPED") for states in noted)
    gates.open("two")


def test_their_lists_are_the_same(deployment: Deployment, new_tab: NewTab) -> None:
    olga = new_tab(deployment, deployment.tokens.operator)
    vera = new_tab(deployment, deployment.tokens.viewer)
    for tab in (olga, vera):
        tab.open("/page/executions?label=seen-by=two")
    for number in range(5):
        deployment.start("patient", execution_id=f"both-{number}", labels={"seen-by": "two"})
    deployment.http.post("/api/v1/executions/both-2/cancel", json={}).raise_for_status()
    for tab in (olga, vera):
        expect(tab.part("execution-row")).to_have_count(5)
        for number in range(5):
            status = "CANCELLED" if number == 2 else "WAITING"
            expect(tab.row(f"both-{number}")).to_have_attribute("data-status", status)
        assert tab.rows() == [f"both-{number}" for number in reversed(range(5))]
