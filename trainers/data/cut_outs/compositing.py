"""Putting an object before a background (the paper's section 3.2: objects without backgrounds, and backgrounds).

The object's pixels are pasted hard, where alpha >= 128, without shift or scale, and the result is brought to the
working size. Here both parts are brought to that size once, before training, and pasted there: the object multiplied
by its mask, and the mask's coverage, its share of each pixel. At the native size this is the hard paste, bit for bit;
at another it differs only in the pixels that the outline crosses, by the background's contrast within the pixel.

Shapes: H height, W width, C the three colours; sides in pixels; every image is uint8. A result may be a view of an
argument, or read-only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainers.data.pixels import Mask, Pixels, resized
from trainers.data.size import Size

MASK_THRESHOLD = 128
"""The object is where alpha is at least this. VISAPP's alpha is 0 or 255, so that equals its authors' alpha > 0."""
SMALLEST_CROP = 10
"""A crop of a background takes at least one part in this many of each side."""


class Crop(NamedTuple):
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


def object_mask(rgba_HWC: Pixels) -> Mask:
    """Where the object of an RGBA image is, shape (H, W)."""
    return rgba_HWC[..., 3] >= MASK_THRESHOLD


def cut_out(rgba_HWC: Pixels, size: Size) -> tuple[Pixels, Pixels, Mask]:
    """The object of an RGBA image (H, W, 4) at the working size: its colours times its coverage; coverage; mask.

    Shapes (height, width, 3), (height, width) and (height, width). Coverage is 0 to 255; no colour exceeds it, as
    both go through the same resizing. The mask is resized by the nearest pixel.
    """
    mask_HW = object_mask(rgba_HWC).astype(np.uint8)
    object_HWC = resized(rgba_HWC[..., :3] * mask_HW[..., None], *size)
    coverage_HW = resized(mask_HW * np.uint8(255), *size)
    return object_HWC, coverage_HW, resized(mask_HW, *size, nearest=True) > 0


def composite(object_HWC: Pixels, coverage_HW: Pixels, background_HWC: Pixels) -> Pixels:
    """The object before the background: object + round(background * (255 - coverage) / 255).

    `object_HWC` and `coverage_HW` are those of `cut_out`. The rounding is exact and knows no ties, 255 being odd; the
    sum cannot pass 255, as no colour of the object exceeds its coverage. Leading dimensions (a batch) broadcast.
    """
    uncovered = np.subtract(255, coverage_HW, dtype=np.uint16)[..., None]
    behind = (background_HWC * uncovered + np.uint16(127)) // np.uint16(255)
    return object_HWC + behind.astype(np.uint8)


def random_crops(sides_N2: NDArray[np.int64], generator: np.random.Generator) -> list[Crop]:
    """One for each pair of sides (height, width): 10 to 100 % of each, drawn independently, as is its place."""
    extents_N2 = generator.integers(-(-sides_N2 // SMALLEST_CROP), sides_N2, endpoint=True)
    corners_N2 = generator.integers(0, sides_N2 - extents_N2, endpoint=True)
    return [Crop(*values) for values in np.hstack([corners_N2, extents_N2]).tolist()]


def cropped_background(background_HWC: Pixels, crop: Crop, size: Size) -> Pixels:
    """A crop of the background at this size."""
    top, left, height, width = crop
    return resized(background_HWC[top : top + height, left : left + width], *size)


def whole_background(background_HWC: Pixels, size: Size) -> Pixels:
    """The whole background at this size: for validation and test images."""
    return resized(background_HWC, *size)
