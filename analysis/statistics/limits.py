"""Does a true value keep within a limit? Decided by one-sided intervals, so that it errs at a stated rate.

The true value is the mean, or the standard deviation, over re-splits of this data set, or the gap of means to these
held-out splits. Scores are taken as normal.

* A limit has *failed* when a one-sided bound of level 1 - ALPHA / m, for m limits that are checked together
  (Bonferroni), lies beyond it: if all limits truly hold, any fails with probability ALPHA at most.
* A limit is *met* when a one-sided bound of level 1 - ALPHA lies within it: if some limit truly does not hold, all are
  met with probability ALPHA at most (intersection-union test, Berger 1982), whatever m is.
* Otherwise the data cannot tell, and it is *open*.

Scores on random splits that are all equal show no spread, which is no certainty: then there is no interval, and the
limit is open, unless their value breaks it by more than the rounding of scores could (failed).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from analysis.scores import ROUNDING, Floats, count_of
from analysis.statistics.comparison import ALPHA
from analysis.statistics.spread import MIN_SPLITS_FOR_SD, sd_refusal

MAX_GAP, MAX_SD, MIN_DICE = LIMITS = "max-gap", "max-sd", "min-dice"
MET, FAILED, OPEN = "met", "failed", "open"
MOST_SPLITS = 1000  # beyond it, "how many would decide" has no useful answer
ROUNDED = 0.005
"""Tables of scores may be rounded to two decimals."""


@dataclass(frozen=True)
class Estimate:
    """The value that a limit is set to, as estimated from some splits."""

    limit: str
    """One of LIMITS."""
    bound: float
    """The limit's own value."""
    value: float
    sd: float
    """Over random splits."""
    num_random: int
    num_held_out: int
    num_checks: int
    """Limits that are checked together."""

    @classmethod
    def of(cls, limit: str, bound: float, random: Floats, held_out: Floats, num_checks: int) -> Estimate:
        """From the scores on random and on held-out splits, all defined, two of them random."""
        values = {MAX_SD: random.std(ddof=1), MIN_DICE: random.mean()}
        value = values[limit] if limit in values else random.mean() - held_out.mean()
        return cls(limit, bound, float(value), float(random.std(ddof=1)), random.size, held_out.size, num_checks)

    @property
    def interval(self) -> tuple[float, float]:
        """One-sided bounds: towards failing of level 1 - ALPHA / num_checks, towards passing of level 1 - ALPHA. NaN
        where all scores on random splits are equal.

        A held-out split's noise is taken to be that of a random split: it can only be less, as its images do not
        change; the held-out splits themselves are fixed, no sample of more.
        """
        if self.of_equals:
            return math.nan, math.nan
        levels = 1 - ALPHA / self.num_checks, 1 - ALPHA
        level_low, level_high = reversed(levels) if self.limit == MIN_DICE else levels
        df = self.num_random - 1
        if self.limit == MAX_SD:
            low, high = (self.sd * math.sqrt(df / stats.chi2.ppf(p, df)) for p in (level_low, 1 - level_high))
        else:
            error = self.sd * math.sqrt(1 / self.num_random + (1 / self.num_held_out if self.limit == MAX_GAP else 0))
            low = self.value - stats.t.ppf(level_low, df) * error
            high = self.value + stats.t.ppf(level_high, df) * error
        # What no Dice can be is cut off; that leaves the coverage as it is.
        return max(float(low), -1.0 if self.limit == MAX_GAP else 0.0), min(float(high), 1.0)

    @property
    def decision(self) -> str:
        """MET, FAILED or OPEN."""
        if self.of_equals:
            broken_by = self.bound - self.value if self.limit == MIN_DICE else self.value - self.bound
            return FAILED if broken_by > ROUNDED else OPEN
        low, high = self.interval
        if self.limit == MIN_DICE:
            return MET if low >= self.bound else FAILED if high < self.bound else OPEN
        return MET if high <= self.bound else FAILED if low > self.bound else OPEN

    @property
    def of_equals(self) -> bool:
        """Whether all scores on random splits are equal."""
        return self.sd < ROUNDING

    def splits_needed(self) -> float:
        """The fewest random splits that would decide, if value and SD stayed as they are; NaN beyond MOST_SPLITS."""
        return _fewest(lambda n: replace(self, num_random=n).decision != OPEN)

    def splits_of_each_needed(self) -> float:
        """The same of a gap, with as many held-out splits as random ones; NaN of another limit."""
        if self.limit != MAX_GAP:
            return math.nan
        return _fewest(lambda n: replace(self, num_random=n, num_held_out=n).decision != OPEN)


def _fewest(decided: Callable[[int], bool]) -> float:
    """Of numbers of splits that is the fewest from MIN_SPLITS_FOR_SD on; more never undo a decision."""
    if not decided(MOST_SPLITS):
        return math.nan
    few, many = MIN_SPLITS_FOR_SD, MOST_SPLITS
    while few < many:
        middle = (few + many) // 2
        few, many = (few, middle) if decided(middle) else (middle + 1, many)
    return float(few)


def unanswerable(limit: str, random: Floats, held_out: Floats, lacking: str) -> str:
    """Why the scores at hand cannot answer the question; empty if they can. `lacking` names what has no score."""
    if np.isnan([*random, *held_out] if limit == MAX_GAP else random).any():
        return lacking
    if limit == MAX_GAP and not held_out.size:
        return "no held-out splits"
    if limit == MAX_SD:
        refusal = sd_refusal(random.size, "random splits")
        return refusal.in_full if refusal else ""
    return "" if random.size >= 2 else f"no interval: {count_of(random.size, 'random splits')}"
