"""The paper's Dice (section 3.4), from confusion counts. NumPy only: whoever reads tables needs no network library.

Counts are kept image by image, scores are made of them once, at the end: shards are joined by stacking their counts.
Shapes: N images, H and W pixels, K classes, the background first where there is one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.data.class_names import BACKGROUNDS, IGNORED, in_papers_order

EPSILON = 0.0015
"""The paper's noise tolerance: 24 pixels of 128 x 128."""
AVERAGINGS = {"pw": "pixel-wise", "ew": "example-wise", "pooled": "pooled"}
"""How the scores of images become one, as in `DiceScores` -> its name in words. Tables call it `dice_pw` and so on."""
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
class DiceScores:
    """Per class, shape (K,), and for all classes together (background included). NaN where nothing was counted."""

    ew: Floats  # example-wise: every counted image weighs the same
    pw: Floats  # pixel-wise: an image weighs TP + FP + FN
    pooled: Floats  # 2 TP / (2 TP + FP + FN) of the sums over all images, tolerance or not
    num_images: Counts  # images in which the class is counted
    false_images: Counts  # of those, images whose truth lacks the class
    all_ew: float
    all_pw: float
    all_pooled: float


@dataclass(frozen=True)
class ImageScores:
    """Every class in every image, shape (N, K) each."""

    shown: NDArray[np.bool_]  # the truth has the class
    false: NDArray[np.bool_]  # it has not, and more pixels than the tolerance are predicted as the class
    dice: Floats  # 0 where neither truth nor prediction has a pixel of the class
    true_positives: Counts
    both: Counts  # 2 TP + FP + FN


def image_scores(confusion_NKK: Counts, epsilon: float = EPSILON) -> ImageScores:
    """Dice of every class in every image, and where it counts: where the class is shown, or falsely predicted.

    A class is falsely predicted in an image if more than floor(epsilon H W) of its pixels are given to it.
    """
    true_positives = np.einsum("nkk->nk", confusion_NKK)
    truth, predicted = confusion_NKK.sum(2), confusion_NKK.sum(1)
    pixels = confusion_NKK.sum((1, 2))  # of each image, those that are counted
    tolerances = np.array([tolerance(epsilon, int(count)) for count in pixels], dtype=np.int64).reshape(-1, 1)
    shown, both = truth > 0, truth + predicted
    score = 2 * true_positives / np.maximum(both, 1)
    return ImageScores(shown, ~shown & (predicted > tolerances), score, true_positives, both)


def sums_of_images(images: ImageScores) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """What each image adds to the numerator and to the weight of each class's score, shape (N, K) each, by averaging.

    A score is the sum of the one over the sum of the other; an image in which the class does not count adds nothing.
    """
    counted = images.shown | images.false
    union = np.where(counted, images.both - images.true_positives, 0)  # TP + FP + FN
    return {
        "ew": (np.where(counted, images.dice, 0.0), counted),
        "pw": (union * images.dice, union),
        "pooled": (2 * images.true_positives, images.both),
    }


def dice(confusion_NKK: Counts, epsilon: float = EPSILON) -> DiceScores:
    """Dice scores of N images, over those in which a class counts (see `image_scores`).

    The scores for all classes together take the same sums over images and classes: they are no means of class means.
    """
    images = image_scores(confusion_NKK, epsilon)
    # Sums over images, shape (K,): numerator and weight of each averaging.
    sums = {name: (numerator.sum(0), weight.sum(0)) for name, (numerator, weight) in sums_of_images(images).items()}
    per_class = {name: _ratio(numerator, weight) for name, (numerator, weight) in sums.items()}
    together = {f"all_{name}": float(_ratio(n.sum(), w.sum())) for name, (n, w) in sums.items()}
    counted = images.shown | images.false
    counts = {"num_images": counted.sum(0), "false_images": images.false.sum(0)}
    return DiceScores(**per_class, **together, **counts)  # type: ignore[arg-type]


def dice_of_shown(confusion_NKK: Counts, epsilon: float = EPSILON) -> DiceScores:
    """The scores of a partition: those of `dice`, but a class that none of its N images shows is undefined.

    There `dice` gives 0 to a network that predicts the class by mistake, and nothing to one that does not: two numbers
    that could not be compared. `false_images` has how often it was.
    """
    scores, is_shown = dice(confusion_NKK, epsilon), confusion_NKK.any((0, 2))
    ew, pw, pooled = (np.where(is_shown, of_classes, np.nan) for of_classes in (scores.ew, scores.pw, scores.pooled))
    return replace(scores, ew=ew, pw=pw, pooled=pooled)


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
