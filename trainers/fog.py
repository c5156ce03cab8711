"""albumentations' RandomFog, bit for bit, in a fifth of its time.

It blends hundreds of white discs into the image one after another, each in a pass over the whole. But a pixel's level
after that depends only on how many discs lie over it.

Shapes: H and W pixels.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray


class Fog(A.RandomFog):  # type: ignore[misc]  # albumentations ships no types that mypy is shown
    """RandomFog by counting."""

    def apply(self, img: NDArray[np.uint8], **params: Any) -> NDArray[np.uint8]:
        """The image of shape (H, W, 3) behind the fog of these parameters, then slightly blurred."""
        counts_HW = self.counts(**params)
        veiled = self.levels(int(counts_HW.max()), **params)[counts_HW[..., None], img]
        side = blur_side(img.shape)
        blurred: NDArray[np.uint8] = cv2.GaussianBlur(veiled, (side, side), 0)
        return blurred

    def counts(self, **params: Any) -> NDArray[np.int64]:
        """How many particles lie over each pixel, shape (H, W): where a disc's lines begin, one more, where they end,
        one less."""
        height, width = params["shape"][:2]
        x, y = np.array(params["particle_positions"]).T
        radii, changes_HW = np.array(params["radiuses"]), np.zeros((height, width + 1), np.int64)
        for radius in np.unique(radii):
            reach = _half_lines(int(radius))
            chosen = radii == radius
            lines = y[chosen, None] + np.arange(-radius, radius + 1)
            seen = (lines >= 0) & (lines < height)
            for step, ends in ((1, x[chosen, None] - reach), (-1, x[chosen, None] + reach + 1)):
                np.add.at(changes_HW, (lines[seen], ends[seen].clip(0, width)), step)
        return changes_HW.cumsum(1)[:, :width]

    def levels(self, most: int, **params: Any) -> NDArray[np.uint8]:
        """(number of particles up to `most`, level) -> the level that it becomes: nearer to white with each."""
        opacity, levels = self.alpha_coef * params["intensity"], [np.arange(256)]
        for _ in range(most):
            levels.append(np.rint(opacity * 255 + (1 - opacity) * levels[-1]))
        return np.stack(levels).astype(np.uint8)


def blur_side(shape: tuple[int, ...]) -> int:
    """Pixels of the kernel that blurs a fog at last: a thirtieth of the shorter side, odd."""
    return max(3, min(shape[:2]) // 30 // 2 * 2 + 1)


@cache
def _half_lines(radius: int) -> NDArray[np.int64]:
    """How far each line of a disc reaches to either side; its outline is OpenCV's, not the mathematical one."""
    canvas = np.zeros((2 * radius + 1, 2 * radius + 1), np.uint8)
    disc: NDArray[np.uint8] = cv2.circle(canvas, (radius, radius), radius, 1, thickness=-1)
    lengths: NDArray[np.int64] = disc.sum(1, dtype=np.int64)
    return lengths // 2
