"""fold_<number>: one of k disjoint test sets that together are all samples."""

from __future__ import annotations

import numpy as np

from study.definition import Definition
from study.splits.nearest import spread
from study.splits.parts import Division, SplitError, everything_but
from study.splits.units import Units
from trainers.data.problems import Problem
from trainers.data.table import Samples
from trainers.seeds import generator_for


def fold(name: str, definition: Definition, samples: Samples) -> Division:
    """Tests one part of the samples. Raises SplitError where there are fewer units than folds."""
    splits, number = definition.splits, int(name.removeprefix("fold_"))
    units = Units.of(samples, splits.unit)
    if len(units) < splits.folds:
        of_what = "samples" if splits.unit is None else f"values of {splits.unit}"
        what = f"more folds than {of_what}: set splits.folds to at most {len(units)}"
        raise SplitError([Problem("splits.folds", what, f"{splits.folds} folds, {len(units)} {of_what}")])
    is_dealt = splits.unit is None and samples.is_stratified
    fold_of = (_dealt if is_dealt else _evenly_spread)(units, definition)
    return everything_but(units.ids(np.flatnonzero(fold_of == number).tolist()), samples)


def _dealt(units: Units, definition: Definition) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The fold of each sample: those of a class, shuffled, are dealt out one after the other, then those of the next
    class, so that folds differ by one sample at most, of every class and of all."""
    folds = definition.splits.folds
    order = [
        members[i]
        for stratum, members in units.strata(fewest=1).items()
        for i in generator_for(definition.seed, "folds", folds, stratum).permutation(len(members))
    ]
    fold_of = np.zeros(len(units), np.int64)
    fold_of[order] = np.arange(len(units)) % folds
    return fold_of


def _evenly_spread(units: Units, definition: Definition) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The fold of each unit: every fold gets as many samples, and as many that show each class, as units allow."""
    folds, total = definition.splits.folds, int(units.counts_UC[:, 0].sum())
    wanted_PC = np.zeros((folds, units.counts_UC.shape[1]), np.int64)  # of classes, the same of all: none will do
    wanted_PC[:, 0] = [total // folds + (number < total % folds) for number in range(folds)]
    return spread(units.counts_UC, wanted_PC, generator_for(definition.seed, "folds", folds))
