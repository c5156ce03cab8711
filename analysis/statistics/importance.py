"""Which hyperparameter mattered for the validation objective?

By two evaluators, as neither is the truth: PED-ANOVA (Watanabe et al. 2023), where the best tenth of the trials lies,
and, where scikit-learn is installed, fANOVA (Hutter et al. 2014), what a random forest says of all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.scores import CELL, CONFIGURATION, of_configuration
from analysis.statistics.search import hyperparameters, trials_of
from analysis.statistics.spread import Refusal
from study.definition.space import Choices, Range

if TYPE_CHECKING:
    import optuna

PED_ANOVA, FANOVA = "PED-ANOVA", "fANOVA"
TOP_QUANTILE = 0.1  # PED-ANOVA asks what the best tenth of the trials have in common
MIN_TOP_POINTS = 5  # fewer make it unstable, as optuna's documentation warns
MIN_POINTS, ROUGH_BELOW = 20, 100
# 256 leaves per tree are plenty for a few keys, and keep the time of fANOVA, which grows faster than the leaves, to
# seconds at 10,000 trials. (Depth 64 and 64 trees, the defaults, give shares that differ by .03 at 1,000.)
FOREST = {"n_trees": 32, "max_depth": 8}


Space = Mapping[str, Range | Choices]


def importance(runs: pd.DataFrame, space: Space, seed: int = 0) -> pd.DataFrame:
    """One row per configuration and evaluator; `runs` as in `analysis.statistics.search`, `space` what was searched.

    model.width, ...        per searched key its importance, on a logarithmic scale if it was searched so; the sum is 1
    num_trials, num_cells   trials with an objective, pooled over the cells with at least two of them. Each cell's mean
                            objective is subtracted, so that a split's difficulty is not an effect.
    num_points              distinct ones among them: a common point tried in every cell is still one point
    """
    judged = trials_of(runs).dropna(subset="objective")
    judged = judged[judged.groupby(CELL)["trial"].transform("size") > 1]
    effect = judged["objective"] - judged.groupby(CELL)["objective"].transform("mean")
    judged = judged.assign(effect=effect.round(9), **hyperparameters(judged))
    rows = []
    for key in runs[CONFIGURATION].drop_duplicates().itertuples(index=False, name=None):
        own = of_configuration(judged, *key)
        num_points = _num_points(own)
        study = cache(partial(_optuna_study, own, space))  # where one is needed, made once
        sizes = {"num_trials": len(own), "num_cells": len(own[CELL].drop_duplicates()), "num_points": num_points}
        for evaluator in _evaluators():
            refusal = _importance_refusal(own, space, evaluator)
            found = dict.fromkeys(space, np.nan) if refusal else _importances(study(), space, evaluator, seed)
            rough = f"importances of {num_points} points are rough" if num_points < ROUGH_BELOW else ""
            place = {**dict(zip(CONFIGURATION, key, strict=True)), "evaluator": evaluator, **sizes}
            rows.append(place | found | {"note": refusal.reason if refusal else rough})
    return pd.DataFrame(rows)


def _evaluators() -> list[str]:
    return [PED_ANOVA, FANOVA] if find_spec("sklearn") else [PED_ANOVA]


def _num_points(trials: pd.DataFrame) -> int:
    return len(trials["point"].drop_duplicates())


def _importance_refusal(trials: pd.DataFrame, space: Space, evaluator: str) -> Refusal | None:
    num_points, effect = _num_points(trials), trials["effect"]
    if num_points < MIN_POINTS:
        return Refusal(f"no importances: {num_points} points, fewer than {MIN_POINTS}")
    for name in space:
        if trials[name].nunique() == 1:
            return Refusal(f"no importances: {name} has the same value in every trial")
    if effect.nunique() == 1:
        return Refusal("no importances: the objective is the same in every trial of a cell")
    if evaluator == FANOVA:
        return None
    top = trials[effect >= effect.nlargest(math.ceil(TOP_QUANTILE * len(trials))).min()]
    if len(top) == len(trials):
        return Refusal("no importances: too many trials are equally bad to tell a best tenth")
    if _num_points(top) < MIN_TOP_POINTS:
        return Refusal(f"no importances: the best tenth is {_num_points(top)} points, fewer than {MIN_TOP_POINTS}")
    return None


def _optuna_study(trials: pd.DataFrame, space: Space) -> optuna.Study:
    """The trials, each with its `effect` as what was to be maximised."""
    import optuna

    tried, distributions = pd.DataFrame(index=trials.index), dict[str, optuna.distributions.BaseDistribution]()
    for name, dimension in space.items():
        if isinstance(dimension, Choices):
            tried[name] = trials[name]
            distributions[name] = optuna.distributions.CategoricalDistribution(dimension.choices)
        else:  # fANOVA would undo a logarithmic distribution
            values = trials[name].astype(float)
            tried[name] = np.log(values) if dimension.log else values
            ends = float(tried[name].min()), float(tried[name].max())
            distributions[name] = optuna.distributions.FloatDistribution(*ends)
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every study
    try:
        study = optuna.create_study(direction="maximize")
    finally:
        optuna.logging.set_verbosity(before)
    for params, effect in zip(tried.to_dict("records"), trials["effect"], strict=True):
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=float(effect)))
    return study


def _importances(study: optuna.Study, space: Space, evaluator: str, seed: int) -> dict[str, float]:
    """The importance of every hyperparameter for a high `effect`; they sum to 1."""
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

    ped_anova = PedAnovaImportanceEvaluator(target_quantile=TOP_QUANTILE)
    chosen = ped_anova if evaluator == PED_ANOVA else FanovaImportanceEvaluator(**FOREST, seed=seed)
    found = get_param_importances(study, evaluator=chosen)
    return {name: float(found[name]) for name in space}
