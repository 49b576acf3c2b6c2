"""The lines of a log, with the ids of what they are about: as text for people, or as JSON for programs.

They are ordinary formatters: ``handler.setFormatter(JsonLines())`` gives any program the log of a worker.
"""

from __future__ import annotations

import json
import logging
import math
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from rescind.model.trace_parent import trace_id_of, trace_parent_of
from rescind.telemetry.at_work import AT_WORK, AtWork

_EVERY_RECORDS_OWN: Final = frozenset(
    vars(logging.LogRecord("", 0, "", 0, "", (), None)).keys() | {"message", "asctime", "taskName", "at_work"}
)


_IDS: Final = (*(name for name in AtWork.__struct_fields__ if name != "trace_parent"), "trace_id")


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message``, ids, and ``exception`` if there is one.

    What a program gives as ``extra=`` stands in it too, if it is a text, a number or a truth value.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line: dict[str, Any] = {
            "time": _moment(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_ids_of(record),
        }
        if (exception := _exception_of(self, record)) is not None:
            line["exception"] = exception
        for name, value in vars(record).items():
            if name not in _EVERY_RECORDS_OWN and isinstance(value, str | int | float):
                line.setdefault(name, _in_json(value))
        # Not one character that ends a line for somebody: what is no ASCII is escaped.
        return json.dumps(line)


class TextLines(logging.Formatter):
    """Time, level, logger and message, and ids behind them. What others wrote cannot begin a line of its own.

    Control characters stand as escapes, and what follows a line, such as the trace of an exception, is indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record, and those that belong to it."""
        ids = " ".join(f"{name}={value}" for name, value in _ids_of(record).items())
        about = f" [{ids}]" if ids else ""
        line = _escaped(f"{_moment(record)} {record.levelname} {record.name}: {record.getMessage()}{about}")
        exception = _exception_of(self, record)
        if exception is None:
            return line
        return "\n".join((line, *(f"    {_escaped(each)}" for each in exception.splitlines())))


def _in_json(value: str | float) -> str | float:
    # JSON has no such numbers: as a text, at least the line can be read.
    return value if isinstance(value, str) or math.isfinite(value) else str(value)


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ids_of(record: logging.LogRecord) -> dict[str, str | int]:
    """What the record is about: what whoever wrote it said, or else what the code that runs here belongs to."""
    at_work = getattr(record, "at_work", None) or AT_WORK.get()
    ids: dict[str, str | int] = {}
    if isinstance(at_work, AtWork):
        ids = {
            name: value for name, value in msgspec.structs.asdict(at_work).items() if value and name != "trace_parent"
        }
        if (trace_parent := trace_parent_of(at_work.trace_parent)) is not None:
            ids["trace_id"] = trace_id_of(trace_parent)
    said = {name: value for name in _IDS if isinstance(value := getattr(record, name, None), str | int)}
    return ids | said


def _exception_of(formatter: logging.Formatter, record: logging.LogRecord) -> str | None:
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    elif record.exc_text:
        parts.append(record.exc_text)
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts) or None


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
