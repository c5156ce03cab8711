"""albumentations' warps in half of their time, by OpenCV alone.

The library asks for every image and mask whether a matrix is nearly the identity, copies maps and counts channels. And
OpenCV warps images of four colours faster than those of three, so they have a fourth meanwhile.

Outside, an image is mirrored at the middle of its outermost pixels. Shapes: H and W pixels, C = 3 colours (RGB).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import albumentations as A
import cv2
import numpy as np
from numpy.typing import NDArray

from trainers.data.pixels import Pixels

Maps = NDArray[np.float32]
BORDER = cv2.BORDER_REFLECT_101


class _ByMatrix:
    """By the matrix that maps where a pixel lies to where it comes to lie."""

    def apply(self, img: Pixels, matrix: NDArray[np.float64], **_: Any) -> Pixels:
        """The image of shape (H, W, C), between pixels."""
        return _with_a_fourth_colour(img, lambda pixels: _by_matrix(pixels, matrix, cv2.INTER_LINEAR))

    def apply_to_mask(self, mask: Pixels, matrix: NDArray[np.float64], **_: Any) -> Pixels:
        """The labels of shape (H, W), of the nearest pixel."""
        return _by_matrix(mask, matrix, cv2.INTER_NEAREST)


class Rotate(_ByMatrix, A.Rotate):  # type: ignore[misc]  # albumentations ships no types that mypy is shown
    """Rotate, to the bit."""


class Affine(_ByMatrix, A.Affine):  # type: ignore[misc]
    """Affine of an image that keeps its size, to the bit."""


class OpticalDistortion(A.OpticalDistortion):  # type: ignore[misc]
    """OpticalDistortion, to the bit."""

    def apply(self, img: Pixels, map_x: Maps, map_y: Maps, **_: Any) -> Pixels:
        """The image of shape (H, W, C), between pixels."""
        return _with_a_fourth_colour(img, lambda pixels: _by_maps(pixels, map_x, map_y, cv2.INTER_LINEAR))

    def apply_to_mask(self, mask: Pixels, map_x: Maps, map_y: Maps, **_: Any) -> Pixels:
        """The labels of shape (H, W), of the nearest pixel."""
        return _by_maps(mask, map_x, map_y, cv2.INTER_NEAREST)


def _with_a_fourth_colour(image_HWC: Pixels, warp: Callable[[Pixels], Pixels]) -> Pixels:
    warped: Pixels = cv2.cvtColor(warp(cv2.cvtColor(image_HWC, cv2.COLOR_RGB2RGBA)), cv2.COLOR_RGBA2RGB)
    return warped


def _by_matrix(pixels: Pixels, matrix: NDArray[np.float64], interpolation: int) -> Pixels:
    height, width = pixels.shape[:2]
    warped: Pixels = cv2.warpAffine(pixels, matrix[:2], (width, height), flags=interpolation, borderMode=BORDER)
    return warped


def _by_maps(pixels: Pixels, map_x: Maps, map_y: Maps, interpolation: int) -> Pixels:
    warped: Pixels = cv2.remap(pixels, map_x, map_y, interpolation, borderMode=BORDER)
    return warped
