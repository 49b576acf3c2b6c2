"""How the tests of the mock run: most rules hold in virtual time and on an ordinary loop alike."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from rescind.testing import virtual_time
from sdk.tests.testing.mocked import Runner


@pytest.fixture(params=["virtual", "ordinary"])
def run(request: pytest.FixtureRequest) -> Runner:
    """Runs a coroutine on a virtual loop, then on an ordinary one, where nothing may take real time."""
    if request.param == "virtual":
        return virtual_time.run

    def run_for_real(main: Coroutine[Any, Any, Any]) -> Any:
        begun = time.monotonic()
        result = asyncio.run(asyncio.wait_for(main, 30))
        assert time.monotonic() - begun < 5
        return result

    return run_for_real
