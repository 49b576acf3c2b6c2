"""Measure everything: ``python -m bench``. Prints a table, writes JSON, draws the plots."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench import report as reports
from bench.catalogue import MEASUREMENTS, chosen
from bench.figures import Figure
from bench.floors import Floors, measure_floors
from bench.machine import Others, this_machine
from bench.measuring import Effort, Measurement, Setting
from bench.plots import draw
from bench.processes import kill_all, profile_into
from bench.profiles import summaries
from bench.report import RESULTS, Report

EXIT_PROBLEMS: Final = 1
EXIT_BAD_INPUT: Final = 2
EXIT_INTERRUPTED: Final = 130


def arguments_parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--quick", action="store_true", help="few rounds and small amounts: under two minutes")
    effort.add_argument("--long", action="store_true", help="a million pending, 100,000 waiting agents")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help="these measurements or subjects")
    parser.add_argument("--list", action="store_true", help="name the measurements, and take none")
    parser.add_argument("--markdown", action="store_true", help="print what was found before as a page has it")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with the JSON of another run")
    parser.add_argument("--results", type=Path, metavar="FOLDER", default=RESULTS, help="where JSON and plots go")
    parser.add_argument(
        "--profile", type=Path, metavar="FOLDER", help="let servers and workers write profiles there, by measurement"
    )
    parser.add_argument("--folder", type=Path, help="where the stores lie; else the system's folder for such files")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 if all was measured, reached or not; 1 if a measurement failed; 2 for bad input; 130 after Ctrl+C."""
    parser = arguments_parser()
    given = parser.parse_args(arguments)
    if given.folder is not None and not given.folder.is_dir():
        parser.error(f"there is no folder {given.folder}")
    if given.list:
        for each in MEASUREMENTS:
            print(f"{each.name:<28}{each.about}")
        return 0
    if given.markdown:
        return show_markdown(given.results / "figures.json")
    effort = Effort.QUICK if given.quick else Effort.LONG if given.long else Effort.USUAL
    try:
        measurements = chosen(given.only, effort)
        against = reports.read(given.against) if given.against else None
    except (ValueError, OSError, msgspec.MsgspecError) as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_INPUT
    # Told to end, it ends as after Ctrl+C: the processes that it started must not outlive it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with tempfile.TemporaryDirectory(
            prefix="rescind-bench-", dir=given.folder, ignore_cleanup_errors=True
        ) as folder:
            report = asyncio.run(measure(measurements, effort, Path(folder), given.profile))
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return EXIT_INTERRUPTED
    finally:
        kill_all()
    if given.profile is not None:
        print(f"\nProfiles are in {given.profile}, for `python -m pstats`; figures taken with them are not kept.")
        print(*summaries(given.profile), sep="\n")
    else:
        write(report, given.results, quick=given.quick)
    if against is not None:
        print(f"\nAgainst {given.against}, of {against.at}:")
        print(*reports.compared(report, against), sep="\n")
    return EXIT_PROBLEMS if report.problems else 0


def show_markdown(file: Path) -> int:
    """Print the figures of a file as a Markdown table; returns 0, or 2 if there is no such file."""
    try:
        report = reports.read(file)
    except (OSError, msgspec.MsgspecError) as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_INPUT
    print(*reports.described(report.machine), f"at {report.at}", "", *reports.markdown(report), sep="\n")
    return 0


async def measure(measurements: Sequence[Measurement], effort: Effort, folder: Path, profiles: Path | None) -> Report:
    """Take the floors, then each measurement; print what each one found as soon as it is there."""
    report = reports.empty(this_machine(folder))
    print(*reports.described(report.machine), "", reports.heading(), sep="\n", flush=True)
    place = folder / "floors"
    place.mkdir()
    others = Others()
    floors = await measure_floors(place, 100 if effort is Effort.QUICK else 500)
    report.others["floors"] = others.share()
    show(report, "floors", reports.add(report, "floors", floors.figures))
    for each in measurements:
        profile_into(profiles / each.name if profiles is not None else None)
        await take(each, effort, folder, floors, report)
    return report


async def take(each: Measurement, effort: Effort, folder: Path, floors: Floors, report: Report) -> None:
    """Take one measurement. What goes wrong is kept as its problem, and the next is taken."""
    place = folder / each.name
    place.mkdir()
    begun, others = time.perf_counter(), Others()
    try:
        async with asyncio.timeout(each.limit):
            measured = await each.measure(Setting(effort, place, floors))
        report.others[each.name] = others.share()
    except Exception as error:
        words = str(error) or type(error).__name__
        report.problems[each.name] = (
            f"not measured within {each.limit:,.0f} s" if is_late(error, begun, each) else words
        )
        print(f"{each.name}\n  FAILED: {report.problems[each.name]}", flush=True)
    else:
        show(report, each.name, reports.add(report, each.name, measured))


def is_late(error: Exception, begun: float, each: Measurement) -> bool:
    """Whether a measurement was given up because its time was over."""
    return isinstance(error, TimeoutError) and time.perf_counter() - begun >= each.limit


def show(report: Report, name: str, figures: Sequence[Figure]) -> None:
    """Print what one measurement found."""
    print(*reports.table(name, figures, report.others[name]), sep="\n")
    for series in report.series.get(name, ()):
        print(*reports.series_table(series), sep="\n")
    sys.stdout.flush()


def write(report: Report, results: Path, *, quick: bool) -> None:
    """Write JSON and plots. What was not measured now stays as it was, if it is of this machine and these versions."""
    file = results / ("quick.json" if quick else "figures.json")
    try:
        report = reports.merged(reports.read(file), report)
    except FileNotFoundError:
        pass
    except (OSError, msgspec.MsgspecError) as error:
        aside = file.rename(file.with_suffix(".unreadable"))
        print(f"{file} could not be read, and is now {aside}: {error}")
    reports.save(report, file)
    print(f"\nwritten to {file}")
    if quick:
        return
    drawn = list(draw((each for all_of in report.series.values() for each in all_of), results))
    print(*(f"drawn {each}" for each in drawn), sep="\n")
    if report.series and not drawn:
        print("no plots: matplotlib is not installed")


if __name__ == "__main__":
    sys.exit(main())
