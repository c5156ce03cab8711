"""What is the spread of one training's score made of, split, images, training chance, tuning?

Scores of one configuration on S random splits with R seeds each: y = mean + split + seed. Two seeds of a split differ
by training chance alone, so two or more are needed to tell the two apart. A split is its training and its test images;
what the test images do is known from the scores of the single images.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.classes import MACRO, is_object
from analysis.scores import COLUMN, RANDOM, ROUNDING, Configuration, Floats, configurations, with_macro
from analysis.statistics import mean_squares
from analysis.statistics.image_sums import TrialSums
from analysis.statistics.mean_squares import nested
from analysis.statistics.spread import LEVEL, Refusal

MIN_SPLITS = 3
MIN_SPLITS_FOR_IMAGES = 6
"""Below it the interval of the test images' part misses its level: `benchmarks/validity_images.py`."""
LARGEST_SD = 0.5
"""Of scores from 0 to 1: half of them 0, the others 1."""
ONE_SEED = "one seed per split; `grid.seeds = [0, 1]` trains a second"

_SDS = ["sd", "split_sd", "images_sd", "seed_sd", "tuning_sd"]
_NUMBERS = [name + end for name in _SDS for end in ("", "_low", "_high")]
COLUMNS = [*COLUMN, "num_splits", "num_seeds", "num_left_out", *_NUMBERS]
COLUMNS += ["share_split", "share_split_low", "share_split_high", "share_images", "note"]

Key = tuple[str, str, str, str]
"""Model, loss, averaging and class (MACRO too)."""


@dataclass(frozen=True)
class ImagePart:
    """What the test images of random splits do to a score."""

    of_splits_S: Floats
    """For each random split the sampling variance of its score over its images (or units), seeds shared."""
    share_left: float
    """1 - tested / all images. Splits of these images are drawn from so many: that much of the variance is between
    them, the rest is the same in all."""

    @property
    def sampling(self) -> float:
        """The variance of a score over sets of test images of this size, however many there were to draw from."""
        return max(0.0, float(self.of_splits_S.mean()))


def seeds_by_split(rows: pd.DataFrame) -> tuple[Floats, int] | Refusal:
    """The scores of one class as splits x seeds, and how many splits were left out: those with fewer seeds than others.

    :param rows: with the columns split, seed and dice, of one configuration on random splits.
    """
    counts = rows.dropna(subset="dice").groupby("split", sort=False)["dice"].size()
    num_seeds = int(counts.max()) if len(counts) else 0
    if num_seeds < 2:
        return Refusal(f"not told apart: {ONE_SEED}" if num_seeds else "no score")
    whole = counts.index[counts == num_seeds]
    if len(whole) < MIN_SPLITS:
        return Refusal(f"not told apart: {len(whole)} splits have {num_seeds} seeds, {MIN_SPLITS} are needed")
    scored = rows[rows["split"].isin(whole)].dropna(subset="dice").sort_values(["split", "seed"])
    scores_SR = scored["dice"].to_numpy(float).reshape(len(whole), num_seeds)
    if np.ptp(scores_SR) < ROUNDING:
        return Refusal("not told apart: all scores are equal, which proves nothing")
    return scores_SR, rows["split"].nunique() - len(whole)


def by_configuration(table: pd.DataFrame) -> Iterator[tuple[Key, tuple[Floats, int] | Refusal]]:
    """`seeds_by_split` of every configuration, averaging and class, MACRO included."""
    rows = with_macro(table[table["split_kind"] == RANDOM])
    rows = rows[is_object(rows["class"]) | (rows["class"] == MACRO)]
    of_key = dict(list(rows.groupby(COLUMN, sort=False, observed=True)))
    for place in itertools.product(configurations(rows), rows["averaging"].unique(), rows["class"].unique()):
        key = (*place[0], *place[1:])
        if key in of_key:
            yield key, seeds_by_split(of_key[key])


def causes_of_spread(
    table: pd.DataFrame,
    images: Mapping[Key, ImagePart] | None = None,
    default: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per configuration, averaging and class, MACRO included, of standard deviations of one training's score:

    sd            on one more random split of these images: sqrt(v_split + v_seed)
    split_sd      by the split: its training images and its test images
    images_sd     by the test images, which is part of split_sd; NaN where no pixel counts are kept
    seed_sd       by training chance on one split
    tuning_sd     by the search, which finds other values for every seed: how much more tuned trials of one split
                  differ than its default ones; NaN where the scores are not of tuned trials
    share_split, share_images    of v_split + v_seed; what is left of 1 is training chance

    num_splits, num_seeds: S and R; num_left_out: splits with fewer seeds. Estimates by the mean squares of
    `mean_squares.nested` (a negative one is 0; they are REML's where all are positive), intervals of that module. The
    images' part of a split is the mean over splits of the covariance of two seeds' influences (see `image_parts`); its
    interval is Student's on the logarithm, over the splits.

    :param table: the tidy table of scores.
    :param default: the table of default trials, where `table` is of tuned ones.
    """
    untuned = dict(by_configuration(default)) if default is not None else {}
    found = []
    for key, scores in by_configuration(table):
        row: dict[str, Any] = dict(zip(COLUMN, key, strict=True))
        if isinstance(scores, Refusal):
            found.append(row | {"note": scores.reason})
            continue
        scores_SR, num_left_out = scores
        row |= {"num_splits": len(scores_SR), "num_seeds": scores_SR.shape[1], "num_left_out": num_left_out}
        row |= _of_split_and_seed(scores_SR) | _of_images((images or {}).get(key), scores_SR)
        found.append(row | _of_tuning(scores_SR, untuned.get(key)) | {"note": ""})
    return pd.DataFrame(found).reindex(columns=COLUMNS)


def components(scores_SR: Floats) -> tuple[float, float]:
    """v_split and v_seed; a negative one is 0, and the other then takes all (as REML does)."""
    between, within = nested(scores_SR)
    s, r = scores_SR.shape
    if between.value < within.value:
        return 0.0, float(((s - 1) * between.value + s * (r - 1) * within.value) / (s * r - 1))
    return float((between.value - within.value) / r), float(within.value)


def _of_split_and_seed(scores_SR: Floats) -> dict[str, float]:
    between, within = nested(scores_SR)
    r = scores_SR.shape[1]
    split, seed = components(scores_SR)
    of_share = mean_squares.share(between, within, r)
    return {
        **_sd("sd", split + seed, mean_squares.total(between, within, r)),
        **_sd("split_sd", split, mean_squares.difference(between, within, r)),
        **_sd("seed_sd", seed, mean_squares.one(within)),
        "share_split": split / (split + seed),
        "share_split_low": float(of_share[0]),
        "share_split_high": float(of_share[1]),
    }


def _sd(name: str, variance: float, ends: tuple[Floats | float, Floats | float]) -> dict[str, float]:
    """As standard deviations, of scores from 0 to 1 at most LARGEST_SD. An estimate that is not within its own interval
    (where one was set to 0) moves the end."""
    low, high = (min(LARGEST_SD, float(np.sqrt(end))) for end in ends)
    sd = float(np.sqrt(variance))
    return {name: sd, f"{name}_low": min(low, sd), f"{name}_high": max(high, sd)}


def _of_images(part: ImagePart | None, scores_SR: Floats) -> dict[str, float]:
    if part is None:
        return {}
    variance = part.sampling * part.share_left
    found = {"images_sd": float(np.sqrt(variance)), "share_images": min(1.0, variance / sum(components(scores_SR)))}
    if len(part.of_splits_S) < MIN_SPLITS_FOR_IMAGES or variance <= 0:
        return found
    low, high = log_interval(part.of_splits_S)
    return found | _sd("images_sd", variance, (low * part.share_left, high * part.share_left))


def log_interval(values: Floats) -> tuple[float, float]:
    """Of a positive mean: Student's interval of its logarithm, by the delta method: exp(log m -+ t se / m)."""
    mean, n = float(values.mean()), values.size
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n) / mean
    return mean * float(np.exp(-half)), mean * float(np.exp(half))


def _of_tuning(scores_SR: Floats, default: tuple[Floats, int] | Refusal | None) -> dict[str, float]:
    if default is None or isinstance(default, Refusal):
        return {}
    own, untuned = nested(scores_SR)[1], nested(default[0])[1]
    return _sd("tuning_sd", max(0.0, float(own.value - untuned.value)), mean_squares.difference(own, untuned, 1))


def image_parts(
    trials: Sequence[TrialSums], units: Mapping[str, str], num_train: Mapping[str, int], averagings: Sequence[str]
) -> dict[Key, ImagePart]:
    """What the test images do to each score, from trials on random splits with two seeds or more.

    The influence of image (or unit) g on a score is u_g = (a_g - D w_g) / sum(w), with its numerator and weight; for
    the mean of classes it is the mean over them. The sampling variance of a score is G / (G - 1) sum over g of u_g^2
    (Cochran 1977, section 6.4). What two seeds share of it, sum of u_g u'_g, is the images' part; the rest, how the
    seeds differ from image to image, is training chance. Splits without two seeds are left out.
    """
    of_split: dict[tuple[Configuration, str], list[TrialSums]] = {}
    for trial in trials:
        if trial.factors["split_kind"] == RANDOM:
            of_split.setdefault((trial.configuration, str(trial.factors["split"])), []).append(trial)
    parts: dict[Key, list[float]] = {}
    left: dict[Key, list[float]] = {}
    for ((model, loss), split), seeds in of_split.items():
        tested = len(seeds[0].images)
        for averaging in averagings if len(seeds) > 1 else ():
            shared = _shared_variance(seeds, averaging, units)
            for name, variance in zip([*seeds[0].classes, MACRO], shared, strict=True):
                parts.setdefault((model, loss, averaging, name), []).append(float(variance))
                left.setdefault((model, loss, averaging, name), []).append(1 - tested / (tested + num_train[split]))
    return {
        key: ImagePart(np.array(values), float(np.mean(left[key])))
        for key, values in parts.items()
        if not np.isnan(values).any()
    }


def _shared_variance(seeds: Sequence[TrialSums], averaging: str, units: Mapping[str, str]) -> Floats:
    """By class and for MACRO: the mean over pairs of seeds of G / (G - 1) sum of u u'; NaN without a score."""
    influences = [_influence(each, averaging, units) for each in seeds]
    num_clusters = len(influences[0])
    total = np.sum(influences, axis=0)
    crossed = (total**2).sum(axis=0) - np.sum([(u**2).sum(axis=0) for u in influences], axis=0)
    pairs = len(seeds) * (len(seeds) - 1)
    return np.asarray(crossed / pairs * num_clusters / max(1, num_clusters - 1))


def _influence(trial: TrialSums, averaging: str, units: Mapping[str, str]) -> Floats:
    """u by unit (rows in the order of their names), class and MACRO, shape (G, K + 1)."""
    numerators, weights = trial.sums[averaging]
    total = np.where(trial.shown_K & (weights.sum(axis=0) > 0), weights.sum(axis=0), np.nan)
    of_images = (numerators - numerators.sum(axis=0) / total * weights) / total
    names = [units.get(image, image) for image in trial.images]
    of_units = pd.DataFrame(of_images).groupby(names).sum(min_count=1).to_numpy(float)
    return np.column_stack([of_units, of_units.mean(axis=1)])
