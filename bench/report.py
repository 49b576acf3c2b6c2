"""A report: machine, versions and figures, shown as a table, kept as JSON, compared with another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from bench.figures import Figure, Series, ratio
from bench.machine import Machine

RESULTS: Final = Path(__file__).parent / "results"
NOTEWORTHY: Final = 0.1
"""By how much a figure must differ from another run's for a remark: two runs of the same code differ by less."""

DISTURBING: Final = 0.1
"""The share of the processors from which on others' work makes a figure doubtful."""

T = TypeVar("T")

_NAME: Final = 75
_HEAD: Final = (
    f"  {'figure':<{_NAME}}{'':>7}{'':>11} {'':<8}{'lowest … highest':>21}{'n':>8}  "
    f"{'to reach':<10}{'':<8}{'of floor':>9}"
)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one or several runs on one machine found.

    Attributes:
        machine: where.
        at: when the last of them was, in UTC.
        figures: by the name of their measurement.
        series: by the name of their measurement.
        problems: by the name of the measurement that failed, what happened.
        others: by the name of their measurement, the share of the processors that other programs used meanwhile.
    """

    machine: Machine
    at: str
    figures: dict[str, list[Figure]]
    series: dict[str, list[Series]]
    problems: dict[str, str]
    others: dict[str, float] = {}


def now() -> str:
    """The time, as a report writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def empty(machine: Machine) -> Report:
    """A report of nothing yet."""
    return Report(machine=machine, at=now(), figures={}, series={}, problems={}, others={})


def add(report: Report, name: str, measured: Sequence[Figure | Series]) -> list[Figure]:
    """Put what a measurement found into a report; returns its figures, those of its series included."""
    figures = [each for each in measured if isinstance(each, Figure)]
    series = [each for each in measured if isinstance(each, Series)]
    figures += [each.flatness for each in series]
    report.figures[name] = [msgspec.structs.replace(each, measured_at=report.at) for each in figures]
    if series:
        report.series[name] = [msgspec.structs.replace(each, measured_at=report.at) for each in series]
    return report.figures[name]


def merged(older: Report, newer: Report) -> Report:
    """The newer report, with what only the older one has. Of another machine, or other versions, nothing is kept."""
    if older.machine != newer.machine:
        return newer
    touched = {*newer.figures, *newer.problems}
    return Report(
        machine=newer.machine,
        at=newer.at,
        figures=_replaced(older.figures, newer.figures, touched),
        series=_replaced(older.series, newer.series, touched),
        problems=_replaced(older.problems, newer.problems, touched),
        others=_replaced(older.others, newer.others, touched),
    )


def _replaced(older: Mapping[str, T], newer: Mapping[str, T], touched: Set[str]) -> dict[str, T]:
    """In the order of the older ones; without those that were measured again and have nothing now."""
    kept = {name: newer.get(name, value) for name, value in older.items() if name in newer or name not in touched}
    return {**kept, **newer}


def read(file: Path) -> Report:
    """Read a report.

    Raises:
        OSError: the file cannot be read.
        msgspec.MsgspecError: it is no report.
    """
    return msgspec.json.decode(file.read_bytes(), type=Report)


def save(report: Report, file: Path) -> None:
    """Write a report."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def described(machine: Machine) -> Iterator[str]:
    """A machine in lines."""
    yield f"{machine.processor}, {machine.cores} cores, {machine.memory_mib:,} MiB, {machine.kernel}"
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    yield f"stores on {machine.filesystem}; {versions}"
    if machine.is_forgetful:
        yield "WARNING: the stores lay in memory, where no commit waits for a disk. Choose another --folder."


def table(name: str, figures: Iterable[Figure], others: float) -> Iterator[str]:
    """The figures of one measurement in lines, below its name; a warning if others worked on the machine meanwhile."""
    yield name if others < DISTURBING else f"{name}   DISTURBED: others used {others:.0%} of the processors meanwhile"
    for each in figures:
        reached = {None: "", True: "reached", False: "MISSED"}[each.is_reached]
        span = f"{_number(each.spread.lowest)} … {_number(each.spread.highest)}"
        multiple = f"{each.ratio:,.3g}x" if each.ratio is not None else ""
        yield (
            f"  {each.name:<{_NAME}}{each.statistic:>7}{_number(each.value):>11} {each.unit:<8}{span:>21}"
            f"{each.spread.count:>8}  {each.reach:<10}{reached:<8}{multiple:>9}"
        ).rstrip()


def markdown(report: Report) -> Iterator[str]:
    """All figures in the lines of a Markdown table, for the manual."""
    yield "| figure | measured | to reach | of its floor |"
    yield "|---|---|---|---|"
    for each in (each for figures in report.figures.values() for each in figures):
        value = f"{_number(each.value)} {each.unit}" + ("" if each.statistic == "median" else f", {each.statistic}")
        reached = {None: "", True: f"{each.reach}: yes", False: f"{each.reach}: **no**"}[each.is_reached]
        floor = f"{each.ratio:,.3g} x {each.floor.parts}" if each.floor is not None else ""
        yield f"| {each.name} | {value} | {reached} | {floor} |"
    yield from (f"| {name} | **failed**: {words} | | |" for name, words in report.problems.items())


def heading() -> str:
    """The line above the table."""
    return _HEAD


def floors_in_words(figures: Iterable[Figure]) -> Iterator[str]:
    """What the floors are made of: a line for each that is not told by its value alone."""
    seen = {each.floor.parts for each in figures if each.floor is not None}
    yield from sorted(seen)


def series_table(series: Series) -> Iterator[str]:
    """The points of a series in lines."""
    yield f"  {series.operation}, {series.unit}, by {series.amount}:"
    yield "    " + "  ".join(
        f"{amount:,.0f}: {_number(cost.median)}" for amount, cost in zip(series.amounts, series.costs, strict=True)
    )


def compared(now: Report, then: Report) -> Iterator[str]:
    """Each figure of both reports, as a multiple of what it was; remarks where that is more than noise."""
    if now.machine != then.machine:
        yield "These are of different machines or versions; the ratios tell little:"
        yield from (f"  then: {line}" for line in described(then.machine))
    before = {(name, each.name, each.statistic): each for name, all_of in then.figures.items() for each in all_of}
    yield f"  {'figure':<{_NAME}}{'':>7}{'then':>11}{'now':>11} {'':<8}{'ratio':>7}{'by floor':>10}"
    for name, figures in now.figures.items():
        for each in figures:
            old = before.pop((name, each.name, each.statistic), None)
            if old is not None:
                yield _compared_line(each, old)
    measured = {name for name, *_ in before} & {*now.figures, *now.problems}
    yield from (f"  {each.name}: not measured now" for (name, *_), each in before.items() if name in measured)


def _compared_line(now: Figure, then: Figure) -> str:
    """What it was, what it is, the ratio of the two, and that of their ratios to their floors."""
    by_floor = f"{ratio(now.ratio, then.ratio):.2f}" if now.ratio is not None and then.ratio is not None else ""
    return (
        f"  {now.name:<{_NAME}}{now.statistic:>7}{_number(then.value):>11}{_number(now.value):>11} "
        f"{now.unit:<8}{ratio(now.value, then.value):>7.2f}{by_floor:>10}  {verdict(now, then)}"
    ).rstrip()


def verdict(now: Figure, then: Figure) -> str:
    """``better`` or ``worse``, where two runs differ by more than noise; else nothing."""
    multiple = ratio(now.value, then.value)
    if abs(multiple - 1) <= NOTEWORTHY:
        return ""
    return "better" if (multiple < 1) == (now.better == "lower") else "worse"


def _number(value: float) -> str:
    """About three digits that count."""
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
