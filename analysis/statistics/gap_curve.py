"""Does the gap shrink with more images? The gap from random to held-out splits at every share of the training images.

A split and its shares test the same images. So from the smallest share to the whole training set the gap changes by

    (whole - share, mean over random splits) - (whole - share, mean over held-out splits)

in which what splits differ by does not count. The held-out splits are fixed, as in every gap; what their changes vary
by, training chance and the draw of the share, seeds alone do not show, as all seeds train on the same share. Three or
more held-out splits show it by what their changes differ by (which counts true differences among them as chance, too).
Of fewer it is taken to be at most NOISE_OF_HELD_OUT times what changes on random splits differ by.

Behind the whole training set each kind of splits goes on by a power law of its own (see `learning_curve`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.axes import axes_of
from analysis.scores import COLUMN, HELD_OUT, KINDS, RANDOM, ROUNDING, TABLE_COLUMNS, Floats, count_of
from analysis.statistics.bounds import NOISE_OF_HELD_OUT, unit_of
from analysis.statistics.learning_curve import WIDEST, Rise, rise_however_wide
from analysis.statistics.more_images import FACTORS, WHOLE, curves, shares_of
from analysis.statistics.shift import SPREAD_KNOWN
from analysis.statistics.spread import LEVEL, Refusal, spread
from study.summary import MIN_SPLITS_FOR_SD

NOISE_ASSUMED = (
    f"changes on fewer than {SPREAD_KNOWN} held-out splits are taken to vary at most {NOISE_OF_HELD_OUT:g} times as "
    "much as those on random splits"
)
_PLACE = [*COLUMN, "axis"]
_OF_SPREAD = ["num_splits", "num_held_out", "mean", "held_out_mean", "gap", "gap_low", "gap_high"]


@dataclass(frozen=True)
class Change:
    """Of the gap: below 0 it shrinks."""

    value: float
    low: float
    high: float


def change_of_gap(random_SK: Floats, held_out_HK: Floats, unit: float = 0.0) -> Change | Refusal:
    """From the first to the last of K shares, with Student's intervals of both kinds' changes put together (MOVER).

    :param random_SK: Dice of S random splits; one that has no score at all is left out. Likewise H held-out ones.
    :param unit: to which the scores were rounded, or 0: a difference of two is known to one unit.
    """
    random_SK = random_SK[~np.isnan(random_SK).all(axis=1)]
    if np.isnan(random_SK).any() or np.isnan(held_out_HK).any():
        return Refusal("not every share of every split has a score")
    if len(random_SK) < MIN_SPLITS_FOR_SD:
        few = count_of(len(random_SK), "random splits")
        return Refusal(f"{few} with shares, where an interval needs {MIN_SPLITS_FOR_SD}")
    on_random, on_held_out = (each[:, -1] - each[:, 0] for each in (random_SK, held_out_HK))
    few_held_out = on_held_out.size < SPREAD_KNOWN
    if min(np.ptp(on_random), np.inf if few_held_out else np.ptp(on_held_out)) < ROUNDING and not unit:
        return Refusal("all splits of a kind change by the same, which proves nothing")
    half = _half(on_random, unit)
    if few_held_out:
        of_held_out = NOISE_OF_HELD_OUT * half * np.sqrt(on_random.size / on_held_out.size)
    else:
        of_held_out = _half(on_held_out, unit)
    both = float(np.hypot(half, of_held_out))
    return _change(float(on_random.mean() - on_held_out.mean()), both, both)


def _half(changes: Floats, unit: float) -> float:
    """Half the width of Student's interval of their mean, with the largest SD that they can have had unrounded."""
    n = changes.size
    sd = changes.std(ddof=1) + unit * np.sqrt(n / (n - 1))
    return float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * sd / np.sqrt(n))


def rise_of_gap(
    random: tuple[Floats, Floats], held_out: tuple[Floats, Floats], factor: float, test_to_train: float = 0.0
) -> Change | Refusal:
    """What `factor` times as many training images would change the gap by: the rise on random splits less that on
    held-out ones, their intervals put together (MOVER).

    :param random: training images and Dice, split x share, as `learning_curve.rise` takes them; likewise `held_out`.
    """
    kinds = (random, "random splits", MIN_SPLITS_FOR_SD), (held_out, "held-out splits", SPREAD_KNOWN)
    found = []
    for curve, splits, fewest in kinds:
        each = rise_however_wide(*curve, factor, test_to_train, splits, fewest)
        if not isinstance(each, Rise):
            return Refusal(f"on {splits}, {each.reason}" if splits not in each.reason else each.reason)
        found.append(each)
    a, b = found
    below, above = np.hypot(a.value - a.low, b.high - b.value), np.hypot(a.high - a.value, b.value - b.low)
    change = _change(a.value - b.value, float(below), float(above))
    if change.high - change.low > WIDEST:
        return Refusal(f"the interval of that change would be wider than {WIDEST:g}", "more splits would narrow it")
    return change


def _change(value: float, below: float, above: float) -> Change:
    return Change(value, max(-1.0, value - below), min(1.0, value + above))


def gap_curves(table: pd.DataFrame, num_trained: Mapping[str, int]) -> pd.DataFrame:
    """The gap against training images: a row per configuration, averaging, class (MACRO, too), axis and share.

    percent                    of the training images
    num_images, num_held_out_images   how many that are on random and on held-out splits: medians
    num_splits, num_held_out   random and held-out splits that have shares, and a score there
    mean, held_out_mean, gap   as in `spread`, with the gap's interval: of the whole training set as there; of a share,
                               whose seeds do not show the chance of its draw, seeds are averaged before

    :param table: random and held-out splits, and their shares.
    """
    frames = []
    for axis in axes_of(table):
        for percent, rows in _at_each_share(table, axis):
            numbers = {kind: _median(rows[rows["split_kind"] == kind], num_trained) for kind in KINDS}
            found = spread(rows.drop(columns="share"))[[*COLUMN, *_OF_SPREAD]]
            place = {"axis": axis, "percent": percent, "num_images": numbers[RANDOM]}
            frames.append(found.assign(**place, num_held_out_images=numbers[HELD_OUT]))
    if not frames:
        return pd.DataFrame()
    both = pd.concat(frames, ignore_index=True).sort_values([*_PLACE, "percent"], kind="stable", key=_in_order)
    return both[[*_PLACE, "percent", "num_images", "num_held_out_images", *_OF_SPREAD]].reset_index(drop=True)


def _in_order(values: pd.Series[Any]) -> pd.Series[Any]:
    """Each value's place: numbers as they are, words in the order in which they first come."""
    return values if values.dtype.kind in "if" else pd.Series(pd.factorize(values)[0], index=values.index)


def _at_each_share(table: pd.DataFrame, axis: str) -> Iterator[tuple[int, pd.DataFrame]]:
    """Percent, and the scores there of random splits and those of one axis, by the names of the whole splits; `share`
    is the name that they have in the table."""
    of_kinds = {RANDOM: shares_of(table), HELD_OUT: shares_of(table, HELD_OUT, axis)}
    kinds = {whole: kind for kind, shares in of_kinds.items() for whole, _ in shares.values()}
    of_random, of_held_out = ({percent for _, percent in shares.values()} for shares in of_kinds.values())
    for percent in sorted(of_random & of_held_out):
        names = {name: whole for shares in of_kinds.values() for name, (whole, of) in shares.items() if of == percent}
        rows = _mean_of_seeds(table[table["split"].isin(names)])
        rows = rows.assign(share=rows["split"], split=rows["split"].map(names))
        kind = rows["split"].map(kinds)
        yield percent, rows.assign(split_kind=kind, axis=np.where(kind == HELD_OUT, axis, ""))
    if of_random & of_held_out:
        rows = table[table["split"].isin(kinds)]
        yield WHOLE, rows.assign(share=rows["split"])


def _mean_of_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """One score for each split, class and averaging; none where a seed has none."""
    keys = [name for name in TABLE_COLUMNS if name not in ("seed", "dice")]
    seeds = rows.groupby(keys, sort=False, observed=True)["dice"]
    return seeds.mean().where(seeds.count() == seeds.size()).reset_index().assign(seed=0)


def _median(rows: pd.DataFrame, num_trained: Mapping[str, int]) -> float:
    return float(np.median([num_trained.get(name, np.nan) for name in rows["share"].unique()]))


def gap_changes(
    table: pd.DataFrame, num_trained: Mapping[str, int], test_to_train: float | None = None
) -> pd.DataFrame:
    """How the gap changes with the training images: a row per configuration, averaging, class, axis and step.

    from_images, to_images   training images on random splits, medians: from the smallest share to the whole training
                             set; then from that to FACTORS times as many, which nobody has seen
    seen                     1 or 0
    num_splits, num_held_out   splits that have shares
    gap                      at `from_images`; undefined where a split has no score
    change, low, high        of the gap, below 0 where it shrinks: see `change_of_gap`, `rise_of_gap`
    note                     what is assumed, or why there is no change
    """
    unit, rows = unit_of(table["dice"]), []
    for axis in axes_of(table):
        random, held_out = curves(table, num_trained), curves(table, num_trained, HELD_OUT, axis)
        for (key, percents, *of_random), (_, others, *of_held_out) in zip(random, held_out, strict=False):
            known = [percent for percent in percents if percent in others]
            both = _at(known, percents, *of_random), _at(known, others, *of_held_out)
            steps = _steps(*both, unit, test_to_train or 0.0) if len(known) > 1 else ()
            rows += [key | {"axis": axis} | step for step in steps]
    return pd.DataFrame(rows)


def _at(known: list[int], percents: list[int], numbers: Floats, scores: Floats) -> tuple[Floats, Floats]:
    places = [percents.index(percent) for percent in known]
    return numbers[:, places], scores[:, places]


def _steps(
    random: tuple[Floats, Floats], held_out: tuple[Floats, Floats], unit: float, test_to_train: float
) -> Iterator[dict[str, Any]]:
    (numbers, on_random), (_, on_held_out) = random, held_out
    least, most = (int(np.median(numbers[:, place])) for place in (0, -1))
    counts = {"num_splits": len(on_random), "num_held_out": len(on_held_out)}
    gaps = on_random.mean(axis=0) - on_held_out.mean(axis=0)
    assumed = NOISE_ASSUMED if len(on_held_out) < SPREAD_KNOWN else ""
    seen = {"from_images": least, "to_images": most, "seen": 1, **counts, "gap": float(gaps[0])}
    yield seen | _numbers(change_of_gap(on_random, on_held_out, unit), assumed)
    for factor in FACTORS:
        more = {"from_images": most, "to_images": round(factor * most), "seen": 0, **counts, "gap": float(gaps[-1])}
        yield more | _numbers(rise_of_gap(random, held_out, factor, test_to_train), "")


def _numbers(found: Change | Refusal, note: str) -> dict[str, Any]:
    if isinstance(found, Refusal):
        return {"change": np.nan, "low": np.nan, "high": np.nan, "note": found.in_full}
    return {"change": found.value, "low": found.low, "high": found.high, "note": note}
