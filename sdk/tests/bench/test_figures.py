"""What is done with samples. That they are taken well shows in the figures, which no test asserts."""

from __future__ import annotations

import math

import pytest

from bench.figures import Floor, Series, figure, is_within, percentile, ratio, spread


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_the_smallest_sample_that_so_many_do_not_exceed(share: float, expected: float) -> None:
    assert percentile(range(100, 0, -1), share) == expected


def test_the_p99_of_few_samples_is_the_largest() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.99) == 3.0


@pytest.mark.parametrize(("samples", "share"), [([], 0.5), ([1.0], 1.5), ([1.0], -0.1)])
def test_what_is_no_percentile_is_refused(samples: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(samples, share)


@pytest.mark.parametrize(("samples", "expected"), [([7], 7), ([4, 1, 3], 3), ([4, 1, 2, 3], 2.5)])
def test_the_median_has_as_many_samples_below_as_above(samples: list[float], expected: float) -> None:
    assert spread(samples).median == expected


def test_a_spread_says_how_many_samples_it_is_of() -> None:
    found = spread([2.0, 9.0, 4.0])
    assert (found.count, found.lowest, found.highest) == (3, 2.0, 9.0)


def test_a_figure_is_judged_by_its_statistic() -> None:
    samples = [1.0] * 90 + [50.0] * 10
    assert figure("latency", samples, "ms", reach="< 5").is_reached is True
    assert figure("latency", samples, "ms", statistic="p99", reach="< 5").is_reached is False
    assert figure("latency", samples, "ms").is_reached is None


def test_what_is_to_be_reached_says_which_direction_is_better() -> None:
    assert figure("rate", [1.0], "1/s", reach="> 5,000").better == "higher"
    assert figure("latency", [1.0], "ms", reach="< 5", better="higher").better == "lower"
    assert figure("rate", [1.0], "1/s", better="higher").better == "higher"


def test_a_figure_is_a_multiple_of_its_floor() -> None:
    assert figure("call", [3.0], "ms", floor=Floor(1.5, "one call")).ratio == 2.0
    assert figure("call", [3.0], "ms").ratio is None


def test_the_multiple_of_nothing_is_infinite() -> None:
    assert ratio(1.0, 0.0) == math.inf


@pytest.mark.parametrize(("mark", "expected"), [("< 5", False), ("> 4,000", True), ("< 5000.5", True)])
def test_a_mark_is_a_sign_and_a_bound(mark: str, expected: bool) -> None:
    assert is_within(5_000, mark) is expected


@pytest.mark.parametrize("mark", ["flat", "<5", "= 5", "< five"])
def test_a_mark_that_is_none_is_refused(mark: str) -> None:
    with pytest.raises(ValueError, match=r"no mark|could not convert"):
        is_within(1.0, mark)


def test_a_series_is_as_flat_as_its_far_end_is_like_its_near_end() -> None:
    costs = tuple(spread([cost]) for cost in (2.0, 9.0, 3.0))
    series = Series(name="n", amount="agents", operation="step", unit="ms", amounts=(0, 10, 1_000), costs=costs)
    assert series.flatness.value == 1.5
    assert series.flatness.is_reached is False
    assert series.flatness.name == "step: 1,000 against 0 agents"
