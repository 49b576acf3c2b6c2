"""Our files of flovyn.v1 say just what the protocol's clients in the wild depend on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor
from rescind_proto.flovyn.v1 import agent_pb2, flovyn_pb2

FACTS: Final = Path(__file__).with_name("flovyn_facts.txt")
FILES: Final[tuple[FileDescriptor, ...]] = (agent_pb2.DESCRIPTOR, flovyn_pb2.DESCRIPTOR)
TYPES: Final = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_DOUBLE: "double",
}


def wanted() -> set[str]:
    """The facts that are written down."""
    return {line for line in FACTS.read_text().splitlines() if line and not line.startswith("#")}


def compiled() -> set[str]:
    """The facts that our files say."""
    facts: set[str] = set()
    for file in FILES:
        for service in file.services_by_name.values():
            facts |= {call_fact(method) for method in service.methods}
        for message in file.message_types_by_name.values():
            facts |= set(message_facts(message))
        for enum in file.enum_types_by_name.values():
            facts |= {f"enum {enum.name}.{value.name} {value.number}" for value in enum.values}
    return facts


def call_fact(method: MethodDescriptor) -> str:
    takes = "stream " if method.client_streaming else ""
    gives = "stream " if method.server_streaming else ""
    name = f"{method.containing_service.name}.{method.name}"
    return f"rpc {name} {takes}{method.input_type.name} -> {gives}{method.output_type.name}"


def message_facts(message: Descriptor) -> Iterator[str]:
    if not message.fields:
        yield f"message {message.name} has no field"
    for field in message.fields:
        yield f"message {message.name}.{field.name} {field.number} {type_name(field)} {label(field)}"


def type_name(field: FieldDescriptor) -> str:
    if is_map(field):
        assert field.message_type is not None
        key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
        return f"map<{type_name(key)},{type_name(value)}>"
    if field.message_type is not None:
        return str(field.message_type.name)
    if field.enum_type is not None:
        return str(field.enum_type.name)
    return TYPES[field.type]


def label(field: FieldDescriptor) -> str:
    if is_map(field):
        return "map"
    if field.is_repeated:
        return "repeated"
    oneof = field.containing_oneof
    if oneof is None:
        return "plain"
    return "optional" if oneof.name == f"_{field.name}" else f"oneof {oneof.name}"


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def test_our_files_say_all_that_the_protocol_has() -> None:
    assert wanted() - compiled() == set()


def test_our_files_say_nothing_that_the_protocol_has_not() -> None:
    assert compiled() - wanted() == set()


def test_all_of_it_is_in_the_protocols_package() -> None:
    assert {file.package for file in FILES} == {"flovyn.v1"}


def test_the_facts_are_all_the_calls_messages_and_enums_that_were_counted() -> None:
    kinds = [fact.split()[0] for fact in wanted()]
    messages = {fact.split()[1].partition(".")[0] for fact in wanted() if fact.startswith("message ")}
    enums = {fact.split()[1].partition(".")[0] for fact in wanted() if fact.startswith("enum ")}
    assert (kinds.count("rpc"), len(messages), len(enums)) == (51, 122, 5)
