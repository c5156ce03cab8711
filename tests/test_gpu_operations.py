"""Each operation of the chain as a GPU carries it out, on a CPU, against albumentations' own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainers.augment import MAX_STRENGTH, OPERATIONS, Chain, augmentation
from trainers.compositing import Pixels
from trainers.faster.sensor_noise import STEPS
from trainers.gpu.noise import counts, eigen
from trainers.gpu.operations import MOVING, RECOLOURING, augmented

SIZE = 64
ROUNDED_OTHERWISE = dict.fromkeys(
    ("Rotate", "ShiftScaleRotate", "OpticalDistortion", "MotionBlur", "GaussianBlur", "FancyPCA", "ISONoise"), 1e-3
)
"""Operation -> the share of levels that may be one off, as sums are rounded in another order."""
if not cv2.checkHardwareSupport(11):  # AVX2
    ROUNDED_OTHERWISE["HueSaturationValue"] = 1.0  # OpenCV's float32 products are, too


def some_images(size: int = SIZE) -> Pixels:
    """Noise, a colour gradient, smooth blobs, black and white."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    gradient = np.dstack([255 * x, 255 * y, 255 * (1 - x)])
    blobs = np.dstack([127 + 120 * np.sin(7 * x + phase) * np.cos(5 * y - phase) for phase in (0, 1, 2)])
    half = np.repeat((x > 0.5)[..., None] * 255.0, 3, 2)
    return np.stack([rng.integers(0, 256, (size, size, 3)), gradient, blobs, half]).astype(np.uint8)


def some_labels(size: int = SIZE) -> Pixels:
    return np.random.default_rng(1).integers(0, 7, (4, size, size), dtype=np.uint8)


def only(name: str, strength: float, size: int = SIZE) -> Chain:
    """The chain with one operation that always applies."""
    chain = augmentation(strength, size)
    for operation, transform in zip(OPERATIONS, chain.transforms, strict=True):
        transform.p = float(operation.name == name)
    chain.p = 1.0
    return chain


def both(chain: Chain, images: Pixels, labels: Pixels, seed: int) -> tuple[tuple[Pixels, ...], tuple[Pixels, ...]]:
    """What the tensors make of the images and labels, and what albumentations makes of them."""
    chain.set_random_seed(seed)
    drawn = [chain.drawn(images.shape[1]) for _ in images]
    ours = augmented(torch.from_numpy(images), torch.from_numpy(labels), drawn)
    chain.set_random_seed(seed)
    theirs = [chain(image=image, mask=mask) for image, mask in zip(images, labels, strict=True)]
    return (
        tuple(tensor.numpy() for tensor in ours),
        tuple(np.stack([each[key] for each in theirs]) for key in ("image", "mask")),
    )


def test_every_operation_has_one_form() -> None:
    assert not MOVING.keys() & RECOLOURING.keys()
    assert MOVING.keys() | RECOLOURING.keys() == {operation.name for operation in OPERATIONS}


@pytest.mark.parametrize("strength", [0.5, MAX_STRENGTH])
@pytest.mark.parametrize("name", [each.name for each in OPERATIONS])
def test_an_operation_is_the_chains_own(name: str, strength: float) -> None:
    images, labels = some_images(), some_labels()
    for seed in range(3):
        (ours, our_labels), (theirs, their_labels) = both(only(name, strength), images, labels, seed)
        difference = np.abs(ours.astype(int) - theirs)
        assert difference.max() <= (name in ROUNDED_OTHERWISE)
        assert (difference > 0).mean() <= ROUNDED_OTHERWISE.get(name, 0)
        assert (our_labels != their_labels).mean() <= ROUNDED_OTHERWISE.get(name, 0)


def test_several_operations_come_in_the_chains_order() -> None:
    chain = augmentation(1.0, SIZE)
    exact = ("Blur", "VerticalFlip", "Posterize", "CoarseDropout", "Equalize", "Downscale", "RGBShift")
    for operation, transform in zip(OPERATIONS, chain.transforms, strict=True):
        transform.p = float(operation.name in exact)
    chain.p = 0.5
    images, labels = (np.concatenate([array] * 3) for array in (some_images(), some_labels()))
    ours, theirs = both(chain, images, labels, 0)
    for mine, other in zip(ours, theirs, strict=True):
        assert np.array_equal(mine, other)
    assert not np.array_equal(theirs[0], images)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_eigenvectors(seed: int, rank: int) -> None:
    """Also of a matrix that is not of full rank, as a grey image's is."""
    factors = torch.from_numpy(np.random.default_rng(seed).normal(size=(5, 3, rank)))
    symmetric = factors @ factors.mT
    values, vectors = eigen(symmetric)
    assert torch.allclose(vectors @ torch.diag_embed(values) @ vectors.mT, symmetric, atol=1e-12)
    assert torch.allclose(vectors.mT @ vectors, torch.eye(3, dtype=torch.float64).expand(5, 3, 3), atol=1e-12)
    assert (values.diff(dim=1) <= 0).all()
    assert (vectors.amax(1) >= -vectors.amin(1)).all()


def test_the_same_eigenvectors_of_a_matrix_with_equal_eigenvalues() -> None:
    values, vectors = eigen(2 * torch.eye(3, dtype=torch.float64)[None])
    assert torch.equal(values, torch.full((1, 3), 2.0, dtype=torch.float64))
    assert torch.equal(vectors[0], torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("mean", [1e-6, 0.01, 0.2, 0.375])
def test_counts_are_poissons(mean: float) -> None:
    """Of all steps of probability each count has its share: mean^k e^-mean / k!."""
    found = counts(torch.arange(STEPS)[None, None], torch.full((1, 1, 1), mean, dtype=torch.float64))
    share = np.exp(-mean)
    for count in range(4):
        assert (found == count).double().mean().item() == pytest.approx(share, abs=1 / STEPS)
        share *= mean / (count + 1)


def test_sensor_noise_of_an_image_without_contrast_has_no_photons() -> None:
    plain = np.full((1, 16, 16, 3), (90, 120, 60), np.uint8)
    (ours, _), _ = both(only("ISONoise", 1.0, 16), plain, some_labels(16)[:1], 0)
    assert np.abs(ours.astype(int) - plain).max() <= 2  # hue alone
