"""``python -m e2e.document``: schemathesis against the served OpenAPI document, with tokens and without.

It asks a real server, in which there is something of everything, and compares each answer with the document: status
codes, media types, schemas and headers; that what is wrong is refused and what is right is taken; that no call is let
in without its token. A seed makes it repeatable.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from e2e.document.world import World, inhabited_server

EXAMPLES: Final = 20
SEED: Final = 1
KNOWN: Final = 0.8
"""How often an id in a path is one that there is."""
ACCEPTED: Final = [200, 201, 400, 401, 403, 404, 409, 429]
MAY_BE_REFUSED: Final = ["delete_task", "delete_task_at_root", "cancel_task", "follow_execution", "add_webhook"]
MANY_AT_ONCE: Final = "^cancel_(executions|tasks)$"
"""The calls that cancel all that they can, which come last: behind them nothing is open."""


def main() -> int:
    """Returns 0 if nothing was found, else 1."""
    parser = argparse.ArgumentParser(prog="python -m e2e.document", description=__doc__)
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="how many of each call, in each phase")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    begun = time.monotonic()
    failed = asyncio.run(compare(given.examples, given.seed))
    print(f"\n{time.monotonic() - begun:.0f} s; " + (f"FAILED: {', '.join(failed)}" if failed else "nothing was found"))
    return 1 if failed else 0


async def compare(examples: int, seed: int) -> Sequence[str]:
    """Compare two servers with their documents; returns the names of the runs that found something."""
    failed: list[str] = []
    for asks_for_tokens in (False, True):
        with tempfile.TemporaryDirectory(prefix="rescind-document-") as folder:
            async with inhabited_server(Path(folder), asks_for_tokens=asks_for_tokens) as world:
                settings = write_settings(Path(folder), world)
                for selecting in ("exclude", "include"):
                    name = f"{'with' if asks_for_tokens else 'without'} tokens, {selecting} {MANY_AT_ONCE}"
                    print(f"\n== {name} ==", flush=True)
                    arguments = ("--max-examples", str(examples), "--seed", str(seed))
                    selected = (f"--{selecting}-operation-id-regex", MANY_AT_ONCE)
                    if await run(settings, world, *arguments, *selected):
                        failed.append(name)
    return failed


async def run(settings: Path, world: World, *arguments: str) -> int:
    """Run schemathesis against the document of a world; returns its exit code."""
    command = ["--config-file", str(settings), "run", f"{world.url}/openapi.json", *arguments]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", *command, cwd=settings.parent
    )
    return await process.wait()


def write_settings(folder: Path, world: World) -> Path:
    """Write the settings of schemathesis into a folder; returns the file."""
    file = folder / "schemathesis.toml"
    file.write_text("\n".join(settings_of(world)))
    return file


def settings_of(world: World) -> Iterator[str]:
    """The settings of schemathesis, as lines of TOML: all checks, known ids, and streams that are cut somewhere."""
    yield "max-stream-events = 20"
    yield "request-timeout = 20.0"
    yield "warnings = false"
    yield "[generation]"
    yield 'database = "none"'
    yield "[dictionaries]"
    yield f"executions.values = {json.dumps(list(world.executions))}"
    yield f"ended.values = {json.dumps(list(world.ended))}"
    yield f"tasks.values = {json.dumps(list(world.tasks))}"
    yield f"webhooks.values = {json.dumps(list(world.webhooks))}"
    yield "[parameters]"
    yield f'"path.execution_id" = {{ dictionary = "executions", probability = {KNOWN} }}'
    yield f'"path.task_id" = {{ dictionary = "tasks", probability = {KNOWN} }}'
    yield f'"path.webhook_id" = {{ dictionary = "webhooks", probability = {KNOWN} }}'
    # A task that has ended is not cancelled, an event that has not happened is not behind anybody, and no webhook leads
    # to what is no URL: that is 400.
    yield "[[operations]]"
    yield f"include-operation-id = {json.dumps(MAY_BE_REFUSED)}"
    yield f"checks.positive_data_acceptance.expected-statuses = {json.dumps(ACCEPTED)}"
    yield "[[operations]]"
    yield 'include-operation-id = "follow_execution"'
    yield f'parameters."path.execution_id" = {{ dictionary = "ended", probability = {KNOWN} }}'
    if world.token is not None:
        yield "[auth.openapi.token]"
        yield f"bearer = {json.dumps(world.token)}"


if __name__ == "__main__":
    sys.exit(main())
