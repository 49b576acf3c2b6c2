"""A line of a log is one line, says what it is about, and cannot be forged by those whose names are in it."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from rescind.telemetry.at_work import AT_WORK, AtWork
from rescind.telemetry.log_lines import JsonLines, TextLines

EVIL = 'order-1\n{"level": "CRITICAL"}\r\x1b[2J\u2028\u0085'
AT = AtWork("order-1", "host-1", "t-1", 2, "default", f"00-{'a' * 32}-{'b' * 16}-01")
IDS = {
    "execution_id": "order-1",
    "worker": "host-1",
    "task_id": "t-1",
    "attempt": 2,
    "organisation": "default",
    "trace_id": "a" * 32,
}

Say = Callable[[logging.Logger], None]


def lines(formatter: logging.Formatter, say: Say, name: str = "of.the.program") -> list[str]:
    """What is printed when something is said."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger(name)
    logger.addHandler(handler)
    say(logger)
    return stream.getvalue().splitlines()


def as_json(say: Say) -> dict[str, Any]:
    (line,) = lines(JsonLines(), say)
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_json_line_says_when_what_and_where() -> None:
    line = as_json(lambda logger: logger.warning("%d are left", 3))
    assert line.pop("time").endswith("Z")
    assert line == {"level": "WARNING", "logger": "of.the.program", "message": "3 are left"}


def test_code_that_runs_for_a_task_need_not_say_so() -> None:
    before = AT_WORK.set(AT)
    try:
        line = as_json(lambda logger: logger.info("here"))
        (text,) = lines(TextLines(), lambda logger: logger.info("here"))
    finally:
        AT_WORK.reset(before)
    assert {name: line[name] for name in IDS} == IDS
    assert text.endswith(f"of.the.program: here [{' '.join(f'{name}={value}' for name, value in IDS.items())}]")


def test_who_writes_of_something_else_says_of_what() -> None:
    line = as_json(lambda logger: logger.info("there", extra={"at_work": AT}))
    assert {name: line[name] for name in IDS} == IDS
    line = as_json(lambda logger: logger.info("there", extra={"execution_id": "order-2"}))
    assert (line["execution_id"], "task_id" in line) == ("order-2", False)


def test_what_a_program_gives_as_extra_stands_in_json_but_replaces_nothing() -> None:
    line = as_json(
        lambda logger: logger.info("sold", extra={"customer": 7, "level": "NONE", "basket": {"a": object()}})
    )
    assert (line["customer"], line["level"], "basket" in line) == (7, "INFO", False)


def test_a_number_that_json_does_not_have_stands_as_a_text() -> None:
    given = {"ratio": float("nan"), "limit": float("inf"), "least": float("-inf"), "share": 0.5}
    (text,) = lines(JsonLines(), lambda logger: logger.info("measured", extra=given))
    line = msgspec.json.decode(text)  # strict, as the parsers of others are
    assert {name: line[name] for name in given} == {"ratio": "nan", "limit": "inf", "least": "-inf", "share": 0.5}


@pytest.mark.parametrize("formatter", [JsonLines(), TextLines()])
def test_control_characters_in_ids_messages_and_names_begin_no_line(formatter: logging.Formatter) -> None:
    said = {"execution_id": EVIL}
    (line,) = lines(formatter, lambda logger: logger.warning("%s is parked", EVIL, extra=said), EVIL)
    assert line.isprintable()


def fail(logger: logging.Logger) -> None:
    try:
        raise ValueError(EVIL)
    except ValueError:
        logger.exception("it failed")


def test_an_exception_is_one_field_of_json() -> None:
    line = as_json(fail)
    assert line["message"] == "it failed"
    assert line["exception"].startswith("Traceback")
    assert f"ValueError: {EVIL}" in line["exception"]


def test_the_text_of_an_exception_cannot_pass_for_a_line_of_the_log() -> None:
    first, *behind = lines(TextLines(), fail)
    assert first.endswith("it failed")
    assert behind
    assert all(each.startswith("    ") and each.isprintable() for each in behind)


def test_an_exception_that_another_formatter_has_written_already_is_not_lost() -> None:
    record = logging.LogRecord("a", logging.ERROR, "", 0, "it failed", (), None)
    record.exc_text = "as it was written"
    assert json.loads(JsonLines().format(record))["exception"] == "as it was written"


def test_stack_information_is_kept() -> None:
    line = as_json(lambda logger: logger.info("here", stack_info=True))
    assert sys._getframe().f_code.co_name in line["exception"]
