"""A report keeps what was measured, and says what was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.figures import Figure, Series, figure, spread
from bench.machine import Machine
from bench.report import Report, add, compared, empty, merged, read, save, table

HERE = Machine("processor", 2, 1_024, "kernel", "ext4", {"Python": "3.11.7"})
ELSEWHERE = Machine("another", 64, 1_024, "kernel", "ext4", {"Python": "3.11.7"})


def report_of(machine: Machine = HERE, **values: float) -> Report:
    report = empty(machine)
    for name, value in values.items():
        add(report, name, [latency(value)])
    return report


def latency(value: float) -> Figure:
    return figure("latency", [value], "ms", reach="< 5")


def test_a_report_is_read_as_it_was_saved(tmp_path: Path) -> None:
    report = report_of(cancel=1.5)
    report.problems["race"] = "the server ended"
    save(report, tmp_path / "new" / "figures.json")
    assert read(tmp_path / "new" / "figures.json") == report


def test_the_flatness_of_a_series_is_a_figure() -> None:
    report = empty(HERE)
    costs = (spread([1.0]), spread([1.1]))
    series = Series(name="tasks", amount="tasks", operation="step", unit="ms", amounts=(0, 10), costs=costs)
    (flatness,) = add(report, "scaling", [series])
    assert (flatness.value, flatness.is_reached) == (1.1, True)
    assert [each.name for each in report.series["scaling"]] == ["tasks"]


def test_a_partial_run_replaces_its_own_figures_and_leaves_the_rest() -> None:
    whole = merged(report_of(cancel=1.0, race=2.0), report_of(race=3.0))
    assert {name: each.value for name, (each,) in whole.figures.items()} == {"cancel": 1.0, "race": 3.0}


def test_a_partial_run_leaves_the_order_as_it_is() -> None:
    assert list(merged(report_of(cancel=1.0, race=2.0), report_of(start=5.0, cancel=4.0)).figures) == [
        "cancel",
        "race",
        "start",
    ]


def test_a_measurement_that_fails_now_does_not_keep_its_former_figures() -> None:
    failed = empty(HERE)
    failed.problems["race"] = "the server ended"
    whole = merged(report_of(cancel=1.0, race=2.0), failed)
    assert set(whole.figures) == {"cancel"}
    assert whole.problems == {"race": "the server ended"}


def test_a_measurement_that_succeeds_now_has_no_problem_any_more() -> None:
    failed = empty(HERE)
    failed.problems["race"] = "the server ended"
    assert not merged(failed, report_of(race=2.0)).problems


def test_figures_of_another_machine_are_not_mixed_with_these() -> None:
    assert set(merged(report_of(ELSEWHERE, cancel=1.0), report_of(race=2.0)).figures) == {"race"}


@pytest.mark.parametrize(("before", "after", "words"), [(2.0, 1.0, "better"), (1.0, 2.0, "worse"), (1.0, 1.05, "1.05")])
def test_a_comparison_remarks_what_is_more_than_noise(before: float, after: float, words: str) -> None:
    *_, line = compared(report_of(cancel=after), report_of(cancel=before))
    assert line.endswith(words)


def test_a_comparison_names_what_is_missing_now() -> None:
    failed = empty(HERE)
    failed.problems["cancel"] = "the server ended"
    assert "  latency: not measured now" in list(compared(failed, report_of(cancel=1.0)))


def test_a_comparison_is_silent_about_what_was_not_asked_for() -> None:
    assert not any("latency" in line for line in compared(report_of(), report_of(cancel=1.0)))


def test_a_comparison_with_another_machine_says_so() -> None:
    first, *_ = compared(report_of(cancel=1.0), report_of(ELSEWHERE, cancel=1.0))
    assert "different machines" in first


def test_a_missed_mark_stands_out() -> None:
    _, line = table("cancel", [latency(9.0)], others=0.0)
    assert "MISSED" in line


def test_a_machine_that_others_used_stands_out() -> None:
    title, _ = table("cancel", [latency(1.0)], others=0.4)
    assert "others used 40% of the processors" in title
