"""Claims of passes that take long: the server is told that they are made still."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rescind.errors import RescindError
from rescind.model.ids import ExecutionId
from rescind.model.workflows import PASS_BEAT_MS, WorkflowClaimed
from rescind.runtime.workflow_ports import WorkflowPort

_LOG: Final = logging.getLogger("rescind.worker")


class HeldClaims:
    """The claims whose side effects are being made. All of them are told of together, and none where there is none.

    Not those whose passes are being submitted: what is lost then is to go to others.
    """

    def __init__(self, port: WorkflowPort) -> None:
        self._port = port
        self._claims: dict[tuple[ExecutionId, int], WorkflowClaimed] = {}
        self._telling: asyncio.Task[None] | None = None

    @contextmanager
    def holding(self, claimed: WorkflowClaimed) -> Iterator[None]:
        """Let a claim last for as long as this is open."""
        key = claimed.execution_id, claimed.claim
        self._claims[key] = claimed
        if self._telling is None:
            self._telling = asyncio.get_running_loop().create_task(self._tell(), name="rescind held workflows")
        try:
            yield
        finally:
            del self._claims[key]
            if not self._claims:
                self._telling.cancel()
                self._telling = None

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(PASS_BEAT_MS / 1_000)
            try:
                await self._port.hold(tuple(self._claims.values()))
            except RescindError as error:
                _LOG.debug("the claims of %d workflows could not be prolonged: %s", len(self._claims), error)
