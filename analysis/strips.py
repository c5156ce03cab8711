"""The paper's Figures 1 and 2, chosen by computation: the worst, the median and the best test image of every class.

The images are composited again from the data set, as every test image was; so it must be at hand and be the same.
"""

from __future__ import annotations

import colorsys
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from analysis.errors import AnalysisError
from analysis.facts import Facts
from analysis.stability import CONFIGURATION
from analysis.tables import in_class_order
from study.errors import StudyError
from study.splits import make_split
from trainers.catalogue import Catalogue, DataError, locate, read_catalogue
from trainers.data import Dataset, fingerprint
from trainers.data import load as load_dataset
from trainers.images import fixed_images
from trainers.split import Partition

RANKS = ("worst", "median", "best")
# Okabe & Ito's, told apart by the colour-blind; the background is black.
COLOURS = ((0, 0, 0), (213, 94, 0), (0, 158, 115), (0, 114, 178), (240, 228, 66), (204, 121, 167), (86, 180, 233))
GAP = 2  # pixels between the three parts of a strip

Pixels = NDArray[np.uint8]


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


def examples(image_scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of `false_classes.image_scores` that are the worst, the median (the lower of two) and the best of their
    configuration and class, with a column `rank`. Of equals, the first by trial and image."""
    rows = []
    for _, part in in_class_order(image_scores).groupby([*CONFIGURATION, "class"], sort=False):
        ordered = part.sort_values(["dice", "trial", "image"])
        places = (0, (len(ordered) - 1) // 2, len(ordered) - 1)
        rows += [ordered.iloc[place].to_dict() | {"rank": rank} for place, rank in zip(places, RANKS, strict=True)]
    return pd.DataFrame(rows, columns=[*image_scores.columns, "rank"])


def strips(facts: Facts, shown: pd.DataFrame) -> list[Strip]:
    """A strip for every row of `examples`, in their order.

    Raises AnalysisError, with the remedy: the data set is not at hand, is another one, or a mask is missing.
    """
    catalogue = _same_data(facts)
    dataset = load_dataset(catalogue, facts.definition.training.image_size)
    colours = palette(len(dataset.classes))
    partitions = {split: make_split(split, facts.definition, catalogue).test for split in shown["split"].unique()}
    pictures: dict[tuple[str, str], bytes] = {}
    for (trial, split), rows in shown.groupby(["trial", "split"]):
        masks = facts.masks(trial, list(rows["image"]))
        if lacking := sorted(set(rows["image"]) - set(masks)):
            raise AnalysisError(f"{trial} has no predicted mask of {lacking[0]} in masks/: bring that table back")
        for image in masks:
            pictures[trial, image] = _picture(dataset, partitions[split], image, masks[image], colours)
    return [
        Strip(
            *(row.model, row.loss, row.class_, row.rank, row.split, row.image),
            *(float(row.dice), row.false_classes, pictures[row.trial, row.image]),
        )
        for row in shown.rename(columns={"class": "class_"}).itertuples()
    ]


def legend(classes: Sequence[str]) -> list[tuple[str, str]]:
    """Class, in the order of the labels, and its colour in masks as #rrggbb."""
    return [(name, "#" + bytes(colour).hex()) for name, colour in zip(classes, palette(len(classes))[1:], strict=True)]


def palette(num_classes: int) -> Pixels:
    """Colours of the background and the classes, shape (num_classes + 1, 3); beyond six, more hues are made up."""
    more = [colorsys.hsv_to_rgb(0.07 + 0.618 * i, 0.55, 0.95) for i in range(num_classes + 1 - len(COLOURS))]
    return np.array([*COLOURS, *(tuple(round(255 * part) for part in rgb) for rgb in more)], np.uint8)[
        : num_classes + 1
    ]


def _same_data(facts: Facts) -> Catalogue:
    """The study's data set. Raises AnalysisError if it is not at hand as it was."""
    path = facts.definition.data.path
    try:
        catalogue = read_catalogue(locate(path))
        found = fingerprint(catalogue)
    except (DataError, StudyError, OSError) as error:
        raise AnalysisError(f"no pictures: the data set is not at hand ({error})") from None
    theirs = set(facts.trials["data_fingerprint"])
    if theirs != {found}:
        raise AnalysisError(f"no pictures: {path} is not the data set of these trials (fingerprint {found[:12]})")
    return catalogue


def _picture(dataset: Dataset, partition: Partition, image: str, predicted_HW: Pixels, colours: Pixels) -> bytes:
    """PNG of the three parts at the working size."""
    background = partition.backgrounds[partition.images.index(image)]
    images_NHWC, labels_NHW = fixed_images(dataset, Partition((image,), (background,)))
    gap = np.zeros((len(predicted_HW), GAP, 4), np.uint8)
    parts = (images_NHWC[0], colours[labels_NHW[0]], colours[np.minimum(predicted_HW, len(colours) - 1)])
    opaque = [np.dstack([part, np.full(part.shape[:2], 255, np.uint8)]) for part in parts]
    buffer = io.BytesIO()
    strip = np.concatenate([opaque[0], gap, opaque[1], gap, opaque[2]], axis=1)
    Image.fromarray(strip).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
