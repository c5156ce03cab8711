"""IoU, precision and recall: by hand, against loops, their identities with the Dice, and against torchmetrics."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainers.dice import (
    OVERLAPS,
    ClassScores,
    class_scores,
    confusion,
    image_counts,
    scores_of_shown,
    sums_of_images,
    tolerance,
)

EPSILONS = st.sampled_from([0.0, 0.05, 0.2])
MAPS = arrays(np.uint8, (2, 3, 4, 5), elements=st.integers(0, 3))
"""True and predicted labels of three images."""


def scores_of(counts: np.ndarray, metric: str, epsilon: float = 0.0015) -> ClassScores:
    images = image_counts(counts, epsilon)
    return class_scores(images, OVERLAPS[metric](images))


def one_class(*images: tuple[int, int, int], side: int = 128) -> np.ndarray:
    """Confusions in which class 1 has (TP, FP, FN) pixels."""
    return np.array([[[side**2 - tp - fp - fn, fp], [fn, tp]] for tp, fp, fn in images])


def test_seven_images_by_hand() -> None:
    """Those of the Dice's worked case. In the last two the class is falsely predicted: IoU and precision are 0 there,
    and the recall says nothing of them."""
    counts = one_class(
        (900, 100, 100), (400, 600, 600), (0, 0, 0), (0, 20, 0), (0, 24, 0), (0, 25, 0), (0, 300, 0)
    )  # TP + FP + FN: 1100, 1600, and 25 and 300 of those that count
    iou, precision, recall = (scores_of(counts, name) for name in ("iou", "precision", "recall"))
    assert iou.ew[1] == pytest.approx((900 / 1100 + 400 / 1600) / 4)
    assert iou.pw[1] == pytest.approx((900 + 400) / (1100 + 1600 + 25 + 300))
    assert iou.pooled[1] == pytest.approx((900 + 400) / (1100 + 1600 + 20 + 24 + 25 + 300))
    assert precision.ew[1] == pytest.approx((0.9 + 0.4) / 4)
    assert precision.pw[1] == pytest.approx((1100 * 0.9 + 1600 * 0.4) / 3025)
    assert precision.pooled[1] == pytest.approx(1300 / (1000 + 1000 + 20 + 24 + 25 + 300))
    assert recall.ew[1] == pytest.approx((0.9 + 0.4) / 2)
    assert recall.pw[1] == pytest.approx((1100 * 0.9 + 1600 * 0.4) / 2700)
    assert recall.pooled[1] == pytest.approx(1300 / 2000)


def test_of_a_class_that_is_missed_the_precision_says_nothing_and_the_recall_is_0() -> None:
    counts = one_class((0, 0, 500), (900, 100, 100))
    assert scores_of(counts, "precision").ew[1] == scores_of(counts, "precision").pw[1] == 0.9
    assert scores_of(counts, "recall").ew[1] == pytest.approx(0.45)
    missed = one_class((0, 0, 500))
    assert math.isnan(scores_of(missed, "precision").ew[1])
    assert (scores_of(missed, "recall").ew[1], scores_of(missed, "iou").ew[1]) == (0, 0)


def test_a_class_that_no_image_shows_is_undefined() -> None:
    images = image_counts(one_class((0, 500, 0)))
    for metric in OVERLAPS.values():
        shown = scores_of_shown(images, metric(images))
        assert np.isnan([shown.ew[1], shown.pw[1], shown.pooled[1]]).all()
    assert class_scores(images, OVERLAPS["precision"](images)).ew[1] == 0


def naive(truth: np.ndarray, predicted: np.ndarray, metric: str, epsilon: float, class_: int) -> dict[str, float]:
    """One class by its definition, pixel by pixel: averaging -> score."""
    ratios, weights, over, under = [], [], 0, 0
    for t, p in zip(truth, predicted, strict=True):
        tp = fp = fn = 0
        for true, given_ in zip(t.ravel().tolist(), p.ravel().tolist(), strict=True):
            tp += true == given_ == class_
            fp += given_ == class_ != true
            fn += true == class_ != given_
        numerator, denominator = {
            "dice": (2 * tp, 2 * tp + fp + fn),
            "iou": (tp, tp + fp + fn),
            "precision": (tp, tp + fp),
            "recall": (tp, tp + fn),
        }[metric]
        over, under = over + numerator, under + denominator
        counts = tp + fn > 0 or tp + fp > tolerance(epsilon, t.size)
        if counts and denominator:
            ratios.append(numerator / denominator)
            weights.append(tp + fp + fn)
    weighted = sum(r * w for r, w in zip(ratios, weights, strict=True))
    return {
        "ew": sum(ratios) / len(ratios) if ratios else math.nan,
        "pw": weighted / sum(weights) if weights else math.nan,
        "pooled": over / under if under else math.nan,
    }


@given(MAPS, EPSILONS, st.sampled_from([*OVERLAPS]))
def test_against_loops(maps: np.ndarray, epsilon: float, metric: str) -> None:
    scores = scores_of(confusion(*maps, 4), metric, epsilon)
    for class_ in range(4):
        for averaging, expected in naive(*maps, metric, epsilon, class_).items():
            assert getattr(scores, averaging)[class_] == pytest.approx(expected, nan_ok=True)


@given(MAPS, EPSILONS)
def test_identities(maps: np.ndarray, epsilon: float) -> None:
    images = image_counts(confusion(*maps, 4), epsilon)
    dice, iou, precision, recall = (metric(images).values for metric in OVERLAPS.values())
    np.testing.assert_allclose(dice, 2 * iou / (1 + iou))
    there = (precision > 0) & (recall > 0)
    precision, recall = precision[there], recall[there]
    np.testing.assert_allclose(dice[there], 2 * precision * recall / (precision + recall))
    mirrored = image_counts(confusion(*maps[::-1], 4), epsilon)
    recall_of_mirrored = OVERLAPS["recall"](mirrored).values
    np.testing.assert_array_equal(OVERLAPS["precision"](images).values, recall_of_mirrored)
    for name, metric in OVERLAPS.items():
        of_class = class_scores(images, metric(images))
        for averaging, (numerator, weight) in sums_of_images(images, metric(images)).items():
            together = numerator.sum() / weight.sum()
            assert getattr(of_class, f"all_{averaging}") == pytest.approx(together), (name, averaging)


@given(MAPS)
def test_union_weighted_iou_is_that_of_the_pooled_counts(maps: np.ndarray) -> None:
    scores = scores_of(confusion(*maps, 4), "iou", 0.0)
    np.testing.assert_allclose(scores.pw, scores.pooled)


@pytest.mark.slow  # torchmetrics takes a while to import
@given(MAPS)
def test_against_torchmetrics(maps: np.ndarray) -> None:
    """Pooled where it pools the pixels of all images, ew where it takes each image by itself: there an image without a
    denominator is NaN for MeanIoU, as here, and 0 for precision and recall, so it is left out."""
    from torchmetrics.classification import MulticlassJaccardIndex, MulticlassPrecision, MulticlassRecall
    from torchmetrics.segmentation import MeanIoU

    truth, predicted = (torch.from_numpy(labels).long() for labels in maps)
    counts = confusion(*maps, 4)
    pooled = {"iou": MulticlassJaccardIndex, "precision": MulticlassPrecision, "recall": MulticlassRecall}
    for metric, theirs in pooled.items():
        expected = theirs(4, average="none")(predicted, truth).numpy()
        ours = scores_of(counts, metric, 0.0).pooled
        defined = ~np.isnan(ours)
        np.testing.assert_allclose(ours[defined], expected[defined], rtol=1e-6)
    images = image_counts(counts, 0.0)
    for metric, each in (("precision", MulticlassPrecision), ("recall", MulticlassRecall)):
        expected = each(4, average="none", multidim_average="samplewise")(predicted, truth).numpy()
        there = OVERLAPS[metric](images).denominator > 0
        np.testing.assert_allclose(OVERLAPS[metric](images).values[there], expected[there], rtol=1e-6)
    pairs = zip(predicted[:, None], truth[:, None], strict=True)
    of_images = [MeanIoU(4, per_class=True, input_format="index")(*pair) for pair in pairs]
    expected = np.where(images.union > 0, torch.stack(of_images).numpy(), np.nan)
    np.testing.assert_allclose(OVERLAPS["iou"](images).values, expected, rtol=1e-6)
