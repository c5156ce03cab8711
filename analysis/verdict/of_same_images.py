"""What two trained models do on the same test images, in words and as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.answer import Answer, Finding
from analysis.classes import MACRO
from analysis.scores import Configuration, Scores, capitalised, listed
from analysis.statistics.comparison import ALPHA
from analysis.statistics.image_sums import by_image
from analysis.statistics.on_these_images import compare_on_images
from trainers.dice import AVERAGINGS

QUESTION = "Which does better on these very test images?"
TITLE = "On the same test images, split by split and together: the trained models, on images like these"
HOW_TO_READ = (
    "The difference in {metric} with its 95 % interval: what other images like these would give with the same trained "
    "models (a studentised bootstrap over the images, or over their units). Training chance and other splits are no "
    "part of it: for these read the table above. p is of the same bootstrap, holm is p allowing for so many classes."
)


def on_the_same_images(scores: Scores, a: Configuration, b: Configuration, seed: int = 0) -> Answer:
    """Of the models at hand; left out, with the reason, where no pixel counts of single images are known."""
    known = by_image(scores.facts, (a, b))
    if isinstance(known, str):
        return Answer(left_out=f"Left out: the comparison on the same test images ({known}).")
    frame = compare_on_images(known[0], a, b, known[1], seed)
    if frame.empty:
        return Answer(left_out="Left out: the comparison on the same test images (no split has both).")
    points = tuple(_in_words(rows, a, b, scores.metric.in_words) for rows in _told(frame))
    return Answer(
        [Finding(QUESTION, points)], {TITLE: frame}, {TITLE: HOW_TO_READ.format(metric=scores.metric.in_words)}
    )


def _told(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """The example-wise rows over all splits of a kind; where no kind has two splits, those of each split."""
    own = frame[frame["averaging"] == "ew"]
    together = own[own["num_splits"] > 1]
    rows = together if len(together) else own
    return [part for _, part in rows.groupby("on", sort=False)]


def _in_words(rows: pd.DataFrame, a: Configuration, b: Configuration, metric: str) -> str:
    """Of one split, or of all of a kind: the mean of classes, then the classes that differ."""
    row = rows[rows["class"] == MACRO].iloc[0]
    first, second = "-".join(a), "-".join(b)
    on = f"On {row['on']} ({row['num_images']} test images), {AVERAGINGS['ew']} {metric}"
    if np.isnan(row["difference"]):
        return f"{on}: {row['note']}."
    difference = f"{first} less {second} is {row['difference']:+.3f}"
    if np.isnan(row["p"]):
        return f"{on}: {difference}; {row['note']}."
    if row["low"] <= 0 <= row["high"]:
        said = "these images do not tell them apart"
    else:
        said = f"{first if row['difference'] > 0 else second} is better on images like these"
    told = f"{on}: {difference} (95 % interval {row['low']:+.3f} to {row['high']:+.3f}); {said}."
    differing = rows[(rows["class"] != MACRO) & (rows["holm"] <= ALPHA)]
    names = [f"{each['class']} {each['difference']:+.3f}" for _, each in differing.iterrows()]
    classes = f"they differ in {listed(names)}" if names else "no single class differs for certain"
    return f"{told} {capitalised(classes)} (Holm's correction over the classes, 5 %)."
