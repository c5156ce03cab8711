"""Where the boundaries of a class run in truth and prediction, and how far they lie apart: the normalised surface Dice.

Nikolov et al., Deep learning to achieve clinically applicable segmentation of head and neck anatomy (arXiv 1809.04430).
Counts are kept by distance, so that any tolerance gives its score later.
Shapes: N images, H and W pixels, K classes; the two sides are SIDES.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.data.class_names import IGNORED
from trainers.dice import Counts, Ratio

SIDES = ("truth", "predicted")
MAX_DISTANCE = 10
"""Pixels; what lies farther apart is counted as farther, or as of no boundary at all."""
FARTHER = MAX_DISTANCE + 1
TOLERANCE = 2
"""Pixels, unless another is asked for."""

Labels = NDArray[np.integer[Any]]


def boundary_distances(truth_NHW: Labels, predicted_NHW: Labels, num_classes: int) -> Counts:
    """How many pixels of each class's boundary lie how far from its boundary on the other side: counts [image, class,
    side, distance], shape (N, K, 2, MAX_DISTANCE + 2).

    A boundary pixel of a class is one with a neighbour, above, below, left or right, that is not of the class. What is
    beyond the image's edge is of no class, and so is, on both sides, a pixel whose true label is IGNORED. The distance
    is the Euclidean one of the pixels' centres to the nearest, rounded up to whole pixels; FARTHER stands for all that
    are more than MAX_DISTANCE, and for all pixels if the other side has no boundary of the class.
    """
    of_no_class_NHW = truth_NHW == IGNORED
    sides = [_boundaries(np.where(of_no_class_NHW, IGNORED, labels)) for labels in (truth_NHW, predicted_NHW)]
    counts = np.zeros((len(truth_NHW), num_classes, 2, MAX_DISTANCE + 2), np.int64)
    for side, (own, other) in enumerate((sides, sides[::-1])):
        places = np.flatnonzero(own != IGNORED)
        images, labels = places // own[0].size if len(own) else places, own.ravel()[places]
        np.add.at(counts[:, :, side], (images, labels, _distances(own, other, places)), 1)
    return counts


def surface_dice(counts_NK2D: Counts, tolerance: int = TOLERANCE) -> Ratio:
    """Of each class in each image: the boundary pixels, of both sides, that lie within the tolerance of the other
    side's, over all. Raises ValueError for a tolerance that is not 0 to MAX_DISTANCE."""
    if not 0 <= tolerance <= MAX_DISTANCE:
        raise ValueError(f"{tolerance} is not a tolerance: 0 to {MAX_DISTANCE} pixels")
    return Ratio(counts_NK2D[..., : tolerance + 1].sum((2, 3)), counts_NK2D.sum((2, 3)))


def _boundaries(labels_NHW: Labels) -> Labels:
    """The labels of boundary pixels, IGNORED everywhere else, with a margin of MAX_DISTANCE around each image."""
    margin = (MAX_DISTANCE, MAX_DISTANCE)
    padded = np.pad(labels_NHW, ((0, 0), margin, margin), constant_values=IGNORED)
    inner = np.ones(padded.shape, bool)
    for axis in (1, 2):
        for step in (1, -1):
            inner &= np.roll(padded, step, axis) == padded  # what is rolled over the edge lands in the margin
    return np.where(inner, IGNORED, padded)


def _distances(own: Labels, other: Labels, places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Of the pixels at these places of the flattened arrays: how far away the nearest of the same label is."""
    labels, flat, width = own.ravel()[places], other.ravel(), own.shape[2]
    found = np.full(len(places), FARTHER, np.intp)
    left = np.arange(len(places))
    for squared, down, right in _STEPS:
        is_there = flat[places[left] + (down * width + right)] == labels[left]
        found[left[is_there]] = math.isqrt(squared - 1) + 1 if squared else 0
        left = left[~is_there]
    return found


_REACH = range(-MAX_DISTANCE, MAX_DISTANCE + 1)
_STEPS = sorted((y * y + x * x, y, x) for y in _REACH for x in _REACH if y * y + x * x <= MAX_DISTANCE**2)
"""Squared distance, rows down, columns right: the nearest first."""
