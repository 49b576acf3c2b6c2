"""Texts that are kept and sent: what users give is refused if it is none, what broken code says is made one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar
from uuid import UUID

from rescind.errors import InvalidInput
from rescind.model.ids import TaskId

LONGEST_NAME: Final = 1_000
"""The most characters of a kind, an id, a queue, a key, or the name of anything."""

LONGEST_TEXT: Final = 64 * 1024
"""The most characters of a reason, a label's text, or the message of a failure."""

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


def checked_text(value: object, name: str, *, longest: int = LONGEST_NAME, may_be_empty: bool = False) -> str:
    """A text as it can be kept.

    Args:
        value: what was given.
        name: what it is, for the message: ``a task's kind``.
        longest: the most characters.
        may_be_empty: whether an empty text says something here.

    Raises:
        InvalidInput: no text, an empty one, a longer one, or one that has no UTF-8; the text names `name`.
    """
    if not isinstance(value, str):
        wanted = "a text" if may_be_empty else "a text that is not empty"
        raise InvalidInput(f"{name} is {wanted}, and this is {value!r}.")
    if not value and not may_be_empty:
        raise InvalidInput(f"{name} is a text that is not empty, and this is {value!r}.")
    if len(value) > longest:
        raise InvalidInput(f"{name} has {len(value):,} characters; at most {longest:,} are taken.")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"{name} has {value[error.start]!r} at place {error.start}, half of a surrogate pair, which UTF-8 "
                "cannot write. Decode it with errors='replace', or leave it out."
            ) from None
    # Of a subclass the plain text: what encodes it later knows no other.
    return value if type(value) is str else str.__str__(value)


def checked_reason(reason: object) -> str | None:
    """Why something is cancelled, in words; None is no reason. Raises InvalidInput."""
    return None if reason is None else checked_text(reason, "a reason", longest=LONGEST_TEXT, may_be_empty=True)


def checked_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels: texts by name. Raises InvalidInput."""
    if not isinstance(labels, Mapping):
        raise InvalidInput(f"labels are {labels!r}. Give a mapping of names to texts.")
    return dict(_checked_label(name, text) for name, text in labels.items())


def checked_task_id(task_id: object) -> TaskId:
    """A task's id as the engine writes it: of a UUID, or of its text. Raises InvalidInput."""
    if isinstance(task_id, UUID):
        return TaskId(str(task_id))
    try:
        return TaskId(str(UUID(task_id if isinstance(task_id, str) else "")))
    except ValueError:
        raise InvalidInput(f"{task_id!r} is no task id. Give future.task_id, or a UUID in text.") from None


def checked_choice(choices: type[ChoiceT], given: Any, name: str) -> ChoiceT:
    """One of several words. Raises InvalidInput, which tells them."""
    try:
        return choices(given)
    except ValueError:
        known = ", ".join(choices)
        raise InvalidInput(f"{name} is {given!r}. Give one of {choices.__name__}: {known}.") from None


def recordable(said: object) -> str:
    """A text that nobody chose, such as an error's, as it can be kept: cut, and escaped where it has no UTF-8."""
    text = said if isinstance(said, str) else str(said)
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}… ({len(text):,} characters)"
    if text.isascii():
        return text if type(text) is str else str.__str__(text)
    return text.encode("utf-8", "backslashreplace").decode()


def _checked_label(name: object, text: object) -> tuple[str, str]:
    if not isinstance(name, str) or not isinstance(text, str):
        raise InvalidInput(f"the label {name!r} is {text!r}. Give strings for names and texts.")
    checked_name = checked_text(name, "a label's name")
    return checked_name, checked_text(text, f"the label {name!r}", longest=LONGEST_TEXT, may_be_empty=True)
