"""The gate: are the scores as steady as asked? Every limit on every (configuration, averaging, class) is one check.

`analysis.statistics.limits` says how a check is decided.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.asked import Question, asked_limits, limit_name, questions_of, refuse_simulated, rows_to_check
from analysis.errors import AnalysisError
from analysis.gate_answer import CANNOT_TELL, NEEDED, STABLE, UNSTABLE, GateAnswer, how_decided
from analysis.scores import (
    CELL,
    KINDS,
    RANDOM,
    Configuration,
    Scores,
    by_split,
    configurations,
    of_kind,
    with_macro,
)
from analysis.statistics.comparison import ALPHA
from analysis.statistics.limits import (
    FAILED,
    MAX_GAP,
    OPEN,
    Estimate,
    unanswerable,
)
from analysis.statistics.seeds_and_rounding import one_seed_held_out, over_seeds, units_by_row
from analysis.statistics.spread import equal_refusal, without_score
from analysis.statistics.training import not_settled, settling


def check(
    scores: Scores,
    *,
    max_gap: float | None = None,
    max_sd: float | None = None,
    min_dice: float | None = None,
    model: str | None = None,
    loss: str | None = None,
    class_: str | None = None,
    averaging: str | None = None,
    simulated: bool = False,
) -> GateAnswer:
    """Whether scores keep within limits, for every configuration, averaging (pw and ew), class, and their mean.

    :param max_gap: of the mean over random splits less the mean over held-out splits; of several axes, each by itself.
    :param max_sd: of the standard deviation over random splits.
    :param min_dice: of the mean over random splits, by whatever metric.
    :param model, loss, class_, averaging: check these only; `all`, `bg` and `pooled` are checked only if named. The
        class `macro` is the mean over the classes, unless a class is called so.
    :param simulated: judge simulated scores, too; else they are refused.
    :raises AnalysisError: no limit, an impossible one, a name that the scores do not have, or simulated scores.
    """
    if not simulated:
        refuse_simulated(scores)
    asked = asked_limits(max_gap, max_sd, min_dice)
    wide = by_split(scores.table)
    num_random = of_kind(wide, RANDOM).shape[1]
    alpha = ALPHA * (scores.looks.share_at(num_random) if scores.looks else 1)
    if not alpha:
        raise AnalysisError(
            f"{scores.source}: the looks at it have spent the error that is allowed, and {num_random} random splits "
            "were none of them: take the splits of the last look, or run a new study in another --out"
        )
    rows = rows_to_check(scores, wide, {"model": model, "loss": loss, "class": class_, "averaging": averaging})
    diverged = diverged_trials(scores)
    absent = {each: why for each, why in _absent(scores, diverged).items() if asked_for(each, model, loss)}
    there = set(configurations(wide[rows].index.to_frame()))
    questions = questions_of(asked, wide, scores.table)
    checks = [
        *(_divergence(scores, each, ids) for each, ids in diverged.items() if asked_for(each, model, loss)),
        *_checks(questions, scores.table, wide, rows, absent, alpha),
        *(
            _place(name, *each, axis=axis) | _open(limit, why)
            for each, why in absent.items()
            if each not in there
            for name, limit, axis, _ in questions
        ),
    ]
    frame = pd.DataFrame(checks)
    frame["limit"] = frame["limit"].map(lambda limit: limit_name(limit, scores.metric))
    trained = not_settled(settling(scores.facts)) if scores.facts else ""
    one_seed = MAX_GAP in asked and one_seed_held_out(scores.table)
    how = how_decided(scores, num_random, alpha, max(1, int(rows.sum()) * len(questions)), one_seed_held_out=one_seed)
    return GateAnswer(_status(frame["decision"]), frame, how, scores.simulated, trained, scores.metric)


def _checks(
    questions: Sequence[Question],
    table: pd.DataFrame,
    wide: pd.DataFrame,
    rows: NDArray[np.bool_],
    absent: Mapping[Configuration, str],
    alpha: float,
) -> Iterator[dict[str, Any]]:
    """A row for each question on each of these rows of `wide`. `absent` says why a configuration's scores are not all
    there."""
    trained, units = with_macro(table), units_by_row(table, wide.index)
    num_checks = int(rows.sum()) * len(questions)
    for name, limit, axis, columns in questions:
        unscored = without_score(wide[columns])
        random, held_out = (of_kind(wide[columns], kind).to_numpy(float) for kind in KINDS)
        (within, num_seeds), (within_held_out, num_held_out) = over_seeds(trained, columns)
        for row in np.flatnonzero(rows):
            on_random, on_held_out, lacking = random[row], held_out[row], unscored[row]
            place = _place(name, *map(str, wide.index[row])) | {"axis": axis}
            why = absent.get((place["model"], place["loss"])) or unanswerable(name, on_random, on_held_out, lacking)
            if why:
                yield place | _open(limit, why)
            else:
                seeds = float(num_seeds[row]), float(num_held_out[row])
                scored = (name, limit, on_random, on_held_out, alpha, num_checks, float(units[row]), seeds)
                estimate = Estimate(*scored, float(within[row]), float(within_held_out[row]))
                equal = equal_refusal(on_random) if math.isnan(estimate.interval[0]) else None
                yield place | _decided(estimate) | {"note": equal.reason if equal else ""}


def _place(limit: str, model: str, loss: str, averaging: str = "", class_: str = "", axis: str = "") -> dict[str, Any]:
    return {"limit": limit, "model": model, "loss": loss, "averaging": averaging, "class": class_, "axis": axis}


def asked_for(configuration: Configuration, model: str | None, loss: str | None) -> bool:
    return model in (None, configuration[0]) and loss in (None, configuration[1])


def _absent(scores: Scores, diverged: Mapping[Configuration, list[str]]) -> dict[Configuration, str]:
    """Why a configuration's scores are not all there; nothing is averaged around."""
    missing: dict[Configuration, list[str]] = defaultdict(list)
    for name in scores.missing:
        model, loss, _, _ = scores.cells[name]
        missing[model, loss].append(name)
    remedy = "run the study again" if scores.facts else "complete the table"
    found = {of: f"{len(trials)} diverged, so its scores are not of all splits" for of, trials in diverged.items()}
    return found | {of: f"{len(ids)} missing, {ids[0]} for one: {remedy}" for of, ids in missing.items()}


def diverged_trials(scores: Scores) -> dict[Configuration, list[str]]:
    """The failed trials of each configuration in whose place the cell has no score."""
    scored = set(scores.table[CELL].drop_duplicates().itertuples(index=False, name=None))
    found: dict[Configuration, list[str]] = defaultdict(list)
    for trial in scores.failed:
        model, loss, _, _ = cell = scores.cells[trial]
        if cell not in scored:
            found[model, loss].append(trial)
    return found


def _divergence(scores: Scores, configuration: Configuration, trials: Sequence[str]) -> dict[str, Any]:
    """A training that diverged is unsteady by any limit: one failed check for the configuration."""
    value = dict.fromkeys(("value", "low", "high"), float(len(trials))) | {"bound": 0.0, "decision": FAILED}
    note = "; ".join(f"{trial}: {scores.failed[trial]}" for trial in trials)
    return _place("diverged", *configuration) | value | dict.fromkeys(NEEDED, np.nan) | {"note": note}


def _decided(estimate: Estimate) -> dict[str, Any]:
    low, high = estimate.interval
    row = {"value": estimate.value, "low": low, "high": high, "bound": estimate.bound, "decision": estimate.decision}
    can_be_told = estimate.decision == OPEN and not math.isnan(low)
    anew = replace(estimate, alpha=ALPHA)  # a look spends less, but a study that was looked at cannot just be grown
    needed = anew.splits_needed() if can_be_told else np.nan
    of_each = anew.splits_of_each_needed() if can_be_told and math.isnan(needed) else np.nan
    return row | dict(zip(NEEDED, (needed, of_each), strict=True))


def _open(limit: float, why: str) -> dict[str, Any]:
    """A check of what cannot be known."""
    unknown = dict.fromkeys(("value", "low", "high", *NEEDED), np.nan)
    return unknown | {"bound": limit, "decision": OPEN, "note": why}


def _status(decisions: pd.Series[Any]) -> int:
    if (decisions == FAILED).any():
        return UNSTABLE
    return CANNOT_TELL if (decisions == OPEN).any() else STABLE
