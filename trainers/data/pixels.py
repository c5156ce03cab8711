"""Images as arrays, and how they are resized: by Pillow, in integer arithmetic, the same on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def resized(image: Pixels, height: int, width: int, nearest: bool = False) -> Pixels:
    """An (H, W) or (H, W, 3) image at another size, bilinear or by the nearest pixel; the aspect is not kept.

    Bilinear weights cover the whole footprint when shrinking, so nothing aliases. The result may be the argument
    itself, or read-only.
    """
    if image.shape[:2] == (height, width):
        return image
    picture = Image.fromarray(np.ascontiguousarray(image))
    if nearest:
        return np.asarray(picture.resize((width, height), Image.Resampling.NEAREST))
    # One axis at a time: the result is rounded between the two, and which goes first depends on Pillow's version.
    narrowed = picture.resize((width, picture.height), Image.Resampling.BILINEAR)
    return np.asarray(narrowed.resize((width, height), Image.Resampling.BILINEAR))


def is_grey(image_HWC: Pixels) -> bool:
    """Whether the three colours of every pixel are equal."""
    red, green, blue = np.moveaxis(image_HWC, -1, 0)
    rows = (slice(0, 1), slice(1, None))  # of most images that have colours the first row says so
    return all(bool((red[some] == other[some]).all()) for some in rows for other in (green, blue))
