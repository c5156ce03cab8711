"""The scores to be analysed: from a study, from a table, or from the paper itself. Imports neither torch nor ray.

Whatever they come from, they are one tidy table: one row per (model, loss, split, seed, averaging, class).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis.classes import is_object
from analysis.errors import AnalysisError
from analysis.facts import Facts
from analysis.metric import Metric
from analysis.scores import SHARE, Scores, tidy
from analysis.tidy import COLUMNS, lacking_cells, read_table, read_tidy
from study.cells import Cell, Trial, cells, trials
from study.definition import Definition
from study.errors import StudyError
from study.halving import decided_trials, undecided_trials
from study.looks import read_looks
from study.results import DEFINITION_FILE, Results
from study.results.committed import objectives
from study.results.digests import Row
from study.results.kept import kept_definition, missing, read_committed
from study.results.schemas import SCHEMAS
from study.selection import best_by_validation, cost_column

PAPER = "paper"
"""The word that names the paper's own tables (a file or directory of that name is `./paper`)."""
SELECTIONS = ("default", "tuned")

_REFERENCE = Path(__file__).parent / "reference" / "paper_tables.csv"
_REFERENCE_TRAIN = {**{f"random_{i}": 515 for i in range(8)}, "rot_0": 440, "rot_1": 409, "rot_2": 530}
_REFERENCE_TEST = {**{f"random_{i}": 131 for i in range(8)}, "rot_0": 207, "rot_1": 238, "rot_2": 117}
_REFERENCE_DIVISIONS = {f"random_{i}": "the first 80 % of each class's files" for i in range(8)}
"""The authors' code cuts the same list of files at the same place for all eight."""


def load(
    results: str | os.PathLike[str],
    select: str = "default",
    epsilon: float | None = None,
    background: str | None = None,
    metric: str = "dice",
    tolerance: int | None = None,
) -> Scores:
    """The scores of a study (directory or URI), a tidy CSV or Parquet file, or the word `paper`.

    :param select: which trial of every cell of a study: `default`, trial 0, or `tuned`, the best by validation.
    :param epsilon: recompute a study's scores from its pixel counts under this noise tolerance (section 3.4: the share
        of an image's pixels below which a predicted, absent class is not counted); None takes the stored scores.
    :param background: what a tidy table calls its background, if not as in `NO_OBJECTS` of `analysis.tidy`.
    :param metric: one of METRICS. Of a tidy table its column of that name is read; the paper has the Dice alone.
    :param tolerance: of a study's surface Dice (`nsd`): pixels within which two boundaries agree; None: TOLERANCE.
    :raises AnalysisError: they cannot be read, contradict themselves, cannot answer `select`, `epsilon`, `metric` or
        `tolerance`, or there is not a single score of a class.
    """
    source = os.fspath(results)
    if select not in SELECTIONS:
        raise AnalysisError(f"{select!r} is not a selection; choose one of {', '.join(SELECTIONS)}")
    if epsilon is not None and not 0 <= epsilon < 1:
        raise AnalysisError(f"{epsilon!r} is not a noise tolerance: give a share of an image's pixels, such as 0.0015")
    measured = Metric.of(metric, tolerance)
    if source == PAPER or _names_a_file(source):
        if select != "default" or epsilon is not None:
            raise AnalysisError(
                f"{source} holds scores only, neither trials nor pixel counts: `tuned` and another epsilon need a study"
            )
        if tolerance is not None:
            raise AnalysisError(f"{source} holds scores only, no boundaries: a tolerance in pixels needs a study")
        if source != PAPER:
            return _of_table(source, background, Metric(metric))
        if not measured.is_dice:
            raise AnalysisError(f"the paper's tables hold the Dice alone: {measured.in_words} needs a study")
    if background is not None:
        raise AnalysisError(f"{source}: what the background is called is for a tidy table to be told: leave it out")
    if source == PAPER:
        return _of_paper()
    try:
        return _of_study(Results(source), select, epsilon, measured)
    except (StudyError, OSError) as error:
        raise AnalysisError(str(error)) from None


def _of_table(path: str, background: str | None, metric: Metric) -> Scores:
    table, simulated, divisions = read_tidy(path, background, metric.name)
    if not _any_object(table):
        raise AnalysisError(f"{path}: no class has a score (bg and all are none): nothing to analyse")
    lacking = lacking_cells(table)
    return Scores(
        *(table, path, "as given", tuple(lacking)),
        cells=lacking,
        divisions=divisions,
        simulated=simulated,
        metric=metric,
        background=background,
    )


def _any_object(table: pd.DataFrame) -> bool:
    return bool((is_object(table["class"]) & table["dice"].notna()).any())


def reference_marks(scores: Scores) -> pd.DataFrame:
    """The paper's scores with `bold`, 1 where the paper prints a score in bold as the worst of its column, else 0."""
    if scores.source != PAPER:
        raise AnalysisError(f"{scores.source} has no printed marks: only the word {PAPER} names tables that have")
    keys = list(COLUMNS)
    marks = read_table(str(_REFERENCE), (*keys, "bold")).astype({"bold": int})
    return scores.table.merge(marks, on=keys, how="left", validate="one_to_one")


def _names_a_file(source: str) -> bool:
    return "://" not in source and (Path(source).is_file() or Path(source).suffix.lower() in (".csv", ".parquet"))


def _of_paper() -> Scores:
    table, *_ = read_tidy(str(_REFERENCE))
    return Scores(
        table,
        PAPER,
        "as given",
        num_train=dict(_REFERENCE_TRAIN),
        num_test=dict(_REFERENCE_TEST),
        divisions=dict(_REFERENCE_DIVISIONS),
    )


def _of_study(results: Results, select: str, epsilon: float | None, metric: Metric) -> Scores:
    if results.read_text(DEFINITION_FILE) is None:
        raise AnalysisError(
            f"{results.out} is not a study (no {DEFINITION_FILE} in it), nor a CSV or Parquet file, nor the word "
            f"{PAPER}"
        )
    definition = kept_definition(results)
    kept = read_committed(results, definition)
    committed = kept.rows
    _check_one_study(results.out, committed)
    known = objectives(committed)
    decided = decided_trials(definition, known)
    wanted = _considered(definition, committed, decided, select)
    rows = {trial: committed[trial] for trial in wanted if trial in committed}
    completed = {trial: row for trial, row in rows.items() if row["status"] == "completed"}
    chosen = _tuned(definition, completed) if select == "tuned" else list(completed)
    whole, begun = _frames(definition, committed, _considered(definition, committed, decided, "tuned"))
    chosen_ids = tuple(trial.id for trial in chosen)
    facts = Facts(results, definition, whole, chosen_ids, begun, epsilon, metric)
    scored = facts.test_scores(facts.chosen)
    without = sorted(set(facts.chosen) - set(scored["trial"]))
    apart = {*without, *(trial.id for trial in chosen if definition.splits.kind_of(trial.cell.split) == SHARE)}
    facts = replace(facts, chosen=tuple(trial for trial in facts.chosen if trial not in apart))
    failed = {t.id: row["error"] or "no reason was kept" for t, row in rows.items() if t not in completed}
    if completed and not chosen:
        raise AnalysisError(
            f"{results.out}: no trial has a validation score, as no validation sample shows a class; so none can be "
            "chosen as the tuned one: read the default ones (--select default)"
        )
    if not _any_object(scored):
        raise AnalysisError(_nothing_scored(results.out, len(wanted), len(completed), failed, kept.damaged))
    undecided = {trial.cell for trial in completed} - {trial.cell for trial in chosen}
    undecided |= {trial.cell for trial in undecided_trials(definition, known)}
    lacking = [*missing(wanted, committed), *(missing(decided, committed) if definition.search.halving else ())]
    return Scores(
        table=tidy(scored, results.out),
        source=results.out,
        selection=select,
        missing=(*dict.fromkeys(t.id for t in lacking), *without, *sorted(cell.id for cell in undecided)),
        failed=failed,
        cells={
            name: (cell.model, cell.loss, cell.split, cell.seed)
            for name, cell in _cells_by_id([*wanted, *decided]).items()
        },
        num_train={
            t.cell.split: row["num_train"] + (row["num_val"] or 0) for t, row in rows.items() if row["num_train"]
        },
        num_trained={t.cell.split: row["num_train"] for t, row in rows.items() if row["num_train"]},
        num_test={t.cell.split: row["num_test"] for t, row in rows.items() if row["num_test"]},
        divisions={t.cell.split: row["split_fingerprint"] for t, row in rows.items() if row["split_fingerprint"]},
        simulated=definition.simulate,
        looks=read_looks(results),
        facts=facts,
        metric=metric,
    )


def _cells_by_id(wanted: Iterable[Trial]) -> dict[str, Cell]:
    """The cell of every trial, and every cell, by id."""
    found = {trial.id: trial.cell for trial in wanted}
    return found | {cell.id: cell for cell in found.values()}


def _nothing_scored(
    out: str, num_wanted: int, num_completed: int, failed: Mapping[str, str], damaged: Mapping[Trial, str]
) -> str:
    """Why a study has nothing to be analysed, in one sentence."""
    if num_completed:
        done = f"{num_completed} of {num_wanted} trials are done"
        return f"{out}: {done}, but no class has a test score; there is nothing to analyse"
    if failed:
        trial, reason = next(iter(failed.items()))
        return f"{out}: no trial has scores: {len(failed)} of {num_wanted} failed ({trial}, for one: {reason})"
    if damaged:
        first, what = next(iter(damaged.items()))
        return (
            f"{out}: no trial has scores: {len(damaged)} are damaged ({first.id}, for one: {what}); run the study "
            "again, which makes them anew"
        )
    return f"{out}: no trial is done yet, of {num_wanted}; there is nothing to analyse before one is"


def _frames(definition: Definition, committed: Mapping[Trial, Row], considered: Iterable[Trial]) -> list[pd.DataFrame]:
    """The whole trainings among those that are considered and committed, one row each, in their order; then the
    definition's committed beginnings, of rungs."""
    whole = [committed[trial] for trial in considered if trial in committed and trial.epochs is None]
    ours = set(cells(definition))
    begun = [committed[t] for t in sorted(t for t in committed if t.epochs is not None) if t.cell in ours]
    frames = (pd.DataFrame(rows, columns=SCHEMAS["trials"].names) for rows in (whole, begun))
    return [frame.assign(axis=frame["axis"].fillna("")) for frame in frames]


def _considered(
    definition: Definition, committed: Mapping[Trial, Row], decided: Iterable[Trial], select: str
) -> list[Trial]:
    """The whole trainings that the selection looks at: the default one of every cell, or all; with halving the default
    one and those that have come so far, and in place of one that diverged before, the rung at which it did.

    :param decided: the trials that halving has chosen.
    """
    of_selection = [trial for trial in trials(definition) if select == "tuned" or trial.index == 0]
    if definition.search.halving is None:
        return of_selection
    diverged = {
        (trial.cell, trial.index): trial
        for trial in decided
        if trial in committed and committed[trial]["status"] == "failed"
    }
    come_so_far = {trial for trial in decided if trial.epochs is None}
    found = (
        diverged.get((trial.cell, trial.index), trial if trial.index == 0 or trial in come_so_far else None)
        for trial in of_selection
    )
    return [trial for trial in found if trial]


def _tuned(definition: Definition, completed: Mapping[Trial, Row]) -> list[Trial]:
    """The tuned trial of each cell that has one, in the order of the cells."""
    column = cost_column(definition.search.objectives)
    judged = ((t.cell, t.index, row["objective"], row[column] if column else None) for t, row in completed.items())
    best = best_by_validation(judged, definition.search.within)
    return [Trial(cell, best[cell]) for cell in cells(definition) if cell in best]


def _check_one_study(out: str, committed: Mapping[Trial, Row]) -> None:
    """Raises AnalysisError if trials saw different data, or different images under one split's name."""
    first: dict[str, tuple[str, str | None]] = {}
    for trial, row in committed.items():
        for what, fingerprint in (
            ("data sets", row["data_fingerprint"]),
            (f"splits called {trial.cell.split}", row["split_fingerprint"]),
        ):
            other, theirs = first.setdefault(what, (trial.id, fingerprint))
            if theirs != fingerprint:
                raise AnalysisError(
                    f"{out} mixes two {what}: {other} has fingerprint {theirs}, {trial.id} has {fingerprint}. Their "
                    "scores cannot be compared: keep the files of one of them and move the other's to another directory"
                )
