"""Make the kept histories of a version: ``python -m sdk.tests.temporal.histories version_2``.

It needs the development server. An older version is never made again: it stands for what runs at our users'.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from temporalio.client import WorkflowFailureError
from temporalio.common import RawValue

from fixtures.temporal_servers.running import DevelopmentServer, running
from rescind.temporal import TemporalClient, TemporalWorker

from .agents import AGENTS, TASKS, KeptStart, starts

HERE: Final = Path(__file__).parent
# Else the histories would name a machine.
NOBODY: Final = "recorder"


async def record(all_starts: Sequence[KeptStart], folder: Path) -> None:
    """Play them on a server of their own, and write down what Temporal tells of each."""
    with TemporaryDirectory() as scratch:
        async with (
            running(DevelopmentServer(Path(scratch))) as server,
            TemporalClient(server.address, by="client:recorder", identity=NOBODY) as client,
            TemporalWorker(server.address, agents=AGENTS, tasks=TASKS, worker_id=NOBODY),
        ):
            for start in all_starts:
                history = await _history_of(client, start)
                (folder / f"{start.name}.json").write_text(history, "utf-8")


async def _history_of(client: TemporalClient, start: KeptStart) -> str:
    handle = await client.start(start.agent, start.given, id=start.name)
    await start.disturb(handle)
    workflow = client.port.client.get_workflow_handle(handle.id, result_type=RawValue)
    with suppress(WorkflowFailureError):  # an agent that fails, or is cancelled, has a history as others have
        await workflow.result()
    written = json.loads((await workflow.fetch_history()).to_json(), object_hook=_without_places)
    return json.dumps(written, separators=(",", ":")) + "\n"


def _without_places(read: dict[str, Any]) -> dict[str, Any]:
    """Without where on a machine the code of a failure stood; no replay looks at that."""
    read.pop("stackTrace", None)
    return read


def main(version: str) -> None:
    folder = HERE / version
    folder.mkdir()
    asyncio.run(record(starts(), folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
