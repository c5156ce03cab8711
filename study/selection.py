"""Which trial of a cell is the tuned one: the same rule for the tables of a run and for the analysis."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from typing import TypeVar

AnyCell = TypeVar("AnyCell", bound=Hashable)


def best_by_validation(trials: Iterable[tuple[AnyCell, int, float | None]]) -> dict[AnyCell, int]:
    """The index of each cell's trial with the highest validation objective, the first of equals.

    It never sees test scores. Cells in which no trial has an objective (None or NaN: it failed) are left out.

    :param trials: cell, index and objective of each trial, in any order.
    """
    best: dict[AnyCell, tuple[float, int]] = {}
    for cell, index, objective in trials:
        if objective is None or math.isnan(objective):
            continue
        if cell not in best or (objective, -index) > (best[cell][0], -best[cell][1]):
            best[cell] = objective, index
    return {cell: int(index) for cell, (_, index) in best.items()}
