"""What the gate decided, in words: how many checks, a line for each that is not met, and how it was decided."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.metric import DICE, Metric
from analysis.scores import (
    Scores,
    count_of,
    listed,
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
)
from study.definition import SIMULATED
from study.looks import Looks
from trainers.printable import in_percent

STABLE, UNSTABLE, CANNOT_TELL = 0, 1, 3  # 2 is left to what could not be carried out
_IN_WORDS = {STABLE: "STABLE", UNSTABLE: "NOT STABLE", CANNOT_TELL: "CANNOT TELL"}
MOST_PLACES = 4  # that a line names, where several are alike
NEEDED = ("splits_needed", "splits_of_each_needed")
"""Columns of `GateAnswer.checks`."""
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


def how_decided(scores: Scores, num_random: int, alpha: float, num_checks: int, *, one_seed_held_out: bool) -> str:
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
    random, of_each = (row[name] for name in NEEDED)
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
