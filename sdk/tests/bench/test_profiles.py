"""A profile is summed up by the places at which somebody could change something."""

from __future__ import annotations

import cProfile
import sys
from pathlib import Path

import pytest

from bench.profiles import Statistics, own_seconds, place_of, summaries

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize(
    ("file", "name", "place"),
    [
        ("/src/server_stub/rescind_server/engine/claims.py", "hand_out", "rescind_server.engine.claims"),
        ("/home/rescind/sdk/rescind/worker/worker.py", "start", "rescind.worker.worker"),
        (f"/usr/lib/{PYTHON}/asyncio/events.py", "_run", "asyncio"),
        (f"/venv/lib/{PYTHON}/site-packages/grpc/aio/_call.py", "write", "grpc"),
        (f"/usr/lib/{PYTHON}/uuid.py", "uuid5", "uuid"),
        ("<conversion of TaskOptions>", "read", "conversion of messages"),
        ("<frozen importlib._bootstrap>", "_load", "importing"),
        ("~", "<built-in method builtins.compile>", "importing"),
        ("~", "<method 'poll' of 'select.epoll' objects>", "waiting"),
        ("~", "<built-in method builtins.len>", "built-in"),
    ],
)
def test_a_function_counts_for_its_place(file: str, name: str, place: str) -> None:
    assert place_of(file, name) == place


def test_time_counts_where_it_was_spent_and_not_where_it_was_called_from() -> None:
    statistics: Statistics = {
        ("/rescind/worker/worker.py", 1, "outer"): (1, 1, 0.5, 3.0, {}),
        ("/elsewhere/uuid.py", 1, "inner"): (1, 1, 2.5, 2.5, {}),
    }
    assert own_seconds(statistics) == {"rescind.worker.worker": 0.5, "uuid": 2.5}


def test_a_process_that_was_killed_has_no_summary(tmp_path: Path) -> None:
    profile = cProfile.Profile()
    profile.runcall(sorted, range(1_000))
    profile.dump_stats(tmp_path / "1-server.prof")
    (tmp_path / "2-worker.prof").touch()
    title, _ = summaries(tmp_path)
    assert title.startswith("1-server.prof: ")
