"""Does a true value keep within a limit? Decided by the one-sided bounds of `analysis.statistics.bounds`.

The true value is the mean over re-splits of this data set, the standard deviation of one training on one of them, or
the gap of means to these held-out splits.

* A limit has *failed* when a one-sided bound of level 1 - alpha / m, for m limits that are checked together
  (Bonferroni), lies beyond it: if all limits truly hold, any fails with probability alpha at most.
* A limit is *met* when a one-sided bound of level 1 - alpha lies within it: if some limit truly does not hold, all are
  met with probability alpha at most (intersection-union test, Berger 1982), whatever m is.
* Otherwise the data cannot tell, and it is *open*.

Scores on random splits that are all equal, and not rounded, show no spread, which proves nothing: then there is no
interval, and the limit is open, unless their value breaks it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.scores import ROUNDING, Floats
from analysis.statistics.bounds import Bounds, gap_bounds, mean_bounds, sd_bounds, sd_of_one_training
from analysis.statistics.spread import sd_refusal
from study.summary import MIN_SPLITS_FOR_SD
from trainers.seeds import generator_for

MAX_GAP, MAX_SD, MIN_DICE = LIMITS = "max-gap", "max-sd", "min-dice"
MIN_SCORE = "min-score"
"""What MIN_DICE is called of another metric."""
MET, FAILED, OPEN = "met", "failed", "open"
POWER = 0.8
"""With which probability so many splits as are named would decide."""
MOST_SPLITS = 200  # beyond it, "how many would decide" has no useful answer
NUMBERS = (4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 25, 30, 35, 40, 50, 60, 80, 100, 140, MOST_SPLITS)
"""Of random splits, that are tried."""
_NUM_DRAWS = 200
Truths = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Estimate:
    """What some splits say of the value that a limit is set to."""

    limit: str
    """One of LIMITS."""
    bound: float
    """The limit's own value."""
    random: Floats
    """The scores on random splits, a mean over seeds each; all defined, MIN_SPLITS_FOR_SD of them or more."""
    held_out: Floats
    alpha: float
    """The probability of a wrong answer."""
    num_checks: int = 1
    """Limits that are checked together."""
    unit: float = 0.0
    """To which scores were rounded; 0 if they were not."""
    num_seeds: tuple[float, float] = (1, 1)
    """Of a random and of a held-out split."""
    within_random: float = 0.0
    """The variance over a random split's seeds, where there are several; within_held_out likewise."""
    within_held_out: float = 0.0

    @property
    def value(self) -> float:
        return float(value_of(self.limit, self.random, self.held_out, self.within_random, self.num_seeds[0]))

    @property
    def interval(self) -> tuple[float, float]:
        """One-sided bounds: towards failing of level 1 - alpha / num_checks, towards passing of level 1 - alpha. NaN
        where the scores show no spread."""
        low, high = self._bounds(self.random, self.held_out)
        return float(low), float(high)

    @property
    def decision(self) -> str:
        """MET, FAILED or OPEN."""
        low, high = self.interval
        met, failed = decide(self.limit, self.bound, self.value, low, high)
        return MET if met else FAILED if failed else OPEN

    def splits_needed(self) -> float:
        """About how many random splits would decide with probability POWER, were the mean, the spread and the gap truly
        what they seem to be: more than there are, as these have not decided; NaN beyond MOST_SPLITS."""
        found = self._fewest(lambda n: len(self.held_out))
        return found if math.isnan(found) else max(found, len(self.random) + 1)

    def splits_of_each_needed(self) -> float:
        """The same of a gap, with as many held-out splits as random ones; NaN of another limit."""
        return self._fewest(lambda n: n) if self.limit == MAX_GAP else math.nan

    def _bounds(self, random: Floats, held_out: Floats) -> Bounds:
        """Of scores along the last axis."""
        within = self.within_random, self.within_held_out
        return bounds_of(self.limit, random, held_out, self.alpha, self.num_checks, self.unit, self.num_seeds, within)

    def _fewest(self, num_held_out: Callable[[int], int]) -> float:
        """By normal draws about what was found."""
        return fewest(lambda n: self._share_decided(n, num_held_out(n)) >= POWER)

    def _share_decided(self, num_random: int, num_held_out: int) -> float:
        sd, on_held_out = self.random.std(ddof=1), self.held_out.mean() if self.held_out.size else 0.0
        random = np.clip(self.random.mean() + sd * _draws("random")[:, :num_random], 0, 1)
        held_out = np.clip(on_held_out + sd * _draws("held out")[:, :num_held_out], 0, 1)
        value = value_of(self.limit, random, held_out, self.within_random, self.num_seeds[0])
        met, failed = decide(self.limit, self.bound, value, *self._bounds(random, held_out))
        return float(np.mean(met | failed))


def bounds_of(
    limit: str,
    random: Floats,
    held_out: Floats,
    alpha: float,
    num_checks: int = 1,
    unit: float = 0.0,
    num_seeds: tuple[float, float] = (1, 1),
    within: tuple[ArrayLike, ArrayLike] = (0.0, 0.0),
) -> Bounds:
    """One-sided bounds of what a limit is set to, of scores along the last axis: towards failing of level 1 - alpha /
    num_checks, towards passing of level 1 - alpha.

    :param num_seeds: of a random and of a held-out split; `within`: the variances over them.
    """
    failing, passing = alpha / num_checks, alpha
    if limit == MIN_DICE:
        return mean_bounds(random, passing, failing, unit)
    if limit == MAX_SD:
        return sd_bounds(random, failing, passing, unit, within[0], num_seeds[0])
    of_training = (1 - 1 / num_seeds[0]) * np.asarray(within[0], float)
    known = within[1] if num_seeds[1] > 1 else None
    return gap_bounds(random, held_out, failing, passing, unit, known, num_seeds[1], of_training)


def value_of(
    limit: str, random: Floats, held_out: Floats, within_random: ArrayLike = 0.0, num_seeds: float = 1
) -> Floats:
    """What a limit is set to, of scores along the last axis."""
    if limit == MAX_SD:
        return sd_of_one_training(random.var(-1, ddof=1), within_random, num_seeds)
    return np.asarray(random.mean(-1) - (held_out.mean(-1) if limit == MAX_GAP else 0.0))


def decide(limit: str, bound: float, value: ArrayLike, low: ArrayLike, high: ArrayLike) -> tuple[Truths, Truths]:
    """Which are met, which failed. What floating point adds breaks no limit.

    Equal scores, which have no bounds (NaN), can break a limit, but keep none.
    """
    unknown, is_least = np.isnan(low), limit == MIN_DICE
    low = np.where(unknown, -math.inf if is_least else value, low)
    high = np.where(unknown, value if is_least else math.inf, high)
    if is_least:
        return low >= bound - ROUNDING, high < bound - ROUNDING
    return high <= bound + ROUNDING, low > bound + ROUNDING


def fewest(enough: Callable[[int], bool]) -> float:
    """The fewest of NUMBERS that are enough, if more are enough, too; NaN where none are."""
    few, many = 0, len(NUMBERS)
    while few < many:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(NUMBERS[middle]) else (middle + 1, many)
    return float(NUMBERS[few]) if few < len(NUMBERS) else math.nan


@cache
def _draws(what: str) -> Floats:
    """Standard normal, a row a repetition."""
    return generator_for("splits needed", what).normal(size=(_NUM_DRAWS, MOST_SPLITS))


def unanswerable(limit: str, random: Floats, held_out: Floats, lacking: str) -> str:
    """Why the scores at hand cannot answer the question; empty if they can. `lacking` names what has no score."""
    if np.isnan([*random, *held_out] if limit == MAX_GAP else random).any():
        return lacking
    if limit == MAX_GAP and not held_out.size:
        return "no held-out splits"
    refusal = sd_refusal(random.size, "random splits")
    if limit == MAX_SD or refusal is None:
        return refusal.in_full if refusal else ""
    return f"no interval: fewer than {MIN_SPLITS_FOR_SD} random splits"
