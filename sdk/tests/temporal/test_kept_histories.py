"""What runs on a cluster runs on with a new version of Rescind: its engine decides again what it has decided.

A history is kept for ever: where one cannot be replayed any more, every open execution like it would stand still with
this version. Let the engine decide as before, whatever else it learns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from temporalio.client import WorkflowHistory

from rescind.errors import NonDeterminismError
from rescind.temporal import TemporalReplayer

from .histories.agents import AGENTS

HERE: Final = Path(__file__).parent / "histories"
KEPT: Final = sorted(HERE.glob("version_*/*.json"))


def kept(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text("utf-8"))


@pytest.mark.asyncio
@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_what_has_run_takes_the_same_path_for_ever(path: Path) -> None:
    await TemporalReplayer(AGENTS).replay(kept(path))


@pytest.mark.asyncio
async def test_an_engine_that_decides_otherwise_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    path = HERE / "version_1" / "racing_tasks_with_cancellation-1.json"
    monkeypatch.setattr("rescind_server.engine.waits._holds", lambda wait: False)
    with pytest.raises(NonDeterminismError):
        await TemporalReplayer(AGENTS).replay(kept(path))


def test_every_agent_of_the_scenarios_has_one() -> None:
    kinds = {kind for path in KEPT for kind in (each.kind for each in AGENTS) if f'"{kind}"' in path.read_text("utf-8")}
    assert kinds == {each.kind for each in AGENTS}
