"""Which trial may start next, and at which point: pure bookkeeping that knows neither Ray nor time.

Any order of completion leads to the same points: a trial starts when all that its suggestion depends on is known.
Handing out and completing take the same short time however many trials there are.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterable, Iterator, Mapping

from study.cells import Cell, Outcome, Trial, cells
from study.definition import Definition
from study.definition.point import Point
from study.halving import DIVERGED, decided, rungs
from study.planning.figures import figures_of
from study.search import needs_results, suggest

_Order = tuple[int, float, str, int, str, str]


class Schedule:
    """The trials that are still to be run, handed out one at a time."""

    def __init__(
        self, definition: Definition, committed: Mapping[Trial, Outcome], only: Collection[Trial] | None = None
    ) -> None:
        """:param only: hand out none but these."""
        self._definition, self._only = definition, only
        self._rungs = rungs(definition)
        self._outcomes: dict[Cell, dict[int | None, dict[int, Outcome]]] = {
            cell: {rung: {} for rung in self._rungs} for cell in cells(definition)
        }
        for trial, outcome in committed.items():
            if trial.cell in self._outcomes and trial.epochs in self._rungs:
                self._outcomes[trial.cell][trial.epochs][trial.index] = outcome
        self._waiting: dict[Cell, set[Trial]] = {cell: set() for cell in self._outcomes}
        self._ready: list[tuple[_Order, Trial]] = []
        self._handed_out: dict[Trial, Point] = {}
        self._resting: set[Cell] = set()
        for cell in self._outcomes:
            self._want_what_is_decided(cell)

    def _want_what_is_decided(self, cell: Cell) -> None:
        """Trials of the cell that are to be run and were not before: all at first, later those that reach a rung."""
        known = self._outcomes[cell]
        objectives = {
            rung: {i: DIVERGED if each.diverged else each.objective for i, each in of.items()}
            for rung, of in known.items()
        }
        new = [
            trial
            for trial in decided(self._definition, cell, objectives)
            if trial.index not in known[trial.epochs]
            and trial not in self._waiting[cell]
            and trial not in self._handed_out
            and (self._only is None or trial in self._only)
        ]
        self._waiting[cell].update(new)
        self._make_ready(trial for trial in new if not self._waits_for_results(trial))
        self._make_next_ready(cell)

    def _waits_for_results(self, trial: Trial) -> bool:
        """A point is chosen once, for the first rung."""
        return trial.epochs == self._rungs[0] and needs_results(self._definition.search, trial.index)

    @property
    def waiting(self) -> tuple[Trial, ...]:
        """Trials not handed out yet, those of resting cells apart."""
        return tuple(trial for cell in self._open_cells() for trial in sorted(self._waiting[cell], key=_place))

    @property
    def exhausted(self) -> bool:
        """Nothing is left to hand out, now or later."""
        return next(self._open_cells(), None) is None

    def next(self) -> tuple[Trial, Point] | None:
        """The next trial that may start and its point; None while all must wait for others (or none is left)."""
        while self._ready:
            _, trial = heapq.heappop(self._ready)
            if trial.cell not in self._resting:
                self._waiting[trial.cell].remove(trial)
                self._handed_out[trial] = self._suggest(trial)
                return trial, self._handed_out[trial]
        return None

    def complete(
        self, trial: Trial, objective: float | None, cost: float | None = None, *, diverged: bool = False
    ) -> None:
        """The trial has a result: its objective, if it has one, and its cost, if that counts."""
        known = self._outcomes[trial.cell][trial.epochs]
        known[trial.index] = Outcome(self._handed_out.pop(trial), objective, cost, diverged)
        if trial.epochs is not None and self._rung_is_complete(trial.cell):
            self._want_what_is_decided(trial.cell)
        self._make_next_ready(trial.cell)

    def _rung_is_complete(self, cell: Cell) -> bool:
        """Nothing of the cell is to be run before the next rung is decided. (There may be results of more trials than
        halving has chosen: somebody may have run one by itself.)"""
        return not self._waiting[cell] and all(trial.cell != cell for trial in self._handed_out)

    def put_back(self, trial: Trial) -> None:
        """The trial was handed out and has no result yet: it is to be handed out again."""
        del self._handed_out[trial]
        self._waiting[trial.cell].add(trial)
        self._make_ready([trial])

    def rest(self, cell: Cell) -> None:
        """The machinery could not run a trial of this cell: none of its further trials is handed out in this run."""
        self._resting.add(cell)

    def _open_cells(self) -> Iterator[Cell]:
        return (cell for cell, waiting in self._waiting.items() if waiting and cell not in self._resting)

    def _make_next_ready(self, cell: Cell) -> None:
        """Beyond the start-up points a trial may start once all earlier ones of its cell have a result."""
        known = self._outcomes[cell][self._rungs[0]]
        first = min(self._waiting[cell], default=None, key=_place)
        if first and self._waits_for_results(first) and all(earlier in known for earlier in range(first.index)):
            self._make_ready([first])

    def _make_ready(self, trials: Iterable[Trial]) -> None:
        for trial in trials:
            heapq.heappush(self._ready, (self._start_order(trial), trial))

    def _suggest(self, trial: Trial) -> Point:
        known = self._outcomes[trial.cell][self._rungs[0]]
        if trial.epochs != self._rungs[0]:
            return known[trial.index].point
        needed = range(trial.index) if needs_results(self._definition.search, trial.index) else ()
        earlier = [known[index] for index in needed]
        return suggest(self._definition, trial.cell, trial.index, earlier)

    def _start_order(self, trial: Trial) -> _Order:
        """The costly networks first: a long trial that starts last keeps the whole cluster waiting."""
        cell = trial.cell
        gflops = figures_of(self._definition.network(cell.model).make).cost.gflops
        return trial.index, -gflops, cell.model, cell.seed, cell.split, cell.loss


def _place(trial: Trial) -> tuple[float, int]:
    """In its cell: rung by rung."""
    return trial.epochs or math.inf, trial.index
