"""What the verdict says of numbers of images: how many more would help, and whether a drop is due to fewer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analysis.answer import Finding
from analysis.classes import MACRO, is_object
from analysis.scores import HELD_OUT, MATCHED, RANDOM, Scores, configuration_name, listed
from analysis.shown import shown_of
from analysis.statistics.material import ROPE
from analysis.statistics.more_images import FACTORS, more_images, shares_of
from analysis.statistics.other_splits import MATCHED_PREFIX
from analysis.statistics.shift import shift_or_fewer
from analysis.verdict.of_gap_curve import shrinks

MOST_APART = 0.05
"""Of the mean number of training images: held-out splits that differ from random ones by more are said to."""


def images_in_words(scores: Scores, averaging: str, rope: float = ROPE) -> list[Finding]:
    """The findings that have something to say. `scores` are on all splits."""
    table = scores.table[scores.table["averaging"] == averaging]
    shown = {(model, loss) for model, loss in shown_of(scores.table)}
    table = table[[each in shown for each in zip(table["model"], table["loss"], strict=True)]]
    findings = (_how_many_more(scores, table), shrinks(scores, table, rope), _shift_or_fewer(scores, table))
    return [each for each in findings if each]


def _how_many_more(scores: Scores, table: pd.DataFrame) -> Finding | None:
    if not scores.num_trained or not shares_of(table):
        return None
    found = more_images(table, scores.num_trained, scores.test_to_train)
    found = found[found["more"] == found["more"].groupby(found["class"]).transform("max")]
    points, refusals = list[str](), dict[str, list[str]]()
    for (model, loss), of_one in found.groupby(["model", "loss"], sort=False):
        (macro,) = of_one[of_one["class"] == MACRO].itertuples()
        if macro.note:
            refusals.setdefault(macro.note, []).append(f"{model} {loss}")
        else:
            points.append(_of_mean(macro, scores.metric.in_words))
        points += _of_classes(of_one, f"{model} {loss}")
    points += [f"{listed(names)}: no answer for the mean of the classes, as {why}." for why, names in refusals.items()]
    points.append(
        "All this holds for images like these, of all classes in the same proportion, and trained for as many epochs "
        f"(so that more images mean more steps). It extends the scores at the shares of the training images by a "
        f"power law, to at most {FACTORS[-1]:g} times their number; intervals are of 95 %."
    )
    return Finding("How many more images?", tuple(points))


def _of_mean(row: Any, metric: str) -> str:
    start = f"{configuration_name(row)}: {row.more} more training images ({row.num_images} so far)"
    interval = f"(95 % interval {row.rise_low:.3f} to {row.rise_high:.3f})"
    if row.rise_low > 0:
        return f"{start} would raise the mean {metric} by about {row.rise:.3f} {interval}."
    return f"{start} need not raise the mean {metric}: the estimate is {row.rise:.3f} {interval}."


def _of_classes(rows: pd.DataFrame, name: str) -> Iterator[str]:
    """The class that gains most; no single one where there is but one class."""
    classes = rows[is_object(rows["class"])]
    known = classes.dropna(subset="rise")
    if len(classes) < 2 or known.empty:
        return
    most = known.loc[known["rise"].idxmax()]
    interval = f"(95 % interval {most['rise_low']:.3f} to {most['rise_high']:.3f})"
    if most["rise_low"] <= 0:
        first = f"the highest estimate is that of {most['class']}, {most['rise']:.3f} {interval}"
        yield f"{name}: for no class is it certain that more images help; {first}."
        return
    unknown = len(classes) - len(known)
    of = f"of {len(known)} classes"
    if unknown:
        of = f"of those whose curve could be continued ({len(known)} of {len(classes)})"
    yield (
        f"{name}: {of}, {most['class']} would gain most, {most['rise']:.3f} {interval}. (It is named because its "
        "estimate is the highest, so that is probably too high.)"
    )


def _shift_or_fewer(scores: Scores, table: pd.DataFrame) -> Finding | None:
    question = "Is a drop due to the shift, or to fewer training images?"
    parts = shift_or_fewer(table)
    macro = parts[parts["class"] == MACRO] if len(parts) else parts
    points = [_divided(row) for row in macro.itertuples()]
    divided = macro[macro["shift"].notna()] if len(macro) else macro
    points += [f"Assumed: {note}." for note in dict.fromkeys(divided["note"]) if note] if len(divided) else []
    if len(divided):
        points.append(
            "Intervals are of 95 %, over re-splits and trainings of these images. If an interval contains 0, "
            "that part may be nothing."
        )
    points += _not_told_apart(scores, table)
    return Finding(question, tuple(points)) if points else None


def _divided(row: Any) -> str:
    start = f"{configuration_name(row)}{f', {row.axis}' * bool(row.axis)}"
    if np.isnan(row.shift):
        return f"{start}: no answer, as {row.note}."
    sign = 1 if row.gap > 0 else -1
    fewer, shift = (
        _signed(sign, *(getattr(row, f"{name}{end}") for end in ("", "_low", "_high")))
        for name in ("fewer_images", "shift")
    )
    what = f"the {'drop' if row.gap > 0 else 'rise'} of {abs(row.gap):.3f}"
    return f"{start}: of {what}, {fewer} goes with training on fewer images and {shift} with the shift itself."


def _signed(sign: int, value: float, low: float, high: float) -> str:
    if np.isnan(low):
        return f"{sign * value:.3f}"
    low, high = sorted((sign * low, sign * high))
    return f"{sign * value:.3f} ({low:.3f} to {high:.3f}, 95 %)"


def _not_told_apart(scores: Scores, table: pd.DataFrame) -> Iterator[str]:
    """Of held-out splits that train on other numbers of images than random ones do, and have no matched split."""
    kinds = table.drop_duplicates("split").set_index("split")["split_kind"]
    random = [scores.num_train[s] for s in kinds.index[kinds == RANDOM] if s in scores.num_train]
    matched = set(kinds.index[kinds == MATCHED])
    held_out = [s for s in kinds.index[kinds == HELD_OUT] if f"{MATCHED_PREFIX}{s}" not in matched]
    if not random:
        return
    usual = float(np.mean(random))
    apart = {s: n for s in held_out if (n := scores.num_train.get(s)) and abs(n / usual - 1) > MOST_APART}
    if apart:
        told = listed(f"{split} {number}" for split, number in apart.items())
        names = ", ".join(f"{MATCHED_PREFIX}{split}" for split in apart)
        yield (
            f"Random splits have {usual:.0f} images to train on (those for validation among them), {told}: a "
            "difference in scores may come from both, the number of images and the shift. To tell them apart, add "
            f"random splits of the same size to grid.splits: {names}."
        )
