"""How many random splits and seeds does a gate need? `study plan --gate` asks this, and adds what they cost."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.answer import records
from analysis.asked import asked_limits, limit_name, questions_of, refuse_simulated, rows_to_check
from analysis.errors import AnalysisError
from analysis.gate import asked_for, diverged_trials
from analysis.metric import DICE
from analysis.scores import (
    COLUMN,
    HELD_OUT,
    KINDS,
    RANDOM,
    ROUNDING,
    Scores,
    by_split,
    configurations,
    count_of,
    listed,
    seeds_of,
    with_macro,
)
from analysis.stated import Stated
from analysis.statistics.limits import MAX_GAP, MOST_SPLITS, POWER
from analysis.statistics.pilot import Pilot, Scored
from analysis.statistics.power import RANGE, Limit, Needed, needed, pilots_that_might_have_been
from analysis.statistics.seeds_and_rounding import units_by_row
from analysis.statistics.spread import without_score
from study.definition import SIMULATED
from study.summary import MIN_SPLITS_FOR_SD
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


@dataclass(frozen=True)
class _Known:
    """A pilot, the limits that are asked of it, and how both are called."""

    pilot: Pilot
    limits: tuple[Limit, ...]
    places: tuple[str, ...]
    """Of the pilot's rows."""
    num_configurations: int
    like: str
    """What the scores are taken to be like."""
    others: tuple[Pilot, ...] = ()
    """Pilots that might have been drawn in its place."""
    remarks: tuple[str, ...] = ()


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
        found = _stated(known, asked)
    else:
        if not simulated:
            refuse_simulated(known)
        found = _shown(known, asked, {"model": model, "loss": loss, "class": class_, "averaging": averaging})
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


def _frame(rows: Sequence[Needed], found: _Known) -> pd.DataFrame:
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


def _how_to_read(found: _Known, rows: Sequence[Needed]) -> list[str]:
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


def _left_open(row: Needed, found: _Known) -> str:
    assert row.most_open
    limit, place = found.limits[row.most_open[0]], found.places[row.most_open[1]]
    which = " ".join(filter(None, (limit.name, f"{limit.value:g}", limit.axis)))
    of = f", {place}" * bool(place)
    seeds = count_of(row.num_seeds, "seeds")
    return f"With {seeds}, what stays open most often at {MOST_SPLITS} random splits is {which}{of}."


def _stated(stated: Stated, asked: Mapping[str, float]) -> _Known:
    if MAX_GAP in asked and stated.gap is None:
        raise AnalysisError("--assume says no gap, which --max-gap needs: add gap=X")
    held_out = tuple(range(stated.held_out)) if MAX_GAP in asked else ()
    limits = tuple(Limit(name, value, held_out if name == MAX_GAP else ()) for name, value in asked.items())
    return _Known(stated.pilot(len(held_out)), limits, ("",), 1, f"scores are as stated ({stated.in_words})")


def _shown(scores: Scores, asked: Mapping[str, float], names: Mapping[str, str | None]) -> _Known:
    """What the scores of a pilot show."""
    for each, trials in diverged_trials(scores).items():
        if asked_for(each, names["model"], names["loss"]):
            raise AnalysisError(
                f"{scores.source}: {trials[0]} diverged, and the gate fails for that however many splits there are: "
                "mend the training first"
            )
    table = _of_complete_splits(scores, names)
    wide = by_split(table)
    checked = rows_to_check(scores, wide, names)
    questions = questions_of(asked, wide, table)
    rows, (seeds, _) = wide.index[checked], seeds_of(table)
    random, held_out = (_scored(table, rows, kind, seeds) for kind in KINDS)
    if MAX_GAP not in asked:
        held_out = held_out[:, :0]
    _refuse_what_cannot_be_simulated(scores, wide[checked], random, held_out, gap=MAX_GAP in asked)
    names_held_out = [split for kind, split in wide.columns if kind == HELD_OUT]
    limits = tuple(
        Limit(name, value, tuple(i for i, split in enumerate(names_held_out) if (HELD_OUT, split) in columns), axis)
        if name == MAX_GAP
        else Limit(name, value)
        for name, value, axis, columns in questions
    )
    pilot = Pilot.of(Scored(random, held_out), float(units_by_row(table, rows).max()))
    others = pilots_that_might_have_been(pilot, random.shape[1], seeds)
    counts = count_of(random.shape[1], "random splits"), count_of(held_out.shape[1], "held-out splits")
    size = ", ".join([*counts[: 1 + (MAX_GAP in asked)], count_of(seeds, "seeds")])
    like = f"scores move as those of {scores.source} do ({size})"
    places = tuple(" ".join(map(str, row)) for row in rows)
    num_configurations = len(configurations(rows.to_frame()))
    return _Known(pilot, limits, places, num_configurations, like, tuple(others), tuple(_remarks(scores, table)))


def _of_complete_splits(scores: Scores, names: Mapping[str, str | None]) -> pd.DataFrame:
    """The rows of the configurations that are asked for, on the splits on which all of them were trained."""
    table = scores.table
    there = {each for each in configurations(table) if asked_for(each, names["model"], names["loss"])}
    if not there:
        return table  # `rows_to_check` says what is not there
    own = table[[each in there for each in zip(table["model"], table["loss"], strict=True)]]
    trained = own[["model", "loss", "split"]].drop_duplicates()["split"].value_counts()
    return own[own["split"].isin(trained.index[trained == len(there)]) & own["split_kind"].isin(KINDS)]


def _scored(table: pd.DataFrame, rows: pd.MultiIndex, kind: str, num_seeds: int) -> NDArray[np.float64]:
    """Rows x splits x seeds: of each split's seeds the first ones, as many as all splits have."""
    long = with_macro(table[table["split_kind"] == kind]).sort_values("seed", kind="stable")
    if long.empty:
        return np.empty((len(rows), 0, num_seeds))
    splits = table.loc[table["split_kind"] == kind, "split"].unique()
    long["place"] = long.groupby([*COLUMN, "split"], observed=True).cumcount()
    by_place = (
        long[long["place"] < num_seeds].set_index([*COLUMN, "split", "place"])["dice"].unstack(["split", "place"])
    )
    columns = pd.MultiIndex.from_product([splits, range(num_seeds)], names=["split", "place"])
    found = by_place.reindex(index=rows, columns=columns).to_numpy(float)
    return np.asarray(found.reshape(len(rows), len(splits), num_seeds))


def _refuse_what_cannot_be_simulated(
    scores: Scores, wide: pd.DataFrame, random: NDArray[np.float64], held_out: NDArray[np.float64], *, gap: bool
) -> None:
    if random.shape[1] < MIN_SPLITS_FOR_SD:
        there = count_of(random.shape[1], "random splits")
        raise AnalysisError(
            f"{scores.source} has {there} on which everything that is asked was trained, and a spread takes "
            f"{MIN_SPLITS_FOR_SD}: train so many, or state what you expect (--assume mean=0.8,sd=0.05)"
        )
    if gap and not held_out.shape[1]:
        raise AnalysisError(f"{scores.source} has no held-out splits, which --max-gap needs: leave it out, or add some")
    columns = wide if gap else wide.loc[:, wide.columns.get_level_values("split_kind") == RANDOM]
    lacking = np.isnan(random).any((1, 2)) | np.isnan(held_out).any((1, 2))
    for row, sentence in zip(np.flatnonzero(lacking), np.array(without_score(columns))[lacking], strict=True):
        place = " ".join(map(str, wide.index[row]))
        raise AnalysisError(
            f"{scores.source}: {place} has no score everywhere ({sentence}), and so stays open with any number of "
            "splits: name what is to be checked with --class, --model or --loss"
        )
    equal = np.ptp(random.reshape(len(random), -1), axis=1) < ROUNDING
    for row in np.flatnonzero(equal):
        place = " ".join(map(str, wide.index[row]))
        raise AnalysisError(
            f"{scores.source}: all scores of {place} are equal, which shows no spread to draw others with: name what "
            "is to be checked with --class, --model or --loss, or state what you expect (--assume mean=0.8,sd=0.05)"
        )


def _remarks(scores: Scores, table: pd.DataFrame) -> list[str]:
    there, said = set(configurations(table)), []
    if absent := sorted({cell[:2] for cell in scores.cells.values()} - there - set(configurations(scores.table))):
        said.append(f"Not counted, as they have no scores yet: {listed(' '.join(each) for each in absent)}.")
    if scores.one_division:
        said.append(
            f"All random splits of {scores.source} divide the images in the same way: its scores move by training's "
            "own chance alone, and splits that divide them anew move more. These figures are of trainings on that one "
            "division."
        )
    if scores.looks:
        said.append(
            f"{scores.source} was looked at while it grew, which has spent some of the error that is allowed: these "
            "figures are of a new study."
        )
    return said
