"""How far one training on one random split may come out from the mean, however many seeds the mean is taken over.

A mean of R seeds varies less than one training does. With s2 the variance of the split means over n splits, w the
variance within splits over the seeds, and R the (harmonic mean) number of seeds:

    variance of one training            s2 + (1 - 1/R) w
    of one more training, less the mean s2 (1 + 1/n) + (1 - 1/R) w

which is variance between splits + within, of the balanced analysis of variance (`analysis.statistics.variance`), and of
unequal numbers of seeds its unweighted form. Degrees of freedom are Satterthwaite's. One seed a split leaves s2, n - 1.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from analysis.scores import COLUMN, Floats, means_by_split, of_kind
from analysis.statistics.bounds import sd_of_one_training


def one_training(rows: pd.DataFrame, level: float) -> pd.DataFrame:
    """For each row of `means_by_split`, over random splits: columns

    sd               standard deviation of one training on one random split
    expected_within  one more training on one more random split lies so far from the mean at most, at this level

    All NaN below two splits.

    :param rows: scores, several seeds of a split one below the other, MACRO among the classes where it is wanted.
    """
    means = of_kind(means_by_split(rows), "random")
    within, num_seeds, df_within = _over_seeds(rows, means)
    n, between = means.count(axis=1).to_numpy(float), means.var(axis=1).to_numpy(float)
    added = (1 - 1 / num_seeds) * within
    with np.errstate(invalid="ignore", divide="ignore"):
        ahead = between * (1 + 1 / n)
        df = np.where(added > 0, _satterthwaite(ahead, n - 1, added, df_within), n - 1)
        half = stats.t.ppf((1 + level) / 2, df) * np.sqrt(ahead + added)
    sd = sd_of_one_training(between, within, num_seeds)
    found = pd.DataFrame({"sd": sd, "expected_within": half}, index=means.index)
    found[n < 2] = np.nan
    return found


def _over_seeds(rows: pd.DataFrame, means: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    """w, R and the degrees of freedom of w, for each row of `means`; 0, 1 and 0 where no split has two seeds."""
    random = rows[rows["split_kind"] == "random"]
    groups = random.groupby([*COLUMN, "split"], observed=True)["dice"]
    of_split = pd.DataFrame({"scored": groups.count(), "seeds": groups.size(), "variance": groups.var()})
    complete = of_split[of_split["scored"] == of_split["seeds"]]
    complete = complete.assign(
        squares=(complete["variance"] * (complete["seeds"] - 1)).fillna(0.0),
        df=complete["seeds"] - 1,
        share=1 / complete["seeds"],
    )
    columns = complete.groupby(COLUMN, observed=True)
    df = columns["df"].sum()
    within = columns["squares"].sum() / df.where(df > 0)
    of_none = ((within, 0.0), (1 / columns["share"].mean(), 1.0), (df, 0.0))
    w, num_seeds, freedom = (each.reindex(means.index).fillna(none).to_numpy(float) for each, none in of_none)
    return w, num_seeds, freedom


def _satterthwaite(a: Floats, df_a: Floats, b: Floats, df_b: Floats) -> Floats:
    """Of a sum of two independent variances, each with its own degrees of freedom."""
    return np.asarray((a + b) ** 2 / (a**2 / df_a + b**2 / df_b))
