"""Whether what OUT holds belongs to the study at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from study.cells import Outcome, Trial
from study.definition import Definition
from study.definition.point import Point
from study.errors import StudyError
from study.halving import DIVERGED
from study.prepare import Inputs, differing_versions
from study.results import Results
from study.results.digests import Row
from study.selection import cost_column


def refuse_foreign_files(results: Results) -> None:
    """Raises StudyError if OUT holds what no study has put there: readers of its tables would stumble over it."""
    foreign = results.foreign()
    if foreign:
        shown = ", ".join(foreign[:5]) + f" and {len(foreign) - 5} more" * (len(foreign) > 5)
        raise StudyError(
            f"{results.out} holds files that are not of a study: {shown}. Use another --out, or move them away."
        )


def check_same_inputs(results: Results, study: Inputs, committed: Mapping[Trial, Row]) -> None:
    """Raises StudyError if a committed trial saw another data set, other samples under a split's name, or was run with
    other versions of what decides numbers."""
    for trial, row in committed.items():
        if row["data_fingerprint"] != study.data_fingerprint:
            raise StudyError(
                f"{results.out} holds trials of another data set (fingerprint {row['data_fingerprint']}; "
                f"{study.definition.data.path} has {study.data_fingerprint}). Use another --out, or that data set."
            )
        if differences := study.outside.differences(trial.cell, row["code"]):
            raise StudyError(
                f"{results.out} holds trials of other code or arguments ({trial.id}, for one): use another --out, what "
                "is there, or another name for what is new. (Any change of a file is other code: give a new network or "
                "loss a file of its own.) What differs:\n" + "\n".join(f"  {line}" for line in differences)
            )
        differing = differing_versions(row["versions"])
        if differing and not study.definition.resources.mixed_versions:
            raise StudyError(
                f"{results.out} holds trials that were run with other versions ({differing}; {trial.id}, for one). "
                "Numbers of the two are not the same bit for bit: install those versions, use another --out, or, "
                "knowingly, --set resources.mixed_versions=true"
            )
        split = None if trial.is_refit else study.splits.get(trial.cell.split)
        if split is not None and row["split_fingerprint"] != split.fingerprint:
            decides = {
                "random": "",
                "held_out": f"splits.held_out.{split.axis}.{split.name}, ",
                "fold": "splits.folds, ",
                "given": "what splits.given names, ",
                "matched": "the split that it matches, ",
                "share": "the split that it is a share of, ",
            }[split.kind]
            raise StudyError(
                f"{results.out} holds trials of another split called {split.name}: {decides}splits.unit or seed has "
                "changed. Use another --out, or another name for the new split."
            )


def objectives(committed: Mapping[Trial, Mapping[str, Any]]) -> dict[Trial, float | None]:
    """Of each trial, as halving takes it: DIVERGED if it failed, None if no validation sample shows a class."""
    return {trial: DIVERGED if row["status"] == "failed" else row["objective"] for trial, row in committed.items()}


def outcomes(definition: Definition, committed: Mapping[Trial, Row]) -> dict[Trial, Outcome]:
    """What the search knows of each trial: its point, its objective unless it failed, and its cost if that counts."""
    column = cost_column(definition.search.objectives)
    return {
        trial: Outcome(
            Point.from_json(row["point"]),
            row["objective"],
            row[column] if column else None,
            diverged=row["status"] == "failed",
        )
        for trial, row in committed.items()
    }
