"""How much of a choice's score is luck? What is best on average over the splits is so partly by chance.

Two questions, two answers.

What is the rule "take what is best on average over the splits" worth? Each split is left out in turn: the other splits
choose, and the split left out, which had no say, scores (cross-validation of the whole procedure: Stone 1974). The mean
of these scores is fair: on average it is what a choice by one split fewer is worth on one more split of these images.
What the choice of all splits scores on these very splits beyond that is the rule's optimism. The differences of two
splits hang on one choice even where the splits share nothing, so their interval is Nadeau and Bengio's with a ratio of
LEAST_RATIO at least.

How much of one study's lead is luck? That the optimism does not tell: where all candidates are equal it is large in
the very studies whose winner leads by little, and 0 where the winner leads by much, which is then all luck. So the lead
over the second is drawn towards 0 by the share of its square that chance alone would give, its variance over it (the
shrinkage of James & Stein 1961, for one difference). The variance is Nadeau and Bengio's, so that it speaks of other
images, too. Drawing all candidates towards their mean would do better where they are alike, and fails where they come
in groups, such as the losses of two networks.

`benchmarks/validity_choices.py` has what both are worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.classes import MACRO
from analysis.scores import CONFIGURATION, RANDOM, ROUNDING, Floats, by_split, count_of, of_kind
from analysis.statistics.luck import scored_trials
from analysis.statistics.paired import interval_of_difference, interval_refusal, nadeau_bengio
from study.summary import MIN_SPLITS_FOR_SD

LEAST_RATIO = 0.25
"""Images tested over images left to training, as the interval takes them."""
_DECIMALS = 12
"""Of means that are compared: candidates with equal ones are as good as each other, and the first is taken."""
_OF_RULE = ["optimism", "low", "high", "share_same"]
OF_BEST = ["averaging", "num_configurations", "num_splits", *CONFIGURATION, "mean", "left_out_mean", *_OF_RULE]
OF_BEST += ["lead", "lead_luck", "note"]
OF_POINT = [*CONFIGURATION, "num_points", "num_splits", "index", "validation", "left_out_validation", *_OF_RULE]
OF_POINT += ["test", "left_out_test", "note"]


@dataclass(frozen=True, eq=False)
class Choice:
    """The order of C candidates by their mean over S splits, and without each of them. Arrays may have axes before."""

    by_all_C: NDArray[np.int64]
    """The places of the candidates, the best first."""
    by_others_SC: NDArray[np.int64]
    """The same without each split."""

    @classmethod
    def by(cls, scores_SC: Floats) -> Choice:
        total = scores_SC.sum(axis=-2, keepdims=True)
        return cls(_order(total[..., 0, :]), _order(total - scores_SC))

    def of_all(self, scores_SC: Floats, rank: int = 0) -> Floats:
        """On each split the score of the candidate at this rank by all splits."""
        return np.take_along_axis(scores_SC, self.by_all_C[..., None, rank, None], axis=-1)[..., 0]

    def of_others(self, scores_SC: Floats, rank: int = 0) -> Floats:
        """On each split the score of the candidate at this rank by the other splits."""
        return np.take_along_axis(scores_SC, self.by_others_SC[..., rank, None], axis=-1)[..., 0]

    @property
    def share_same(self) -> float:
        """Of the splits: those without which the same candidate is chosen."""
        return float(np.mean(self.by_others_SC[..., 0] == self.by_all_C[..., None, 0]))


def luck_in_lead(leads_S: Floats, test_to_train: float) -> Floats:
    """Of the mean lead over S splits (the last axis), 0 or above."""
    lead, error, _ = nadeau_bengio(leads_S, test_to_train)
    return np.asarray(np.minimum(lead, error**2 / np.maximum(lead, ROUNDING)))


def _order(totals: Floats) -> NDArray[np.int64]:
    return np.argsort(-np.round(totals, _DECIMALS), axis=-1, kind="stable")


def luck_of_best(table: pd.DataFrame, test_to_train: float | None) -> pd.DataFrame:
    """The configuration with the highest mean of the classes over random splits: a row per averaging.

    num_configurations     with a score on all `num_splits` random splits; others are not among the candidates
    model, loss, mean      the highest mean over the splits, seeds averaged first
    left_out_mean          the mean over splits of what the others choose: what the rule is worth
    optimism, low, high    mean - left_out_mean, with the interval of `interval_of_optimism`
    share_same             of the splits: those without which the same is chosen
    lead, lead_luck        the mean less that of the second, and `luck_in_lead`; undefined without test_to_train
    note                   why there are no numbers
    """
    wide = of_kind(by_split(table), RANDOM).xs(MACRO, level="class")
    rows = [
        {"averaging": averaging} | _of_best(scores.droplevel("averaging").dropna(), test_to_train)
        for averaging, scores in wide.groupby("averaging", sort=False)
    ]
    return pd.DataFrame(rows).reindex(columns=OF_BEST)


def _of_best(scores: pd.DataFrame, test_to_train: float | None) -> dict[str, Any]:
    """:param scores: configuration x split, all defined."""
    found: dict[str, Any] = {"num_configurations": len(scores), "num_splits": scores.shape[1]}
    if note := _too_few(len(scores), "configurations with a score on every random split", scores.shape[1]):
        return found | dict.fromkeys(CONFIGURATION, "") | {"note": note}
    scores_SC = scores.to_numpy(float).T
    choice = Choice.by(scores_SC)
    first, left_out = choice.of_all(scores_SC), choice.of_others(scores_SC)
    leads = first - choice.of_all(scores_SC, 1)
    luck = np.nan if test_to_train is None else float(luck_in_lead(leads, test_to_train))
    found |= dict(zip(CONFIGURATION, scores.index[choice.by_all_C[0]], strict=True))
    found |= {"mean": first.mean(), "left_out_mean": left_out.mean()}
    found |= _of_rule(scores_SC, choice, test_to_train)
    return found | {"lead": leads.mean(), "lead_luck": luck}


def luck_of_common_point(runs: pd.DataFrame, startup: int, test_to_train: float | None) -> pd.DataFrame:
    """One point for all cells, the best on average: a row per configuration. `runs` as in `search`.

    Candidates are the common points (index below `startup`), chosen by their mean validation objective over the random
    splits, seeds averaged first. Splits that lack the objective of one are left out; points without any are none.

    num_splits, num_points, index   of the splits, the points, and the one that is chosen
    validation, left_out_validation   its mean objective, and that of what the other splits choose on each
    optimism to share_same   as in `luck_of_best`
    test, left_out_test    the mean test Dice (as `luck` has it) of the same choices; undefined where one has none
    note                   why there are no numbers
    """
    trials = scored_trials(runs)
    common = trials[(trials["split_kind"] == RANDOM) & (trials["index"] < startup)]
    rows = [
        dict(zip(CONFIGURATION, key, strict=True)) | _of_point(own, test_to_train)
        for key, own in common.groupby(CONFIGURATION, sort=False)
    ]
    return pd.DataFrame(rows).reindex(columns=OF_POINT)


def _of_point(trials: pd.DataFrame, test_to_train: float | None) -> dict[str, Any]:
    objective, dice = (_by_point(trials, name) for name in ("objective", "dice"))
    objective = objective.dropna(axis=1, how="all").dropna()
    found: dict[str, Any] = {"num_splits": len(objective), "num_points": objective.shape[1]}
    if note := _too_few(objective.shape[1], "common points with an objective", len(objective)):
        return found | {"note": note}
    objective_SC = objective.to_numpy(float)
    dice_SC = dice.reindex(index=objective.index, columns=objective.columns).to_numpy(float)
    choice = Choice.by(objective_SC)
    first, left_out = choice.of_all(objective_SC), choice.of_others(objective_SC)
    found |= {"index": int(objective.columns[choice.by_all_C[0]])}
    found |= {"validation": first.mean(), "left_out_validation": left_out.mean()}
    found |= {"test": choice.of_all(dice_SC).mean(), "left_out_test": choice.of_others(dice_SC).mean()}
    return found | _of_rule(objective_SC, choice, test_to_train)


def _by_point(trials: pd.DataFrame, name: str) -> pd.DataFrame:
    """Split x common point: the mean over seeds; none where a seed has none."""
    seeds = trials.groupby(["split", "index"], sort=False)[name]
    return seeds.mean().where(seeds.count() == seeds.size()).unstack("index").sort_index(axis=1)


def _too_few(num_candidates: int, what: str, num_splits: int) -> str:
    """Why nothing is said, or nothing."""
    if num_candidates < 2:
        return f"{count_of(num_candidates, what)}: nothing to choose from"
    if num_splits < MIN_SPLITS_FOR_SD:
        return f"{count_of(num_splits, 'random splits')}, fewer than {MIN_SPLITS_FOR_SD}"
    return ""


def _of_rule(scores_SC: Floats, choice: Choice, test_to_train: float | None) -> dict[str, Any]:
    """The columns of _OF_RULE, and why there is no interval."""
    beyond = choice.of_all(scores_SC) - choice.of_others(scores_SC)
    found = {"optimism": beyond.mean(), "low": np.nan, "high": np.nan, "share_same": choice.share_same, "note": ""}
    if refusal := interval_refusal(beyond, test_to_train):
        return found | {"note": refusal.reason}
    low, high = interval_of_optimism(beyond, test_to_train or 0.0)
    return found | {"low": low, "high": high}


def interval_of_optimism(beyond_S: Floats, test_to_train: float) -> tuple[float, float]:
    """`interval_of_difference` of what each split's score of the choice has beyond that of what the others choose."""
    return interval_of_difference(beyond_S, max(LEAST_RATIO, test_to_train))
