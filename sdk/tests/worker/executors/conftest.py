"""After each test of this folder, the process table is walked: nothing is left of what the test began."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator

import pytest

from rescind.worker.executors import process_table
from sdk.tests.worker.executors.observed import alive_with

_numbers = itertools.count(1)


@pytest.fixture
def sign() -> str:
    """A number that no other process has on its command line: ``sleep <sign>`` is found by it, whatever it did."""
    return f"{9_000_000 + os.getpid()}.{next(_numbers)}{time.time_ns() % 1_000_000}"


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Walk the process table when the test is over."""
    sign = request.getfixturevalue("sign")
    children = {row.pid for row in process_table.descendants(os.getpid())}
    yield
    own = process_table.identity()
    assert process_table.marked(lambda mark: mark.startswith(own)) == []
    assert alive_with(sign) == []
    assert [row for row in process_table.descendants(os.getpid()) if row.pid not in children] == []
