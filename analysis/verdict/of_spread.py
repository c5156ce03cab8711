"""What the verdict says of random splits: how good, how steady, and where one more training is to be expected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from analysis.answer import Finding
from analysis.classes import MACRO
from analysis.scores import Scores, by_split, configuration_name, count_of, in_seeds, seeds_of
from analysis.statistics.spread import sd_refusal, without_score


def steadiness(scores: Scores, table: pd.DataFrame, macro: pd.DataFrame) -> str:
    """How far one more training may come out from the mean of classes, or why that is not known.

    :param macro: rows of `spread` for the mean of classes.
    """
    known = macro["expected_within"].dropna()
    if len(known):
        which = "its configuration's mean" if len(macro) > 1 else "the mean"
        reach = f"within {_range(known, '±')} of {which} here (95 %)"
        if not scores.one_division:
            return f"One training on a new random split of these images should score {reach}."
        return (
            f"One more training on this division of the images should score {reach}. It is one division: all "
            f"{count_of(int(macro['num_splits'].max()), 'random splits')} divide the images in the same way, so their "
            "spread is training's own chance and the backgrounds', and says nothing of other divisions."
        )
    refusal = sd_refusal(int(macro["num_splits"].max()), "random splits")
    equal = [part for note in macro["note"] for part in note.split("; ") if "no interval" in part]
    if refusal:
        reason = refusal.reason
    elif macro["mean"].isna().all():
        reason = unscored(table)
    else:
        reason = (
            equal[0].removesuffix(": no interval")
            if equal
            else "all random splits gave the same score, as far as it is written"
        )
    return f"These data cannot say how steady the models are: {reason}."


def unscored(table: pd.DataFrame) -> str:
    """Which classes have no score, and where: the first configuration that lacks one."""
    wide = by_split(table)
    sentences = zip(wide.index, without_score(wide), strict=True)
    (model, loss, _, _), sentence = next((key, each) for key, each in sentences if key[-1] == MACRO and each)
    return f"{sentence} ({model} {loss})"


def how_far(scores: Scores, macro: pd.DataFrame) -> Finding | None:
    """The mean, its spread, and where one more training is to be expected."""
    if not macro["num_splits"].any() and not macro["num_held_out"].any() and not macro["num_undefined"].any():
        return None
    most = int(macro["num_splits"].max())
    points, refusals = [], list[str]()
    for row in macro.itertuples():
        name, refusal = configuration_name(row), sd_refusal(row.num_splits, "random splits")
        of_fewer = f" on {row.num_splits} of {most} random splits" * (0 < row.num_splits < most)
        if np.isnan(row.mean):
            points.append(f"{name}: no mean over the classes, as not all have a score; see its table.")
        elif np.isnan(row.expected_within) and not refusal:
            points.append(f"{name}: {row.mean:.3f} on each of {row.num_splits} random splits.")
            refusals.append("No interval is given if all splits gave the same score: that proves nothing.")
        elif refusal:
            points.append(f"{name}: mean {row.mean:.3f}{of_fewer}.")
            refusals.append(f"No spread is given: {refusal.reason}.")
        else:
            points.append(f"{name}: mean {row.mean:.3f}{of_fewer}; {_spread(row, scores.one_division)}.")
    of_seeds = _of_seeds(scores.table) if any("SD" in point for point in points) else []
    moved = "another training" if scores.one_division else "another split"
    question = f"How good is it, and how far would {moved} move it?"
    return Finding(question, (*points, *of_seeds, *dict.fromkeys(refusals)))


def _spread(row: Any, one_division: bool) -> str:
    low, high = max(0.0, row.mean - row.expected_within), min(1.0, row.mean + row.expected_within)
    where = "on this division" if one_division else "on a new random split"
    return (
        f"SD {row.sd:.3f}, its 95 % interval {row.sd_low:.3f} to {row.sd_high:.3f}; expect one more "
        f"training {where} to score {low:.2f} to {high:.2f} (95 %)"
    )


def _of_seeds(table: pd.DataFrame) -> list[str]:
    fewest, most = seeds_of(table)
    if most < 2:
        return []
    return [f"Means are over {in_seeds(fewest, most)} of every split; SD and what to expect are of one training."]


def _range(values: Iterable[float], sign: str = "") -> str:
    low, high = min(values), max(values)
    return f"{sign}{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{sign}{low:.2f} to {sign}{high:.2f}"
