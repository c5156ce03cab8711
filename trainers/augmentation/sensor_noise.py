"""albumentations' ISONoise, in a quarter of its time: a pixel's two random numbers come from 32 random bits.

Shapes: H and W pixels, C = 3 colours (RGB; hue, lightness, saturation), K counts.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import albumentations as A
import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from trainers.cpu.kernels import compiled
from trainers.data.pixels import Pixels

STEPS = 2**16
"""Into which the probabilities of either number are divided."""
MOST_PHOTONS = 12
"""A pixel's count passes this with a probability under 1e-14: its mean is at most 3/8."""


class ISONoise(A.ISONoise):  # type: ignore[misc]  # albumentations ships no types that mypy is shown
    """ISONoise with its distributions: normal in hue, Poisson in lightness, of a mean that depends on the contrast."""

    def apply(self, img: Pixels, color_shift: float, intensity: float, random_seed: int, **_: Any) -> Pixels:
        """The image of shape (H, W, C) with the noise of this seed."""
        hls_HWC = cv2.cvtColor(img * np.float32(1 / 255), cv2.COLOR_RGB2HLS)
        _, deviation = cv2.meanStdDev(hls_HWC[..., 1])
        counts_K = cumulative(deviation.item() * intensity)
        bits_HW = random_bits(random_seed, img.shape[:2])
        _add(hls_HWC, bits_HW, np.float32(color_shift * intensity) * normal(), counts_K, np.float32(intensity))
        noised_HWC, levels_HWC = cv2.cvtColor(hls_HWC, cv2.COLOR_HLS2RGB), np.empty_like(img)
        _round(noised_HWC.reshape(-1), levels_HWC.reshape(-1))
        return levels_HWC


def random_bits(seed: int, shape: tuple[int, ...]) -> NDArray[np.uint32]:
    """Of each pixel: the lower half is the step of the normal number, the upper half that of the count."""
    pixels = math.prod(shape)
    twice = np.random.default_rng(seed).integers(0, 2**64, (pixels + 1) // 2, np.uint64)
    return twice.view(np.uint32)[:pixels].reshape(shape)


@cache
def normal() -> NDArray[np.float32]:
    """(step) -> the standard normal number at its middle."""
    middles = (torch.arange(STEPS, dtype=torch.float64) + 0.5) / STEPS
    numbers: NDArray[np.float32] = torch.special.ndtri(middles).float().numpy()
    return numbers


def cumulative(mean: float) -> NDArray[np.float64]:
    """(count up to MOST_PHOTONS) -> the probability of at most as many, in steps, by Poisson's distribution."""
    counts = range(MOST_PHOTONS + 1)
    return STEPS * np.cumsum([math.exp(-mean) * mean**count / math.factorial(count) for count in counts])


# The loops. Without types, as Numba finds them out.


@compiled
def _add(hls_HWC, bits_HW, hues, cumulative_K, intensity):  # type: ignore[no-untyped-def]
    steps, all_light = np.uint32(STEPS), np.float32(1)
    for row in range(bits_HW.shape[0]):
        line, bits = hls_HWC[row].reshape(-1), bits_HW[row]
        for x in range(len(bits)):
            count, step = 0, np.float32(bits[x] // steps) + np.float32(0.5)
            while count < MOST_PHOTONS and step > cumulative_K[count]:
                count += 1
            line[3 * x] += hues[bits[x] % steps]
            line[3 * x + 1] += np.float32(count) * intensity * (all_light - line[3 * x + 1])


@compiled
def _round(values, levels):  # type: ignore[no-untyped-def]
    black, half, white = np.float32(0), np.float32(0.5), np.float32(255)
    for place in range(len(values)):
        levels[place] = np.uint8(np.int32(min(white, max(black, white * values[place])) + half))
