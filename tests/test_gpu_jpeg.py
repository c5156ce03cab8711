"""JPEG's loss as tensors, on a CPU, against albumentations' own, OpenCV's: bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from albumentations.augmentations.pixel.functional import image_compression
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trainers.catalogue import locate
from trainers.compositing import Pixels
from trainers.gpu import jpeg
from trainers.gpu.jpeg import compressed

pytestmark = pytest.mark.slow  # many images
QUALITIES = [1, 5, 10, 30, 50, 75, 90, 95, 100]


def ours(images: Pixels, qualities: list[int]) -> Pixels:
    result: Pixels = compressed(torch.from_numpy(images), qualities).numpy()
    return result


def theirs(images: Pixels, qualities: list[int]) -> Pixels:
    return np.stack([image_compression(each, q, ".jpg") for each, q in zip(images, qualities, strict=True)])


def some_images(height: int, width: int) -> Pixels:
    """Noise; black and white noise, whose restored samples are clamped; smooth waves; two flat colours."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    noise = rng.integers(0, 256, (height, width, 3))
    waves = np.dstack([127 + 120 * np.sin(x / 9 + phase) * np.cos(y / 7 - phase) for phase in range(3)])
    flat = np.where((x < 5)[..., None], (255, 0, 10), (3, 90, 255))
    return np.stack([noise, noise // 128 * 255, waves, flat]).astype(np.uint8)


def assert_the_same(images: Pixels) -> None:
    """At every quality, all in one batch."""
    images, qualities = np.repeat(images, len(QUALITIES), 0), QUALITIES * len(images)
    assert np.array_equal(ours(images, qualities), theirs(images, qualities))


@pytest.mark.parametrize("sides", [(16, 16), (48, 48), (128, 128), (32, 64), (64, 16)])
def test_made_images(sides: tuple[int, int]) -> None:
    assert_the_same(some_images(*sides))


def test_photographs() -> None:
    objects = sorted(locate("standin").glob("*/*/*.png"))[::100]
    photographs = [np.asarray(Image.open(path).convert("RGB"))[:128, :128] for path in objects]
    assert len(photographs) >= 5
    assert_the_same(np.stack(photographs))


def test_every_quality() -> None:
    qualities = list(range(1, 101))
    images = np.resize(some_images(16, 32), (len(qualities), 16, 32, 3))
    assert np.array_equal(ours(images, qualities), theirs(images, qualities))


@given(st.integers(0, 2**32 - 1), st.integers(1, 100))
def test_any_image(seed: int, quality: int) -> None:
    """A wave cut to two colours, with some noise."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.mgrid[:16, :32].T @ rng.uniform(-3, 3, 2)).T[..., None] > rng.uniform(-1, 1)
    image = np.where(wave, *rng.integers(0, 256, (2, 3))) + rng.normal(0, rng.choice([0, 1, 30]), (16, 32, 3))
    images = image.clip(0, 255).astype(np.uint8)[None]
    assert np.array_equal(ours(images, [quality]), theirs(images, [quality]))


def test_an_image_does_not_depend_on_its_batch() -> None:
    images, qualities = some_images(32, 64), [7, 100, 30, 80]
    together = ours(images, qualities)
    for row, quality in enumerate(qualities):
        assert np.array_equal(together[row], ours(images[row : row + 1], [quality])[0])
    assert np.array_equal(together[::-1], ours(images[::-1].copy(), qualities[::-1]))
    assert ours(images[:0], []).shape == (0, 32, 64, 3)


def test_arguments_stay_and_any_layout_will_do() -> None:
    images = torch.from_numpy(some_images(32, 64))
    before, planes = images.clone(), images.permute(0, 3, 1, 2).contiguous()
    expected = compressed(images, [10] * 4)
    assert torch.equal(images, before)
    assert torch.equal(compressed(planes.permute(0, 2, 3, 1), [10] * 4), expected)


def test_cosines_are_cosines() -> None:
    frequency, sample = np.mgrid[:8, :8]
    scale = np.where(frequency == 0, 1, np.sqrt(2)) * 8192
    assert np.abs(jpeg.COSINES - scale * np.cos((2 * sample + 1) * frequency * np.pi / 16)).max() < 1.5
