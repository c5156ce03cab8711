"""How much of a tuned score is luck? The highest of many validation scores is high partly by chance.

The search reports the validation Dice of the trial that it chose because that Dice was the highest. On test images,
which had no say, some of it is gone. What a trial loses from validation to test anyway (the images differ) is known
from the default trial, which nothing chose; the rest is the optimism of selection (Cawley & Talbot 2010; Efron 1983).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.scores import CELL, CONFIGURATION, HELD_OUT, RANDOM, ROUNDING, macro_by_trial, tuned_trials
from analysis.statistics.paired import interval_of_difference, interval_refusal

AVERAGING = "ew"
"""Of the validation objective."""
_NUMBERS = ["num_cells", "num_splits", "validation", "test", "lost", "lost_by_default", "luck", "low", "high"]
_CHOICES = ["num_points", "share_best", "share_best_by_chance", "lost_to_best"]
COLUMNS = [*CONFIGURATION, *_NUMBERS, "num_held_out", "held_out_luck", *_CHOICES, "note"]


def luck(runs: pd.DataFrame, startup: int, test_to_train: float | None, within: float = 0.0) -> pd.DataFrame:
    """One row per configuration; all scores are means of classes under `AVERAGING`. `runs` as in `search`.

    num_cells, num_splits   random splits' cells whose tuned and default trials both have scores, and their splits
    validation, test        of the tuned trials: mean validation objective and mean test Dice, over these cells
    lost, lost_by_default   validation less test, of the tuned and of the default trials
    luck, low, high         lost - lost_by_default: a cell's, then the mean over seeds, then over splits, with the
                            interval of `paired.interval_of_difference`
    num_held_out, held_out_luck   held-out splits and their mean
    num_points              common points (index below `startup`) with both scores: the fewest of a cell
    share_best              of the cells (all splits): how often the best common point by validation is the best on
                            test; of equal ones any will do. share_best_by_chance: were a point drawn
    lost_to_best            mean test Dice of the best on test less that of the choice. The best on test is itself
                            lucky, so nobody could have had all of this
    """
    trials = scored_trials(runs)
    chosen = tuned_trials(trials, within)["trial"]
    rows = []
    for key, own in trials.groupby(CONFIGURATION, sort=False):
        found = _luck(_cells(own, chosen), test_to_train) | _choices(own[own["index"] < startup])
        rows.append(dict(zip(CONFIGURATION, key, strict=True)) | found)
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def scored_trials(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per trial: its cell, index, objective, cost if any, and test Dice (`dice`, NaN if it has none)."""
    of_averaging = runs[runs["averaging"] == AVERAGING]
    names = [*CELL, "split_kind", "trial", "index", "objective", *({"cost"} & set(runs.columns))]
    trials = of_averaging.drop_duplicates("trial")[names]
    return trials.assign(dice=trials["trial"].map(macro_by_trial(of_averaging)))


def _cells(trials: pd.DataFrame, chosen: pd.Series[str]) -> pd.DataFrame:
    """One row per cell of one configuration whose tuned and default trials have both scores."""
    both = trials.assign(lost=trials["objective"] - trials["dice"]).dropna(subset="lost")
    tuned, default = both[both["trial"].isin(chosen)], both[both["index"] == 0]
    cells = tuned.merge(default[[*CELL, "lost"]], on=CELL, suffixes=("", "_by_default"))
    return cells.assign(luck=cells["lost"] - cells["lost_by_default"])


def _luck(cells: pd.DataFrame, test_to_train: float | None) -> dict[str, Any]:
    by_split = cells.groupby(["split_kind", "split"], sort=False)["luck"].mean().reset_index()
    values = by_split.loc[by_split["split_kind"] == RANDOM, "luck"].to_numpy(float)
    held_out = by_split.loc[by_split["split_kind"] == HELD_OUT, "luck"]
    random = cells[cells["split_kind"] == RANDOM]
    found: dict[str, Any] = {"num_cells": len(random), "num_splits": values.size}
    means = random[["objective", "dice", "lost", "lost_by_default"]].mean()
    found |= dict(zip(["validation", "test", "lost", "lost_by_default"], means, strict=True))
    found |= {"luck": values.mean() if values.size else np.nan}
    found |= {"num_held_out": len(held_out), "held_out_luck": held_out.mean(), "note": ""}
    if refusal := interval_refusal(values, test_to_train):
        return found | {"note": refusal.reason}
    low, high = interval_of_difference(values, test_to_train or 0.0)
    return found | {"low": low, "high": high}


def _choices(common: pd.DataFrame) -> dict[str, Any]:
    """How often a cell's best common point by validation is the best on test; nothing where no cell has two points."""
    cells = [cell for _, cell in common.dropna(subset=["objective", "dice"]).groupby(CELL) if len(cell) > 1]
    if not cells:
        return {}
    lost, by_chance = [], []
    for cell in cells:
        ordered = cell.sort_values("index")
        test = ordered["dice"].to_numpy(float)
        lost.append(test.max() - test[int(ordered["objective"].to_numpy(float).argmax())])
        by_chance.append(np.mean(test >= test.max() - ROUNDING))
    return {
        "num_points": min(map(len, cells)),
        "share_best": float(np.mean(np.array(lost) < ROUNDING)),
        "share_best_by_chance": float(np.mean(by_chance)),
        "lost_to_best": float(np.mean(lost)),
    }
