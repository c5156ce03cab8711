"""The scores of a study at a glance: per configuration, default and tuned, over random splits, folds, and on others."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from study.cells import Cell, Trial
from study.definition.sections import Search
from study.definition.splits import RANDOM_SPLIT, whole_of_share
from study.results.digests import Row
from study.selection import best_by_validation, cost_column
from trainers.dice import NOT_OBJECTS, mean_of_objects

MIN_SPLITS_FOR_SD = 4
"""Fewer say next to nothing of how far scores move: the analysis gives no standard deviation of them, either."""
MIN_IMAGES = 5
"""A share of fewer test images is told as a count, and heads nothing."""


@dataclass(frozen=True)
class Summary:
    """Mean example-wise test Dice over the classes, by split; several seeds of a split are averaged."""

    configuration: str
    selection: str  # default (trial 0) or tuned (the best trial by validation)
    random: dict[str, float]
    folds: dict[str, float]
    by_name: dict[str, float]  # held-out (and their shares), given and matched splits: each asks something else
    missing: int  # cells without such a score
    cost: float | None = None  # median over the chosen trials, by the search's second objective, if it has one
    num_seeds: int = 1
    """Of the split that has the most: means of several seeds scatter less than single trainings do."""
    shares: dict[int, dict[str, float]] = field(default_factory=dict)
    """Percent of the training samples -> scores of the random splits' shares."""

    @property
    def mean(self) -> float | None:
        """Over the random splits."""
        return mean_and_sd(self.random)[0]

    @property
    def sd(self) -> float | None:
        return mean_and_sd(self.random)[1]


def mean_and_sd(scores: Mapping[str, float]) -> tuple[float | None, float | None]:
    """Of scores by split: the mean, and the standard deviation (ddof 1); none of fewer than MIN_SPLITS_FOR_SD."""
    values = scores.values()
    sd = statistics.stdev(values) if len(values) >= MIN_SPLITS_FOR_SD else None
    return statistics.fmean(values) if values else None, sd


def trade_in_words(scores: Iterable[Summary], search: Search) -> list[str]:
    """Of a search by Dice and cost, what the rule saves and loses in test Dice, a sentence for each configuration."""
    column = cost_column(search.objectives)
    if column is None:
        return []
    by_selection = {(each.configuration, each.selection): each for each in scores}
    told = []
    for (configuration, selection), tuned in by_selection.items():
        default = by_selection[configuration, "default"]
        if selection == "default" or None in (tuned.mean, default.mean, tuned.cost, default.cost):
            continue
        lost = (default.mean or 0.0) - (tuned.mean or 0.0)
        more = f", more than the {search.within:g} of search.within, which is kept on validation images"
        moved = f"{abs(lost):.3f} {'lower' if lost > 0 else 'higher'}"
        told.append(
            f"{configuration}, tuned by the rule (the cheapest within {search.within:g} of a cell's highest validation "
            f"Dice): {search.objectives[1]} {tuned.cost:.3g} instead of {default.cost:.3g} (medians), mean test Dice "
            f"{moved}{more * (lost > search.within)}."
        )
    return told


def object_dice(dice: pa.Table) -> dict[str, float]:
    """Per trial, the mean of the example-wise test Dice over the classes; none where one is undefined."""
    test = dice.filter((pc.field("partition") == "test") & ~pc.field("class").isin(NOT_OBJECTS))
    scores: dict[str, list[float | None]] = defaultdict(list)
    for trial, score in zip(test["trial"].to_pylist(), test["dice_ew"].to_pylist(), strict=True):
        scores[trial].append(score)
    means = {trial: float(mean_of_objects(np.array(of_classes, float))) for trial, of_classes in scores.items()}
    return {trial: mean for trial, mean in means.items() if not math.isnan(mean)}


def summarise(
    cells: Iterable[Cell],
    committed: Mapping[Trial, Row],
    read_dice: Callable[[Collection[str]], pa.Table],
    search: Search | None = None,
) -> list[Summary]:
    """Default and tuned scores of every configuration among the cells, in their order; where every cell has one trial,
    which is both, only the default ones.

    :param read_dice: ids of trials -> their rows of the table `dice`; asked once, for the chosen ones alone.
    """
    search = search or Search()
    column = cost_column(search.objectives)
    chosen: dict[str, dict[Cell, Trial]] = {"default": {cell: Trial(cell, 0) for cell in cells}}
    whole = {trial: row for trial, row in committed.items() if trial.epochs is None}
    if any(trial.index for trial in whole):
        judged = ((t.cell, t.index, row["objective"], row[column] if column else None) for t, row in whole.items())
        best = best_by_validation(judged, search.within)
        chosen["tuned"] = {cell: Trial(cell, index) for cell, index in best.items()}
    scores = object_dice(read_dice({trial.id for trials in chosen.values() for trial in trials.values()}))
    costs = {t.id: row[column] for t, row in whole.items() if column and row[column] is not None}
    kinds = {trial.cell.split: str(row["split_kind"]) for trial, row in committed.items()}
    by_configuration: dict[str, list[Cell]] = defaultdict(list)
    for cell in chosen["default"]:
        by_configuration[cell.configuration].append(cell)
    return [
        _summary(configuration, selection, {cell: trials.get(cell) for cell in members}, scores, kinds, costs)
        for configuration, members in by_configuration.items()
        for selection, trials in chosen.items()
    ]


def _summary(
    configuration: str,
    selection: str,
    chosen: Mapping[Cell, Trial | None],
    scores: Mapping[str, float],
    kinds: Mapping[str, str],
    costs: Mapping[str, float],
) -> Summary:
    found: dict[str, list[float]] = defaultdict(list)
    for cell, trial in chosen.items():
        if trial is not None and trial.id in scores:
            found[cell.split].append(scores[trial.id])
    means = {split: statistics.fmean(values) for split, values in found.items()}
    shares: dict[int, dict[str, float]] = defaultdict(dict)
    wholes = {split: whole_of_share(split) for split in means if kinds[split] == "share"}
    of_random = {split: percent for split, (whole, percent) in wholes.items() if RANDOM_SPLIT.fullmatch(whole)}
    for split, percent in of_random.items():
        shares[percent][split] = means[split]
    told = {split for split in means if kinds[split] in ("random", "fold")} | of_random.keys()
    paid = [costs[trial.id] for trial in chosen.values() if trial is not None and trial.id in costs]
    return Summary(
        configuration,
        selection,
        random={split: mean for split, mean in means.items() if kinds[split] == "random"},
        folds={split: mean for split, mean in means.items() if kinds[split] == "fold"},
        by_name={split: mean for split, mean in means.items() if split not in told},
        missing=len(chosen) - sum(map(len, found.values())),
        num_seeds=max(map(len, found.values()), default=1),
        shares=dict(shares),
        cost=statistics.median(paid) if paid else None,
    )
