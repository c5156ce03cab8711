"""Does a true value keep within a limit? Decided by the one-sided bounds of `analysis.statistics.bounds`.

The true value is the mean over re-splits of this data set, the standard deviation of one training on one of them, or
the gap of means to these held-out splits.

* A limit has *failed* when a one-sided bound of level 1 - alpha / m, for m limits that are checked together
  (Bonferroni), lies beyond it: if all limits truly hold, any fails with probability alpha at most.
* A limit is *met* when a one-sided bound of level 1 - alpha lies within it: if some limit truly does not hold, all are
  met with probability alpha at most (intersection-union test, Berger 1982), whatever m is.
* Otherwise the data cannot tell, and it is *open*.

Scores on random splits that are all equal, and not rounded, show no spread, which is no certainty: then there is no
interval, and the limit is open, unless their value breaks it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from analysis.scores import ROUNDING, Floats
from analysis.statistics.bounds import Bounds, gap_bounds, mean_bounds, sd_bounds, sd_of_one_training
from analysis.statistics.spread import sd_refusal
from study.summary import MIN_SPLITS_FOR_SD
from trainers.seeds import generator_for

MAX_GAP, MAX_SD, MIN_DICE = LIMITS = "max-gap", "max-sd", "min-dice"
MET, FAILED, OPEN = "met", "failed", "open"
POWER = 0.8
"""With which probability so many splits as are named would decide."""
MOST_SPLITS = 200  # beyond it, "how many would decide" has no useful answer
_NUMBERS = (4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 25, 30, 35, 40, 50, 60, 80, 100, 140, MOST_SPLITS)
_NUM_DRAWS = 200


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
    num_seeds: int = 1
    """Of every split."""
    within_random: float = 0.0
    """The variance over a random split's seeds, where there are several; within_held_out likewise."""
    within_held_out: float = 0.0

    @property
    def value(self) -> float:
        if self.limit == MAX_SD:
            return float(sd_of_one_training(self.random.var(ddof=1), self.within_random, self.num_seeds))
        return float(self.random.mean() - (self.held_out.mean() if self.limit == MAX_GAP else 0.0))

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
        if math.isnan(low):  # equal scores can break a limit, but keep none
            low, high = (-math.inf, self.value) if self.limit == MIN_DICE else (self.value, math.inf)
        met, failed = self._decided(np.asarray(low), np.asarray(high))
        return MET if met else FAILED if failed else OPEN

    def splits_needed(self) -> float:
        """About how many random splits would decide with probability POWER, were the mean, the spread and the gap truly
        what they seem to be; NaN beyond MOST_SPLITS."""
        return self._fewest(lambda n: len(self.held_out))

    def splits_of_each_needed(self) -> float:
        """The same of a gap, with as many held-out splits as random ones; NaN of another limit."""
        return self._fewest(lambda n: n) if self.limit == MAX_GAP else math.nan

    def _bounds(self, random: Floats, held_out: Floats) -> Bounds:
        """Of scores along the last axis."""
        failing, passing = self.alpha / self.num_checks, self.alpha
        if self.limit == MIN_DICE:
            return mean_bounds(random, passing, failing, self.unit)
        if self.limit == MAX_SD:
            return sd_bounds(random, failing, passing, self.unit, self.within_random, self.num_seeds)
        within = self.within_held_out if self.num_seeds > 1 else None
        return gap_bounds(random, held_out, failing, passing, self.unit, within, self.num_seeds)

    def _decided(self, low: Floats, high: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which are met, which failed. What floating point adds breaks no limit."""
        if self.limit == MIN_DICE:
            return low >= self.bound - ROUNDING, high < self.bound - ROUNDING
        return high <= self.bound + ROUNDING, low > self.bound + ROUNDING

    def _fewest(self, num_held_out: Callable[[int], int]) -> float:
        """The fewest of _NUMBERS that decide so often, by normal draws about what was found; more decide more often."""
        few, many = 0, len(_NUMBERS)
        while few < many:
            middle = (few + many) // 2
            enough = self._share_decided(_NUMBERS[middle], num_held_out(_NUMBERS[middle])) >= POWER
            few, many = (few, middle) if enough else (middle + 1, many)
        return float(_NUMBERS[few]) if few < len(_NUMBERS) else math.nan

    def _share_decided(self, num_random: int, num_held_out: int) -> float:
        sd, on_held_out = self.random.std(ddof=1), self.held_out.mean() if self.held_out.size else 0.0
        random = np.clip(self.random.mean() + sd * _draws("random")[:, :num_random], 0, 1)
        held_out = np.clip(on_held_out + sd * _draws("held out")[:, :num_held_out], 0, 1)
        met, failed = self._decided(*self._bounds(random, held_out))
        return float(np.mean(met | failed))


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
