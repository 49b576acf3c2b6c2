"""Events of workflows as other clients and exported histories have them: a type's name, and an object of JSON."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rescind.errors import InvalidInput
from rescind.model.payload import JSON_ENCODING, NULL_PAYLOAD, Payload
from rescind.model.workflow_commands import AnyWorkflowCommand
from rescind.model.workflow_events import (
    AnyWorkflowEvent,
    ChildWorkflowFailed,
    ChildWorkflowInitiated,
    TaskCancelled,
    TaskCompleted,
)

_ALIASES: Final[Mapping[type, Mapping[str, str]]] = {
    TaskCompleted: {"result": "output"},
    TaskCancelled: {"taskType": "kind"},
    ChildWorkflowInitiated: {"childExecutionId": "childWorkflowExecutionId"},
    ChildWorkflowFailed: {"childworkflowExecutionId": "childWorkflowExecutionId"},
}
"""Keys that are written twice, since documents and clients differ: the second name of what stands under the first."""

_TYPES: Final = {str(each.__struct_config__.tag): each for each in AnyWorkflowEvent.__args__}
_COMMAND_TYPES: Final = {str(each.__struct_config__.tag): each for each in AnyWorkflowCommand.__args__}
_encode: Final = msgspec.json.Encoder().encode
_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**63 - 1
_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_OTHER_ENCODING: Final = "$encoding"


def event_data(event: AnyWorkflowEvent | AnyWorkflowCommand) -> bytes:
    """The data of an event as a JSON object: its fields in camelCase, its payloads as they are, aliases beside them.

    A payload that is not JSON is written as an object of its ``$encoding`` and ``data`` in base 64.
    """
    data: dict[str, Any] = {}
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if isinstance(value, Payload):
            data[_camel_case(name)] = _raw(value)
        elif value is not None:
            data[_camel_case(name)] = value
    for alias, name in _ALIASES.get(type(event), {}).items():
        data[alias] = data[name]
    return _encode(data)


def event_from_data(event_type: str, data: bytes) -> AnyWorkflowEvent | None:
    """The event that was written so; None if the type is unknown.

    Raises:
        InvalidInput: the data is no JSON object, or lacks a key that this type must have.
    """
    event_class = _TYPES.get(event_type)
    if event_class is None:
        return None
    try:
        given = _decode(data or b"{}")
        for alias, name in _ALIASES.get(event_class, {}).items():
            if name not in given and alias in given:
                given[name] = given[alias]
        event: AnyWorkflowEvent = msgspec.convert(_fields(event_class, given), event_class)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"this is no event of type {event_type}: {error}. Give it as it was exported.") from None
    return event


def command_data(command: AnyWorkflowCommand) -> bytes:
    """The data of a command, in the form of `event_data`."""
    return event_data(command)


def command_from_data(command_type: str, data: bytes) -> AnyWorkflowCommand:
    """The command that was written so.

    Raises:
        InvalidInput: the type is unknown, the data is no JSON object, or lacks a key that this type must have.
    """
    command_class = _COMMAND_TYPES.get(command_type)
    if command_class is None:
        raise InvalidInput(f"command type {command_type!r} is not known. Known are: {', '.join(_COMMAND_TYPES)}.")
    try:
        command: AnyWorkflowCommand = msgspec.convert(_fields(command_class, _decode(data or b"{}")), command_class)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"this is no command of type {command_type}: {error}.") from None
    return command


def _fields(event_class: type[msgspec.Struct], given: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": str(event_class.__struct_config__.tag)}
    for field in msgspec.structs.fields(event_class):
        raw = given.get(_camel_case(field.name))
        if raw is None:
            continue
        if field.type is Payload:
            fields[field.name] = _payload(bytes(raw))
        else:
            fields[field.name] = value = msgspec.json.decode(raw)
            if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
                raise msgspec.ValidationError(f"{_camel_case(field.name)} does not fit into 64 bits")
    return fields


def _raw(payload: Payload) -> msgspec.Raw | dict[str, str]:
    if payload.encoding != JSON_ENCODING:
        return {_OTHER_ENCODING: payload.encoding, "data": b64encode(payload.data).decode()}
    return msgspec.Raw(payload.data or NULL_PAYLOAD.data)


def _payload(raw: bytes) -> dict[str, Any]:
    """The payload as a mapping of its fields, which `msgspec.convert` takes in with the event."""
    if _OTHER_ENCODING.encode() in raw:
        value = msgspec.json.decode(raw)
        if isinstance(value, dict) and value.keys() == {_OTHER_ENCODING, "data"}:
            return {"data": b64decode(value["data"]), "encoding": value[_OTHER_ENCODING]}
    return {"data": raw}


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
