"""How a model type and its message are read and written: derived from the two, field by field of the same name.

Each pair is written out as the source of two functions and compiled once, as dataclasses do. Closures per field were
tried first and took three times as long, on the hot path of every task.
"""

from __future__ import annotations

import json
import sys
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, Literal, NewType

import msgspec
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from rescind.errors import InvalidInput

Fill = Callable[[Any, Any], None]
"""Writes a value into an empty message."""
Read = Callable[[Any], Any]
"""Makes a value of a message. Raises InvalidInput."""

_MESSAGE: Final = FieldDescriptor.TYPE_MESSAGE
_ENUM: Final = FieldDescriptor.TYPE_ENUM
_STRING: Final = FieldDescriptor.TYPE_STRING


class Pairing(msgspec.Struct, frozen=True):
    """The two functions of one pair."""

    fill: Fill
    read: Read


class Derivation:
    """Derives the pairs of one table, each at its first use.

    Args:
        messages: the message of each model type, by the type's name.
        unions: the message of each union, whose `oneof kind` has a field for each member.
        rows: the message of each pair of values that has no model type of its own.
    """

    def __init__(
        self,
        messages: Mapping[str, type[Message]],
        unions: Mapping[Any, type[Message]],
        rows: Mapping[Any, type[Message]],
    ) -> None:
        self._messages = messages
        self._unions = {frozenset(typing.get_args(union)): message for union, message in unions.items()}
        self._rows = rows
        self._known: dict[Any, Pairing] = {}

    def message_class(self, annotation: Any) -> type[Message]:
        """The message of a model type, a union or a row."""
        if annotation in self._rows:
            return self._rows[annotation]
        if _is_union(annotation):
            return self._unions[frozenset(typing.get_args(annotation))]
        return self._messages[annotation.__name__]

    def pairing(self, annotation: Any) -> Pairing:
        """The functions of a model type, a union or a row."""
        known = self._known.get(annotation)
        if known is None:
            known = self._known[annotation] = self._derive(annotation)
        return known

    def _derive(self, annotation: Any) -> Pairing:
        message = self.message_class(annotation)
        if annotation in self._rows:
            first, second = typing.get_args(annotation)
            names = [field.name for field in message.DESCRIPTOR.fields]
            return self._compile(message, dict(zip(names, (first, second), strict=True)), None)
        if _is_union(annotation):
            return self._derive_union(message, typing.get_args(annotation))
        return self._compile(message, typing.get_type_hints(annotation), annotation)

    def _derive_union(self, message: type[Message], members: tuple[type, ...]) -> Pairing:
        by_message = {_name_of(field.message_type): field.name for field in message.DESCRIPTOR.fields}
        writers: dict[type, tuple[str, Fill]] = {}
        readers: dict[str | None, Read] = {}
        for member in members:
            name = by_message[self.message_class(member).DESCRIPTOR.name]
            pairing = self.pairing(member)
            writers[member] = (name, pairing.fill)
            readers[name] = pairing.read
        what = message.DESCRIPTOR.name

        def fill(value: Any, message: Any) -> None:
            name, fill_member = writers[type(value)]
            inner = getattr(message, name)
            # An empty message is otherwise taken for one that is not there.
            inner.SetInParent()
            fill_member(value, inner)

        def read(message: Any) -> Any:
            name = message.WhichOneof("kind")
            if name is None:
                raise InvalidInput(f"{what}: unknown kind. It is not set, or newer than what this side knows.")
            return readers[name](getattr(message, name))

        return Pairing(fill, read)

    def _compile(self, message: type[Message], hints: Mapping[str, Any], struct: type | None) -> Pairing:
        """Write out, and compile, the functions of a model type; of a row if `struct` is None."""
        writer = _Writer(self, message, struct)
        for name, annotation in hints.items():
            writer.add(name, annotation)
        return writer.compiled()


class _Writer:
    """Writes the source of one pair. Names in capitals are what the source refers to."""

    def __init__(self, derivation: Derivation, message: type[Message], struct: type | None) -> None:
        self._derivation = derivation
        self._descriptor = message.DESCRIPTOR
        self._names: dict[str, Any] = {"MAKE": struct or _row, "missing": _missing, "intern": sys.intern}
        self._defaults = _defaults_of(struct) if struct is not None else {}
        self._is_row = struct is None
        self._fill: list[str] = []
        self._read: list[str] = []

    def add(self, name: str, annotation: Any) -> None:
        """Add the lines of one field."""
        field: Any = self._descriptor.fields_by_name[name]
        bare, can_be_none = _without_none(annotation)
        value = f"value[{len(self._read)}]" if self._is_row else f"value.{name}"
        put, got = self._lines(name, bare, field)
        if can_be_none:
            self._fill += [f"x = {value}", "if x is not None:", *(f"    {line}" for line in put)]
        else:
            self._fill += [f"x = {value}", *put]
        if field.type == _STRING and isinstance(self._defaults.get(name), str):
            # One of few texts, such as the name of an encoding: kept once, not once per value.
            got = f"intern({got})"
        if field.has_presence:
            got = f"{got} if message.HasField({name!r}) else {self._absent(name, can_be_none)}"
        elif can_be_none:
            got = f"{got} if message.{name} else None"
        self._read.append(got)

    def compiled(self) -> Pairing:
        """The two functions."""
        fill = "\n    ".join(self._fill) or "pass"
        read = ", ".join(self._read)
        source = f"def fill(value, message):\n    {fill}\n\ndef read(message):\n    return MAKE({read})\n"
        exec(compile(source, f"<conversion of {self._descriptor.name}>", "exec"), self._names)
        return Pairing(self._names["fill"], self._names["read"])

    def _absent(self, name: str, can_be_none: bool) -> str:
        if name in self._defaults:
            self._names[f"DEFAULT_{name}"] = self._defaults[name]
            return f"DEFAULT_{name}"
        return "None" if can_be_none else f"missing({self._descriptor.name!r}, {name!r})"

    def _lines(self, name: str, annotation: Any, field: Any) -> tuple[list[str], str]:
        """How a value `x` is put into the message, and how it is got out of it."""
        if field.type == _ENUM:
            member = typing.get_args(annotation)[0] if field.is_repeated else annotation
            self._names[f"TO_{name}"], self._names[f"FROM_{name}"] = _enum_tables(member, field)
            if field.is_repeated:
                put = [f"message.{name}.extend([TO_{name}[each] for each in x])"]
                return put, f"tuple([FROM_{name}[each] for each in message.{name}])"
            return [f"message.{name} = TO_{name}[x]"], f"FROM_{name}[message.{name}]"
        if typing.get_origin(annotation) is dict and field.type == _MESSAGE:
            return ["if x:", f"    message.{name}.update(x)"], f"dict(message.{name})"
        if typing.get_origin(annotation) is dict:
            self._names |= {"dump": _dump, "load": _load}
            return [f"message.{name} = dump(x)"], f"load({self._descriptor.name!r}, {name!r}, message.{name})"
        if field.type != _MESSAGE:
            if field.is_repeated:
                return [f"message.{name}.extend(x)"], f"tuple(message.{name})"
            return [f"message.{name} = x"], f"message.{name}"
        member = typing.get_args(annotation)[0] if field.is_repeated else annotation
        pairing = self._derivation.pairing(member)
        self._names[f"FILL_{name}"], self._names[f"READ_{name}"] = pairing.fill, pairing.read
        if field.is_repeated:
            put = ["if x:", f"    add = message.{name}.add", "    for each in x:", f"        FILL_{name}(each, add())"]
            return put, f"tuple([READ_{name}(each) for each in message.{name}]) if message.{name} else ()"
        put = [f"inner = message.{name}", "inner.SetInParent()", f"FILL_{name}(x, inner)"]
        return put, f"READ_{name}(message.{name})"


class _EnumTable(dict[Any, Any]):
    """What each number stands for; refuses the others."""

    def __init__(self, values: Mapping[int, Any], field: FieldDescriptor) -> None:
        super().__init__(values)
        self._field = f"{_name_of(field.containing_type)}.{field.name}"

    def __missing__(self, number: int) -> Any:
        known = ", ".join(f"{number} ({value})" for number, value in self.items())
        raise InvalidInput(f"{self._field}: unknown kind {number}. This side knows {known}.")


def enum_numbers(annotation: Any, enum: EnumDescriptor | None) -> dict[Any, int]:
    """The number of each member of an enum, or of a Literal, by the rule of names: `TRY` is `CANCEL_MODE_TRY`."""
    assert enum is not None, annotation
    by_name = {value.name: value.number for value in enum.values}
    # The one value that stands for nothing gives away the prefix of all.
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    if typing.get_origin(annotation) is Literal:
        return {text: by_name[prefix + text.upper()] for text in typing.get_args(annotation)}
    assert issubclass(annotation, Enum)
    return {member: by_name[prefix + member.name] for member in annotation}


def _enum_tables(annotation: Any, field: FieldDescriptor) -> tuple[Mapping[Any, int], Mapping[int, Any]]:
    numbers = enum_numbers(annotation, field.enum_type)
    return numbers, _EnumTable({number: member for member, number in numbers.items()}, field)


def _name_of(message: Any) -> str:
    """The name of a message that the kind of a field implies."""
    assert message is not None
    name: str = message.name
    return name


def _is_union(annotation: Any) -> bool:
    return isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """An annotation without None, and without the names that NewType gives; and whether None was in it."""
    if isinstance(annotation, NewType):
        return _without_none(annotation.__supertype__)
    if not _is_union(annotation):
        return annotation, False
    members = typing.get_args(annotation)
    others = tuple(member for member in members if member is not types.NoneType)
    if len(others) == len(members):
        return annotation, False
    bare: Any = others[0]
    for other in others[1:]:
        bare = bare | other
    return _without_none(bare)[0], True


def _defaults_of(struct: type) -> dict[str, Any]:
    fields = msgspec.structs.fields(struct)
    return {field.name: field.default for field in fields if field.default is not msgspec.NODEFAULT}


def _row(*values: Any) -> tuple[Any, ...]:
    return values


def _missing(message: str, field: str) -> Any:
    raise InvalidInput(f"{message}.{field} is missing.")


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _load(message: str, field: str, data: bytes) -> Any:
    try:
        value = json.loads(data)
    except ValueError as error:
        raise InvalidInput(f"{message}.{field} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput(f"{message}.{field} is JSON, but no object.")
    return value
