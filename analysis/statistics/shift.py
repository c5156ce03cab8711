"""Shift, or less data? The gap from random to held-out splits, divided by the matched splits that stand between them.

A matched split is a random one with as many samples of each class in train, val and test as a held-out split has. So

    gap = random - held-out = (random - matched) + (matched - held-out) = what fewer images cost + what the shift costs.

The splits that are held out are fixed, and so is what is meant: the mean over re-splits and trainings of these images.
Random and matched splits differ from their means by the draw and by the training; a held-out split, whose images do
not change, by the training alone. Where SPREAD_KNOWN or more splits are held out, every group tells its own spread, so
that none is taken to be like another's: matched splits by what they differ by, held-out ones by their seeds or, with
one seed, by what the differences to their matched splits differ by (Student's, paired by split; how much the shifts
differ among themselves widens it). Fewer splits cannot tell: then matched ones are taken to vary as random ones do, and
so are held-out ones of one seed, and the note says so. Seeds are not paired: no two trainings share a random number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.axes import axes_of
from analysis.scores import COLUMN, HELD_OUT, MATCHED, RANDOM, ROUNDING, Floats, count_of, with_macro
from analysis.statistics.other_splits import MATCHED_PREFIX
from analysis.statistics.spread import LEVEL, Refusal
from study.summary import MIN_SPLITS_FOR_SD

PARTS = ("fewer_images", "shift")
SPREAD_KNOWN = 3
MATCHED_ASSUMED = "matched splits are taken to vary as random ones do, as fewer than 3 cannot tell"
HELD_OUT_ASSUMED = "held-out scores of one seed are taken to vary from training to training as random splits do"


@dataclass(frozen=True)
class Part:
    """A difference of means, with its interval."""

    value: float
    low: float
    high: float


def divided_gap(random_SR: Floats, matched_HR: Floats, held_out_HR: Floats) -> dict[str, Part] | Refusal:
    """The parts of the gap, by the names of PARTS, which add up to it.

    :param random_SR: Dice on S random splits, R seeds each; likewise on H held-out splits and on those that match them.
    """
    if np.isnan(np.concatenate([random_SR, matched_HR, held_out_HR])).any():
        return Refusal("not every split has a score")
    random_S, matched_H, held_out_H = (each.mean(axis=1) for each in (random_SR, matched_HR, held_out_HR))
    if random_S.size < MIN_SPLITS_FOR_SD:
        return Refusal(f"{count_of(random_S.size, 'random splits')}, where an interval needs {MIN_SPLITS_FOR_SD}")
    if np.ptp(random_S) < ROUNDING:
        return Refusal("all random splits have the same score, which proves nothing")
    (num_held_out, num_seeds), of_random = held_out_HR.shape, _Spread.between(random_S)
    of_shift: list[_Spread]
    if num_held_out < SPREAD_KNOWN:  # both shares of the variance are one estimate, so they are one summand
        of_fewer = [of_random.times(1 + random_S.size / num_held_out)]
        of_matched = of_random.times(random_S.size / num_held_out)
        of_shift = [of_matched.times(2)] if num_seeds == 1 else [of_matched, _Spread.of_seeds(held_out_HR)]
    else:
        of_matched = _Spread.between(matched_H)
        of_fewer = [of_random, of_matched]
        paired = num_seeds == 1
        of_shift = [_Spread.between(matched_H - held_out_H)] if paired else [of_matched, _Spread.of_seeds(held_out_HR)]
    return {
        "fewer_images": _part(float(random_S.mean() - matched_H.mean()), of_fewer),
        "shift": _part(float(matched_H.mean() - held_out_H.mean()), of_shift),
    }


@dataclass(frozen=True)
class _Spread:
    """An estimate of the variance of a mean, and its degrees of freedom."""

    variance: float
    freedom: int

    @classmethod
    def between(cls, values: Floats) -> _Spread:
        return cls(float(values.var(ddof=1)) / values.size, values.size - 1)

    @classmethod
    def of_seeds(cls, scores_HR: Floats) -> _Spread:
        """Of the mean of all, whose splits are fixed."""
        num_splits, num_seeds = scores_HR.shape
        return cls(float(scores_HR.var(axis=1, ddof=1).mean()) / scores_HR.size, num_splits * (num_seeds - 1))

    def times(self, factor: float) -> _Spread:
        return _Spread(self.variance * factor, self.freedom)


def _part(value: float, spreads: Sequence[_Spread]) -> Part:
    """With Student's interval; of a sum of independent estimates, with the fewest degrees of freedom of any: then it
    covers at LEVEL or more, whatever the variances (Hsu 1938; Mickey & Brown 1966), which with Satterthwaite's it does
    not for three splits."""
    total = sum(each.variance for each in spreads)
    if total < ROUNDING**2:
        return Part(value, np.nan, np.nan)
    half = float(stats.t.ppf((1 + LEVEL) / 2, min(each.freedom for each in spreads)) * np.sqrt(total))
    return Part(value, max(-1.0, value - half), min(1.0, value + half))


def shift_or_fewer(table: pd.DataFrame) -> pd.DataFrame:
    """The gap of every axis, divided: a row per configuration, averaging, axis and class (MACRO, too).

    num_random, num_held_out   random splits; held-out ones that have a matched split
    num_seeds                  of each
    gap                        mean on random splits less mean on those held-out ones
    fewer_images, shift        its parts, each with its interval: see `divided_gap`
    note                       what is assumed, or why there are no numbers
    """
    return pd.DataFrame(_rows(table))


def _rows(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    kinds = ["split_kind", "split", "seed"]
    wide = with_macro(table).set_index([*COLUMN, *kinds])["dice"].unstack(kinds)
    wide = wide.reindex(pd.MultiIndex.from_frame(with_macro(table)[COLUMN].drop_duplicates()))
    matched = set(table.loc[table["split_kind"] == MATCHED, "split"])
    for axis in axes_of(table):
        of_axis = table[(table["split_kind"] == HELD_OUT) & (table["axis"] == axis)]["split"].unique()
        held_out = [name for name in of_axis if f"{MATCHED_PREFIX}{name}" in matched]
        if not held_out:
            continue
        names = {RANDOM: None, MATCHED: [f"{MATCHED_PREFIX}{name}" for name in held_out], HELD_OUT: held_out}
        for key, scores in wide.iterrows():
            random_SR, matched_HR, held_out_HR = (_scores(scores, kind, of) for kind, of in names.items())
            row = dict(zip(COLUMN, key, strict=True)) | {"axis": axis, "num_random": len(random_SR)}
            row |= {"num_held_out": len(held_out), "num_seeds": random_SR.shape[1]}
            row["gap"] = float(random_SR.mean() - held_out_HR.mean())
            found = divided_gap(random_SR, matched_HR, held_out_HR)
            yield row | _numbers(found) | {"note": _note(found, *held_out_HR.shape)}


def _scores(scores: pd.Series[Any], kind: str, names: list[str] | None) -> Floats:
    """Scores on the splits of a kind, all or these: split x seed."""
    found = scores[kind].unstack("seed")
    return np.asarray(found if names is None else found.loc[names], float)


def _numbers(found: dict[str, Part] | Refusal) -> dict[str, float]:
    nothing = Part(np.nan, np.nan, np.nan)
    parts = {name: nothing if isinstance(found, Refusal) else found[name] for name in PARTS}
    return {
        column: number
        for name, part in parts.items()
        for column, number in ((name, part.value), (f"{name}_low", part.low), (f"{name}_high", part.high))
    }


def _note(found: dict[str, Part] | Refusal, num_held_out: int, num_seeds: int) -> str:
    if isinstance(found, Refusal):
        return found.in_full
    if num_held_out >= SPREAD_KNOWN:
        return ""
    return "; ".join([MATCHED_ASSUMED, *[HELD_OUT_ASSUMED] * (num_seeds == 1)])
