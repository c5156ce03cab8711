"""The luck of a choice over splits: by a loop, by SciPy, by hand, in words, and fair where all are equal."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from benchmark_files import benchmark
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from test_analysis_search import make_runs

from analysis.scores import Floats, Scores
from analysis.statistics.luck_of_choice import LEAST_RATIO, Choice, luck_of_best, luck_of_common_point
from analysis.statistics.paired import nadeau_bengio_interval
from analysis.verdict.of_pairs import best

RANDOM = [f"random_{i}" for i in range(6)]


def slowly(scores: Floats) -> tuple[Floats, Floats]:
    """On each split: the score of the best of all, and of the best by the other splits."""
    found: tuple[list[float], list[float]] = ([], [])
    for split in range(len(scores)):
        others = [row for i, row in enumerate(scores) if i != split]
        for place, chosen_by in enumerate((list(scores), others)):
            means = [sum(float(row[c]) for row in chosen_by) / len(chosen_by) for c in range(scores.shape[1])]
            found[place].append(float(scores[split, max(range(len(means)), key=lambda c: means[c])]))
    return np.array(found[0]), np.array(found[1])


def table_of(scores: Floats, seeds: int = 1) -> pd.DataFrame:
    """Split x configuration; two classes, 0.1 apart; seeds 0.02 apart; and a held-out split, which no choice sees."""
    rows = []
    for (i, c), score in np.ndenumerate(np.vstack([scores, 0.3 + 0 * scores[:1]])):
        of_split = {"split": "tilted", "split_kind": "held_out", "axis": "angle"}
        if i < len(scores):
            of_split = {"split": RANDOM[i], "split_kind": "random", "axis": ""}
        for seed in range(seeds):
            shift = 0.02 * (seed - (seeds - 1) / 2)
            rows += [
                {**of_split, "loss": f"loss_{c}", "seed": seed, "class": name, "dice": score + shift + off}
                for name, off in (("box", 0.05), ("pen", -0.05))
            ]
    return pd.DataFrame(rows).assign(model="icnet", averaging="ew")


def drawn(seed: int, candidates: int = 4, splits: int = 6) -> Floats:
    return 0.6 + 0.05 * np.random.default_rng(seed).standard_normal((splits, candidates))


@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(4, 6), st.integers(1, 2))
def test_the_best_configuration_is_what_a_loop_finds(seed: int, candidates: int, splits: int, seeds: int) -> None:
    scores = drawn(seed, candidates, splits)
    row = luck_of_best(table_of(scores, seeds), 0.25).iloc[0]
    own, left_out = slowly(scores)
    assert row["mean"] == pytest.approx(own.mean())
    assert row["left_out_mean"] == pytest.approx(left_out.mean())
    assert row["optimism"] == pytest.approx((own - left_out).mean(), abs=1e-12)
    assert row["optimism"] > -1e-12, "without a split that a choice owes something to, another is chosen, if any"
    second, first = np.argsort(scores.mean(axis=0))[-2:]
    leads = scores[:, first] - scores[:, second]
    assert row["lead"] == pytest.approx(leads.mean())
    t = stats.ttest_1samp(leads, 0).statistic / np.sqrt(1 + 0.25 * splits)  # with Nadeau and Bengio's variance
    assert row["lead_luck"] == pytest.approx(leads.mean() * min(1, 1 / t**2))
    assert row["loss"] == f"loss_{scores.mean(axis=0).argmax()}"
    assert (row["num_splits"], row["num_configurations"]) == (splits, candidates)


def test_by_hand() -> None:
    """b owes its mean to the first split alone; without it, a is the best."""
    a, b = np.full(6, 0.7), np.array([1.0, 0.66, 0.66, 0.66, 0.66, 0.66])
    row = luck_of_best(table_of(np.column_stack([a, b])), 0.1).iloc[0]
    assert row["loss"] == "loss_1"
    assert row["mean"] == pytest.approx(4.3 / 6)
    assert row["left_out_mean"] == pytest.approx((0.7 + 5 * 0.66) / 6)
    assert row["share_same"] == pytest.approx(5 / 6)
    lucky = np.array([0.3, 0, 0, 0, 0, 0])
    assert row["optimism"] == pytest.approx(lucky.mean())
    assert (row["low"], row["high"]) == pytest.approx(nadeau_bengio_interval(lucky, LEAST_RATIO))
    assert row["lead"] == pytest.approx(0.1 / 6)
    assert row["lead_luck"] == row["lead"], "the splits differ so much, and the means so little"
    wider = luck_of_best(table_of(np.column_stack([a, b])), 0.5).iloc[0]
    assert (wider["low"], wider["high"]) == pytest.approx(nadeau_bengio_interval(lucky, 0.5))


def test_a_choice_that_hangs_on_no_split_has_no_interval() -> None:
    scores = drawn(0, 2)
    row = luck_of_best(table_of(scores + np.array([0.0, 0.3])), 0.25).iloc[0]
    assert (row["optimism"], row["share_same"]) == (pytest.approx(0), 1)
    assert 0 < row["lead_luck"] < 0.1 * row["lead"]
    assert np.isnan(row["low"])
    assert "equal on all 6 random splits, which proves nothing" in row["note"]


def test_equal_candidates_leave_the_first_one_chosen() -> None:
    choice = Choice.by(np.full((5, 3), 0.1) + np.array([[0.2], [0.3], [0.1], [0.0], [0.6]]))
    assert list(choice.by_all_C) == [0, 1, 2]
    assert np.all(choice.by_others_SC == [0, 1, 2])


def test_what_cannot_be_told() -> None:
    table = table_of(drawn(1))
    few = luck_of_best(table[table["split"].isin([*RANDOM[:3], "tilted"])], 0.25).iloc[0]
    assert (few["note"], few["num_splits"]) == ("3 random splits, fewer than 4", 3)
    one = luck_of_best(table[table["loss"] == "loss_0"], 0.25).iloc[0]
    assert "nothing to choose from" in one["note"]
    blank = table.copy()
    blank.loc[(blank["loss"] == "loss_1") & (blank["split"] == RANDOM[2]), "dice"] = np.nan
    assert luck_of_best(blank, 0.25).iloc[0]["num_configurations"] == 3
    unknown = luck_of_best(table, None).iloc[0]
    assert unknown["note"].startswith("no interval: how many images")
    assert np.isnan(unknown["lead_luck"])


def point_runs(validation: Floats, test: Floats, seeds: int = 1) -> pd.DataFrame:
    """Split x point."""
    return make_runs(
        lambda split, seed, index: validation[RANDOM.index(split), index] + 0.01 * seed,
        lambda split, seed, index, name: test[RANDOM.index(split), index] + 0.02 * (name == "bx") - 0.01,
        RANDOM,
        seeds=seeds,
    )


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_best_common_point_is_what_a_loop_finds(seeds: int) -> None:
    validation, test = drawn(1), drawn(3)
    runs = point_runs(validation, test, seeds)
    (row,) = [row for _, row in luck_of_common_point(runs, 4, 0.25).iterrows()]
    own, left_out = slowly(validation + 0.01 * (seeds - 1) / 2)
    assert (row["num_points"], row["num_splits"]) == (4, 6)
    assert row["index"] == validation.mean(axis=0).argmax()
    assert row["validation"] == pytest.approx(own.mean())
    assert row["left_out_validation"] == pytest.approx(left_out.mean())
    assert row["optimism"] == pytest.approx((own - left_out).mean())
    assert (row["low"], row["high"]) == pytest.approx(nadeau_bengio_interval(own - left_out, 0.25))
    chosen = [np.delete(validation, split, axis=0).mean(axis=0).argmax() for split in range(6)]
    assert row["test"] == pytest.approx(test[:, int(row["index"])].mean())
    assert row["left_out_test"] == pytest.approx(np.mean([test[s, c] for s, c in enumerate(chosen)]))


def test_points_that_are_not_common_and_splits_that_lack_one_are_left_out() -> None:
    runs = point_runs(drawn(2), drawn(3))
    (row,) = [row for _, row in luck_of_common_point(runs, 3, 0.25).iterrows()]
    assert row["num_points"] == 3
    gone = runs.copy()
    gone.loc[(gone["split"] == RANDOM[0]) & (gone["index"] == 1), "objective"] = np.nan
    gone.loc[gone["index"] == 2, "objective"] = np.nan
    (row,) = [row for _, row in luck_of_common_point(gone, 4, 0.25).iterrows()]
    assert (row["num_points"], row["num_splits"]) == (3, 5)


def said_of(scores: Floats) -> str:
    table = table_of(scores)
    sizes = dict.fromkeys(RANDOM, 100)
    known = Scores(table, "made up", "default", num_train=sizes, num_test=dict.fromkeys(RANDOM, 25))
    finding = best(known, table, 0.01)
    assert finding is not None
    return finding.points[-1]


def test_the_words() -> None:
    a, b = np.full(6, 0.7), np.array([1.0, 0.66, 0.66, 0.66, 0.66, 0.66])
    said = said_of(np.column_stack([a, b]))
    assert "its lead is probably overstated: by estimate all of its 0.017 is luck." in said
    assert "had no say (each of 6 left out in turn), scores 0.667 instead of 0.717." in said
    assert "is too high by that: +0.050 (95 % interval -0." in said
    plain = said_of(drawn(0, 2) + np.array([0.0, 0.3]))
    assert "Without any one of the 6 random splits the choice would be the same" in plain
    assert plain.endswith("that its score owes nothing to luck.")
    assert said_of(np.column_stack([a, b])[:3]).endswith("so its lead is probably overstated.")


@pytest.mark.slow
def test_the_score_on_the_split_left_out_is_fair_and_the_intervals_cover() -> None:
    """A part of the benchmark: not above what the choice is worth, by more than four standard errors."""
    rows = benchmark("validity_choices").measured(repetitions=1000, num_splits=(4, 8, 15))
    assert len({row.world for row in rows}) >= 8
    for row in rows:
        if "on other images" not in row.world:
            assert abs(row.left_out_bias) < 4 * row.left_out_error, dataclasses.asdict(row)
        if row.given > 0.1:
            assert row.coverage + 4 * row.coverage_error > 0.95, dataclasses.asdict(row)
        assert row.lead_rmse < 1.2 * min(row.lead_rmse_left_out, row.lead_rmse_of_none), dataclasses.asdict(row)
