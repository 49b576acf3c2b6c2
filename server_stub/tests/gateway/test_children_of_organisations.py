"""Children are of their parent's organisation, whatever a worker names them."""

from __future__ import annotations

import pytest

from rescind.model.child_operations import SpawnChild
from rescind.model.filters import ExecutionFilter
from rescind.model.ids import ExecutionId, Instant, child_id_from_key
from rescind.model.messages import AgentProgress
from rescind.model.payload import NULL_PAYLOAD
from rescind.model.status import ExecutionStatus
from rescind.model.views import ChildView, ExecutionDetails, ExecutionView
from rescind_server.gateway.organisations import (
    inner_execution_filter,
    inner_id,
    inner_message,
    outer,
    outer_details,
)

PARENT = inner_id("acme", "p")


def spawned(child_id: ExecutionId, queue: str | None = None) -> SpawnChild:
    """What reaches the engine of a child that a worker of an organisation spawns."""
    progress = AgentProgress(PARENT, 1, 1, (SpawnChild(1, child_id, "agent", NULL_PAYLOAD, queue),))
    message = inner_message("acme", progress)
    assert isinstance(message, AgentProgress)
    (operation,) = message.operations
    assert isinstance(operation, SpawnChild)
    return operation


def test_the_id_that_an_agent_derives_is_of_its_organisation() -> None:
    child_id = child_id_from_key(PARENT, "1")
    assert spawned(child_id).child_id == child_id
    assert child_id.startswith("acme")
    assert outer(child_id_from_key(PARENT, "1")) == outer(child_id)
    assert child_id_from_key(ExecutionId("p"), "1") != child_id


@pytest.mark.parametrize("name", ["stolen", inner_id("other", "stolen")])
def test_no_worker_can_name_an_execution_of_others(name: str) -> None:
    assert spawned(ExecutionId(name)).child_id == inner_id("acme", "stolen")


def test_the_queue_of_a_child_is_of_its_organisation() -> None:
    assert spawned(child_id_from_key(PARENT, "1"), "fast").queue == inner_id("acme", "fast")


def test_a_filter_by_parent_finds_those_of_the_organisation_alone() -> None:
    selection = inner_execution_filter("acme", ExecutionFilter(parent_id=ExecutionId("p")))
    assert selection.parent_id == PARENT


def test_parents_and_children_are_shown_by_the_names_that_the_organisation_knows() -> None:
    view = ExecutionView(
        execution_id=inner_id("acme", "c"),
        kind="agent",
        queue=inner_id("acme", "default"),
        status=ExecutionStatus.RUNNING,
        input=NULL_PAYLOAD,
        output=None,
        failure=None,
        cause=None,
        parked=None,
        labels={},
        created_by="client:a",
        created_at=Instant(0),
        ended_at=None,
        checkpoint=-1,
        parent_id=PARENT,
    )
    details = outer_details(ExecutionDetails(view, children=(ChildView(inner_id("acme", "g"), "agent"),)))
    assert (details.execution.execution_id, details.execution.parent_id) == ("c", "p")
    assert [child.execution_id for child in details.children] == ["g"]
