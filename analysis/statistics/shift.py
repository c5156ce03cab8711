"""Shift, or less data? The gap from random to held-out splits, divided by the matched splits that stand between them.

A matched split is a random one with as many samples of each class in train, val and test as a held-out split has. So

    gap = random - held-out = (random - matched) + (matched - held-out) = what fewer images cost + what the shift costs.

The splits that are held out are fixed, and so is what is meant: the mean over re-splits and trainings of these images.
A random and a matched split differ from their means by the draw and by the training, and matched ones are taken to vary
as random ones do. A held-out split's images do not change: it varies by the training alone, as its seeds show where
there are two or more (Welch's interval). From one training that is not known: then it is taken to vary as a random
split does, which is too little where held-out scores are less steady, and the note says so. Seeds are not paired: no
two trainings share a random number, so nothing would be gained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.axes import axes_of
from analysis.scores import COLUMN, HELD_OUT, MATCHED, RANDOM, ROUNDING, Floats, count_of, with_macro
from analysis.statistics.other_splits import MATCHED_PREFIX
from analysis.statistics.spread import LEVEL, MIN_SPLITS_FOR_SD, Refusal

PARTS = ("gap", "fewer_images", "shift")
ASSUMED = (
    "one seed: held-out scores are taken to vary from training to training as random splits do; two seeds would tell"
)


@dataclass(frozen=True)
class Part:
    """A difference of means, with its interval."""

    value: float
    low: float
    high: float


def divided_gap(random_SR: Floats, matched_HR: Floats, held_out_HR: Floats) -> dict[str, Part] | Refusal:
    """The parts of the gap, by the names of PARTS. The last two add up to the first.

    :param random_SR: Dice on S random splits, R seeds each; likewise on H held-out splits and on those that match them.
    """
    if np.isnan(np.concatenate([random_SR, matched_HR, held_out_HR])).any():
        return Refusal("not every split has a score")
    (num_random, num_seeds), num_held_out = random_SR.shape, len(held_out_HR)
    if num_random < MIN_SPLITS_FOR_SD:
        return Refusal(f"{count_of(num_random, 'random splits')}, where an interval needs {MIN_SPLITS_FOR_SD}")
    of_random = random_SR.mean(axis=1)
    if np.ptp(of_random) < ROUNDING:
        return Refusal("all random splits have the same score, which is no certainty")
    drawn = float(of_random.var(ddof=1))
    trained = float(held_out_HR.var(axis=1, ddof=1).mean()) / num_seeds if num_seeds > 1 else np.nan
    means = {RANDOM: of_random.mean(), MATCHED: matched_HR.mean(), HELD_OUT: held_out_HR.mean()}
    of_held_out = drawn if num_seeds == 1 else 0.0  # what of it is taken from the random splits
    weights = {
        "gap": (RANDOM, HELD_OUT, 1 / num_random, of_held_out),
        "fewer_images": (RANDOM, MATCHED, 1 / num_random, drawn),
        "shift": (MATCHED, HELD_OUT, 1 / num_held_out, of_held_out),
    }
    found = {}
    for name, (more, less, of_first, of_second) in weights.items():
        variances = [drawn * of_first + of_second / num_held_out]
        freedoms = [num_random - 1]
        if num_seeds > 1 and less == HELD_OUT:
            variances.append(trained / num_held_out)
            freedoms.append(num_held_out * (num_seeds - 1))
        half = _half_width(np.array(variances), np.array(freedoms))
        value = float(means[more] - means[less])
        found[name] = Part(value, max(-1.0, value - half), min(1.0, value + half))
    return found


def _half_width(variances: Floats, freedoms: Floats) -> float:
    """Student's, of a sum of independent estimates of variance, by Satterthwaite's degrees of freedom."""
    total = variances.sum()
    freedom = total**2 / (variances**2 / freedoms).sum()
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(total))


def shift_or_fewer(table: pd.DataFrame) -> pd.DataFrame:
    """The gap of every axis, divided: a row per configuration, averaging, axis and class (MACRO, too).

    num_random, num_held_out   random splits; held-out ones that have a matched split
    num_seeds                  of each
    gap, fewer_images, shift   each with its interval: see `divided_gap`
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
            found = divided_gap(random_SR, matched_HR, held_out_HR)
            yield row | _numbers(found) | {"note": _note(found, random_SR.shape[1])}


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


def _note(found: dict[str, Part] | Refusal, num_seeds: int) -> str:
    if isinstance(found, Refusal):
        return found.in_full
    return ASSUMED if num_seeds == 1 else ""
