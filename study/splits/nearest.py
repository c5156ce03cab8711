"""Spreading units over parts so that each part has nearly as many samples of each class as it should.

U units, P parts, C = 1 + classes counts: of all samples, and of those that show each class. All numbers are whole, so
that no machine rounds them otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
MOST_TRIED = 4000
"""Units for which a better place is looked for, and the others with which each could change places."""
MOST_PARTNERS = 256


def spread(counts_UC: Counts, wanted_PC: Counts, draws: np.random.Generator) -> Counts:
    """The part of each unit, shape (U,). The units of rare classes and the large ones are placed first, each where most
    is lacking, then moved and exchanged as long as that helps. Chance decides between equals.

    No part gets more samples than it should as long as the unit fits elsewhere.
    """
    weights_C = 1 + counts_UC[:, 0].sum() // np.maximum(counts_UC.sum(axis=0), 1)
    order = draws.permutation(len(counts_UC))
    order = order[np.argsort(-(counts_UC @ weights_C)[order], kind="stable")]
    part_U = np.zeros(len(counts_UC), np.int64)
    excess_PC = -wanted_PC
    for unit in order:
        count_C = counts_UC[unit]
        excess_after_P = (weights_C * count_C * excess_PC).sum(axis=1)
        fits_P = excess_PC[:, 0] + count_C[0] <= 0
        allowed = np.flatnonzero(fits_P) if fits_P.any() else np.arange(len(wanted_PC))
        part_U[unit] = allowed[np.argmin(excess_after_P[allowed])]
        excess_PC[part_U[unit]] += count_C
    _improve(part_U, excess_PC, counts_UC, weights_C, draws)
    return part_U


def _improve(
    part_U: Counts, excess_PC: Counts, counts_UC: Counts, weights_C: Counts, draws: np.random.Generator
) -> None:
    """Move units, or let two change places, while the sum of weighted squares of the excess falls."""
    are_single = counts_UC[:, 0].max() == 1  # then every part has its number of samples, and keeps it
    for unit in draws.permutation(len(part_U))[:MOST_TRIED]:
        if not excess_PC.any():
            return
        here, count_C = part_U[unit], counts_UC[unit]
        others = draws.permutation(len(part_U))[:MOST_PARTNERS]
        others = others[part_U[others] != here]
        parts = np.array([p for p in range(len(excess_PC)) if p != here and not are_single], np.int64)
        there = np.concatenate([part_U[others], parts])
        back_NC = np.concatenate([counts_UC[others], np.zeros((len(parts), len(count_C)), np.int64)])
        shift_NC = count_C - back_NC  # from here to there
        gain_N = (weights_C * shift_NC * (excess_PC[here] - excess_PC[there] - shift_NC)).sum(axis=1)
        if not len(gain_N) or gain_N.max() <= 0:
            continue
        best = int(np.argmax(gain_N))
        excess_PC[here] -= shift_NC[best]
        excess_PC[there[best]] += shift_NC[best]
        part_U[unit] = there[best]
        if best < len(others):
            part_U[others[best]] = here
