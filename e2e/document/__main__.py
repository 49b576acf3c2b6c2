"""``python -m e2e.document``: schemathesis against both served OpenAPI documents, with tokens and without.

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
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from e2e.document.world import World, inhabited_server

EXAMPLES: Final = 20
SEED: Final = 1
KNOWN: Final = 0.8
"""How often an id in a path is one that there is."""
ACCEPTED: Final = [200, 201, 400, 401, 403, 404, 409, 429]
MAY_BE_REFUSED: Final = [
    "delete_task",
    "delete_task_at_root",
    "cancel_task",
    "follow_execution",
    "follow_changes",
    "add_webhook",
]
OURS: Final = "/openapi.json"
FLOVYN: Final = "/api/docs/openapi.json"
FLOVYN_IDS: Final = (
    ("agent-executions", "id"),
    ("workflow-executions", "id"),
    ("task-executions", "task_id"),
    ("promises", "ref"),
    ("workers", "worker_id"),
)
COMMON: Final = (
    "max-stream-events = 20",
    "request-timeout = 20.0",
    "warnings = false",
    "[generation]",
    'database = "none"',
)
"""Of all runs: streams are cut somewhere."""
FEWER: Final = 5
"""How many times fewer examples flovyn.v1 gets: most of its many calls do what ours do."""
FLOVYN_CALLS: Final = ("--phases", "coverage,fuzzing", "--exclude-path-regex", "/agent-definitions")
"""Of flovyn.v1, without the paths that only answer 501."""
MANY_AT_ONCE: Final = "^cancel_(executions|tasks)$"
"""The calls that cancel all that they can, which come last: behind them nothing is open."""

LATER: Final = f"{MANY_AT_ONCE}|^follow_changes$"
"""Not in the run of all others: those, and the stream that has no end, on which each example would wait."""


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
                tokens = f"{'with' if asks_for_tokens else 'without'} tokens"
                ours = write_settings(Path(folder) / "ours.toml", settings_of(world))
                theirs = write_settings(Path(folder) / "flovyn.toml", settings_of_flovyn(world))
                for name, settings, document, many, *selected in (
                    ("flovyn.v1", theirs, FLOVYN, examples // FEWER, *FLOVYN_CALLS),
                    (f"exclude {LATER}", ours, OURS, examples, "--exclude-operation-id-regex", LATER),
                    (f"include {MANY_AT_ONCE}", ours, OURS, examples, "--include-operation-id-regex", MANY_AT_ONCE),
                ):
                    print(f"\n== {tokens}, {name} ==", flush=True)
                    arguments = ("--seed", str(seed), "--max-examples", str(max(1, many)), *selected)
                    if await run(settings, f"{world.url}{document}", *arguments):
                        failed.append(f"{tokens}, {name}")
    return failed


async def run(settings: Path, document: str, *arguments: str) -> int:
    """Run schemathesis against a served document; returns its exit code."""
    command = ["--config-file", str(settings), "run", document, *arguments]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", *command, cwd=settings.parent
    )
    return await process.wait()


def write_settings(file: Path, lines: Iterable[str]) -> Path:
    """Write settings of schemathesis into a file; returns it."""
    file.write_text("\n".join(lines))
    return file


def settings_of(world: World) -> Iterator[str]:
    """The settings for our own interface, as lines of TOML: all checks, known ids."""
    yield from COMMON
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
    yield from token_of(world)


def settings_of_flovyn(world: World) -> Iterator[str]:
    """The settings for the interface of flovyn.v1: one name in its paths stands for ids of many sorts."""
    yield from COMMON
    yield "[dictionaries]"
    known = world.flovyn
    sorts = {
        "agent-executions": known.agents,
        "workflow-executions": known.workflows,
        "task-executions": known.tasks,
        "promises": known.promises,
        "workers": known.workers,
    }
    yield 'organisations.values = ["default"]'
    for sort, ids in sorts.items():
        yield f"{sort}.values = {json.dumps(list(ids))}"
    yield f"agent-tasks.values = {json.dumps(list(known.agent_tasks))}"
    yield "[parameters]"
    yield '"path.org" = { dictionary = "organisations", probability = 0.95 }'
    # Ids are UUIDs, and a body has one of several spellings of each key: which, a document cannot say.
    yield "[checks]"
    yield "positive_data_acceptance.enabled = false"
    # 501 is the answer to what the protocol knows and we do not offer (docs/flovyn.md).
    yield 'not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "501"]'
    # The path of signal-with-start is also that of a workflow of this id, which may be asked for.
    yield "allow_header_conformance.enabled = false"
    for sort, name in FLOVYN_IDS:
        yield "[[operations]]"
        yield f'include-path-regex = "/{sort}/"'
        yield f'parameters."path.{name}" = {{ dictionary = "{sort}", probability = {KNOWN} }}'
        if sort in ("agent-executions", "workflow-executions"):
            yield f'parameters."path.task_id" = {{ dictionary = "agent-tasks", probability = {KNOWN} }}'
    yield from token_of(world)


def token_of(world: World) -> Iterator[str]:
    """The settings that make calls carry the world's token, if it has one."""
    if world.token is not None:
        yield "[auth.openapi.token]"
        yield f"bearer = {json.dumps(world.token)}"


if __name__ == "__main__":
    sys.exit(main())
