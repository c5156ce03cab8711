"""<split>_<percent>pc: a random or held-out split with a part of its training samples, and its own val and test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from study.definition import Definition
from study.definition.splits import whole_of_share
from study.splits.parts import Division
from study.splits.units import Units
from trainers.data.split import Split
from trainers.data.table import Samples
from trainers.seeds import generator_for


def share(
    name: str, definition: Definition, samples: Samples, make_split: Callable[[str, Definition, Samples], Split]
) -> Division:
    """Of each class so many percent of the training samples of the whole split; of all, where samples are not divided
    by class. Units stay whole, and a smaller share lies within a larger one. Raises SplitError."""
    of, percent = whole_of_share(name)
    whole = make_split(of, definition, samples)
    trained_on = set(whole.train)
    rows = sorted((row for row in samples.rows if row.id in trained_on), key=lambda row: row.id)
    units = Units.of(samples, definition.splits.unit, rows)
    kept: list[int] = []
    for stratum, members in units.strata(fewest=1).items():
        order = generator_for(definition.seed, of, "shares of training samples", stratum).permutation(len(members))
        in_order = [members[place] for place in order]
        kept += in_order[: _num_kept(units.counts_UC[in_order, 0], percent)]
    val = frozenset(whole.val)
    return Division(frozenset(whole.test), units.ids(kept) | val, val)


def _num_kept(sizes_U: np.ndarray[tuple[int], np.dtype[np.int64]], percent: int) -> int:
    """How many of the first units have the number of samples that is nearest to the share; of equals the more."""
    reached = np.concatenate([[0], np.cumsum(sizes_U)])
    off = np.abs(100 * reached - percent * reached[-1])  # in whole numbers, so that no machine rounds them otherwise
    return int(len(off) - 1 - np.argmin(off[::-1]))
