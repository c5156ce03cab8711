"""The statistics against the paper's 704 scores, against scipy, and against simulated data with a known truth."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from analysis.classes import MACRO
from analysis.scores import by_split, objects_of, of_kind
from analysis.statistics.bounds import gap_bounds
from analysis.statistics.comparison import (
    columns_against_held_out,
    holm,
    holm_refusal,
    labelings,
    mean_shift,
    random_against_held_out,
    relabelling_p,
    relabelling_refusal,
    sign_flip_p,
    sign_flip_refusal,
    sign_flips,
)
from analysis.statistics.paired import compare, nadeau_bengio_interval
from analysis.statistics.ranks import (
    class_agreement,
    class_ranks,
    configuration_ranks,
    extreme_classes,
    kendall_w,
    mean_tau,
    where_the_lowest_lie,
    worst_of_columns,
)
from analysis.statistics.spread import Refusal, interval_of_mean, sd_interval, sd_refusal, spread
from analysis.statistics.variance import variance_shares

PAPER = Path(__file__).parent.parent / "analysis" / "reference" / "paper_tables.csv"
OBJECTS = ["bx", "cl", "dr", "du", "ad", "bo"]
CONFIGURATIONS = [("icnet", "ce"), ("icnet", "ce_dice"), ("unet", "ce"), ("unet", "ce_dice")]
RATIO = 131 / 515  # test to training images of the paper's random splits
TOLERANCE = 5.001e-4  # the numbers below have three decimals

# Per averaging and configuration, over OBJECTS and all: SD (x 1000) over the eight random splits.
SDS = {
    ("pw", "icnet", "ce"): [52, 49, 31, 8, 57, 21, 0],
    ("pw", "icnet", "ce_dice"): [83, 73, 24, 9, 47, 49, 5],
    ("pw", "unet", "ce"): [102, 59, 43, 30, 46, 46, 8],
    ("pw", "unet", "ce_dice"): [133, 51, 72, 10, 55, 58, 5],
    ("ew", "icnet", "ce"): [100, 77, 117, 145, 76, 164, 29],
    ("ew", "icnet", "ce_dice"): [165, 145, 71, 95, 87, 180, 36],
    ("ew", "unet", "ce"): [148, 32, 73, 221, 111, 122, 56],
    ("ew", "unet", "ce_dice"): [147, 56, 81, 176, 128, 144, 51],
}


def paper_table() -> pd.DataFrame:
    return pd.read_csv(PAPER, keep_default_na=False).assign(seed=0)


@pytest.fixture(scope="module")
def paper() -> pd.DataFrame:
    return paper_table()


def close(value: Any, to: Any) -> bool:
    return bool(np.allclose(np.asarray(value, float), to, rtol=0, atol=TOLERANCE))


def at(table: pd.DataFrame, **where: str) -> Any:
    """The only row with these values."""
    chosen = table[np.logical_and.reduce([table[name.rstrip("_")] == value for name, value in where.items()])]
    assert len(chosen) == 1
    return chosen.iloc[0]


def small_table(
    num_random: int, num_held_out: int, num_seeds: int = 1, num_configurations: int = 2, draw: int = 0
) -> pd.DataFrame:
    """Uniform scores of two classes."""
    rng = np.random.default_rng(draw)
    splits = [f"random_{i}" for i in range(num_random)] + [f"rot_{i}" for i in range(num_held_out)]
    models = [f"model_{i}" for i in range(num_configurations)]
    keys = list(itertools.product(models, ["ce"], splits, range(num_seeds), ["pw"], ["bx", "cl"]))
    table = pd.DataFrame(keys, columns=["model", "loss", "split", "seed", "averaging", "class"])
    kinds = np.where(table["split"].str.startswith("rot"), "held_out", "random")
    return table.assign(split_kind=kinds, axis="", dice=rng.uniform(0.2, 0.9, len(table)))


# The paper's own numbers


def test_column_minima(paper: pd.DataFrame) -> None:
    worst = worst_of_columns(paper)
    assert (len(paper), worst.num_columns, worst.num_cells, worst.num_held_out_cells) == (704, 64, 78, 67)
    assert worst.held_out_columns == 53
    assert worst.column_share == pytest.approx(53 / 64)
    assert worst.chance == pytest.approx(3 / 11)
    assert worst.p == pytest.approx(1 / 165)
    table = where_the_lowest_lie(paper)
    assert table.loc[0, ["num_columns", "num_held_out", "num_tied"]].tolist() == [64, 53, 0]
    assert table["num_held_out"].tolist()[1:] == [13, 15, 16, 9]
    assert close(table["p"], [0.0061, 0.0061, 0.0061, 0.0061, 0.0364])
    per_table = worst.columns.groupby(["model", "loss"])["held_out_share"].sum()
    assert per_table[CONFIGURATIONS].tolist() == [13, 15, 16, 9]
    assert worst.columns.groupby("averaging")["held_out_share"].sum().to_dict() == {"pw": 29, "ew": 24}
    assert worst.splits.head(4).to_dict() == {"rot_1": 25, "rot_2": 25, "rot_0": 17, "random_5": 4}
    assert worst.splits.iloc[4:8].to_dict() == {"random_1": 2, "random_3": 2, "random_4": 2, "random_6": 1}


@pytest.mark.parametrize(("number", "p"), [(0, 1 / 165), (1, 1 / 165), (2, 1 / 165), (3, 0.036)])
def test_column_minima_of_one_table(paper: pd.DataFrame, number: int, p: float) -> None:
    model, loss = CONFIGURATIONS[number]
    worst = worst_of_columns(paper[(paper["model"] == model) & (paper["loss"] == loss)])
    assert close(worst.p, p)


def test_deviations_over_random_splits(paper: pd.DataFrame) -> None:
    sd = spread(paper).set_index(["averaging", "model", "loss", "class"])["sd"].sort_index()
    for key, expected in SDS.items():
        assert close(sd[key][[*OBJECTS, "all"]], np.array(expected) / 1000), key
    larger = {"pw": 0, "ew": 0}
    for averaging, loss in itertools.product(larger, ("ce", "ce_dice")):
        larger[averaging] += int((sd[averaging, "icnet", loss] > sd[averaging, "unet", loss])[OBJECTS].sum())
    assert larger == {"pw": 2, "ew": 6}


def test_on_a_logit_scale_the_small_model_varies_as_much(paper: pd.DataFrame) -> None:
    sd = spread(paper).set_index(["model", "averaging", "loss", "class"])["sd_logit"]
    icnet, unet = (sd[model][sd[model].index.get_level_values("class").isin(OBJECTS)] for model in ("icnet", "unet"))
    assert (icnet > unet).sum() == 14
    assert (icnet.mean(), unet.mean()) == (pytest.approx(0.50, abs=0.005), pytest.approx(0.48, abs=0.005))


def test_drops_to_rotation(paper: pd.DataFrame) -> None:
    table = spread(paper)
    macro = table[table["class"] == MACRO].set_index(["averaging", "model", "loss"]).sort_index()
    assert close(macro.loc["pw", "gap"], [0.103, 0.126, 0.124, 0.029])
    assert close(macro.loc["ew", "gap"], [0.104, 0.129, 0.077, 0.027])
    assert macro.loc["pw", "error_ratio"].round(2).tolist() == [1.74, 1.94, 1.53, 1.14]
    assert macro.loc["ew", "error_ratio"].round(2).tolist() == [1.31, 1.39, 1.15, 1.06]
    row = macro.loc[("ew", "icnet", "ce")]
    columns = paper[(paper["model"] == "icnet") & (paper["loss"] == "ce") & (paper["averaging"] == "ew")]
    on_random, on_rotation = (of_kind(by_split(columns), kind).iloc[-1] for kind in ("random", "held_out"))
    assert close(row[["gap_low", "gap_high"]], gap_bounds(on_random, on_rotation, 0.025, 0.025, 0.01))
    assert close(macro.loc[("pw", "icnet", "ce"), ["rot_0", "rot_1", "rot_2"]], [0.753, 0.748, 0.773])
    box = at(table, averaging="pw", model="icnet", loss="ce_dice", class_="bx")
    assert close(box[["mean", "minimum", "rot_1", "held_out_mean"]], [0.840, 0.67, 0.20, 0.477])


def test_random_against_rotation(paper: pd.DataFrame) -> None:
    found = random_against_held_out(paper)
    assert found["num_labelings"].eq(165).all()
    assert found["num_columns"].tolist() == [24, 24, 12, 12, 12, 12]
    assert close(found["difference"], [0.096, 0.084, 0.103, 0.128, 0.101, 0.028])
    assert found["averaging"].tolist() == ["pw", "ew", *["pw+ew"] * 4]
    assert found["p"].tolist() == pytest.approx(np.array([1, 1, 1, 1, 3, 23]) / 165)
    assert found["note"].eq("").all()


def test_holm_cannot_pass_any_of_48_columns(paper: pd.DataFrame) -> None:
    found = columns_against_held_out(paper)
    assert (len(found), (found["p"] < 0.05).sum()) == (48, 16)
    assert found["holm"].isna().all()
    assert found["note"].unique().tolist() == [
        "no column can be significant after Holm's correction for 48: the smallest attainable p is 0.0061, above 0.05 "
        "/ 48 = 0.001"
    ]
    six = columns_against_held_out(paper[(paper["model"] == "icnet") & (paper["averaging"] == "pw")].head(88))
    assert six["holm"].tolist() == pytest.approx(holm(six["p"]))


DICE_LOSS = [  # model, averaging, class: difference, wins, losses, low, high, sign-flip p
    ("icnet", "pw", MACRO, 0.004, 5, 3, -0.030, 0.038, 0.70),
    ("icnet", "ew", MACRO, 0.010, 3, 5, -0.086, 0.105, 0.72),
    ("icnet", "pw", "all", 0.005, 4, 0, -0.003, 0.013, 0.125),
    ("icnet", "ew", "all", 0.003, 3, 5, -0.073, 0.078, 0.95),
    ("unet", "pw", MACRO, 0.018, 5, 3, -0.067, 0.102, 0.42),
    ("unet", "ew", MACRO, 0.029, 6, 2, -0.064, 0.123, 0.23),
    ("unet", "pw", "all", 0.005, 5, 2, -0.011, 0.021, 0.36),
    ("unet", "ew", "all", 0.026, 5, 2, -0.065, 0.117, 0.31),
]


@pytest.fixture(scope="module")
def dice_loss(paper: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What adding Dice loss does to each model."""
    models = ("icnet", "unet")
    return {m: compare(paper, (m, "ce_dice"), (m, "ce"), test_to_train=RATIO, rope=0.01) for m in models}


@pytest.mark.parametrize(("model", "averaging", "class_", "mean", "wins", "losses", "low", "high", "p"), DICE_LOSS)
def test_effect_of_dice_loss(
    dice_loss: dict[str, pd.DataFrame],
    model: str, averaging: str, class_: str, mean: float, wins: int, losses: int, low: float, high: float, p: float,
) -> None:  # fmt: skip
    row = at(dice_loss[model], averaging=averaging, class_=class_)
    assert close(row[["difference", "low", "high"]], [mean, low, high])
    assert (row["wins"], row["losses"], row["ties"]) == (wins, losses, 8 - wins - losses)
    assert row["sign_flip_p"] == pytest.approx(p, abs=0.005)
    assert row["note"] == "no p-value: with 3 held-out splits even the clearest result would have p = 0.25"


def test_corrected_and_exact_tests_take_back_a_naive_discovery(dice_loss: dict[str, pd.DataFrame]) -> None:
    row = at(dice_loss["icnet"], averaging="pw", class_="all")
    assert close(row[["naive_p", "nb_p", "sign_flip_p"]], [0.0331, 0.1726, 0.125])


def test_practical_equivalence_and_rotation_differences(dice_loss: dict[str, pd.DataFrame]) -> None:
    probabilities = ["p_better", "p_equal", "p_worse"]
    for model, expected in {"icnet": [0.50, 0.18, 0.32], "unet": [0.68, 0.14, 0.18]}.items():
        row = at(dice_loss[model], averaging="ew", class_=MACRO)
        assert row[probabilities].tolist() == pytest.approx(expected, abs=0.005)
    splits = ["rot_0", "rot_1", "rot_2"]
    unet = {averaging: at(dice_loss["unet"], averaging=averaging, class_=MACRO) for averaging in ("pw", "ew")}
    assert close(unet["pw"][splits], [0.107, 0.100, 0.132])
    assert close(unet["ew"][splits], [0.010, 0.063, 0.163])
    assert close(at(dice_loss["icnet"], averaging="pw", class_=MACRO)[splits], [-0.003, -0.055, -0.002])
    assert (unet["pw"]["interaction_p"], unet["ew"]["interaction_p"]) == (
        pytest.approx(6 / 165),
        pytest.approx(57 / 165),
    )


def test_the_small_model_is_better(paper: pd.DataFrame) -> None:
    expected = {"ce": [(0.094, 0.006), (0.176, 0.017)], "ce_dice": [(0.080, 0.006), (0.156, 0.011)]}
    for loss, rows in expected.items():
        found = compare(paper, ("icnet", loss), ("unet", loss), test_to_train=RATIO, rope=0.01)
        macro = found[found["class"] == MACRO]
        assert close(macro[["difference", "nb_p"]], rows)
        assert macro["wins"].tolist() == [8, 8]
        assert macro["sign_flip_p"].tolist() == pytest.approx([2 / 256] * 2)


def test_agreement_on_class_difficulty(paper: pd.DataFrame) -> None:
    found = class_agreement(paper).set_index(["averaging", "split_kind"])
    assert close(found.loc[("pw", "random"), "w"], [0.675, 0.536, 0.932, 0.838])
    assert close(found.loc[("ew", "random"), "w"], [0.671, 0.539, 0.603, 0.684])
    assert close(found.loc[("pw", "held_out"), "w"], [0.564, 0.822, 0.885, 0.771])
    assert close(found.loc[("ew", "held_out"), "w"], [0.199, 0.571, 0.660, 0.543])
    assert found.loc[("pw", "random"), "mean_tau"].round(2).tolist() == [0.55, 0.38, 0.86, 0.70]
    assert found.loc[("ew", "random"), "mean_tau"].round(2).tolist() == [0.49, 0.38, 0.43, 0.55]
    assert found.loc[("pw", "random"), "tau_of_means"].round(2).tolist() == [0.47, 0.60, 1.00, 0.73]
    assert found.loc[("ew", "random"), "tau_of_means"].round(2).tolist() == [0.41, 0.73, 0.60, 0.87]
    assert found.loc[("ew", "held_out"), "note"].str.startswith("3 splits: W is noisy").all()


@pytest.mark.parametrize(("averaging", "expected"), [("pw", 0.95), ("ew", 0.91)])
def test_configurations_agree_on_mean_difficulty(paper: pd.DataFrame, averaging: str, expected: float) -> None:
    means = of_kind(objects_of(by_split(paper)), "random").mean(axis=1).xs(averaging, level="averaging")
    assert kendall_w(means.to_numpy().reshape(4, 6)) == pytest.approx(expected, abs=0.005)


def test_mean_order_of_classes(paper: pd.DataFrame) -> None:
    table = spread(paper)
    objects = table[table["class"].isin(OBJECTS) & (table["averaging"] == "pw")]
    orders = [rows.sort_values("mean")["class"].tolist() for _, rows in objects.groupby(["model", "loss"])]
    assert orders == [order.split("<") for order in (
        "cl<bx<dr<bo<ad<du", "cl<dr<bx<bo<ad<du", "bx<cl<dr<bo<ad<du", "cl<bx<dr<bo<ad<du"
    )]  # fmt: skip


def test_order_of_configurations(paper: pd.DataFrame) -> None:
    found = configuration_ranks(paper).set_index(["averaging", "class"])
    overall = found.loc[("ew", "all")]
    assert overall["mean"].round(2).tolist() == [1.41, 1.59, 3.77, 3.23]
    assert close(overall["w"], [0.848] * 4)
    assert found.loc[("pw", "ad"), "w"].round(2).tolist() == [0.08] * 4
    assert overall["num_splits"].eq(11).all()
    assert "bg" not in found.index.get_level_values("class")


def test_hardest_and_easiest_classes(paper: pd.DataFrame) -> None:
    found = extreme_classes(paper).set_index(["averaging", "class"])
    assert found["num_runs"].eq(44).all()
    assert close(found.loc["pw", "hardest"][OBJECTS], [0.466, 0.284, 0.136, 0, 0.091, 0.023])
    assert close(found.loc["ew", "hardest"][OBJECTS], [0.420, 0.398, 0.057, 0, 0, 0.125])
    assert close(found.loc[("pw", "du"), "easiest"], 0.955)
    assert close(found.loc["ew", "easiest"][["du", "ad"]], [0.636, 0.250])
    assert found.groupby("averaging")[["hardest", "easiest"]].sum().to_numpy() == pytest.approx(1)


def test_shares_of_the_variance(paper: pd.DataFrame) -> None:
    found = variance_shares(paper).set_index(["averaging", "class"])
    assert close(found["icc"][[("pw", "bx"), ("pw", MACRO)]], [0.312, 0.183])
    assert found["icc"]["ew", MACRO] == pytest.approx(0.10, abs=0.005)
    assert close(found["p_split"][("pw", "bx")], 0.031)
    assert found["p_split"]["pw", MACRO] == pytest.approx(0.12, abs=0.005)
    assert close(found["residual_sd"][[("pw", MACRO), ("ew", MACRO)]], [0.027, 0.052])
    others = found.drop(index=[("pw", "bx")])
    assert others["icc"].max() < 0.202
    assert others["p_split"].min() > 0.05
    for averaging, low, high in [("pw", 0.017, 0.080), ("ew", 0.090, 0.181)]:
        assert close(found["residual_sd"][averaging][OBJECTS].agg(["min", "max"]), [low, high])
    assert found[["share_split", "share_configuration", "share_residual"]].sum(axis=1).to_numpy() == pytest.approx(1)
    assert found["note"].str.contains("one seed per split").all()


# What too few splits cannot answer


def test_three_rotation_splits_get_sentences(paper: pd.DataFrame) -> None:
    assert sign_flip_refusal(3, "splits") == Refusal(
        "no p-value: with 3 splits even the clearest result would have p = 0.25"
    )
    assert sign_flip_refusal(6, "splits") is None
    assert relabelling_refusal(2, 3) == Refusal(
        "no p-value: with 2 random and 3 held-out splits even the clearest result would have p = 0.1"
    )
    assert sd_refusal(3, "random splits") == Refusal(
        "3 random splits are too few for a standard deviation",
        "the true spread may be 0.52 to 6.3 times the one that they show",
    )
    assert not spread(paper)["note"].any()  # 8 random splits have an SD, and of held-out ones the table gives none


def test_every_deviation_has_its_interval(paper: pd.DataFrame) -> None:
    table = spread(paper)
    known = table[table["sd"] > 0.02]  # of smaller ones, that the scores are rounded is most of it
    assert len(known) > 30
    assert (known["sd_low"] / known["sd"] < 0.66).all(), "wider than chi-square's, which takes scores as normal"
    assert (known["sd_high"] / known["sd"] > 2.04).all()
    assert (table["sd_high"].dropna() <= 0.5).all()


def test_few_random_splits_get_no_deviation_and_no_p() -> None:
    table = small_table(3, 2)
    row = spread(table).iloc[0]
    assert np.isnan([row["sd"], row["sd_low"], row["sd_high"], row["sd_logit"]]).all()
    assert np.isnan([row["mean_low"], row["mean_high"]]).all(), "one rule for every interval over splits"
    compared = compare(table, ("model_0", "ce"), ("model_1", "ce"), test_to_train=RATIO, rope=0.01).iloc[0]
    assert np.isnan(compared["sign_flip_p"])
    t = stats.ttest_1samp(d := _differences(table, "bx"), 0).pvalue
    assert compared["naive_p"] == pytest.approx(t), "Student's test needs two differences only"
    assert compared["nb_p"] > compared["naive_p"]
    assert (compared["low"], compared["high"]) == pytest.approx(np.clip(nadeau_bengio_interval(d, RATIO), -1, 1))
    assert compared["low"] < compared["difference"] < compared["high"]
    assert compared["note"].startswith("no p-value: with 3 random splits")
    assert random_against_held_out(table)["p"].isna().all()
    assert columns_against_held_out(table)["note"].str.contains(r"would have p = 0\.1").all()
    assert isinstance(worst_of_columns(table).p, Refusal)


def _differences(table: pd.DataFrame, name: str) -> np.ndarray:
    """On random splits, of model_0 less model_1."""
    wide = by_split(table).xs(name, level="class")
    return np.asarray(of_kind(wide, "random").diff().iloc[1] * -1, float)


@pytest.mark.parametrize(("num_random", "num_held_out"), [(4, 0), (0, 3), (1, 1)])
def test_every_table_is_answered(num_random: int, num_held_out: int) -> None:
    table = small_table(num_random, num_held_out)
    functions: list[Callable[[pd.DataFrame], Any]] = [
        spread, random_against_held_out, columns_against_held_out, worst_of_columns,
        class_agreement, class_ranks, configuration_ranks, extreme_classes, variance_shares,
    ]  # fmt: skip
    for function in functions:
        assert function(table) is not None
    assert len(compare(table, ("model_0", "ce"), ("model_1", "ce"), test_to_train=RATIO, rope=0.01)) == 3


def test_equal_differences_have_no_interval() -> None:
    table = small_table(8, 3)
    copy = table[table["model"] == "model_0"].assign(model="copy")
    row = compare(pd.concat([table, copy]), ("model_0", "ce"), ("copy", "ce"), test_to_train=RATIO, rope=0.01).iloc[0]
    assert (row["difference"], row["ties"]) == (0, 8)
    assert np.isnan(row["nb_p"])
    assert row["note"].startswith("no interval")


def test_bad_tables_are_named() -> None:
    table = small_table(4, 3)
    with pytest.raises(ValueError, match=r"two scores for .*'class': 'bx'"):
        by_split(pd.concat([table, table]))
    with pytest.raises(KeyError, match=r"no configuration \('resnet', 'ce'\)"):
        compare(table, ("resnet", "ce"), ("model_0", "ce"), test_to_train=RATIO, rope=0.01)
    with pytest.raises(ValueError, match="no column has a score"):
        worst_of_columns(table.assign(dice=np.nan))


# Undefined scores and seeds


def test_undefined_scores_are_skipped_and_counted() -> None:
    table = small_table(6, 3)
    gap = (table["model"] == "model_0") & (table["split"] == "random_2") & (table["class"] == "bx")
    with_gap = table.assign(dice=table["dice"].mask(gap))
    found = spread(with_gap)
    box, macro = (at(found, model="model_0", class_=name) for name in ("bx", MACRO))
    assert (box["num_splits"], box["num_undefined"], macro["num_splits"], macro["num_undefined"]) == (5, 1, 5, 1)
    assert "bx has no score on random_2" in box["note"]
    assert "bx has no score on random_2" in macro["note"]
    values = with_gap[
        (with_gap["model"] == "model_0") & (with_gap["class"] == "bx") & (with_gap["split_kind"] == "random")
    ]["dice"]
    assert box["mean"] == pytest.approx(values.dropna().mean())
    assert np.isnan(by_split(with_gap).loc[("model_0", "ce", "pw", MACRO), ("random", "random_2")])
    pd.testing.assert_frame_equal(found, spread(with_gap[~gap]), check_dtype=False)
    overall = random_against_held_out(with_gap).iloc[0]
    assert (overall["num_columns"], overall["num_left_out"]) == (3, 1)
    compared = compare(with_gap, ("model_0", "ce"), ("model_1", "ce"), test_to_train=RATIO, rope=0.01)
    for name in ("bx", MACRO):
        assert at(compared, class_=name)["num_pairs"] == 5
        assert "model_0 ce: bx has no score on random_2" in at(compared, class_=name)["note"]
    assert at(variance_shares(with_gap), class_="bx")["note"].startswith("no shares: not every configuration")
    assert at(columns_against_held_out(with_gap), model="model_0", class_="bx")["note"].startswith("no p-value")
    assert worst_of_columns(with_gap).num_incomplete == 1
    ranks = class_ranks(with_gap).set_index(["model", "class"])["random_2"].isna()
    assert ranks.to_dict() == {(m, c): m == "model_0" for m in ("model_0", "model_1") for c in ("bx", "cl")}


def test_a_class_that_a_configuration_lacks_is_counted() -> None:
    table = small_table(6, 3)
    found = spread(table[(table["model"] == "model_0") | (table["class"] != "bx")]).set_index(["model", "class"])
    assert found.loc[("model_1", "bx"), ["num_splits", "num_held_out", "num_seeds"]].tolist() == [0, 0, 0]
    assert found["num_undefined"].to_dict() == {
        ("model_0", "bx"): 0, ("model_0", "cl"): 0, ("model_0", MACRO): 0,
        ("model_1", "bx"): 9, ("model_1", "cl"): 0, ("model_1", MACRO): 9,
    }  # fmt: skip
    shares = variance_shares(table[(table["model"] == "model_0") | (table["class"] != "bx")])
    assert at(shares, class_=MACRO)["note"].startswith("no shares: not every configuration")


def test_a_configuration_with_fewer_splits_is_tested_on_its_own() -> None:
    table = small_table(6, 3)
    partial = table[(table["model"] == "model_0") | (table["split"] != "random_0")]
    found = random_against_held_out(partial).set_index("model")
    assert found["num_labelings"].to_dict() == {"": 84, "model_0": 84, "model_1": 56}
    assert found["num_left_out"].to_dict() == {"": 2, "model_0": 0, "model_1": 0}


def test_seeds_are_averaged_within_their_split() -> None:
    table = small_table(6, 3, num_seeds=4)
    keys = ["model", "loss", "split", "split_kind", "averaging", "class"]
    averaged = table.groupby(keys, sort=False)["dice"].mean().reset_index().assign(seed=0)
    found, expected = spread(table), spread(averaged)
    assert (found["num_seeds"].unique().tolist(), expected["num_seeds"].unique().tolist()) == ([4], [1])
    of_one = ["num_seeds", "sd", "sd_low", "sd_high", "expected_within", "sd_logit"]  # of one training, not of means
    of_one += ["gap_low", "gap_high"]  # seeds measure the noise of held-out splits
    pd.testing.assert_frame_equal(found.drop(columns=of_one), expected.drop(columns=of_one))
    assert (found["sd"] > expected["sd"]).all()


def test_variance_components_are_found_again() -> None:
    rng, shape = np.random.default_rng(5), (40, 60, 3)
    table = small_table(60, 0, num_seeds=3, num_configurations=40)
    table = table[table["class"] == "bx"]
    sds = {(1, 60, 1): 0.3, (40, 1, 1): 0.4, (40, 60, 1): 0.2, shape: 0.1}  # split, configuration, interaction, seed
    parts = [rng.normal(0, sd, size) for size, sd in sds.items()]
    row = variance_shares(table.assign(dice=sum(parts, np.zeros(shape)).ravel())).iloc[0]
    assert (row["num_configurations"], row["num_splits"], row["num_seeds"]) == shape
    variances = np.array([np.var(part, ddof=1) for part in parts])
    true = np.array([variances[0], variances[1], variances[2] + variances[3], variances[3]]) / variances.sum()
    found = row[["share_split", "share_configuration", "share_residual", "share_seed"]].to_numpy(float)
    assert found == pytest.approx(true, abs=0.01)
    assert row["icc"] == pytest.approx(variances[0] / (variances[0] + variances[2] + variances[3]), abs=0.02)
    assert row["p_split"] < 1e-6


def test_variance_shares_agree_with_least_squares() -> None:
    table = small_table(5, 0, num_configurations=3)
    row = at(variance_shares(table), class_="cl")
    y = table[table["class"] == "cl"]["dice"].to_numpy().reshape(3, 5)
    of_configuration, of_split = np.kron(np.eye(3), np.ones((5, 1))), np.kron(np.ones((3, 1)), np.eye(5))

    def squares_left(x: np.ndarray) -> float:
        return float(np.sum((y.ravel() - x @ np.linalg.lstsq(x, y.ravel())[0]) ** 2))

    full, without = squares_left(np.hstack([of_configuration, of_split])), squares_left(of_configuration)
    assert row["residual_sd"] == pytest.approx(np.sqrt(full / 8))
    assert row["p_split"] == pytest.approx(stats.f.sf((without - full) / 4 / (full / 8), 4, 8))


# Against scipy, and against simple versions

SCORES = st.floats(0, 1, allow_subnormal=False).map(lambda value: round(value, 2))


@given(arrays(float, st.integers(5, 8), elements=SCORES), st.integers(2, 3))
def test_relabelling_agrees_with_scipy(scores: np.ndarray, num_held_out: int) -> None:
    rotation = np.arange(scores.size) < num_held_out
    oracle = stats.permutation_test(
        (scores[~rotation], scores[rotation]), lambda x, y: round(np.mean(x) - np.mean(y), 9),
        permutation_type="independent", alternative="greater", n_resamples=np.inf,
    )  # fmt: skip
    p = float(relabelling_p(scores, rotation))
    assert p == pytest.approx(oracle.pvalue)
    assert 0 < p <= 1
    order = np.random.default_rng(scores.size).permutation(scores.size)
    assert float(relabelling_p(scores[order], rotation[order])) == pytest.approx(p)


@given(arrays(float, st.integers(2, 7), elements=SCORES))
def test_sign_flips_agree_with_scipy(differences: np.ndarray) -> None:
    differences = differences - 0.5
    oracle = stats.permutation_test(
        (differences,), lambda x: round(abs(np.mean(x)), 9),
        permutation_type="samples", alternative="greater", n_resamples=np.inf,
    )  # fmt: skip
    p = sign_flip_p(differences)
    assert p == pytest.approx(oracle.pvalue)
    assert 2 / 2**differences.size <= p <= 1
    assert sign_flip_p(-differences[::-1]) == pytest.approx(p)


def test_many_splits_are_sampled_with_the_seed() -> None:
    chosen = np.arange(40) < 20
    drawn = labelings(chosen, seed=1)
    assert np.array_equal(drawn[0], chosen)
    assert set(drawn.sum(axis=1)) == {20}
    assert np.array_equal(drawn, labelings(chosen, seed=1))
    assert not np.array_equal(drawn, labelings(chosen, seed=2))
    assert not np.array_equal(sign_flips(30, seed=1), sign_flips(30, seed=2))
    scores = np.where(chosen, -1.0, 1.0)
    assert float(relabelling_p(scores, chosen)) == pytest.approx(1 / len(drawn))
    rng = np.random.default_rng(0)
    x = rng.normal(0.3, 1, 40)
    assert sign_flip_p(x) == pytest.approx(stats.ttest_1samp(x, 0).pvalue, abs=0.02)
    assert (len(labelings(np.arange(11) < 3)), len(sign_flips(11))) == (165, 2048)


def test_mean_shift_by_hand() -> None:
    assert mean_shift([0.9, 0.7, 0.5], [False, False, True]) == pytest.approx(0.3)


@given(arrays(float, (5, 4), elements=SCORES))
def test_agreement_of_ranks(scores: np.ndarray) -> None:
    w = kendall_w(scores)
    if np.isnan(w):
        assert np.ptp(scores, axis=1).max() < 1e-9
        return
    assert -1e-12 <= w <= 1 + 1e-12
    assert w == pytest.approx(stats.friedmanchisquare(*scores.T).statistic / (5 * 3), abs=1e-9)
    assert kendall_w(scores[::-1, ::-1]) == pytest.approx(w)
    taus = [stats.kendalltau(a, b).statistic for a, b in itertools.combinations(scores, 2)]
    known = [tau for tau in taus if not np.isnan(tau)]
    assert np.isnan(mean_tau(scores)) if not known else mean_tau(scores) == pytest.approx(np.mean(known))


def test_full_agreement_and_none() -> None:
    assert kendall_w([[1, 2, 3]] * 4) == pytest.approx(1)
    assert kendall_w([[1, 2, 3], [3, 2, 1]]) == pytest.approx(0)
    assert np.isnan(kendall_w([[1.0, np.nan], [1.0, 2.0]]))
    rng = np.random.default_rng(2)
    unrelated = [kendall_w(rng.random((8, 6))) for _ in range(400)]
    assert np.mean(unrelated) == pytest.approx(1 / 8, abs=0.01)


@given(arrays(float, st.integers(1, 12), elements=st.floats(0, 1)))
def test_holm(pvalues: np.ndarray) -> None:
    adjusted = holm(pvalues)
    order = np.argsort(pvalues, kind="stable")
    assert np.all(np.diff(adjusted[order]) >= 0)
    assert np.all((adjusted >= pvalues) & (adjusted <= 1))
    m = len(pvalues)
    steps = [min(1, (m - j) * pvalues[index]) for j, index in enumerate(order)]
    assert adjusted[order] == pytest.approx([max(steps[: i + 1]) for i in range(m)])
    assert np.array_equal(holm([*pvalues, np.nan])[:-1], adjusted)


def test_holm_can_reject_when_the_smallest_p_can() -> None:
    assert holm_refusal(8, 1 / 165) is None
    assert holm_refusal(9, 1 / 165) is not None
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])


def test_no_interval_of_a_dice_leaves_what_a_dice_can_be() -> None:
    assert interval_of_mean([0.0, 0.0, 0.0, 0.4])[0] == 0
    assert interval_of_mean([1.0, 1.0, 1.0, 0.6])[1] == 1
    assert np.isnan(interval_of_mean([0.1, 0.2, 0.3])).all()


def test_intervals_agree_with_scipy() -> None:
    x = np.random.default_rng(1).normal(size=9)
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.95)
    assert nadeau_bengio_interval(x, 0) == pytest.approx((expected.low, expected.high))
    low, high = sd_interval(np.array([1.0, 1.0]), np.array([8, 3]))
    assert (low.round(2).tolist(), high.round(2).tolist()) == ([0.66, 0.52], [2.04, 6.28])
    assert np.isnan(sd_interval(np.nan, 1)).all()


# Coverage where the truth is known: 4000 intervals miss their rate by 0.0034 (one SD)


@pytest.mark.parametrize("n", [3, 8])
def test_intervals_cover_at_their_rate(n: int) -> None:
    x = np.random.default_rng(n).normal(0.7, 0.1, (4000, n))
    for (low, high), truth in ((nadeau_bengio_interval(x, 0), 0.7), (sd_interval(x.std(axis=1, ddof=1), n), 0.1)):
        assert np.mean((low < truth) & (truth < high)) == pytest.approx(0.95, abs=0.012)


def test_nadeau_bengio_covers_where_the_naive_interval_does_not() -> None:
    """Differences of splits that overlap as assumed: correlation n_test / (n_test + n_train)."""
    rng, correlation = np.random.default_rng(4), RATIO / (1 + RATIO)
    shared, own = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 8))
    d = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own

    def coverage(ratio: float) -> float:
        low, high = nadeau_bengio_interval(d, ratio)
        return float(np.mean((low < 0) & (high > 0)))

    assert coverage(RATIO) == pytest.approx(0.95, abs=0.012)
    assert coverage(0) < 0.85


def test_relabelling_is_of_exchangeability_and_rejects_equal_means_of_unequal_spread() -> None:
    """What the docstring and the report say of it: .10 and .12 of 8 and 3 splits, up to .20 of more."""
    is_held_out = np.arange(11) >= 8
    for times, share in ((1, 0.05), (2, 0.10), (3, 0.12)):
        draws = np.random.default_rng(0).normal(size=(4000, 11)) * np.where(is_held_out, times, 1)
        assert np.mean(relabelling_p(draws, is_held_out) <= 0.05) == pytest.approx(share, abs=0.012)


def test_relabelling_rejects_at_its_rate() -> None:
    rotation = np.arange(11) < 3
    p = relabelling_p(np.random.default_rng(6).normal(size=(4000, 11)), rotation)
    assert np.mean(p <= 8 / 165) == pytest.approx(8 / 165, abs=0.012)


# The order of splits carries nothing


def test_order_of_rows_does_not_matter(paper: pd.DataFrame) -> None:
    shuffled = paper.sample(frac=1, random_state=3)
    assert worst_of_columns(shuffled).p == worst_of_columns(paper).p
    by = ["averaging", "class"]
    pairs: list[tuple[Callable[[pd.DataFrame], pd.DataFrame], list[str]]] = [
        (spread, ["model", "loss", *by]),
        (variance_shares, by),
        (extreme_classes, by),
        (random_against_held_out, ["model", "loss", "difference"]),
        (class_agreement, ["model", "loss", "averaging", "split_kind"]),
        (class_ranks, ["model", "loss", *by]),
        (configuration_ranks, ["model", "loss", *by]),
    ]
    for function, keys in pairs:
        expected, found = (function(table).sort_values(keys, ignore_index=True) for table in (paper, shuffled))
        if "averaging" in expected and function is random_against_held_out:
            expected, found = expected.drop(columns="averaging"), found.drop(columns="averaging")
        pd.testing.assert_frame_equal(found[expected.columns.tolist()], expected, check_names=False)


def test_equal_values_have_a_deviation_of_0_and_no_interval(paper: pd.DataFrame) -> None:
    table = paper.assign(dice=(0.98765 * paper["dice"]).mask(paper["class"] == "bx", 0.0))  # not rounded
    row = at(spread(table), averaging="ew", model="icnet", loss="ce", class_="bx")
    assert (row["mean"], row["sd"], row["gap"]) == (0, 0, 0)
    ends = [f"{name}_{end}" for name in ("mean", "sd", "gap") for end in ("low", "high")]
    assert row[ends].isna().all()
    assert "all 8 values are 0.000: no interval" in row["note"]


def test_no_error_ratio_of_a_gain_or_of_next_to_no_error(paper: pd.DataFrame) -> None:
    table = spread(paper)
    given = table["error_ratio"].notna()
    assert given.any()
    assert (table.loc[given, "gap"] > 0).all()
    assert (table.loc[given, "mean"] <= 0.95).all()
