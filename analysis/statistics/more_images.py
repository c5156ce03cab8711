"""The scores on shares of the training images as tables: the curves, and what more images would add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.axes import of_kind_and_axis
from analysis.scores import COLUMN, RANDOM, SHARE, Floats, by_split
from analysis.statistics.learning_curve import Rise, rise
from analysis.statistics.spread import interval_of_mean, interval_of_sd
from study.definition.splits import whole_of_share
from study.summary import MIN_SPLITS_FOR_SD

FACTORS = (1.5, 2.0)
"""Times the training images that there are."""
WHOLE = 100
"""Percent."""


def learning_curves(table: pd.DataFrame, num_trained: Mapping[str, int]) -> pd.DataFrame:
    """Scores against training images: a row per configuration, averaging, class (MACRO, too) and share.

    percent, num_images   of the training images, and how many: the median over splits
    num_splits            random splits that have shares, and a score there
    mean, sd              over them, seeds averaged first, with the intervals of `interval_of_mean`, `interval_of_sd`

    :param table: with random splits and their shares.
    :param num_trained: split -> images that it trains on.
    """
    rows = []
    for key, percents, numbers_SK, scores_SK in curves(table, num_trained):
        for k, percent in enumerate(percents):
            scores = scores_SK[:, k][~np.isnan(scores_SK[:, k])]
            row = {"percent": percent, "num_images": int(np.median(numbers_SK[:, k])), "num_splits": scores.size}
            rows.append({**key, **row, **_mean_and_sd(scores)})
    return pd.DataFrame(rows)


def more_images(
    table: pd.DataFrame, num_trained: Mapping[str, int], test_to_train: float | None = None
) -> pd.DataFrame:
    """What more training images would add to the mean Dice: a row per configuration, averaging, class and number.

    num_images, more      training images of the whole training set (the median over splits), and how many more
    rise                  of the mean Dice, with its interval: see `analysis.statistics.learning_curve`
    exponent              the c of the power law that fits best
    note                  why there is no rise
    """
    rows = []
    for key, _, numbers_SK, scores_SK in curves(table, num_trained):
        number = int(np.median(numbers_SK[:, -1]))
        for factor in FACTORS:
            found = rise(numbers_SK, scores_SK, factor, test_to_train or 0.0)
            row = {**key, "num_images": number, "more": round((factor - 1) * number)}
            if isinstance(found, Rise):
                numbers = {"rise": found.value, "rise_low": found.low, "rise_high": found.high}
                rows.append({**row, **numbers, "exponent": found.exponent, "note": ""})
            else:
                undefined = dict.fromkeys(("rise", "rise_low", "rise_high", "exponent"), np.nan)
                rows.append({**row, **undefined, "note": found.in_full})
    return pd.DataFrame(rows)


def shares_of(table: pd.DataFrame, kind: str = RANDOM, axis: str = "") -> dict[str, tuple[str, int]]:
    """The shares of the table's splits of a kind and axis: name -> the whole split, percent."""
    wholes = set(of_kind_and_axis(table, kind, axis)["split"])
    names = table.loc[table["split_kind"] == SHARE, "split"].unique()
    shares = {name: whole_of_share(name) for name in names}
    return {name: place for name, place in shares.items() if place[0] in wholes}


def curves(
    table: pd.DataFrame, num_trained: Mapping[str, int], kind: str = RANDOM, axis: str = ""
) -> Iterator[tuple[dict[str, Any], list[int], Floats, Floats]]:
    """Configuration, averaging and class; the percents of K shares, the whole last; and of S splits of a kind and axis
    that have shares the numbers of training images and the scores, shape (S, K). A share that a split lacks has no
    score. Nothing where no split has shares."""
    shares = shares_of(table, kind, axis)
    if not shares:
        return
    wholes = list(dict.fromkeys(whole for whole, _ in shares.values()))
    percents = sorted({percent for _, percent in shares.values()})
    names = {place: name for name, place in shares.items()} | {(whole, WHOLE): whole for whole in wholes}
    columns = [[names.get((whole, percent), "") for percent in (*percents, WHOLE)] for whole in wholes]
    numbers_SK = np.array([_numbers(whole, [*percents, WHOLE], num_trained, names) for whole in wholes], float)
    wide = by_split(table).droplevel("split_kind", axis=1)
    for key, scores in wide.iterrows():
        found = np.array([[scores.get(name, np.nan) for name in of_split] for of_split in columns], float)
        yield dict(zip(COLUMN, key, strict=True)), [*percents, WHOLE], numbers_SK, found


def _numbers(
    whole: str, percents: Sequence[int], num_trained: Mapping[str, int], names: Mapping[tuple[str, int], str]
) -> list[float]:
    """The training images of a split at each share; of one that is not there what its percent would be."""
    of_whole = num_trained.get(whole, max(num_trained.values()))
    return [num_trained.get(names.get((whole, p), ""), p / WHOLE * of_whole) for p in percents]


def _mean_and_sd(scores: Floats) -> dict[str, float]:
    shown = scores.size >= MIN_SPLITS_FOR_SD
    mean = float(scores.mean()) if scores.size else np.nan
    sd = float(scores.std(ddof=1)) if shown else np.nan
    mean_low, mean_high = interval_of_mean(scores)
    low, high = interval_of_sd(scores)
    return {"mean": mean, "mean_low": mean_low, "mean_high": mean_high, "sd": sd, "sd_low": low, "sd_high": high}
