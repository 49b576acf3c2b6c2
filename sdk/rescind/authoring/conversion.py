"""Values become payload bytes and come back: JSON, checked on both ways.

What goes in comes out equal: ``decode(encode(v), type(v)) == v`` for JSON values, dataclasses, TypedDicts, NamedTuples,
msgspec Structs, attrs classes, enums, datetimes, UUIDs, Decimals, bytes, sets, and pydantic models. Whatever JSON would
change or lose without a word is refused instead: NaN and infinity, and keys that would come back as text.
"""

from __future__ import annotations

import math
import re
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, Union, get_args, get_origin

import msgspec

from rescind.errors import InvalidInput, PayloadTooLarge
from rescind.model.payload import DEFAULT_PAYLOAD_LIMIT, JSON_ENCODING, NULL_PAYLOAD, Payload


def encode(value: object, *, what: str, as_type: object = None, limit: int = DEFAULT_PAYLOAD_LIMIT) -> Payload:
    """Write a value as JSON.

    Args:
        value: the value.
        what: what it is, for messages: ``input of task 'quote'``.
        as_type: the type that it will be read as, if one is declared. A declared ``dict[int, str]`` may have keys that
            are no strings; where nothing is declared, they would come back as strings, and are refused.
        limit: the largest size in bytes.

    Raises:
        InvalidInput: a part of it cannot be written as JSON, or would not come back as it is; the text tells which.
        PayloadTooLarge: more than `limit` bytes.
    """
    if value is None:
        return NULL_PAYLOAD
    try:
        data = _write(value)
    except Exception as error:  # the value's own class takes part in writing it, and may raise what it likes
        raise _refusal(value, what, as_type, error) from error
    # msgspec writes NaN and infinity as null, so a text without null holds none.
    if b"null" in data and _may_hold_non_finite(value):
        _raise_first_problem(value, what, keys_are_declared=True)
    if type(value) not in _SCALARS and not _has_text_keys(value) and _leaves_keys_open(as_type):
        _raise_first_problem(value, what, keys_are_declared=False)
    if len(data) > limit:
        raise PayloadTooLarge(
            f"{what} is {len(data):,} bytes as JSON; the limit is {limit:,}. Store it elsewhere and pass a reference "
            "(a path, a URL, a key), or raise the limit."
        )
    return Payload(data)


def decode(payload: Payload, as_type: object, *, what: str) -> Any:
    """Read a value back, and check it.

    Args:
        payload: its bytes.
        as_type: the type it must have; None and Any give plain JSON values.
        what: what it is, for messages: ``output of task 'quote'``.

    Raises:
        InvalidInput: not JSON, or not a value of `as_type`; the text tells where, what was expected and what is there.
    """
    if payload.encoding != JSON_ENCODING:
        raise InvalidInput(
            f"{what} is encoded as {payload.encoding!r}, and only {JSON_ENCODING!r} can be read here. "
            "Read its bytes yourself, or have its sender write JSON."
        )
    try:
        read = _reader(as_type)
    except Exception as error:  # pydantic and msgspec each have errors of their own for types
        raise InvalidInput(
            f"{what}: {type_name(as_type)} cannot be read from JSON: {error}. Declare a dataclass, a TypedDict, a "
            "pydantic or msgspec model, or plain JSON types."
        ) from error
    try:
        return read(payload.data)
    except Exception as error:  # validators are the author's code
        raise InvalidInput(f"{what} {_misfit(error, as_type)}") from error


def json_schema(as_type: object) -> dict[str, Any] | None:
    """The JSON Schema of a type; None if it is Any, or has none."""
    if as_type in _UNDECLARED:
        return None
    try:
        if _is_pydantic_model(as_type):
            return _pydantic_reader(as_type).json_schema()
        return msgspec.json.schema(as_type)
    except Exception:  # a schema is for people to read: a type that has none is no failure
        return None


def type_name(as_type: object) -> str:
    """A type as its author would write it."""
    if isinstance(as_type, type) and not get_args(as_type):
        return as_type.__qualname__.rpartition("<locals>.")[2]
    return repr(as_type).replace("typing.", "")


# --- writing ---------------------------------------------------------------------------------------------------------

_TO_BASE: Final[Mapping[type, Callable[[Any], object]]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
}


def _to_plain(value: Any) -> object:
    """What to write for a value that msgspec does not know."""
    if _is_pydantic_model(type(value)):
        # By alias, and without computed fields: what the model itself reads again. Warnings tell of fields that do not
        # have their declared type, which would be refused on the other side.
        return value.model_dump(mode="json", by_alias=True, round_trip=True, warnings="error")
    for base, to_base in _TO_BASE.items():
        if isinstance(value, base):
            return to_base(value)
    raise TypeError(f"{_described(value)} has no form in JSON")


_write: Final = msgspec.json.Encoder(enc_hook=_to_plain).encode
_probe: Final = msgspec.msgpack.Encoder(enc_hook=_to_plain).encode
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_UNDECLARED: Final = (None, Any, object)

# A float of 64 bits whose exponent is all ones, as msgpack writes it.
_find_non_finite: Final = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]").search


def _may_hold_non_finite(value: object) -> bool:
    """Whether NaN or infinity may be in it; true too often is harmless, for then every part is looked at."""
    try:
        return _find_non_finite(_probe(value)) is not None
    except Exception:  # integers beyond 64 bits have no place in msgpack
        return True


def _has_text_keys(value: Any) -> bool:
    """Whether all keys of the plain dicts in it are strings."""
    pending = [value]  # grows while it is walked through
    for container in pending:
        if isinstance(container, dict):
            for key, part in container.items():
                if type(key) is not str and not isinstance(key, str):
                    return False
                if type(part) not in _SCALARS:
                    pending.append(part)
        elif _is_plain_sequence(container):
            for part in container:
                if type(part) not in _SCALARS:
                    pending.append(part)
    return True


def _is_plain_sequence(value: object) -> bool:
    # A NamedTuple declares what is in it; a tuple does not.
    return isinstance(value, list) or type(value) is tuple


def _leaves_keys_open(as_type: object) -> bool:
    """Whether a type says nothing about the keys of dicts in it, so that they come back as strings."""
    origin, arguments = get_origin(as_type), get_args(as_type)
    if not arguments:
        return (origin or as_type) in (*_UNDECLARED, dict, list, tuple, Mapping)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return arguments[0] is str and _leaves_keys_open(arguments[1])
    if origin in (list, tuple, Sequence, Union, types.UnionType):
        return any(_leaves_keys_open(argument) for argument in arguments)
    return False


# A step with the path that leads to it: cheap to make for each part, and spelt out only for the one that is refused.
_Path: TypeAlias = "tuple[_Path | None, str]"


class _Problem(NamedTuple):
    path: str
    what_is_there: str
    what_to_do: str


def _refusal(value: object, what: str, as_type: object, error: Exception) -> InvalidInput:
    problem = _first_problem(value, keys_are_declared=not _leaves_keys_open(as_type))
    if isinstance(error, RecursionError) and problem is None:
        return InvalidInput(f"{what} is nested too deeply to be written. Flatten it, or pass a reference.")
    if problem is None:
        return InvalidInput(f"{what} cannot be written as JSON: {error}. {_USE_PLAIN_DATA}")
    return _problem_error(what, problem)


def _raise_first_problem(value: object, what: str, keys_are_declared: bool) -> None:
    problem = _first_problem(value, keys_are_declared)
    if problem is not None:
        raise _problem_error(what, problem)


def _problem_error(what: str, problem: _Problem) -> InvalidInput:
    return InvalidInput(
        f"{what} cannot be written as JSON: {problem.what_is_there} - at `{problem.path}`. {problem.what_to_do}"
    )


_USE_PLAIN_DATA: Final = (
    "Give data only: JSON values, dataclasses, TypedDicts, enums, datetimes, pydantic or msgspec models."
)
_USE_FINITE: Final = "JSON knows finite numbers only: give None or a string in its place."
_USE_TEXT_KEYS: Final = "It would come back as a string: use strings as keys, or declare the type, as dict[int, str]."


def _first_problem(value: object, keys_are_declared: bool) -> _Problem | None:
    """The first part, in depth-first order, that JSON cannot hold."""
    pending: list[tuple[_Path, object, bool, bool]] = [((None, "$"), value, keys_are_declared, False)]
    entered: set[int] = set()
    while pending:
        path, part, declared, is_left = pending.pop()
        if is_left:
            entered.discard(id(part))
            continue
        if id(part) in entered:
            return _Problem(_spelt(path), f"{_described(part)} contains itself", "Refer to parts by a name or an id.")
        parts = _parts(part)
        problem = _problem_of_leaf(part) if parts is None else _problem_of_keys(part, declared)
        if problem is not None:
            return problem._replace(path=_spelt(path))
        if parts:
            entered.add(id(part))
            pending.append((path, part, declared, True))
            declared = declared or not (isinstance(part, dict) or _is_plain_sequence(part))
            pending.extend(((path, step), inner, declared, False) for step, inner in reversed(parts))
    return None


def _spelt(path: _Path) -> str:
    steps = []
    above: _Path | None = path
    while above is not None:
        above, step = above
        steps.append(step)
    return "".join(reversed(steps))


def _problem_of_keys(part: object, declared: bool) -> _Problem | None:
    for key in part if isinstance(part, dict) else ():
        if isinstance(key, float) and not math.isfinite(key):
            return _Problem("", f"the key {key!r}", _USE_FINITE)
        writable = _is_writable({key: None})
        if isinstance(key, str) and not writable:
            return _Problem("", f"the key {key!r}, which is not valid Unicode", "Mend the string.")
        if not isinstance(key, str) and not (declared and writable):
            remedy = _USE_TEXT_KEYS if writable else "Use strings as keys."
            return _Problem("", f"the key {key!r} of type {type_name(type(key))}", remedy)
    return None


def _problem_of_leaf(part: object) -> _Problem | None:
    if isinstance(part, float) and not math.isfinite(part):
        return _Problem("", f"the number {part!r}", _USE_FINITE)
    if isinstance(part, str) and not _is_writable(part):
        return _Problem("", f"a string that is not valid Unicode, {part[:40]!r}", "Give bytes, or mend the string.")
    return None if _is_writable(part) else _Problem("", _described(part), _USE_PLAIN_DATA)


def _is_writable(part: object) -> bool:
    try:
        _write(part)
    except Exception:  # whatever is raised, it cannot be written; what and why is told by the caller
        return False
    return True


def _parts(value: Any) -> list[tuple[str, object]] | None:
    """The parts of a value with the step that leads to each; None if it has none of its own."""
    if isinstance(value, dict):
        return [(_step(key), part) for key, part in value.items()]
    if isinstance(value, list | tuple | set | frozenset):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    kind = type(value)
    if _is_pydantic_model(kind):
        return [(_step(name), part) for name, part in {**vars(value), **(value.model_extra or {})}.items()]
    names = getattr(kind, "__struct_fields__", None) or getattr(kind, "__dataclass_fields__", None)
    if names is None:
        names = [attribute.name for attribute in getattr(kind, "__attrs_attrs__", ())]
    parts = [(_step(name), getattr(value, name)) for name in names if hasattr(value, name)]
    return [(step, part) for step, part in parts if part is not msgspec.UNSET] or None


def _step(key: object) -> str:
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{key!r}]"


def _described(value: object) -> str:
    kind = type(value)
    name = getattr(value, "__qualname__", None)
    place = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"a value of type {place}{type_name(kind)}" + (f" ({name})" if isinstance(name, str) else "")


# --- reading ---------------------------------------------------------------------------------------------------------


def _from_plain(as_type: Any, plain: Any) -> object:
    """Make a value of a type that msgspec does not know."""
    if as_type is object:
        return plain
    if _is_pydantic_model(as_type):
        # As JSON text, for a strict model reads a datetime from JSON, and not from a Python string.
        try:
            return as_type.model_validate_json(msgspec.json.encode(plain))
        except ValueError as error:
            raise ValueError(_pydantic_text(error)) from None
    for base in _TO_BASE:
        if issubclass(as_type, base) and type(plain) is base:
            return as_type(plain)
    raise TypeError(f"a {type_name(as_type)} cannot be made from JSON; declare a dataclass or a model")


def _reader(as_type: object) -> Callable[[bytes], Any]:
    try:
        return _cached_reader(as_type)
    except TypeError:  # a type that cannot be hashed, such as Annotated with a dict
        return _build_reader(as_type)


def _build_reader(as_type: object) -> Callable[[bytes], Any]:
    if as_type in _UNDECLARED:
        return msgspec.json.Decoder().decode
    if _is_pydantic_model(as_type):
        return _pydantic_reader(as_type).validate_json
    try:
        return msgspec.json.Decoder(as_type, dec_hook=_from_plain).decode
    except TypeError:
        # msgspec can tell no two models apart in a union; pydantic can.
        if not _mentions_pydantic(as_type):
            raise
        return _pydantic_reader(as_type).validate_json


_cached_reader: Final = lru_cache(maxsize=2048)(_build_reader)


def _misfit(error: Exception, as_type: object) -> str:
    """Why bytes could not be read, to stand behind what they are."""
    if isinstance(error, RecursionError):
        return "is nested too deeply to be read. Flatten it, or pass a reference."
    if isinstance(error, msgspec.ValidationError):
        return f"does not fit {type_name(as_type)}: {error}"
    if isinstance(error, msgspec.DecodeError | UnicodeDecodeError):
        return f"is not well-formed JSON: {error}"
    if hasattr(error, "errors"):
        return f"does not fit {type_name(as_type)}: {_pydantic_text(error)}"
    return f"does not fit {type_name(as_type)}: {type(error).__name__}: {error}"


# --- pydantic, if it is there ----------------------------------------------------------------------------------------


def _is_pydantic_model(as_type: object) -> bool:
    return isinstance(as_type, type) and hasattr(as_type, "__pydantic_validator__") and hasattr(as_type, "model_dump")


def _mentions_pydantic(as_type: object) -> bool:
    return _is_pydantic_model(as_type) or any(_mentions_pydantic(argument) for argument in get_args(as_type))


class _PydanticReader(Protocol):
    """What is used of a `pydantic.TypeAdapter`."""

    def validate_json(self, data: bytes, /) -> Any: ...
    def json_schema(self) -> dict[str, Any]: ...


def _pydantic_reader(as_type: object) -> _PydanticReader:
    # Never imported: who has a model of it has loaded it.
    reader: _PydanticReader = sys.modules["pydantic"].TypeAdapter(as_type)
    return reader


def _pydantic_text(error: Any) -> str:
    """A pydantic ValidationError in the manner of msgspec: message, what was found, path."""
    if not hasattr(error, "errors"):
        return str(error)
    return "; ".join(
        f"{found['msg']}, got `{type_name(type(found['input']))}` - at `$"
        + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in found["loc"])
        + "`"
        for found in error.errors(include_url=False)
    )
