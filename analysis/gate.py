"""The gate: are the scores as steady as asked? Every limit on every (configuration, averaging, class) is one check.

`analysis.statistics.limits` says how a check is decided.
"""

from __future__ import annotations

import html
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.asked import Question, asked_limits, limit_name, questions_of, refuse_simulated, rows_to_check
from analysis.errors import AnalysisError
from analysis.metric import DICE, Metric
from analysis.scores import (
    CELL,
    KINDS,
    RANDOM,
    Configuration,
    Scores,
    by_split,
    configurations,
    count_of,
    listed,
    of_kind,
    with_macro,
)
from analysis.statistics.bounds import NOISE_OF_HELD_OUT, share_unseen
from analysis.statistics.comparison import ALPHA
from analysis.statistics.limits import (
    FAILED,
    MAX_GAP,
    MAX_SD,
    MET,
    MIN_DICE,
    MIN_SCORE,
    MOST_SPLITS,
    OPEN,
    POWER,
    Estimate,
    unanswerable,
)
from analysis.statistics.seeds_and_rounding import one_seed_held_out, over_seeds, units_by_row
from analysis.statistics.spread import equal_refusal, without_score
from analysis.statistics.training import not_settled, settling
from study.definition import SIMULATED
from study.looks import Looks
from trainers.printable import in_percent

STABLE, UNSTABLE, CANNOT_TELL = 0, 1, 3  # 2 is left to what could not be carried out
_IN_WORDS = {STABLE: "STABLE", UNSTABLE: "NOT STABLE", CANNOT_TELL: "CANNOT TELL"}
MOST_PLACES = 4  # that a line names, where several are alike
_NEEDED = ("splits_needed", "splits_of_each_needed")
_WHAT = {MAX_SD: "SD over random splits"} | dict.fromkeys((MIN_DICE, MIN_SCORE), "mean over random splits")


@dataclass(frozen=True)
class GateAnswer:
    """What the gate decided, and every check behind it."""

    status: int
    """0 stable: every check met. 1 not stable: at least one failed. 3 cannot tell: none failed, but some are open."""
    checks: pd.DataFrame
    """limit, model, loss, averaging, class, axis (of a gap's held-out splits), value, low, high (see the module), bound
    (the limit's value), decision (met, failed, open), splits_needed (random splits that would decide at the same value
    and spread; NaN: none would), splits_of_each_needed (where none would, of a gap: random splits and as many held-out
    ones), note."""
    how: str
    """How it was decided, and what that takes for granted."""
    simulated: bool = False
    """Whether the scores were drawn, not trained for."""
    training: str = ""
    """Says that training had not settled; empty where it had, or nothing is known of it."""
    metric: Metric = DICE
    """What the scores measure."""

    @property
    def headline(self) -> str:
        """STABLE, NOT STABLE or CANNOT TELL, and how many checks say so."""
        counts = self.checks["decision"].value_counts()
        counted = ", ".join(f"{counts.get(name, 0)} {name}" for name in (FAILED, OPEN, MET))
        return f"{_IN_WORDS[self.status]}: of {count_of(len(self.checks), 'checks')}, {counted}."

    def text(self) -> str:
        """The headline, a line for every check that is not met (one for all of which the same is said), and how it was
        decided."""
        lines = [line for name in (FAILED, OPEN) for line in _lines(_rows(self.checks, name))]
        return "\n".join([*self._warnings, self.headline, *lines, self.how])

    @property
    def _warnings(self) -> list[str]:
        """What must be read before the headline."""
        other = [f"The scores are of the {self.metric.in_full}."] * (not self.metric.is_dice)
        return [*[SIMULATED] * self.simulated, *other, *filter(None, [self.training])]

    def _repr_html_(self) -> str:
        how = " ".join([*self._warnings, self.how])
        return f"<p><strong>{html.escape(self.headline)}</strong> {html.escape(how)}</p>{self.checks._repr_html_()}"


def _how(scores: Scores, num_random: int, alpha: float, num_checks: int, *, one_seed_held_out: bool) -> str:
    """How it was decided, and what must be so for that to be right as often as is said."""
    passing, failing = in_percent(1 - alpha, 1), in_percent(1 - alpha / num_checks, 1)
    noise = (
        f"; that a training on a held-out split scatters at most {NOISE_OF_HELD_OUT:g} times as much as on a random one"
    )
    told = (
        "How this was decided: a score is not known exactly, so each value comes with the range in which the true "
        "one may lie. A limit is met if the whole range keeps it, failed if the whole range breaks it, and open if "
        f"the range reaches over it. (Its ends are one-sided bounds, of {passing} towards met and of {failing} "
        f"towards failed, as {count_of(num_checks, 'checks')} share the error.) The chance of saying STABLE although "
        f"some limit is truly broken, or NOT STABLE although all are truly kept, is {in_percent(alpha, 1)} at most if "
        "scores are about normal, lie near 1, or are rounded; if some lie far out on one side, it can be two to "
        "three times as much, and more among many checks (docs/explanation/validity.md). All that takes for granted "
        f"that the splits have shown what can happen{_unseen(num_random, alpha)}{noise * one_seed_held_out}. "
    )
    return told + _one_division(num_random) * scores.one_division + _looking(scores.looks, num_random)


def _unseen(num_random: int, alpha: float) -> str:
    if not num_random:
        return ""
    return (
        f": what comes in fewer than {in_percent(share_unseen(num_random, alpha))} of trainings, such as a collapse, "
        f"may be unseen in {count_of(num_random, 'random splits')}"
    )


def _one_division(num_random: int) -> str:
    return (
        f"All {count_of(num_random, 'random splits')} divide the images in the same way: what is judged is training's "
        "own chance on that division, and nothing is known of others. "
    )


def _looking(looks: Looks | None, num_random: int) -> str:
    if looks is None:
        return (
            "Who adds splits and checks again, until the answer is there, errs more often than that: `study run "
            "--until-decided` allows for it."
        )
    all_looks = f"all looks that were planned have {in_percent(ALPHA)} together"
    if looks.was_taken_at(num_random):
        chance = f"the chance is that of this look, and {all_looks}"
    else:
        chance = (
            f"{count_of(num_random, 'random splits')} were none of these looks: {all_looks}, and the chance is what "
            "they have left of it, for one check that is not repeated"
        )
    return (
        f"The study was looked at while it grew, at {looks.taken_in_words}; {chance}. Numbers of splits that would "
        "decide are those of a new study."
    )


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
    how = _how(scores, num_random, alpha, max(1, int(rows.sum()) * len(questions)), one_seed_held_out=one_seed)
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
    return _place("diverged", *configuration) | value | dict.fromkeys(_NEEDED, np.nan) | {"note": note}


def _decided(estimate: Estimate) -> dict[str, Any]:
    low, high = estimate.interval
    row = {"value": estimate.value, "low": low, "high": high, "bound": estimate.bound, "decision": estimate.decision}
    can_be_told = estimate.decision == OPEN and not math.isnan(low)
    anew = replace(estimate, alpha=ALPHA)  # a look spends less, but a study that was looked at cannot just be grown
    needed = anew.splits_needed() if can_be_told else np.nan
    of_each = anew.splits_of_each_needed() if can_be_told and math.isnan(needed) else np.nan
    return row | dict(zip(_NEEDED, (needed, of_each), strict=True))


def _open(limit: float, why: str) -> dict[str, Any]:
    """A check of what cannot be known."""
    unknown = dict.fromkeys(("value", "low", "high", *_NEEDED), np.nan)
    return unknown | {"bound": limit, "decision": OPEN, "note": why}


def _status(decisions: pd.Series[Any]) -> int:
    if (decisions == FAILED).any():
        return UNSTABLE
    return CANNOT_TELL if (decisions == OPEN).any() else STABLE


def _rows(checks: pd.DataFrame, decision: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = checks[checks["decision"] == decision].to_dict("records")
    return rows


def _what(row: Mapping[str, Any]) -> str:
    """What a limit is set to, e.g. `SD over random splits`, `gap random - held-out angle`."""
    return _WHAT.get(row["limit"]) or " ".join(filter(None, ("gap random - held-out", row["axis"])))


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each check with an interval, or for all checks of a limit that lack one for the same reason."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    for row in rows:
        place = " ".join(filter(None, (row["model"], row["loss"], row["averaging"], row["class"])))
        alike.setdefault(_said(row), []).append(place)
    for (before, after), places in alike.items():
        where = f"{len(places)} checks ({listed(places, MOST_PLACES)})" if len(places) > 1 else places[0]
        yield f"{before}{where}{after}"


def _said(row: Mapping[str, Any]) -> tuple[str, str]:
    """What a check's line says before and after the place that is checked."""
    decision, limit = row["decision"], f"{row['limit']} {row['bound']:g}, "
    if row["limit"] == "diverged":
        return f"{decision}: ", f": training diverged ({row['note']})"
    if math.isnan(row["value"]):
        of_axis = f", {row['axis']}" * bool(row["axis"])
        return f"{decision}: {limit}", f"{of_axis}: {row['note']}"
    measured = f": {_what(row)} {row['value']:z.3f}"
    if math.isnan(row["low"]):
        return f"{decision}: {limit}", f"{measured}; {row['note']}"
    measured += f" [{row['low']:z.3f}, {row['high']:z.3f}]"
    return f"{decision}: {limit}", measured + (f"; {_needed(row)}" if decision == OPEN else "")


def _needed(row: Mapping[str, Any]) -> str:
    random, of_each = (row[name] for name in _NEEDED)
    chance, held_out = f"with a probability of {in_percent(POWER)}", f"held-out {row['axis']}".strip()
    if not math.isnan(random):
        return f"about {random:.0f} random splits would decide, {chance}"
    if not math.isnan(of_each):
        return (
            f"random splits alone cannot decide, but about {of_each:.0f} random and {of_each:.0f} {held_out} splits "
            f"would, {chance}"
        )
    more = f" and as many {held_out} ones" * (row["limit"] == MAX_GAP)
    return f"not even {MOST_SPLITS} random splits{more} would decide, {chance}"
