"""The scores of a study at a glance: per configuration, default and tuned, on random and on held-out splits."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from study.cells import Cell, Trial
from study.results.digests import Row
from study.selection import best_by_validation
from trainers.dice import NOT_OBJECTS, mean_of_objects


@dataclass(frozen=True)
class Summary:
    """Mean example-wise test Dice over the object classes, by split; several seeds of a split are averaged."""

    configuration: str
    selection: str  # default (trial 0) or tuned (the best trial by validation)
    random: dict[str, float]
    held_out: dict[str, float]
    missing: int  # cells without such a score

    @property
    def mean(self) -> float | None:
        return statistics.fmean(self.random.values()) if self.random else None

    @property
    def sd(self) -> float | None:
        """Standard deviation over the random splits (ddof 1); undefined below two."""
        return statistics.stdev(self.random.values()) if len(self.random) > 1 else None


def object_dice(dice: pa.Table) -> dict[str, float]:
    """Per trial, the mean of the example-wise test Dice over the object classes; none where one is undefined."""
    test = dice.filter((pc.field("partition") == "test") & ~pc.field("class").isin(NOT_OBJECTS))
    scores: dict[str, list[float | None]] = defaultdict(list)
    for trial, score in zip(test["trial"].to_pylist(), test["dice_ew"].to_pylist(), strict=True):
        scores[trial].append(score)
    means = {trial: float(mean_of_objects(np.array(of_classes, float))) for trial, of_classes in scores.items()}
    return {trial: mean for trial, mean in means.items() if not math.isnan(mean)}


def summarise(
    cells: Iterable[Cell], committed: Mapping[Trial, Row], read_dice: Callable[[Collection[str]], pa.Table]
) -> list[Summary]:
    """Default and tuned scores of every configuration among the cells, in their order; where every cell has one trial,
    which is both, only the default ones.

    :param read_dice: ids of trials -> their rows of the table `dice`; asked once, for the chosen ones alone.
    """
    chosen: dict[str, dict[Cell, Trial]] = {"default": {cell: Trial(cell, 0) for cell in cells}}
    if any(trial.index for trial in committed):
        best = best_by_validation((trial.cell, trial.index, row["objective"]) for trial, row in committed.items())
        chosen["tuned"] = {cell: Trial(cell, index) for cell, index in best.items()}
    scores = object_dice(read_dice({trial.id for trials in chosen.values() for trial in trials.values()}))
    kinds = {trial.cell.split: str(row["split_kind"]) for trial, row in committed.items()}
    by_configuration: dict[str, list[Cell]] = defaultdict(list)
    for cell in chosen["default"]:
        by_configuration[cell.configuration].append(cell)
    return [
        _summary(configuration, selection, {cell: trials.get(cell) for cell in members}, scores, kinds)
        for configuration, members in by_configuration.items()
        for selection, trials in chosen.items()
    ]


def _summary(
    configuration: str,
    selection: str,
    chosen: Mapping[Cell, Trial | None],
    scores: Mapping[str, float],
    kinds: Mapping[str, str],
) -> Summary:
    found: dict[str, list[float]] = defaultdict(list)
    for cell, trial in chosen.items():
        if trial is not None and trial.id in scores:
            found[cell.split].append(scores[trial.id])
    means = {split: statistics.fmean(values) for split, values in found.items()}
    return Summary(
        configuration,
        selection,
        random={split: mean for split, mean in means.items() if kinds[split] == "random"},
        held_out={split: mean for split, mean in means.items() if kinds[split] == "held_out"},
        missing=len(chosen) - sum(map(len, found.values())),
    )
