"""Every cell's search as an Optuna study, which optuna-dashboard opens."""

from __future__ import annotations

import warnings
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from analysis.errors import AnalysisError
from analysis.export.kept import NAMING, Kept, KeptTrial
from study.cells import parse_trial
from study.definition import Definition
from study.definition.space import Choices, Range
from study.selection import cost_column

_OF_A_CELL = ("model", "loss", "split", "split_kind", "axis", "seed", "simulated")
_FACTS = (*NAMING, "status", "error", "parameters", "gflops", "simulated")


def write(kept: Kept, place: str) -> int:
    """A study for each cell, called as the cell; its trials in the order of their indices, as far as they are done."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    column, distributions = cost_column(kept.definition.search.objectives), distributions_of(kept.definition)
    num_new, studies = 0, dict[str, optuna.Study]()
    try:
        storage = optuna.storages.get_storage(place)
        there = _there(storage, kept)
        kept.refuse_others(place, there)
        for trial in kept.trials(without=there):
            if trial.cell not in studies:
                studies[trial.cell] = _study_of(trial, storage, column)
            studies[trial.cell].add_trial(_made(trial, column, distributions))
            num_new += 1
    except AnalysisError:
        raise
    except Exception as error:  # whatever the storage raises
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise AnalysisError(f"{place} takes no Optuna study: {said}") from None
    return num_new


def _there(storage: optuna.storages.BaseStorage, kept: Kept) -> dict[str, str | None]:
    """Trial -> which training it is of, of the trials in the studies of these cells."""
    cells = {parse_trial(trial).cell.id for trial in kept.rows}
    studies = [
        optuna.load_study(study_name=name, storage=storage)
        for name in sorted(cells.intersection(optuna.get_all_study_names(storage)))
    ]
    attributes = [trial.user_attrs for study in studies for trial in study.get_trials(deepcopy=False)]
    return {each["trial"]: each.get("training") for each in attributes if "trial" in each}


def _study_of(trial: KeptTrial, storage: optuna.storages.BaseStorage, column: str | None) -> optuna.Study:
    """The study of a trial's cell.

    :param column: of `trials`, the cost that is searched for as well, if one is.
    """
    directions = [StudyDirection.MAXIMIZE, *[StudyDirection.MINIMIZE] * (column is not None)]
    study = optuna.create_study(storage=storage, study_name=trial.cell, directions=directions, load_if_exists=True)
    with warnings.catch_warnings(action="ignore", category=optuna.exceptions.ExperimentalWarning):
        study.set_metric_names(["validation Dice", *([column] if column else [])])
    for name, value in trial.facts(_OF_A_CELL).items():
        study.set_user_attr(name, value)
    return study


def _made(trial: KeptTrial, column: str | None, distributions: dict[str, BaseDistribution]) -> FrozenTrial:
    row = trial.row
    values = [row["objective"], *([row[column]] if column else [])]
    is_judged = not trial.has_failed and all(value is not None for value in values)
    several = len(values) > 1
    state = TrialState.COMPLETE if is_judged else TrialState.FAIL
    if is_judged and row["rung"] is not None and not several:
        state = TrialState.PRUNED  # a beginning, which halving compared
    made = create_trial(
        state=state,
        values=values if is_judged else None,
        params=trial.point,
        distributions={key: distributions[key] for key in trial.point},
        user_attrs=_attributes(trial),
        intermediate_values={} if several else trial.curve("objective"),
    )
    if row["started"] is not None:
        made.datetime_start, made.datetime_complete = _local(row["started"]), _local(row["finished"])
    return made


def _local(time: datetime) -> datetime:
    """As Optuna has them: without a zone."""
    return time.astimezone().replace(tzinfo=None)


def _attributes(trial: KeptTrial) -> dict[str, Any]:
    scores = {f"test_dice_ew {name}": dice for averaging, name, dice in trial.test_scores() if averaging == "ew"}
    return {"trial": trial.id, "training": trial.training, **trial.facts(_FACTS), **scores}


def distributions_of(definition: Definition) -> dict[str, BaseDistribution]:
    """Searched key -> what it may be. Wide enough for the recipe's own value, which may lie outside of its range."""
    default = definition.default_point
    return {key: _distribution(space, default[key]) for key, space in definition.search.space.items()}


def _distribution(space: Range | Choices, own: Any) -> BaseDistribution:
    if isinstance(space, Choices):
        return CategoricalDistribution(space.choices)
    low, high = min(space.low, own), max(space.high, own)
    if isinstance(own, int) and space.step is None:
        return IntDistribution(int(low), int(high), log=space.log)
    return FloatDistribution(float(low), float(high), log=space.log)
