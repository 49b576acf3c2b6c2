"""What a line for a task or a worker says: no figure that nobody knows, and ages by one clock."""

from __future__ import annotations

from rich.console import Console

from rescind import StopState, TaskStatus
from rescind.cli.listings_view import show_tasks, show_workers
from rescind.cli.operator_json import worker_document
from rescind.model.ids import ExecutionId, Instant, TaskId, WorkerId
from rescind.model.overviews import AttemptView, ListedTask, WorkerView
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.views import TaskView

SECOND = 1_000_000
NOW = Instant(1_800_000_000 * SECOND)


def ago(seconds: int) -> Instant:
    return Instant(NOW - seconds * SECOND)


def worker_line(**facts: object) -> list[str]:
    """The cells that people are shown of a worker."""
    known = {
        "worker_id": WorkerId("w-1"),
        "queues": ("default",),
        "agents": (),
        "tasks": (),
        "slots": 10,
        "running": 1,
        "held": 0,
        "connected": True,
        "last_contact": ago(3),
    }
    console = Console(record=True, width=300)
    show_workers(console, [WorkerView(**{**known, **facts})], NOW)  # type: ignore[arg-type]
    return cells(console)


def cells(console: Console) -> list[str]:
    _, line = console.export_text().splitlines()
    return [cell.strip() for cell in line.split("  ") if cell]


def test_a_worker_is_shown_with_what_it_runs_and_when_it_was_heard_of() -> None:
    assert worker_line() == ["w-1", "connected", "1 of 10", "0", "0", "default", "3 s ago", "-"]


def test_a_worker_that_takes_nothing_new_is_leaving() -> None:
    assert worker_line(queues=())[1] == "leaving"


def test_of_a_worker_that_has_not_come_back_to_a_new_server_nothing_is_made_up() -> None:
    absent = {"queues": (), "slots": 0, "connected": False, "last_contact": Instant(0)}
    line = worker_line(**absent, lease_ends=ago(-7))
    assert line == ["w-1", "away, lost in 7 s", "1", "0", "0", "-", "-", "-"]
    view = WorkerView(WorkerId("w-1"), (), (), (), 0, 1, 0, connected=False, last_contact=Instant(0))
    assert worker_document(view)["last_contact"] is None


def test_the_kinds_that_a_worker_runs_are_told_apart() -> None:
    kinds = {"agents": ("greet",), "tasks": ("d", "c", "b", "a"), "workflows": ("order",)}
    assert worker_line(**kinds)[-1] == "agents greet; tasks a, b, c and 1 more; workflows order"


def test_a_worker_without_a_session_polls_and_is_not_away() -> None:
    assert worker_line(connected=False, polls=True, lease_ends=ago(-60))[1] == "polls"


def test_a_cancelled_task_ages_as_long_as_it_is_at_work() -> None:
    task = TaskView(
        task_id=TaskId("t-1"),
        kind="render",
        queue="default",
        status=TaskStatus.CANCELLED,
        attempts=1,
        stop_state=StopState.DELIVERED,
        stops=(),
        input=NULL_PAYLOAD,
        output=None,
        failure=None,
        cause=None,
        cancel_requested_at=None,
        scheduled_at=ago(60),
        started_at=ago(60),
        ended_at=ago(50),
        worker_id=None,
        progress=None,
        labels={},
    )
    attempt = AttemptView(1, WorkerId("w-1"), ago(60), ago(50), stop_state=StopState.DELIVERED, stop_due=ago(40))

    def shown(*at_work: AttemptView) -> list[str]:
        console = Console(record=True, width=300)
        show_tasks(console, [ListedTask(ExecutionId("order-7"), "renders", task, at_work)], NOW)
        return cells(console)

    assert (shown(attempt)[4], shown(attempt)[-1]) == ("DELIVERED, unresponsive for 40 s", "1 min")
    assert shown()[-1] == "10 s"
