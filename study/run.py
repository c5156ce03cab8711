"""The public functions behind the commands `run`, `plan`, `status` and `trial`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from study.cells import Cell, Outcome, Trial, cells, parse_trial, trials
from study.data_set import samples_of
from study.definition import Definition
from study.definition.file import parse
from study.definition.point import Point
from study.errors import StudyError
from study.planning.capacity import Forecast, forecast, this_machine
from study.planning.cost import Estimate, Factors, estimate, images_to_train_on
from study.prepare import Prepared, prepare
from study.progress import Progress
from study.results import DEFINITION_FILE, Results
from study.results.claim import claimed, living_driver
from study.results.committed import check_same_inputs, outcomes, refuse_foreign_files
from study.results.digests import Row
from study.results.kept import Committed, kept_definition, missing, read_committed
from study.results.schemas import CIRCUMSTANCES
from study.results.unfinished import Unfinished, read_unfinished
from study.session import last_progress, run_all
from study.splits import make_splits
from study.terminal.summary import Scores, summarise

if TYPE_CHECKING:
    from study.cluster import Watch
    from trainers.outcome import Epoch


@dataclass(frozen=True)
class Plan:
    """What a definition asks for, and how much of it OUT holds."""

    definition: Definition
    trials: tuple[Trial, ...]
    committed: Mapping[Trial, Row]
    estimate: Estimate

    @property
    def missing(self) -> list[Trial]:
        return missing(self.trials, self.committed)


@dataclass(frozen=True)
class Finished:
    """What a run leaves: the scores, and what it could not finish."""

    scores: list[Scores]
    unfinished: Mapping[str, str]  # trial -> why the machinery could not finish it
    failed: Mapping[str, str]  # trial -> why it diverged; a result, too
    progress: Progress | None = None  # of the run, if it had something to do


def plan(definition: Definition, out: str, calibrated: Factors = MappingProxyType({})) -> Plan:
    """Every trial of the study, done or missing, and an estimate of the cost. Trains nothing, writes nothing."""
    splits = make_splits(definition, samples_of(definition))
    results = Results(out)
    refuse_foreign_files(results)
    committed = read_committed(results, definition).rows
    planned = trials(definition)
    cost = estimate(definition, missing(planned, committed), committed, images_to_train_on(splits), calibrated)
    return Plan(definition, planned, committed, cost)


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


def run(
    definition: Definition,
    out: str,
    watch: Watch,
    address: str | None = None,
    *,
    ray_log: bool = False,
    retry_failed: bool = False,
) -> Finished:
    """Run what is missing of the study at OUT, on the cluster at `address` or on this machine.

    :param retry_failed: of what is missing, only the trials that the machinery could not finish before.
    :raises StudyError: before anything is written, if the data, the definition, OUT or the cluster do not allow it.
    """
    return run_prepared(prepare(definition), out, watch, address, ray_log=ray_log, retry_failed=retry_failed)


def run_prepared(
    study: Prepared,
    out: str,
    watch: Watch,
    address: str | None = None,
    *,
    ray_log: bool = False,
    retry_failed: bool = False,
) -> Finished:
    """The same for a study whose samples come from any source: see `prepare.prepared`."""
    definition, results = study.definition, Results(out)
    refuse_foreign_files(results)
    progress = Progress.of(definition, {}, images_to_train_on(study.splits))
    with claimed(results, lambda line: watch(progress, line)) as claim:
        committed = read_committed(results, definition)
        check_same_inputs(results, study, committed.rows)
        todo = _todo(definition, results, committed, retry_failed)
        progress = Progress.of(definition, committed.rows, images_to_train_on(study.splits))
        if not todo:
            results.write_text(DEFINITION_FILE, definition.to_toml())
            return finished(definition, results, committed.rows)
        for damaged, what in committed.damaged.items():
            watch(progress, f"{damaged.id} is made again: {what}")
        cost = estimate(definition, todo, committed.rows, images_to_train_on(study.splits))
        run_all(study, results, claim, committed.rows, todo, cost, progress, watch, address, ray_log=ray_log)
        return replace(finished(definition, results, given_up=progress.given_up), progress=progress)


def _todo(definition: Definition, results: Results, committed: Committed, retry_failed: bool) -> list[Trial]:
    todo = missing(trials(definition), committed.rows)
    if not retry_failed:
        return todo
    unfinished = read_unfinished(results, {trial.id for trial in committed.rows})
    return [trial for trial in todo if trial.id in unfinished]


def finished(
    definition: Definition,
    results: Results,
    known: Mapping[Trial, Row] | None = None,
    given_up: Mapping[str, str] = MappingProxyType({}),
) -> Finished:
    """The scores of what is committed (read anew unless it is `known`), and what is not.

    :param given_up: trial -> reason, of this run: a full disk may have left no room to note it in OUT.
    """
    committed = read_committed(results, definition).rows if known is None else known
    failed = {trial.id: row["error"] for trial, row in committed.items() if row["status"] == "failed"}
    noted = read_unfinished(results, {trial.id for trial in committed})
    unfinished = {**given_up, **{name: each.in_words for name, each in noted.items()}}
    return Finished(
        summarise(cells(definition), committed, lambda trial_ids: results.read("dice", trial_ids)), unfinished, failed
    )


@dataclass(frozen=True)
class Status:
    """Where the study at OUT stands, by OUT alone."""

    definition: Definition
    trials: tuple[Trial, ...]
    committed: Mapping[Trial, Row]
    unfinished: Mapping[str, Unfinished]
    progress: Progress | None  # of the newest run; None if there was none, or nothing was left for it to do
    damaged: Mapping[Trial, str]  # of the missing ones: which file is lost or altered
    alive: bool  # a run is at work

    @property
    def missing(self) -> list[Trial]:
        return missing(self.trials, self.committed)

    @property
    def failed(self) -> dict[Trial, str]:
        return {trial: row["error"] for trial, row in self.committed.items() if row["status"] == "failed"}


def status(out: str) -> Status:
    """Done, failed and missing trials of the study at OUT, and what its driver last said of itself."""
    results = Results(out)
    if results.read_text(DEFINITION_FILE) is None and (driver := living_driver(results)):
        raise StudyError(f"{results.out}: {driver.in_words} is just starting; ask again in a moment")
    definition = kept_definition(results)
    committed = read_committed(results, definition)
    unfinished = read_unfinished(results, {trial.id for trial in committed.rows})
    progress, alive = last_progress(results), living_driver(results) is not None
    return Status(definition, trials(definition), committed.rows, unfinished, progress, committed.damaged, alive)


@dataclass(frozen=True)
class TrialRun:
    """One trial, run in this process."""

    tables: dict[str, pa.Table]
    outcome: str  # committed, not kept, reproduced, differs
    differing: list[str]  # columns, `table.column`, in which OUT's committed trial differs from this run of it


def trial(
    trial_id: str, definition: Definition, out: str | None, on_epoch: Callable[[Epoch], None] = lambda epoch: None
) -> TrialRun:
    """Run one trial here, without Ray. With OUT it is committed, or, if OUT holds it already, compared bit for bit.

    Raises StudyError if the search needs earlier trials of its cell and OUT does not have them.
    """
    wanted = parse_trial(trial_id)
    study = prepare(_definition_of_one(wanted.cell, definition, trial_id))
    results = None if out is None else Results(out)
    committed = Committed({}, {})
    if results:
        refuse_foreign_files(results)
        committed = read_committed(results, definition)
        check_same_inputs(results, study, committed.rows)
        _refuse_another_definition(results, definition)
    point = _point_of(wanted, definition, outcomes(committed.rows))

    from study.trial import run_trial

    tables = run_trial(study, wanted, point, on_epoch)
    if results is None:
        return TrialRun(tables, "not kept", [])
    if wanted in committed.damaged:
        return TrialRun(tables, "differs", _differing_columns(tables, results, trial_id) or [committed.damaged[wanted]])
    if wanted in committed.rows:
        differing = _differing_columns(tables, results, trial_id)
        return TrialRun(tables, "differs" if differing else "reproduced", differing)
    _refuse_another_definition(results, definition)  # again: a training may take hours, and others write there, too
    if results.read_text(DEFINITION_FILE) is None:
        results.write_text(DEFINITION_FILE, definition.to_toml())
    results.commit(tables)
    return TrialRun(tables, "committed", [])


def _refuse_another_definition(results: Results, definition: Definition) -> None:
    """Raises StudyError if OUT's definition, of which no trial may be there yet, has another recipe."""
    if results.read_text(DEFINITION_FILE) is None:
        return
    if kept_definition(results).recipe_digest() != definition.recipe_digest():
        raise StudyError(f"{results.out}/{DEFINITION_FILE} has another recipe than this definition: use another --out")


def _definition_of_one(cell: Cell, definition: Definition, source: str) -> Definition:
    """The definition with a grid of this cell alone. Raises StudyError if it names a network, loss or split amiss."""
    models = tuple(dict.fromkeys((*definition.grid.models, cell.model)))  # which may take keys that others do not
    grid = {"models": models, "losses": (cell.loss,), "splits": (cell.split,), "seeds": (cell.seed,)}
    return parse(definition.model_dump(exclude_none=True) | {"grid": grid}, source)


def _point_of(wanted: Trial, definition: Definition, known: Mapping[Trial, Outcome]) -> Point:
    from study.search import needs_results, suggest

    earlier = [Trial(wanted.cell, index) for index in range(wanted.index)]
    absent = [t.id for t in earlier if t not in known] if needs_results(definition.search, wanted.index) else []
    if absent:
        raise StudyError(
            f"{wanted.id} was chosen by the search, from the results of its cell's earlier trials, and --out has no "
            f"{absent[0]}; run the study, or those trials, first"
        )
    return suggest(definition, wanted.cell, wanted.index, [known[t] for t in earlier if t in known])


def _differing_columns(tables: Mapping[str, pa.Table], results: Results, trial_id: str) -> list[str]:
    differing = []
    for name, ours in tables.items():
        try:
            theirs = results.read_trial(name, trial_id)
        except StudyError:
            differing.append(f"{name} (lost or torn)")
            continue
        compared = [column for column in ours.column_names if column not in CIRCUMSTANCES.get(name, ())]
        differing += [f"{name}.{column}" for column in compared if not _is_same(column, ours, theirs)]
    return differing


def _is_same(column: str, ours: pa.Table, theirs: pa.Table) -> bool:
    return column in theirs.column_names and ours[column].equals(theirs[column])
