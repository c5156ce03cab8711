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


def one_training(rows: pd.DataFrame, level: float) -> pd.DataFrame:
    """For each row of `means_by_split`, over random splits: columns

    sd               standard deviation of one training on one random split
    df               its degrees of freedom
    expected_within  one more training on one more random split lies so far from the mean at most, at this level

    All NaN below two splits.

    :param rows: scores, several seeds of a split one below the other, MACRO among the classes where it is wanted.
    """
    means = of_kind(means_by_split(rows), "random")
    within, df_within = _within(rows, means)
    n, sd = means.count(axis=1).to_numpy(float), means.std(axis=1).to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        between, several = sd**2, within > 0
        one = np.where(several, np.sqrt(between + within), sd)
        df = np.where(several, _satterthwaite(between, n - 1, within, df_within), n - 1)
        ahead = between * (1 + 1 / n)
        df_ahead = np.where(several, _satterthwaite(ahead, n - 1, within, df_within), n - 1)
        half = stats.t.ppf((1 + level) / 2, df_ahead) * np.sqrt(ahead + within)
    found = pd.DataFrame({"sd": one, "df": df, "expected_within": half}, index=means.index)
    found[n < 2] = np.nan
    return found


def _within(rows: pd.DataFrame, means: pd.DataFrame) -> tuple[Floats, Floats]:
    """(1 - 1/R) w and its degrees of freedom, for each row of `means`; both 0 where no split has two seeds."""
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
    within = (1 - columns["share"].mean()) * columns["squares"].sum() / df.where(df > 0)
    found = (each.reindex(means.index).fillna(0.0).to_numpy(float) for each in (within, df))
    return next(found), next(found)


def _satterthwaite(a: Floats, df_a: Floats, b: Floats, df_b: Floats) -> Floats:
    """Of a sum of two independent variances, each with its own degrees of freedom."""
    return np.asarray((a + b) ** 2 / (a**2 / df_a + b**2 / df_b))
