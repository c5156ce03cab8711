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
from analysis.statistics.one_training import one_training

MIN_SPLITS_FOR_SD = 4
LEVEL = 0.95
"""Of all two-sided intervals."""
MOST_NAMED = 4  # splits, in a sentence
MOST_SD = 0.5
"""No standard deviation of numbers from 0 to 1 is larger."""
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


def mean_interval(mean: ArrayLike, sd: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Student's interval of a mean: mean -+ t(n - 1) sd / sqrt(n); NaN below two values."""
    mean, sd, n = np.asarray(mean, float), np.asarray(sd, float), np.asarray(n, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * sd / np.sqrt(n)
    return mean - half, mean + half


def interval_of_mean_dice(mean: ArrayLike, sd: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """`mean_interval` as it is shown: cut off at 0 and 1, and NaN below MIN_SPLITS_FOR_SD splits, as the SD is, and
    where all values are equal: an SD of 0 is no certainty."""
    low, high = (np.clip(end, 0.0, 1.0) for end in mean_interval(mean, sd, n))
    shown = (np.asarray(n) >= MIN_SPLITS_FOR_SD) & (np.asarray(sd, float) >= ROUNDING)
    return np.where(shown, low, np.nan), np.where(shown, high, np.nan)


def gap_interval(
    gap: ArrayLike, sd: ArrayLike, num_random: ArrayLike, num_held_out: ArrayLike
) -> tuple[Floats, Floats]:
    """Student's interval of a gap: gap -+ t(n - 1) sd sqrt(1 / n + 1 / k) for n random and k held-out splits.

    A held-out split's noise is taken to be that of a random split. Shown as `interval_of_mean_dice` is.
    """
    sd, n, k = (np.asarray(each, float) for each in (sd, num_random, num_held_out))
    shown = (n >= MIN_SPLITS_FOR_SD) & (k > 0) & (sd >= ROUNDING)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * sd * np.sqrt(1 / n + 1 / k)
    low, high = (np.clip(np.asarray(gap, float) + sign * half, -1.0, 1.0) for sign in (-1, 1))
    return np.where(shown, low, np.nan), np.where(shown, high, np.nan)


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
    mean            over random splits, seeds averaged first, with the interval of `interval_of_mean_dice`
    sd              of one training on one random split (see `one_training`), with the interval of `sd_interval`, cut
                    off at MOST_SD
    expected_within one more training on one more random split lies so far from the mean at most, with LEVEL
    sd_logit        sd of log(D / (1 - D)), without the ceiling that makes good classes look steady
    minimum         over random splits, seeds averaged; then one column per held-out split, and their mean
                    `held_out_mean`
    gap             mean - held_out_mean, with the interval of `gap_interval`
    error_ratio     (1 - held_out_mean) / (1 - mean), where held-out splits are worse and 1 - mean >= SMALL_ERROR
    """
    rows = with_macro(table)
    wide = means_by_split(rows)
    random, held_out = of_kind(wide, "random"), of_kind(wide, HELD_OUT)
    n, mean, sd_of_means = random.count(axis=1), random.mean(axis=1), random.std(axis=1)
    mean_low, mean_high = interval_of_mean_dice(mean, sd_of_means, n)
    of_one = one_training(rows, LEVEL)
    sd_low, sd_high = sd_interval(sd := of_one["sd"], of_one["df"] + 1)
    shown, held_out_mean = n >= MIN_SPLITS_FOR_SD, held_out.mean(axis=1)
    differ = shown & (sd >= ROUNDING)
    result = pd.DataFrame({"num_splits": n, "num_held_out": held_out.count(axis=1)}, index=wide.index)
    result["num_seeds"] = _num_seeds(table, wide.index)
    result["num_undefined"] = num_undefined(wide)
    result = result.assign(mean=mean, mean_low=mean_low, mean_high=mean_high, sd=sd.where(shown))
    result = result.assign(
        sd_low=np.where(differ, sd_low, np.nan), sd_high=np.where(differ, np.minimum(sd_high, MOST_SD), np.nan)
    )
    result["expected_within"] = of_one["expected_within"].where(differ)
    sd_logit = one_training(rows.assign(dice=_logit(rows["dice"])), LEVEL)["sd"]
    result = result.assign(sd_logit=sd_logit.where(shown), minimum=random.min(axis=1))
    result[held_out.columns.tolist()] = held_out
    result = result.assign(held_out_mean=held_out_mean, gap=mean - held_out_mean)
    result["gap_low"], result["gap_high"] = gap_interval(result["gap"], sd_of_means, n, result["num_held_out"])
    is_ratio = (result["gap"] > 0) & (1 - mean >= SMALL_ERROR)
    result["error_ratio"] = (1 - held_out_mean) / (1 - mean).where(is_ratio)
    equal = [refusal.reason if (refusal := equal_refusal(row)) else "" for row in random.to_numpy(float)]
    few = [_notes(*counts) for counts in zip(n, result["num_held_out"], strict=True)]
    notes = zip(few, equal, without_score(wide), strict=True)
    result["note"] = ["; ".join(filter(None, each)) for each in notes]
    return result.reset_index()


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


def _notes(num_random: int, num_held_out: int) -> str:
    found = [sd_refusal(num_random, "random splits"), sd_refusal(num_held_out, "held-out splits")]
    return "; ".join(refusal.reason for refusal in found if refusal)
