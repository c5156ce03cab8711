"""The luck in a tuned score: by hand, and with a planted truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_analysis_search import OBJECTS, make_runs, planted

from analysis.statistics.luck import luck
from analysis.statistics.paired import nadeau_bengio_interval

RANDOM = [f"random_{i}" for i in range(4)]


def only(runs: pd.DataFrame, startup: int = 4, ratio: float | None = 0.25) -> pd.Series[float]:
    (row,) = [row for _, row in luck(runs, startup, ratio).iterrows()]
    return row


def test_by_hand() -> None:
    """The choice loses .3 from validation to test on every split, .1 per split more; the default loses .1."""
    objective = {0: 0.5, 1: 0.9, 2: 0.2, 3: 0.1}

    def dice(split: str, seed: int, index: int, name: str) -> float:
        lost = {0: 0.1, 1: 0.3 + 0.01 * RANDOM.index(split)}.get(index, 0.0)
        return objective[index] - lost + (0.02 if name == "bx" else -0.02)

    row = only(make_runs(lambda split, seed, index: objective[index], dice, RANDOM))
    values = 0.2 + 0.01 * np.arange(4)
    assert (row["num_cells"], row["num_splits"], row["validation"]) == (4, 4, 0.9)
    assert (row["lost"], row["lost_by_default"]) == pytest.approx((0.315, 0.1))
    assert row["luck"] == pytest.approx(values.mean())
    assert (row["low"], row["high"]) == pytest.approx(nadeau_bengio_interval(values, 0.25))
    assert (row["num_points"], row["share_best"], row["share_best_by_chance"]) == (4, 1, 0.25)
    assert row["lost_to_best"] == pytest.approx(0)


def test_how_often_the_choice_is_the_best_on_test() -> None:
    """The best by validation is the best on test on two of four splits; elsewhere another is better by .1."""
    better = {"random_0": 1, "random_1": 1, "random_2": 0, "random_3": 2}
    runs = make_runs(
        lambda split, seed, index: float(index == 1),
        lambda split, seed, index, name: 0.5 + 0.1 * (index == better[split]),
        RANDOM,
    )
    row = only(runs)
    assert (row["share_best"], row["share_best_by_chance"]) == (0.5, 0.25)
    assert row["lost_to_best"] == pytest.approx(0.05)
    assert only(runs, startup=1)[["share_best", "num_points"]].isna().all()


def test_held_out_splits_stand_apart_and_trials_without_a_score_are_left_out() -> None:
    runs = planted(0.0)
    row = only(runs)
    assert (row["num_splits"], row["num_held_out"]) == (4, 2)
    assert row["luck"] == pytest.approx(
        0.1
    )  # the choice has an objective .1 above the default's, and the same test Dice
    assert row["held_out_luck"] == pytest.approx(0.1)
    assert "equal on all 4 random splits, which proves nothing" in row["note"]
    gone = runs.copy()
    gone.loc[(gone["split"] == "random_0") & (gone["index"] == 0), "dice"] = np.nan
    assert only(gone)["num_splits"] == 3


def test_too_few_splits_and_unknown_sizes_give_no_interval() -> None:
    rng = np.random.default_rng(0)
    runs = make_runs(lambda *_: rng.random(), lambda *_: rng.random(), RANDOM)
    assert only(runs[runs["split"].isin(RANDOM[:2])])["note"].startswith("no interval: 2 random splits")
    assert only(runs, ratio=None)["note"].startswith("no interval: how many images")
    assert only(runs[runs["index"] == 0])["luck"] == 0


@given(st.integers(0, 1000), st.floats(-0.2, 0.2))
def test_a_shift_from_validation_to_test_is_no_luck(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    validation = rng.random((4, 4))
    test = rng.random((4, 4, len(OBJECTS)))

    def runs(shift: float) -> pd.DataFrame:
        return make_runs(
            lambda split, s, index: validation[RANDOM.index(split), index],
            lambda split, s, index, name: (
                test[RANDOM.index(split), index, (*OBJECTS, "bg", "all").index(name) % 2] + shift
            ),
            RANDOM,
        )

    here, there = only(runs(0.0)), only(runs(shift))
    assert there["luck"] == pytest.approx(here["luck"])
    assert there["share_best"] == here["share_best"]
    assert there["lost"] == pytest.approx(here["lost"] - shift)
    assert here["share_best_by_chance"] == 0.25


def test_pure_noise_is_all_luck() -> None:
    """All points are equal in truth: what is chosen is flattered by the mean of the highest of four draws."""
    rng = np.random.default_rng(1)
    splits = [f"random_{i}" for i in range(200)]
    runs = make_runs(lambda *_: 0.7 + 0.05 * rng.standard_normal(), lambda *_: 0.7, splits)
    row = only(runs, ratio=0.0)
    assert row["low"] < 0.05 * 1.0294 < row["high"]  # the expected highest of four normal draws
