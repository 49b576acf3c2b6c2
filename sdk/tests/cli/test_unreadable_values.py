"""Values that are no JSON, as any program that speaks gRPC can send them: shown as bytes, they break no list."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from rescind import ExecutionStatus, InvalidInput, TaskStatus
from rescind.cli.execution_json import details_document, value_of
from rescind.cli.execution_view import show_execution
from rescind.cli.operator_json import listed_task_document
from rescind.client.records import History, TaskRecord
from rescind.model.ids import ExecutionId, Instant, TaskId
from rescind.model.messages import EntryRecord
from rescind.model.overviews import ListedTask
from rescind.model.payload import Payload
from rescind.model.views import CheckpointView, ExecutionDetails, ExecutionView, TaskView

NO_JSON = [
    pytest.param(Payload(b"{not json"), {"encoding": "json", "base64": "e25vdCBqc29u"}, id="broken JSON"),
    pytest.param(Payload(b'"\xff"'), {"encoding": "json", "base64": "Iv8i"}, id="no UTF-8"),
    pytest.param(Payload(b"[" * 5_000), {"encoding": "json", "base64": "W1tb" * 1_666 + "W1s="}, id="endless"),
    pytest.param(Payload(b"\x00\x01", "binary"), {"encoding": "binary", "base64": "AAE="}, id="other encoding"),
    pytest.param(Payload(b"1", "binary"), {"encoding": "binary", "base64": "MQ=="}, id="JSON that says otherwise"),
]


def details_of(payload: Payload) -> ExecutionDetails:
    """An execution that holds the value wherever it can hold one."""
    at = Instant(1_000_000)
    task = TaskView(
        task_id=TaskId("9224b7d7-fbce-5ece-b90b-431e987b9dd1"),
        kind="quote",
        queue="default",
        status=TaskStatus.COMPLETED,
        attempts=1,
        stop_state=None,
        stops=(),
        input=payload,
        output=payload,
        failure=None,
        cause=None,
        cancel_requested_at=None,
        scheduled_at=at,
        started_at=at,
        ended_at=at,
        worker_id=None,
        progress=None,
        labels={},
    )
    execution = ExecutionView(
        execution_id=ExecutionId("order-1"),
        kind="one-quote",
        queue="default",
        status=ExecutionStatus.COMPLETED,
        input=payload,
        output=payload,
        failure=None,
        cause=None,
        parked=None,
        labels={},
        created_by="client:other",
        created_at=at,
        ended_at=at,
        checkpoint=1,
    )
    entry = EntryRecord("e-1", "message", "user", payload)
    return ExecutionDetails(execution, (task,), (entry,), (CheckpointView(1, payload, at),))


@pytest.mark.parametrize(("payload", "shown"), NO_JSON)
def test_what_is_no_json_is_shown_as_its_bytes(payload: Payload, shown: dict[str, str]) -> None:
    details = details_of(payload)
    document = json.loads(json.dumps(details_document(details)))
    assert value_of(payload) == shown
    for part in (document, document["tasks"][0]):
        assert (part["input"], part["output"]) == (shown, shown)
    assert (document["entries"][0]["content"], document["checkpoints"][0]["state"]) == (shown, shown)
    listed = listed_task_document(ListedTask(ExecutionId("order-1"), "one-quote", details.tasks[0]))
    assert (listed["input"], listed["output"]) == (shown, shown)


@pytest.mark.parametrize(("payload", "shown"), NO_JSON)
def test_people_are_shown_an_execution_whose_values_are_no_json(payload: Payload, shown: dict[str, str]) -> None:
    console = Console(record=True, width=100_000, highlight=False, markup=False)
    show_execution(console, details_of(payload), History([]))
    lines = [line.split(maxsplit=1) for line in console.export_text().splitlines()]
    assert ["input", json.dumps(shown)] in lines
    assert ["output", json.dumps(shown)] in lines


@pytest.mark.parametrize(("payload", "shown"), NO_JSON)
def test_a_record_refuses_a_value_that_is_no_json_and_names_its_task(payload: Payload, shown: dict[str, str]) -> None:
    (view,) = details_of(payload).tasks
    with pytest.raises(InvalidInput, match=view.task_id):
        _ = TaskRecord(view).input
    with pytest.raises(InvalidInput, match=view.task_id):
        _ = TaskRecord(view).output
