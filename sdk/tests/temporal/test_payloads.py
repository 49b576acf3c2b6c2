"""Bytes, records and failures pass a cluster without a loss."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload as TemporalPayload
from temporalio.common import RawValue
from temporalio.converter import DefaultFailureConverter, DefaultPayloadConverter
from temporalio.exceptions import ActivityError, ApplicationError, RetryState, TimeoutError, TimeoutType

from rescind.errors import InvalidInput
from rescind.model.ids import Lease, TaskId
from rescind.model.messages import TaskReported
from rescind.model.options import TaskOptions
from rescind.model.outcome import Failure
from rescind.model.payload import NULL_PAYLOAD, Payload
from rescind.model.status import FailureKind
from rescind.temporal.failures import (
    attempt_error,
    execution_error,
    failure_of_execution,
    report_of_failed,
    worker_leaving,
)
from rescind.temporal.payloads import (
    first_payload,
    from_temporal,
    record_from_temporal,
    record_to_temporal,
    to_temporal,
)
from rescind.temporal.records import AttemptReport, StartMemo

TASK, LEASE = TaskId("00000000-0000-5000-8000-000000000001"), Lease(7)
FAILURE = Failure(FailureKind.ERROR, "broken", "ValueError", details=Payload(b"\x00\xff", "raw"))


def over_the_wire(error: BaseException) -> BaseException:
    """An error as it comes out on the other side."""
    from temporalio.api.failure.v1 import Failure as TemporalFailure  # noqa: PLC0415

    failure = TemporalFailure()
    converter = DefaultFailureConverter()
    converter.to_failure(error, DefaultPayloadConverter(), failure)
    return converter.from_failure(failure, DefaultPayloadConverter())


def activity_error(cause: BaseException) -> ActivityError:
    error = ActivityError(
        "Activity failed",
        scheduled_event_id=1,
        started_event_id=2,
        identity="w",
        activity_type="t",
        activity_id="a",
        retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED,
    )
    error.__cause__ = cause
    return error


@given(data=st.binary(), encoding=st.text(min_size=1))
def test_bytes_of_any_encoding_come_back_as_they_were(data: bytes, encoding: str) -> None:
    assert from_temporal(to_temporal(Payload(data, encoding))) == Payload(data, encoding)


def test_json_is_temporals_json() -> None:
    assert to_temporal(Payload(b'{"a":1}')).payload.metadata["encoding"] == b"json/plain"


def test_nothing_is_null() -> None:
    assert first_payload([]) == NULL_PAYLOAD
    assert from_temporal(RawValue(TemporalPayload(metadata={"encoding": b"binary/null"}))) == NULL_PAYLOAD


def test_what_others_encoded_keeps_its_bytes_and_its_name() -> None:
    foreign = RawValue(TemporalPayload(metadata={"encoding": b"json/protobuf"}, data=b"{}"))
    assert from_temporal(foreign) == Payload(b"{}", "json/protobuf")


def test_a_record_comes_back_and_something_else_is_refused() -> None:
    memo = StartMemo("client:me", {"a": "b"})
    assert record_from_temporal(record_to_temporal(memo), StartMemo) == memo
    with pytest.raises(InvalidInput, match="no StartMemo"):
        record_from_temporal(RawValue(TemporalPayload(data=b"[]")), StartMemo)


def test_an_executions_failure_comes_back_whole() -> None:
    error = over_the_wire(execution_error(FAILURE))
    assert isinstance(error, ApplicationError)
    assert (error.message, error.type) == ("broken", "ValueError")
    assert failure_of_execution(error) == FAILURE


def test_an_attempts_report_comes_back_whole() -> None:
    report = AttemptReport(TaskReported(TASK, LEASE, failure=FAILURE))
    error = activity_error(over_the_wire(attempt_error(report, FAILURE)))
    assert report_of_failed(error, TASK, LEASE, TaskOptions(), is_told_to_stop=False) == report


@pytest.mark.parametrize("kind", [TimeoutType.HEARTBEAT, TimeoutType.START_TO_CLOSE, TimeoutType.SCHEDULE_TO_CLOSE])
def test_an_attempt_that_fell_silent_is_lost(kind: TimeoutType) -> None:
    error = activity_error(TimeoutError("silent", type=kind, last_heartbeat_details=[]))
    assert report_of_failed(error, TASK, LEASE, TaskOptions(), is_told_to_stop=False) is None


def test_an_attempt_whose_worker_leaves_is_lost() -> None:
    error = activity_error(over_the_wire(worker_leaving()))
    assert report_of_failed(error, TASK, LEASE, TaskOptions(), is_told_to_stop=True) is None


def test_an_error_that_is_not_ours_is_a_failure_all_the_same() -> None:
    error = activity_error(ApplicationError("what", type="Foreign", non_retryable=True))
    report = report_of_failed(error, TASK, LEASE, TaskOptions(), is_told_to_stop=False)
    assert report is not None
    assert report.reported is not None
    assert report.reported.failure == Failure(FailureKind.ERROR, "what", "Foreign", retryable=False)
