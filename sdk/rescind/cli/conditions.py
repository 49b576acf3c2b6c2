"""What `--where` says: conditions such as ``queue=default status=running,waiting label.team=eu age>1h``."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

import msgspec

from rescind.cli.refusals import EXIT_BAD_INPUT, Refused
from rescind.errors import InvalidInput
from rescind.model.ages import age_of
from rescind.model.filters import ExecutionFilter, TaskFilter
from rescind.model.ids import Instant
from rescind.model.status import ExecutionStatus, TaskStatus

FilterT = TypeVar("FilterT", ExecutionFilter, TaskFilter)

_PIECE: Final = re.compile(r"([A-Za-z_]+(?:\.[^=<>]+)?)([=<>])(.*)", re.DOTALL)
_LABEL: Final = "label."
_STATUS: Final = "status"
_AGE: Final = "age"
_AGES: Final = {"older_than": ">", "within": "<"}

# The name that people write, and the field that it sets.
_EXECUTION_FIELDS: Final = {
    "kind": "kind",
    "agent": "kind",
    "queue": "queue",
    "creator": "created_by",
    "worker": "worker_id",
}
_TASK_FIELDS: Final = {
    "kind": "kind",
    "queue": "queue",
    "worker": "worker_id",
    "execution": "execution_id",
    "agent": "agent",
    "creator": "created_by",
}


class Condition(NamedTuple):
    """One condition.

    Attributes:
        name: what must be so: ``queue``, or ``label.team``.
        sign: ``=``, ``<`` or ``>``.
        value: what it is compared with.
        text: how it was written, for errors.
    """

    name: str
    sign: str
    value: str
    text: str


class _Language(NamedTuple):
    """What can be said of one sort of thing.

    Attributes:
        fields: the field of the filter for each name.
        statuses: what `status` may be.
        before: the field that holds the time before which it must have begun.
        after: the field that holds the time from which on it must have begun.
    """

    fields: Mapping[str, str]
    statuses: type[StrEnum]
    before: str
    after: str


_OF_EXECUTIONS: Final = _Language(_EXECUTION_FIELDS, ExecutionStatus, "created_before", "created_after")
_OF_TASKS: Final = _Language(_TASK_FIELDS, TaskStatus, "scheduled_before", "scheduled_after")


def conditions_of(where: str) -> list[Condition]:
    """The conditions that a text lists. Values with spaces are quoted, as in a shell.

    Raises:
        Refused: a piece of it is no condition.
    """
    try:
        pieces = shlex.split(where)
    except ValueError:
        _refuse(f"a quotation in {where!r} has no end.")
    return [_condition(piece) for piece in pieces]


def conditions_given(**given: str | Sequence[str] | None) -> list[Condition]:
    """The conditions of options: ``status`` and ``label`` may be several, what is None or empty is left out.

    ``older_than`` and ``within`` are ages. Raises Refused: one cannot be meant.
    """
    conditions: list[Condition] = []
    for name, value in given.items():
        if name == "label":
            conditions += [_label(each) for each in value or ()]
        elif name in _AGES:
            conditions += [Condition(_AGE, _AGES[name], str(value), f"{_option(name)} {value}")] if value else []
        elif value:
            text = value if isinstance(value, str) else ",".join(value)
            conditions.append(Condition(name, "=", text, f"{_option(name)} {text}"))
    return conditions


def execution_filter(conditions: Iterable[Condition]) -> ExecutionFilter:
    """The executions for which all conditions hold. Raises Refused, which names the condition that cannot be meant."""
    return _filled(ExecutionFilter(), conditions, _OF_EXECUTIONS)


def task_filter(conditions: Iterable[Condition]) -> TaskFilter:
    """The tasks for which all conditions hold. Raises Refused, which names the condition that cannot be meant."""
    return _filled(TaskFilter(), conditions, _OF_TASKS)


def _label(given: str) -> Condition:
    name, sign, value = given.partition("=")
    if not (name and sign):
        _refuse(f"--label {given!r} is no label with its value. Give NAME=VALUE.")
    return Condition(f"{_LABEL}{name}", sign, value, f"--label {given}")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _condition(piece: str) -> Condition:
    found = _PIECE.fullmatch(piece)
    if found is None:
        _refuse(f"{piece!r} is no condition. Give name=value, label.NAME=VALUE, age>1h or age<1h.")
    name, sign, value = found.groups()
    if not value:
        _refuse(f"{piece!r} has no value.")
    return Condition(name, sign, value, piece)


def _filled(empty: FilterT, conditions: Iterable[Condition], language: _Language) -> FilterT:
    fields: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for condition in conditions:
        if condition.name.startswith(_LABEL):
            _equals(condition)
            _put(labels, condition.name.removeprefix(_LABEL), condition.value, condition)
        elif condition.name == _AGE:
            field, moment = _begun(condition, language)
            _put(fields, field, moment, condition)
        elif condition.name == _STATUS:
            _equals(condition)
            _put(fields, "statuses", _statuses(condition, language.statuses), condition)
        elif condition.name in language.fields:
            _equals(condition)
            _put(fields, language.fields[condition.name], condition.value, condition)
        else:
            known = ", ".join(sorted([*language.fields, _STATUS, _AGE, f"{_LABEL}NAME"]))
            _refuse(f"{condition.text!r}: there is no {condition.name!r} to select by. Known are {known}.")
    return msgspec.structs.replace(empty, labels=labels, **fields)


def _put(into: dict[str, Any], name: str, value: Any, condition: Condition) -> None:
    if name in into:
        _refuse(f"{condition.text!r}: {condition.name} is given twice.")
    into[name] = value


def _equals(condition: Condition) -> None:
    if condition.sign != "=":
        _refuse(f"{condition.text!r}: {condition.name} can only be compared with =.")


def _statuses(condition: Condition, known: type[StrEnum]) -> tuple[StrEnum, ...]:
    names = {status.value.lower(): status for status in known}
    chosen = condition.value.lower().split(",")
    for each in chosen:
        if each not in names:
            _refuse(f"{condition.text!r}: there is no status {each!r}. Known are {', '.join(names)}.")
    return tuple(names[each] for each in dict.fromkeys(chosen))


def _begun(condition: Condition, language: _Language) -> tuple[str, Instant]:
    """The field and the time that an age stands for: what is older than an hour began before an hour ago."""
    if condition.sign == "=":
        _refuse(f"{condition.text!r}: give age>1h for older, or age<1h for younger.")
    try:
        age = age_of(condition.value)
    except InvalidInput as error:
        _refuse(f"{condition.text!r}: {error}")
    begun = max(0, time.time_ns() // 1_000 - round(age.total_seconds() * 1e6))
    return (language.before if condition.sign == ">" else language.after), Instant(begun)


def _refuse(message: str) -> NoReturn:
    raise Refused(message, EXIT_BAD_INPUT)
