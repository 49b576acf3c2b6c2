"""The public surface is a list. Whatever stands on it exists, explains itself, and is in the manual."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

import rescind

REFERENCE: Final = Path(__file__).parents[2] / "docs" / "reference"
DIRECTIVE: Final = re.compile(r"^::: (\S+)\n((?:[ ]{4}.*\n|\n)*)", re.MULTILINE)
MEMBER: Final = re.compile(r"^ +- (\w+)$", re.MULTILINE)


@cache
def public_names() -> list[str]:
    return sorted(rescind.__all__)


@cache
def names_in_the_manual() -> frozenset[str]:
    return frozenset(name for page in sorted(REFERENCE.glob("*.md")) for name in names_on(page.read_text("utf-8")))


def names_on(page: str) -> Iterator[str]:
    """What the directives of a page show: members of `::: rescind`, or all that comes from `::: rescind.module`."""
    for target, options in DIRECTIVE.findall(page):
        if target == "rescind":
            yield from MEMBER.findall(options)
        else:
            yield from (name for name in public_names() if home_of(name) == target)


def home_of(name: str) -> str | None:
    return getattr(getattr(rescind, name, None), "__module__", None)


@pytest.mark.parametrize("name", public_names())
def test_a_public_name_exists(name: str) -> None:
    assert hasattr(rescind, name), f"rescind.__all__ promises {name}, and rescind has no such thing"


@pytest.mark.parametrize("name", public_names())
def test_a_public_name_explains_itself(name: str) -> None:
    thing = getattr(rescind, name)
    if not (inspect.isclass(thing) or inspect.isroutine(thing) or inspect.ismodule(thing)):
        return  # a value or an alias of a type; the comment beside it explains it
    assert own_docstring(thing), f"rescind.{name} has no docstring"


def own_docstring(thing: object) -> str | None:
    text = vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__
    # A dataclass without a docstring is given its own signature as one.
    if inspect.isclass(thing) and text and text.startswith(f"{thing.__name__}("):
        return None
    return text


@pytest.mark.parametrize("name", public_names())
def test_a_public_name_is_in_the_manual(name: str) -> None:
    assert name in names_in_the_manual(), f"no page of docs/reference shows rescind.{name}"


def test_the_manual_shows_no_name_that_is_gone() -> None:
    assert names_in_the_manual() - set(public_names()) == set()


def test_the_version_is_that_of_the_distribution() -> None:
    assert rescind.__version__ == importlib.metadata.version("rescind")
