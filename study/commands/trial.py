"""`study trial`: one trial here, without Ray; or the audit of one that is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from study.cells import Cell, Outcome, Trial, parse_trial, trials
from study.definition import Definition
from study.definition.file import parse
from study.definition.point import Point
from study.errors import StudyError
from study.halving import ended_before, rungs
from study.prepare import prepare
from study.results import DEFINITION_FILE, Results
from study.results.committed import check_same_inputs, objectives, outcomes, refuse_foreign_files
from study.results.digests import Row
from study.results.kept import Committed, kept_definition, read_committed, read_refits
from study.results.schemas import CIRCUMSTANCES
from study.results.weights import Best, keeper
from trainers.dice import class_order

if TYPE_CHECKING:
    from trainers.outcome import Epoch


_FACTORS = ("model", "split", "seed")


@dataclass(frozen=True)
class TrialRun:
    """One trial, run in this process."""

    tables: dict[str, pa.Table]
    outcome: str  # committed, not kept, reproduced, differs
    differing: list[str]  # columns, `table.column`, in which OUT's committed trial differs from this run of it
    in_definition: bool = True

    @property
    def row(self) -> Row:
        """Of the table `trials`."""
        row: Row = self.tables["trials"].to_pylist()[0]
        return row

    @property
    def test_scores(self) -> list[dict[str, Any]]:
        """The rows of the table `dice` for the test samples; none of a trial that diverged."""
        scores = self.tables["dice"].to_pylist() if "dice" in self.tables else []
        of_test = [score for score in scores if score["partition"] == "test"]
        by_class = {score["class"]: score for score in of_test}
        return [by_class[name] for name in class_order(by_class)]

    def to_json(self) -> dict[str, Any]:
        what = {"outcome": self.outcome, "differing": self.differing, "in_definition": self.in_definition}
        return {**what, "trial": self.row, "test": self.test_scores}


def trial(
    trial_id: str, definition: Definition, out: str | None, on_epoch: Callable[[Epoch], None] = lambda epoch: None
) -> TrialRun:
    """Run one trial here, without Ray. With OUT it is committed, or, if OUT holds it already, compared bit for bit.

    Raises StudyError if the search needs earlier trials of its cell and OUT does not have them, if the trial is new
    to OUT and the definition has none of that name, or halving has ended it before (it would be kept, and counted by
    nobody), or if it cannot be trained here. A refit is compared with that of OUT, and never new to it.
    """
    wanted = parse_trial(trial_id)
    in_definition = wanted.of_grid in trials(definition) and (wanted.is_refit or wanted.epochs in rungs(definition))
    study = prepare(definition_of_cells([wanted.cell], definition, trial_id))
    results = None if out is None else Results(out)
    committed = there = Committed({}, {})
    if results:
        refuse_foreign_files(results)
        committed = read_committed(results, definition)
        there = read_refits(results, definition) if wanted.is_refit else committed
        check_same_inputs(results, study.inputs, committed.rows | there.rows)
        _refuse_another_definition(results, definition)
        if wanted not in there:
            if not in_definition or wanted.is_refit:
                raise StudyError(_not_in(definition, wanted))
            _refuse_what_halving_ended(definition, wanted, objectives(committed.rows))
    keep = None
    if results and wanted not in there:
        keep = keeper(results, study, wanted, Best(definition, objectives(committed.rows)).to_beat(wanted))
    point = _point_of(wanted.of_grid, definition, outcomes(definition, committed.rows))
    if (wanted.epochs or 0) > (most := definition.recipe.at(point).training.epochs):
        raise StudyError(f"there is no {trial_id}: its recipe has {most} epochs")

    from study.trial import run_trial
    from trainers.outcome import CannotBeTrained, OutOfGpuMemory

    try:
        tables = run_trial(study, wanted, point, on_epoch, on_trained=keep)
    except (CannotBeTrained, OutOfGpuMemory) as error:
        raise StudyError(f"{trial_id} cannot be trained here: {error}") from error
    if results is None:
        return TrialRun(tables, "not kept", [], in_definition)
    if wanted in there.damaged:
        differing = differing_columns(tables, results, trial_id) or [there.damaged[wanted]]
        return TrialRun(tables, "differs", differing, in_definition)
    if wanted in there.rows:
        differing = differing_columns(tables, results, trial_id)
        return TrialRun(tables, "differs" if differing else "reproduced", differing, in_definition)
    _refuse_another_definition(results, definition)  # again: a training may take hours, and others write there, too
    if results.read_text(DEFINITION_FILE) is None:
        results.write_text(DEFINITION_FILE, definition.to_toml())
    results.commit(tables)
    return TrialRun(tables, "committed", [])


def _not_in(definition: Definition, wanted: Trial) -> str:
    """Why OUT does not take a trial that the definition lacks, or a refit, and what to do."""
    if wanted.is_refit:
        return f"--out has no {wanted.id}: `study export OUT --refit` makes the one that OUT's trials tell of"
    number, of_cell = definition.search.trials, Trial(wanted.cell, 0) in trials(definition)
    if of_cell and wanted.epochs not in rungs(definition):
        endings = [f"-e{rung}" for rung in rungs(definition) if rung]
        if not endings:
            remedy = f"without search.halving its id is {wanted.whole_id}"
            return f"the definition has no {wanted.id}: {remedy}"
        return f"the definition has no {wanted.id}: ids end with {', '.join(endings)}, or with the index"
    why = f"its search.trials is {number}" if of_cell else f"its grid has no cell {wanted.cell.id}"
    remedy = f"add --set search.trials={wanted.index + 1}" if of_cell else "add it to the grid"
    return f"the definition has no {wanted.id}, as {why}: {remedy}, or leave --out away to run it and keep nothing"


def _refuse_what_halving_ended(definition: Definition, wanted: Trial, objectives: Mapping[Trial, float | None]) -> None:
    """Raises StudyError for a training that does not come so far, by what OUT holds: nobody would count it."""
    if ended_before(definition, wanted, objectives):
        raise StudyError(
            f"{wanted.id} is not a trial of this study, as search.halving has ended {wanted.whole_id} before, by what "
            "--out holds: leave --out away to run it and keep nothing"
        )


def _refuse_another_definition(results: Results, definition: Definition) -> None:
    """Raises StudyError if OUT's definition, of which no trial may be there yet, has another recipe."""
    if results.read_text(DEFINITION_FILE) is None:
        return
    if kept_definition(results).recipe_digest() != definition.recipe_digest():
        raise StudyError(f"{results.out}/{DEFINITION_FILE} has another recipe than this definition: use another --out")


def definition_of_cells(wanted: Sequence[Cell], definition: Definition, source: str) -> Definition:
    """The definition with a grid of these cells alone, of one loss. Raises StudyError if they name a network, loss or
    split amiss."""
    models, splits, seeds = (tuple(dict.fromkeys(getattr(cell, name) for cell in wanted)) for name in _FACTORS)
    loss = wanted[0].loss
    models = tuple(dict.fromkeys((*definition.grid.models, *models)))  # which may take keys that others do not
    grid = {"models": models, "losses": (loss,), "splits": splits, "seeds": seeds}
    table = definition.model_dump(exclude_none=True)
    named = {name: own for name, own in table["losses"].items() if name == loss}  # the others have no use here
    return parse(table | {"grid": grid, "losses": named}, source)


def _point_of(wanted: Trial, definition: Definition, known: Mapping[Trial, Outcome]) -> Point:
    from study.search import needs_results, suggest

    earlier = [Trial(wanted.cell, index, rungs(definition)[0]) for index in range(wanted.index)]
    absent = [t.id for t in earlier if t not in known] if needs_results(definition.search, wanted.index) else []
    if absent:
        raise StudyError(
            f"{wanted.id} was chosen by the search, from the results of its cell's earlier trials, and --out has no "
            f"{absent[0]}; run the study, or those trials, first"
        )
    return suggest(definition, wanted.cell, wanted.index, [known[t] for t in earlier if t in known])


def differing_columns(tables: Mapping[str, pa.Table], results: Results, trial_id: str) -> list[str]:
    """`table.column`, in which OUT's committed trial differs from this run of it; a table that was not kept at all, as
    the trial is of an earlier version, apart."""
    differing, kept = [], results.tables_of(trial_id)
    for name, ours in tables.items():
        if name not in kept:
            continue
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
