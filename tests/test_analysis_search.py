"""The search's statistics on runs with a planted truth, and on tiny ones by hand."""

import itertools
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.classes import MACRO
from analysis.scores import tuned_trials
from analysis.statistics.importance import FANOVA, PED_ANOVA, importance
from analysis.statistics.paired import nadeau_bengio_interval
from analysis.statistics.ranks import mean_tau
from analysis.statistics.search import _common, _pairs, transfer, tuning_gain, tuning_shares
from analysis.statistics.spread import spread
from analysis.statistics.variance import variance_shares
from study.cells import Cell, Trial
from study.definition.file import load
from study.definition.point import Point
from study.definition.space import Choices, Range

SPLITS = [*(f"random_{i}" for i in range(4)), "rot_0", "rot_1"]
POINTS = [(1.0, 0.5), (0.25, 0.0), (0.5, 0.8), (2.0, 0.3)]
OBJECTS = ["bx", "cl"]
Value = Callable[[str, int, int], float]


SPACE = load("paper").search.space


def point(width: float, strength: float) -> str:
    return Point({"model.width": width, "augmentation.strength": strength}).to_json()


def regrets(runs: pd.DataFrame, startup: int) -> pd.DataFrame:
    """Validation regret of the choice made on one split (rows) when used on another (columns), of one configuration."""
    wide = _pairs(_common(runs, startup)).pivot(index="a", columns="b", values="validation_regret")
    return wide.reindex(index=runs["split"].unique(), columns=runs["split"].unique()).astype(float)


def make_runs(
    objective: Value,
    dice: Callable[[str, int, int, str], float],
    splits: list[str] = SPLITS,
    points: list[tuple[float, float]] = POINTS,
    seeds: int = 1,
) -> pd.DataFrame:
    """Runs of one configuration; `objective` takes split, seed and index, `dice` the class too."""
    rows: list[dict[str, Any]] = []
    for split, seed, index in itertools.product(splits, range(seeds), range(len(points))):
        width, strength = points[index]
        trial = {"trial": f"unet-ce-{split}-s{seed}-t{index:02}", "model": "unet", "loss": "ce", "split": split}
        trial |= {"split_kind": "held_out" if split.startswith("rot") else "random", "axis": "", "seed": seed}
        trial |= {"index": index, "point": point(width, strength), "objective": objective(split, seed, index)}
        for averaging, name in itertools.product(("pw", "ew"), ("bg", *OBJECTS, "all")):
            rows.append({**trial, "averaging": averaging, "class": name, "dice": dice(split, seed, index, name)})
    return pd.DataFrame(rows)


def level_of(split: str) -> float:
    """Splits differ in difficulty: by 0.1 from one to the next."""
    return 0.2 + 0.1 * SPLITS.index(split)


def planted(gain: float) -> pd.DataFrame:
    """The point with index 2 is the best by validation everywhere, and adds a constant to the test Dice."""
    return make_runs(
        lambda split, seed, index: [0.5, 0.4, 0.6, 0.3][index],
        lambda split, seed, index, name: level_of(split) + gain * (index == 2),
    )


def row_of(table: pd.DataFrame, **place: Any) -> "pd.Series[Any]":
    for name, value in place.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_a_planted_gain_is_found_exactly() -> None:
    table = tuning_gain(planted(0.05), test_to_train=0.25)
    assert list(table["class"]) == [*OBJECTS, MACRO] * 2
    for _, row in table.iterrows():
        assert row["gain"] == pytest.approx(0.05)
        assert row["held_out_gain"] == pytest.approx(0.05)
        assert tuple(row[["num_splits", "wins", "losses", "ties", "num_held_out", "num_left_out"]]) == (
            4,
            4,
            0,
            0,
            2,
            0,
        )
        assert row["spread"] == pytest.approx(np.std([0.2, 0.3, 0.4, 0.5], ddof=1))
        assert row["gain_to_spread"] == pytest.approx(row["gain"] / row["spread"])
        assert "no interval: equal on all 4 random splits, which proves nothing" in row["note"]
        assert "the gain is smaller than the SD of one default training on one random split" in row["note"]


def test_a_gain_that_varies_has_the_interval_of_nadeau_and_bengio_after_the_mean_over_seeds() -> None:
    def dice(split: str, seed: int, index: int, name: str) -> float:
        return level_of(split) + (index == 2) * (0.5 * level_of(split) + 0.02 * (2 * seed - 1))

    runs = make_runs(lambda split, seed, index: float(index == 2), dice, seeds=2)
    row = row_of(tuning_gain(runs, test_to_train=0.25), averaging="pw", **{"class": MACRO})
    gains = [0.10, 0.15, 0.20, 0.25]
    assert row["gain"] == pytest.approx(np.mean(gains))
    assert (row["low"], row["high"]) == pytest.approx(np.clip(nadeau_bengio_interval(gains, 0.25), -1, 1))
    assert row["note"] == ""
    unknown = row_of(tuning_gain(runs, None), averaging="pw", **{"class": MACRO})
    assert np.isnan(unknown["low"])
    assert np.isnan(unknown["high"])
    assert unknown["note"].startswith("no interval: how many images were tested")


def test_an_interval_of_gains_needs_four_splits_and_holds_no_impossible_gain() -> None:
    gains = {"random_0": -0.5, "random_1": 0.9, "random_2": -0.4, "random_3": 0.8}

    def dice(split: str, seed: int, index: int, name: str) -> float:
        return 0.5 + gains[split] * (index == 2) / 2 - gains[split] * (index != 2) / 2

    def row(num_splits: int) -> "pd.Series[Any]":
        runs = make_runs(lambda split, seed, index: float(index == 2), dice, splits=[*gains][:num_splits])
        return row_of(tuning_gain(runs, 0.25), averaging="ew", **{"class": MACRO})

    assert (row(4)["low"], row(4)["high"]) == (-1, 1)
    for number in (2, 3):
        assert np.isnan(row(number)["low"])
        assert f"no interval: {number} random splits, fewer than 4" in row(number)["note"]


def test_a_search_by_cost_that_loses_dice_is_said_to_have_traded_it() -> None:
    """The cheapest is within 0.2 of the highest validation Dice, and loses 0.05 of test Dice."""
    runs = planted(-0.05).assign(cost=planted(0.0)["index"].map({0: 3.0, 1: 2.0, 2: 1.0, 3: 4.0}))
    words = "the search traded Dice for cost: 0.050 of the test score was lost against the default"
    for within in (0.2, 0.0):
        notes = tuning_gain(runs, 0.25, within)["note"]
        assert notes.str.contains(words).all()
        assert not notes.str.contains("did not raise").any()
        assert notes.str.contains("more than").any() == (within == 0)


def test_the_spread_is_the_sd_that_stability_gives_the_default_trials() -> None:
    rng = np.random.default_rng(0)
    runs = make_runs(lambda *_: rng.random(), lambda *_: rng.random(), seeds=2)
    default = spread(runs[runs["index"] == 0]).set_index(["averaging", "class"])["sd"]
    of_gain = tuning_gain(runs, 0.25).set_index(["averaging", "class"])["spread"]
    np.testing.assert_allclose(of_gain, default.reindex(of_gain.index))


def test_one_trial_in_every_cell_is_no_tuning() -> None:
    runs = planted(0.05)
    table = tuning_gain(runs[runs["index"] == 0], 0.25)
    assert set(table["note"]) == {"nothing was tuned: one trial in every cell"}
    assert set(table["gain"]) == {0.0}
    assert set(table["ties"]) == {4}


def test_a_harmful_choice_and_few_splits_are_said() -> None:
    runs = planted(-0.05)
    table = tuning_gain(runs[runs["split"].isin(["random_0"])], 0.25)
    assert table["note"].str.contains("tuning did not raise the mean score").all()
    assert table["note"].str.contains("no interval: one random split, fewer than 4").all()
    assert table["losses"].eq(1).all()
    assert table[["spread", "low", "held_out_gain"]].isna().all(axis=None)


def test_cells_whose_macro_is_not_over_the_same_classes_are_left_out_and_counted() -> None:
    runs = planted(0.05)
    of_tuned = (runs["split"] == "random_1") & (runs["index"] == 2) & (runs["class"] == "cl")
    runs.loc[of_tuned, "dice"] = np.nan
    table = tuning_gain(runs, 0.25)
    assert dict(zip(table["class"], table["num_left_out"], strict=True)) == {"bx": 0, "cl": 1, MACRO: 1}
    assert set(table.loc[table["class"] != "bx", "num_splits"]) == {3}
    np.testing.assert_allclose(table["gain"], 0.05)


@pytest.mark.parametrize("absent", [False, True], ids=["rows without values", "no rows"])
def test_a_failed_default_leaves_its_cell_out(absent: bool) -> None:
    runs = planted(0.05)
    failed = (runs["split"] == "random_0") & (runs["index"] == 0)
    runs.loc[failed, ["objective", "dice"]] = np.nan
    table = tuning_gain(runs[~failed] if absent else runs, 0.25)
    assert set(table["num_left_out"]) == {1}
    assert set(table["num_splits"]) == {3}
    assert table["spread"].isna().all()


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, None]), min_size=12, max_size=12))
def test_the_tuned_trial_is_the_first_of_the_best_by_validation(objectives: list[float | None]) -> None:
    cells = [Cell("unet", "ce", split, 0) for split in ("random_0", "random_1", "rot_0")]
    trials = [Trial(cell, index) for cell in cells for index in (3, 0, 2, 1)]
    judged = dict(zip(trials, objectives, strict=True))
    expected = set()
    for cell in cells:
        known = {index: value for index in range(4) if (value := judged[Trial(cell, index)]) is not None}
        expected |= (
            {Trial(cell, next(i for i, value in known.items() if value == max(known.values()))).id} if known else set()
        )
    rows = [
        {"trial": t.id, "model": "unet", "loss": "ce", "split": t.cell.split, "seed": 0, "index": t.index}
        | {"objective": judged[t]}
        for t in trials
    ]
    assert set(tuned_trials(pd.DataFrame(rows).astype({"objective": float}))["trial"]) == expected


def test_splits_with_one_objective_pick_the_same_point() -> None:
    table = transfer(planted(0.05), startup=4)
    assert list(zip(table["from_kind"], table["to_kind"], strict=True))[:2] == [
        ("random", "random"),
        ("random", "held_out"),
    ]
    assert list(table["num_pairs"]) == [12, 8, 8, 2] * 2
    assert set(table["share_same"]) == {1.0}
    assert set(table["share_by_chance"]) == {0.25}
    assert not table[["validation_regret", "test_regret", "largest_test_regret", "num_undefined"]].any(axis=None)
    np.testing.assert_allclose(table["tau"], 1)
    assert set(table["note"]) == {""}


def two_splits() -> pd.DataFrame:
    objectives = {"random_0": [0.5, 0.7, 0.6], "random_1": [0.8, 0.3, 0.4]}
    scores = {"random_0": [0.5, 0.6, 0.9], "random_1": [0.2, 0.6, 0.1]}
    return make_runs(
        lambda split, seed, index: objectives[split][index],
        lambda split, seed, index, name: scores[split][index] + (0.02 if name == "bx" else -0.02),
        splits=["random_0", "random_1"],
        points=POINTS[:3],
    )


def test_regrets_by_hand() -> None:
    runs = two_splits()
    row = row_of(transfer(runs, startup=3), averaging="ew")
    assert row["share_same"] == 0
    # random_0 picks point 1, random_1 point 0: on random_1 that loses 0.8 - 0.3, on random_0 0.7 - 0.5.
    assert row["validation_regret"] == pytest.approx((0.5 + 0.2) / 2)
    # In test Dice: 0.2 - 0.6 on random_1, 0.6 - 0.5 on random_0.
    assert row["test_regret"] == pytest.approx((-0.4 + 0.1) / 2)
    assert row["largest_test_regret"] == pytest.approx(0.1)
    assert row["tau"] == pytest.approx(-1)  # 0 < 2 < 1 against 1 < 2 < 0
    expected = pd.DataFrame([[0.0, 0.5], [0.2, 0.0]], ["random_0", "random_1"], ["random_0", "random_1"])
    pd.testing.assert_frame_equal(regrets(runs, 3), expected, check_names=False)


def test_what_is_carried_over_is_what_the_rule_takes() -> None:
    """By cost, too: on random_0 the cheapest within 0.1 of the highest is point 2, on random_1 point 0."""
    runs = two_splits().assign(cost=two_splits()["index"].map({0: 3.0, 1: 2.0, 2: 1.0}))
    row = row_of(transfer(runs, startup=3, within=0.1), averaging="ew")
    assert row["share_same"] == 0
    # random_0's choice on random_1: 0.8 - 0.4; random_1's on random_0: 0.6 - 0.5.
    assert row["validation_regret"] == pytest.approx((0.4 + 0.1) / 2)
    # In test Dice: 0.2 - 0.1 on random_1, 0.9 - 0.5 on random_0.
    assert row["test_regret"] == pytest.approx((0.1 + 0.4) / 2)
    everything = row_of(transfer(runs, startup=3, within=1.0), averaging="ew")
    assert everything["share_same"] == 1
    assert everything["test_regret"] == 0


def test_trials_beyond_the_common_points_do_not_count() -> None:
    runs = two_splits()
    later = runs[runs["index"] == 2].assign(index=3, objective=1.0, trial=lambda row: row["trial"] + "x")
    later["point"] = np.where(later["split"] == "random_0", point(0.3, 1.0), point(0.7, 1.0))
    both = pd.concat([runs, later])
    pd.testing.assert_frame_equal(transfer(both, 3), transfer(runs, 3))
    with pytest.raises(ValueError, match="trial 3 of unet, ce is not the same point on every split"):
        transfer(both, 4)


def test_the_first_of_equal_points_is_the_choice() -> None:
    runs = make_runs(lambda split, seed, index: 0.5, lambda *_: 0.5, splits=SPLITS[:2])
    row = row_of(transfer(runs, 4), averaging="pw")
    assert row["share_same"] == 1
    assert np.isnan(row["tau"])


def test_mean_tau_over_random_splits_is_that_of_the_ranks() -> None:
    values = np.random.default_rng(1).random((len(SPLITS), 4))
    runs = make_runs(lambda split, seed, index: values[SPLITS.index(split), index], lambda *_: 0.5)
    row = row_of(transfer(runs, 4), averaging="pw", from_kind="random", to_kind="random")
    assert row["tau"] == pytest.approx(mean_tau(values[:4]))


def test_points_that_failed_everywhere_are_no_points_and_splits_with_other_gaps_are_left_out() -> None:
    runs = planted(0.05)
    everywhere, once = runs["index"] == 3, (runs["index"] == 1) & (runs["split"] == "random_3")
    runs.loc[everywhere | once, ["objective", "dice"]] = np.nan
    row = row_of(transfer(runs, 4), averaging="pw", from_kind="random", to_kind="random")
    assert (row["num_points"], row["num_pairs"]) == (3, 6)
    matrix = regrets(runs, 4)
    assert list(matrix.index) == list(matrix.columns) == SPLITS
    assert matrix["random_3"].isna().all()
    assert matrix.loc["random_3"].isna().all()
    assert (matrix.drop(index="random_3", columns="random_3") == 0).all(axis=None)


def test_a_test_regret_over_other_classes_is_undefined_and_counted() -> None:
    runs = two_splits()
    runs.loc[(runs["trial"] == "unet-ce-random_1-s0-t01") & (runs["class"] == "cl"), "dice"] = np.nan
    row = row_of(transfer(runs, 3), averaging="pw")
    assert row["num_undefined"] == 1
    assert row["test_regret"] == pytest.approx(0.1)


def test_transfer_says_what_it_cannot_answer() -> None:
    runs = planted(0.05)
    one_point = transfer(runs, startup=1)
    assert set(one_point["note"]) == {"nothing to transfer: 1 common point with an objective"}
    assert one_point["share_same"].isna().all()
    assert regrets(runs, 1).isna().all(axis=None)
    one_split = transfer(runs[runs["split"].isin(["random_0", "rot_0"])], 4).set_index(["from_kind", "to_kind"])["note"]
    assert set(one_split["random", "random"]) == {
        "no pairs: too few random splits have the objective of every common point"
    }
    assert set(one_split["random", "held_out"]) == {""}


@given(st.integers(0, 2**32 - 1))
def test_validation_regret_is_never_negative_and_zero_for_the_same_choice(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 4, size=(len(SPLITS), 4)) / 4
    runs = make_runs(lambda split, seed, index: values[SPLITS.index(split), index], lambda *_: 0.5)
    matrix = regrets(runs, 4).to_numpy(float)
    choice = values.argmax(axis=1)
    assert (matrix >= 0).all()
    assert (matrix[choice[:, None] == choice] == 0).all()
    naive = [[values[b].max() - values[b, choice[a]] for b in range(len(SPLITS))] for a in range(len(SPLITS))]
    np.testing.assert_allclose(matrix, naive)


def test_the_shares_are_those_of_configurations_in_the_place_of_points() -> None:
    rng = np.random.default_rng(2)
    runs = make_runs(lambda *_: 0.5, lambda *_: rng.random(), seeds=2)
    table = tuning_shares(runs, startup=4)
    as_configurations = variance_shares(runs.assign(model=[f"point {index}" for index in runs["index"]]))
    both = table.merge(as_configurations, on=["averaging", "class"], suffixes=("", "_known"), validate="one_to_one")
    assert len(both) == len(table) == 10  # bg, two objects, all and macro
    np.testing.assert_allclose(both["share_point"], both["share_configuration"])
    for name in ("share_split", "share_residual", "share_seed", "residual_sd"):
        np.testing.assert_allclose(both[name], both[f"{name}_known"])
    assert set(table["num_points"]) == {4}


def test_additive_effects_leave_no_residual() -> None:
    table = tuning_shares(planted(0.1), startup=4)
    np.testing.assert_allclose(table["share_residual"], 0, atol=1e-9)
    # Mean squares over points {0, 0, 0.1, 0} and splits {0, 0.1, 0.2, 0.3}: the variances of the values themselves.
    point, split = np.var([0, 0, 0.1, 0], ddof=1), np.var([0, 0.1, 0.2, 0.3], ddof=1)
    np.testing.assert_allclose(table["share_point"], point / (point + split))


@pytest.mark.slow
def test_configurations_are_kept_apart() -> None:
    runs = pd.concat([planted(0.1), planted(0.2).assign(loss="ce_dice", trial=lambda row: row["trial"] + "-dice")])
    for function in (lambda r: tuning_gain(r, 0.25), lambda r: transfer(r, 4), lambda r: tuning_shares(r, 4)):
        alone = [function(group) for _, group in runs.groupby("loss")]
        pd.testing.assert_frame_equal(function(runs), pd.concat(alone, ignore_index=True))
    rotation = runs[runs["split_kind"] == "held_out"]
    assert tuning_shares(rotation, 4).empty
    assert set(tuning_gain(rotation, 0.25)["num_splits"]) == {0}


def test_shares_are_refused_in_the_words_of_points() -> None:
    runs = planted(0.1)
    assert set(tuning_shares(runs, 1)["note"]) == {"no shares: they need at least two splits and two points"}
    failed = (runs["split"] == "random_0") & (runs["index"] == 1)
    notes = set(tuning_shares(runs.assign(dice=runs["dice"].mask(failed)), 4)["note"])
    assert notes == {"no shares: not every point has the same number of scores on every split"}
    everywhere = runs.assign(dice=runs["dice"].mask(runs["index"] == 1))
    assert set(tuning_shares(everywhere, 4)["num_points"]) == {3}


def search(num_trials: int, objective: Callable[[float, float], float], *, common: bool = False) -> pd.DataFrame:
    """As many random trials in every cell, the same ones in all or not; the splits differ in difficulty."""
    rng, cells = np.random.default_rng(3), []
    for split in SPLITS:
        rng = np.random.default_rng(3) if common else rng
        points = [(float(2 ** rng.uniform(-3, 1)), float(rng.random())) for _ in range(num_trials)]
        values = [10 * level_of(split) + objective(*point) for point in points]
        cells.append(make_runs(lambda split, seed, index, of=values: of[index], lambda *_: 0.5, [split], points))
    runs = pd.concat(cells)
    return runs[(runs["averaging"] == "pw") & (runs["class"] == "bx")]


@pytest.mark.slow
def test_only_the_hyperparameter_that_matters_is_important() -> None:
    table = importance(search(17, lambda width, strength: np.log2(width)), SPACE)
    assert list(table["evaluator"]) == [PED_ANOVA, FANOVA]
    assert set(table["num_trials"]) == set(table["num_points"]) == {102}
    assert set(table["num_cells"]) == {6}
    assert set(table["note"]) == {""}
    np.testing.assert_allclose(table["model.width"] + table["augmentation.strength"], 1)
    assert (table["model.width"] > [0.8, 0.95]).all()
    other = importance(search(17, lambda width, strength: strength**2), SPACE)
    assert (other["augmentation.strength"] > [0.8, 0.95]).all()


@pytest.mark.slow
def test_importances_are_reproducible_and_leave_optuna_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    import optuna

    before, runs = optuna.logging.get_verbosity(), search(10, lambda width, strength: width - strength)
    table = importance(runs, SPACE, seed=5)
    pd.testing.assert_frame_equal(table, importance(runs, SPACE, seed=5))
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")
    assert set(table["note"]) == {"importances of 60 points are rough"}


def test_without_scikit_learn_there_is_ped_anova_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert list(importance(search(2, lambda width, strength: width), SPACE)["evaluator"]) == [PED_ANOVA]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_trials", "objective", "evaluator", "note"),
    [
        (1, lambda width, strength: width, FANOVA, "no importances: 0 points, fewer than 20"),
        (3, lambda width, strength: width, FANOVA, "no importances: 18 points, fewer than 20"),
        (4, lambda width, strength: width, PED_ANOVA, "no importances: the best tenth is 3 points, fewer than 5"),
        (4, lambda width, strength: width, FANOVA, "importances of 24 points are rough"),
        (10, lambda width, strength: 0.5, FANOVA, "no importances: the objective is the same in every trial of a cell"),
    ],
)
def test_what_importances_cannot_be_given(
    num_trials: int, objective: Callable[[float, float], float], evaluator: str, note: str
) -> None:
    row = row_of(importance(search(num_trials, objective), SPACE), evaluator=evaluator)
    assert row["note"] == note
    assert np.isnan(row["model.width"]) == note.startswith("no")


def test_a_hyperparameter_that_was_not_varied_has_no_importance() -> None:
    runs = search(10, lambda width, strength: width)
    unvaried = [point(json.loads(each)["model.width"], 0.5) for each in runs["point"]]
    table = importance(runs.assign(point=unvaried), SPACE)
    assert set(table["note"]) == {"no importances: augmentation.strength has the same value in every trial"}


def test_choices_and_whole_numbers_have_importances_too() -> None:
    space = {
        "training.precision": Choices(choices=("bf16", "fp32")),
        "training.epochs": Range(low=1, high=64, log=True),
    }
    runs, draws = search(17, lambda width, strength: width), np.random.default_rng(0)
    trials = runs["trial"].unique()
    tried = {trial: (str(draws.choice(["bf16", "fp32"])), int(draws.integers(1, 65))) for trial in trials}
    noise = dict(zip(trials, 1e-3 * draws.random(len(trials)), strict=True))
    points = {
        trial: Point({"training.precision": p, "training.epochs": e}).to_json() for trial, (p, e) in tried.items()
    }
    table = importance(
        runs.assign(
            point=runs["trial"].map(points),
            objective=[float(tried[trial][0] == "fp32") + noise[trial] for trial in runs["trial"]],
        ),
        space,
    )
    assert set(table["num_trials"]) == {102}
    assert (table["training.precision"] > [0.6, 0.9]).all()
    np.testing.assert_allclose(table["training.precision"] + table["training.epochs"], 1)


def test_the_same_points_in_every_cell_count_once() -> None:
    table = importance(search(20, lambda width, strength: width, common=True), SPACE).set_index("evaluator")
    assert set(table["num_trials"]) == {120}
    assert set(table["num_points"]) == {20}
    assert table["note"][PED_ANOVA] == "no importances: the best tenth is 2 points, fewer than 5"
    assert table["note"][FANOVA] == "importances of 20 points are rough"


def test_equally_bad_trials_have_no_best_tenth() -> None:
    runs = search(20, lambda width, strength: 0.5)
    best = runs["index"] == 0  # one in twenty
    row = row_of(importance(runs.assign(objective=best.astype(float)), SPACE), evaluator=PED_ANOVA)
    assert row["note"] == "no importances: too many trials are equally bad to tell a best tenth"
