"""What stands behind the scores on splits: over how many seeds they are means, and to which unit they were rounded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.classes import MACRO
from analysis.scores import (
    COLUMN,
    CONFIGURATION,
    HELD_OUT,
    KINDS,
    Floats,
    configurations,
    of_kind,
    seeds_of,
    variances_over_seeds,
)
from analysis.statistics.bounds import unit_of


class OverSeeds(NamedTuple):
    """Of the splits of one kind, a value for each row of `means_by_split`."""

    within: Floats
    """The variance over a split's seeds, mean over the splits that have several; 0 where none has."""
    number: Floats
    """Harmonic mean of the splits' numbers of seeds, by which means of unequally many vary; 1 where `within` is not
    known."""


def over_seeds(rows: pd.DataFrame, columns: pd.Index | None = None) -> tuple[OverSeeds, OverSeeds]:
    """Of random and of held-out splits.

    :param rows: as `means_by_split` takes them.
    :param columns: of `means_by_split`: the splits that count, if not all.
    """
    if rows["seed"].nunique() < 2:  # as in most studies: nothing to measure
        num_rows = len(configurations(rows)) * rows["averaging"].nunique() * rows["class"].nunique()
        return OverSeeds(np.zeros(num_rows), np.ones(num_rows)), OverSeeds(np.zeros(num_rows), np.ones(num_rows))
    variances = variances_over_seeds(rows)
    counts = rows.dropna(subset="dice").groupby([*COLUMN, "split_kind", "split"], observed=True)["dice"].size()
    wide = counts.unstack(["split_kind", "split"]).reindex(index=variances.index, columns=variances.columns)
    shown = variances.columns if columns is None else columns
    random, held_out = (_of_splits(of_kind(variances[shown], kind), of_kind(wide[shown], kind)) for kind in KINDS)
    return random, held_out


def one_seed_held_out(table: pd.DataFrame) -> bool:
    """Whether the noise of held-out splits has to be assumed: there are some, and none has two seeds."""
    held_out = table[table["split_kind"] == HELD_OUT]
    return bool(len(held_out)) and seeds_of(held_out)[1] < 2


def _of_splits(variances: pd.DataFrame, counts: pd.DataFrame) -> OverSeeds:
    within = variances.mean(axis=1).to_numpy(float)
    number = 1 / (1 / counts).mean(axis=1).to_numpy(float)
    known = ~np.isnan(within)
    return OverSeeds(np.where(known, within, 0.0), np.where(known, number, 1.0))


def units_by_row(rows: pd.DataFrame, index: pd.MultiIndex) -> Floats:
    """`unit_of` the scores of each row's configuration: one may be rounded beside another that is not.

    :param index: of `means_by_split`.
    """
    given = rows[rows["class"] != MACRO]  # a mean of rounded scores is none itself
    units = {key: unit_of(each) for key, each in given.groupby(CONFIGURATION, observed=True)["dice"]}
    places = zip(*(index.get_level_values(name) for name in CONFIGURATION), strict=True)
    return np.array([units.get(place, 0.0) for place in places], float)
