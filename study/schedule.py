"""Which trial may start next, and at which point: pure bookkeeping that knows neither Ray nor time.

Any order of completion leads to the same points: a trial starts when all that its suggestion depends on is known.
Handing out and completing take the same short time however many trials there are.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping

from study.cells import Cell, Outcome, Trial, cells
from study.definition import Definition
from study.definition.point import Point
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
        self._outcomes: dict[Cell, dict[int, Outcome]] = {cell: {} for cell in cells(definition)}
        for trial, outcome in committed.items():
            if trial.cell in self._outcomes:
                self._outcomes[trial.cell][trial.index] = outcome
        self._waiting = {cell: self._missing(cell) for cell in self._outcomes}
        self._ready: list[tuple[_Order, Trial]] = []
        for cell, indices in self._waiting.items():
            self._make_ready([index for index in indices if not needs_results(definition.search, index)], cell)
            self._make_next_ready(cell)
        self._handed_out: dict[Trial, Point] = {}
        self._resting: set[Cell] = set()

    def _missing(self, cell: Cell) -> set[int]:
        missing = {index for index in range(self._definition.search.trials) if index not in self._outcomes[cell]}
        return missing if self._only is None else {index for index in missing if Trial(cell, index) in self._only}

    @property
    def waiting(self) -> tuple[Trial, ...]:
        """Trials not handed out yet, those of resting cells apart."""
        return tuple(Trial(cell, index) for cell in self._open_cells() for index in sorted(self._waiting[cell]))

    @property
    def exhausted(self) -> bool:
        """Nothing is left to hand out, now or later."""
        return next(self._open_cells(), None) is None

    def next(self) -> tuple[Trial, Point] | None:
        """The next trial that may start and its point; None while all must wait for others (or none is left)."""
        while self._ready:
            _, trial = heapq.heappop(self._ready)
            if trial.cell not in self._resting:
                self._waiting[trial.cell].remove(trial.index)
                self._handed_out[trial] = self._suggest(trial)
                return trial, self._handed_out[trial]
        return None

    def complete(self, trial: Trial, objective: float | None) -> None:
        """The trial has a result: its objective, or None where it diverged."""
        self._outcomes[trial.cell][trial.index] = Outcome(self._handed_out.pop(trial), objective)
        self._make_next_ready(trial.cell)

    def put_back(self, trial: Trial) -> None:
        """The trial was handed out and has no result yet: it is to be handed out again."""
        del self._handed_out[trial]
        self._waiting[trial.cell].add(trial.index)
        self._make_ready([trial.index], trial.cell)

    def rest(self, cell: Cell) -> None:
        """The machinery could not run a trial of this cell: none of its further trials is handed out in this run."""
        self._resting.add(cell)

    def _open_cells(self) -> Iterator[Cell]:
        return (cell for cell, indices in self._waiting.items() if indices and cell not in self._resting)

    def _make_next_ready(self, cell: Cell) -> None:
        """Beyond the start-up points a trial may start once all earlier ones of its cell have a result."""
        index, known = min(self._waiting[cell], default=0), self._outcomes[cell]
        if needs_results(self._definition.search, index) and all(earlier in known for earlier in range(index)):
            self._make_ready([index], cell)

    def _make_ready(self, indices: Iterable[int], cell: Cell) -> None:
        for index in indices:
            heapq.heappush(self._ready, (self._start_order(Trial(cell, index)), Trial(cell, index)))

    def _suggest(self, trial: Trial) -> Point:
        known = self._outcomes[trial.cell]
        needed = range(trial.index) if needs_results(self._definition.search, trial.index) else ()
        earlier = [known[index] for index in needed]
        return suggest(self._definition, trial.cell, trial.index, earlier)

    def _start_order(self, trial: Trial) -> _Order:
        """The costly networks first: a long trial that starts last keeps the whole cluster waiting."""
        cell = trial.cell
        gflops = figures_of(self._definition.network(cell.model).make).cost.gflops
        return trial.index, -gflops, cell.model, cell.seed, cell.split, cell.loss
