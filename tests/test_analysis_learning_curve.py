"""Learning curves: exact without noise, checked against SciPy and statsmodels, refused where they must be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from benchmark_files import benchmark
from scipy import optimize, stats
from simulated_study import write_study
from small_study import write_definition

from analysis.classes import MACRO
from analysis.commands import check, load, report, stability, tables
from analysis.errors import AnalysisError
from analysis.scores import SHARE, Scores, without_shares
from analysis.statistics.learning_curve import EXPONENTS, Rise, rise
from analysis.statistics.more_images import learning_curves, more_images
from analysis.statistics.spread import Refusal
from analysis.verdict import verdict
from analysis.verdict.of_gap_curve import QUESTION as OF_GAP
from analysis.verdict.of_images import images_in_words
from study.definition.file import load as load_definition

NUMBERS = np.array([100.0, 200.0, 400.0])
QUESTION = "How many more images?"


def drawn(
    c: float = 0.5, sd: float = 0.01, splits: int = 8, seed: int = 0, numbers: np.ndarray = NUMBERS
) -> np.ndarray:
    """Scores whose mean error is 0.1 + 0.1 (n / 400)^-c, around it a split's own level and so much noise."""
    draws = np.random.default_rng(seed)
    level = draws.normal(0, 0.05, (splits, 1))
    return 0.9 - 0.1 * (numbers / 400) ** -c + level + draws.normal(0, sd, (splits, len(numbers)))


def numbers(splits: int = 8, of: np.ndarray = NUMBERS) -> np.ndarray:
    return np.tile(of, (splits, 1))


def found(scores: np.ndarray, factor: float = 2.0, ratio: float = 0.0, of: np.ndarray = NUMBERS) -> Rise:
    answer = rise(numbers(len(scores), of), scores, factor, ratio)
    assert isinstance(answer, Rise), answer
    return answer


@pytest.mark.parametrize("c", [0.2, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("of", [NUMBERS, np.array([40.0, 100.0, 200.0, 400.0])])
def test_of_a_curve_without_noise_the_exponent_and_the_rise_are_exact(c: float, of: np.ndarray) -> None:
    """Splits that differ by a level, and by how steep they are; none by chance."""
    steep = np.linspace(0.08, 0.12, 6)[:, None]
    scores = 0.85 + np.linspace(-0.05, 0.05, 6)[:, None] - steep * (of / 400) ** -c
    answer = found(scores, of=of)
    assert answer.exponent == pytest.approx(c)
    assert answer.value == pytest.approx(0.1 * (1 - 2**-c))
    assert answer.low < answer.value < answer.high


def test_the_fit_is_scipys_where_three_numbers_determine_three_parameters() -> None:
    scores = drawn(c=0.7, sd=0.002)
    errors = 1 - scores.mean(axis=0)
    _, b, c = optimize.least_squares(lambda p: p[0] + p[1] * (NUMBERS / 400) ** -p[2] - errors, (0.1, 0.1, 0.5)).x
    answer = found(scores)
    assert answer.exponent == pytest.approx(c, abs=0.05)
    assert answer.value == pytest.approx(b * (1 - 2**-c), abs=0.002)


def test_the_interval_is_that_of_single_exponents() -> None:
    """Slowly: a line for every split by statsmodels, SciPy's interval over them, for every exponent not ruled out."""
    scores, ends = drawn(sd=0.004), []
    for c in EXPONENTS:
        x = (NUMBERS / 400) ** -c
        fits = [sm.OLS(1 - row, sm.add_constant(x)).fit() for row in scores]
        bent = sm.OLS(x**2, sm.add_constant(x)).fit().resid
        if stats.ttest_1samp((1 - scores) @ bent, 0).pvalue < 0.01:
            continue
        rises = [fit.params[1] * (1 - 2**-c) for fit in fits]
        ends += [*stats.ttest_1samp(rises, 0).confidence_interval(0.96)]
    answer = found(scores)
    assert (answer.low, answer.high) == (pytest.approx(min(ends)), pytest.approx(max(ends)))


def test_shared_images_widen_the_interval() -> None:
    scores = drawn(sd=0.004)
    alone, shared = found(scores), found(scores, ratio=0.25)
    assert shared.value == alone.value
    assert shared.low < alone.low
    assert shared.high > alone.high


def test_a_splits_own_level_does_not_count() -> None:
    scores = drawn(sd=0.004)
    moved = scores + np.linspace(-0.05, 0.05, 8)[:, None]
    assert dataclasses.astuple(found(moved)) == pytest.approx(dataclasses.astuple(found(scores)))


@pytest.mark.parametrize(
    ("scores", "of", "factor", "words"),
    [
        (drawn()[:, 1:], NUMBERS[1:], 2.0, "2 numbers of images, where a curve needs 3"),
        (drawn(splits=3), NUMBERS, 2.0, "3 random splits with shares, where an interval needs 4"),
        (drawn()[:, ::-1], NUMBERS, 2.0, "the mean does not rise with the images"),
        (drawn(), NUMBERS, 2.5, "more than 2 times the images that there are"),
        (drawn(sd=0.15, seed=1), NUMBERS, 2.0, "the interval of the rise would be wider than 0.1"),
        (drawn(sd=0.0), NUMBERS, 2.0, "have the same form, which proves nothing"),
        (np.where(np.arange(24).reshape(8, 3) == 4, np.nan, drawn()), NUMBERS, 2.0, "not every share of every split"),
    ],
)
def test_what_a_curve_cannot_carry(scores: np.ndarray, of: np.ndarray, factor: float, words: str) -> None:
    answer = rise(numbers(len(scores), of), scores, factor)
    assert isinstance(answer, Refusal)
    assert words in answer.in_full


def test_a_curve_that_gets_steeper_is_no_power_law() -> None:
    scores = drawn(sd=0.001, splits=15)
    scores[:, 2] += 0.1
    answer = rise(numbers(15), scores, 2.0)
    assert isinstance(answer, Refusal)
    assert "no power law" in answer.reason


def test_a_split_that_nothing_was_scored_on_is_left_out() -> None:
    scores = drawn(sd=0.004)
    blank = np.vstack([scores, np.full((1, 3), np.nan)])
    assert rise(numbers(9), blank, 2.0) == rise(numbers(8), scores, 2.0)


def table_of(scores: dict[str, np.ndarray]) -> pd.DataFrame:
    """Class -> scores, split x share; of one configuration."""
    rows = [
        {"split": f"random_{i}{end}", "split_kind": "random" if not end else SHARE, "class": name, "dice": values[i, k]}
        for name, values in scores.items()
        for i in range(len(values))
        for k, end in enumerate(("_25pc", "_50pc", ""))
    ]
    return pd.DataFrame(rows).assign(model="icnet", loss="ce", axis="", seed=0, averaging="ew")


NUM_TRAINED = {f"random_{i}{end}": n for i in range(8) for end, n in (("_25pc", 100), ("_50pc", 200), ("", 400))}


def scores_of(classes: dict[str, np.ndarray]) -> Scores:
    sizes = {f"random_{i}": 470 for i in range(8)}
    tested = dict.fromkeys(sizes, 100)
    return Scores(table_of(classes), "made up", "default", num_train=sizes, num_trained=NUM_TRAINED, num_test=tested)


BOX, PEN = drawn(c=0.3, sd=0.003), drawn(c=1.5, sd=0.003, seed=1)


def test_the_tables() -> None:
    table = table_of({"box": BOX, "pen": PEN})
    curve = learning_curves(table, NUM_TRAINED).set_index(["class", "percent"])
    assert list(curve.loc["box"].index) == [25, 50, 100]
    assert list(curve.loc["box"]["num_images"]) == [100, 200, 400]
    assert curve.loc[("box", 50), "mean"] == pytest.approx(BOX[:, 1].mean())
    assert curve.loc[(MACRO, 25), "sd"] == pytest.approx(((BOX + PEN) / 2)[:, 0].std(ddof=1))
    more = more_images(table, NUM_TRAINED, 0.25).set_index(["class", "more"])
    answer = found((BOX + PEN) / 2, ratio=0.25)
    assert more.loc[(MACRO, 400), ["rise", "rise_low", "rise_high"]].tolist() == pytest.approx(
        [answer.value, answer.low, answer.high]
    )
    assert more.loc[("box", 200), "rise"] == pytest.approx(found(BOX, 1.5, 0.25).value)


def test_a_missing_share_is_a_refusal() -> None:
    table = table_of({"box": BOX})
    more = more_images(table[table["split"] != "random_3_50pc"], NUM_TRAINED)
    assert set(more["note"]) == {"not every share of every split has a score"}


def test_the_words() -> None:
    (finding,) = images_in_words(scores_of({"box": BOX, "pen": PEN}), "ew")
    assert finding.question == QUESTION
    mean, most, *_, last = finding.points
    assert mean.startswith("icnet ce: 400 more training images (400 so far) would raise the mean Dice by about 0.0")
    assert "of 2 classes, pen would gain most" in most
    assert "images like these, of all classes in the same proportion" in last


def test_the_words_where_nothing_is_sure() -> None:
    flat = drawn(c=0.3, sd=0.02, seed=3)
    flat[:, 1:] = flat[:, :1] + np.random.default_rng(1).normal(0.001, 0.01, (8, 2))
    (finding,) = images_in_words(scores_of({"box": flat}), "ew")
    assert "need not raise the mean Dice" in finding.points[0] or "no answer" in finding.points[0]
    steep = BOX.copy()
    steep[:, 2] += 0.1
    (finding,) = images_in_words(scores_of({"box": steep}), "ew")
    assert "icnet ce: no answer for the mean of the classes, as the scores follow no power law" in finding.points[0]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    folder = tmp_path_factory.mktemp("shares")
    splits = ",".join([*(f"random_{i}" for i in range(4)), "rot_0", "matched_rot_0"])
    more = [
        f"grid.splits={splits}",
        "grid.losses=ce",
        "grid.train_shares=0.5,0.75,1",
        "search.trials=1",
        "simulate=true",
    ]
    return load(write_study(folder / "out", load_definition(write_definition(folder), more)))


def test_shares_change_nothing_that_is_said_of_whole_splits(simulated: Scores) -> None:
    assert simulated.facts is not None
    facts = simulated.facts
    assert set(facts.completed["split_kind"]) == {"random", "held_out", "matched"}
    assert {"rot_0_50pc", "rot_0_75pc", "random_0_50pc"} <= set(facts.trials["split"])
    assert "matched_rot_0_50pc" not in set(facts.trials["split"])
    assert not any("pc" in trial for trial in facts.chosen)
    whole = dataclasses.replace(simulated, table=without_shares(simulated.table))
    asked = {finding.question: finding for finding in verdict(simulated)}
    assert {QUESTION, OF_GAP} <= set(asked)
    assert all(asked[each.question] == each for each in verdict(whole))
    gates = [check(each, max_sd=0.1, max_gap=0.1, simulated=True).checks for each in (simulated, whole)]
    pd.testing.assert_frame_equal(*gates)


def test_a_study_with_shares_is_tabled_and_reported(simulated: Scores, tmp_path: Path) -> None:
    answer = stability(simulated)
    assert len(answer.frames["What more training images would add to the mean Dice"])
    assert "The drop divided: fewer training images, and the shift itself" in answer.frames
    page = report(simulated, tmp_path / "page.html").read_text()
    assert 'id="learning_curve"' in page
    assert "against the number of training images" in page
    assert "Gap of the mean of classes against the number of training images" in page
    (frame,) = tables(simulated).values()
    assert "random_0_50pc" in frame.index


def test_a_tidy_table_names_shares_of_its_own_splits(tmp_path: Path) -> None:
    table = table_of({"box": BOX})
    table.to_csv(tmp_path / "scores.csv", index=False)
    scores = load(tmp_path / "scores.csv")
    assert "How many more images? (how many images each split trains on is not known)" in stability(scores).left_out
    table[table["split"] != "random_3"].to_csv(tmp_path / "lost.csv", index=False)
    with pytest.raises(
        AnalysisError, match=r"split is not a share of a random or held-out split of the table.*random_3_25pc"
    ):
        load(tmp_path / "lost.csv")


@pytest.mark.slow
def test_the_intervals_cover() -> None:
    """A few repetitions of the benchmark: far from what they promise no interval is."""
    coverages = benchmark("validity_curves").coverages

    rows = coverages(repetitions=150, num_splits=(8,))
    for row in rows:
        if "two held out" not in row.world and (row.procedure != "for independent splits"):
            assert row.coverage > 0.9, row
    assert len({row.world for row in rows}) >= 8
