"""Two objectives: the front of validation Dice and cost that a search found, and what the rule takes of it.

`runs` are those of `analysis.statistics.search` under one averaging, with the column `cost`, of which less is better.
No choice here sees a test score.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.scores import CELL, CONFIGURATION, HELD_OUT, RANDOM, macro_by_trial, tuned_trials
from analysis.statistics.costs import non_dominated

_MEANS = ("num_splits", "cost", "low", "high", "objective", "dice", "held_out_dice")


def front(runs: pd.DataFrame, within: float) -> pd.DataFrame:
    """The trials of each cell that no other of the cell equals or beats in both and beats in one; the cheapest first.

    objective, cost     validation Dice, and the search's second objective
    below               the cell's highest objective less this one
    chosen              the cell's tuned trial: the cheapest that is at most `within` below
    dice                of test images, mean of the classes; NaN where a class has no score
    """
    trials = _judged(runs)
    highest = trials.groupby(CELL)["objective"].transform("max")
    chosen = trials["trial"].isin(tuned_trials(runs, within)["trial"])
    trials = trials.assign(below=highest - trials["objective"], chosen=chosen)
    costs = trials.assign(lost=-trials["objective"])[["lost", "cost"]]
    fronts = [part.index[non_dominated(costs.loc[part.index])] for _, part in trials.groupby(CELL, sort=False)]
    kept = [trials.loc[on_front].sort_values("cost", kind="stable") for on_front in fronts]
    columns = [*CELL, "split_kind", "axis", "index", "point", "objective", "below", "cost", "dice", "chosen"]
    return pd.concat(kept or [trials], ignore_index=True)[columns]


def choices(runs: pd.DataFrame, within: float) -> pd.DataFrame:
    """What the rule costs and saves: three rows per configuration, each the mean over the cells of random splits.

    choice              `default` (trial 0), `highest` (by validation Dice alone), `cheapest` (by the rule)
    num_splits          random splits (seeds averaged)
    cost, low, high     median and extremes over these cells
    objective, dice     validation Dice; test Dice, mean of the classes
    held_out_dice       test Dice over the held-out splits
    """
    trials = _judged(runs)
    chosen = {
        "default": trials[trials["index"] == 0],
        "highest": trials[trials["trial"].isin(tuned_trials(runs.assign(cost=0.0))["trial"])],
        "cheapest": trials[trials["trial"].isin(tuned_trials(runs, within)["trial"])],
    }
    found = (
        {"model": model, "loss": loss, "choice": choice} | _means(rows)
        for model, loss in trials[CONFIGURATION].drop_duplicates().itertuples(index=False, name=None)
        for choice, of_all in chosen.items()
        for rows in [of_all[(of_all["model"] == model) & (of_all["loss"] == loss)]]
    )
    return pd.DataFrame(found, columns=[*CONFIGURATION, "choice", *_MEANS])


def _means(trials: pd.DataFrame) -> dict[str, Any]:
    random, held_out = (trials[trials["split_kind"] == kind] for kind in (RANDOM, HELD_OUT))
    cost = random["cost"]
    found = {"num_splits": random["split"].nunique()}
    found |= {"cost": cost.median(), "low": cost.min(), "high": cost.max()}
    found |= {name: random.groupby("split")[name].mean().mean() for name in ("objective", "dice")}
    return found | {"held_out_dice": held_out.groupby("split")["dice"].mean().mean()}


def _judged(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per trial that has an objective, with its test score (`dice`)."""
    columns = [*CELL, "split_kind", "axis", "trial", "index", "point", "objective", "cost"]
    trials = runs[columns].drop_duplicates("trial").dropna(subset=["objective", "cost"])
    return trials.assign(dice=trials["trial"].map(macro_by_trial(runs))).reset_index(drop=True)
