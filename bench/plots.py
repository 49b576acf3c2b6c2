"""Draws the series: one file for each thing that costs are measured against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.figures import Series


def draw(series: Iterable[Series], folder: Path) -> Iterator[Path]:
    """Draw series, those of one name into one file, and yield the files. Without matplotlib there are none."""
    try:
        import matplotlib as library  # noqa: PLC0415 - figures are taken without it, too
        from matplotlib.figure import Figure as Canvas  # noqa: PLC0415
    except ImportError:
        return
    folder.mkdir(parents=True, exist_ok=True)
    # The same figures are the same file.
    library.rcParams["svg.hashsalt"] = "rescind"
    for name, group in groupby(sorted(series, key=lambda each: each.name), key=lambda each: each.name):
        together = list(group)
        canvas = Canvas(figsize=(5.2 * len(together), 3.6), layout="constrained")
        for place, each in enumerate(together):
            _plot(canvas.add_subplot(1, len(together), place + 1), each)
        target = folder / f"scaling-{name}.svg"
        canvas.savefig(target, metadata={"Date": None})
        yield target


def _plot(axes: Any, series: Series) -> None:
    """One series: the median as a line, the range of the samples behind it."""
    amounts = series.amounts
    axes.fill_between(
        amounts,
        [each.lowest for each in series.costs],
        [each.p99 for each in series.costs],
        alpha=0.2,
        linewidth=0,
        label="lowest to p99",
    )
    axes.plot(amounts, [each.median for each in series.costs], marker="o", markersize=4, label="median")
    _scale_amounts(axes, amounts)
    # From nothing, so that flat looks flat; and not so high that one slow sample hides the line.
    axes.set_ylim(0, 2.5 * max(each.median for each in series.costs))
    axes.set_xlabel(series.amount)
    axes.set_ylabel(f"{series.operation} [{series.unit}]")
    axes.set_title(f"{series.operation}: {series.flatness.value:.2f}x from end to end", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)


def _scale_amounts(axes: Any, amounts: tuple[float, ...]) -> None:
    """Evenly where they are evenly spread, else by powers of ten."""
    if len(amounts) < 2 or amounts[-1] <= 1.5 * len(amounts) * (amounts[1] - amounts[0]):
        axes.set_xlim(left=0)
    elif amounts[0] == 0:
        axes.set_xscale("symlog", linthresh=amounts[1], linscale=0.3)
        axes.set_xticks([0, *_powers_of_ten(amounts[1], amounts[-1])])
    else:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")


def _powers_of_ten(least: float, most: float) -> list[int]:
    return [10**exponent for exponent in range(12) if least <= 10**exponent <= most]
