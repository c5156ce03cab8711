"""Which trial of a cell is the tuned one: the same rule for the tables of a run and for the analysis."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from typing import TypeVar

AnyCell = TypeVar("AnyCell", bound=Hashable)
COSTS = {"gflops": "gflops", "parameters": "parameters", "latency": "latency_ms_median"}
"""What a search may minimise beside -> the column of `trials` that says it."""


def cost_column(objectives: Iterable[str]) -> str | None:
    """Of the cost among a search's objectives; None if it goes by the Dice alone."""
    return next((COSTS[each] for each in objectives if each in COSTS), None)


def best_by_validation(
    trials: Iterable[tuple[AnyCell, int, float | None, float | None]], within: float = 0.0
) -> dict[AnyCell, int]:
    """The index of each cell's tuned trial: of those whose validation objective is within so much of the cell's
    highest, the cheapest; of equally cheap ones the one with the highest objective; of equals the first.

    It never sees test scores. Cells in which no trial has an objective (None or NaN: it failed) are left out.

    :param trials: cell, index, objective and cost of each trial, in any order; where costs do not count, None.
    """
    of_cells: dict[AnyCell, list[tuple[float, float, int]]] = {}
    for cell, index, objective, cost in trials:
        if objective is not None and not math.isnan(objective):
            of_cells.setdefault(cell, []).append((cost or 0.0, -objective, index))
    return {
        cell: int(min(each for each in judged if each[1] <= min(of[1] for of in judged) + within)[2])
        for cell, judged in of_cells.items()
    }
