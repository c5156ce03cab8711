"""The grid as plain data: a cell is (model, loss, split, seed), a trial is a cell and its index."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from functools import cached_property, total_ordering
from typing import NamedTuple

from study.definition import Definition
from study.definition.parts import is_plain_name
from study.definition.point import Point
from study.errors import StudyError
from trainers.names import from_file_names, in_file_names, is_dotted_path

_TRIAL_ID = re.compile(
    r"([^-]+)-([^-]+)-([a-z][a-z0-9_]{0,47})-s([0-9]{1,16})-t([0-9]{2,6})(?:(-refit)?-e([0-9]{1,6}))?"
)


@dataclass(frozen=True, order=True)
class Cell:
    """One search: a network, a loss, a split and a seed."""

    model: str
    loss: str
    split: str
    seed: int

    @cached_property
    def id(self) -> str:
        return f"{in_file_names(self.model)}-{in_file_names(self.loss)}-{self.split}-s{self.seed}"

    @property
    def configuration(self) -> str:
        """What is compared across splits, e.g. `icnet ce_dice`."""
        return f"{self.model} {self.loss}"


@total_ordering
@dataclass(frozen=True)
class Trial:
    """The `index`-th training of a cell; its id, e.g. `icnet-ce-random_3-s0-t04`, is its identity everywhere."""

    cell: Cell
    index: int
    epochs: int | None = None
    """Of a rung of `search.halving` below the last, and of a refit: after so many the training ends. Its id ends with
    them: `-e8`."""
    is_refit: bool = False
    """Trained on all samples at the point of this trial of the cell, which is none of the grid. Its id says so:
    `icnet-ce-random_3-s0-t04-refit-e21`."""

    def __lt__(self, other: Trial) -> bool:
        """By cell and index; the beginnings of a training come before the whole, which has no number of epochs, and
        refits behind it."""
        mine, theirs = ((each.cell, each.index, each.is_refit, each.epochs or math.inf) for each in (self, other))
        return mine < theirs

    @cached_property
    def id(self) -> str:
        return self.whole_id + (f"-e{self.epochs}" if self.epochs else "")

    @property
    def whole_id(self) -> str:
        """Of the whole training, of which a rung is the beginning: it names the draws of both."""
        return f"{self.cell.id}-t{self.index:02d}" + "-refit" * self.is_refit

    @property
    def of_grid(self) -> Trial:
        """The whole training of the grid that a rung begins, or at whose point a refit is trained."""
        return Trial(self.cell, self.index)


class Outcome(NamedTuple):
    """What the search learns of a finished trial; the objective is None where it diverged, too."""

    point: Point
    objective: float | None
    cost: float | None = None
    """By the search's second objective, if it has one."""
    diverged: bool = False


def cells(definition: Definition) -> tuple[Cell, ...]:
    """Every cell of the grid, in the order of the definition."""
    grid = definition.grid
    factors = itertools.product(grid.models, grid.losses, definition.all_splits, grid.seeds)
    return tuple(Cell(*each) for each in factors)


def trials(definition: Definition) -> tuple[Trial, ...]:
    """Every whole training of the study, cell by cell; with halving, those that may come of it."""
    return tuple(Trial(cell, index) for cell in cells(definition) for index in range(definition.search.trials))


def parse_trial(trial_id: str) -> Trial:
    """The trial that an id names. Raises StudyError if it names none."""
    match = _TRIAL_ID.fullmatch(trial_id)
    if match:
        model, loss, split, seed, index, refit, epochs = match.groups()
        cell = Cell(from_file_names(model), from_file_names(loss), split, int(seed))
        trial = Trial(cell, int(index), int(epochs) if epochs else None, is_refit=refit is not None)
        is_canonical = trial.id == trial_id  # else it has a zero too many
        if is_canonical and _is_name(trial.cell.model) and _is_name(trial.cell.loss):
            return trial
    if ":" in trial_id and _TRIAL_ID.fullmatch(in_file_names(trial_id)):
        raise StudyError(f"{trial_id!r} is not a trial's id; ~ stands for the colon in it: {in_file_names(trial_id)}")
    raise StudyError(f"{trial_id!r} is not a trial's id; one looks like icnet-ce-random_3-s0-t04")


def names_a_refit(trial_id: str) -> bool:
    """Whether an id is that of a training on all samples."""
    match = _TRIAL_ID.fullmatch(trial_id)
    return match is not None and match[6] is not None


def _is_name(name: str) -> bool:
    """Whether a network or a loss could be called so."""
    return is_plain_name(name) or is_dotted_path(name)
