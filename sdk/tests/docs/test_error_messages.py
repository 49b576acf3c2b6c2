"""The page on errors has every error of the tree, and its messages are real output."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from rescind import errors
from sdk.tests.docs import (
    authoring_errors,
    availability_errors,
    outcome_errors,
    request_errors,
    workflow_errors,
)

ROOT: Final = Path(__file__).parents[3]
SECTION: Final = re.compile(r"^#{2,3} (`\w+`.*?)\n(.*?)(?=^#{2,3} |\Z)", re.MULTILINE | re.DOTALL)
MESSAGE: Final = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACE: Final = re.compile(rf"{re.escape(str(Path(__file__).parent))}/\w+\.py:\d+")
PROVOCATIONS: Final = {
    **request_errors.met,
    **outcome_errors.met,
    **workflow_errors.met,
    **authoring_errors.met,
    **availability_errors.met,
}


def sections() -> dict[str, str]:
    """The sections of the page by the error that they tell of."""
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    return {name: text for title, text in SECTION.findall(page) for name in re.findall(r"`(\w+)`", title)}


def tree() -> list[str]:
    return [
        name
        for name, error in vars(errors).items()
        if isinstance(error, type) and issubclass(error, BaseException) and error.__module__.startswith(errors.__name__)
    ]


@pytest.mark.parametrize("name", [name for name in tree() if name != "RescindError"])
def test_every_error_of_the_tree_is_on_the_page(name: str) -> None:
    assert name in sections()


@pytest.mark.parametrize("name", [name for name in sections() if MESSAGE.search(sections()[name])])
def test_a_message_on_the_page_is_real_output(name: str, tmp_path: Path) -> None:
    shown = MESSAGE.search(sections()[name])
    assert shown is not None
    real = PLACE.sub("agents.py:12", str(PROVOCATIONS[name](tmp_path))).replace(str(tmp_path), "/var/lib")
    assert shown[1].rstrip("\n") == real


def test_every_error_that_can_be_met_has_its_message_on_the_page() -> None:
    without = {name for name in tree() if name in sections() and not MESSAGE.search(sections()[name])}
    branches = {"RequestError", "OutcomeError", "AuthoringError"}
    assert without == branches
