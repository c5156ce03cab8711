"""The metric against the worked cases of section 3.4's definition, a naive reference, and torchmetrics."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainers.data.class_names import IGNORED
from trainers.dice import (
    confusion,
    dice,
    dice_of_shown,
    dice_ratio,
    image_counts,
    macro,
    mean_of_objects,
    sums_of_images,
    tolerance,
)

SIDE = 128


def counts_of(*images: dict[int, tuple[int, int, int]], num_classes: int = 2, side: int = SIDE) -> np.ndarray:
    """Confusions in which class c has (TP, FP, FN) pixels; what is falsely given or missed goes to or from class 0."""
    matrices = np.zeros((len(images), num_classes, num_classes), np.int64)
    for matrix, classes in zip(matrices, images, strict=True):
        for c, (tp, fp, fn) in classes.items():
            matrix[c, c], matrix[0, c], matrix[c, 0] = tp, fp, fn
        matrix[0, 0] = side * side - matrix.sum()
    return matrices


def one_class(*images: tuple[int, int, int]) -> np.ndarray:
    return counts_of(*({1: image} for image in images))


def test_worked_case_of_seven_images() -> None:
    images = [(900, 100, 100), (400, 600, 600), (0, 0, 0), (0, 20, 0), (0, 24, 0), (0, 25, 0), (0, 300, 0)]
    scores = dice(one_class(*images))
    assert scores.ew[1] == pytest.approx(1.3 / 4)
    assert scores.pw[1] == pytest.approx(1630 / 3025)
    assert scores.pooled[1] == pytest.approx(0.5951, abs=5e-5)
    assert scores.num_images[1] == 4
    assert scores.false_images[1] == 2


@pytest.mark.parametrize(
    ("patches", "ew", "pw"), [(0, 0.85, 0.85), (6, 0.5667, 0.8355), (12, 0.425, 0.8214), (24, 0.2833, 0.7947)]
)
def test_worked_case_of_false_patches(patches: int, ew: float, pw: float) -> None:
    scores = dice(one_class(*[(850, 150, 150)] * 12, *[(0, 40, 0)] * patches))
    assert (scores.ew[1], scores.pw[1]) == (pytest.approx(ew, abs=5e-5), pytest.approx(pw, abs=5e-5))


def test_worked_case_of_all_classes() -> None:
    found = np.array([[[14900, 60], [60, 1364]]])
    missed = np.array([[[14900, 60], [1424, 0]]])
    assert (dice(found).all_ew, dice(found).all_pw) == (
        pytest.approx(0.9769, abs=5e-5),
        pytest.approx(0.9926, abs=5e-5),
    )
    assert (dice(missed).all_ew, dice(missed).all_pw) == (
        pytest.approx(0.4763, abs=5e-5),
        pytest.approx(0.8734, abs=5e-5),
    )


@pytest.mark.parametrize(("side", "pixels"), [(64, 6), (96, 13), (128, 24), (256, 98)])
def test_tolerance_by_image_size(side: int, pixels: int) -> None:
    assert tolerance(0.0015, side * side) == pixels


def test_tolerance_is_decimal() -> None:
    assert math.floor(0.29 * 100) == 28, "what binary fractions make of it"
    assert tolerance(0.29, 100) == 29


def test_24_pixels_are_forgiven_and_25_counted() -> None:
    for pixels, counted in ((24, 0), (25, 1)):
        scores = dice(one_class((0, pixels, 0)))
        assert scores.num_images[1] == scores.false_images[1] == counted
        assert math.isnan(scores.ew[1]) == (not counted)


def test_of_a_partition_a_class_that_no_image_shows_is_undefined_however_often_it_is_predicted() -> None:
    never, once = one_class((0, 50, 0), (0, 60, 0)), one_class((0, 50, 0), (60, 0, 0))
    scores = dice_of_shown(never)
    assert np.isnan([scores.ew[1], scores.pw[1], scores.pooled[1]]).all()
    assert (scores.num_images[1], scores.false_images[1]) == (2, 2)
    assert (scores.ew[0], scores.all_ew) == (dice(never).ew[0], dice(never).all_ew), "all else is as before"
    np.testing.assert_array_equal(dice_of_shown(once).ew, dice(once).ew)


def test_a_class_in_the_truth_always_counts() -> None:
    scores = dice(one_class((0, 0, 1)))
    assert (scores.ew[1], scores.num_images[1], scores.false_images[1]) == (0.0, 1, 0)


def test_undefined_is_nan_and_counted() -> None:
    scores = dice(counts_of({1: (50, 0, 0)}, num_classes=4))
    assert np.isnan(scores.ew[2:]).all()
    assert macro(scores.ew[1:]) == (1.0, 1)
    assert math.isnan(macro(np.array([math.nan]))[0])


def test_labels_that_are_no_class_are_refused() -> None:
    good, bad = np.zeros((1, 2, 2), np.uint8), np.full((1, 2, 2), 7, np.uint8)
    with pytest.raises(ValueError, match="none of the 7 classes"):
        confusion(good, bad, 7)
    with pytest.raises(ValueError, match="must be"):
        confusion(good[0], good[0], 7)


@st.composite
def label_maps(draw, num_classes: int = 4, most_images: int = 4):
    shape = (draw(st.integers(1, most_images)), draw(st.integers(2, 8)), draw(st.integers(2, 8)))
    labels = arrays(np.uint8, shape, elements=st.integers(0, num_classes - 1), fill=st.just(0))
    return draw(labels), draw(labels)


EPSILONS = st.sampled_from([0.0, 0.02, 0.1, 0.3])


def naive(truth, predicted, num_classes: int, epsilon: float):
    """The definition, image by image and class by class, in plain Python."""
    sums = {c: [0.0, 0.0, 0.0, 0.0, 0, 0] for c in range(num_classes)}
    for t, p in zip(truth.tolist(), predicted.tolist(), strict=True):
        t, p = list(itertools.chain(*t)), list(itertools.chain(*p))
        for c in range(num_classes):
            tp = sum(a == b == c for a, b in zip(t, p, strict=True))
            fp, fn = p.count(c) - tp, t.count(c) - tp
            sums[c][4] += 2 * tp
            sums[c][5] += 2 * tp + fp + fn
            if tp + fn > 0 or tp + fp > math.floor(epsilon * len(t) + 1e-9):
                d = 2 * tp / (2 * tp + fp + fn)
                sums[c][0] += d
                sums[c][1] += 1
                sums[c][2] += d * (tp + fp + fn)
                sums[c][3] += tp + fp + fn
    sums["all"] = [sum(values) for values in zip(*sums.values(), strict=True)]
    return {
        c: tuple(n / w if w else math.nan for n, w in ((ew, b), (pw, u), (tp2, both)))
        for c, (ew, b, pw, u, tp2, both) in sums.items()
    }


@given(label_maps(), EPSILONS)
def test_the_definition_written_naively(maps, epsilon: float) -> None:
    truth, predicted = maps
    scores = dice(confusion(truth, predicted, 4), epsilon)
    expected = naive(truth, predicted, 4, epsilon)
    for c in range(4):
        np.testing.assert_allclose((scores.ew[c], scores.pw[c], scores.pooled[c]), expected[c], rtol=1e-12)
    np.testing.assert_allclose((scores.all_ew, scores.all_pw, scores.all_pooled), expected["all"], rtol=1e-12)


@pytest.mark.slow  # torchmetrics takes a while to import
@given(label_maps())
def test_without_tolerance_it_is_torchmetrics_samplewise(maps) -> None:
    from torchmetrics.segmentation import DiceScore

    truth, predicted = maps
    oracle = DiceScore(4, include_background=True, average="none", aggregation_level="samplewise", input_format="index")
    expected = oracle(torch.from_numpy(predicted.astype(np.int64)), torch.from_numpy(truth.astype(np.int64)))
    np.testing.assert_allclose(dice(confusion(truth, predicted, 4), 0.0).ew, expected.numpy(), rtol=1e-6)


@given(label_maps(), st.permutations(range(4)), EPSILONS)
def test_the_order_of_images_is_irrelevant(maps, order, epsilon: float) -> None:
    matrices = confusion(*maps, 4)
    shuffled = matrices[[i for i in order if i < len(matrices)]]
    np.testing.assert_allclose(dice(shuffled, epsilon).pw, dice(matrices, epsilon).pw, rtol=1e-12)
    np.testing.assert_allclose(dice(shuffled, epsilon).ew, dice(matrices, epsilon).ew, rtol=1e-12)


@given(label_maps(most_images=6), EPSILONS)
def test_counts_of_shards_join_to_those_of_one_pass(maps, epsilon: float) -> None:
    truth, predicted = maps
    assume(len(truth) > 1)
    joined = np.concatenate([confusion(truth[s], predicted[s], 4) for s in (slice(0, 1), slice(1, None))])
    assert np.array_equal(joined, confusion(truth, predicted, 4))
    assert joined.sum() == truth.size


@given(label_maps(), EPSILONS)
def test_the_sums_of_images_make_the_scores(maps, epsilon: float) -> None:
    matrices = confusion(*maps, 4)
    scores, images = dice(matrices, epsilon), image_counts(matrices, epsilon)
    sums = sums_of_images(images, dice_ratio(images))
    for averaging, (numerator_NK, weight_NK) in sums.items():
        assert ((weight_NK > 0) | (numerator_NK == 0)).all()
        for k, score in enumerate(getattr(scores, averaging)):
            numerator, weight = (math.fsum(each[:, k].tolist()) for each in (numerator_NK, weight_NK))
            assert score == pytest.approx(numerator / weight if weight else math.nan, nan_ok=True)


@given(label_maps(), EPSILONS, EPSILONS)
def test_more_tolerance_never_lowers_the_example_wise_dice(maps, a: float, b: float) -> None:
    matrices = confusion(*maps, 4)
    low, high = (dice(matrices, epsilon).ew for epsilon in sorted((a, b)))
    both = ~np.isnan(low) & ~np.isnan(high)
    assert (high[both] >= low[both] - 1e-12).all()


@given(label_maps(), EPSILONS)
def test_all_lies_between_the_least_and_the_greatest_class(maps, epsilon: float) -> None:
    scores = dice(confusion(*maps, 4), epsilon)
    for per_class, everything in ((scores.ew, scores.all_ew), (scores.pw, scores.all_pw)):
        assert np.nanmin(per_class) - 1e-12 <= everything <= np.nanmax(per_class) + 1e-12


@given(label_maps())
def test_pixel_wise_is_never_above_pooled(maps) -> None:
    scores = dice(confusion(*maps, 4), 0.0)
    defined = ~np.isnan(scores.pw)
    assert (scores.pw[defined] <= scores.pooled[defined] + 1e-12).all()
    assert scores.all_pw <= scores.all_pooled + 1e-12


@given(
    arrays(np.uint8, (3, 4, 7), elements=st.sampled_from([0, 1, 2, IGNORED])),
    arrays(np.uint8, (3, 4, 7), elements=st.integers(0, 2)),
    arrays(np.uint8, (3, 4, 7), elements=st.integers(0, 2)),
)
def test_ignored_pixels_are_not_counted(truth: np.ndarray, predicted: np.ndarray, other: np.ndarray) -> None:
    """Whatever is predicted there: the counts are those of the other pixels, one by one, and so are all scores."""
    expected = np.zeros((3, 3, 3), np.int64)
    for place in np.ndindex(truth.shape):
        if truth[place] != IGNORED:
            expected[place[0], truth[place], predicted[place]] += 1
    counts = confusion(truth, predicted, 3)
    np.testing.assert_array_equal(counts, expected)
    changed = np.where(truth == IGNORED, other, predicted)
    np.testing.assert_array_equal(confusion(truth, changed, 3), counts)
    np.testing.assert_array_equal(dice(confusion(truth, changed, 3), 0.1).ew, dice(counts, 0.1).ew)


def test_an_image_that_is_ignored_altogether_has_no_score() -> None:
    scores = dice(confusion(np.full((1, 4, 4), IGNORED, np.uint8), np.zeros((1, 4, 4), np.uint8), 2))
    assert np.isnan([*scores.ew, *scores.pw, *scores.pooled]).all()
    assert scores.false_images.tolist() == [0, 0]


def test_ignored_is_predicted_by_nobody() -> None:
    with pytest.raises(ValueError, match="none of the 2 classes"):
        confusion(np.zeros((1, 2, 2), np.uint8), np.full((1, 2, 2), IGNORED, np.uint8), 2)


def test_the_mean_of_objects_needs_a_score_of_each() -> None:
    scores = np.array([[0.2, 0.4], [0.5, math.nan]])
    assert mean_of_objects(scores)[0] == pytest.approx(0.3)
    assert math.isnan(mean_of_objects(scores)[1])
    assert math.isnan(mean_of_objects(np.array([])))
