"""How many random splits and seeds does a gate need? `study plan --gate` asks this, and adds what they cost."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.answer import records
from analysis.asked import asked_limits, limit_name, refuse_simulated
from analysis.known import Known, known_of_scores, known_of_stated
from analysis.metric import DICE
from analysis.scores import (
    Scores,
    count_of,
)
from analysis.stated import Stated
from analysis.statistics.limits import MOST_SPLITS, POWER
from analysis.statistics.power import RANGE, Needed, needed
from study.definition import SIMULATED
from trainers.printable import in_percent

MOST_SEEDS = 3


@dataclass(frozen=True)
class EnoughAnswer:
    """How many random splits the gate needs, by number of seeds."""

    rows: pd.DataFrame
    """seeds; random_splits (the fewest that decide with a probability of POWER; NaN: none up to MOST_SPLITS); low, high
    (what RANGE of such pilots would say; infinite: none up to MOST_SPLITS; NaN: not known); stable, not_stable (with
    which probability it says so, then; or of MOST_SPLITS); looks_most, looks_mean (random splits that `study run
    --until-decided` needs at most, to decide as often, and at which it stops on average); trainings (one of every cell:
    configuration, split and seed)."""
    headline: str
    """The answer in a sentence."""
    remarks: tuple[str, ...]
    """What it takes for granted."""
    simulated: bool = False
    """Whether the pilot's scores were drawn, not trained for."""

    def text(self) -> str:
        """The headline, the rows, and how to read them."""
        trainings = self.rows["trainings"].map(lambda count: "-" if math.isnan(count) else f"{count:,.0f}")
        shown = in_words(self.rows).assign(trainings=trainings).to_string(index=False)
        last = "trainings: one of each configuration, split and seed."
        return "\n".join([*[SIMULATED] * self.simulated, self.headline, shown, *self.remarks, last])

    def records(self) -> dict[str, Any]:
        """For programs: `rows` as numbers (null: none up to MOST_SPLITS; `low` and `high` only where they are known),
        `shown` as people read them."""
        rows = records(self.rows.drop(columns=["low", "high"]) if self.rows["low"].isna().all() else self.rows)
        counted = [{name: _whole(value) for name, value in row.items()} for row in rows]
        shown = in_words(self.rows).astype(str).to_dict("records")
        plain = {"headline": self.headline, "simulated": self.simulated, "rows": counted}
        return plain | {"shown": shown, "remarks": list(self.remarks)}

    def _repr_html_(self) -> str:
        said = " ".join([*[SIMULATED] * self.simulated, *self.remarks])
        return f"<p><strong>{html.escape(self.headline)}</strong> {html.escape(said)}</p>{self.rows._repr_html_()}"


def enough(
    known: Scores | Stated,
    *,
    max_gap: float | None = None,
    max_sd: float | None = None,
    min_dice: float | None = None,
    model: str | None = None,
    loss: str | None = None,
    class_: str | None = None,
    averaging: str | None = None,
    simulated: bool = False,
) -> EnoughAnswer:
    """With how many random splits, of 1 to MOST_SEEDS seeds, the gate decides as a whole with a probability of POWER:
    simulated from a pilot's scores, or from stated ones. The held-out splits stay those that there are.

    :param known: the scores of a pilot, or what is stated of one check.
    :raises AnalysisError: as `check` does; a pilot of too few splits, with a training that diverged, or that has no
        score where a check needs one.
    """
    asked = asked_limits(max_gap, max_sd, min_dice)
    if isinstance(known, Stated):
        found = known_of_stated(known, asked)
    else:
        if not simulated:
            refuse_simulated(known)
        found = known_of_scores(known, asked, {"model": model, "loss": loss, "class": class_, "averaging": averaging})
    rows = [
        needed(found.pilot, found.limits, seeds, found.others) for seeds in found.pilot.numbers_of_seeds(MOST_SEEDS)
    ]
    metric = DICE if isinstance(known, Stated) else known.metric
    limits = ", ".join(f"{limit_name(name, metric)} {value:g}" for name, value in asked.items())
    checks = count_of(len(found.places) * len(found.limits), "checks")
    headline = (
        f"So many random splits let the gate decide ({limits}; {checks}) with a probability of {in_percent(POWER)}, if "
    )
    is_simulated = not isinstance(known, Stated) and known.simulated
    other = [f"The scores are of the {metric.in_full}."] * (not metric.is_dice)
    remarks = (*other, *_how_to_read(found, rows), *found.remarks)
    return EnoughAnswer(_frame(rows, found), f"{headline}{found.like}:", remarks, is_simulated)


def _frame(rows: Sequence[Needed], found: Known) -> pd.DataFrame:
    num_held_out = found.pilot.held_out.shape[1]
    named = [
        {
            "seeds": row.num_seeds,
            "random_splits": row.num_random,
            "low": row.low,
            "high": row.high,
            "stable": row.stable,
            "not_stable": row.not_stable,
            "looks_most": row.looks_most,
            "looks_mean": row.looks_mean,
            "trainings": (row.num_random + num_held_out) * row.num_seeds * found.num_configurations,
        }
        for row in rows
    ]
    return pd.DataFrame(named)


def in_words(rows: pd.DataFrame) -> pd.DataFrame:
    """`EnoughAnswer.rows` as a person reads them."""
    shown = pd.DataFrame({"seeds": rows["seeds"], "random splits": rows["random_splits"].map(_number)})
    if rows["low"].notna().any():
        shown[f"{in_percent(RANGE)} range"] = [
            _range(low, high) for low, high in zip(rows["low"], rows["high"], strict=True)
        ]
    shown["stable"], shown["not stable"] = rows["stable"].map(in_percent), rows["not_stable"].map(in_percent)
    shown["until decided"] = [
        _number(most) if math.isnan(most) else f"{mean:.1f} of {most:.0f}"
        for mean, most in zip(rows["looks_mean"], rows["looks_most"], strict=True)
    ]
    return shown


def _whole(value: Any) -> Any:
    """A whole number as one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number(value: float) -> str:
    return f"over {MOST_SPLITS}" if not math.isfinite(value) else f"{value:.0f}"


def _range(low: float, high: float) -> str:
    return _number(low) if low == high or math.isinf(low) else f"{_number(low)} to {_number(high)}"


def _how_to_read(found: Known, rows: Sequence[Needed]) -> list[str]:
    beyond = any(math.isnan(row.num_random) for row in rows)
    of_most = f" (where none up to {MOST_SPLITS} are enough: of {MOST_SPLITS} random splits)" * beyond
    said = [f"stable, not stable: how often the gate then says so{of_most}."]
    if found.others:
        said.append(
            f"{in_percent(RANGE)} range: a pilot is a sample itself. Were its scores the whole truth, "
            f"{in_percent(RANGE)} of pilots of its size would give a number in this range."
        )
    held_out = "; that a training on a held-out split scatters as one on a random split"
    scatter = held_out * (found.pilot.of_training_held_out is None and found.pilot.held_out.shape[1] > 0)
    said.append(f"Taken for granted: scores that are about normal, cut off at 0 and 1{scatter}.")
    if any(not math.isnan(row.looks_most) for row in rows):
        said.append(
            "until decided: random splits at which `study run --until-decided` stops on average, and how many of them "
            f"it must be given to decide in {in_percent(POWER)}."
        )
    if found.pilot.of_training is None:
        said.append(
            "How much of the spread is the seed's is not known, so nothing is said of more seeds: "
            + ("train the pilot's splits with two seeds each." if found.others else "add seed-sd to --assume.")
        )
    return said + [_left_open(row, found) for row in rows if math.isnan(row.num_random) and row.most_open]


def _left_open(row: Needed, found: Known) -> str:
    assert row.most_open
    limit, place = found.limits[row.most_open[0]], found.places[row.most_open[1]]
    which = " ".join(filter(None, (limit.name, f"{limit.value:g}", limit.axis)))
    of = f", {place}" * bool(place)
    seeds = count_of(row.num_seeds, "seeds")
    return f"With {seeds}, what stays open most often at {MOST_SPLITS} random splits is {which}{of}."
