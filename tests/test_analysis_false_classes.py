"""Falsely predicted classes and hard images: by hand, and against a reference written the naive way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_analysis_load import CELLS, DEFINITION, commit, confusion_of

from analysis.facts import Counted, Facts, TrialImages, _of_trial
from analysis.load import load
from analysis.statistics.false_classes import (
    as_rows,
    false_class_matrices,
    false_classes,
    hard_images,
    image_scores,
)
from analysis.verdict.of_classes import falsely_predicted
from study.results import Results
from trainers.dice import confusion, dice, dice_ratio, image_counts, tolerance

CLASSES = ["bg", "bx", "cl"]
FACTORS = {"trial": "t", "model": "icnet", "loss": "ce"}


def of_maps(truth: Any, predicted: Any, epsilon: float = 0.0015) -> TrialImages:
    counts = confusion(np.asarray(truth), np.asarray(predicted), len(CLASSES))
    pixels = image_counts(counts, epsilon)
    images = [f"i{n}" for n in range(len(counts))]
    return _of_trial(FACTORS, Counted(images, CLASSES, pixels, dice_ratio(pixels)))


@pytest.mark.parametrize(("pixels", "false"), [(24, False), (25, True)])
def test_the_tolerance_at_its_edge(pixels: int, false: bool) -> None:
    """24 pixels of 128 x 128 are noise; 25 are a class that is not there."""
    truth, predicted = np.zeros((1, 128, 128), np.uint8), np.zeros((1, 128, 128), np.uint8)
    predicted.reshape(-1)[:pixels] = 2
    assert of_maps(truth, predicted).false_NK.tolist() == [[False, False] if not false else [False, True]]


label_maps = arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 2))


@given(label_maps, label_maps, st.sampled_from([0.0, 0.05, 0.2, 0.5]))
def test_as_a_loop_over_pixels_would_count(truth: Any, predicted: Any, epsilon: float) -> None:
    found = of_maps(truth, predicted, epsilon)
    for n in range(3):
        for k in (1, 2):
            true = [pixel == k for pixel in truth[n].ravel()]
            called = [pixel == k for pixel in predicted[n].ravel()]
            assert found.true_NK[n, k - 1] == any(true)
            assert found.false_NK[n, k - 1] == (not any(true) and sum(called) > tolerance(epsilon, 20))
            if any(true):
                both = sum(a and b for a, b in zip(true, called, strict=True))
                assert found.score_NK[n, k - 1] == 2 * both / (sum(true) + sum(called))
            else:
                assert np.isnan(found.score_NK[n, k - 1])


@given(label_maps, label_maps, st.sampled_from([0.0, 0.05, 0.2]))
def test_the_metric_counts_the_same_images(truth: Any, predicted: Any, epsilon: float) -> None:
    scores = dice(confusion(truth, predicted, 3), epsilon)
    assert of_maps(truth, predicted, epsilon).false_NK.sum(0).tolist() == scores.false_images[1:].tolist()


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    """Four cells; every test image shows bx, and none cl, of which 0 to 59 of 10,000 pixels are predicted."""
    Results(tmp_path).write_text("study.toml", DEFINITION.to_toml())
    for cell in CELLS:
        commit(tmp_path, f"{cell}-t00")
    return load(tmp_path).study_facts("a test")


def false_pixels(cell: str) -> Any:
    """Pixels of cl in the four images: 15 are tolerated."""
    return confusion_of(f"{cell}-t00")[:, :, 2].sum(1)


def test_rates_by_configuration_and_kind_of_split(facts: Facts) -> None:
    found = false_classes(facts).set_index(["model", "loss", "split_kind", "class"])
    assert len(found) == 2 * 1 * 2 * 2
    for cell in CELLS:
        model, kind = cell.split("-")[0], "random" if "random" in cell else "held_out"
        false = int((false_pixels(cell) > 15).sum())
        assert 0 < false <= 4
        row = found.loc[model, "ce", kind, "cl"]
        assert (row["num_images"], row["num_false"], row["rate"], row["share"]) == (4, false, false / 4, 1.0)
        assert found.loc[model, "ce", kind, "bx"][["num_images", "num_false", "num_trials"]].tolist() == [0, 0, 1]
        assert np.isnan(found.loc[model, "ce", kind, "bx"]["rate"])


def test_another_tolerance_is_taken_from_the_selection(facts: Facts) -> None:
    lenient = load(facts.results.out, epsilon=0.01).study_facts("a test")
    assert false_classes(lenient)["num_false"].sum() == 0


def test_true_object_against_falsely_predicted_class(facts: Facts) -> None:
    matrices = false_class_matrices(facts)
    kinds = [("random", ""), ("held_out", "angle")]
    assert list(matrices) == [(model, "ce", *kind) for model in ("icnet", "unet") for kind in kinds]
    matrix = matrices["unet", "ce", "held_out", "angle"]
    share = (false_pixels("unet-ce-rot_0-s0") > 15).mean()
    expected = pd.DataFrame([[np.nan, share], [np.nan, np.nan]], index=["bx", "cl"], columns=["bx", "cl"])
    pd.testing.assert_frame_equal(matrix.shares, expected, check_names=False)
    assert matrix.num_images.loc["bx", "cl"] == 4
    assert as_rows(matrices)["num_images"].tolist() == [4, 0] * 4


def test_the_verdict_counts_the_images_and_passes_over_shares_of_few(facts: Facts) -> None:
    """Four test images a trial lack cl: of one trial they are too few for a headline, of two they are not."""
    scores = load(facts.results.out)
    assert falsely_predicted(scores) is None
    both = [replace(each, factors=each.factors | {"split_kind": "random", "axis": ""}) for each in facts.test_images]
    pooled = replace(facts)
    pooled.__dict__["test_images"] = both
    found = falsely_predicted(replace(scores, facts=pooled))
    assert found is not None
    false = max(
        sum(int((false_pixels(f"{model}-ce-{split}-s0") > 15).sum()) for split in ("random_0", "rot_0"))
        for model in ("icnet", "unet")
    )
    assert f"in {false} of 8 test images without it." in found.points[0]
    assert "shares of fewer than 5 images are left out" in found.points[1]


def test_image_scores_come_worst_first_with_what_is_falsely_predicted(facts: Facts) -> None:
    scores = image_scores(facts)
    assert len(scores) == 4 * 4
    assert scores["dice"].is_monotonic_increasing
    for row in scores.to_dict("records"):
        n = 7 - int(row["image"][1:])
        counts = confusion_of(row["trial"])[n]
        assert row["dice"] == 2 * counts[1, 1] / (counts[1].sum() + counts[:, 1].sum())
        assert row["false_classes"] == ("cl" if counts[:, 2].sum() > 15 else "")


def test_images_that_are_hard_for_all(facts: Facts) -> None:
    scores = image_scores(facts)
    hard = hard_images(scores)
    assert set(hard["num_trials"]) == {4}
    first = scores[scores["image"] == hard["image"][0]]
    assert hard["mean"][0] == pytest.approx(first["dice"].mean())
    assert hard["mean"].is_monotonic_increasing
    assert hard["lowest"][0] == first["dice"].min()
    assert hard["with_false"][0] == (first["false_classes"] != "").mean()
