"""From an image's own size to the working size, and of predicted labels back.

Shapes: H height, W width, C the three colours; every array is uint8. A result may be the argument itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainers.data.class_names import IGNORED
from trainers.data.pixels import Pixels, resized
from trainers.data.size import Size
from trainers.recipe import Resize


@dataclass(frozen=True)
class Fitting:
    """How images get to the working size: stretched, or with their aspect kept and something put around them."""

    size: Size
    """The working size."""
    resize: Resize

    def image(self, image_HWC: Pixels) -> Pixels:
        """Bilinear; black around it."""
        return self.framed(self.picture(image_HWC))

    def picture(self, image_HWC: Pixels) -> Pixels:
        """The same without what is put around it."""
        return resized(image_HWC, *self._inner(Size(*image_HWC.shape[:2])))

    def framed(self, picture_HWC: Pixels) -> Pixels:
        """A picture with black around it."""
        return self._framed(picture_HWC, 0)

    def labels(self, labels_HW: Pixels) -> Pixels:
        """By the nearest pixel; IGNORED around them."""
        return self._framed(resized(labels_HW, *self._inner(Size(*labels_HW.shape)), nearest=True), IGNORED)

    def restored(self, labels_HW: Pixels, own: Size) -> Pixels:
        """Labels at the working size, at the size of the image that they are of: without what was put around it."""
        inner = self._inner(own)
        top, left = self._corner(inner)
        return resized(labels_HW[top : top + inner.height, left : left + inner.width], *own, nearest=True)

    def _inner(self, own: Size) -> Size:
        """What the image takes of the working size: all of one side, and of the other by its aspect, rounded."""
        if self.resize == "stretch":
            return self.size
        if own.height * self.size.width >= own.width * self.size.height:
            return Size(self.size.height, _share(self.size.height, own.width, own.height))
        return Size(_share(self.size.width, own.height, own.width), self.size.width)

    def _corner(self, inner: Size) -> tuple[int, int]:
        """Top and left of an image in the middle of the working size."""
        return (self.size.height - inner.height) // 2, (self.size.width - inner.width) // 2

    def _framed(self, pixels: Pixels, around: int) -> Pixels:
        inner = Size(*pixels.shape[:2])
        if inner == self.size:
            return pixels
        top, left = self._corner(inner)
        framed = np.full((*self.size, *pixels.shape[2:]), around, np.uint8)
        framed[top : top + inner.height, left : left + inner.width] = pixels
        return framed


def _share(side: int, part: int, whole: int) -> int:
    """side * part / whole, rounded (halves up), at least 1 pixel."""
    return max(1, (2 * side * part + whole) // (2 * whole))
