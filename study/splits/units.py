"""Units: samples that stay together, such as all images of a patient. Without splits.unit each sample is one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from study.definition import Definition
from study.errors import did_you_mean
from trainers.data.problems import Problem
from trainers.data.table import ALL_SAMPLES, Sample, Samples, Value

FEWEST = 3
"""Units, of which one is for training, one for validation and one for testing."""


@dataclass(frozen=True)
class Units:
    """Samples by unit, units and samples in the order of the table."""

    column: str | None
    classes: tuple[str, ...]
    rows: tuple[tuple[Sample, ...], ...]
    """Of each unit."""
    one_class_each: bool
    """Whether every sample of the whole table shows one class."""

    @classmethod
    def of(cls, samples: Samples, column: str | None, rows: Iterable[Sample] | None = None) -> Units:
        """The units of these rows, or of all. With a column, every row has a value in it."""
        by_unit: dict[Value, list[Sample]] = defaultdict(list)
        for row in samples.rows if rows is None else rows:
            by_unit[row.id if column is None else row.values[column]].append(row)
        return cls(column, samples.classes, tuple(map(tuple, by_unit.values())), samples.is_stratified)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def counts_UC(self) -> NDArray[np.int64]:
        """Of each unit (U of them): how many samples it has, and how many show each class (C = 1 + classes)."""
        places = {name: place for place, name in enumerate(self.classes, 1)}
        counts_UC = np.zeros((len(self), 1 + len(self.classes)), np.int64)
        for unit, rows in enumerate(self.rows):
            counts_UC[unit, 0] = len(rows)
            for row in rows:
                for name in row.classes:
                    counts_UC[unit, places[name]] += 1
        return counts_UC

    def strata(self, fewest: int) -> dict[str, list[int]]:
        """The units by class, where every one shows one class and every class has the fewest units that it needs;
        else all as one. Samples that are units of their own need no fewest: a class that has too few is refused."""
        shown = [{name for row in rows for name in row.classes} for rows in self.rows]
        if self.one_class_each and all(len(classes) == 1 for classes in shown):
            by_class: dict[str, list[int]] = defaultdict(list)
            for unit, (name,) in enumerate(shown):
                by_class[name].append(unit)
            if self.column is None or all(len(units) >= fewest for units in by_class.values()):
                return by_class
        return {ALL_SAMPLES: list(range(len(self)))}

    def ids(self, units: Iterable[int]) -> frozenset[str]:
        """Of the samples of these units."""
        return frozenset(row.id for unit in units for row in self.rows[unit])

    def nearest(self, draws: Sequence[list[int]], share: float) -> list[int]:
        """The draw whose samples, and samples of each class, are nearest to a share of all; of equals the first."""
        if len(draws) == 1:
            return draws[0]
        totals = self.counts_UC.sum(axis=0).tolist()

        def distance(draw: list[int]) -> float:
            found = self.counts_UC[draw].sum(axis=0).tolist()
            off = [count / total - share for count, total in zip(found, totals, strict=True) if total]
            return math.fsum(each * each for each in off)

        return min(draws, key=distance)


def unit_problems(definition: Definition, samples: Samples) -> list[Problem]:
    """Why samples cannot be kept together as splits.unit asks for."""
    column = definition.splits.unit
    if column is None:
        return []
    if column not in samples.columns:
        what = f"the samples have no column {column!r} (they have: {', '.join(samples.columns) or 'none'})"
        return [Problem("splits.unit", what + did_you_mean(column, samples.columns))]
    what = f"a sample without {column}, which is splits.unit: give it one"
    if without := [Problem(row.id, what) for row in samples.rows if column not in row.values]:
        return without
    count = len(samples.values(column))
    if count >= FEWEST:
        return []
    what = (
        f"too few to train on, to validate with and to test: that takes {FEWEST} values of {column}. Add samples of "
        "others, or leave splits.unit out"
    )
    return [Problem("splits.unit", what, f"{count} of {column}")]
