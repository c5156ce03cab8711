"""The search over hyperparameters: was tuning worth it, and does a choice carry over to other splits?

Every function takes `runs`: one row per trial, averaging and class, with the columns `trial` (id), `model`, `loss`,
`split`, `split_kind` (one of KINDS), `seed`, `index`, `point` (JSON: searched key -> value), `objective` (macro Dice on
the validation images; NaN if there is none), `averaging`, `class` and `dice` (on the test images). A cell is a (model,
loss, split, seed); trial 0 of a cell has the default hyperparameters. Trials with an index below `startup` have the
same hyperparameters in every cell: the common points. Macro is the mean over all classes; a trial without a
score for one of them has none, and is counted, not compared.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pandas as pd

from analysis.classes import MACRO, is_object
from analysis.scores import (
    CELL,
    CONFIGURATION,
    HELD_OUT,
    ROUNDING,
    of_configuration,
    tuned_trials,
    with_macro,
)
from analysis.statistics.one_training import one_training
from analysis.statistics.paired import interval_of_difference, interval_refusal
from analysis.statistics.ranks import mean_tau
from analysis.statistics.spread import LEVEL, sd_refusal
from analysis.statistics.variance import balanced, components
from study.summary import MIN_SPLITS_FOR_SD

SCORE = ["averaging", "class"]


def tuning_gain(runs: pd.DataFrame, test_to_train: float | None, within: float = 0.0) -> pd.DataFrame:
    """Was tuning worth it? One row per configuration, averaging and class or macro.

    The gain of a cell is the test Dice of its tuned trial (see `tuned_trials`) less that of trial 0. It is the mean
    over a split's seeds, then over splits.

    num_splits          random splits with a gain; wins, losses and ties are theirs
    gain, low, high     mean on random splits with the interval of `interval_of_difference`; a `test_to_train` of None
                        (images tested over images left to training) gives no interval, nor do fewer splits than
                        MIN_SPLITS_FOR_SD
    spread              SD of trial 0's scores, of one training on one random split; gain_to_spread: gain / spread
    num_held_out        held-out splits with a gain; held_out_gain: its mean there
    num_left_out        cells without a gain: no default or tuned trial, or an undefined score
    """
    gains, trials = _cell_gains(runs, within), trials_of(runs)
    tuned = trials.groupby(CELL).size().groupby(CONFIGURATION).max() > 1
    may_lose = within if _goes_by_cost(runs) else None
    rows = []
    for key, cells in gains.groupby([*CONFIGURATION, *SCORE], sort=False):
        place = dict(zip([*CONFIGURATION, *SCORE], key, strict=True))
        rows.append(place | _gain_row(cells, test_to_train, may_lose, was_tuned=bool(tuned[key[:2]])))
    return pd.DataFrame(rows)


def trials_of(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per trial: its cell, point and objective."""
    return runs[[*CELL, "split_kind", "trial", "index", "point", "objective"]].drop_duplicates("trial")


def hyperparameters(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials' points: a column per searched key, the rows of `trials`."""
    return pd.DataFrame([json.loads(point) for point in trials["point"]], index=trials.index)


def _scores(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per trial, averaging and class or macro: `dice`."""
    # A trial takes the place of a seed, which it has of its own.
    rows = with_macro(runs.assign(seed=runs["trial"])).rename(columns={"seed": "trial"})
    return rows.loc[is_object(rows["class"]) | (rows["class"] == MACRO), ["trial", *SCORE, "dice"]]


def _cell_gains(runs: pd.DataFrame, within: float) -> pd.DataFrame:
    """One row per cell, averaging and class: trial 0's score (`dice`) and `gain`; NaN where there is none."""
    trials, scores = trials_of(runs), _scores(runs)
    classes = [name for name in scores["class"].unique() if name != MACRO]
    places = pd.DataFrame(itertools.product(scores["averaging"].unique(), [*classes, MACRO]), columns=SCORE)
    cells = trials[["split_kind", *CELL]].drop_duplicates().merge(places, how="cross")
    default = trials.loc[trials["index"] == 0, [*CELL, "trial"]].merge(scores, on="trial")
    tuned = tuned_trials(runs, within).merge(scores, on="trial")
    for chosen, suffix in ((default, ""), (tuned, "_tuned")):
        renamed = chosen[[*CELL, *SCORE, "dice"]].rename(columns={"dice": f"dice{suffix}"})
        cells = cells.merge(renamed, how="left", on=[*CELL, *SCORE], validate="one_to_one")
    return cells.assign(gain=cells["dice_tuned"] - cells["dice"])


def _goes_by_cost(runs: pd.DataFrame) -> bool:
    return "cost" in runs and bool((runs["cost"] != 0).any())


def _gain_row(
    cells: pd.DataFrame, test_to_train: float | None, may_lose: float | None, *, was_tuned: bool
) -> dict[str, Any]:
    """:param may_lose: of the validation Dice, by a rule that goes by a cost, too; None: it goes by the Dice alone."""
    by_split = cells.groupby(["split_kind", "split"], sort=False)[["dice", "gain"]].mean()
    kinds = by_split.index.get_level_values("split_kind")
    gains = by_split.loc[kinds == "random", "gain"].dropna().to_numpy(float)
    default = by_split.loc[kinds == "random", "dice"].dropna()
    held_out = by_split.loc[kinds == HELD_OUT, "gain"].dropna()
    gain = gains.mean() if gains.size else np.nan
    spread = one_training(cells, LEVEL)["sd"].iloc[0] if len(default) >= MIN_SPLITS_FOR_SD else np.nan
    wins, losses = int(np.sum(gains > ROUNDING)), int(np.sum(gains < -ROUNDING))
    refusal = interval_refusal(gains, test_to_train)
    low, high = np.nan, np.nan
    if refusal is None and test_to_train is not None:
        low, high = interval_of_difference(gains, test_to_train)
    lacks = refusal or sd_refusal(len(default), "random splits")  # too few for one are too few for the other
    notes = [lacks.reason if lacks else "", _verdict(gain, spread, may_lose)]
    return {
        "num_splits": gains.size,
        "gain": gain,
        "low": low,
        "high": high,
        "wins": wins,
        "losses": losses,
        "ties": gains.size - wins - losses,
        "spread": spread,
        "gain_to_spread": gain / spread if spread > 0 else np.nan,
        "num_held_out": len(held_out),
        "held_out_gain": held_out.mean(),
        "num_left_out": int(cells["gain"].isna().sum()),
        "note": "; ".join(filter(None, notes)) if was_tuned else "nothing was tuned: one trial in every cell",
    }


def _verdict(gain: float, spread: float, may_lose: float | None) -> str:
    if gain < -ROUNDING and may_lose is not None:
        is_more = bool(-gain > may_lose + ROUNDING)
        more = f", more than search.within, {may_lose:g}, lets go on validation images" * is_more
        return f"the search traded Dice for cost: {abs(gain):.3f} of the test score was lost against the default{more}"
    if gain <= ROUNDING:
        return "tuning did not raise the mean score"
    return "the gain is smaller than the SD of one default training on one random split" if gain < spread else ""


def transfer(runs: pd.DataFrame, startup: int, within: float = 0.0) -> pd.DataFrame:
    """Would another split have picked the same hyperparameters? Per configuration, averaging and two kinds of split.

    Within a configuration and seed, over ordered pairs of splits (a, b): a's choice is the common point that the
    search's rule takes there (see `tuned_trials`), and it is used on b. Splits lacking the objective of a common point
    are left out; points without an objective on any split are no common points.

    from_kind, to_kind          kinds of a and b
    num_points, num_pairs       common points (fewest over seeds); pairs over all seeds
    share_same, share_by_chance of pairs with the same choice, and 1 / num_points
    validation_regret           mean of the objective on b of b's own choice less that of a's choice; never negative
                                where the Dice alone counts
    test_regret                 mean of the macro test Dice on b of b's own choice less that of a's choice;
                                largest_test_regret: its maximum. Both can be negative: selection is blind to the test
    num_undefined               pairs without a test regret: a score is undefined
    tau                         mean Kendall's tau-b between the objectives on a and on b

    Raises ValueError where trials below `startup` are not the same point on every split.
    """
    common, averagings = _common(runs, startup), runs["averaging"].unique()
    pairs, scores = _pairs(common, within), _scores(common)
    pairs = pairs[pairs["a"] != pairs["b"]]
    macro, rows = scores[scores["class"] == MACRO], []
    for key, group in runs.groupby(CONFIGURATION, sort=False):
        configuration = dict(zip(CONFIGURATION, key, strict=True))
        own = of_configuration(pairs, *key)
        for averaging in averagings:
            regrets = _with_test_regret(own, macro[macro["averaging"] == averaging])
            for kinds in itertools.product(group["split_kind"].unique(), repeat=2):
                of_kinds = regrets[(regrets["from_kind"] == kinds[0]) & (regrets["to_kind"] == kinds[1])]
                place = {"averaging": averaging, "from_kind": kinds[0], "to_kind": kinds[1]}
                found = _transfer_row(of_kinds) if len(of_kinds) else {"num_pairs": 0}
                note = "" if len(of_kinds) else _why_no_pairs(of_configuration(common, *key), kinds)
                rows.append(configuration | place | found | {"note": note})
    columns = [*CONFIGURATION, "averaging", "from_kind", "to_kind", *_TRANSFER, "note"]
    return pd.DataFrame(rows).reindex(columns=columns)


_TRANSFER = ["num_points", "num_pairs", "share_same", "share_by_chance", "validation_regret", "test_regret"]
_TRANSFER += ["largest_test_regret", "num_undefined", "tau"]


def _common(runs: pd.DataFrame, startup: int) -> pd.DataFrame:
    """The rows of the common points."""
    common = runs[runs["index"] < startup]
    values = common.groupby([*CONFIGURATION, "index"], sort=False)["point"].nunique()
    differing = values.index[values > 1]
    if len(differing):
        model, loss, index = differing[0]
        raise ValueError(f"trial {index} of {model}, {loss} is not the same point on every split: startup is too large")
    return common


def _objectives(common: pd.DataFrame) -> pd.DataFrame:
    """Objectives of one configuration and seed: one column per point, one row per split that has all of them."""
    wide = trials_of(common).pivot(index=["split_kind", "split"], columns="index", values="objective")
    return wide.dropna(axis=1, how="all").dropna()


_PAIR = ["from_kind", "a", "to_kind", "b", "num_points", "same", "validation_regret", "tau", "chosen", "best"]


def _pairs(common: pd.DataFrame, within: float = 0.0) -> pd.DataFrame:
    """One row per configuration, seed and ordered pair of splits, a = b included: the columns of _PAIR.

    `chosen` and `best` are the ids of the trials on b at a's and at b's choice.
    """
    rows = []
    for key, group in common.groupby([*CONFIGURATION, "seed"], sort=False):
        wide = _objectives(group)
        if wide.shape[1] < 2:
            continue
        trials = trials_of(group).set_index(["split", "index"])["trial"]
        scores, choice = wide.to_numpy(float), _choices(wide, group, within)
        for (i, (kind, a)), (j, (other, b)) in itertools.product(enumerate(wide.index), repeat=2):
            regret, tau = scores[j, choice[j]] - scores[j, choice[i]], mean_tau(scores[[i, j]])
            chosen, best = (trials[b, wide.columns[choice[split]]] for split in (i, j))
            rows.append((*key, kind, a, other, b, wide.shape[1], choice[i] == choice[j], regret, tau, chosen, best))
    return pd.DataFrame(rows, columns=[*CONFIGURATION, "seed", *_PAIR])


def _choices(wide: pd.DataFrame, group: pd.DataFrame, within: float) -> list[int]:
    """For each row of `_objectives`, the column that the search's rule takes."""
    of_wide = group[group["index"].isin(wide.columns)]
    chosen = of_wide[of_wide["trial"].isin(tuned_trials(of_wide, within)["trial"])].drop_duplicates("split")
    index_of = chosen.set_index("split")["index"]
    return [int(wide.columns.get_loc(index_of[split])) for split in wide.index.get_level_values("split")]


def _with_test_regret(pairs: pd.DataFrame, macro: pd.DataFrame) -> pd.DataFrame:
    """The pairs with their `test_regret`, NaN where one of the two has no macro score."""
    by_trial = macro.set_index("trial")["dice"]
    chosen, best = (by_trial.reindex(pairs[name]).to_numpy(float) for name in ("chosen", "best"))
    return pairs.assign(test_regret=best - chosen)


def _transfer_row(pairs: pd.DataFrame) -> dict[str, Any]:
    means = pairs[["validation_regret", "test_regret", "tau"]].mean()
    return {
        "num_points": int(pairs["num_points"].min()),
        "num_pairs": len(pairs),
        "share_same": float(pairs["same"].mean()),
        "share_by_chance": float((1 / pairs["num_points"]).mean()),
        **means,
        "largest_test_regret": pairs["test_regret"].max(),
        "num_undefined": int(pairs["test_regret"].isna().sum()),
    }


def _why_no_pairs(common: pd.DataFrame, kinds: tuple[str, str]) -> str:
    points = common.dropna(subset="objective")["index"].nunique()
    if points < 2:
        return f"nothing to transfer: {points} common point{'s' * (points != 1)} with an objective"
    named = " or ".join(dict.fromkeys(kinds)).replace("_", "-")
    return f"no pairs: too few {named} splits have the objective of every common point"


def tuning_shares(runs: pd.DataFrame, startup: int) -> pd.DataFrame:
    """What moves the test Dice on random splits: the hyperparameters, the split, or the rest?

    One row per configuration, averaging and class, macro included: share_point, share_split, share_residual and
    share_seed (part of the residual) of the balanced two-way random-effects analysis of `stability.variance_shares`,
    common points x splits x seeds; with residual_sd, num_points, num_splits and num_seeds. Points without a score on
    any random split are left out. Raises ValueError as `transfer` does.
    """
    common, rows = _common(runs, startup), []
    for key, own in common[common["split_kind"] == "random"].groupby(CONFIGURATION, sort=False):
        scored = own.groupby("index")["dice"].transform("count") > 0
        # A point takes the place of a configuration, in the analysis as in what it refuses.
        points = with_macro(own[scored].assign(loss=own["index"]))
        for place, scores in points.groupby(SCORE, sort=False, observed=True):
            found = components(balanced(scores))
            found |= {"note": found["note"].replace("configuration", "point")}
            rows.append(dict(zip([*CONFIGURATION, *SCORE], (*key, *place), strict=True)) | found)
    names = {"num_configurations": "num_points", "share_configuration": "share_point"}
    counts, shares = ["num_points", "num_splits", "num_seeds"], ["point", "split", "residual", "seed"]
    columns = [*CONFIGURATION, *SCORE, *counts, *(f"share_{name}" for name in shares), "residual_sd", "note"]
    return pd.DataFrame(rows).rename(columns=names).reindex(columns=columns)
