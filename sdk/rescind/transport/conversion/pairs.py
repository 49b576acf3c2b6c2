"""Which model type travels as which message."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from google.protobuf.message import Message
from rescind_proto.rescind.v1 import client_pb2, operations_pb2, values_pb2, webhooks_pb2, worker_pb2

from rescind.errors import InvalidInput
from rescind.model.events import HistoryEvent
from rescind.model.ids import TaskId
from rescind.model.messages import (
    AgentCancelled,
    AgentCompleted,
    AgentFailed,
    FromWorker,
    StreamedEvent,
    ToWorker,
)
from rescind.model.operations import AnyAnswer, AnyOperation
from rescind.model.outcome import Outcome
from rescind.model.status import StopState
from rescind.transport.conversion.derivation import Derivation

Seen = HistoryEvent | StreamedEvent
"""What one who follows an execution is shown."""

_MODULES: Final = (values_pb2, operations_pb2, worker_pb2, client_pb2, webhooks_pb2)
_MESSAGES: Final = {
    name: getattr(module, name) for module in _MODULES for name in module.DESCRIPTOR.message_types_by_name
}
# The messages of a union and of a row have names of their own.
_UNIONS: Final[dict[Any, type[Message]]] = {
    AnyOperation: operations_pb2.Operation,
    AnyAnswer: operations_pb2.Answer,
    ToWorker: worker_pb2.ServerMessage,
    FromWorker: worker_pb2.WorkerMessage,
    AgentCompleted | AgentFailed | AgentCancelled: worker_pb2.AgentEnding,
    Seen: client_pb2.Seen,
}
_ROWS: Final[dict[Any, type[Message]]] = {
    tuple[TaskId, Outcome]: operations_pb2.TaskEnd,
    tuple[TaskId, StopState | None]: operations_pb2.TaskStop,
}
_INT64: Final = (-(2**63), 2**63 - 1)

DERIVATION: Final = Derivation(_MESSAGES, _UNIONS, _ROWS)


def fill(value: Any, message: Message, annotation: Any = None) -> None:
    """Write a value into an empty message. It always fits: see `_made_to_fit`.

    Args:
        value: of a model type.
        message: the message of that type, or of `annotation`.
        annotation: the union that the value is a member of, if the message is a union's.
    """
    pairing = DERIVATION.pairing(annotation if annotation is not None else type(value))
    try:
        pairing.fill(value, message)
    except (ValueError, TypeError):
        message.Clear()
        pairing.fill(_made_to_fit(value), message)


def to_message(value: Any, annotation: Any = None) -> Any:
    """The message of a value; see `fill`."""
    message = DERIVATION.message_class(annotation if annotation is not None else type(value))()
    fill(value, message, annotation)
    return message


def from_message(message: Message, annotation: Any) -> Any:
    """The value of a message, of the given model type or union.

    Raises:
        InvalidInput: something is missing, or of a kind that this side does not know.
    """
    return DERIVATION.pairing(annotation).read(message)


def parse(data: bytes, message_class: type[Message], what: str) -> Any:
    """A message out of its bytes.

    Raises:
        InvalidInput: the bytes are no such message; the text names `what` sent them.
    """
    try:
        return message_class.FromString(data)
    except Exception as error:  # each implementation of protobuf raises its own for bytes of a stranger
        raise InvalidInput(
            f"{what} sent {len(data)} bytes that are no {message_class.DESCRIPTOR.full_name}: {error}"
        ) from None


def _made_to_fit(value: Any) -> Any:
    """A value as far as the wire can carry it.

    Texts are UTF-8 there, and whole numbers have 64 bits. What does not fit comes from user code: a file name with
    stray bytes in an error's text, a timer that is due after the end of time. It must not end a session.
    """
    match value:
        case msgspec.Struct():
            fields = {name: _made_to_fit(getattr(value, name)) for name in value.__struct_fields__}
            return type(value)(**fields)
        case str() if type(value) is str:
            return value.encode("utf-8", "replace").decode()
        case bool():
            return value
        case int():
            return min(max(value, _INT64[0]), _INT64[1])
        case tuple():
            return tuple(_made_to_fit(each) for each in value)
        case dict():
            return {_made_to_fit(key): _made_to_fit(each) for key, each in value.items()}
    return value
