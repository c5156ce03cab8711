"""One-sided bounds of a mean, a spread and a gap of Dice scores, made for few, skewed, bounded, rounded scores.

A bound may be wrong with the probability `alpha`; two of them make an interval. `benchmarks/validity.py` measures how
often they are wrong, in worlds that are normal and in others. Student's and chi-square's bounds alone are wrong three
times as often as they say where scores lie near the ceiling of 1, and more often after a collapse; so of several
bounds the most careful is taken. No bound can know of what no split has shown: see `share_unseen`.

Arrays have the splits along their last axis. `unit` is the unit to which scores were rounded, or 0.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.scores import ROUNDING, Floats

NOISE_OF_HELD_OUT = 2.0
"""How many times the SD of random splits a training on a held-out split may scatter, where one seed cannot tell."""
HALL = 0.05
EXCESS_KURTOSIS = 2.0
"""The least that is allowed for: between a normal distribution (0) and Laplace's (3)."""
FAR_KURTOSIS = 6.0
"""The same below FAR, where a distribution's tail decides: that of an exponential one. With less, some max-sd fails
without cause among many checks in 9 to 14 % where scores lie near 1."""
FAR = 0.025
FARTHEST_LOGNORMAL = 3.0
"""A lognormal's bound lies at most 1 + so much / sqrt(n) times as far out as the others. What skew adds to Student's
shrinks like 1 / sqrt(n), but a single score of 1, whose logarithm has no end, would keep a lognormal's bound far out
however many splits there were."""
FEWEST_WITH_TAILS = 9
"""Scores whose own kurtosis widens an upper bound: of fewer it would say next to nothing."""
_SMALLEST = 1e-3  # error or Dice whose logarithm is taken
_UNITS = (0.1, 0.01, 0.001, 0.0001)
Bounds = tuple[Floats, Floats]


def unit_of(scores: ArrayLike) -> float:
    """The unit to which all scores were rounded, 0.1 to 0.0001; 0 if they were not. Scores of 0 and 1 tell nothing."""
    values = np.asarray(scores, float)
    told = values[(values > 0) & (values < 1)]
    for unit in _UNITS if told.size else ():
        if np.all(np.abs(told / unit - np.round(told / unit)) < 1e-6):
            return unit
    return 0.0


def share_unseen(num_splits: int, alpha: float) -> float:
    """How frequent something can be that none of so many splits shows: 1 - alpha^(1/n), a binomial bound."""
    return float(1 - alpha ** (1 / num_splits))


def mean_bounds(scores: ArrayLike, alpha_low: float, alpha_high: float, unit: float = 0.0) -> Bounds:
    """Of a mean: the most careful of Student's t; of t through Hall's (1992) cubic transformation, which removes skew
    (an expansion that is none of far tails: at HALL at the least); and of the mean of a lognormal by Cox's method with
    t (Olsson 2005), below that of 1 - scores, above that of the scores, within FARTHEST_LOGNORMAL.

    NaN where all scores are equal and not rounded: that shows no spread.
    """
    values = np.asarray(scores, float)
    low, high = _lower(values, alpha_low, unit), 1 - _lower(1 - values, alpha_high, unit)
    unknown = _spread(values, unit) < ROUNDING
    low, high = np.clip(low - unit / 2, 0.0, 1.0), np.clip(high + unit / 2, 0.0, 1.0)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def _lower(values: Floats, alpha: float, unit: float) -> Floats:
    """The lowest of three lower bounds, the lognormal's within its reach."""
    mean, by_t = values.mean(-1), _lower_by_t(values, alpha, unit)
    reach = _reach(values.shape[-1]) * (mean - by_t)
    return np.asarray(np.minimum(by_t, np.maximum(1 - _upper_of_lognormal(1 - values, alpha), mean - reach)))


def _reach(num_splits: int) -> float:
    return float(1 + FARTHEST_LOGNORMAL / np.sqrt(num_splits))


def _lower_by_t(values: Floats, alpha: float, unit: float) -> Floats:
    n = values.shape[-1]
    mean, sd = values.mean(-1), _spread(values, unit)
    student, of_hall = (_student(each, n - 1) / np.sqrt(n) for each in (alpha, max(alpha, HALL)))
    if n < 3:
        return np.asarray(mean - student * sd)
    skew = _skewness(values)
    tilted = of_hall - skew / (6 * n)
    with np.errstate(divide="ignore", invalid="ignore"):
        hall = np.where(np.abs(skew) < 1e-6, of_hall, 3 / skew * (np.cbrt(1 + skew * tilted) - 1))
    return np.asarray(mean - sd * np.maximum(student, hall))


@cache
def _student(alpha: float, df: float) -> float:
    """The quantile beyond which Student's t lies with probability alpha. (Asked for again and again, and slow.)"""
    return float(stats.t.ppf(1 - alpha, df))


def _upper_of_lognormal(values: Floats, alpha: float) -> Floats:
    n, logs = values.shape[-1], np.log(np.maximum(values, _SMALLEST))
    variance = logs.var(-1, ddof=1)
    error = np.sqrt(variance / n + variance**2 / (2 * (n - 1)))
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(logs.mean(-1) + variance / 2 + _student(alpha, n - 1) * error))


def sd_of_one_training(between: ArrayLike, within: ArrayLike = 0.0, num_seeds: ArrayLike = 1) -> Floats:
    """On one random split: of the variance `between` the splits' means over R seeds, and of that `within` a split over
    its seeds, sqrt(between + (1 - 1/R) within). Means of seeds alone scatter the less the more seeds there are."""
    added = (1 - 1 / np.asarray(num_seeds, float)) * np.asarray(within, float)
    return np.asarray(np.sqrt(np.asarray(between, float) + added))


def sd_bounds(
    scores: ArrayLike,
    alpha_low: float,
    alpha_high: float,
    unit: float = 0.0,
    within: ArrayLike = 0.0,
    num_seeds: float = 1,
) -> Bounds:
    """Of `sd_of_one_training`: chi-square's bounds with fewer degrees of freedom, as for an excess kurtosis of
    EXCESS_KURTOSIS (below, FAR_KURTOSIS at a level beyond FAR) or of twice the sample's own, whichever is more (few
    values hide their tails; above only from FEWEST_WITH_TAILS scores on); above, not below that of a lognormal of the
    scores or of 1 - scores, within FARTHEST_LOGNORMAL.
    Degrees of freedom of several seeds are Satterthwaite's (1946).

    NaN where all scores are equal and not rounded.
    """
    values, within = np.asarray(scores, float), np.asarray(within, float)
    residue = unit / 2 * np.sqrt(values.shape[-1] / (values.shape[-1] - 1))
    sd = sd_of_one_training(values.var(-1, ddof=1), within, num_seeds)
    own = 2 * _kurtosis(values)
    df = _degrees(values, within, num_seeds, np.maximum(own, FAR_KURTOSIS if alpha_low < FAR else EXCESS_KURTOSIS))
    low = np.maximum(sd - residue, 0) * np.sqrt(df / stats.chi2.ppf(1 - alpha_low, df))
    shown = own if values.shape[-1] >= FEWEST_WITH_TAILS else np.zeros_like(own)
    df = _degrees(values, within, num_seeds, np.maximum(shown, EXCESS_KURTOSIS))
    high = (sd + residue) * np.sqrt(df / stats.chi2.ppf(alpha_high, df))
    of_lognormal = sd / np.maximum(values.std(-1, ddof=1), ROUNDING) * _upper_sd_of_lognormal(values, alpha_high)
    high = np.maximum(high, np.minimum(of_lognormal, _reach(values.shape[-1]) * high))
    unknown = sd + residue < ROUNDING
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, np.clip(high, 0.0, 0.5))


def _degrees(values: Floats, within: Floats, num_seeds: float, kurtosis: Floats) -> Floats:
    """Degrees of freedom of `sd_of_one_training`."""
    n, between, inner = values.shape[-1], values.var(-1, ddof=1), (1 - 1 / num_seeds) * within
    tails = kurtosis / 2
    of_means, of_seeds = n - 1, max(n * (num_seeds - 1), 1)
    shares = between**2 / of_means * (1 + tails * of_means / n) + inner**2 / of_seeds * (1 + tails)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (between + inner) ** 2 / shares
    return np.asarray(np.where(np.isfinite(found), found, of_means / (1 + EXCESS_KURTOSIS / 2 * of_means / n)))


def _upper_sd_of_lognormal(values: Floats, alpha: float) -> Floats:
    """The larger one of the SDs of two lognormals, of the scores and of 1 - scores."""
    n = values.shape[-1]
    wider = np.sqrt((n - 1) / stats.chi2.ppf(alpha, n - 1))
    found = []
    for each in (values, 1 - values):
        sd = np.log(np.maximum(each, _SMALLEST)).std(-1, ddof=1) * wider
        found.append(each.mean(-1) * np.sqrt(np.expm1(np.minimum(sd**2, 50.0))))
    return np.asarray(np.maximum(*found))


def gap_bounds(
    random: ArrayLike,
    held_out: ArrayLike,
    alpha_low: float,
    alpha_high: float,
    unit: float = 0.0,
    within: ArrayLike | None = None,
    num_seeds: float = 1,
    of_training: ArrayLike = 0.0,
) -> Bounds:
    """Of the mean over random splits less that over these k held-out splits, whatever they are: the bounds of both
    means put together as by MOVER (Zou & Donner 2008).

    The noise of a held-out split's mean over R seeds is within / R, where `within` is known (its variance over seeds,
    mean over the splits; with the degrees of freedom that EXCESS_KURTOSIS leaves); else, of one seed, it is taken to be
    NOISE_OF_HELD_OUT times that of a random split.

    :param num_seeds: of a held-out split.
    :param of_training: what the variance of one training on a random split is more than that of these scores, where
        they are means of several seeds.
    """
    on_random, on_held_out = np.asarray(random, float), np.asarray(held_out, float)
    n, k = on_random.shape[-1], on_held_out.shape[-1]
    gap, mean, tails = on_random.mean(-1) - on_held_out.mean(-1), on_random.mean(-1), EXCESS_KURTOSIS / 2
    sd = np.hypot(_spread(on_random, unit), np.sqrt(np.asarray(of_training, float)))
    if within is None or num_seeds < 2:
        error, df = NOISE_OF_HELD_OUT * sd / np.sqrt(k), n - 1
    else:
        own = k * (num_seeds - 1)
        error, df = np.sqrt(np.asarray(within, float) / num_seeds / k), own / (1 + tails * own / (k * num_seeds))
    low, high = mean_bounds(on_random, alpha_low, alpha_high, unit)
    of_low, of_high = (_student(alpha, df) * error + unit / 2 for alpha in (alpha_low, alpha_high))
    return (
        np.maximum(gap - np.hypot(mean - low, of_low), -1.0),
        np.minimum(gap + np.hypot(high - mean, of_high), 1.0),
    )


def _spread(values: Floats, unit: float) -> Floats:
    """The largest SD that the scores can have had before they were rounded."""
    n = values.shape[-1]
    return np.asarray(values.std(-1, ddof=1) + unit / 2 * np.sqrt(n / (n - 1)))


def _skewness(values: Floats) -> Floats:
    """Fisher's g1, without its bias of few values; 0 where all are equal."""
    n, shift = values.shape[-1], values - values.mean(-1, keepdims=True)
    squared = shift * shift  # a third of the time that shift**3 takes
    second, third = squared.mean(-1), (squared * shift).mean(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = third / second**1.5 * np.sqrt(n * (n - 1)) / (n - 2)
    return np.where(second > ROUNDING**2, found, 0.0)


def _kurtosis(values: Floats) -> Floats:
    """Fisher's excess g2, without its bias of few values; 0 of fewer than four, or where all are equal."""
    n, shift = values.shape[-1], values - values.mean(-1, keepdims=True)
    squared = shift * shift
    second, fourth = squared.mean(-1), (squared * squared).mean(-1)
    if n < 4:
        return np.zeros_like(second)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (fourth / second**2 - 3) + 6)
    return np.where(second > ROUNDING**2, found, 0.0)
