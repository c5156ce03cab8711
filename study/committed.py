"""What OUT already holds, and whether it belongs to the study at hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from study.cells import Outcome, Trial, parse_trial
from study.definition import Definition
from study.digests import Row
from study.errors import StudyError
from study.point import Point
from study.prepare import Prepared, differing_versions
from study.results import Results


@dataclass(frozen=True)
class Committed:
    """The trials of one recipe that OUT holds."""

    rows: dict[Trial, Row]
    """Trial -> its row of `trials`, where all its files are as they were committed."""
    damaged: dict[Trial, str]
    """Trial -> which of its files is lost or altered. It is missing, and the next run makes it again."""


def read_committed(results: Results, definition: Definition) -> Committed:
    """The committed trials of OUT. Raises StudyError, naming the differing keys, if one was run with another recipe."""
    audit = results.audit()
    digest = definition.recipe_digest()
    for trial_id, row in audit.rows.items():
        if row["recipe_digest"] != digest:
            raise StudyError(_other_recipe(results, trial_id, definition))
    rows, damaged = ({parse_trial(name): what for name, what in found.items()} for found in (audit.rows, audit.damaged))
    return Committed(rows, damaged)  # type: ignore[arg-type]


def refuse_foreign_files(results: Results) -> None:
    """Raises StudyError if OUT holds what no study has put there: readers of its tables would stumble over it."""
    foreign = results.foreign()
    if foreign:
        shown = ", ".join(foreign[:5]) + f" and {len(foreign) - 5} more" * (len(foreign) > 5)
        raise StudyError(
            f"{results.out} holds files that are not of a study: {shown}. Use another --out, or move them away."
        )


def check_same_inputs(results: Results, study: Prepared, committed: Mapping[Trial, Row]) -> None:
    """Raises StudyError if a committed trial saw another data set, other samples under a split's name, or was run with
    other versions of what decides numbers."""
    for trial, row in committed.items():
        if row["data_fingerprint"] != study.data_fingerprint:
            raise StudyError(
                f"{results.out} holds trials of another data set (fingerprint {row['data_fingerprint']}; "
                f"{study.definition.data.path} has {study.data_fingerprint}). Use another --out, or that data set."
            )
        differing = differing_versions(row["versions"])
        if differing and not study.definition.resources.mixed_versions:
            raise StudyError(
                f"{results.out} holds trials that were run with other versions ({differing}; {trial.id}, for one). "
                "Numbers of the two are not the same bit for bit: install those versions, use another --out, or, "
                "knowingly, --set resources.mixed_versions=true"
            )
        split = study.splits.get(trial.cell.split)
        if split is not None and row["split_fingerprint"] != split.fingerprint:
            changed = f"splits.held_out.{split.axis}.{split.name} or seed" if split.axis else "seed"
            raise StudyError(
                f"{results.out} holds trials of another split called {split.name}: {changed} has changed. Use another "
                "--out, or another name for the new split."
            )


def outcomes(committed: Mapping[Trial, Row]) -> dict[Trial, Outcome]:
    """What the search is told of each trial: its point, and its objective unless it failed."""
    return {t: Outcome(Point.from_json(row["point"]), row["objective"]) for t, row in committed.items()}


def missing(trials: Iterable[Trial], committed: Mapping[Trial, Row]) -> list[Trial]:
    return [trial for trial in trials if trial not in committed]


def _other_recipe(results: Results, trial_id: str, definition: Definition) -> str:
    theirs, ours = results.recipe_of(trial_id), definition.recipe_keys()
    if bool(theirs.get("simulate")) != definition.simulate:
        there, here = ("trained", "simulates") if definition.simulate else ("simulated", "trains")
        return (
            f"{results.out} holds {there} trials, and this definition {here}: use another --out, "
            f"or --set simulate={json.dumps(not definition.simulate)}"
        )
    differing = sorted(key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key))
    lines = [f"  {key}: {theirs.get(key)!r} there, {ours.get(key)!r} here" for key in differing]
    return (
        f"{results.out} holds trials of another recipe ({trial_id}, for one). Numbers of two recipes do not belong in "
        "one study: use another --out, or the recipe that is there. What differs:\n" + "\n".join(lines)
    )
