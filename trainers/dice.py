"""The paper's Dice (section 3.4), and IoU, precision and recall by its rules, from confusion counts. NumPy only:
whoever reads tables needs no network library.

Counts are kept image by image, scores are made of them once, at the end: shards are joined by stacking their counts.
Shapes: N images, H and W pixels, K classes, the background first where there is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.data.class_names import BACKGROUNDS, IGNORED, in_papers_order

EPSILON = 0.0015
"""The paper's noise tolerance: 24 pixels of 128 x 128."""
AVERAGINGS = {"pw": "pixel-wise", "ew": "example-wise", "pooled": "pooled"}
"""How the scores of images become one, as in `ClassScores` -> its name in words. Tables call it `dice_pw` and so on."""
BACKGROUND, ALL = BACKGROUNDS[0], "all"
NOT_OBJECTS = (*BACKGROUNDS, ALL)
"""What stands in tables as a class and is no object: the background, and the row over all pixels."""

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def confusion(truth_NHW: NDArray[np.integer[Any]], predicted_NHW: NDArray[np.integer[Any]], num_classes: int) -> Counts:
    """Pixel counts [image, truth, predicted] of N label maps, shape (N, K, K).

    Pixels whose true label is IGNORED are not counted. Raises ValueError if the shapes differ or another label is not a
    class.
    """
    if truth_NHW.shape != predicted_NHW.shape or truth_NHW.ndim != 3:
        raise ValueError(f"label maps of shapes {truth_NHW.shape} and {predicted_NHW.shape}: both must be (N, H, W)")
    counted_NHW = truth_NHW != IGNORED
    for labels in (truth_NHW[counted_NHW], predicted_NHW):
        if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
            raise ValueError(f"label {labels.max()} or {labels.min()} is none of the {num_classes} classes")
    counts_NKK = np.empty((len(truth_NHW), num_classes, num_classes), np.int64)
    for counts_KK, truth_HW, predicted_HW, counted_HW in zip(
        counts_NKK, truth_NHW, predicted_NHW, counted_NHW, strict=True
    ):
        pairs = truth_HW[counted_HW].astype(np.int64) * num_classes + predicted_HW[counted_HW]
        counts_KK.flat[:] = np.bincount(pairs, minlength=num_classes**2)
    return counts_NKK


def tolerance(epsilon: float, pixels: int) -> int:
    """floor(epsilon * pixels), with epsilon taken as the decimal number it is written as (0.29 * 100 is 29, not 28)."""
    return math.floor(Fraction(str(epsilon)) * pixels)


@dataclass(frozen=True)
class ImageCounts:
    """Pixels of every class in every image, shape (N, K) each."""

    true_positives: Counts
    truth: Counts  # TP + FN
    predicted: Counts  # TP + FP
    false: NDArray[np.bool_]  # the truth lacks the class, and more pixels than the tolerance are predicted as it

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Where the truth has the class."""
        return self.truth > 0

    @property
    def counted(self) -> NDArray[np.bool_]:
        return self.shown | self.false

    @property
    def union(self) -> Counts:
        """TP + FP + FN."""
        return self.truth + self.predicted - self.true_positives


def image_counts(confusion_NKK: Counts, epsilon: float = EPSILON) -> ImageCounts:
    """Where each class counts in each image: where it is shown, or falsely predicted.

    A class is falsely predicted in an image if more than floor(epsilon H W) of its pixels are given to it.
    """
    truth, predicted = confusion_NKK.sum(2), confusion_NKK.sum(1)
    pixels = confusion_NKK.sum((1, 2))  # of each image, those that are counted
    tolerances = np.array([tolerance(epsilon, int(count)) for count in pixels], dtype=np.int64).reshape(-1, 1)
    false = (truth == 0) & (predicted > tolerances)
    return ImageCounts(np.einsum("nkk->nk", confusion_NKK), truth, predicted, false)


@dataclass(frozen=True)
class Ratio:
    """A metric of every class in every image, shape (N, K) each: the one over the other. Where the denominator is 0,
    the image says nothing of the class."""

    numerator: Counts
    denominator: Counts

    @property
    def values(self) -> Floats:
        """NaN where the denominator is 0."""
        return _ratio(self.numerator, self.denominator)


def dice_ratio(images: ImageCounts) -> Ratio:
    """2 TP / (2 TP + FP + FN)"""
    return Ratio(2 * images.true_positives, images.truth + images.predicted)


OVERLAPS: dict[str, Callable[[ImageCounts], Ratio]] = {
    "dice": dice_ratio,
    "iou": lambda images: Ratio(images.true_positives, images.union),
    "precision": lambda images: Ratio(images.true_positives, images.predicted),
    "recall": lambda images: Ratio(images.true_positives, images.truth),
}
"""The metrics that pixel counts alone give."""


def sums_of_images(images: ImageCounts, metric: Ratio) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """What each image adds to the numerator and to the weight of each class's score, shape (N, K) each, by averaging.

    A score is the sum of the one over the sum of the other. An image in which the class does not count, or that says
    nothing of it (see `Ratio`), adds nothing; but pooled counts are those of all images.
    """
    counted = images.counted & (metric.denominator > 0)
    values = np.where(counted, metric.values, 0.0)
    union = np.where(counted, images.union, 0)
    return {
        "ew": (values, counted),
        "pw": (union * values, union),
        "pooled": (metric.numerator, metric.denominator),
    }


@dataclass(frozen=True)
class ClassScores:
    """Per class, shape (K,), and for all classes together (background included). NaN where nothing was counted."""

    ew: Floats  # example-wise: every counted image weighs the same
    pw: Floats  # pixel-wise: an image weighs TP + FP + FN
    pooled: Floats  # numerator over denominator of the sums over all images, tolerance or not
    num_images: Counts  # images in which the class is counted
    false_images: Counts  # of those, images whose truth lacks the class
    all_ew: float
    all_pw: float
    all_pooled: float


def class_scores(images: ImageCounts, metric: Ratio) -> ClassScores:
    """The scores of N images, over those in which a class counts (see `image_counts`).

    The scores for all classes together take the same sums over images and classes: they are no means of class means.
    """
    # Sums over images, shape (K,): numerator and weight of each averaging.
    sums = {
        name: (numerator.sum(0), weight.sum(0)) for name, (numerator, weight) in sums_of_images(images, metric).items()
    }
    per_class = {name: _ratio(numerator, weight) for name, (numerator, weight) in sums.items()}
    together = {f"all_{name}": float(_ratio(n.sum(), w.sum())) for name, (n, w) in sums.items()}
    counts = {"num_images": images.counted.sum(0), "false_images": images.false.sum(0)}
    return ClassScores(**per_class, **together, **counts)  # type: ignore[arg-type]


def scores_of_shown(images: ImageCounts, metric: Ratio) -> ClassScores:
    """The scores of a partition: those of `class_scores`, but a class that none of its N images shows is undefined.

    There `class_scores` gives 0 to a network that predicts the class by mistake, and nothing to one that does not: two
    numbers that could not be compared. `false_images` has how often it was.
    """
    scores, is_shown = class_scores(images, metric), images.shown.any(0)
    ew, pw, pooled = (np.where(is_shown, of_classes, np.nan) for of_classes in (scores.ew, scores.pw, scores.pooled))
    return replace(scores, ew=ew, pw=pw, pooled=pooled)


def dice(confusion_NKK: Counts, epsilon: float = EPSILON) -> ClassScores:
    """`class_scores` by the Dice."""
    images = image_counts(confusion_NKK, epsilon)
    return class_scores(images, dice_ratio(images))


def dice_of_shown(confusion_NKK: Counts, epsilon: float = EPSILON) -> ClassScores:
    """`scores_of_shown` by the Dice: what a study keeps, and the search goes by."""
    images = image_counts(confusion_NKK, epsilon)
    return scores_of_shown(images, dice_ratio(images))


def mean_of_objects(scores: Floats) -> Floats:
    """The plain mean over classes, the last axis; NaN where one of them is undefined, or there is none.

    Means over different classes could not be compared.
    """
    if not scores.shape[-1]:
        return np.full(scores.shape[:-1], np.nan)
    return np.asarray(np.ascontiguousarray(scores).mean(axis=-1))  # however it lies in memory, the same bits


def macro(scores_of_objects: Floats) -> tuple[float, int]:
    """The mean over the classes that are defined, and how many those are.

    For validation samples, which are the same in all trials of a cell: there a class may be absent.
    """
    defined = scores_of_objects[~np.isnan(scores_of_objects)]
    return float(mean_of_objects(defined)), len(defined)


def _ratio(numerator: Any, weight: Any) -> Floats:
    numerator, weight = np.asarray(numerator, np.float64), np.asarray(weight, np.float64)
    ratio: Floats = np.divide(numerator, weight, out=np.full(numerator.shape, np.nan), where=weight > 0)
    return ratio


def class_order(names: Iterable[str]) -> list[str]:
    """Classes as tables show them: the background first and "all" last; between them the paper's classes in the paper's
    order, others as they come: in a study's tables they are in the order of their labels."""
    names = list(names)
    objects = in_papers_order(name for name in names if name not in NOT_OBJECTS)
    first, last = ([name for name in names if name in each] for each in (BACKGROUNDS, (ALL,)))
    return [*first, *objects, *last]
