"""Intervals of variances that are made of two mean squares, for trainings whose scores have heavy tails.

Seeds within splits: S splits x R seeds, y = mean + split + seed. With the mean squares B between splits (R times the
variance of the splits' means) and W within them, v_seed = W and v_split = (B - W) / R.

The textbook intervals take scores for normal, and miss far more often than said where they are not: a mean square of n
values with excess kurtosis k varies by 2 / df + k / n of its square, not by 2 / df. So each is given the degrees of
freedom that this leaves (Satterthwaite 1946; Box 1953), with a kurtosis that is set beforehand, since a dozen trainings
cannot show theirs: EXCESS_KURTOSIS. For normal scores the intervals are wider than need be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.scores import Floats
from analysis.statistics.spread import LEVEL

EXCESS_KURTOSIS = 6.0
"""Of a split's or a training's chance: that of Student's t with five degrees of freedom. What it is good for is
measured: `benchmarks/validity_images.py`."""
TAIL = (1 - LEVEL) / 2

Ends = tuple[Floats, Floats]


@dataclass(frozen=True)
class MeanSquare:
    """A mean square (one, or an array of simulated ones) with its degrees of freedom and the values behind it."""

    value: Floats
    df: float
    num_values: int

    @property
    def effective_df(self) -> float:
        return self.df / (1 + EXCESS_KURTOSIS / 2 * self.df / self.num_values)


def nested(scores_SR: ArrayLike) -> tuple[MeanSquare, MeanSquare]:
    """B and W of scores of the shape (..., S, R)."""
    y = np.asarray(scores_SR, float)
    s, r = y.shape[-2:]
    between = r * np.asarray(y.mean(axis=-1).var(axis=-1, ddof=1))
    within = np.asarray(y.var(axis=-1, ddof=1).mean(axis=-1)) if r > 1 else np.full(between.shape, np.nan)
    return MeanSquare(between, s - 1, s), MeanSquare(within, s * (r - 1), s * r)


def _chi2(tail: float, df: float) -> float:
    """The quantile of chi2 / df."""
    return float(stats.chi2.ppf(tail, df) / df)


def one(mean_square: MeanSquare) -> Ends:
    """Of the variance that a mean square estimates: M / chi2 at both tails."""
    df = mean_square.effective_df
    return mean_square.value / _chi2(1 - TAIL, df), mean_square.value / _chi2(TAIL, df)


def difference(larger: MeanSquare, smaller: MeanSquare, divisor: float) -> Ends:
    """Of (the variance behind the one - that behind the other) / divisor, cut off at 0.

    Modified large sample (Ting, Burdick, Graybill, Jeyaratnam & Lu 1990; Burdick & Graybill 1992, section 3.3).
    """
    b, w, df, other = larger.value, smaller.value, larger.effective_df, smaller.effective_df
    f_high, f_low = (float(stats.f.ppf(tail, df, other)) for tail in (1 - TAIL, TAIL))
    g1, h1 = 1 - 1 / _chi2(1 - TAIL, df), 1 / _chi2(TAIL, df) - 1
    g2, h2 = 1 - 1 / _chi2(1 - TAIL, other), 1 / _chi2(TAIL, other) - 1
    g12 = ((f_high - 1) ** 2 - (g1 * f_high) ** 2 - h2**2) / f_high
    h12 = ((1 - f_low) ** 2 - (h1 * f_low) ** 2 - g2**2) / f_low
    below = np.sqrt(np.maximum(0, (g1 * b) ** 2 + (h2 * w) ** 2 + g12 * b * w))
    above = np.sqrt(np.maximum(0, (h1 * b) ** 2 + (g2 * w) ** 2 + h12 * b * w))
    return np.maximum(0, (b - w - below) / divisor), np.maximum(0, (b - w + above) / divisor)


def total(between: MeanSquare, within: MeanSquare, num_seeds: int) -> Ends:
    """Of v_split + v_seed, one training on one split: B / R + W (R - 1) / R (Graybill & Wang 1980)."""
    parts = (between.value / num_seeds, between.effective_df), (within.value * (1 - 1 / num_seeds), within.effective_df)
    estimate = parts[0][0] + parts[1][0]
    below = np.hypot(*((1 - 1 / _chi2(1 - TAIL, df)) * part for part, df in parts))
    above = np.hypot(*((1 / _chi2(TAIL, df) - 1) * part for part, df in parts))
    return np.asarray(np.maximum(0, estimate - below)), np.asarray(estimate + above)


def share(between: MeanSquare, within: MeanSquare, num_seeds: int) -> Ends:
    """Of v_split / (v_split + v_seed), by F = B / W (Searle, Casella & McCulloch 1992, section 3.6)."""
    dfs = between.effective_df, within.effective_df
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = [between.value / within.value / float(stats.f.ppf(tail, *dfs)) for tail in (1 - TAIL, TAIL)]
        low, high = (np.where(np.isinf(f), 1.0, np.clip((f - 1) / (f - 1 + num_seeds), 0, 1)) for f in ratios)
    return low, high
