"""What a worker over flovyn.v1 refuses before it begins."""

from __future__ import annotations

from typing import Any

import pytest

from rescind import workflow
from rescind.errors import InvalidInput, NotSupported
from rescind.worker.connecting import Worker


def test_a_protocol_that_nobody_speaks_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"flovyn\.v1"):
        Worker("127.0.0.1:1", protocol="flovyn.v9")  # type: ignore[arg-type]


def test_workflows_are_refused_over_flovyn() -> None:
    @workflow("flow")
    async def flow(ctx: Any) -> None: ...

    with pytest.raises(NotSupported, match="workflows"):
        Worker("127.0.0.1:1", workflows=[flow], protocol="flovyn.v1")
