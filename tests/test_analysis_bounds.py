"""Bounds of means, spreads and gaps: against formulas written the naive way, and what must hold of any scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.bounds import (
    FAR_KURTOSIS,
    FARTHEST_LOGNORMAL,
    NOISE_OF_HELD_OUT,
    gap_bounds,
    mean_bounds,
    sd_bounds,
    sd_of_one_training,
    share_unseen,
    unit_of,
)

SCORES = [0.7123, 0.7581, 0.6934, 0.7402, 0.7666, 0.6011, 0.7295, 0.7488]
some_scores = st.lists(st.floats(0.001, 0.999), min_size=4, max_size=12, unique=True)


def moment(values: list[float], power: int) -> float:
    mean = sum(values) / len(values)
    return sum((each - mean) ** power for each in values) / len(values)


def naive_lower(values: list[float], alpha: float) -> float:
    """Student's, Hall's (1992, by its cubic's inverse, found by bisection) and Cox's bound: the lowest of the three,
    Cox's within its reach."""
    n, mean, sd = len(values), float(np.mean(values)), float(np.std(values, ddof=1))
    t = stats.t.ppf(1 - alpha, n - 1) / math.sqrt(n)
    skew = moment(values, 3) / moment(values, 2) ** 1.5 * math.sqrt(n * (n - 1)) / (n - 2)

    def cubic(x: float) -> float:
        return x + skew * x**2 / 3 + skew**2 * x**3 / 27 + skew / (6 * n)

    low, high = -50.0, 50.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if cubic(middle) < t else (low, middle)
    logs = [math.log(1 - each) for each in values]
    variance = float(np.var(logs, ddof=1))
    error = math.sqrt(variance / n + variance**2 / (2 * (n - 1)))
    cox = 1 - math.exp(float(np.mean(logs)) + variance / 2 + stats.t.ppf(1 - alpha, n - 1) * error)
    others = min(mean - t * sd, mean - sd * low)
    return max(0.0, min(others, max(cox, mean - (1 + FARTHEST_LOGNORMAL / math.sqrt(n)) * (mean - others))))


@given(some_scores)
def test_the_lower_bound_of_a_mean_is_the_lowest_of_three(values: list[float]) -> None:
    low, high = mean_bounds(values, 0.05, 0.05)
    assert low == pytest.approx(naive_lower(values, 0.05), abs=1e-6)
    assert high == pytest.approx(1 - naive_lower([1 - each for each in values], 0.05), abs=1e-6)


@given(some_scores, st.sampled_from([0.05, 0.01]))
def test_bounds_hold_the_value_and_are_wider_for_rarer_errors(values: list[float], alpha: float) -> None:
    for bounds, value in ((mean_bounds, np.mean(values)), (sd_bounds, np.std(values, ddof=1))):
        low, high = bounds(values, alpha, alpha)
        assert low <= value + 1e-9
        assert high >= min(value, 0.5) - 1e-9
        wider = bounds(values, alpha / 10, alpha / 10)
        assert wider[0] <= low + 1e-9
        assert wider[1] >= high - 1e-9
        rounded = bounds(values, alpha, alpha, 0.01)
        assert rounded[0] <= low + 1e-9
        assert rounded[1] >= high - 1e-9


def test_many_at_once_are_each_on_its_own() -> None:
    rows = np.random.default_rng(0).uniform(0.2, 0.9, (5, 8))
    for bounds in (mean_bounds, sd_bounds):
        low, high = bounds(rows, 0.05, 0.02)
        for row, each in enumerate(rows):
            assert bounds(each, 0.05, 0.02) == pytest.approx((low[row], high[row]))


def test_chi_square_has_the_degrees_of_freedom_that_the_tails_leave() -> None:
    """Of these values, whose kurtosis is below the least that is allowed for: 7 / (1 + 7/8)."""
    values = [0.61, 0.63, 0.62, 0.67, 0.64, 0.66, 0.65, 0.60]
    low, high = sd_bounds(values, 0.05, 0.05)
    df, sd = 7 / (1 + 7 / 8), np.std(values, ddof=1)
    assert low == pytest.approx(sd * math.sqrt(df / stats.chi2.ppf(0.95, df)))
    assert high == pytest.approx(sd * math.sqrt(df / stats.chi2.ppf(0.05, df)))


def test_far_below_heavier_tails_are_allowed_for() -> None:
    """Where many checks share the error, an SD fails by its distribution's tail."""
    values = [0.61, 0.63, 0.62, 0.67, 0.64, 0.66, 0.65, 0.60]
    df, sd = 7 / (1 + FAR_KURTOSIS / 2 * 7 / 8), np.std(values, ddof=1)
    assert sd_bounds(values, 0.05 / 24, 0.05)[0] == pytest.approx(
        sd * math.sqrt(df / stats.chi2.ppf(1 - 0.05 / 24, df))
    )


def test_more_splits_narrow_every_bound_though_some_scores_are_0_or_1() -> None:
    """The logarithm of a 0 has no end: bounds made of it alone stayed at 0, 1 and 0.5 with any number of splits."""
    rng = np.random.default_rng(0)
    for scores in (rng.normal(0.73, 0.2, 400), rng.normal(0.3, 0.2, 400), rng.choice([0.9, 0.95, 1.0], 400)):
        values = np.clip(scores, 0, 1)
        student = 1.645 * values.std(ddof=1) / 20
        low, high = mean_bounds(values, 0.05, 0.05)
        assert values.mean() - 1.2 * student < low < high < values.mean() + 1.2 * student
        assert sd_bounds(values, 0.05, 0.05)[1] < 1.4 * values.std(ddof=1)


def test_a_gap_puts_both_means_bounds_together() -> None:
    held_out = [0.5012, 0.5533, 0.5267]
    low, high = gap_bounds(SCORES, held_out, 0.05, 0.05)
    mean_low, mean_high = mean_bounds(SCORES, 0.05, 0.05)
    gap, mean = np.mean(SCORES) - np.mean(held_out), np.mean(SCORES)
    noise = stats.t.ppf(0.95, 7) * NOISE_OF_HELD_OUT * np.std(SCORES, ddof=1) / math.sqrt(3)
    assert low == pytest.approx(gap - math.hypot(mean - mean_low, noise))
    assert high == pytest.approx(gap + math.hypot(mean_high - mean, noise))
    measured = stats.t.ppf(0.95, 3 / (1 + 3 / 6)) * 0.02 / math.sqrt(2 * 3)  # six trainings, whose tails are heavier
    _, high = gap_bounds(SCORES, held_out, 0.05, 0.05, within=0.02**2, num_seeds=2)
    assert high == pytest.approx(gap + math.hypot(mean_high - mean, measured))


def test_a_training_varies_more_than_a_mean_of_seeds() -> None:
    between = np.var(SCORES, ddof=1)
    assert sd_of_one_training(between) == pytest.approx(math.sqrt(between))
    assert sd_of_one_training(between, 0.04, 2) == pytest.approx(math.sqrt(between + 0.02))


def test_units_of_rounding() -> None:
    assert unit_of([0.5, 0.7, 0.2, 0.0, 1.0]) == 0.1
    assert unit_of([0.52, 0.7, np.nan]) == 0.01
    assert unit_of([0.5234, 0.7]) == 0.0001
    assert unit_of(SCORES) == 0.0001
    assert unit_of([1 / 3, 0.5]) == 0
    assert unit_of([0.0, 1.0]) == 0


def test_what_may_be_unseen() -> None:
    assert share_unseen(8, 0.05) == pytest.approx(0.3123, abs=1e-4)
    assert (1 - share_unseen(8, 0.05)) ** 8 == pytest.approx(0.05)


def test_scores_that_are_all_equal_show_no_spread_unless_they_were_rounded() -> None:
    for bounds in (mean_bounds, sd_bounds):
        assert np.isnan(bounds([0.5] * 6, 0.05, 0.05)).all()
        assert not np.isnan(bounds([0.5] * 6, 0.05, 0.05, 0.01)).any()
