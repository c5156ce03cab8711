"""Colour spaces as a GPU converts them, on a CPU, against OpenCV's own conversions and albumentations' shifts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import albumentations.augmentations.pixel.functional as albumentations
import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from trainers import data
from trainers.compositing import Pixels
from trainers.gpu import colours
from trainers.gpu.colours import gray, hls_to_rgb, hsv_shifted, rgb_to_hls
from trainers.gpu.lab import lab_to_rgb, rgb_to_lab

pytestmark = pytest.mark.slow  # many images
Floats = NDArray[np.float32]
STANDIN = Path(data.__file__).parent / "standin"
SIZES = [(16, 16), (48, 48), (128, 128), (32, 64)]
AVX2 = cv2.checkHardwareSupport(11)
"""Without it OpenCV rounds float32 products by themselves, and takes other numbers of pixels at once."""
SHIFTS = [
    (0.0, 0.0, 0.0),
    (7.6, 0.0, 0.0),
    (-7.6, 0.0, 0.0),
    (-1e-17, 0.0, 0.0),  # whose remainder by 180 is 180
    (0.0, 21.9, 0.0),
    (0.0, -21.9, 0.0),
    (0.0, 0.4, -0.4),
    (0.0, 0.0, 13.2),
    (0.0, 0.0, -13.2),
    (400.0, 300.0, -300.0),
    (-29.5, 44.5, -29.5),
    (12.3, -18.1, 9.9),
]


def some_images(height: int, width: int) -> Pixels:
    """Noise, also without colour and in few levels; a gradient; single colours; photographs, and an object on black."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (height, width, 3))
    y, x = np.mgrid[:height, :width] / (height, width)[0]
    gradient = 255 * np.dstack([x % 1, y, (1 - x) % 1])
    single = [np.full_like(noise, colour) for colour in (0, 255, 128, (255, 0, 0), (40, 90, 200), (1, 0, 2))]
    photographs = [
        np.asarray(Image.open(STANDIN / path).convert("RGB").resize((width, height)))
        for path in ("backgrounds/apartment/apartment_0.png", "backgrounds/city/city_1.png", "duck/30/duck_30_000.png")
    ]
    grey = np.repeat(noise[..., :1], 3, 2)
    return np.stack([noise, grey, noise // 100 + 80, gradient, *single, *photographs]).astype(np.uint8)


def grid(*sides: NDArray[np.integer[Any]]) -> Pixels:
    """All combinations as the pixels of one image, whose rows are no multiple of 32 wide."""
    pixels = np.stack(np.meshgrid(*sides, indexing="ij"), -1).astype(np.uint8)
    return pixels.reshape(1, len(sides[0]), -1, 3)


LEVELS = np.arange(0, 256, 5)
COLOURS = grid(LEVELS, LEVELS, LEVELS)
"""Every fifth level of each."""


def converted(images: NDArray[Any], code: int) -> NDArray[Any]:
    return np.stack([cv2.cvtColor(image, code) for image in images])


def assert_equal(ours: Tensor, theirs: NDArray[Any], elsewhere: float = 0.0) -> None:
    """To the bit; without AVX2 within a tolerance."""
    assert ours.numpy().dtype == theirs.dtype
    assert ours.shape == theirs.shape
    if AVX2 or not elsewhere:
        assert np.array_equal(ours.numpy(), theirs)
    else:
        assert np.abs(ours.numpy().astype(float) - theirs).max() <= elsewhere


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def images(request: pytest.FixtureRequest) -> Pixels:
    return some_images(*request.param)


def test_grey(images: Pixels) -> None:
    for pixels in (images, COLOURS):
        expected = np.stack([albumentations.to_gray_weighted_average(image) for image in pixels])
        assert_equal(gray(torch.from_numpy(pixels)), np.repeat(expected[..., None], 3, -1))


@pytest.mark.parametrize("shifts", SHIFTS)
def test_shifts_of_hue_saturation_and_value(images: Pixels, shifts: tuple[float, float, float]) -> None:
    ours = hsv_shifted(torch.from_numpy(images), torch.tensor([shifts] * len(images), dtype=torch.float64))
    expected = np.stack([albumentations.shift_hsv(image, *shifts) for image in images])
    assert_equal(ours, expected, elsewhere=1)
    assert any(shifts) != np.array_equal(expected, images)


def test_every_image_has_its_own_shifts(images: Pixels) -> None:
    shifts = np.random.default_rng(0).uniform(-30, 30, (len(images), 3)).astype(np.float32)
    expected = [albumentations.shift_hsv(image, *each) for image, each in zip(images, shifts.tolist(), strict=True)]
    assert_equal(hsv_shifted(torch.from_numpy(images), torch.from_numpy(shifts)), np.stack(expected), elsewhere=1)


def test_to_hue_saturation_and_value() -> None:
    hsv = torch.stack(colours._rgb_to_hsv(torch.from_numpy(COLOURS)), -1)
    assert_equal(hsv.to(torch.uint8), converted(COLOURS, cv2.COLOR_RGB2HSV))


def test_from_hue_saturation_and_value() -> None:
    """Also a hue of 180, which only a shift makes."""
    hsv = grid(np.arange(0, 181), LEVELS, LEVELS)
    ours = colours._hsv_to_rgb(*torch.from_numpy(hsv).unbind(-1))
    assert_equal(ours, converted(hsv, cv2.COLOR_HSV2RGB), elsewhere=1)


def shares(pixels: Pixels) -> Floats:
    return pixels.astype(np.float32) / np.float32(255)


def random_shares(seed: int) -> Floats:
    return np.random.default_rng(seed).random((1, 64, 64, 3), np.float32)


def test_to_hue_lightness_and_saturation(images: Pixels) -> None:
    for rgb in (shares(images), shares(COLOURS[:, :, :2704]), random_shares(0)):
        assert_equal(rgb_to_hls(torch.from_numpy(rgb)), converted(rgb, cv2.COLOR_RGB2HLS), elsewhere=1e-3)


@pytest.mark.parametrize("hues", [(0, 360), (-90, 450), (-3000, 3000)])
def test_from_hue_lightness_and_saturation(images: Pixels, hues: tuple[float, float]) -> None:
    for rgb in (shares(images), random_shares(1)):
        hls = converted(rgb, cv2.COLOR_RGB2HLS)
        for changed in (False, True):
            if changed:
                hls[..., 0] = np.random.default_rng(2).uniform(*hues, hls.shape[:-1])
            assert_equal(hls_to_rgb(torch.from_numpy(hls)), converted(hls, cv2.COLOR_HLS2RGB), elsewhere=1e-5)


def test_lab(images: Pixels) -> None:
    """Both ways; what is read as Lab holds many colours that sRGB does not have."""
    for pixels in (images, COLOURS):
        assert_equal(rgb_to_lab(torch.from_numpy(pixels)), converted(pixels, cv2.COLOR_RGB2LAB))
        assert_equal(lab_to_rgb(torch.from_numpy(pixels)), converted(pixels, cv2.COLOR_LAB2RGB))


def test_every_grey_in_lab() -> None:
    """All that the tables of light and of roots have to say about them."""
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, None, :, None], 3, -1)
    lab = rgb_to_lab(torch.from_numpy(greys))
    assert_equal(lab, converted(greys, cv2.COLOR_RGB2LAB))
    assert_equal(lab_to_rgb(lab), converted(lab.numpy(), cv2.COLOR_LAB2RGB))


CONVERSIONS: list[Callable[[Tensor], Tensor]] = [
    gray,
    lambda images: hsv_shifted(images, torch.full((len(images), 3), 7.7, device=images.device)),
    lambda images: rgb_to_hls(images / 255),
    lambda images: hls_to_rgb(images / 255),
    rgb_to_lab,
    lab_to_rgb,
]


@pytest.mark.parametrize("convert", CONVERSIONS)
def test_an_image_does_not_depend_on_the_others(convert: Callable[[Tensor], Tensor]) -> None:
    images = torch.from_numpy(some_images(32, 48))
    together = convert(images)
    for image, result in zip(images, together, strict=True):
        assert torch.equal(convert(image[None])[0], result)
    assert torch.equal(convert(images.flip(0)), together.flip(0))
