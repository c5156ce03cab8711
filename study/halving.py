"""Synchronous successive halving inside a cell (Jamieson and Talwalkar 2016, arXiv 1502.07943; Karnin et al. 2013).

All trials of a cell are trained for the epochs of the first rung, the best of them to the second, and so on; the last
rung is the whole training. Who goes on is decided from committed rows alone, when all of a rung are there, so that it
does not depend on workers, on the order in which they end, or on how often the study was interrupted. A trial that goes
on has the bits of one that was trained so far from the start.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from study.cells import Cell, Trial, cells
from study.definition import Definition
from trainers.printable import in_percent

Objectives = Mapping[int, float | None]
"""Index of a trial -> its validation objective at a rung; None where no validation sample shows a class."""
_Rung = tuple[Cell, int | None]
DIVERGED = -math.inf
"""Stands for the objective of a trial that diverged: trained further it would diverge at the same step again."""


def rungs(definition: Definition) -> tuple[int | None, ...]:
    """The epochs of every rung, as `Trial.epochs` has them: the last is None, the whole training."""
    halving = definition.search.halving
    return (*halving.rungs[:-1], None) if halving else (None,)


def sizes(definition: Definition) -> list[int]:
    """Trials of a cell at every rung, at most: fewer where some have diverged."""
    search = definition.search
    return search.halving.sizes(search.trials) if search.halving else [search.trials]


def going_on(objectives: Objectives, number: int) -> list[int]:
    """The indices that reach the next rung, in their order: the default point, which what is found is compared with,
    and the best of the others, of equals the first; none that diverged."""

    def rank(index: int) -> tuple[bool, bool, float, int]:
        objective = objectives[index]
        return index != 0, objective is None, -(objective or 0.0), index

    alive = [index for index, objective in objectives.items() if objective != DIVERGED]
    return sorted(sorted(alive, key=rank)[:number])


def decided(definition: Definition, cell: Cell, objectives: Mapping[int | None, Objectives]) -> list[Trial]:
    """All trials of a cell that are known to be wanted: a rung's once the one below is complete.

    :param objectives: of each rung that has some, by its epochs.
    """
    wanted, found = list(range(definition.search.trials)), []
    for rung, size in zip(rungs(definition), [*sizes(definition)[1:], 0], strict=True):
        found += [Trial(cell, index, rung) for index in wanted]
        known = objectives.get(rung, {})
        if not all(index in known for index in wanted):
            break
        wanted = going_on({index: known[index] for index in wanted}, size)
    return found


def decided_trials(definition: Definition, objectives: Mapping[Trial, float | None]) -> tuple[Trial, ...]:
    """Of the study, cell by cell; without halving every trial.

    :param objectives: of the trials that have a result.
    """
    by_cell: dict[Cell, dict[int | None, dict[int, float | None]]] = {}
    for trial, objective in objectives.items():
        by_cell.setdefault(trial.cell, {}).setdefault(trial.epochs, {})[trial.index] = objective
    return tuple(trial for cell in cells(definition) for trial in decided(definition, cell, by_cell.get(cell, {})))


def undecided_trials(definition: Definition, objectives: Mapping[Trial, float | None]) -> list[Trial]:
    """As many as are still to be decided upon, rung by rung, for planning: which they will be is not known, and they
    are fewer if more diverge.

    :param objectives: of the trials that have a result.
    """
    if definition.search.halving is None:
        return []
    known, diverged, expected = Counter[_Rung](), Counter[_Rung](), list[Trial]()
    for trial in decided_trials(definition, objectives):
        known[trial.cell, trial.epochs] += 1
        diverged[trial.cell, trial.epochs] += objectives.get(trial) == DIVERGED
    for cell in cells(definition):
        alive = definition.search.trials
        for rung, size in zip(rungs(definition), sizes(definition), strict=True):
            if not known[cell, rung]:
                expected += [Trial(cell, index, rung) for index in range(min(size, alive))]
            alive = (known[cell, rung] or min(size, alive)) - diverged[cell, rung]
    return expected


def ended_before(definition: Definition, trial: Trial, objectives: Mapping[Trial, float | None]) -> bool:
    """Whether it is decided that the training of a trial ends at an earlier rung: the trial is none of the study.

    :param objectives: of the trials that have a result.
    """
    of_cell = {known: objective for known, objective in objectives.items() if known.cell == trial.cell}
    found = [each for each in decided_trials(definition, of_cell) if each.cell == trial.cell]
    for rung in rungs(definition)[: rungs(definition).index(trial.epochs) + 1]:
        going_so_far = {each.index for each in found if each.epochs == rung}
        if going_so_far and trial.index not in going_so_far:
            return True
    return any(of_cell.get(each) == DIVERGED for each in found if each.index == trial.index and each != trial)


def epochs_of_a_cell(definition: Definition) -> int:
    """That halving trains in all of a cell's trials together, each rung going on where the last ended."""
    ends = [rung or definition.training.epochs for rung in rungs(definition)]
    new = [end - before for before, end in zip([0, *ends], ends, strict=False)]
    return sum(size * epochs for size, epochs in zip(sizes(definition), new, strict=True))


def num_trials(definition: Definition) -> int:
    """Of the whole study: rows that there will be, those of rungs included."""
    return len(cells(definition)) * sum(sizes(definition))


def halving_in_words(definition: Definition) -> str | None:
    """How many of a cell's trainings go on after which epoch, and what that saves; None without halving."""
    if definition.search.halving is None:
        return None
    first, *later = sizes(definition)
    ends = [rung for rung in rungs(definition) if rung is not None]
    steps = ", ".join(f"{size} after epoch {end}" for end, size in zip(ends, later, strict=True))
    taken, whole = epochs_of_a_cell(definition), first * definition.training.epochs
    return (
        f"Successive halving: of {first} trainings in a cell go on {steps}. That is {taken:,} epochs in place of "
        f"{whole:,}, {in_percent(1 - taken / whole)} fewer. (A training counts as a trial at each of these "
        "epochs, and at its end.)"
    )


def new_epochs_of(definition: Definition, trial: Trial) -> int | None:
    """Epochs of a trial that no rung below has trained; without halving None: all of its recipe's."""
    if definition.search.halving is None:
        return None
    end = trial.epochs or definition.training.epochs
    return end - max((rung for rung in rungs(definition) if rung is not None and rung < end), default=0)
