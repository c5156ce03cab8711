"""Which trial may start next, and at which point: pure bookkeeping that knows neither Ray nor time.

Any order of completion leads to the same points: a trial starts when all that its suggestion depends on is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from study.cells import Cell, Outcome, Point, Trial, cells
from study.definition import Definition
from study.search import needs_results, suggest

# The costly networks first: a long trial that starts last keeps the whole cluster waiting.
_COST_ORDER = ("unet", "icnet", "icnet_cascade")


class Schedule:
    """The trials that are still to be run, handed out one at a time."""

    def __init__(self, definition: Definition, committed: Mapping[Trial, Outcome]) -> None:
        self._definition = definition
        self._outcomes: dict[Cell, dict[int, Outcome]] = {cell: {} for cell in cells(definition)}
        for trial, outcome in committed.items():
            if trial.cell in self._outcomes:
                self._outcomes[trial.cell][trial.index] = outcome
        self._waiting = sorted(self._missing(), key=_start_order)
        self._handed_out: dict[Trial, Point] = {}
        self._resting: set[Cell] = set()

    def _missing(self) -> Iterable[Trial]:
        for cell, outcomes in self._outcomes.items():
            for index in range(self._definition.search.trials):
                if index not in outcomes:
                    yield Trial(cell, index)

    @property
    def waiting(self) -> tuple[Trial, ...]:
        """Trials not handed out yet, those of resting cells apart."""
        return tuple(trial for trial in self._waiting if trial.cell not in self._resting)

    @property
    def exhausted(self) -> bool:
        """Nothing is left to hand out, now or later."""
        return not self.waiting

    def next(self) -> tuple[Trial, Point] | None:
        """The next trial that may start and its point; None while all must wait for others (or none is left)."""
        for trial in self._waiting:
            if trial.cell in self._resting or not self._ready(trial):
                continue
            self._waiting.remove(trial)
            self._handed_out[trial] = self._suggest(trial)
            return trial, self._handed_out[trial]
        return None

    def complete(self, trial: Trial, objective: float | None) -> None:
        """The trial has a result: its objective, or None where it diverged."""
        self._outcomes[trial.cell][trial.index] = Outcome(self._handed_out.pop(trial), objective)

    def rest(self, cell: Cell) -> None:
        """The machinery could not run a trial of this cell: none of its further trials is handed out in this run."""
        self._resting.add(cell)

    def _ready(self, trial: Trial) -> bool:
        if not needs_results(self._definition.search, trial.index):
            return True
        return all(index in self._outcomes[trial.cell] for index in range(trial.index))

    def _suggest(self, trial: Trial) -> Point:
        known = self._outcomes[trial.cell]
        needed = range(trial.index) if needs_results(self._definition.search, trial.index) else ()
        earlier = [known[index] for index in needed]
        return suggest(self._definition.search, self._definition.seed, trial.cell, trial.index, earlier)


def _start_order(trial: Trial) -> tuple[int, int, int, str, int]:
    cell = trial.cell
    return trial.index, _COST_ORDER.index(cell.model), cell.seed, cell.split, 0 if cell.loss == "ce" else 1
