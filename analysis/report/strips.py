"""The paper's Figures 1 and 2, chosen by computation: the worst, the median and the best test image of every class.

The images are composited again from the data set, as every test image was; so it must be at hand and be the same.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from analysis.errors import AnalysisError
from analysis.facts import Facts
from analysis.scores import CONFIGURATION
from study.data_set import data_set_of
from study.errors import StudyError
from study.splits import make_split
from trainers.data.class_names import IGNORED, names_in_tables
from trainers.data.palette import Colour, colour_key, label_colours
from trainers.data.pixels import Pixels
from trainers.data.source import Source
from trainers.data.split import Split

RANKS = ("worst", "median", "best")
GAP = 2  # pixels between the three parts of a strip


@dataclass(frozen=True)
class Strip:
    """A test image, its truth and its prediction, side by side."""

    model: str
    loss: str
    class_: str
    rank: str
    """worst, median or best of the configuration's test images of the class, over all its splits."""
    split: str
    image: str
    dice: float
    false_classes: str
    png: bytes


def examples(image_scores: pd.DataFrame, classes: Iterable[str]) -> pd.DataFrame:
    """The rows of `false_classes.image_scores` that are the worst, the median (the lower of two) and the best of their
    configuration and class, with a column `rank`, in the order of the classes. Of equals, the first by trial and image.
    """
    rows = []
    for name in classes:
        for _, part in image_scores[image_scores["class"] == name].groupby(CONFIGURATION, sort=False):
            ordered = part.sort_values(["dice", "trial", "image"])
            places = (0, (len(ordered) - 1) // 2, len(ordered) - 1)
            rows += [ordered.iloc[place].to_dict() | {"rank": rank} for place, rank in zip(places, RANKS, strict=True)]
    return pd.DataFrame(rows, columns=[*image_scores.columns, "rank"])


class Strips(NamedTuple):
    key: dict[str, Colour]
    """What each colour of truth and prediction stands for, as tables call it."""
    strips: list[Strip]


def strips(facts: Facts, shown: pd.DataFrame) -> Strips:
    """A strip for every row of `examples`, in their order.

    Raises AnalysisError, with the remedy: the data set is not at hand, is another one, or a mask is missing.
    """
    source = _source(facts)
    by_label = label_colours(source.samples)
    splits = {name: make_split(name, facts.definition, source.samples) for name in shown["split"].unique()}
    pictures: dict[tuple[str, str], bytes] = {}
    for (trial, split), rows in shown.groupby(["trial", "split"]):
        masks = facts.masks(trial, list(rows["image"]))
        if lacking := sorted(set(rows["image"]) - set(masks)):
            raise AnalysisError(f"{trial} has no predicted mask of {lacking[0]} in masks/: bring that table back")
        for image, mask in masks.items():
            if mask.max() >= len(source.samples.labels):
                raise AnalysisError(
                    f"{trial}: its predicted mask of {image} has label {mask.max()}, which is not a class"
                )
            pictures[trial, image] = _picture(source, splits[split], image, mask, by_label)
    key = colour_key(source.samples)
    labels = source.samples.labels
    in_tables = dict(zip(labels, map(facts.class_name, names_in_tables(labels)), strict=True))
    drawn = [
        Strip(
            *(row.model, row.loss, row.class_, row.rank, row.split, row.image),
            *(float(row.dice), row.false_classes, pictures[row.trial, row.image]),
        )
        for row in shown.rename(columns={"class": "class_"}).itertuples()
    ]
    return Strips({in_tables.get(name, name): colour for name, colour in key.items()}, drawn)


def _source(facts: Facts) -> Source:
    """The study's samples and their images. Raises AnalysisError if they are not at hand as they were."""
    definition, theirs = facts.definition, set(facts.trials["data_fingerprint"])
    try:
        data = data_set_of(definition)
        found = data.fingerprint()
        source = data.load(allow_copies=True).source if theirs == {found} else None
    except StudyError as error:
        raise AnalysisError(f"no pictures: the data set is not at hand ({error})") from None
    if source is None:
        raise AnalysisError(
            f"no pictures: {definition.data.path} is not the data set of these trials (fingerprint {found[:12]})"
        )
    return source


def _picture(source: Source, split: Split, image: str, predicted_HW: Pixels, by_label: Pixels) -> bytes:
    """PNG of the three parts at the working size. What is ignored, padding too, looks so in the prediction as well: it
    does not count."""
    ((image_HWC, labels_HW),) = source.for_evaluation(split, (image,))
    gap = np.zeros((len(predicted_HW), GAP, 4), np.uint8)
    counted_HW = np.where(labels_HW == IGNORED, IGNORED, predicted_HW)
    parts = (image_HWC, by_label[labels_HW], by_label[counted_HW])
    opaque = [np.dstack([part, np.full(part.shape[:2], 255, np.uint8)]) for part in parts]
    buffer = io.BytesIO()
    strip = np.concatenate([opaque[0], gap, opaque[1], gap, opaque[2]], axis=1)
    Image.fromarray(strip).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
