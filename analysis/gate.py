"""The gate: are the scores as steady as asked? Decided by intervals, so that it errs at a stated rate.

Every limit on every (configuration, averaging, class) is one check of a true value: the mean, or the standard
deviation, over re-splits of this data set, or the gap of means to these held-out splits. Scores are taken as normal.

* A check has *failed* when a one-sided bound of level 1 - ALPHA / m, for m checks (Bonferroni), lies beyond the limit:
  if all limits truly hold, the gate says "not stable" with probability ALPHA at most.
* A check is *met* when a one-sided bound of level 1 - ALPHA lies within the limit: if some limit truly does not hold,
  the gate says "stable" with probability ALPHA at most (intersection-union test, Berger 1982), whatever m is.
* Otherwise the data cannot tell, and the check is *open*.
"""

from __future__ import annotations

import html
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.errors import AnalysisError
from analysis.scores import CONFIGURATION, KINDS, MACRO, NOT_OBJECTS, Floats, Scores, by_split, of_kind
from analysis.statistics.comparison import ALPHA
from analysis.statistics.spread import MIN_SPLITS_FOR_SD, sd_refusal, without_score
from analysis.tidy import known_class
from study.cells import parse_trial
from study.definition import SIMULATED

MET, FAILED, OPEN = "met", "failed", "open"
STABLE, UNSTABLE, CANNOT_TELL = 0, 1, 3  # 2 is left to what could not be carried out
MEAN = "macro"  # what a command line calls MACRO, where no class is called so
MOST_SPLITS = 1000  # beyond it, "how many would decide" has no useful answer
Configuration = tuple[str, str]
_VERDICTS = {STABLE: "STABLE", UNSTABLE: "NOT STABLE", CANNOT_TELL: "CANNOT TELL"}
_WHAT = {"max-gap": "gap random - held-out", "max-sd": "SD over random splits", "min-dice": "mean over random splits"}


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, and every check behind it."""

    status: int
    """0 stable: every check met. 1 not stable: at least one failed. 3 cannot tell: none failed, but some are open."""
    checks: pd.DataFrame
    """limit, model, loss, averaging, class, value, low, high (see the module), bound (the limit's value), decision
    (met, failed, open), splits_needed (random splits that would decide at the same value and spread; NaN: none would),
    note."""
    simulated: bool = False
    """Whether the scores were drawn, not trained for."""

    @property
    def headline(self) -> str:
        counts = self.checks["decision"].value_counts()
        told = ", ".join(f"{counts.get(name, 0)} {name}" for name in (FAILED, OPEN, MET))
        return f"{_VERDICTS[self.status]}: of {len(self.checks)} checks, {told}."

    def text(self) -> str:
        """The headline, a line for every check that is not met, and how it was decided."""
        lines = [_line(row) for name in (FAILED, OPEN) for row in _rows(self.checks, name)]
        return "\n".join([*[SIMULATED] * self.simulated, self.headline, *lines, HOW])

    def _repr_html_(self) -> str:
        how = " ".join([*[SIMULATED] * self.simulated, HOW])
        return f"<p><strong>{html.escape(self.headline)}</strong> {html.escape(how)}</p>{self.checks._repr_html_()}"


HOW = (
    "Decided by one-sided intervals, not by the values: failed where even the nearer end is beyond the limit "
    f"({1 - ALPHA:.0%} over all checks together), met where even the farther end is within it ({1 - ALPHA:.0%} each), "
    "open where neither."
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
) -> Verdict:
    """Whether scores keep within limits, for every configuration, averaging (pw and ew), object class, and their mean.

    :param max_gap: of the mean over random splits less the mean over held-out splits.
    :param max_sd: of the standard deviation over random splits.
    :param min_dice: of the mean over random splits.
    :param model, loss, class_, averaging: check these only; `all`, `bg` and `pooled` are checked only if named. The
        class `macro` is the mean over the object classes, unless a class is called so.
    :param simulated: judge simulated scores, too; else they are refused.
    :raises AnalysisError: no limit, an impossible one, a name that the scores do not have, or simulated scores.
    """
    if scores.simulated and not simulated:
        raise AnalysisError(
            f"{scores.source} holds simulated scores, which say nothing about any model: check a study that was "
            "trained, or add --simulated to try out the gate itself"
        )
    limits = {"max-gap": max_gap, "max-sd": max_sd, "min-dice": min_dice}
    asked = {name: _sound(name, value) for name, value in limits.items() if value is not None}
    if not asked:
        raise AnalysisError("no limit to check: give at least one of --max-gap, --max-sd, --min-dice")
    wide, unscored = _chosen(scores, {"model": model, "loss": loss, "class": class_, "averaging": averaging})
    diverged = _diverged(scores)
    excuses = _excuses(scores, diverged)
    num_checks = len(wide) * len(asked)
    random, held_out = (of_kind(wide, kind).to_numpy(float) for kind in KINDS)
    checks = []
    for name, limit in asked.items():
        for key, lacking, *of_kinds in zip(wide.index, unscored, random, held_out, strict=True):
            place = dict(zip(wide.index.names, map(str, key), strict=True))
            excuse = excuses.get((place["model"], place["loss"])) or _unanswerable(name, of_kinds, lacking)
            checks.append({"limit": name} | place | _checked(name, limit, of_kinds, num_checks, excuse))
    known = set(zip(*(wide.index.get_level_values(n) for n in CONFIGURATION), strict=True))
    for each in (each for each in excuses if each not in known and _meant(each, model, loss)):
        place = dict(zip(CONFIGURATION, each, strict=True)) | {"averaging": "", "class": ""}
        checks += [{"limit": name} | place | _open(limit, excuses[each]) for name, limit in asked.items()]
    failed = [_divergence(scores, each, ids) for each, ids in diverged.items() if _meant(each, model, loss)]
    frame = pd.DataFrame([*failed, *checks])
    return Verdict(_status(frame["decision"]), frame, scores.simulated)


def _sound(name: str, value: float) -> float:
    if not math.isfinite(value) or not 0 <= value <= 1:
        raise AnalysisError(f"--{name} {value:g} is no limit of a Dice score: give a number from 0 to 1")
    return value


def _meant(configuration: Configuration, model: str | None, loss: str | None) -> bool:
    return model in (None, configuration[0]) and loss in (None, configuration[1])


def _chosen(scores: Scores, asked: Mapping[str, str | None]) -> tuple[pd.DataFrame, list[str]]:
    """The rows of `by_split` to be checked, and of each what `without_score` says.

    Raises AnalysisError for a name that is not there.
    """
    wide = by_split(scores.table)
    levels = {name: wide.index.get_level_values(name) for name in asked}
    wanted = dict(asked)
    if (class_ := asked["class"]) is not None and class_ not in levels["class"]:
        wanted["class"] = MACRO if class_ == MEAN else known_class(class_)
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
            f"{scores.source} has no scores to check of object classes under pw or ew; name another --averaging"
        )
    sentences = without_score(wide)
    return wide[usual], [sentences[row] for row in np.flatnonzero(usual)]


def _excuses(scores: Scores, diverged: Mapping[Configuration, list[str]]) -> dict[Configuration, str]:
    """Why a configuration's scores are not all there; nothing is averaged around."""
    missing: dict[Configuration, list[str]] = defaultdict(list)
    for name in scores.missing:  # of a trial or a cell
        model, _, rest = name.partition("-")
        missing[model, rest.partition("-")[0]].append(name)
    found = {of: f"{len(trials)} diverged, so its scores are not of all splits" for of, trials in diverged.items()}
    return found | {of: f"{len(ids)} missing, {ids[0]} for one: run the study again" for of, ids in missing.items()}


def _diverged(scores: Scores) -> dict[Configuration, list[str]]:
    """The failed trials of each configuration in whose place the cell has no score."""
    scored = set(scores.table[["model", "loss", "split", "seed"]].drop_duplicates().itertuples(index=False, name=None))
    found: dict[Configuration, list[str]] = defaultdict(list)
    for trial in scores.failed:
        cell = parse_trial(trial).cell
        if (cell.model, cell.loss, cell.split, cell.seed) not in scored:
            found[cell.model, cell.loss].append(trial)
    return found


def _divergence(scores: Scores, configuration: Configuration, trials: Sequence[str]) -> dict[str, Any]:
    """A training that diverged is unsteady by any limit: one failed check for the configuration."""
    place = dict(zip(CONFIGURATION, configuration, strict=True)) | {"averaging": "", "class": ""}
    value = dict.fromkeys(("value", "low", "high"), float(len(trials))) | {"bound": 0.0, "decision": FAILED}
    note = "; ".join(f"{trial}: {scores.failed[trial]}" for trial in trials)
    return {"limit": "diverged"} | place | value | {"splits_needed": np.nan, "note": note}


def _checked(name: str, limit: float, of_kinds: Sequence[Floats], num_checks: int, excuse: str) -> dict[str, Any]:
    random, held_out = of_kinds
    if excuse:
        return _open(limit, excuse)
    value = {"max-gap": random.mean() - held_out.mean() if held_out.size else 0.0, "max-sd": random.std(ddof=1)}.get(
        name, random.mean()
    )
    low, high, decision = _decide(name, limit, value, random.std(ddof=1), random.size, held_out.size, num_checks)
    needed = np.nan
    if decision == OPEN:
        needed = _splits_needed(name, limit, value, random.std(ddof=1), held_out.size, num_checks)
    interval = {"value": value, "low": low, "high": high, "bound": limit}
    return interval | {"decision": decision, "splits_needed": needed, "note": ""}


def _open(limit: float, why: str) -> dict[str, Any]:
    """A check of what cannot be known."""
    unknown = dict.fromkeys(("value", "low", "high", "splits_needed"), np.nan)
    return unknown | {"bound": limit, "decision": OPEN, "note": why}


def _unanswerable(name: str, of_kinds: Sequence[Floats], lacking: str) -> str:
    """Why the scores at hand cannot answer the question; empty if they can. `lacking` names what has no score."""
    random, held_out = of_kinds
    if np.isnan([*random, *held_out] if name == "max-gap" else random).any():
        return lacking
    if name == "max-gap" and not held_out.size:
        return "no held-out splits"
    if name == "max-sd":
        refusal = sd_refusal(random.size, "random splits")
        return refusal.reason if refusal else ""
    return "" if random.size >= 2 else f"no interval: {random.size} random splits"


def _decide(
    name: str, limit: float, value: float, sd: float, num_random: int, num_held_out: int, num_checks: int
) -> tuple[float, float, str]:
    """The two one-sided bounds of the value, and what they say of the limit.

    The bound towards failing is of level 1 - ALPHA / num_checks, the one towards passing of level 1 - ALPHA.
    """
    strict, plain = 1 - ALPHA / num_checks, 1 - ALPHA
    if name == "min-dice":
        low, high = _bounds(name, value, sd, num_random, num_held_out, plain, strict)
        return low, high, MET if low >= limit else FAILED if high < limit else OPEN
    low, high = _bounds(name, value, sd, num_random, num_held_out, strict, plain)
    return low, high, MET if high <= limit else FAILED if low > limit else OPEN


def _bounds(
    name: str, value: float, sd: float, num_random: int, num_held_out: int, level_low: float, level_high: float
) -> tuple[float, float]:
    """One-sided lower and upper bounds. A held-out split's noise is taken to be that of a random split: it can only be
    less, as its images do not change; the held-out splits themselves are fixed, no sample of more."""
    df = num_random - 1
    if name == "max-sd":
        low, high = (sd * math.sqrt(df / stats.chi2.ppf(p, df)) for p in (level_low, 1 - level_high))
    else:
        error = sd * math.sqrt(1 / num_random + (1 / num_held_out if name == "max-gap" else 0))
        low, high = value - stats.t.ppf(level_low, df) * error, value + stats.t.ppf(level_high, df) * error
    # What no Dice can be is cut off; that leaves the coverage as it is.
    return max(float(low), -1.0 if name == "max-gap" else 0.0), min(float(high), 1.0)


def _splits_needed(name: str, limit: float, value: float, sd: float, num_held_out: int, num_checks: int) -> float:
    """The fewest random splits that would decide, if value and SD stayed as they are; NaN beyond MOST_SPLITS."""

    def decided(n: int) -> bool:
        return _decide(name, limit, value, sd, n, num_held_out, num_checks)[2] != OPEN

    if not decided(MOST_SPLITS):
        return math.nan
    few, many = MIN_SPLITS_FOR_SD, MOST_SPLITS  # more splits never undo a decision
    while few < many:
        middle = (few + many) // 2
        few, many = (few, middle) if decided(middle) else (middle + 1, many)
    return float(few)


def _status(decisions: pd.Series[Any]) -> int:
    if (decisions == FAILED).any():
        return UNSTABLE
    return CANNOT_TELL if (decisions == OPEN).any() else STABLE


def _rows(checks: pd.DataFrame, decision: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = checks[checks["decision"] == decision].to_dict("records")
    return rows


def _line(row: Mapping[str, Any]) -> str:
    place = " ".join(filter(None, (row["model"], row["loss"], row["averaging"], row["class"])))
    if row["limit"] == "diverged":
        return f"failed: {place}: training diverged ({row['note']})"
    if math.isnan(row["value"]):
        return f"open: {row['limit']} {row['bound']:g}, {place}: {row['note']}"
    told = f"{_WHAT[row['limit']]} {row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    if row["decision"] == FAILED:
        return f"failed: {row['limit']} {row['bound']:g}, {place}: {told}"
    needed = row["splits_needed"]
    more = "more random splits alone would not decide" if math.isnan(needed) else f"{needed:.0f} random splits would"
    return f"open: {row['limit']} {row['bound']:g}, {place}: {told}; {more}"
