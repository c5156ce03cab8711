"""albumentations' FancyPCA, in a twentieth of its time: by whole numbers' sums and one matrix for all pixels.

Shapes: H and W pixels, C = 3 colours (RGB).
"""

from __future__ import annotations

from typing import Any

import albumentations as A
import numpy as np
from numpy.typing import NDArray

from trainers.cpu.kernels import compiled
from trainers.data.pixels import Pixels


class FancyPCA(A.FancyPCA):  # type: ignore[misc]  # albumentations ships no types that mypy is shown
    """FancyPCA, but for the signs of the main axes, which libraries choose as they like (and factors are symmetric).

    The factors fall on the three coordinates of a centred colour, with the eigenvalues, and the eigenvectors turn the
    result: so albumentations has it.
    """

    def apply(self, img: Pixels, alpha_vector: NDArray[np.float32], **_: Any) -> Pixels:
        """The image of shape (H, W, C), each colour moved along the main axes of all colours."""
        sums_C, products_CC = np.zeros(3, np.int64), np.zeros((3, 3), np.int64)
        _sum(img, sums_C, products_CC)
        pixels = img.shape[0] * img.shape[1]
        mean_C = sums_C / pixels
        covariance_CC = (products_CC - pixels * np.outer(mean_C, mean_C)) / (255**2 * max(1, pixels - 1))
        values_C, vectors_CC = main_axes(covariance_CC)
        turn_CC = vectors_CC * (alpha_vector * values_C)
        moved_HWC = np.empty_like(img)
        _move(img, np.float32(np.eye(3) + turn_CC), np.float32(-turn_CC @ mean_C), moved_HWC)
        return moved_HWC


def main_axes(covariance_CC: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues in descending order and their vectors, in columns: of either direction the one whose largest
    coordinate is positive."""
    values_C, vectors_CC = np.linalg.eigh(covariance_CC)
    values_C, vectors_CC = values_C[::-1], vectors_CC[:, ::-1]
    largest_1C = np.abs(vectors_CC).argmax(0)[None]
    return values_C, vectors_CC * np.sign(np.take_along_axis(vectors_CC, largest_1C, 0))


# The loops. Without types, as Numba finds them out.


@compiled
def _sum(image_HWC, sums_C, products_CC):  # type: ignore[no-untyped-def]
    """Of each colour, and of each product of two."""
    r = g = b = rr = gg = bb = rg = rb = gb = np.int64(0)
    for row in range(image_HWC.shape[0]):
        line = image_HWC[row].reshape(-1)
        for x in range(image_HWC.shape[1]):
            red, green, blue = np.int64(line[3 * x]), np.int64(line[3 * x + 1]), np.int64(line[3 * x + 2])
            r, g, b = r + red, g + green, b + blue
            rr, gg, bb = rr + red * red, gg + green * green, bb + blue * blue
            rg, rb, gb = rg + red * green, rb + red * blue, gb + green * blue
    sums_C[:] = (r, g, b)
    products_CC[0] = (rr, rg, rb)
    products_CC[1] = (rg, gg, gb)
    products_CC[2] = (rb, gb, bb)


@compiled
def _move(image_HWC, matrix_CC, shift_C, moved_HWC):  # type: ignore[no-untyped-def]
    """Each colour times the matrix, and shifted, to the nearest level."""
    black, half, white = np.float32(0), np.float32(0.5), np.float32(255)
    for row in range(image_HWC.shape[0]):
        line, moved = image_HWC[row].reshape(-1), moved_HWC[row].reshape(-1)
        for x in range(image_HWC.shape[1]):
            red, green, blue = np.float32(line[3 * x]), np.float32(line[3 * x + 1]), np.float32(line[3 * x + 2])
            for colour in range(3):
                level = matrix_CC[colour, 0] * red + matrix_CC[colour, 1] * green + matrix_CC[colour, 2] * blue
                level = min(white, max(black, level + shift_C[colour]))
                moved[3 * x + colour] = np.uint8(np.int32(level + half))
