"""The gap divided into fewer images and shift: by hand, by SciPy, in words, and what is said where nothing tells."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.classes import MACRO
from analysis.load import load
from analysis.scores import Scores
from analysis.statistics.catalogue import left_out
from analysis.statistics.material import Material
from analysis.statistics.shift import HELD_OUT_ASSUMED, MATCHED_ASSUMED, Part, divided_gap, shift_or_fewer
from analysis.statistics.spread import Refusal
from analysis.verdict.of_images import images_in_words

DRAWS = np.random.default_rng(0)
RANDOM = 0.80 + DRAWS.normal(0, 0.03, (8, 2))
MATCHED = 0.77 + DRAWS.normal(0, 0.03, (3, 2))
HELD_OUT = 0.70 + DRAWS.normal(0, 0.03, (3, 2))
QUESTION = "Is a drop due to the shift, or to fewer training images?"


def divided(random: np.ndarray, matched: np.ndarray, held_out: np.ndarray) -> dict[str, Part]:
    found = divided_gap(random, matched, held_out)
    assert not isinstance(found, Refusal), found
    return found


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_parts_add_up_to_the_gap(seeds: int, number: int) -> None:
    random, matched, held_out = RANDOM[:, :seeds], MATCHED[:number, :seeds], HELD_OUT[:number, :seeds]
    parts = divided(random, matched, held_out)
    assert parts["fewer_images"].value + parts["shift"].value == pytest.approx(random.mean() - held_out.mean())
    assert all(part.low < part.value < part.high for part in parts.values())


def test_with_one_seed_the_shift_is_scipys_paired_interval() -> None:
    part = divided(RANDOM[:, :1], MATCHED[:, :1], HELD_OUT[:, :1])["shift"]
    expected = stats.ttest_rel(MATCHED[:, 0], HELD_OUT[:, 0]).confidence_interval(0.95)
    assert (part.low, part.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_fewer_images_is_welchs_with_the_fewest_degrees_of_freedom() -> None:
    part = divided(RANDOM[:, :1], MATCHED[:, :1], HELD_OUT[:, :1])["fewer_images"]
    welch = stats.ttest_ind(RANDOM[:, 0], MATCHED[:, 0], equal_var=False)
    error = (RANDOM[:, 0].mean() - MATCHED[:, 0].mean()) / welch.statistic
    assert part.high - part.value == pytest.approx(stats.t.ppf(0.975, 2) * error)
    assert welch.df > 2


def test_two_held_out_splits_take_the_spread_of_random_ones() -> None:
    """With one seed, as Student's interval of two groups has it whose spread is known from the first."""
    sd = RANDOM[:, 0].std(ddof=1)
    parts = divided(RANDOM[:, :1], MATCHED[:2, :1], HELD_OUT[:2, :1])
    t = stats.t.ppf(0.975, 7)
    assert parts["fewer_images"].high - parts["fewer_images"].value == pytest.approx(t * sd * np.sqrt(1 / 8 + 1 / 2))
    assert parts["shift"].high - parts["shift"].value == pytest.approx(t * sd * np.sqrt(1 / 2 + 1 / 2))


def test_seeds_tell_how_steady_held_out_scores_are() -> None:
    steady = np.tile(HELD_OUT[:, :1], 2) + np.array([[0.001, -0.001]])
    parts, other = divided(RANDOM, MATCHED, steady), divided(RANDOM, MATCHED, HELD_OUT)
    of_matched = MATCHED.mean(axis=1).std(ddof=1) / np.sqrt(3)
    assert parts["shift"].high - parts["shift"].value == pytest.approx(stats.t.ppf(0.975, 2) * of_matched, rel=0.01)
    assert other["shift"].high - other["shift"].low > parts["shift"].high - parts["shift"].low


@pytest.mark.parametrize(
    ("random", "words"),
    [
        (RANDOM[:3], "3 random splits, where an interval needs 4"),
        (np.full((8, 2), 0.8), "all random splits have the same score"),
        (np.where(np.arange(16).reshape(8, 2) == 3, np.nan, RANDOM), "not every split has a score"),
    ],
)
def test_what_cannot_be_divided(random: np.ndarray, words: str) -> None:
    found = divided_gap(random, MATCHED, HELD_OUT)
    assert isinstance(found, Refusal)
    assert words in found.reason


def scores_of(number: int = 3, seeds: int = 1, axes: tuple[str, ...] = ("angle",), *, matched: bool = True) -> Scores:
    """Of two classes, pen below mug; `number` held-out splits of each axis."""
    rows = []
    for seed in range(seeds):
        of_kind = [("random", "", f"random_{i}", RANDOM[i, seed]) for i in range(8)]
        for axis in axes:
            of_kind += [("held_out", axis, f"{axis}_{i}", HELD_OUT[i, seed]) for i in range(number)]
            of_kind += [("matched", "", f"matched_{axis}_{i}", MATCHED[i, seed]) for i in range(number) if matched]
        for kind, axis, split, dice in of_kind:
            row = {"model": "icnet", "loss": "ce", "split": split, "split_kind": kind, "axis": axis, "seed": seed}
            rows += [
                {**row, "averaging": "ew", "class": c, "dice": dice - less} for c, less in (("mug", 0), ("pen", 0.1))
            ]
    table = pd.DataFrame(rows)
    sizes = {name: 500 if name.startswith("random") else 400 for name in table["split"]}
    return Scores(table, "made up", "default", num_train=sizes, num_test=dict.fromkeys(sizes, 100))


def test_the_table() -> None:
    table = shift_or_fewer(scores_of(axes=("angle", "site")).table)
    assert list(table["axis"].unique()) == ["angle", "site"]
    assert list(table["class"].unique()) == ["mug", "pen", MACRO]
    assert (table["num_held_out"] == 3).all()
    row = table.iloc[0]
    part = divided(RANDOM[:, :1], MATCHED[:, :1], HELD_OUT[:, :1])["shift"]
    assert (row["shift"], row["shift_low"], row["shift_high"]) == pytest.approx(dataclasses.astuple(part))
    assert row["fewer_images"] + row["shift"] == pytest.approx(row["gap"])
    assert set(table["note"]) == {""}


@pytest.mark.parametrize(("seeds", "note"), [(1, f"{MATCHED_ASSUMED}; {HELD_OUT_ASSUMED}"), (2, MATCHED_ASSUMED)])
def test_what_is_assumed_is_said(seeds: int, note: str) -> None:
    scores = scores_of(number=2, seeds=seeds)
    assert set(shift_or_fewer(scores.table)["note"]) == {note}
    (finding,) = images_in_words(scores, "ew")
    assert f"Assumed: {note}." in finding.points


def test_only_held_out_splits_that_have_a_matched_one_are_divided() -> None:
    scores = scores_of()
    table = scores.table[scores.table["split"] != "matched_angle_2"]
    assert set(shift_or_fewer(table)["num_held_out"]) == {2}
    (finding,) = images_in_words(dataclasses.replace(scores, table=table), "ew")
    assert any("add random splits of the same size to grid.splits: matched_angle_2" in each for each in finding.points)


def test_the_words() -> None:
    (finding,) = images_in_words(scores_of(), "ew")
    assert finding.question == QUESTION
    parts = divided(RANDOM[:, :1], MATCHED[:, :1], HELD_OUT[:, :1])
    fewer, shift = (f"{p.value:.3f} ({p.low:.3f} to {p.high:.3f}, 95 %)" for p in parts.values())
    drop = RANDOM[:, 0].mean() - HELD_OUT[:, 0].mean()
    expected = (
        f"icnet ce, angle: of the drop of {drop:.3f}, {fewer} goes with training on fewer images and {shift} with"
    )
    assert finding.points[0].startswith(expected)


def test_a_rise_is_told_as_one() -> None:
    scores = scores_of()
    better = scores.table["split_kind"] == "held_out"
    table = scores.table.assign(dice=scores.table["dice"] + 0.2 * better)
    (finding,) = images_in_words(dataclasses.replace(scores, table=table), "ew")
    assert "of the rise of" in finding.points[0]


def test_without_matched_splits_it_is_said_how_to_tell() -> None:
    scores = scores_of(matched=False)
    (finding,) = images_in_words(scores, "ew")
    assert finding.points == (
        "Random splits have 500 images to train on (those for validation among them), angle_0 400, angle_1 400, "
        "angle_2 400: a difference in scores may come from both, the number of images and the shift. To tell them "
        "apart, add random splits of the same size to grid.splits: matched_angle_0, matched_angle_1, matched_angle_2.",
    )
    alike = dataclasses.replace(scores, num_train=dict.fromkeys(scores.num_train, 480))
    assert images_in_words(alike, "ew") == []
    unknown = dataclasses.replace(scores, num_train={})
    assert images_in_words(unknown, "ew") == []


def test_of_the_paper_two_splits_train_on_fewer() -> None:
    (finding,) = images_in_words(load("paper"), "ew")
    assert "rot_0 440, rot_1 409:" in finding.points[0]
    assert "rot_2" not in finding.points[0]
    reasons = left_out(Material(load("paper")))
    assert reasons["The drop divided: fewer training images, and the shift itself"] == (
        "no held-out split has a matched one"
    )
    assert reasons["How many more images?"] == "no shares of training images"
