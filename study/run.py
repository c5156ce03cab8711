"""The public functions behind the commands `run`, `plan`, `status` and `trial`."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from study.cells import Cell, Outcome, Point, Trial, cells, parse_trial, trials
from study.committed import Row, check_same_inputs, missing, outcomes, read_committed
from study.cost import Estimate, estimate
from study.definition import Definition, parse
from study.errors import StudyError
from study.prepare import catalogue_of, prepare
from study.progress import SECONDS_BETWEEN_HEARTBEATS, Progress
from study.results import CIRCUMSTANCES, DEFINITION_FILE, RUN_FILE, Results
from study.splits import make_splits
from study.summary import Scores, summarise
from trainers.split import Split

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
    """What a run leaves: the scores, and which cells could not be run."""

    scores: list[Scores]
    resting: Mapping[str, str]  # cell -> reason
    failed: Mapping[str, str]  # trial -> reason; results, too


def plan(definition: Definition, out: str) -> Plan:
    """Every trial of the study, done or missing, and an estimate of the cost. Trains nothing, writes nothing."""
    catalogue = catalogue_of(definition)
    splits = make_splits(definition, catalogue)
    committed = read_committed(Results(out), definition)
    planned = trials(definition)
    cost = estimate(definition, missing(planned, committed), committed, _num_train(splits))
    return Plan(definition, planned, committed, cost)


def _num_train(splits: Mapping[str, Split]) -> dict[str, int]:
    return {name: len(split.train) for name, split in splits.items()}


def run(definition: Definition, out: str, watch: Watch, address: str | None = None, ray_log: bool = False) -> Finished:
    """Run what is missing of the study at OUT, on the cluster at `address` or on this machine.

    Raises StudyError before anything is written if the data, the definition or OUT do not allow it.
    """
    study = prepare(definition)
    results = Results(out)
    committed = read_committed(results, definition)
    check_same_inputs(results, study, committed)
    results.write_text(DEFINITION_FILE, definition.to_toml())
    results.sweep()
    progress = Progress.of(definition, committed, _num_train(study.splits))
    if missing(trials(definition), committed):
        if address is None:  # Ray's only way to listen on loopback alone; it reads this when it is imported
            os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        from study.cluster import run_schedule  # ray and torch take seconds to import: not before they are needed
        from study.schedule import Schedule

        watch = _with_heartbeat(watch, results)
        try:
            run_schedule(study, Schedule(definition, outcomes(committed)), results, progress, watch, address, ray_log)
        except BaseException:
            progress.state = "interrupted"
            raise
        else:
            progress.state = "incomplete" if progress.resting else "finished"
        finally:
            progress.running.clear()
            results.write_text(RUN_FILE, progress.to_json())
    return finished(definition, results, progress.resting)


def _with_heartbeat(watch: Watch, results: Results) -> Watch:
    """Also keep OUT/run.json fresh, for `study status` from elsewhere."""
    written = 0.0

    def watch_and_write(progress: Progress, line: str | None) -> None:
        nonlocal written
        if progress.updated - written >= SECONDS_BETWEEN_HEARTBEATS:
            written = progress.updated
            results.write_text(RUN_FILE, progress.to_json())
        watch(progress, line)

    return watch_and_write


def finished(definition: Definition, results: Results, resting: Mapping[str, str]) -> Finished:
    """The scores of what is committed."""
    committed = read_committed(results, definition)
    failed = {trial.id: row["error"] for trial, row in committed.items() if row["status"] == "failed"}
    return Finished(summarise(cells(definition), committed, results.read("dice")), resting, failed)


@dataclass(frozen=True)
class Status:
    """Where the study at OUT stands, by OUT alone."""

    definition: Definition
    trials: tuple[Trial, ...]
    committed: Mapping[Trial, Row]
    progress: Progress | None  # of the newest run; None if there was none, or nothing was left for it to do

    @property
    def missing(self) -> list[Trial]:
        return missing(self.trials, self.committed)

    @property
    def failed(self) -> dict[Trial, str]:
        return {trial: row["error"] for trial, row in self.committed.items() if row["status"] == "failed"}


def status(out: str) -> Status:
    """Done, failed and missing trials of the study at OUT, and what its driver last said of itself."""
    results = Results(out)
    definition = kept_definition(results)
    told = results.read_text(RUN_FILE)
    try:
        progress = Progress.from_json(told) if told else None
    except (ValueError, AttributeError) as error:
        raise StudyError(f"{out}/{RUN_FILE}: not written by a run of a study; remove it ({error})") from None
    return Status(definition, trials(definition), read_committed(results, definition), progress)


def kept_definition(results: Results) -> Definition:
    """The definition in OUT/study.toml. Raises StudyError if OUT is no study."""
    text = results.read_text(DEFINITION_FILE)
    if text is None:
        raise StudyError(f"{results.out} holds no study: there is no {DEFINITION_FILE} in it")
    try:
        return parse(tomllib.loads(text), f"{results.out}/{DEFINITION_FILE}")
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{results.out}/{DEFINITION_FILE}: not valid TOML: {error}") from None


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
    results = Results(out) if out else None
    committed = read_committed(results, definition) if results else {}
    if results:
        check_same_inputs(results, study, committed)
    point = _point_of(wanted, definition, outcomes(committed))

    from study.trial import run_trial

    tables = run_trial(study, wanted, point, on_epoch)
    if results is None:
        return TrialRun(tables, "not kept", [])
    if wanted in committed:
        differing = _differing_columns(tables, results, trial_id)
        return TrialRun(tables, "differs" if differing else "reproduced", differing)
    if results.read_text(DEFINITION_FILE) is None:
        results.write_text(DEFINITION_FILE, definition.to_toml())
    results.commit(tables)
    return TrialRun(tables, "committed", [])


def _definition_of_one(cell: Cell, definition: Definition, source: str) -> Definition:
    """The definition with a grid of this cell alone. Raises StudyError if it names a network, loss or split amiss."""
    grid = {"models": (cell.model,), "losses": (cell.loss,), "splits": (cell.split,), "seeds": (cell.seed,)}
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
    return suggest(
        definition.search, definition.seed, wanted.cell, wanted.index, [known[t] for t in earlier if t in known]
    )


def _differing_columns(tables: Mapping[str, pa.Table], results: Results, trial_id: str) -> list[str]:
    differing = []
    for name, ours in tables.items():
        theirs = results.read_trial(name, trial_id)
        compared = [column for column in ours.column_names if column not in CIRCUMSTANCES.get(name, ())]
        differing += [f"{name}.{column}" for column in compared if not ours[column].equals(theirs[column])]
    return differing
