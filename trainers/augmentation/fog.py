"""albumentations' fog, in a seventh of its time.

It draws the places of hundreds of white discs one by one, and blends them into the image one after another, each in a
pass over the whole. But they can be drawn at once, and a pixel's level depends only on how many discs lie over it.

Shapes: P particles, H and W pixels, C = 3 colours (RGB), R radii, L lines of a disc.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

from trainers.cpu.kernels import compiled
from trainers.data.pixels import Pixels

SHRINKING = 0.9
REGIONS = 10
"""At most: particles lie in the whole image, in nine tenths of its sides, in nine tenths of these, and so on."""


class RandomFog(A.RandomFog):  # type: ignore[misc]  # albumentations ships no types that mypy is shown
    """RandomFog with its distribution and, of the same particles, its result to the bit."""

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """The intensity, and of every particle the place (x, y) and the radius."""
        height, width = params["shape"][:2]
        intensity = self.py_random.uniform(*self.fog_coef_range)
        halves_P2 = _halves(height, width, intensity)
        centre = np.array(((width - 1) // 2, (height - 1) // 2))
        places_P2 = self.random_generator.integers(centre - halves_P2, centre + halves_P2, endpoint=True)
        largest = max(2, int(min(height, width) * 0.1 * intensity))
        radii_P = self.random_generator.integers(max(1, largest // 2), largest, len(places_P2))
        return {"intensity": intensity, "particle_positions": places_P2, "radiuses": radii_P}

    def apply(self, img: Pixels, **params: Any) -> Pixels:
        """The image of shape (H, W, C) behind the fog of these parameters, then slightly blurred."""
        counts_HW, veiled_HWC = self.counts(**params), np.empty_like(img)
        _veil(img, counts_HW, self.levels(int(counts_HW.max()), **params), veiled_HWC)
        side = blur_side(img.shape)
        blurred: Pixels = cv2.GaussianBlur(veiled_HWC, (side, side), 0)
        return blurred

    def counts(self, **params: Any) -> NDArray[np.int64]:
        """How many particles lie over each pixel, shape (H, W)."""
        height, width = params["shape"][:2]
        counts_HW = np.zeros((height, width), np.int64)
        _count(params["particle_positions"], params["radiuses"], _half_lines(int(params["radiuses"].max())), counts_HW)
        return counts_HW

    def levels(self, most: int, **params: Any) -> Pixels:
        """(number of particles up to `most`, level) -> the level that it becomes: nearer to white with each."""
        opacity, levels = self.alpha_coef * params["intensity"], [np.arange(256)]
        for _ in range(most):
            levels.append(np.rint(opacity * 255 + (1 - opacity) * levels[-1]))
        return np.stack(levels).astype(np.uint8)


def _halves(height: int, width: int, intensity: float) -> NDArray[np.int64]:
    """Half the sides (x, y) of the region that each particle is drawn from, shape (P, 2)."""
    smallest, halves, particles = max(1, int(width // 3 * intensity)), [], []
    for _ in range(REGIONS):
        if min(width, height) <= smallest:
            break
        halves.append((width // 2, height // 2))
        particles.append(int(width * height / smallest**2 * intensity * 10))
        width, height = int(width * SHRINKING), int(height * SHRINKING)
    return np.repeat(np.array(halves, np.int64), particles, axis=0)


def blur_side(shape: tuple[int, ...]) -> int:
    """Pixels of the kernel that blurs a fog at last: a thirtieth of the shorter side, odd."""
    return max(3, min(shape[:2]) // 30 // 2 * 2 + 1)


@cache
def _half_lines(largest: int) -> NDArray[np.int64]:
    """(radius up to the largest, line) -> how far that line of a disc reaches to either side, shape (R, L).

    A disc's outline is OpenCV's, not the mathematical one.
    """
    reach_RL = np.zeros((largest + 1, 2 * largest + 1), np.int64)
    for radius in range(1, largest + 1):
        canvas = np.zeros((2 * radius + 1, 2 * radius + 1), np.uint8)
        disc = cv2.circle(canvas, (radius, radius), radius, 1, thickness=-1)
        reach_RL[radius, : 2 * radius + 1] = disc.sum(1, dtype=np.int64) // 2
    return reach_RL


# The loops. Without types, as Numba finds them out.


@compiled
def _count(places_P2, radii_P, reach_RL, counts_HW):  # type: ignore[no-untyped-def]
    """Where a disc's line begins, one more, where it ends, one less; then all from left to right."""
    height, width = counts_HW.shape
    for particle in range(len(radii_P)):
        radius, x = radii_P[particle], places_P2[particle, 0]
        for line in range(2 * radius + 1):
            y, reach = places_P2[particle, 1] - radius + line, reach_RL[radius, line]
            if 0 <= y < height and x - reach < width:
                counts_HW[y, max(0, x - reach)] += 1
                if x + reach + 1 < width:
                    counts_HW[y, max(0, x + reach + 1)] -= 1
    for y in range(height):
        for x in range(1, width):
            counts_HW[y, x] += counts_HW[y, x - 1]


@compiled
def _veil(image_HWC, counts_HW, levels, veiled_HWC):  # type: ignore[no-untyped-def]
    for row in range(counts_HW.shape[0]):
        line, veiled = image_HWC[row].reshape(-1), veiled_HWC[row].reshape(-1)
        for place in range(line.size):
            veiled[place] = levels[counts_HW[row, place // 3], line[place]]
