"""What there is to see when the page is looked at as a picture: a story of each kind that the page can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.page.deployment import Deployment
from e2e.page.gates import Gates
from e2e.page.tab import Tab
from e2e.page.waiting import eventually

FOLDER: Final = Path(__file__).parents[2] / "build" / "page"
REVIEW: Final = "review-1042"
# Of the executions of that team, so many are open when the story has been played.
OPEN_PAYMENTS: Final = "4"
_LOG: Final = """\
== fetch ==
412 packages, 0 to fetch
== compile ==
src/billing/rounding.c:118: warning: comparison of a float with ==
214 objects, 1 warning
== test ==
tests/rounding .................... ok
tests/invoices .................... ok
tests/refunds ..................... waits for the database
"""
_TEAMS: Final = ("payments", "search", "mobile")
_NUMBERS: Final = range(1_018, 1_042)


@dataclass(frozen=True)
class Look:
    """A view as it is looked at.

    Attributes:
        name: of the picture.
        path: where it is.
        token: who looks: the name of a role.
        task: whether a task is selected in the timeline.
        shows: the stable name of a part that is there when all of it has come.
    """

    name: str
    path: str
    token: str = "operator"
    task: bool = False
    shows: str = "view"


_ONE: Final = f"/page/executions/{REVIEW}"
LOOKS: Final[Sequence[Look]] = (
    Look("sign-in", "/", token=""),
    Look("executions", "/page/executions", shows="execution-row"),
    Look("executions-empty", "/page/executions?kind=nothing-of-this-kind", shows="empty"),
    Look("timeline", f"{_ONE}#timeline", shows="timeline-bar"),
    Look("timeline-task", f"{_ONE}#timeline", task=True, shows="task-detail"),
    Look("output", "/page/executions/build-7#output", shows="output-line"),
    Look("conversation", f"{_ONE}#conversation", shows="entry"),
    Look("checkpoints", f"{_ONE}#checkpoints", shows="checkpoint"),
    Look("history", f"{_ONE}#history", shows="history-event"),
    Look("signals", f"{_ONE}#signals", shows="signal-send"),
    Look("children", "/page/executions/release-7#children", shows="child-execution"),
    Look("value", f"{_ONE}#value", shows="panel-value"),
    Look("not-found", "/page/executions/no-such-execution", shows="problem"),
    Look("workers", "/page/workers", shows="worker"),
    Look("stuck", "/page/stuck", shows="stuck-task"),
    Look("audit", "/page/audit", shows="audit-record"),
    Look("timeline-viewer", f"{_ONE}#timeline", token="viewer", shows="timeline-bar"),
)


def play(deployment: Deployment, gates: Gates) -> None:
    """Let things happen until there is something of everything: at work, stopping, stuck, ended in each way."""
    deployment.start("delegating", [[[], []], [], [[]]], execution_id="release-7", labels={"team": "mobile"})
    # The second of its children holds a task itself.
    deployment.wait_running(deployment.wait_children("release-7", 3)[1])
    for number in _NUMBERS:
        team = _TEAMS[number % len(_TEAMS)]
        deployment.start(_kind(number), execution_id=f"{_kind(number)}-{number}", labels={"team": team})
    _end_some(deployment)
    written = deployment.store.with_name("build.log")
    written.write_text(_LOG, encoding="utf-8")
    deployment.start("following", str(written), execution_id="build-7", labels={"team": "mobile"})
    deployment.start("nobody-runs-this", execution_id="migrate-12", labels={"team": "search"})
    deployment.start("stuck", {"gate": gates.address, "name": "picture"}, execution_id="crawl-77")
    (deaf,) = deployment.wait_running("crawl-77")
    gates.wait_for("picture")
    _cancel(deployment, f"tasks/{deaf}", "it loads too much")
    given = {"change": "PR 1042", "hold": {"gate": gates.address, "name": "lock"}}
    deployment.start("review-change", given, execution_id=REVIEW, labels={"team": "payments"})
    (holding,) = _wait_for_the_lock(deployment)
    _cancel(deployment, f"tasks/{holding}", "the release waits until Monday")
    gates.wait_for("lock")


def show(tab: Tab, look: Look) -> None:
    """Open a view, and wait until everything is there that is to be seen."""
    tab.open(look.path)
    if look.task:
        tab.part("timeline-row", status="STOPPING").first.click()
    tab.part(look.shows).first.wait_for()


def token_of(deployment: Deployment, look: Look) -> str | None:
    """The token of who looks; None if nobody has signed in."""
    tokens: Mapping[str, str] = {"operator": deployment.tokens.operator, "viewer": deployment.tokens.viewer}
    return tokens.get(look.token)


def _kind(number: int) -> str:
    return ("patient", "stumbling", "counting", "patient")[number % 4]


def _end_some(deployment: Deployment) -> None:
    """Let those that stumble complete; of those that wait, cancel one, let one complete, leave one, and so on."""
    for number in _NUMBERS:
        execution_id = f"{_kind(number)}-{number}"
        if _kind(number) == "stumbling":
            deployment.wait_status(execution_id, "COMPLETED")
        elif _kind(number) == "patient" and number % 5 == 0:
            _cancel(deployment, f"executions/{execution_id}", "superseded by a newer change")
            deployment.wait_status(execution_id, "CANCELLED")
        elif _kind(number) == "patient" and number % 5 == 2:
            deployment.signal(execution_id, "go", "approved")
            deployment.wait_status(execution_id, "COMPLETED")


def _wait_for_the_lock(deployment: Deployment) -> Sequence[str]:
    found: list[str] = []

    def holds() -> bool:
        found[:] = [
            each["task_id"]
            for each in deployment.tasks(REVIEW)
            if each["kind"] == "hold" and each["status"] == "RUNNING"
        ]
        return bool(found)

    eventually(holds, "the review waits for the lock")
    return found


def _cancel(deployment: Deployment, what: str, reason: str) -> None:
    deployment.http.post(f"/api/v1/{what}/cancel", json={"reason": reason}).raise_for_status()
