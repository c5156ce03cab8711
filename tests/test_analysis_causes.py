"""What the spread is made of, and what to add next: by hand, against REML, and with planted truths."""

from __future__ import annotations

import itertools
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from simulated_study import write_study
from small_study import write_definition
from statsmodels.regression.mixed_linear_model import MixedLM
from test_analysis_on_images import trial_of

from analysis.classes import MACRO
from analysis.commands import stability
from analysis.load import load
from analysis.statistics import mean_squares
from analysis.statistics.catalogue import left_out
from analysis.statistics.causes import (
    LARGEST_SD,
    ONE_SEED,
    ImagePart,
    by_configuration,
    causes_of_spread,
    components,
    image_parts,
    log_interval,
    seeds_by_split,
)
from analysis.statistics.material import Material
from analysis.statistics.mean_squares import MeanSquare, nested
from analysis.statistics.purchases import IMAGES, NOW, SEED, SPLIT, predicted_se, purchases
from study.definition import file as definition_file
from trainers.printable import in_percent


def table_of(scores_SR: np.ndarray, classes: tuple[str, ...] = ("mug",)) -> pd.DataFrame:
    """One configuration's scores under ew; the classes have the same."""
    rows = [
        {"model": "unet", "loss": "ce", "split": f"random_{s}", "split_kind": "random", "axis": "", "seed": r}
        | {"averaging": "ew", "class": name, "dice": scores_SR[s, r]}
        for s, r in np.ndindex(scores_SR.shape)
        for name in classes
    ]
    return pd.DataFrame(rows)


def planted(num_splits: int, num_seeds: int, v_split: float, v_seed: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 0.7 + rng.normal(0, v_split**0.5, (num_splits, 1)) + rng.normal(0, v_seed**0.5, (num_splits, num_seeds))


def test_by_hand() -> None:
    """Splits of .5, .6 and .7 with seeds .01 above and below: B = 2 * .01, W = .0002."""
    scores = np.array([[0.49, 0.51], [0.59, 0.61], [0.69, 0.71]])
    between, within = nested(scores)
    assert (between.value, within.value) == pytest.approx((0.02, 0.0002))
    assert components(scores) == pytest.approx((0.0099, 0.0002))
    row = causes_of_spread(table_of(scores)).iloc[0]
    assert (row["sd"], row["split_sd"], row["seed_sd"]) == pytest.approx((0.0101**0.5, 0.0099**0.5, 0.0002**0.5))
    assert row["share_split"] == pytest.approx(0.0099 / 0.0101)
    assert (row["num_splits"], row["num_seeds"], row["num_left_out"]) == (3, 2, 0)


@pytest.mark.parametrize(("v_split", "v_seed"), [(0.004, 0.001), (0.001, 0.004), (0.002, 0.0)])
def test_the_estimates_are_remls(v_split: float, v_seed: float) -> None:
    """By statsmodels' mixed model."""
    scores = planted(12, 3, v_split, max(v_seed, 1e-5), seed=3)
    frame = table_of(scores)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = MixedLM(frame["dice"], np.ones(len(frame)), groups=frame["split"]).fit(reml=True)
    split, seed = components(scores)
    assert split == pytest.approx(float(np.asarray(fitted.cov_re).item()), rel=0.02, abs=1e-5)
    assert seed == pytest.approx(float(fitted.scale), rel=0.02)


def test_of_normal_scores_the_intervals_are_the_textbooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no excess kurtosis: the chi-square and F intervals of a one-way random model."""
    monkeypatch.setattr(mean_squares, "EXCESS_KURTOSIS", 0.0)
    between, within = nested(planted(8, 3, 0.004, 0.001))
    low, high = mean_squares.one(within)
    assert (low, high) == pytest.approx((16 * within.value / stats.chi2.ppf([0.975, 0.025], 16)).tolist())
    f = between.value / within.value / stats.f.ppf([0.975, 0.025], 7, 16)
    assert mean_squares.share(between, within, 3) == pytest.approx(tuple((f - 1) / (f + 2)))
    # Burdick & Graybill 1992: the lower end of a difference is 0 just where F is the upper point of its distribution.
    at_point = MeanSquare(np.asarray(within.value * stats.f.ppf(0.975, 7, 16)), 7, 8)
    assert mean_squares.difference(at_point, within, 3)[0] == pytest.approx(0, abs=1e-9)
    # Without the smaller one, the modified large sample interval is that of the larger one.
    none = MeanSquare(np.asarray(0.0), 16, 24)
    assert mean_squares.difference(between, none, 1) == pytest.approx(mean_squares.one(between))


@given(arrays(float, (5, 2), elements=st.floats(0, 1)), st.floats(0.1, 1))
def test_properties(scores: np.ndarray, factor: float) -> None:
    found = seeds_by_split(table_of(scores))
    if not isinstance(found, tuple):
        assert np.ptp(scores) < 1e-8
        return
    row, smaller = (causes_of_spread(table_of(each)).iloc[0] for each in (scores, factor * scores))
    for name in ("sd", "split_sd", "seed_sd", "share_split"):
        assert 0 <= row[f"{name}_low"] <= row[name] <= row[f"{name}_high"] <= (1 if "share" in name else LARGEST_SD)
    assert row["sd"] ** 2 == pytest.approx(row["split_sd"] ** 2 + row["seed_sd"] ** 2)
    if np.ptp(factor * scores) > 1e-8:
        assert smaller["sd"] == pytest.approx(factor * row["sd"])
        assert smaller["share_split"] == pytest.approx(row["share_split"], abs=1e-6)
    exchanged = causes_of_spread(table_of(scores[::-1, ::-1])).iloc[0]
    assert exchanged["sd"] == pytest.approx(row["sd"])


def test_what_the_data_cannot_carry_is_refused_with_the_remedy() -> None:
    scores = planted(4, 2, 0.004, 0.001)
    assert seeds_by_split(table_of(scores[:, :1])).reason == f"not told apart: {ONE_SEED}"  # type: ignore[union-attr]
    assert "`grid.seeds = [0, 1]`" in ONE_SEED
    two = seeds_by_split(table_of(scores[:2]))
    assert two.reason == "not told apart: 2 splits have 2 seeds, 3 are needed"  # type: ignore[union-attr]
    equal = causes_of_spread(table_of(np.full((4, 2), 0.9))).iloc[0]
    assert np.isnan(equal["sd"])
    assert "which proves nothing" in equal["note"]
    lacking = table_of(scores)
    lacking.loc[0, "dice"] = np.nan
    row = causes_of_spread(lacking).iloc[0]
    assert (row["num_splits"], row["num_left_out"]) == (3, 1)
    assert left_out(Material(load("paper")))["What the spread is made of"] == ONE_SEED


def test_what_tuning_adds_is_the_difference_of_the_seeds() -> None:
    default, tuned = planted(6, 2, 0.004, 0.0005), planted(6, 2, 0.004, 0.002, seed=1)
    row = causes_of_spread(table_of(tuned), default=table_of(default)).iloc[0]
    assert row["tuning_sd"] ** 2 == pytest.approx(float(nested(tuned)[1].value - nested(default)[1].value))
    assert row["tuning_sd_low"] <= row["tuning_sd"] <= row["tuning_sd_high"]
    assert np.isnan(causes_of_spread(table_of(tuned)).iloc[0]["tuning_sd"])


def test_the_test_images_part_is_what_seeds_share() -> None:
    """Means over images: with the same Dice for both seeds it is s^2 / n, with unrelated ones it is about none."""
    rng = np.random.default_rng(0)
    trials = []
    for split in range(6):
        images = [f"i{split}_{n}" for n in range(30)]
        same, first, second = rng.random((3, 30, 1))
        trials += [trial_of(("unet", "ce"), f"random_{split}", images, same) for _ in range(2)]
        trials += [trial_of(("unet", "ce_dice"), f"random_{split}", images, each) for each in (first, second)]
    num_train = {f"random_{split}": 90 for split in range(6)}
    parts = image_parts(trials, {}, num_train, ["ew"])
    own = parts["unet", "ce", "ew", "c0"]
    expected = [t.sums["ew"][0].var(ddof=1) / 30 for t in trials if t.configuration == ("unet", "ce")][::2]
    np.testing.assert_allclose(own.of_splits_S, expected)
    assert own.share_left == pytest.approx(0.75)
    assert abs(parts["unet", "ce_dice", "ew", MACRO].of_splits_S.mean()) < 0.2 * own.sampling
    low, high = log_interval(own.of_splits_S)
    assert low < 1 / 12 / 30 < high
    units = {image: image[:-1] for trial in trials for image in trial.images}
    assert image_parts(trials, units, num_train, ["ew"]).keys() == parts.keys()
    assert image_parts(trials[::2], {}, num_train, ["ew"]).keys() == {("unet", "ce_dice", "ew", "c0")} - parts.keys()


def test_the_part_of_images_in_the_table() -> None:
    scores = planted(6, 2, 0.004, 0.001)
    part = ImagePart(np.full(6, 0.002) + np.linspace(-1e-4, 1e-4, 6), 0.8)
    row = causes_of_spread(table_of(scores), {("unet", "ce", "ew", "mug"): part}).iloc[0]
    assert row["images_sd"] == pytest.approx((0.002 * 0.8) ** 0.5)
    assert row["share_images"] == pytest.approx(0.0016 / sum(components(scores)))
    few = ImagePart(part.of_splits_S[:5], 0.8)
    row = causes_of_spread(table_of(scores), {("unet", "ce", "ew", "mug"): few}).iloc[0]
    assert np.isnan(row["images_sd_low"])
    assert row["images_sd"] > 0


def test_purchases_by_hand() -> None:
    scores = planted(8, 2, 0.004, 0.001)
    split, seed = components(scores)
    part = ImagePart(np.full(8, 0.001), 0.8)
    found = purchases(table_of(scores), {("unet", "ce", "ew", MACRO): part}).set_index("purchase")
    assert list(found.index) == [NOW, SPLIT, SEED, IMAGES]
    assert list(found["num_trials"]) == [0, 2, 8, 16]
    se = [((split + seed / 2) / 8) ** 0.5, ((split + seed / 2) / 9) ** 0.5, ((split + seed / 3) / 8) ** 0.5]
    assert list(found["se"])[:3] == pytest.approx(se)
    # As it is, it is the standard error of the eight means.
    assert se[0] == pytest.approx(scores.mean(axis=1).std(ddof=1) / 8**0.5)
    assert found.loc[SPLIT, "gain_per_trial"] == pytest.approx((se[0] - se[1]) / 2)
    assert found.loc[IMAGES, "se"] == pytest.approx(((split - 0.0004 + seed / 2) / 8) ** 0.5)
    assert found.loc[NOW, "se_elsewhere"] == pytest.approx((se[0] ** 2 + 0.001 * 0.2) ** 0.5)
    assert list(purchases(table_of(scores))["purchase"]) == [NOW, SPLIT, SEED]


@given(st.floats(0, 0.01), st.floats(1e-6, 0.01), st.integers(3, 30), st.integers(2, 5))
def test_more_is_never_less_sure(v_split: float, v_seed: float, s: int, r: int) -> None:
    now = predicted_se(v_split, v_seed, s, r)
    assert predicted_se(v_split, v_seed, s + 1, r) < now
    assert (v_split / s) ** 0.5 < predicted_se(v_split, v_seed, s, r + 1) < now


def test_predictions_come_true_in_a_large_study() -> None:
    """The standard error that 8 splits predict for 40 is, on average, what 40 show."""
    ratios = []
    for seed in range(60):
        whole = planted(40, 2, 0.004, 0.001, seed)
        predicted = predicted_se(*components(whole[:8]), 40, 2)
        ratios.append(predicted**2 / (whole.mean(axis=1).var(ddof=1) / 40))
    assert np.mean(ratios) == pytest.approx(1, abs=4 * np.std(ratios) / 60**0.5)


def test_every_configuration_comes_in_the_order_of_the_table() -> None:
    frame = pd.concat([table_of(planted(3, 2, 0.01, 0.01), ("mug", "pen")).assign(model=m) for m in ("unet", "icnet")])
    keys = [key for key, _ in by_configuration(frame)]
    assert keys == [(m, "ce", "ew", name) for m, name in itertools.product(("unet", "icnet"), ("mug", "pen", MACRO))]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("causes")
    splits = ",".join(f"random_{i}" for i in range(5))
    settings = ["simulate=true", "grid.losses=ce", f"grid.splits={splits}", "grid.seeds=[0,1]", "search.trials=2"]
    return write_study(folder / "out", definition_file.load(str(write_definition(folder)), settings))


@pytest.mark.slow
@pytest.mark.parametrize("select", ["default", "tuned"])
def test_a_study_says_it_in_words_and_tables(out: Path, select: str) -> None:
    answer = stability(load(out, select=select))
    said = {finding.question: " ".join(finding.points) for finding in answer.findings}
    words = said["What is the spread made of, and what should be added next?"]
    assert re.match("icnet ce: by estimate [0-9]+ % of the variance of one training's score is due to the split", words)
    assert " SD of " not in words, "its SD and the interval of that are told once, where the spread is"
    assert "one more random split with 2 seeds (2 trials) would make that 0." in words
    luck = said["How much of the tuned score is luck?"]
    assert luck.startswith("icnet ce: the chosen trials have 0.")
    assert "one point for all cells, the best on average of 2, has 0." in luck
    assert "5 left out in turn" in luck or "Without any one of the 5 random splits the choice is the same" in luck
    title = "One point for all cells, the best on average: what the rule is worth"
    assert title in answer.frames
    frame = answer.frames["One training's score: standard deviation by cause"]
    assert frame["images_sd"].notna().any()
    assert frame["tuning_sd"].notna().all() == (select == "tuned")
    macro = frame[(frame["class"] == MACRO) & (frame["averaging"] == "ew")].iloc[0]
    assert f"interval {in_percent(macro['share_split_low'])} to {in_percent(macro['share_split_high'])})" in words
