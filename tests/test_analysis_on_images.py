"""Two models on the same images: by hand, against plain loops, and from a study's pixel counts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_study import write_study
from small_study import write_definition
from test_analysis_load import CELLS, DEFINITION, commit

from analysis.classes import MACRO
from analysis.cli import main
from analysis.load import load
from analysis.statistics.comparison import holm
from analysis.statistics.image_sums import TrialSums, trial_sums
from analysis.statistics.material import Material
from analysis.statistics.on_these_images import compare_on_images
from analysis.statistics.ratios import MIN_CLUSTERS, Block, bootstrap, intervals, replicates
from study.definition import file as definition_file
from study.results import Results

A, B = ("icnet", "ce_dice"), ("icnet", "ce")


def block_of(numerators: np.ndarray, weights: np.ndarray | None = None) -> Block:
    """Of two models, one class; a less b."""
    weights = np.ones_like(numerators) if weights is None else weights
    return Block(np.arange(len(numerators)), numerators[:, :, None], weights[:, :, None], np.array([1.0, -1.0]))


def trial_of(configuration: tuple[str, str], split: str, images: Iterable[str], dice_NK: np.ndarray) -> TrialSums:
    """A trial whose images all count, and weigh the same under both averagings."""
    kind = "random" if split.startswith("random") else "held_out"
    factors = {"trial": f"{configuration}{split}", "model": configuration[0], "loss": configuration[1]}
    factors |= {"split": split, "split_kind": kind, "axis": "" if kind == "random" else "angle", "seed": 0}
    sums = {averaging: (dice_NK, np.ones_like(dice_NK)) for averaging in ("pw", "ew")}
    classes = [f"c{k}" for k in range(dice_NK.shape[1])]
    return TrialSums(factors, list(images), classes, np.ones(dice_NK.shape[1], bool), sums)


def test_by_hand() -> None:
    """Of means, theta is a difference of means, and se that of paired differences, with n for n - 1."""
    rng = np.random.default_rng(0)
    values = rng.random((20, 2))
    theta, se = replicates([block_of(values)], np.ones((1, 20)))
    difference = values[:, 0] - values[:, 1]
    assert theta[0] == pytest.approx([difference.mean()] * 2)
    assert se[0] == pytest.approx([difference.std() / np.sqrt(20)] * 2)


def test_a_draw_is_what_repeated_images_would_give() -> None:
    rng = np.random.default_rng(1)
    numerators, weights = rng.random((15, 2)), rng.random((15, 2)) + 0.5
    times = np.array([0, 2, 1, 1, 0, 3, 1, 0, 1, 1, 2, 0, 1, 1, 1])
    chosen = np.repeat(np.arange(15), times)
    drawn = replicates([block_of(numerators, weights)], times[None].astype(float))
    repeated = replicates([block_of(numerators[chosen], weights[chosen])], np.ones((1, 15)))
    for one, other in zip(drawn, repeated, strict=True):
        np.testing.assert_allclose(one, other)
    ratios = numerators[chosen].sum(axis=0) / weights[chosen].sum(axis=0)
    assert drawn[0][0, 0] == pytest.approx(ratios[0] - ratios[1])


def test_the_interval_and_p_as_a_plain_loop_gives_them() -> None:
    rng = np.random.default_rng(2)
    d = rng.normal(0.04, 0.1, 30)
    found = intervals([block_of(np.column_stack([0.6 + d, np.full(30, 0.6)]))], seed=3, num_drawn=199)[0]
    times = np.random.default_rng(3).multinomial(30, np.full(30, 1 / 30), size=199)
    sizes = []
    for row in times:
        again = np.repeat(d, row)
        sizes.append(abs(again.mean() - d.mean()) / (again.std() / np.sqrt(30)))
    se, order = d.std() / np.sqrt(30), np.sort(sizes)
    half = se * np.quantile(order, 0.95, method="higher")
    assert (found.low, found.high) == pytest.approx((d.mean() - half, d.mean() + half))
    assert found.p == pytest.approx((1 + np.sum(order >= abs(d.mean()) / se)) / 200)
    assert (found.p <= 0.05) == (not found.low <= 0 <= found.high)


@given(st.integers(0, 10_000), st.floats(-0.2, 0.2))
def test_properties(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.random((MIN_CLUSTERS + 3, 2))
    found = intervals([block_of(values)], num_drawn=99)[0]
    swapped = intervals([block_of(values[:, ::-1])], num_drawn=99)[0]
    assert (swapped.value, swapped.low, swapped.high) == pytest.approx((-found.value, -found.high, -found.low))
    assert swapped.p == found.p
    moved = intervals([block_of(values + np.array([shift, 0]))], num_drawn=99)[0]
    assert (moved.value, moved.low) == pytest.approx((found.value + shift, found.low + shift))
    assert found.low <= found.value <= found.high


def test_what_images_cannot_carry_is_refused() -> None:
    rng = np.random.default_rng(0)
    few = intervals([block_of(rng.random((MIN_CLUSTERS - 1, 2)))])[0]
    assert np.isnan(few.low)
    assert few.value != 0
    assert few.note == f"no interval: fewer than {MIN_CLUSTERS} images (or units of images) count"
    weights = np.zeros((20, 2))
    weights[:1] = 1  # of the second split, one image counts
    values = rng.random((20, 2))
    here, there = block_of(values), block_of(values * weights, weights)
    assert intervals([here, there])[0].note == "no interval: on some split too few images count"
    equal = intervals([block_of(np.tile([0.9, 0.8], (20, 1)))])[0]
    assert "which proves nothing" in equal.note
    assert equal.value == pytest.approx(0.1)


def test_an_image_in_several_splits_is_one_cluster() -> None:
    """The same images twice are no more evidence than once."""
    dice = np.random.default_rng(0).random((2, 20, 1))
    images = [f"i{n}" for n in range(20)]
    once = [trial_of(name, "random_0", images, values) for name, values in zip((A, B), dice, strict=True)]
    twice = [*once, *(trial_of(name, "random_1", images, v) for name, v in zip((A, B), dice, strict=True))]
    found = compare_on_images(twice, A, B, {}).query("averaging == 'ew'").set_index(["on", "class"])
    one, both = found.loc[("random_0", MACRO)], found.loc[("all random splits", MACRO)]
    numbers = ["num_images", "num_units", "difference", "low", "high", "p"]
    assert both[numbers].tolist() == pytest.approx(one[numbers].tolist())
    apart = [
        *once,
        *(trial_of(t.configuration, "random_1", [f"j{n}" for n in range(20)], t.sums["ew"][0]) for t in once),
    ]
    wider = compare_on_images(apart, A, B, {}).set_index(["averaging", "on", "class"])
    row = wider.loc[("ew", "all random splits", MACRO)]
    assert row["num_images"] == 40
    assert row["high"] - row["low"] < 0.8 * (one["high"] - one["low"])


def test_images_of_a_unit_are_one_cluster_and_seeds_are_averaged() -> None:
    rng = np.random.default_rng(0)
    images = [f"i{n}" for n in range(40)]
    a, b, again = rng.random((3, 40, 1))
    trials = [
        trial_of(A, "random_0", images, a),
        trial_of(B, "random_0", images, b),
        trial_of(A, "random_0", images, again),
    ]
    units = {image: f"u{n // 2}" for n, image in enumerate(images)}
    row = compare_on_images(trials, A, B, units).iloc[0]
    assert row["num_units"] == 20
    assert row["difference"] == pytest.approx((a.mean() + again.mean()) / 2 - b.mean())
    by_unit = np.column_stack([(a + again).reshape(20, 2).sum(axis=1) / 2, b.reshape(20, 2).sum(axis=1)])
    expected = intervals([block_of(by_unit, np.full((20, 2), 2.0))])[0]
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))


def test_holm_is_over_the_classes_of_a_row_and_the_macro_mean_is_theirs() -> None:
    rng = np.random.default_rng(0)
    images = [f"i{n}" for n in range(30)]
    better = np.array([0.2, 0.0, 0.01])
    trials = [trial_of(A, "random_0", images, rng.normal(0.6, 0.1, (30, 3)) + better)]
    trials += [trial_of(B, "random_0", images, rng.normal(0.6, 0.1, (30, 3)))]
    found = compare_on_images(trials, A, B, {}).query("averaging == 'ew'")
    classes, macro = found[found["class"] != MACRO], found[found["class"] == MACRO].iloc[0]
    np.testing.assert_allclose(classes["holm"], holm(classes["p"]))
    assert list(classes.loc[classes["holm"] < 0.05, "class"]) == ["c0"]
    assert macro["difference"] == pytest.approx(classes["difference"].mean())
    assert np.isnan(macro["holm"])


def test_draws_are_seeded_and_no_others() -> None:
    block = [block_of(np.random.default_rng(0).random((20, 2)))]
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second, other = (bootstrap(block, seed, 50)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_the_sums_of_images_give_the_scores_of_the_study(tmp_path: Path) -> None:
    Results(tmp_path).write_text("study.toml", DEFINITION.to_toml())
    for cell in CELLS:
        commit(tmp_path, f"{cell}-t00")
    scores = load(tmp_path)
    found = trial_sums(scores.study_facts("a test"), scores.study_facts("a test").chosen)
    assert len(found) == 4
    for trial in found:
        for averaging in ("pw", "ew", "pooled"):
            numerators, weights = trial.sums[averaging]
            own = scores.table[(scores.table["averaging"] == averaging) & (scores.table["class"] == "bx")]
            own = own[(own["model"] == trial.factors["model"]) & (own["split"] == trial.factors["split"])]
            assert numerators[:, 0].sum() / weights[:, 0].sum() == pytest.approx(own["dice"].iloc[0])
        assert trial.shown_K.tolist() == [True, False]
    row = compare_on_images(found, ("icnet", "ce"), ("unet", "ce"), {}).query("`class` == 'cl'").iloc[0]
    assert row["note"] == "no difference: cl has no score on random_0"


def test_without_pixel_counts_it_is_left_out_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "paper", "icnet-ce_dice", "icnet-ce"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Left out: the comparison on the same test images (no pixel counts of single images" in said


@pytest.fixture(scope="module")
def by_angle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose samples of one angle stay together."""
    folder = tmp_path_factory.mktemp("units")
    settings = ["simulate=true", "grid.splits=random_0,random_1", "search.trials=1", "splits.unit=angle"]
    return write_study(folder / "out", definition_file.load(str(write_definition(folder)), settings))


@pytest.mark.slow
def test_units_come_from_the_data_set_or_the_reason_why_not(by_angle: Path, tmp_path: Path) -> None:
    scores = load(by_angle)
    material = Material(scores)
    assert not isinstance(material.by_image, str)
    trials, units = material.by_image
    assert {units[image] for trial in trials for image in trial.images} <= {"0", "30", "60"}
    gone = scores.study_facts("a test").definition.data.path
    Path(gone).rename(tmp_path / "elsewhere")
    try:
        reason = Material(scores).by_image
    finally:
        (tmp_path / "elsewhere").rename(gone)
    assert isinstance(reason, str)
    assert "which images share a angle" not in reason
    assert "which images have one angle (splits.unit) stands in the data set alone" in reason


@pytest.mark.slow
def test_the_command_tells_both_comparisons(by_angle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(by_angle), "icnet-ce_dice", "icnet-ce", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["tables"]) == 2
    points = [point for finding in answer["findings"] for point in finding["points"]]
    assert any(point.startswith("On all random splits (") for point in points)
    on_images = pd.DataFrame(next(rows for title, rows in answer["tables"].items() if title.startswith("On the same")))
    assert {"random_0", "random_1", "all random splits"} <= set(on_images["on"])
