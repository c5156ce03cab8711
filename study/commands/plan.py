"""`study plan`: what a definition asks for, what of it is done, and what the rest will take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from study.cells import Cell, Trial, cells
from study.data_set import data_set_of
from study.definition import Definition
from study.halving import decided_trials, undecided_trials
from study.outside import outside_of
from study.planning.capacity import Forecast, forecast, this_machine
from study.planning.cost import Estimate, Factors, estimate, images_to_train_on
from study.prepare import Inputs
from study.results import Results
from study.results.committed import check_same_inputs, objectives, refuse_foreign_files
from study.results.digests import Row
from study.results.kept import missing, read_committed
from study.splits import make_splits, split_notes


@dataclass(frozen=True)
class Plan:
    """What a definition asks for, and how much of it OUT holds."""

    definition: Definition
    trials: tuple[Trial, ...]
    committed: Mapping[Trial, Row]
    estimate: Estimate
    notes: tuple[str, ...] = ()
    """What should be known of the splits, in sentences."""

    @property
    def missing(self) -> list[Trial]:
        return missing(self.trials, self.committed)

    @property
    def num_undecided(self) -> int:
        """Trials of which it is not decided yet, by halving, which they are."""
        return len(undecided_trials(self.definition, objectives(self.committed)))

    def in_lines(self) -> list[str]:
        """A heading, and for every cell the indices of its trials that are done, and of those that are missing."""
        rows, planned = [("cell", "done", "missing")], defaultdict[Cell, list[Trial]](list)
        for trial in self.trials:
            planned[trial.cell].append(trial)
        for cell, trials in planned.items():
            done, missing = ([t for t in trials if (t in self.committed) == is_done] for is_done in (True, False))
            rows.append((cell.id, _ranges(done), _ranges(missing)))
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        return [f"{cell:{widths[0]}} {done:{widths[1]}} {missing}" for cell, done, missing in rows]

    def to_json(self) -> dict[str, Any]:
        """Every trial with its state, and the estimate."""
        trials = [{"trial": t.id, "state": "done" if t in self.committed else "missing"} for t in self.trials]
        counted = {"cells": len(cells(self.definition)), "trials": trials, "notes": self.notes}
        counted |= {"undecided": self.num_undecided}
        return {**counted, **asdict(self.estimate), "seconds": self.estimate.seconds}


def plan(definition: Definition, out: str, calibrated: Factors = MappingProxyType({})) -> Plan:
    """Every trial of the study, done or missing, and an estimate of the cost. Trains nothing, writes nothing,
    and imports no network.

    Raises StudyError where `run` would for what OUT holds, the data set, the splits, or a module that is not there.
    """
    outside, data = outside_of(definition), data_set_of(definition)
    samples = data.samples()
    splits = make_splits(definition, samples)
    results = Results(out)
    refuse_foreign_files(results)
    committed = read_committed(results, definition).rows
    if committed:  # to read the whole data set takes a while
        check_same_inputs(results, Inputs(definition, splits, data.fingerprint(), outside), committed)
    planned = decided_trials(definition, objectives(committed))
    ahead = [*missing(planned, committed), *undecided_trials(definition, objectives(committed))]
    cost = estimate(definition, ahead, committed, images_to_train_on(splits), calibrated)
    notes = split_notes(splits.values(), definition, samples)
    return Plan(definition, planned, committed, cost, tuple(notes))


def plan_here(planned: Plan) -> Forecast:
    """What the missing trials will take on this machine. Raises StudyError if it holds no trial of some network."""
    return forecast(planned.definition, [this_machine()], planned.estimate.seconds_of)


def plan_cluster(planned: Plan, cluster_file: str) -> Forecast | None:
    """What the missing trials will take on the cluster of a file; None where it does not say which machines.

    Raises StudyError with every problem of the file, or if a trial fits on none of its machines.
    """
    from study.cluster import check_cluster_file  # ray takes a second to import: only for those who ask

    machines = check_cluster_file(cluster_file)
    if not machines:
        return None
    return forecast(planned.definition, machines, planned.estimate.seconds_of)


def _ranges(trials: Sequence[Trial]) -> str:
    """Trials of a cell as `t00-t07, t09`; those of a rung as `t00-t07 to epoch 4`."""
    runs: list[list[Trial]] = []
    for trial in trials:
        if runs and (trial.index, trial.epochs) == (runs[-1][-1].index + 1, runs[-1][-1].epochs):
            runs[-1].append(trial)
        else:
            runs.append([trial])
    return ", ".join(
        f"t{run[0].index:02d}"
        + (f"-t{run[-1].index:02d}" if len(run) > 1 else "")
        + (f" to epoch {run[0].epochs}" if run[0].epochs else "")
        for run in runs
    )
