"""Is A better than B on images like these? Their trained models, image by image, within a split and over splits.

The comparison over splits (`comparison.compare`) asks which configuration to train; this one asks which of the trained
models does better on the images at hand and on others like them. What chance does in training is no part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.axes import in_words
from analysis.classes import MACRO
from analysis.scores import PAPERS, Configuration, listed
from analysis.statistics.comparison import holm
from analysis.statistics.image_sums import TrialSums
from analysis.statistics.ratios import Block, Interval, intervals
from analysis.statistics.spread import MOST_NAMED
from trainers.dice import class_order

COLUMNS = [
    "averaging",
    "class",
    "on",
    "num_splits",
    "num_images",
    "num_units",
    "difference",
    "low",
    "high",
    "p",
    "holm",
]


def compare_on_images(
    trials: Sequence[TrialSums], a: Configuration, b: Configuration, units: Mapping[str, str], seed: int = 0
) -> pd.DataFrame:
    """Dice of a less Dice of b on the test images of each split that both have, and over all splits of a kind.

    One row per averaging (pw, ew), class or MACRO, and split (`on`: its name, or e.g. `all random splits`): num_splits,
    num_images and num_units (different ones), the difference with its interval (low, high) and p of `ratios.intervals`,
    and holm: p within the classes of that averaging and split, adjusted. Over splits it is the mean of the splits'
    differences, and an image that several of them tested is one cluster; seeds of a split are averaged.

    :param units: image -> its unit, all of whose images are one cluster; empty: every image is its own.
    """
    own, other = ([each for each in trials if each.configuration == name] for name in (a, b))
    pairs = _pairs_by_split(own, other)
    rows = []
    for on, splits in _groups(pairs).items():
        for averaging in PAPERS:
            rows += _rows(on, [pairs[split] for split in splits], averaging, units, seed)
    found = pd.DataFrame(rows, columns=[*COLUMNS, "note"])
    order = class_order(found["class"].unique())
    places = found["averaging"].map(PAPERS.index) * len(order) + found["class"].map(order.index)
    return found.iloc[places.argsort(kind="stable")].reset_index(drop=True)


Pair = tuple[list[TrialSums], list[TrialSums]]
"""The trials of a and of b on one split, a trial a seed."""


def _pairs_by_split(own: Sequence[TrialSums], other: Sequence[TrialSums]) -> dict[str, Pair]:
    """Split -> the trials of both, where both have some; in the order of a's trials."""
    found: dict[str, Pair] = {}
    for each in own:
        split = str(each.factors["split"])
        theirs = [trial for trial in other if trial.factors["split"] == split]
        if theirs:
            found.setdefault(split, ([], theirs))[0].append(each)
    return found


def _groups(pairs: Mapping[str, Pair]) -> dict[str, list[str]]:
    """What a row is on -> its splits: every split, then those of a kind and axis where there are two or more."""
    of_kind: dict[str, list[str]] = {}
    for split, ((first, *_), _) in pairs.items():
        name = in_words(str(first.factors["split_kind"]), str(first.factors["axis"]))
        of_kind.setdefault(f"all {name}s", []).append(split)
    together = {name: splits for name, splits in of_kind.items() if len(splits) > 1}
    return {split: [split] for split in pairs} | together


def _rows(on: str, pairs: Sequence[Pair], averaging: str, units: Mapping[str, str], seed: int) -> list[dict[str, Any]]:
    """A row for each class, then one for MACRO."""
    classes = pairs[0][0][0].classes
    images = list(dict.fromkeys(image for pair in pairs for trial in (*pair[0], *pair[1]) for image in trial.images))
    codes, _ = pd.factorize(np.array([units.get(image, image) for image in images], dtype=object))
    cluster_of = dict(zip(images, map(int, codes), strict=True))
    blocks = [_block(pair, averaging, cluster_of, len(pairs)) for pair in pairs]
    unscored = _unscored(pairs, classes)
    found = intervals(blocks, seed)
    shared = {"averaging": averaging, "on": on, "num_splits": len(pairs)}
    shared |= {"num_images": len(images), "num_units": len(set(cluster_of.values()))}
    rows: list[dict[str, Any]] = []
    for name, interval in zip([*classes, MACRO], found, strict=True):
        lacking = "; ".join(sentence for each, sentence in unscored.items() if name in (each, MACRO))
        shown = Interval(np.nan, note=f"no difference: {lacking}") if lacking else interval
        ends = {"low": max(-1.0, shown.low), "high": min(1.0, shown.high)} if shown.p > 0 else {}
        numbers = {"difference": shown.value, "low": np.nan, "high": np.nan, "p": shown.p, "note": shown.note}
        rows.append(shared | {"class": name} | numbers | ends)
    adjusted = holm([row["p"] for row in rows[:-1]])
    return [row | {"holm": p} for row, p in zip(rows, [*adjusted, np.nan], strict=True)]


def _unscored(pairs: Sequence[Pair], classes: Sequence[str]) -> dict[str, str]:
    """Class -> the sentence that says on which splits no image shows it."""
    found = {}
    for k, name in enumerate(classes):
        splits = [str(own[0].factors["split"]) for own, _ in pairs if not own[0].shown_K[k]]
        if splits:
            found[name] = f"{name} has no score on {listed(splits, MOST_NAMED)}"
    return found


def _block(pair: Pair, averaging: str, cluster_of: Mapping[str, int], num_splits: int) -> Block:
    """The images of a split by cluster; each trial is a ratio: a's with +1 / seeds / num_splits, b's with less that."""
    trials, signs = [*pair[0], *pair[1]], [1.0] * len(pair[0]) + [-1.0] * len(pair[1])
    seeds = [len(pair[0])] * len(pair[0]) + [len(pair[1])] * len(pair[1])
    clusters = sorted({cluster_of[image] for trial in trials for image in trial.images})
    row_of = {cluster: row for row, cluster in enumerate(clusters)}
    shape = (len(clusters), len(trials), len(trials[0].classes))
    numerators, weights = np.zeros(shape), np.zeros(shape)
    for q, trial in enumerate(trials):
        rows = [row_of[cluster_of[image]] for image in trial.images]
        for total, part in zip((numerators, weights), trial.sums[averaging], strict=True):
            np.add.at(total[:, q], rows, part)
    coefficients = np.array(signs) / np.array(seeds) / num_splits
    return Block(np.array(clusters, np.intp), numerators, weights, coefficients)
