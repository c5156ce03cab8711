"""What is known of scores before more are run: shown by a pilot, or stated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.asked import questions_of, rows_to_check
from analysis.errors import AnalysisError
from analysis.gate import asked_for, diverged_trials
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
from analysis.statistics.limits import MAX_GAP
from analysis.statistics.pilot import Pilot, Scored
from analysis.statistics.power import Limit, pilots_that_might_have_been
from analysis.statistics.seeds_and_rounding import units_by_row
from analysis.statistics.spread import without_score
from study.summary import MIN_SPLITS_FOR_SD


@dataclass(frozen=True)
class Known:
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


def known_of_stated(stated: Stated, asked: Mapping[str, float]) -> Known:
    if MAX_GAP in asked and stated.gap is None:
        raise AnalysisError("--assume says no gap, which --max-gap needs: add gap=X")
    held_out = tuple(range(stated.held_out)) if MAX_GAP in asked else ()
    limits = tuple(Limit(name, value, held_out if name == MAX_GAP else ()) for name, value in asked.items())
    return Known(stated.pilot(len(held_out)), limits, ("",), 1, f"scores are as stated ({stated.in_words})")


def known_of_scores(scores: Scores, asked: Mapping[str, float], names: Mapping[str, str | None]) -> Known:
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
    return Known(pilot, limits, places, num_configurations, like, tuple(others), tuple(_remarks(scores, table)))


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
