"""Compositing: identities, a naive reference at the native size, and what resizing may change."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainers.data.cut_outs.compositing import (
    Pixels,
    composite,
    cropped_background,
    cut_out,
    object_mask,
    random_crops,
    resized,
    whole_background,
)
from trainers.data.cut_outs.pasting import pasted
from trainers.data.size import Size, square

SIDES = st.integers(1, 12)


def images(*channels: int) -> st.SearchStrategy[Pixels]:
    return st.tuples(SIDES, SIDES).flatmap(lambda sides: arrays(np.uint8, (*sides, *channels)))


def noise(*shape: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def disc(side: int, seed: int = 0) -> Pixels:
    """A noisy disc with straight alpha of 0 or 255 and noise hidden beneath alpha 0."""
    rgba = noise(side, side, 4, seed=seed)
    rows, columns = np.indices((side, side)) - side / 2 + 0.5
    rgba[..., 3] = np.where(np.hypot(rows, columns) < side / 3, 255, 0)
    return rgba


@given(images(3))
def test_no_coverage_leaves_the_background(background: Pixels) -> None:
    nothing = np.zeros_like(background)
    np.testing.assert_array_equal(composite(nothing, nothing[..., 0], background), background)


@given(images(3))
def test_full_coverage_is_the_object(image: Pixels) -> None:
    covered = np.full(image.shape[:2], 255, np.uint8)
    np.testing.assert_array_equal(composite(image, covered, noise(*image.shape)), image)


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_rounding_is_exact(coverage: int, colour: int, behind: int) -> None:
    colour = min(colour, coverage)
    got = composite(
        np.full((1, 1, 3), colour, np.uint8), np.full((1, 1), coverage, np.uint8), np.full((1, 1, 3), behind, np.uint8)
    )
    exact = colour + round(Fraction(behind * (255 - coverage), 255))
    assert exact <= 255
    assert (got == exact).all()


@given(images(4))
def test_native_size_is_the_hard_paste_bit_for_bit(rgba: Pixels) -> None:
    side = min(rgba.shape[:2])
    rgba = rgba[:side, :side]
    background = noise(side, side, 3)
    expected = background.copy()
    for row in range(side):
        for column in range(side):
            if rgba[row, column, 3] >= 128:
                expected[row, column] = rgba[row, column, :3]
    cut, coverage, mask = cut_out(rgba, square(side))
    np.testing.assert_array_equal(composite(cut, coverage, whole_background(background, square(side))), expected)
    np.testing.assert_array_equal(mask, rgba[..., 3] >= 128)


@settings(max_examples=50)
@given(images(4), SIDES)
def test_no_colour_exceeds_its_coverage_at_any_size(rgba: Pixels, size: int) -> None:
    cut, coverage, mask = cut_out(rgba, square(size))
    assert cut.shape == (size, size, 3)
    assert coverage.shape == mask.shape == (size, size)
    assert (cut <= coverage[..., None]).all()


@pytest.mark.parametrize(("native", "size"), [(96, 32), (100, 64), (32, 80)])
def test_pasting_at_the_working_size_equals_resizing_the_paste_away_from_the_outline(native: int, size: int) -> None:
    rgba, background = disc(native), noise(native, native, 3, seed=1)
    pasted = np.where(object_mask(rgba)[..., None], rgba[..., :3], background)
    cut, coverage, _ = cut_out(rgba, square(size))
    difference = np.abs(
        composite(cut, coverage, whole_background(background, square(size))) - resized(pasted, size, size).astype(int)
    )
    whole = (coverage == 0) | (coverage == 255)
    assert 0.8 < whole.mean() < 1
    assert difference[whole].max() <= 1


def test_pasting_at_the_working_size_equals_resizing_the_paste_on_an_even_background() -> None:
    rgba, background = disc(96), np.full((96, 96, 3), (200, 90, 10), np.uint8)
    pasted = np.where(object_mask(rgba)[..., None], rgba[..., :3], background)
    cut, coverage, _ = cut_out(rgba, square(40))
    difference = composite(cut, coverage, whole_background(background, square(40)))
    difference = difference - resized(pasted, 40, 40).astype(int)
    assert np.abs(difference).max() <= 2


def test_the_mask_threshold_is_128_and_hidden_colours_do_not_leak() -> None:
    rgba = noise(8, 8, 4)
    rgba[..., 3] = 127
    rgba[2:6, 2:6, 3] = 128
    assert object_mask(rgba).sum() == 16
    cut, _, mask = cut_out(rgba, square(8))
    assert not cut[~mask].any()


def test_the_mask_is_resized_by_nearest_pixel_without_shift() -> None:
    rgba = np.zeros((9, 9, 4), np.uint8)
    rgba[3:6, :3, 3] = 255
    rgba[6:, 6:, 3] = 255
    rgba[7, 7, 3] = 0  # most of the footprint, but not its middle
    np.testing.assert_array_equal(cut_out(rgba, square(3))[2], [[0, 0, 0], [1, 0, 0], [0, 0, 0]])


def test_aspect_is_not_kept() -> None:
    rgba = np.full((10, 40, 4), 255, np.uint8)
    rgba[:, 20:, 3] = 0
    _, coverage, mask = cut_out(rgba, square(16))
    np.testing.assert_array_equal(mask, np.indices((16, 16))[1] < 8)
    assert coverage[:, :7].min() == 255


def test_a_batch_broadcasts() -> None:
    cuts = [cut_out(disc(24, seed), square(16)) for seed in range(3)]
    objects = np.stack([cut for cut, _, _ in cuts])
    coverage = np.stack([coverage for _, coverage, _ in cuts])
    backgrounds = noise(3, 16, 16, 3)
    each = [composite(*parts) for parts in zip(objects, coverage, backgrounds, strict=True)]
    np.testing.assert_array_equal(composite(objects, coverage, backgrounds), each)


@pytest.mark.parametrize("shape", [(200, 60, 3), (1, 1, 3), (7, 400, 3)])
def test_crops_span_ten_to_a_hundred_percent_of_each_side(shape: tuple[int, int, int]) -> None:
    # The colours hold the row and half the column, so a crop tells where it was taken.
    rows, columns = np.indices(shape[:2])
    background = np.dstack([rows, columns // 2, np.zeros_like(rows)]).astype(np.uint8)
    generator = np.random.default_rng(0)
    drawn = random_crops(np.array([shape[:2]] * 300), generator)
    crops = [cropped_background(background, crop, square(16)) for crop in drawn]
    assert all(crop.shape == (16, 16, 3) and crop.dtype == np.uint8 for crop in crops)
    heights = np.array([float(crop[-1, 0, 0]) - float(crop[0, 0, 0]) for crop in crops]) / shape[0]
    assert heights.max() <= 1
    if shape[0] == 200:
        assert heights.min() < 0.2
        assert heights.max() > 0.9
        lefts = np.array([crop[0, 0, 1] for crop in crops]) * 2 / shape[1]
        assert lefts.min() < 0.1
        assert lefts.max() > 0.7
        assert abs(np.corrcoef(heights, lefts)[0, 1]) < 0.3


def test_crops_come_from_the_generator_alone() -> None:
    sides = np.array([(50, 70)])
    first, again = (random_crops(sides, np.random.default_rng(7)) for _ in range(2))
    assert first == again
    assert random_crops(sides, np.random.default_rng(8)) != first


def naively_resized(image_HWC: Pixels, height: int, width: int) -> Pixels:
    """Pillow's bilinear resizing in its integers, pixel by pixel: first along the rows, then along the columns."""

    def line(pixels: Pixels, size: int) -> Pixels:  # along the first axis
        scale, result = len(pixels) / size, []
        support = max(1.0, scale)
        for place in range(size):
            centre = (place + 0.5) * scale
            first, end = max(0, int(centre - support + 0.5)), min(len(pixels), int(centre + support + 0.5))
            weights = [max(0.0, 1 - abs((each - centre + 0.5) * (1 / support))) for each in range(first, end)]
            parts = [int(weight / sum(weights) * 2**22 + 0.5) for weight in weights]
            total = sum(
                int(part) * pixels[each].astype(np.int64) for part, each in zip(parts, range(first, end), strict=True)
            )
            result.append(np.clip((total + 2**21) >> 22, 0, 255))
        return np.array(result).astype(np.uint8)

    narrowed = line(image_HWC.swapaxes(0, 1), width).swapaxes(0, 1)
    return line(narrowed, height)


@pytest.mark.parametrize("shape", [(40, 12, 3), (12, 40, 3), (33, 29, 3), (7, 5, 3), (16, 31, 3)])
def test_resizing_goes_along_the_rows_first(shape: tuple[int, int, int]) -> None:
    """Whatever Pillow does first: its version 13 shrinks the columns of a high and narrow image before its rows."""
    image = noise(*shape)
    np.testing.assert_array_equal(resized(image, 16, 16), naively_resized(image, 16, 16))


@given(
    st.integers(0, 2**32 - 1),
    st.builds(Size, *[st.sampled_from([1, 16, 33])] * 2),
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
def test_pasting_in_one_go_gives_the_same_bits(seed: int, size: Size, sides: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    background, coverage = noise(*sides, 3, seed=seed), noise(*size, seed=seed + 1)
    front = np.minimum(noise(*size, 3, seed=seed + 2), coverage[..., None])
    for array in (background, coverage, front):
        array.flags.writeable = False  # as a data set's are
    for crop in random_crops(np.array([sides] * 3), rng):
        expected = composite(front, coverage, cropped_background(background, crop, size))
        np.testing.assert_array_equal(pasted(front, coverage, background, crop), expected)


def test_the_whole_background_is_whole() -> None:
    background = np.zeros((60, 90, 3), np.uint8)
    background[:, 45:] = 255
    whole = whole_background(background, square(30))
    assert whole.shape == (30, 30, 3)
    assert whole[:, :14].max() == 0
    assert whole[:, 16:].min() == 255
