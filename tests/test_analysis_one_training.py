"""The spread is that of one training, however many seeds a split's mean is taken over."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.scores import with_macro
from analysis.statistics.one_training import one_training
from analysis.statistics.spread import LEVEL, spread
from analysis.statistics.variance import components


def table_of(scores: np.ndarray, num_seeds: list[int] | None = None) -> pd.DataFrame:
    """One class of one configuration: scores by random split and seed, of each split so many seeds."""
    numbers = num_seeds or [scores.shape[1]] * len(scores)
    rows = [(f"random_{i}", r, scores[i, r]) for i, number in enumerate(numbers) for r in range(number)]
    table = pd.DataFrame(rows, columns=["split", "seed", "dice"])
    return table.assign(model="m", loss="ce", split_kind="random", axis="", averaging="ew", **{"class": "bx"})


def drawn(num_splits: int, num_seeds: int, share: float, seed: int, times: int = 1) -> np.ndarray:
    """Scores (times, splits, seeds) of SD 0.05, `share` of whose variance is the split's."""
    rng = np.random.default_rng(seed)
    of_split = rng.normal(0, np.sqrt(share), (times, num_splits, 1))
    return 0.6 + 0.05 * (of_split + rng.normal(0, np.sqrt(1 - share), (times, num_splits, num_seeds)))


def test_with_one_seed_it_is_the_standard_deviation_over_splits() -> None:
    scores = drawn(8, 1, 0.5, seed=1)[0]
    found = one_training(table_of(scores), LEVEL).iloc[0]
    sd = scores.std(ddof=1)
    assert found["sd"] == pytest.approx(sd, abs=1e-15)
    assert found["expected_within"] == pytest.approx(stats.t.ppf(0.975, 7) * sd * np.sqrt(1 + 1 / 8))


def test_with_seeds_it_is_the_variance_between_splits_and_within() -> None:
    """As by the mean squares of a one-way analysis of variance, which scipy gives as F."""
    scores = drawn(8, 3, 0.7, seed=2)[0]
    found = one_training(table_of(scores), LEVEL).iloc[0]
    within = scores.var(axis=1, ddof=1).mean()
    between = stats.f_oneway(*scores).statistic * within
    split = (between - within) / 3
    assert split > 0
    assert found["sd"] ** 2 == pytest.approx(split + within)
    ahead = split + within + between / 24
    df = ahead**2 / ((between * (1 + 1 / 8) / 3) ** 2 / 7 + (within * 2 / 3) ** 2 / 16)
    assert found["expected_within"] == pytest.approx(stats.t.ppf(0.975, df) * np.sqrt(ahead))
    two_models = np.stack([scores, scores + 0.1])
    assert components(two_models)["residual_sd"] < found["sd"], "the split's part is in it, too"


@pytest.mark.parametrize("num_seeds", [2, 3])
@pytest.mark.parametrize("num_splits", [4, 8, 15])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_one_more_training_is_covered_at_its_rate(num_splits: int, num_seeds: int, share: float) -> None:
    times = 400
    scores = drawn(num_splits + 1, num_seeds, share, seed=3, times=times)
    tables = [table_of(each[:-1]).assign(model=f"m{i}") for i, each in enumerate(scores)]
    found = one_training(pd.concat(tables), LEVEL)["expected_within"].to_numpy()
    means, new = scores[:, :-1].mean(axis=(1, 2)), scores[:, -1, 0]
    inside = int((np.abs(new - means) <= found).sum())
    assert inside >= stats.binom.ppf(0.001, times, 0.945)
    if share == 0:  # the spread of the means alone is too narrow
        of_means = scores[:, :-1].mean(axis=2).std(axis=1, ddof=1) * np.sqrt(1 + 1 / num_splits)
        too_narrow = np.abs(new - means) <= stats.t.ppf(0.975, num_splits - 1) * of_means
        assert too_narrow.sum() < inside


def test_more_seeds_do_not_make_a_model_steadier() -> None:
    """Where all variance is the seeds', means of 9 seeds spread a third as far as trainings do."""
    scores = drawn(60, 9, 0.0, seed=4)[0]
    assert scores.mean(axis=1).std(ddof=1) < 0.03
    assert spread(table_of(scores)).loc[0, "sd"] == pytest.approx(0.05, rel=0.1)


def test_unequal_numbers_of_seeds() -> None:
    scores = drawn(400, 4, 0.5, seed=5)[0]
    numbers = [1, 2, 3, 4] * 100
    found = one_training(table_of(scores, numbers), LEVEL).iloc[0]
    assert found["sd"] == pytest.approx(0.05, rel=0.06)


def test_a_split_with_an_undefined_seed_counts_for_nothing_and_one_split_gives_nothing() -> None:
    scores = drawn(6, 2, 0.5, seed=6)[0]
    gap = scores.copy()
    gap[5, 1] = np.nan
    pd.testing.assert_frame_equal(one_training(table_of(gap), LEVEL), one_training(table_of(scores[:5]), LEVEL))
    assert one_training(with_macro(table_of(scores[:1])), LEVEL).isna().all(axis=None)


def test_no_standard_deviation_of_scores_is_beyond_one_half() -> None:
    table = table_of(np.array([[0.0], [1.0], [0.0], [1.0]]))
    assert spread(table).loc[0, "sd_high"] == 0.5
