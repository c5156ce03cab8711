"""The paper's Dice (section 3.4), from confusion counts. NumPy only: whoever reads tables needs no network library.

Counts are kept image by image, scores are made of them once, at the end: shards are joined by stacking their counts.
Shapes: N images, H and W pixels, K classes with the background first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

EPSILON = 0.0015
"""The paper's noise tolerance: 24 pixels of 128 x 128."""

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def confusion(truth_NHW: NDArray[np.integer[Any]], predicted_NHW: NDArray[np.integer[Any]], num_classes: int) -> Counts:
    """Pixel counts [image, truth, predicted] of N label maps, shape (N, K, K).

    Raises ValueError if the shapes differ or a label is not a class.
    """
    if truth_NHW.shape != predicted_NHW.shape or truth_NHW.ndim != 3:
        raise ValueError(f"label maps of shapes {truth_NHW.shape} and {predicted_NHW.shape}: both must be (N, H, W)")
    for labels in (truth_NHW, predicted_NHW):
        if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
            raise ValueError(f"label {labels.max()} or {labels.min()} is none of the {num_classes} classes")
    images = len(truth_NHW)
    pairs = truth_NHW.reshape(images, -1).astype(np.int64) * num_classes + predicted_NHW.reshape(images, -1)
    pairs += np.arange(images)[:, None] * num_classes**2
    counts = np.bincount(pairs.ravel(), minlength=images * num_classes**2)
    return counts.astype(np.int64).reshape(images, num_classes, num_classes)


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


def dice(confusion_NKK: Counts, epsilon: float = EPSILON) -> DiceScores:
    """Dice scores of N images.

    A class is counted in an image if the truth has it, or if more than floor(epsilon H W) of its pixels are predicted.
    The scores for all classes together take the same sums over images and classes: they are no means of class means.
    """
    true_positives = np.einsum("nkk->nk", confusion_NKK)
    truth, predicted = confusion_NKK.sum(2), confusion_NKK.sum(1)
    pixels = confusion_NKK.sum((1, 2))
    tolerances = np.array([tolerance(epsilon, int(count)) for count in pixels], dtype=np.int64).reshape(-1, 1)
    counted = (truth > 0) | (predicted > tolerances)
    union = np.where(counted, truth + predicted - true_positives, 0)  # TP + FP + FN
    both = truth + predicted  # 2 TP + FP + FN
    score = 2 * true_positives / np.maximum(both, 1)
    # Sums over images, shape (K,): numerator and weight of each averaging.
    sums = {
        "ew": (np.where(counted, score, 0.0).sum(0), counted.sum(0)),
        "pw": ((union * score).sum(0), union.sum(0)),
        "pooled": (2 * true_positives.sum(0), both.sum(0)),
    }
    per_class = {name: _ratio(numerator, weight) for name, (numerator, weight) in sums.items()}
    together = {f"all_{name}": float(_ratio(n.sum(), w.sum())) for name, (n, w) in sums.items()}
    false_images = (counted & (truth == 0)).sum(0)
    return DiceScores(**per_class, **together, num_images=counted.sum(0), false_images=false_images)  # type: ignore[arg-type]


def macro(scores_K: Floats) -> tuple[float, int]:
    """The plain mean over the object classes (all but the first) that are defined, and how many those are."""
    defined = scores_K[1:][~np.isnan(scores_K[1:])]
    return (float(defined.mean()) if len(defined) else math.nan), len(defined)


def _ratio(numerator: Any, weight: Any) -> Floats:
    numerator, weight = np.asarray(numerator, np.float64), np.asarray(weight, np.float64)
    ratio: Floats = np.divide(numerator, weight, out=np.full(numerator.shape, np.nan), where=weight > 0)
    return ratio
