"""Accuracy against cost: what a better score costs in parameters, arithmetic, latency and training time."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.axes import by_axis
from analysis.classes import MACRO
from analysis.facts import Facts
from analysis.scores import CONFIGURATION, HELD_OUT, RANDOM, count_of, with_macro
from analysis.statistics.spread import interval_of_mean
from study.definition.point import Point
from study.definition.sections import Search
from study.selection import best_by_validation, cost_column

COSTS = {
    "parameters": "parameters",
    "gflops": "GFLOPs per image",
    "latency_ms": "latency per image, ms",
    "train_seconds": "training time per trial, s",
}
"""Column -> what it is. The last two are times, comparable only on one device."""
TIMES = ("latency_ms", "train_seconds")
_CANDIDATE = [*CONFIGURATION, "index"]


def trade_off(facts: Facts, averaging: str = "ew") -> pd.DataFrame:
    """One row for each configuration at each point that all cells have in common: the default one, and start-up points.
    Those that were trained on fewer random splits than others are left out, and counted: means over other splits are no
    rivals.

    label               e.g. "icnet ce t00": the trial's index names the point; `point` is its values
    num_splits          random splits on which it was trained; mean, low, high: macro Dice over them (seeds averaged),
                        with the interval of `interval_of_mean`; held_out_mean: over all held-out splits, NaN
                        where one is lacking; of several axes each has its own, held_out_mean_<axis>
    parameters, gflops  of the network; latency_ms, train_seconds: medians over the trials on the named device, with
                        their extremes in <cost>_low and <cost>_high
    device              the one on which most trials ran; times of other devices are left out
    non_dominated       no other row is as accurate and as cheap in all four costs, and better in one of them
    objective           mean validation Dice over random splits (over all where there are none; seeds averaged)
    chosen              the one that the search's rule takes by `objective`: the highest; of two objectives the cheapest
                        within `search.within` of it; rows on fewer cells than others do not come into question
    num_cells           (split, seed) that have such an objective
    note                how many points were left out, and by what
    """
    trials, runs = facts.completed, facts.runs
    trials = trials[trials["index"] < facts.definition.search.startup]
    runs = runs[(runs["averaging"] == averaging) & runs["trial"].isin(trials["trial"])]
    if runs.empty:
        return pd.DataFrame(columns=[*_CANDIDATE, "label", "mean", *COSTS, "device", "non_dominated", "chosen", "note"])
    device, held_out = str(trials["device"].mode()[0]), _held_out_splits(runs)
    rows = [
        _candidate(key, part, runs[runs["trial"].isin(part["trial"])], device, held_out)
        for key, part in trials.groupby(_CANDIDATE, sort=False)
    ]
    tried = pd.DataFrame(rows)
    most = tried["num_splits"].max()
    found = tried[tried["num_splits"] == most].reset_index(drop=True)
    num_fewer = len(tried) - len(found)
    note = (
        f"left out: {count_of(num_fewer, 'points')} on fewer than {count_of(most, 'random splits')}"
        if num_fewer
        else ""
    )
    if facts.definition.search.halving:
        chosen = "with halving, only trainings that were among the best of their cells are here, the default one apart"
        note = "; ".join(filter(None, [note, chosen]))
    ascending = [-found["mean"], *(found[cost] for cost in COSTS)]
    found = found.assign(device=device, non_dominated=non_dominated(np.column_stack(ascending)))
    return found.assign(chosen=_chosen(found, facts.definition.search), note=note)


def non_dominated(costs: ArrayLike) -> NDArray[np.bool_]:
    """Which rows (N candidates x M costs, less is better) no other row equals or beats in all and beats in one.

    A row with an unknown cost (NaN) neither dominates nor belongs to the set.
    """
    values = np.asarray(costs, float)
    no_worse = (values[:, None] <= values[None]).all(axis=2)
    better = (values[:, None] < values[None]).any(axis=2)
    dominated = (no_worse & better).any(axis=0)
    return np.asarray(~dominated & ~np.isnan(values).any(axis=1))


def _chosen(candidates: pd.DataFrame, search: Search) -> NDArray[np.bool_]:
    cost = cost_of(search)
    complete = candidates["num_cells"] == candidates["num_cells"].max()
    judged = [
        ("all", int(i), row["objective"], row[cost] if cost else None) for i, row in candidates[complete].iterrows()
    ]
    return np.asarray(candidates.index == best_by_validation(judged, search.within).get("all"))


def cost_of(search: Search) -> str | None:
    """The search's second objective, a key of COSTS; None where it goes by the Dice alone."""
    column = cost_column(search.objectives)
    return None if column is None else column.removesuffix("_median")


def _candidate(
    key: tuple[str, str, int],
    trials: pd.DataFrame,
    runs: pd.DataFrame,
    device: str,
    held_out: Mapping[str, Collection[str]],
) -> dict[str, object]:
    """:param held_out: column -> the held-out splits whose mean it is."""
    model, loss, index = key
    rows = with_macro(runs)
    macro = rows[rows["class"] == MACRO]
    random = macro[macro["split_kind"] == RANDOM].groupby("split")["dice"].mean()
    n = random.count()
    low, high = interval_of_mean(random.dropna())
    of_random = trials["split_kind"] == RANDOM
    of_cells = (trials[of_random] if of_random.any() else trials).dropna(subset="objective")
    judged = of_cells.groupby("split")["objective"].mean()
    row: dict[str, object] = {"model": model, "loss": loss, "index": index, "label": f"{model} {loss} t{index:02d}"}
    row |= {"point": str(Point.from_json(trials["point"].iloc[0])), "num_splits": n}
    row |= {"objective": judged.mean(), "num_cells": len(of_cells)}
    row |= {"mean": random.mean(), "low": low, "high": high} | _held_out_means(macro, held_out)
    row |= {"parameters": trials["parameters"].iloc[0], "gflops": trials["gflops"].iloc[0]}
    here = trials[trials["device"] == device].rename(columns={"latency_ms_median": "latency_ms"})
    for cost in TIMES:
        values = here[cost].astype(float)
        row |= {cost: values.median(), f"{cost}_low": values.min(), f"{cost}_high": values.max()}
    return row


def _held_out_splits(runs: pd.DataFrame) -> dict[str, list[str]]:
    """Column for the mean over the held-out splits of an axis -> these splits."""
    of_axes = {axis: part.loc[part["split_kind"] == HELD_OUT, "split"] for axis, part in by_axis(runs).items()}
    names = {axis: "held_out_mean" if len(of_axes) == 1 else f"held_out_mean_{axis}" for axis in of_axes}
    return {names[axis]: list(splits.unique()) for axis, splits in of_axes.items()}


def _held_out_means(macro: pd.DataFrame, held_out: Mapping[str, Collection[str]]) -> dict[str, float]:
    of_split = macro[macro["split_kind"] == HELD_OUT].groupby("split")["dice"].mean()
    return {name: float(of_split.reindex(splits).mean(skipna=False)) for name, splits in held_out.items()}
