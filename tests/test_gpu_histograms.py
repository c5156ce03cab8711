"""Histograms spread as on a GPU, on a CPU, against OpenCV by way of albumentations."""

from __future__ import annotations

from collections.abc import Callable

import albumentations.augmentations.pixel.functional as albumentations
import cv2
import numpy as np
import pytest
import torch
from test_gpu_colours import SIZES, some_images
from torch import Tensor

from trainers.compositing import Pixels
from trainers.gpu.histograms import clahe, contrast_limited, equalized

pytestmark = pytest.mark.slow  # many images
LIMITS = [1e-3, 1.0, 1.7, 2.5, 4.0, 5.5, 40.0, 1000.0]
"""From one pixel a level to no limit at all."""


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def images(request: pytest.FixtureRequest) -> Pixels:
    return some_images(*request.param)


def test_equalized(images: Pixels) -> None:
    expected = np.stack([albumentations.equalize(image, mode="cv", by_channels=True) for image in images])
    assert np.array_equal(equalized(torch.from_numpy(images)).numpy(), expected)
    assert not np.array_equal(expected, images)


def test_equalized_histograms_of_all_shapes() -> None:
    """Of one level, two, some; with one pixel beside the rest; evenly or unevenly filled."""
    rng = np.random.default_rng(0)
    scales = np.geomspace(0.01, 100, 40)
    planes = [rng.normal(rng.uniform(0, 255), scale, (32, 16, 3)) for scale in scales]
    images = np.clip(planes, 0, 255).astype(np.uint8)
    images[:4] = np.array([0, 1, 254, 255], np.uint8)[:, None, None, None]
    images[:4, 3, 5, 1] = 7
    expected = np.stack([[cv2.equalizeHist(plane) for plane in np.moveaxis(image, -1, 0)] for image in images])
    assert np.array_equal(equalized(torch.from_numpy(images)).numpy(), np.moveaxis(expected, 1, -1))


def test_equalized_levels_on_the_border_of_two() -> None:
    """One pixel of each level above 0, for every number of them: some come out at a half, but for a last bit."""
    above = np.arange(256)
    planes = np.maximum(np.arange(256) - (255 - above[:, None]), 0).astype(np.uint8).reshape(256, 16, 16)
    ours = equalized(torch.from_numpy(planes)[..., None])[..., 0]
    assert np.array_equal(ours.numpy(), np.stack([cv2.equalizeHist(plane) for plane in planes]))


@pytest.mark.parametrize("limit", LIMITS)
def test_limited_contrast_of_a_plane(images: Pixels, limit: float) -> None:
    planes = np.ascontiguousarray(images[..., 1])
    ours = contrast_limited(torch.from_numpy(planes), torch.full((len(planes),), limit, dtype=torch.float64))
    expected = np.stack([cv2.createCLAHE(limit, (8, 8)).apply(plane) for plane in planes])
    assert np.array_equal(ours.numpy(), expected)


def test_limited_contrast_of_images(images: Pixels) -> None:
    """Every image has its own limit."""
    limits = np.random.default_rng(0).uniform(1, 5.5, len(images))
    ours = clahe(torch.from_numpy(images), torch.from_numpy(limits)).numpy()
    theirs = [albumentations.clahe(image, limit, (8, 8)) for image, limit in zip(images, limits.tolist(), strict=True)]
    assert np.array_equal(ours, np.stack(theirs))
    assert not np.array_equal(ours, images)


def test_every_limit_and_every_rest() -> None:
    """Tiles of 256 pixels, each of a few levels: all numbers of pixels are cut off from some."""
    planes = np.random.default_rng(0).integers(100, 104, (12, 128, 128)) ** np.arange(1, 13)[:, None, None] % 256
    planes, limits = planes.astype(np.uint8), np.linspace(1, 60, 12)
    ours = contrast_limited(torch.from_numpy(planes), torch.from_numpy(limits)).numpy()
    theirs = [cv2.createCLAHE(limit, (8, 8)).apply(plane) for plane, limit in zip(planes, limits.tolist(), strict=True)]
    assert np.array_equal(ours, np.stack(theirs))


OPERATIONS: list[Callable[[Tensor], Tensor]] = [
    equalized,
    lambda images: clahe(images, torch.full((len(images),), 2.3, device=images.device)),
]


@pytest.mark.parametrize("spread", OPERATIONS)
def test_an_image_does_not_depend_on_the_others(spread: Callable[[Tensor], Tensor]) -> None:
    images = torch.from_numpy(some_images(32, 48))
    together = spread(images)
    for image, result in zip(images, together, strict=True):
        assert torch.equal(spread(image[None])[0], result)
    assert torch.equal(spread(images.flip(0)), together.flip(0))
