"""What a gate is asked: its limits, the rows of scores that they are set to, and the splits that each is about."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.axes import by_axis
from analysis.classes import MACRO, NOT_OBJECTS
from analysis.errors import AnalysisError
from analysis.metric import Metric
from analysis.scores import Scores
from analysis.statistics.limits import LIMITS, MAX_GAP, MIN_DICE, MIN_SCORE
from analysis.tidy import known_class
from trainers.data.class_names import BACKGROUNDS

Question = tuple[str, float, str, "pd.Index[Any]"]
"""A limit, its value, the axis whose held-out splits it is about (else empty), and its columns of `by_split`."""
MEAN = "macro"  # what a command line calls MACRO, where no class is called so


def refuse_simulated(scores: Scores) -> None:
    """Raises AnalysisError if the scores were drawn."""
    if scores.simulated:
        raise AnalysisError(
            f"{scores.source} holds simulated scores, which say nothing about any model: check a study that was "
            "trained, or add --simulated to try out the gate itself"
        )


def asked_limits(max_gap: float | None, max_sd: float | None, min_dice: float | None) -> dict[str, float]:
    """The limits that are asked for. Raises AnalysisError if there are none, or for an impossible one."""
    limits = dict(zip(LIMITS, (max_gap, max_sd, min_dice), strict=True))
    asked = {name: _valid_limit(name, value) for name, value in limits.items() if value is not None}
    if not asked:
        raise AnalysisError(
            "no limit to check: give at least one of --max-gap, --max-sd, --min-dice (of any metric: --min-score)"
        )
    return asked


def _valid_limit(name: str, value: float) -> float:
    if not math.isfinite(value) or not 0 <= value <= 1:
        raise AnalysisError(f"--{name} {value:g} is not a limit for a score: give a number from 0 to 1")
    return value


def limit_name(limit: str, metric: Metric) -> str:
    """As it is shown."""
    return MIN_SCORE if limit == MIN_DICE and not metric.is_dice else limit


def questions_of(asked: Mapping[str, float], wide: pd.DataFrame, table: pd.DataFrame) -> list[Question]:
    """Every limit that is asked for; of several axes the gap of each."""
    return [
        (name, limit, axis, of_axis)
        for name, limit in asked.items()
        for axis, of_axis in (_gaps(wide, table) if name == MAX_GAP else {"": wide.columns}).items()
    ]


def _gaps(wide: pd.DataFrame, table: pd.DataFrame) -> dict[str, pd.Index[Any]]:
    """Axis -> the columns of `wide` for its gap: the random splits, and those that hold out this axis."""
    splits = wide.columns.get_level_values("split")
    return {axis: wide.columns[splits.isin(part["split"].unique())] for axis, part in by_axis(table).items()}


def rows_to_check(scores: Scores, wide: pd.DataFrame, asked: Mapping[str, str | None]) -> NDArray[np.bool_]:
    """Which rows of `by_split` are to be checked. Raises AnalysisError for a name that is not there."""
    levels = {name: wide.index.get_level_values(name) for name in asked}
    wanted = dict(asked)
    if (class_ := asked["class"]) is not None and class_ not in levels["class"]:
        known = BACKGROUNDS[0] if class_ == scores.background else known_class(class_)
        wanted["class"] = MACRO if class_ == MEAN else _background_of(levels["class"], known)
    for name, value in wanted.items():
        if value is not None and value not in levels[name]:
            there = ", ".join(dict.fromkeys(map(str, levels[name])))
            raise AnalysisError(f"{scores.source} has no {name} {value!r}; it has {there}")
    usual = ~levels["class"].isin([name for name in NOT_OBJECTS if name != MACRO]) | (wanted["class"] is not None)
    usual &= levels["averaging"].isin(("pw", "ew")) | (wanted["averaging"] is not None)
    for name, value in wanted.items():
        usual &= (levels[name] == value) | (value is None)
    if not usual.any():
        raise AnalysisError(
            f"{scores.source} has no scores to check of classes under pw or ew; name another --averaging"
        )
    return np.asarray(usual, bool)


def _background_of(there: pd.Index[Any], class_: str) -> str:
    """A background by the name that it has there; any other class as it is."""
    return next((name for name in BACKGROUNDS if name in there), class_) if class_ in BACKGROUNDS else class_
