"""The operations that are faster than albumentations', against albumentations' own."""

from __future__ import annotations

from itertools import product
from typing import Any

import albumentations as A
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainers.augmentation.chain import MAX_STRENGTH, OPERATIONS
from trainers.augmentation.principal_axes import FancyPCA, main_axes
from trainers.augmentation.sensor_noise import STEPS, cumulative, normal, random_bits
from trainers.data.pixels import Pixels
from trainers.data.size import square

FASTER = ("Rotate", "ShiftScaleRotate", "OpticalDistortion", "FancyPCA", "ISONoise", "RandomFog")
THEIR_DRAWS = ("Rotate", "ShiftScaleRotate", "OpticalDistortion")
"""Operations that draw what albumentations' draw, and give the same bits."""


def some_images(size: int) -> Pixels:
    """Noise, a colour gradient, grey noise, one colour."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    gradient = np.dstack([255 * x, 255 * y, 255 * (1 - x)])
    grey = np.repeat(rng.integers(0, 256, (size, size, 1)), 3, 2)
    plain = np.full((size, size, 3), (90, 120, 60))
    return np.stack([rng.integers(0, 256, (size, size, 3)), gradient, grey, plain]).astype(np.uint8)


def ours_and_theirs(name: str, strength: float, size: int) -> tuple[A.BasicTransform, A.BasicTransform]:
    """The operation, always applied, and the class that it inherits from, made of the same arguments."""
    (operation,) = (operation for operation in OPERATIONS if operation.name == name)
    ours = operation.make(operation.at(strength, square(size))[0], 1.0)
    return ours, type(ours).__bases__[-1](**ours.get_transform_init_args())


def drawn(transform: A.BasicTransform, seed: int, image: Pixels) -> dict[str, Any]:
    transform.set_random_seed(seed)
    params = transform.update_transform_params(transform.get_params(), {"image": image})
    return params | transform.get_params_dependent_on_data(params, {"image": image})


def test_faster_are_those_that_are_not_albumentations_own() -> None:
    made = {operation.name: operation.make(operation.at(1.0, square(64))[0], 1.0) for operation in OPERATIONS}
    assert {name for name, each in made.items() if not type(each).__module__.startswith("albumentations")} == set(
        FASTER
    )


@pytest.mark.parametrize("size", [16, 48, 128])
@pytest.mark.parametrize("strength", [0.1, 1.0, MAX_STRENGTH])
@pytest.mark.parametrize("name", THEIR_DRAWS)
def test_the_same_draws_and_the_same_bits(name: str, strength: float, size: int) -> None:
    ours, theirs = ours_and_theirs(name, strength, size)
    labels = np.random.default_rng(1).integers(0, 7, (size, size), dtype=np.uint8)
    for seed, image in product(range(8), some_images(size)[:2]):
        mine, other = drawn(ours, seed, image), drawn(theirs, seed, image)
        assert np.array_equal(ours.apply(image, **mine), theirs.apply(image, **other))
        if isinstance(ours, A.DualTransform):
            assert np.array_equal(ours.apply_to_mask(labels, **mine), theirs.apply_to_mask(labels, **other))
        assert ours.py_random.random() == theirs.py_random.random()


@pytest.mark.parametrize("size", [16, 32, 48, 128])
@pytest.mark.parametrize("strength", [0.1, 1.0, MAX_STRENGTH])
def test_the_same_fog_to_the_bit(size: int, strength: float) -> None:
    ours, theirs = ours_and_theirs("RandomFog", strength, size)
    for seed, image in enumerate(some_images(size)):
        mine, other = drawn(ours, seed, image), drawn(theirs, seed, image)
        their_form = mine | {
            "particle_positions": [tuple(place) for place in mine["particle_positions"].tolist()],
            "radiuses": mine["radiuses"].tolist(),
        }
        fogged = ours.apply(image, **mine)
        assert np.array_equal(fogged, theirs.apply(image, **their_form))
        assert not np.array_equal(fogged, image)
        assert mine["intensity"] == other["intensity"]
        assert len(mine["radiuses"]) == len(mine["particle_positions"]) == len(other["radiuses"])


def test_fogs_particles_lie_where_albumentations_draws_them() -> None:
    """By the first places of a seed's fog, which are of its largest region, down to the last, of its smallest."""
    ours, theirs = ours_and_theirs("RandomFog", 1.0, 128)
    image = some_images(128)[0]
    pairs = [(drawn(ours, seed, image), drawn(theirs, seed, image)) for seed in range(40)]
    for part in (slice(0, 20), slice(-20, None)):
        for statistic in (np.min, np.max, np.mean, np.std):
            mine, other = (
                np.array([statistic(np.array(each["particle_positions"])[part], axis=0) for each in side])
                for side in zip(*pairs, strict=True)
            )
            assert differs_by(mine, other) < 4
    assert {radius for mine, _ in pairs for radius in mine["radiuses"]} == {
        radius for _, other in pairs for radius in other["radiuses"]
    }


def differs_by(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The means' difference in standard errors, the larger one of the columns'."""
    error = np.sqrt(one.var(0, ddof=1) / len(one) + other.var(0, ddof=1) / len(other))
    return float(np.max(np.abs(one.mean(0) - other.mean(0)) / error))


@pytest.mark.parametrize("strength", [0.5, MAX_STRENGTH])
def test_main_axes_are_albumentations_up_to_their_signs(strength: float) -> None:
    ours, theirs = ours_and_theirs("FancyPCA", strength, 64)
    for seed, image in enumerate(some_images(64)):
        params = drawn(ours, seed, image)
        mine = ours.apply(image, **params).astype(int)
        turned = [params["alpha_vector"] * np.float32(signs) for signs in product((-1, 1), repeat=3)]
        differences = [np.abs(mine - theirs.apply(image, alpha_vector=factors)) for factors in turned]
        nearest = min(differences, key=np.sum)
        assert nearest.max() <= 1
        assert (nearest > 0).mean() < 1e-3


def test_main_axes_move_colours_at_all() -> None:
    image = some_images(64)[0]
    assert (FancyPCA(0.4).apply(image, np.float32([3, -3, 3])) != image).mean() > 0.3


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_eigenvectors_have_one_direction(seed: int, rank: int) -> None:
    factors = np.random.default_rng(seed).normal(size=(3, rank))
    values, vectors = main_axes(factors @ factors.T)
    assert np.allclose(vectors * values @ vectors.T, factors @ factors.T, atol=1e-12)
    assert (np.diff(values) <= 0).all()
    assert (vectors.max(0) >= -vectors.min(0)).all()


@pytest.mark.slow
def test_normal_numbers_are_normal() -> None:
    numbers = normal().astype(float)
    assert len(numbers) == STEPS
    assert (np.diff(numbers) > 0).all()
    assert numbers == pytest.approx(-numbers[::-1], abs=1e-6)
    for moment, expected in ((2, 1), (4, 3), (6, 15)):
        assert (numbers**moment).mean() == pytest.approx(expected, rel=0.01)


@given(st.floats(0, 0.375))
def test_counts_are_poissons(mean: float) -> None:
    shares = np.diff(cumulative(mean), prepend=0) / STEPS
    assert shares.sum() == pytest.approx(1, abs=1e-13)
    assert (shares * np.arange(len(shares))).sum() == pytest.approx(mean, abs=1e-12)
    assert (shares * np.arange(len(shares)) ** 2).sum() == pytest.approx(mean + mean**2, abs=1e-12)


@pytest.mark.parametrize("shape", [(3, 5), (128, 128)])
def test_a_pixels_bits_are_the_seeds(shape: tuple[int, int]) -> None:
    bits = random_bits(7, shape)
    assert bits.shape == shape
    assert np.array_equal(bits, random_bits(7, shape))
    assert not np.array_equal(bits, random_bits(8, shape))
    assert len(np.unique(bits)) > 0.99 * bits.size


def test_sensor_noise_is_as_strong_as_albumentations() -> None:
    """Many draws for one image: lightness is shifted and spread alike, every colour moves as far."""
    ours, theirs = ours_and_theirs("ISONoise", 1.0, 32)
    image = some_images(32)[1]
    params = [drawn(ours, seed, image) for seed in range(300)]
    noised = [
        np.stack([transform.apply(image, **each) for each in params]).astype(float) for transform in (ours, theirs)
    ]
    lightness = [(each.max(-1) + each.min(-1)) / 2 for each in noised]
    before = (image.max(-1) / 2 + image.min(-1) / 2).mean()
    assert np.abs(lightness[1].mean((1, 2)) - before).min() > 0  # there is something to compare
    for statistic in (np.mean, np.std):
        assert paired(*(statistic(each, axis=(1, 2)) for each in lightness)) < 4
    for colour in range(3):
        assert paired(*((each[..., colour] - image[..., colour]).std((1, 2)) for each in noised)) < 4


def paired(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Standard errors. Both have the same draws of intensity, so their difference image by image is what varies."""
    difference = one - other
    return float(abs(difference.mean()) / (difference.std() / np.sqrt(len(difference))))


def test_noise_of_an_image_without_contrast_is_of_hue_alone() -> None:
    ours, _ = ours_and_theirs("ISONoise", 1.0, 16)
    plain = some_images(16)[3]
    for seed in range(5):
        noised = ours.apply(plain, **drawn(ours, seed, plain)).astype(int)
        assert np.abs(noised - plain).max() <= 2
