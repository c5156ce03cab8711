"""How far one configuration's scores move over random splits, and from random to held-out splits.

Every function takes the table of scores that `analysis.scores` describes. Standard deviations have ddof 1. Undefined
scores are left out and counted. What too few splits cannot answer is a sentence, not a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from analysis.classes import MACRO, NOT_OBJECTS
from analysis.scores import (
    COLUMN,
    CONFIGURATION,
    HELD_OUT,
    ROUNDING,
    Floats,
    count_of,
    listed,
    means_by_split,
    objects_of,
    of_kind,
    with_macro,
)
from analysis.statistics.bounds import gap_bounds, mean_bounds, sd_bounds
from analysis.statistics.one_training import one_training
from analysis.statistics.seeds_and_rounding import over_seeds, units_by_row
from study.summary import MIN_SPLITS_FOR_SD

LEVEL = 0.95
"""Of all two-sided intervals."""
TAIL = (1 - LEVEL) / 2
MOST_NAMED = 4  # splits, in a sentence
SMALL_ERROR = 0.05
"""A mean error, 1 - Dice, below it is divided by in no ratio."""


@dataclass(frozen=True)
class Refusal:
    """Why a number is not given."""

    reason: str
    detail: str = ""
    """What stands behind it; said once in an answer."""

    @property
    def in_full(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


def interval_of_mean(scores: ArrayLike, unit: float = 0.0) -> tuple[float, float]:
    """`mean_bounds` at LEVEL, of scores on random splits; NaN below MIN_SPLITS_FOR_SD of them, as the SD is."""
    values = np.asarray(scores, float)
    if values.size < MIN_SPLITS_FOR_SD:
        return np.nan, np.nan
    low, high = mean_bounds(values, TAIL, TAIL, unit)
    return float(low), float(high)


def interval_of_sd(
    scores: ArrayLike, unit: float = 0.0, within: float = 0.0, num_seeds: float = 1
) -> tuple[float, float]:
    """`sd_bounds` at LEVEL, as `interval_of_mean`."""
    values = np.asarray(scores, float)
    if values.size < MIN_SPLITS_FOR_SD:
        return np.nan, np.nan
    low, high = sd_bounds(values, TAIL, TAIL, unit, within, num_seeds)
    return float(low), float(high)


def interval_of_gap(
    random: ArrayLike,
    held_out: ArrayLike,
    unit: float = 0.0,
    within: float | None = None,
    num_seeds: float = 1,
    of_training: float = 0.0,
) -> tuple[float, float]:
    """`gap_bounds` at LEVEL, as `interval_of_mean`; NaN without held-out splits."""
    on_random, on_held_out = np.asarray(random, float), np.asarray(held_out, float)
    if on_random.size < MIN_SPLITS_FOR_SD or not on_held_out.size:
        return np.nan, np.nan
    low, high = gap_bounds(on_random, on_held_out, TAIL, TAIL, unit, within, num_seeds, of_training)
    return float(low), float(high)


def equal_refusal(values: Floats) -> Refusal | None:
    """The sentence that stands where an interval of values that are all equal would; None where they differ."""
    known = values[~np.isnan(values)]
    if known.size < 2 or np.ptp(known) >= ROUNDING:
        return None
    return Refusal(f"all {known.size} values are {known[0]:.3f}: no interval")


def sd_interval(sd: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Interval of a normal standard deviation: sd sqrt((n - 1) / chi2(n - 1)) at both tails; NaN below two values."""
    sd, df = np.asarray(sd, float), np.asarray(n, float) - 1
    tails = (1 + LEVEL) / 2, (1 - LEVEL) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = (sd * np.sqrt(df / stats.chi2.ppf(tail, df)) for tail in tails)
    return low, high


def sd_refusal(n: int, what: str) -> Refusal | None:
    """The sentence that stands where the SD over n splits would; None where it can be given.

    :param what: the splits, in the plural.
    """
    if n >= MIN_SPLITS_FOR_SD:
        return None
    if n < 2:
        return Refusal(f"no standard deviation: {count_of(n, what)}")
    low, high = sd_interval(1, n)
    found = f"the true spread may be {low:.2f} to {high:.{0 if high >= 10 else 1}f} times the one that they show"
    return Refusal(f"{n} {what} are too few for a standard deviation", found)


def spread(table: pd.DataFrame) -> pd.DataFrame:
    """What a re-split does to every score, and what the held-out splits do to it. Classes, then MACRO.

    num_splits      random splits with a score; num_held_out likewise; num_seeds: fewest trials behind a split's value
    num_undefined   splits without a score (for macro: over all its classes); the note names them
    mean            over random splits, seeds averaged first, with the interval of `interval_of_mean`
    sd              of one training on one random split (see `one_training`), with the interval of `interval_of_sd`
    expected_within one more training on one more random split lies so far from the mean at most, with LEVEL
    sd_logit        sd of log(D / (1 - D)), without the ceiling that makes good classes look steady
    minimum         over random splits, seeds averaged; then one column per held-out split, and their mean
                    `held_out_mean`
    gap             mean - held_out_mean, with the interval of `interval_of_gap`
    error_ratio     (1 - held_out_mean) / (1 - mean), where held-out splits are worse and 1 - mean >= SMALL_ERROR
    """
    rows = with_macro(table)
    wide = means_by_split(rows)
    random, held_out = of_kind(wide, "random"), of_kind(wide, HELD_OUT)
    n, mean = random.count(axis=1), random.mean(axis=1)
    of_one = one_training(rows, LEVEL)
    sd = of_one["sd"]
    shown, held_out_mean = n >= MIN_SPLITS_FOR_SD, held_out.mean(axis=1)
    differ = shown & (sd >= ROUNDING)
    result = pd.DataFrame({"num_splits": n, "num_held_out": held_out.count(axis=1)}, index=wide.index)
    result["num_seeds"] = _num_seeds(table, wide.index)
    result["num_undefined"] = num_undefined(wide)
    intervals = _intervals(rows, random, held_out)
    result = result.assign(mean=mean, **intervals[["mean_low", "mean_high"]], sd=sd.where(shown))
    result[["sd_low", "sd_high"]] = intervals[["sd_low", "sd_high"]]
    result["expected_within"] = of_one["expected_within"].where(differ)
    sd_logit = one_training(rows.assign(dice=_logit(rows["dice"])), LEVEL)["sd"]
    result = result.assign(sd_logit=sd_logit.where(shown), minimum=random.min(axis=1))
    result[held_out.columns.tolist()] = held_out
    result = result.assign(held_out_mean=held_out_mean, gap=mean - held_out_mean)
    result[["gap_low", "gap_high"]] = intervals[["gap_low", "gap_high"]]
    is_ratio = (result["gap"] > 0) & (1 - mean >= SMALL_ERROR)
    result["error_ratio"] = (1 - held_out_mean) / (1 - mean).where(is_ratio)
    refusals = [equal_refusal(row) for row in random.to_numpy(float)]
    of_none = result["mean_low"].isna()  # equal scores that were rounded have one
    equal = [refusal.reason if refusal and none else "" for refusal, none in zip(refusals, of_none, strict=True)]
    few = [refusal.reason if (refusal := sd_refusal(count, "random splits")) else "" for count in n]
    notes = zip(few, equal, without_score(wide), strict=True)
    result["note"] = ["; ".join(filter(None, each)) for each in notes]
    return result.reset_index()


def _intervals(rows: pd.DataFrame, random: pd.DataFrame, held_out: pd.DataFrame) -> pd.DataFrame:
    """Those of mean, sd and gap, for each row of `means_by_split`, whose columns of two kinds are given."""
    units, of_seeds = units_by_row(rows, random.index), over_seeds(rows)
    found = []
    for row, scores in enumerate(zip(random.to_numpy(float), held_out.to_numpy(float), strict=True)):
        known, there = (each[~np.isnan(each)] for each in scores)
        unit = float(units[row])
        (within, seeds), (of_held_out, num_held_out) = ([float(each[row]) for each in kind] for kind in of_seeds)
        of_gap = (of_held_out if num_held_out > 1 else None, num_held_out, (1 - 1 / seeds) * within)
        ends = (interval_of_mean(known, unit), interval_of_sd(known, unit, within, seeds))
        found.append([*ends[0], *ends[1], *interval_of_gap(known, there, unit, *of_gap)])
    names = ["mean_low", "mean_high", "sd_low", "sd_high", "gap_low", "gap_high"]
    return pd.DataFrame(found, index=random.index, columns=names)


def _num_seeds(table: pd.DataFrame, rows: pd.MultiIndex) -> pd.Series[Any]:
    """The fewest seeds that a split with a score has, for each row of `by_split`."""
    scored = with_macro(table).dropna(subset="dice")
    seeds = scored.groupby([*COLUMN, "split"], observed=True)["seed"].nunique()
    return seeds.groupby(COLUMN, observed=True).min().reindex(rows, fill_value=0).astype(int)


def without_score(wide: pd.DataFrame) -> list[str]:
    """For each row of `by_split` the sentence that names the classes and splits without a score; empty where all have
    one. For macro they are those of its classes."""
    splits = wide.columns.get_level_values("split")
    of_classes: dict[tuple[str, ...], list[str]] = {}
    sentences = []
    for (*configuration, name), missing in zip(wide.index, wide.isna().to_numpy(), strict=True):
        if name == MACRO:
            sentences.append("; ".join(of_classes.get(tuple(configuration), [])))
            continue
        sentence = f"{name} has no score on {listed(splits[missing], MOST_NAMED)}" if missing.any() else ""
        if sentence and name not in NOT_OBJECTS:
            of_classes.setdefault(tuple(configuration), []).append(sentence)
        sentences.append(sentence)
    return sentences


def num_undefined(wide: pd.DataFrame) -> pd.Series[Any]:
    """Scores missing from each row of `by_split`; a macro row has those of its classes."""
    missing = wide.isna().sum(axis=1)
    groups = [*CONFIGURATION, "averaging"]
    classes = objects_of(missing.to_frame()).groupby(groups)[0].sum()
    of_macro = missing.index.get_level_values("class") == MACRO
    missing[of_macro] = classes.reindex(missing.index[of_macro].droplevel("class")).to_numpy()
    return missing


def _logit(dice: pd.Series[float]) -> pd.Series[float]:
    """log(D / (1 - D)); NaN at 0 and 1, where it has no value."""
    inside = dice.where((dice > 0) & (dice < 1))
    logits: pd.Series[float] = np.log(inside / (1 - inside))
    return logits
