"""The page for contributors names files that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
HOMES: Final = ("", "sdk/rescind", "server_stub/rescind_server", "sdk/tests/invariants", "sdk/rescind/worker/executors")
NAMED: Final = re.compile(r"`((?:\w+/)*\w+\.(?:py|md|sql))`|`((?:\w+/)+\w*)`")


def named_files() -> list[str]:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    return sorted({file or folder for file, folder in NAMED.findall(page)})


def test_the_page_names_files() -> None:
    assert "engine/endings.py" in named_files()


@pytest.mark.parametrize("name", named_files())
def test_a_file_that_the_page_names_exists(name: str) -> None:
    assert any((ROOT / home / name).exists() for home in HOMES), f"docs/architecture.md sends its reader to {name}"
