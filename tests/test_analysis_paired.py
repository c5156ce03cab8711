"""Two configurations compared on any table: without the sizes of its splits, on few splits, on splits of any kind."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.classes import MACRO
from analysis.statistics.paired import BETTER, EQUAL, OPEN, WORSE, answer, compare, intervals_in_words, paired_kind

A, B = ("a", "ce"), ("b", "ce")


def table_of(differences: list[float], kind: str = "random", name: str = "random") -> pd.DataFrame:
    """One class; on the i-th split b scores 0.5 and a so much more."""
    rows = [
        (model, f"{name}_{i}", 0.5 + more * (model == "a"))
        for model in ("a", "b")
        for i, more in enumerate(differences)
    ]
    table = pd.DataFrame(rows, columns=["model", "split", "dice"])
    return table.assign(loss="ce", split_kind=kind, axis="", seed=0, averaging="ew", **{"class": "bx"})


def compared(table: pd.DataFrame, test_to_train: float | None, rope: float = 0.01) -> pd.Series:
    found = compare(table, A, B, test_to_train=test_to_train, rope=rope).set_index("class")
    row: pd.Series = found.loc[MACRO]
    return row


EIGHT = [0.02, 0.05, -0.01, 0.03, 0.04, 0.02, 0.01, 0.03]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.011, 0.2, BETTER), (0.005, 0.2, OPEN), (-0.2, -0.011, WORSE), (-0.009, 0.009, EQUAL), (0.001, 0.009, EQUAL),
        (-0.2, 0.2, OPEN), (np.nan, np.nan, OPEN),
    ],
)  # fmt: skip
def test_one_rule_for_interval_and_probabilities(low: float, high: float, said: str) -> None:
    assert answer(low, high, 0.01) == said


@pytest.mark.parametrize("shift", np.linspace(-0.06, 0.06, 25))
def test_the_answer_and_the_probabilities_never_disagree(shift: float) -> None:
    row = compared(table_of([each + shift for each in EIGHT]), 0.25)
    assert (row["answer"] == BETTER) == (row["p_better"] > 0.975)
    assert (row["answer"] == WORSE) == (row["p_worse"] > 0.975)
    if row["answer"] == EQUAL:
        assert row["p_equal"] > 0.95


def test_a_small_sure_difference_counts_as_none() -> None:
    """The interval is wholly above 0, and wholly within what counts as no difference."""
    row = compared(table_of([0.004, 0.0041, 0.0039, 0.004, 0.0042, 0.0038, 0.004, 0.0041]), 0.25)
    assert row["low"] > 0
    assert row["p_equal"] > 0.999
    assert row["answer"] == EQUAL


def test_without_sizes_all_but_the_interval_is_answered() -> None:
    row = compared(table_of(EIGHT), None)
    assert (row["wins"], row["losses"], row["ties"]) == (7, 1, 0)
    assert row["sign_flip_p"] == pytest.approx(6 / 256)
    assert row["naive_p"] == pytest.approx(stats.ttest_1samp(EIGHT, 0).pvalue)
    assert np.isnan([row["low"], row["high"], row["nb_p"], row["p_better"]]).all()
    assert "--test-to-train" in row["note"]
    assert "not known" in intervals_in_words(None)


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_two_to_five_splits_have_the_tests_that_exist_for_them(number: int) -> None:
    row = compared(table_of(EIGHT[:number]), 0.25)
    assert row[["low", "high", "naive_p", "nb_p", "p_better"]].notna().all()
    assert np.isnan(row["sign_flip_p"])
    assert f"no p-value: with {number} random splits even the clearest result" in row["note"]
    assert "no interval" not in row["note"]


def test_one_division_has_students_interval_and_nothing_to_correct() -> None:
    row = compared(table_of(EIGHT), 0.0)
    expected = stats.ttest_1samp(EIGHT, 0).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
    assert np.isnan(row["nb_p"])
    assert "one division" in intervals_in_words(0.0)


def test_equal_differences_have_an_exact_p_and_no_interval() -> None:
    row = compared(table_of([0.1] * 8), 0.25)
    assert row["sign_flip_p"] == pytest.approx(2 / 256)
    assert row["note"] == "no interval: all 8 differences on random splits are equal"


def test_without_random_splits_the_others_are_compared() -> None:
    folds = table_of(EIGHT[:5], "fold", "fold")
    assert paired_kind(folds) == "fold"
    assert compared(folds, 0.25)[["low", "high"]].notna().all()
    held_out = compared(table_of(EIGHT, "held_out", "site"), None)
    assert (held_out["num_pairs"], held_out["wins"]) == (8, 7)
    assert held_out["sign_flip_p"] == pytest.approx(6 / 256)
    assert held_out["note"] == "no interval: held-out splits are not a sample of further ones"


def test_six_held_out_splits_have_a_p_of_their_own() -> None:
    both = pd.concat([table_of(EIGHT), table_of([0.1, 0.2, 0.1, 0.1, 0.2, 0.1], "held_out", "site")])
    row = compared(both, 0.25)
    assert row["held_out_p"] == pytest.approx(2 / 64)
    assert row["note"] == ""


def test_no_interval_is_beyond_what_a_difference_of_dice_can_be() -> None:
    row = compared(table_of([0.5, -0.5]), 0.25)
    assert (row["low"], row["high"]) == (-1, 1)


def test_a_class_that_one_configuration_lacks_decides_nothing() -> None:
    """a is better on the one class that both have; with a class of its own, b had the higher mean."""
    shared = table_of(EIGHT)
    own = shared[shared["model"] == "b"].assign(dice=0.9, **{"class": "cl"})
    found = compare(pd.concat([shared, own]), A, B, test_to_train=0.25, rope=0.01).set_index("class")
    assert found.loc["bx", "difference"] > 0
    assert found.loc[MACRO, "num_pairs"] == 0
    assert found.loc[MACRO, "answer"] == OPEN
    assert "a ce: cl has no score on random_0" in found.loc[MACRO, "note"]
