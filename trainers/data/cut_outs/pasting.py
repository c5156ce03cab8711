"""An object before a crop of a background, in one go: `composite` of a `cropped_background`, bit for bit, in a fifth of
the time, as it is what making a training image takes most of.

The crop is resized as by Pillow (its Resample.c): by bilinear weights over each pixel's footprint, rounded to parts of
2^22; along the rows first, the result rounded to levels, then along the columns.

Shapes: S and T the working height and width, h the crop's height, C = 3 colours (RGB).
"""

from __future__ import annotations

import math

import numpy as np

from trainers.cpu.kernels import compiled
from trainers.data.cut_outs.compositing import Crop
from trainers.data.pixels import Pixels

BITS = 22


def pasted(object_STC: Pixels, coverage_ST: Pixels, background_HWC: Pixels, crop: Crop) -> Pixels:
    """The image of shape (S, T, C). `object_STC` and `coverage_ST` are those of `compositing.cut_out`."""
    height, width = coverage_ST.shape
    image_STC, narrowed_hT = np.empty_like(object_STC), np.empty((crop.height, 3 * width), np.uint8)
    _narrow(background_HWC, *crop, *_footprints(crop.width, width), narrowed_hT)
    _paste(narrowed_hT, *_footprints(crop.height, height), object_STC, coverage_ST, image_STC)
    return image_STC


def _footprints(side: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel's footprint on a side begins, shape (S), and its weights from there, (S, taps)."""
    taps = math.ceil(2 * max(1.0, side / size))
    starts_S, weights_ST = np.empty(size, np.int64), np.zeros((size, taps), np.uint32)
    _weigh(side, starts_S, weights_ST)
    return starts_S, weights_ST


# The loops. Without types, as Numba finds them out; unsigned, as then they vectorise.


@compiled
def _weigh(side, starts_S, weights_ST):  # type: ignore[no-untyped-def]
    scale = side / len(starts_S)
    support = max(1.0, scale)
    shares_T = np.empty(weights_ST.shape[1])
    for place in range(len(starts_S)):
        centre, total = (place + 0.5) * scale, 0.0
        first, end = max(0, int(centre - support + 0.5)), min(side, int(centre + support + 0.5))
        for tap in range(end - first):
            shares_T[tap] = max(0.0, 1 - abs((first + tap - centre + 0.5) * (1 / support)))
            total += shares_T[tap]
        for tap in range(end - first):
            weights_ST[place, tap] = int(shares_T[tap] / total * 2**BITS + 0.5)
        starts_S[place] = first


@compiled
def _narrow(background_HWC, top, left, height, width, starts_S, weights_ST, narrowed_hT):  # type: ignore[no-untyped-def]
    """Each row of the crop at the working width. Column by column, as a column's pixels all have the same weights."""
    bits, half = np.uint32(BITS), np.uint32(2 ** (BITS - 1))
    columns, sums = np.empty((width, 3 * height), np.uint8), np.empty(3 * height, np.uint32)
    for column in range(width):
        for row in range(height):
            for colour in range(3):
                columns[column, colour * height + row] = background_HWC[top + row, left + column, colour]
    for column in range(len(starts_S)):
        sums[:] = half
        for tap in range(min(weights_ST.shape[1], width - starts_S[column])):
            weight, line = weights_ST[column, tap], columns[starts_S[column] + tap]
            for place in range(3 * height):
                sums[place] += weight * np.uint32(line[place])
        for row in range(height):
            for colour in range(3):
                narrowed_hT[row, 3 * column + colour] = sums[colour * height + row] >> bits


@compiled
def _paste(narrowed_hT, starts_S, weights_ST, object_STC, coverage_ST, image_STC):  # type: ignore[no-untyped-def]
    """Each row of the result, and the object before it."""
    bits, half, eight = np.uint32(BITS), np.uint32(2 ** (BITS - 1)), np.uint32(8)
    height, width = coverage_ST.shape
    sums, uncovered = np.empty(3 * width, np.uint32), np.empty(3 * width, np.uint32)
    for row in range(height):
        sums[:] = half
        for tap in range(min(weights_ST.shape[1], len(narrowed_hT) - starts_S[row])):
            weight, line = weights_ST[row, tap], narrowed_hT[starts_S[row] + tap]
            for place in range(3 * width):
                sums[place] += weight * np.uint32(line[place])
        for column in range(width):
            for colour in range(3):
                uncovered[3 * column + colour] = np.uint32(255) - np.uint32(coverage_ST[row, column])
        front, image = object_STC[row].reshape(-1), image_STC[row].reshape(-1)
        for place in range(3 * width):
            behind = (sums[place] >> bits) * uncovered[place] + np.uint32(127)
            behind = (behind + np.uint32(1) + (behind >> eight)) >> eight  # divided by 255, exactly
            image[place] = np.uint32(front[place]) + behind
