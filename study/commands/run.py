"""`study run`: what is missing of a study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from study.cells import Trial, cells
from study.definition import Definition
from study.halving import decided_trials, undecided_trials
from study.planning.cost import estimate, images_to_train_on
from study.prepare import Prepared
from study.progress import Progress
from study.results import DEFINITION_FILE, Results
from study.results.claim import claimed
from study.results.committed import check_same_inputs, objectives, refuse_foreign_files
from study.results.compaction import compact
from study.results.digests import Row
from study.results.kept import Committed, missing, read_committed
from study.results.unfinished import read_unfinished
from study.results.weights import remove_beaten
from study.session import run_all
from study.summary import Summary, summarise
from study.work import Watch, Work


@dataclass(frozen=True)
class Finished:
    """What a run leaves: the scores, and what it could not finish."""

    scores: list[Summary]
    unfinished: Mapping[str, str]  # trial -> why the machinery could not finish it
    failed: Mapping[str, str]  # trial -> why it diverged; a result, too
    progress: Progress | None = None  # of the run, if it had something to do
    notes: tuple[str, ...] = ()  # what should be known of the splits


def run(
    study: Prepared,
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
    definition, results = study.definition, Results(out)
    refuse_foreign_files(results)
    progress = Progress.of(definition, {}, images_to_train_on(study.splits))
    with claimed(results, lambda line: watch(progress, line)) as claim:
        committed = read_committed(results, definition)
        check_same_inputs(results, study.inputs, committed.rows)
        known = objectives(committed.rows)
        planned = decided_trials(definition, known)
        todo = _todo(planned, results, committed, retry_failed)
        progress = Progress.of(definition, committed.rows, images_to_train_on(study.splits))
        progress.notes = study.notes
        if not todo:
            results.write_text(DEFINITION_FILE, definition.to_toml())
            remove_beaten(results, definition, committed.rows)
            _compact_many(results, definition, committed, progress, watch)
            return replace(finished(definition, results, committed.rows), notes=study.notes)
        for damaged, what in committed.damaged.items():
            watch(progress, f"{damaged.id} is made again: {what}")
        ahead = [*todo, *undecided_trials(definition, known)]
        only = todo if retry_failed else None
        cost = estimate(definition, ahead, committed.rows, images_to_train_on(study.splits), costs=study.costs)
        run_all(Work(study, results, progress, watch), claim, committed.rows, only, cost, address, ray_log=ray_log)
        committed = read_committed(results, definition)
        remove_beaten(results, definition, committed.rows)
        done = finished(definition, results, committed.rows, progress.given_up)
        if not done.unfinished:
            _compact_many(results, definition, committed, progress, watch)
        return replace(done, progress=progress, notes=study.notes)


def _compact_many(
    results: Results, definition: Definition, committed: Committed, progress: Progress, watch: Watch
) -> None:
    """Not while a trial is damaged: that of another definition is not made again here, and is no reason to fail."""
    limit, there = definition.resources.compact_above, len(results.loose_trials())
    if limit and there > limit and not committed.damaged:
        watch(progress, f"Packing {there:,} trials into fewer files (resources.compact_above) ...")
        compact(results)


def _todo(planned: Iterable[Trial], results: Results, committed: Committed, retry_failed: bool) -> list[Trial]:
    todo = missing(planned, committed.rows)
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
    of_study = set(decided_trials(definition, objectives(committed)))  # others may be there, run by themselves
    counted = {trial: row for trial, row in committed.items() if trial in of_study or trial.index == 0}
    scores = summarise(cells(definition), counted, lambda ids: results.read("dice", ids), definition.search)
    return Finished(scores, unfinished, failed)
