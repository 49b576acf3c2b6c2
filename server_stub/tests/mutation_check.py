"""Breaks the engine on purpose, one rule at a time. A mutation that none of the tests notices is an error.

Run it from the root of the repository: ``python -m server_stub.tests.mutation_check``, with names of mutations to try
only these. Each runs the tests on a copy of the package; the sources are not touched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .mutations import MUTATIONS, Mutation
from .mutations_of_workflows import MUTATIONS_OF_WORKFLOWS

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = "rescind_server"
STORIES: Final = "server_stub/tests/engine/test_properties.py"
RANDOM_STORIES: Final = (STORIES,)
EXAMPLES: Final = ("server_stub/tests/engine", "server_stub/tests/host", "--ignore", STORIES)
ENOUGH: Final = 3
"""So many tests that fail are looked for: whoever reads of them needs no more."""
ALL: Final = (*MUTATIONS, *MUTATIONS_OF_WORKFLOWS)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the tests say of a mutation: the names of those that failed, or what went wrong with trying it."""

    mutation: Mutation
    failed: list[str]
    problem: str = ""


def try_out(mutation: Mutation) -> Finding:
    """Run the tests on a copy of the package that has the mutation."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as directory:
        shutil.copytree(ROOT / "server_stub" / PACKAGE, Path(directory, PACKAGE))
        target = Path(directory, PACKAGE, mutation.module)
        source = target.read_text("utf-8")
        if source.count(mutation.before) != 1:
            return Finding(mutation, [], f"its text stands {source.count(mutation.before)} times in {mutation.module}")
        target.write_text(source.replace(mutation.before, mutation.after), "utf-8")
        finding = run_tests(mutation, directory, EXAMPLES)
        # Shrinking a random story takes its time: they are asked only where no example noticed anything.
        return finding if finding.failed or finding.problem else run_tests(mutation, directory, RANDOM_STORIES)


def run_tests(mutation: Mutation, directory: str, tests: Sequence[str]) -> Finding:
    """Run some of the tests with the package of this directory."""
    options = ["-q", "-p", "no:cacheprovider", "--tb=no", "-rfE", f"--maxfail={ENOUGH}"]
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([directory, str(ROOT / "sdk")])},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding(mutation, ["(the tests did not end)"])
    if ran.returncode not in (0, 1):
        return Finding(mutation, [], f"the tests could not run: {ran.stdout[-500:]}{ran.stderr[-500:]}")
    return Finding(mutation, list(dict.fromkeys(re.findall(r"^FAILED \S+?::([\w:]+)", ran.stdout, re.MULTILINE))))


def report(findings: Iterable[Finding]) -> int:
    """Print a line for each; returns how many mutations nobody noticed."""
    unnoticed = 0
    for finding in findings:
        if finding.failed:
            print(f"noticed   {finding.mutation.name}: {', '.join(finding.failed)}", flush=True)
        else:
            unnoticed += 1
            print(f"UNNOTICED {finding.mutation.name} {finding.problem}", flush=True)
    return unnoticed


def main(names: list[str]) -> int:
    """Try the mutations of these names, or all; returns 1 if one was not noticed."""
    chosen = [mutation for mutation in ALL if not names or mutation.name in names]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        unnoticed = report(pool.map(try_out, chosen))
    print(f"{len(chosen) - unnoticed} of {len(chosen)} mutations were noticed")
    return 1 if unnoticed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
