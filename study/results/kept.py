"""What OUT holds of a study: its definition and its committed trials. It reads, and runs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from study.cells import Trial, parse_trial
from study.definition import Definition
from study.definition.file import parse, read_toml
from study.definition.refusals import is_of_an_earlier_version
from study.errors import StudyError
from study.results import DEFINITION_FILE, Results
from study.results.digests import Row


def kept_definition(results: Results) -> Definition:
    """The definition in OUT/study.toml. Raises StudyError if OUT is no study."""
    content = results.read_bytes(DEFINITION_FILE)
    if content is None:
        raise StudyError(f"{results.out} holds no study: there is no {DEFINITION_FILE} in it")
    place = f"{results.out}/{DEFINITION_FILE}"
    table = read_toml(content, place)
    if is_of_an_earlier_version(table):
        raise StudyError(f"{results.out} was made by an earlier version of this project: run it anew, elsewhere")
    return parse(table, place)


@dataclass(frozen=True)
class Committed:
    """The trials of one recipe that OUT holds: those of the study, or its refits."""

    rows: dict[Trial, Row]
    """Trial -> its row of `trials`, where all its files are as they were committed."""
    damaged: dict[Trial, str]
    """Trial -> which of its files is lost or altered. It is missing, and the next run makes it again."""

    def __contains__(self, trial: Trial) -> bool:
        """Whether it was committed, whatever has become of its files."""
        return trial in self.rows or trial in self.damaged


def read_committed(results: Results, definition: Definition) -> Committed:
    """The committed trials of OUT, without its refits, which no score and no decision of a study knows of.

    Raises StudyError, naming the differing keys, if one was run with another recipe.
    """
    return _committed(results, definition, of_refits=False)


def read_refits(results: Results, definition: Definition) -> Committed:
    """The trainings on all samples that `study export --refit` has committed to OUT. Raises StudyError likewise."""
    return _committed(results, definition, of_refits=True)


def _committed(results: Results, definition: Definition, *, of_refits: bool) -> Committed:
    audit = results.audit(of_refits=of_refits)
    digest = definition.recipe_digest()
    for trial_id, row in audit.rows.items():
        if row["recipe_digest"] != digest:
            raise StudyError(_other_recipe(results, trial_id, definition))
    rows, damaged = ({parse_trial(name): what for name, what in found.items()} for found in (audit.rows, audit.damaged))
    return Committed(rows, damaged)  # type: ignore[arg-type]


def missing(trials: Iterable[Trial], committed: Mapping[Trial, Row]) -> list[Trial]:
    return [trial for trial in trials if trial not in committed]


def _other_recipe(results: Results, trial_id: str, definition: Definition) -> str:
    theirs, ours = results.recipe_of(trial_id), definition.keys_that_decide_a_trial()
    if bool(theirs.get("simulate")) != definition.simulate:
        there, here = ("trained", "simulates") if definition.simulate else ("simulated", "trains")
        return (
            f"{results.out} holds {there} trials, and this definition {here}: use another --out, "
            f"or --set simulate={json.dumps(not definition.simulate)}"
        )
    differing = sorted(key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key))
    lines = [f"  {key}: {_value(theirs, key)} there, {_value(ours, key)} here" for key in differing]
    return (
        f"{results.out} holds trials of another recipe ({trial_id}, for one). Numbers of two recipes do not belong in "
        "one study: use another --out, or the recipe that is there. What differs:\n" + "\n".join(lines)
    )


def _value(keys: Mapping[str, object], key: str) -> str:
    return json.dumps(keys[key]) if key in keys else "nothing"
