"""Which class is hardest, which configuration is best, where the worst scores lie; and do the splits agree?

The functions of a table take the one that `analysis.scores` describes. Rank 1 is the highest score; ties share
their mean rank. Splits of one data set are no independent raters, so agreement is described, not tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from analysis.classes import MACRO, is_object
from analysis.scores import (
    COLUMN,
    CONFIGURATION,
    HELD_OUT,
    KINDS,
    ROUNDING,
    Floats,
    by_split,
    configurations,
    count_of,
    objects_of,
    of_configuration,
    of_kind,
)
from analysis.statistics.comparison import labelings, relabelling_refusal
from analysis.statistics.spread import Refusal
from trainers.data.class_names import BACKGROUNDS


@dataclass(frozen=True)
class WorstOfColumns:
    """Where the minimum of every column lies; a column is a (model, loss, averaging, class), macro left out."""

    columns: pd.DataFrame  # COLUMN, minimum, splits (those that share it), held_out_share (of those splits)
    splits: pd.Series[Any]  # per split: in how many columns it is a minimum, most often first
    num_cells: int  # minima with ties
    num_held_out_cells: int
    num_columns: int
    num_incomplete: int  # columns without a score on some split; their minimum is over the others
    held_out_columns: float  # columns whose minimum is on held-out splits; ties between the kinds count in parts
    chance: float  # share of held-out splits among the splits
    p: float | Refusal  # exact one-sided relabelling p of held_out_columns / num_columns

    @property
    def column_share(self) -> float:
        return self.held_out_columns / self.num_columns


def worst_of_columns(table: pd.DataFrame, seed: int = 0) -> WorstOfColumns:
    """Do held-out splits hold more of the column minima than their number would by chance?

    The p-value relabels the splits, which keeps the columns' dependence: a binomial test over columns would not.
    Raises ValueError for a table without a single score.
    """
    wide = by_split(table)
    wide = wide[wide.index.get_level_values("class") != MACRO].dropna(how="all")
    if wide.empty:
        raise ValueError("no column has a score: there are no worst ones")
    is_held_out = wide.columns.get_level_values("split_kind") == HELD_OUT
    lowest = is_minimum(wide.to_numpy(float))
    parts = lowest / lowest.sum(axis=1, keepdims=True)
    held_out_share, names = parts[:, is_held_out].sum(axis=1), wide.columns.get_level_values("split")
    columns = wide.index.to_frame(index=False)
    columns["minimum"] = wide.min(axis=1).to_numpy()
    columns["splits"] = [tuple(names[row]) for row in lowest]
    counts = pd.Series(lowest.sum(axis=0), index=names, name="num_minima")
    return WorstOfColumns(
        columns=columns.assign(held_out_share=held_out_share),
        splits=counts.sort_values(ascending=False, kind="stable"),
        num_cells=int(lowest.sum()),
        num_held_out_cells=int(lowest[:, is_held_out].sum()),
        num_columns=len(wide),
        num_incomplete=int(wide.isna().any(axis=1).sum()),
        held_out_columns=float(held_out_share.sum()),
        chance=float(is_held_out.mean()),
        p=_share_p(parts.sum(axis=0), np.asarray(is_held_out), seed),
    )


def where_the_lowest_lie(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """`worst_of_columns` of all configurations together, then of each; background and `all` are columns, too.

    num_columns     of which num_held_out have their lowest score on held-out splits alone, num_tied on both kinds
    share           of num_columns; ties count in part, by the number of splits
    share_by_chance of held-out splits among the splits
    p               exact one-sided permutation p: of the labelings of splits, those with as many such columns or more
    """
    everything = [("", "", table), *((*key, of_configuration(table, *key)) for key in configurations(table))]
    rows = []
    for model, loss, part in everything:
        if part["dice"].notna().any():
            worst = worst_of_columns(part, seed)
            shares = worst.columns["held_out_share"]
            counts = {"num_held_out": int((shares == 1).sum()), "num_tied": int(shares.between(0, 1, "neither").sum())}
            p, note = (np.nan, worst.p.reason) if isinstance(worst.p, Refusal) else (worst.p, "")
            rows.append(
                {"model": model, "loss": loss, "num_columns": worst.num_columns, **counts}
                | {"share": worst.column_share, "share_by_chance": worst.chance, "p": p, "note": note}
            )
    return pd.DataFrame(rows)


def is_minimum(scores: Floats) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which scores equal the lowest of their row; undefined ones never do."""
    return np.asarray(scores <= np.nanmin(scores, axis=1, keepdims=True) + ROUNDING)


def _share_p(weight: Floats, is_held_out: np.ndarray[Any, np.dtype[np.bool_]], seed: int) -> float | Refusal:
    """Share of the labelings whose held-out splits weigh as much as the observed ones, or why there is no p-value."""
    refusal = relabelling_refusal(int((~is_held_out).sum()), int(is_held_out.sum()))
    if refusal:
        return refusal
    return float(np.mean(labelings(is_held_out, seed) @ weight >= weight[is_held_out].sum() - ROUNDING))


def kendall_w(scores: ArrayLike) -> float:
    """Agreement of m raters (rows) on n items (columns): W = 12 S / (m^2 (n^3 - n) - m T), in [0, 1].

    S is the sum of squared deviations of the items' rank sums, T the sum of t^3 - t over every rater's groups of t
    ties (Kendall & Gibbons 1990, ch. 6). Raters that agree by chance reach 1 / m on average. NaN where no rater tells
    two items apart, or where a score is NaN.
    """
    values = np.asarray(scores, float).round(9)
    if np.isnan(values).any() or values.shape[0] == 0:
        return float("nan")
    ranks = stats.rankdata(values, axis=1)
    (m, n), sums = ranks.shape, ranks.sum(axis=0)
    # A tie of t items gives t of them t equals each, so t^3 - t = sum over its items of (t^2 - 1).
    equals = (values[:, :, None] == values[:, None, :]).sum(axis=2)
    ties = np.sum(equals**2 - 1)
    largest = m**2 * (n**3 - n) - m * ties
    return float(12 * np.sum((sums - sums.mean()) ** 2) / largest) if largest > 0 else float("nan")


def mean_tau(scores: ArrayLike) -> float:
    """Mean of Kendall's tau-b over all pairs of raters (rows); pairs with a rater who ties everything are left out."""
    values = np.asarray(scores, float).round(9)
    first, second = np.triu_indices(values.shape[1], 1)
    signs = np.sign(values[:, first] - values[:, second])
    untied = np.sum(signs**2, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        tau = signs @ signs.T / np.sqrt(np.outer(untied, untied))
    pairs = tau[np.triu_indices(len(values), 1)]
    return float(np.mean(pairs[np.isfinite(pairs)])) if np.isfinite(pairs).any() else float("nan")


def class_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Do the splits of a kind agree on the order of the classes? One row per configuration, averaging and kind.

    w (`kendall_w`) is read against w_by_chance = 1 / num_splits; mean_tau over pairs of splits; tau_of_means compares
    the mean scores of random and held-out splits. Classes undefined on some split of the kind are left out: num_classes
    counts the rest.
    """
    wide, rows = objects_of(by_split(table)), []
    for key, classes in wide.groupby([*CONFIGURATION, "averaging"], sort=False):
        means = [of_kind(classes, kind).mean(axis=1).to_numpy() for kind in KINDS]
        across = mean_tau(np.array(means)[:, ~np.isnan(means).any(axis=0)])
        for kind in KINDS:
            scores = of_kind(classes, kind).dropna()
            found = {"split_kind": kind, **_agreement(scores.to_numpy(float).T), "num_classes": len(scores)}
            rows.append(dict(zip([*CONFIGURATION, "averaging"], key, strict=True)) | found | {"tau_of_means": across})
    return pd.DataFrame(rows)


def _agreement(raters: Floats) -> dict[str, Any]:
    n = len(raters)
    if n < 2 or raters.shape[1] < 2:
        note = f"no agreement to measure: {count_of(n, 'splits')}, {count_of(raters.shape[1], 'items')}"
        return {"num_splits": n, "w": np.nan, "w_by_chance": np.nan, "mean_tau": np.nan, "note": note}
    note = f"{n} splits: W is noisy, read the ranks themselves" if n <= 3 else ""
    return {"num_splits": n, "w": kendall_w(raters), "w_by_chance": 1 / n, "mean_tau": mean_tau(raters), "note": note}


def class_ranks(table: pd.DataFrame) -> pd.DataFrame:
    """Rank of every class within its configuration and averaging: one column per split, then the mean ranks.

    A split on which some class has no score has no ranks: with fewer items they would mean something else.
    """
    return _ranks(objects_of(by_split(table)), [*CONFIGURATION, "averaging"]).reset_index()


def configuration_ranks(table: pd.DataFrame) -> pd.DataFrame:
    """Rank of every configuration per averaging and class ("all" and macro too, not background).

    Columns as in `class_ranks`, then w (`kendall_w`) over the num_splits splits on which every configuration has a
    score, to be read against w_by_chance = 1 / num_splits.
    """
    wide, place = by_split(table), ["averaging", "class"]
    wide = wide[~wide.index.get_level_values("class").isin(BACKGROUNDS)]
    groups = wide.groupby(place, sort=False)
    found = {key: _agreement(scores.dropna(axis=1).to_numpy(float).T) for key, scores in groups}
    agreement = pd.DataFrame.from_dict(found, orient="index")[["num_splits", "w", "w_by_chance", "note"]]
    agreement.index = pd.MultiIndex.from_tuples(agreement.index, names=place)
    return _ranks(wide, place).reset_index().merge(agreement.reset_index(), on=place)


def _ranks(wide: pd.DataFrame, within: list[str]) -> pd.DataFrame:
    """Ranks within groups of rows, per complete split, and their means over random, held-out and all splits."""
    complete = wide.notna().groupby(within, sort=False).transform("all")
    ranks = wide.round(9).groupby(within, sort=False).rank(ascending=False).where(complete)
    kinds = {f"mean_{kind}": of_kind(ranks, kind).mean(axis=1) for kind in KINDS}
    return ranks.droplevel("split_kind", axis=1).assign(**kinds, mean=ranks.mean(axis=1))


def extreme_classes(table: pd.DataFrame) -> pd.DataFrame:
    """Per averaging and class, the share of runs (configuration x split) where it is hardest and easiest.

    Classes that tie share the run. Runs in which a class has no score are left out: num_runs counts the rest.
    """
    wide, rows = objects_of(by_split(table)), []
    for averaging, columns in wide.groupby("averaging", sort=False):
        runs = pd.concat([of.droplevel(COLUMN[:-1]).T for _, of in columns.groupby(CONFIGURATION, sort=False)])
        scores = runs.dropna().to_numpy(float)
        shares = pd.DataFrame({"averaging": averaging, "class": runs.columns, "num_runs": len(scores)})
        rows.append(shares.assign(hardest=_share_of_rows(scores), easiest=_share_of_rows(-scores)))
    return pd.concat(rows, ignore_index=True)


def _share_of_rows(scores: Floats) -> Floats:
    """Per column, the share of rows whose minimum it is; NaN without rows."""
    if not len(scores):
        return np.full(scores.shape[1], np.nan)
    lowest = is_minimum(scores)
    return np.asarray((lowest / lowest.sum(axis=1, keepdims=True)).mean(axis=0))


def worst_cells(table: pd.DataFrame, number: int = 10) -> pd.DataFrame:
    """The lowest scores of classes, under any averaging: their rows, the lowest first; equals in their order."""
    objects = table[is_object(table["class"])].dropna(subset="dice")
    return objects.sort_values("dice", kind="stable").head(number).reset_index(drop=True)
