"""What the verdict says of the gap against the number of images: whether it shrinks with more of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analysis.answer import Finding
from analysis.axes import HeldOut, axes_of
from analysis.classes import MACRO
from analysis.scores import Scores, configuration_name, listed
from analysis.statistics.gap_curve import gap_changes
from analysis.statistics.more_images import FACTORS
from analysis.statistics.paired import BETTER, EQUAL, WORSE, answer

QUESTION = "Does the drop on held-out splits shrink with more images?"
HOW = (
    "The drop is the mean {metric} on random splits minus that on held-out ones. A split and its shares test the "
    "same images; numbers of training images are those of random splits. Intervals are of 95 %. Those of what was "
    "seen speak of new random splits and trainings of these images, with these held-out splits; those of more images "
    "than there are speak of images like these, by a power law for each kind of split."
)


def shrinks(scores: Scores, table: pd.DataFrame, rope: float) -> Finding | None:
    """Of the mean of classes, a sentence for each configuration and axis; nothing without shares of both kinds.

    :param table: scores under one averaging, with shares.
    """
    if not scores.num_trained:
        return None
    found = gap_changes(table, scores.num_trained, scores.test_to_train)
    if found.empty:
        return None
    macro = found[found["class"] == MACRO]
    seen, more = macro[macro["seen"] == 1], macro[macro["to_images"] == macro["from_images"] * FACTORS[-1]]
    several = len(axes_of(table)) > 1
    points = [_seen(row, rope, several) for row in seen.itertuples()]
    notes = seen.loc[seen["change"].notna(), "note"].unique()
    points += [f"Assumed: {note}." for note in notes if note]
    points += _of_more(more[more["seen"] == 0], rope, several)
    return Finding(QUESTION, (*points, HOW.format(metric=scores.metric.in_words)))


def _name(row: Any, several: bool) -> str:
    return f"{configuration_name(row)}{f', {row.axis}' * (several and bool(row.axis))}"


def _seen(row: Any, rope: float, several: bool) -> str:
    on = f"{HeldOut((row.axis,) if row.axis else ()).split}s"
    start = f"{_name(row, several)}: from {row.from_images} to {row.to_images} training images the drop on {on}"
    if np.isnan(row.change):
        return f"{start} cannot be followed, as {row.note}."
    behind = f"from {row.gap:.3f} to {row.gap + row.change:.3f} ({_interval(row)})"
    verb = {
        WORSE: "shrinks, ",
        BETTER: "grows, ",
        EQUAL: f"stays as it is, within the {rope:g} that counts as no difference: it goes ",
    }.get(answer(row.low, row.high, rope))
    if verb is None:
        return f"{start} goes {behind}: whether it shrinks with more images cannot be told."
    return f"{start} {verb}{behind}."


def _interval(row: Any) -> str:
    return f"a change of {row.change:+.3f}, 95 % interval {row.low:+.3f} to {row.high:+.3f}"


def _of_more(rows: pd.DataFrame, rope: float, several: bool) -> Iterator[str]:
    """Of FACTORS[-1] times as many images; the same refusal once."""
    for row in rows.dropna(subset="change").itertuples():
        verb = {WORSE: "would shrink it", BETTER: "would make it larger", EQUAL: "would leave it as it is"}
        does = verb.get(answer(row.low, row.high, rope), "might do either")
        yield f"{_name(row, several)}: {FACTORS[-1]:g} times as many images {does} ({_interval(row)})."
    refused = rows[rows["change"].isna()]
    for note, of_note in refused.groupby("note", sort=False):
        names = listed(_name(row, several) for row in of_note.itertuples())
        yield f"{names}: what more images than there are would do to it cannot be said, as {note}."
