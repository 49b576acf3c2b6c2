"""`rescind worker --allow-image`, end to end: a server, a worker, and a caller who chooses the container."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rescind.cli.options import ADDRESS_VARIABLE
from sdk.tests.cli.programs import Programs, next_event
from sdk.tests.containers.engine import IMAGE, TestEngine

WORK = """
from rescind import AgentContext, agent
from rescind.executors import Container, container_images

chosen = container_images(allowed=["*"])


@agent("contains")
async def contains(ctx: AgentContext, wanted: Container) -> str:
    return (await ctx.schedule(chosen, wanted, max_retries=0)).stdout
"""


@pytest.fixture
def working(tmp_path: Path, engine: TestEngine) -> Iterator[Programs]:
    """A server, and a worker that allows images of the tests, and mounts from one folder."""
    (tmp_path / "work.py").write_text(WORK)
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "word").write_text("mounted\n")
    programs = Programs(tmp_path)
    programs.environment["DOCKER_HOST"] = engine.address
    try:
        serving = next_event(programs.begin("server", "--address", "127.0.0.1:0", "--no-http", "--json"))
        programs.environment[ADDRESS_VARIABLE] = serving["address"]
        options = ("--allow-image", "busybox-of-tests:*", "--mount-root", str(tmp_path / "allowed"))
        next_event(programs.begin("worker", "work:contains", *options, "--json"))
        yield programs
    finally:
        programs.end()


def outcome(programs: Programs, **container: Any) -> Any:
    """What came of a container: its output, or how it failed."""
    done = programs.run("start", "contains", json.dumps(container), "--wait", "--json")
    ended = json.loads(done.stdout)
    return ended["output"] if done.returncode == 0 else ended["error"]


def test_a_caller_chooses_what_a_pattern_allows(working: Programs, tmp_path: Path) -> None:
    assert outcome(working, image=IMAGE, command="echo here") == "here\n"
    mount = {"source": str(tmp_path / "allowed"), "target": "/given"}
    assert outcome(working, image=IMAGE, command="cat /given/word", mounts=[mount]) == "mounted\n"


def test_everything_else_is_refused_and_told(working: Programs, tmp_path: Path) -> None:
    (tmp_path / "allowed" / "out").symlink_to("/etc")
    for image in ("alpine:3", "evil.example/busybox-of-tests:1", "busybox-of-tests:5000/evil:1", "busybox-of-tests"):
        refusal = f"this worker does not allow the image {image!r}. It allows 'busybox-of-tests:*'."
        assert refusal in outcome(working, image=image, command="id")
    for source in ("/etc", f"{tmp_path}/allowed/out", f"{tmp_path}/allowed/../work.py"):
        mount = {"source": source, "target": "/given"}
        told = outcome(working, image=IMAGE, command="id", mounts=[mount])
        assert f"this worker does not allow the mount of {source!r}. It allows what lies in {tmp_path}/allowed." in told
    assert "does not allow the network 'host'" in outcome(working, image=IMAGE, command="id", network="host")
