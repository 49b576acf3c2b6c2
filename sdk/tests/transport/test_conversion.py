"""Every value of the model travels, and every byte that comes in is checked."""

from __future__ import annotations

import types
import typing
from contextlib import suppress
from enum import Enum
from typing import Any, Final, Literal, NewType

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rescind_proto.rescind.v1 import client_pb2, operations_pb2, worker_pb2

from rescind.errors import InvalidInput
from rescind.model.children import Budget
from rescind.model.commands import CancelAnswered, Refused, Signalled, Started
from rescind.model.events import HistoryEvent
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import Instant
from rescind.model.messages import (
    AgentKind,
    AgentProgress,
    FromWorker,
    StreamedEvent,
    TaskActivation,
    TaskReported,
    ToWorker,
)
from rescind.model.operations import AnyAnswer, AnyOperation, StartTimer
from rescind.model.options import RetryPolicy, TaskOptions
from rescind.model.outcome import Failure
from rescind.model.payload import Payload
from rescind.model.views import ExecutionDetails
from rescind.model.webhooks import DeadDelivery, WebhookRequest, WebhookSecret
from rescind.transport.conversion.pairs import Seen, from_message, parse, to_message

UNIONS: Final[dict[str, Any]] = {
    "to a worker": ToWorker,
    "from a worker": FromWorker,
    "operation": AnyOperation,
    "answer": AnyAnswer,
    "seen": Seen,
}
ALONE: Final = (
    Started,
    Signalled,
    CancelAnswered,
    Refused,
    ExecutionDetails,
    ExecutionFilter,
    TaskFilter,
    TaskOptions,
    HistoryEvent,
    WebhookRequest,
    WebhookSecret,
    DeadDelivery,
)
TRAVELLERS: Final = [
    *(
        pytest.param(member, union, id=f"{name}: {member.__name__}")
        for name, union in UNIONS.items()
        for member in typing.get_args(union)
    ),
    *(pytest.param(struct, None, id=struct.__name__) for struct in ALONE),
]

INT64: Final = st.integers(-(2**63), 2**63 - 1)
JSON_OBJECTS: Final = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text(), min_size=1)
RETRY_POLICIES: Final = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 1_000_001),
    initial_interval_ms=st.integers(0, 2**40),
    backoff=st.floats(1, 1e6),
    maximum_interval_ms=st.integers(0, 2**40),
    non_retryable=st.lists(st.text(), max_size=3).map(tuple),
    retry_timeouts=st.booleans(),
)

BUDGETS: Final = st.builds(
    Budget,
    max_tokens=st.none() | st.integers(0, 2**63 - 1),
    max_cost_usd=st.none() | st.floats(0, 1e12),
    max_tokens_per_call=st.none() | st.integers(0, 2**63 - 1),
)
AGENT_KINDS: Final = st.builds(
    AgentKind,
    kind=st.text(),
    recovery=st.sampled_from(("replay", "checkpoint")),
    cleanup_budget_ms=st.integers(0, 2**40),
)


def values_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a type as the model annotates it."""
    if isinstance(annotation, NewType):
        return values_of(annotation.__supertype__)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values_of(member) for member in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is dict:
        return st.dictionaries(st.text(), st.text(), max_size=3) if arguments[1] is str else JSON_OBJECTS
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values_of, arguments))
    return of_class(annotation)


def of_class(annotation: Any) -> st.SearchStrategy[Any]:
    simple: dict[Any, st.SearchStrategy[Any]] = {
        int: INT64,
        str: st.text(),
        bytes: st.binary(max_size=20),
        bool: st.booleans(),
        float: st.floats(allow_nan=False),
        types.NoneType: st.none(),
        RetryPolicy: RETRY_POLICIES,
        Budget: BUDGETS,
        AgentKind: AGENT_KINDS,
    }
    if annotation in simple:
        return simple[annotation]
    if issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    assert issubclass(annotation, msgspec.Struct), annotation
    hints = typing.get_type_hints(annotation)
    return st.builds(annotation, **{name: values_of(hint) for name, hint in hints.items()})


@pytest.mark.parametrize(("struct", "union"), TRAVELLERS)
def test_every_value_arrives_as_it_was_sent(struct: type, union: Any) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(values_of(struct))
    def travels(value: Any) -> None:
        message = to_message(value, union)
        arrived = parse(message.SerializeToString(), type(message), "a test")
        assert from_message(arrived, union or struct) == value

    travels()


@pytest.mark.parametrize(("struct", "union"), TRAVELLERS)
def test_no_bytes_crash_the_reader(struct: type, union: Any) -> None:
    message_class = type(to_message_class(struct, union))

    @settings(max_examples=50, deadline=None)
    @given(st.binary(max_size=60))
    def is_read_or_refused(data: bytes) -> None:
        with suppress(InvalidInput):
            from_message(parse(data, message_class, "a test"), union or struct)

    is_read_or_refused()


def to_message_class(struct: type, union: Any) -> Any:
    from rescind.transport.conversion.pairs import DERIVATION  # noqa: PLC0415 - the one test that looks inside

    return DERIVATION.message_class(union or struct)()


@pytest.mark.parametrize(("struct", "union"), TRAVELLERS)
def test_nothing_of_a_message_is_left_behind(struct: type, union: Any) -> None:
    """Each field of the wire is one of the model and the other way round, so nothing is lost without a word."""
    descriptor = type(to_message_class(struct, None)).DESCRIPTOR
    assert {field.name for field in descriptor.fields} == set(typing.get_type_hints(struct))


def test_an_unknown_number_of_an_enum_is_refused_by_its_field() -> None:
    message = to_message(Failure("ERROR", "it broke"))  # type: ignore[arg-type]
    message.kind = 99
    with pytest.raises(InvalidInput, match=r"Failure\.kind: unknown kind 99\. This side knows 1 \(ERROR\)"):
        from_message(message, Failure)


def test_an_enum_that_is_not_set_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"StopReported\.state: unknown kind 0"):
        from_message(worker_pb2.WorkerMessage(stop_reported=worker_pb2.StopReported(lease=1)), FromWorker)


def test_a_message_of_no_known_kind_is_refused() -> None:
    newer = b"\xa2\x06\x00"  # field 100, empty
    message = parse(newer, worker_pb2.WorkerMessage, "a test")
    with pytest.raises(InvalidInput, match="WorkerMessage: unknown kind"):
        from_message(message, FromWorker)


def test_what_must_be_there_and_is_not_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidInput, match=r"ScheduleTask\.input is missing"):
        from_message(operations_pb2.Operation(schedule_task=operations_pb2.ScheduleTask(kind="k")), AnyOperation)


def test_what_may_be_left_out_has_the_default_of_the_model() -> None:
    message = worker_pb2.ServerMessage(
        task_activation=worker_pb2.TaskActivation(task_id="t", lease=1, input={"data": b"1"}, attempt=1, grace_ms=5)
    )
    activation = from_message(message, ToWorker)
    assert isinstance(activation, TaskActivation)
    assert (activation.queue, activation.heartbeat_ms, activation.input) == ("default", None, Payload(b"1", "json"))


def test_options_that_cannot_be_meant_are_refused() -> None:
    message = to_message(TaskOptions())
    message.retry.max_attempts = 0
    with pytest.raises(InvalidInput, match="max_attempts"):
        from_message(message, TaskOptions)


def test_text_that_is_no_utf_8_travels_as_far_as_it_can() -> None:
    """An error's text may hold a file name with stray bytes; it must not end the session that reports it."""
    report = TaskReported("t", 1, failure=Failure("ERROR", "no file \udcff.txt"))  # type: ignore[arg-type]
    arrived = from_message(to_message(report, FromWorker), FromWorker)
    assert arrived.failure.message == "no file ?.txt"


def test_a_timer_behind_the_end_of_time_is_due_at_its_end() -> None:
    progress = AgentProgress("e", 1, 1, (StartTimer(1, Instant(10**30)),))  # type: ignore[arg-type]
    arrived = from_message(to_message(progress, FromWorker), FromWorker)
    assert arrived.operations == (StartTimer(1, Instant(2**63 - 1)),)


def test_details_of_an_event_that_are_no_object_are_refused() -> None:
    for details in (b"{", b"[1]"):
        with pytest.raises(InvalidInput, match=r"HistoryEvent\.details is"):
            from_message(
                client_pb2.HistoryEvent(sequence=1, type="EVENT_TYPE_EXECUTION_STARTED", details=details), HistoryEvent
            )


def test_a_streamed_event_is_told_from_an_event_of_the_history() -> None:
    event = StreamedEvent("token", Payload(b'{"text":"a"}'))
    assert from_message(to_message(event, Seen), Seen) == event
