"""``python -m e2e.crash``: many runs, some of them at once; what was compared, and how to repeat what failed."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from e2e.crash.comparison import Comparison
from e2e.crash.driver import run
from e2e.crash.plan import plan_of

RUNS: Final = 20
AT_ONCE: Final = 2
MOST_LINES: Final = 12
"""So much is printed of the problems of one run."""


class Report:
    """What all runs together have compared."""

    def __init__(self) -> None:
        self.failed: list[int] = []
        self._runs = 0
        self._counts: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()

    def add(self, seed: int, comparisons: Sequence[Comparison], problems: Sequence[str]) -> None:
        """One run is over."""
        self._runs += 1
        for comparison in comparisons:
            self._counts[comparison.what] += comparison.count
            self._problems[comparison.what] += len(comparison.problems)
        if problems:
            self.failed.append(seed)

    def tell(self, seconds: float) -> None:
        """Print it."""
        print(f"\n{self._runs} runs in {seconds:.0f} s; compared were:")
        for what, count in self._counts.items():
            against = f"   {self._problems[what]} PROBLEMS" if self._problems[what] else ""
            print(f"  {count:>8} {what}{against}")
        if self.failed:
            print(f"\nFAILED: seeds {', '.join(map(str, sorted(self.failed)))}")
            for seed in sorted(self.failed):
                print(f"  repeat one: python -m e2e.crash --seed {seed}")
        else:
            print("\nevery rule held in every run")


async def run_all(seeds: Sequence[int], at_once: int, keep: Path | None) -> int:
    """Carry out the runs of these seeds; returns the exit code."""
    report = Report()
    begun = time.monotonic()
    running = asyncio.current_task()
    assert running is not None
    # As Ctrl+C does: what was started is killed on the way out.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    places = asyncio.Semaphore(at_once)

    async def one(seed: int) -> None:
        async with places:
            await run_one(seed, keep, report)

    try:
        async with asyncio.TaskGroup() as group:
            for seed in seeds:
                group.create_task(one(seed))
    except asyncio.CancelledError:
        print("\nbroken off")
        return 1
    finally:
        report.tell(time.monotonic() - begun)
    return 1 if report.failed else 0


async def run_one(seed: int, keep: Path | None, report: Report) -> None:
    """Carry out one run, and say in a line how it went; a run that failed leaves its folder."""
    folder = Path(tempfile.mkdtemp(prefix=f"rescind-crash-{seed}-", dir=keep))
    begun = time.monotonic()
    plan = plan_of(seed)
    comparisons: Sequence[Comparison] = ()
    try:
        comparisons = await run(plan, folder)
        problems = [problem for comparison in comparisons for problem in comparison.problems]
    except Exception as error:
        problems = [f"the run broke off: {_told(error)}"]
    report.add(seed, comparisons, problems)
    faults = ", ".join(f"{fault.kind.value.lower()}@{fault.after}" for fault in plan.faults)
    compared = sum(comparison.count for comparison in comparisons)
    verdict = "FAILED" if problems else "held"
    print(f"seed {seed:>5}: {verdict}, {compared} facts, {time.monotonic() - begun:.1f} s: {faults}", flush=True)
    if not problems:
        shutil.rmtree(folder)
        return
    (folder / "problems.txt").write_text("\n".join(problems) + "\n")
    lines = "\n".join(problems).splitlines()
    for line in lines[:MOST_LINES]:
        print(f"    {line}")
    if len(lines) > MOST_LINES:
        print(f"    and {len(lines) - MOST_LINES} more lines, in problems.txt")
    print(f"    ledger, notes, logs, database and all problems: {folder}", flush=True)


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told(each) for each in error.exceptions)
    return f"{type(error).__name__}: {error}"


def main() -> int:
    """Read the options, and run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m e2e.crash", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="how many seeds (%(default)s)")
    parser.add_argument("--first", type=int, default=1, help="the first of them (%(default)s)")
    parser.add_argument("--seed", type=int, action="append", help="this seed alone; may be given several times")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="how many runs at once (%(default)s)")
    parser.add_argument("--keep", type=Path, help="where the folders of runs that failed are left, else the system's")
    given = parser.parse_args()
    seeds = given.seed or range(given.first, given.first + given.runs)
    return asyncio.run(run_all(list(seeds), given.at_once, given.keep))


if __name__ == "__main__":
    sys.exit(main())
