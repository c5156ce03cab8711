"""The trained networks that a study keeps in OUT/weights: of each model and loss the best by validation, or all.

They are a cache: a row is the recipe of its network, so who needs one that is not there trains it again, bit for bit.
While a study runs, a worker keeps a network unless the driver knew a better one when it handed the trial out; what
others have beaten meanwhile is removed at the end. So what stays does not depend on the order of the trials.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from study.cells import Trial, trials
from study.definition import Definition
from study.errors import StudyError
from study.prepare import Prepared
from study.results.digests import Row
from study.results.layout import WEIGHTS
from study.results.store import Results
from study.selection import best_by_validation, cost_column
from trainers.data.table import Samples

SUFFIX = ".safetensors"
COLUMNS = ("trial", "point", "recipe_digest", "data_fingerprint", "split_fingerprint", "code")
"""Columns of a trial's row that say which network it is of; they stand in the file, too."""
Configuration = tuple[str, str]
"""Model and loss."""


def file_of(trial: Trial) -> str:
    """In OUT."""
    return f"{WEIGHTS}/{trial.id}{SUFFIX}"


def facts_of(row: Row) -> dict[str, str]:
    """Of the network of a trial, from its row."""
    return {name: str(row[name]) for name in COLUMNS if row[name] is not None}


def kept_beside(row: Row, samples: Samples) -> dict[str, str]:
    """What stands in the file beside the weights: the facts, and what the labels stand for."""
    return facts_of(row) | {"labels": json.dumps(samples.labels), "has_background": json.dumps(samples.has_background)}


def may_be_best(definition: Definition, trial: Trial) -> bool:
    """Whether the best of a configuration is looked for among such trials: whole trainings on random splits; where the
    grid has none, on all its splits, but for shares of their training samples."""
    kinds = {split: definition.splits.kind_of(split) for split in definition.all_splits}
    kind = kinds.get(trial.cell.split)
    return trial.epochs is None and (kind == "random" if "random" in kinds.values() else kind not in (None, "share"))


def best_trials(definition: Definition, committed: Mapping[Trial, Row]) -> dict[Configuration, Trial]:
    """Of each configuration, by the rule of the search: the trial with the highest validation objective, or the
    cheapest near it."""
    cost, ours = cost_column(definition.search.objectives), set(trials(definition))
    judged = sorted(trial for trial in committed if trial in ours and may_be_best(definition, trial))
    rows = [(trial, committed[trial]) for trial in judged]
    best = best_by_validation(
        (
            ((trial.cell.model, trial.cell.loss), place, row["objective"], row[cost] if cost else None)
            for place, (trial, row) in enumerate(rows)
        ),
        definition.search.within,
    )
    return {configuration: judged[place] for configuration, place in best.items()}


class Best:
    """The highest validation objective of each configuration, as far as trials are done."""

    def __init__(self, definition: Definition, objectives: Mapping[Trial, float | None]) -> None:
        self._definition = definition
        self._highest: dict[Configuration, float] = {}
        for trial, objective in objectives.items():
            self.note(trial, objective)

    def note(self, trial: Trial, objective: float | None) -> None:
        configuration = trial.cell.model, trial.cell.loss
        if objective is not None and may_be_best(self._definition, trial):
            self._highest[configuration] = max(objective, self._highest.get(configuration, objective))

    def to_beat(self, trial: Trial) -> float | None:
        """With which objective the trial may become its configuration's best; None: with any."""
        highest = self._highest.get((trial.cell.model, trial.cell.loss))
        return None if highest is None else highest - self._definition.search.within


def keeper(results: Results, study: Prepared, trial: Trial, to_beat: float | None) -> Callable[[Any, Row], None]:
    """What keeps a trained network (a torch module, and its trial's row) in OUT, if the definition wants it. One that
    cannot be kept is no reason to lose the trial: it can be made again.

    :param to_beat: as `Best` has it.
    """

    def keep(model: Any, row: Row) -> None:
        from trainers.weights import weights_in_bytes

        wanted = study.definition.resources.keep_weights
        beats = row["objective"] is not None and (to_beat is None or row["objective"] >= to_beat)
        is_best = wanted == "best" and beats and may_be_best(study.definition, trial)
        if is_best or (wanted == "all" and trial.epochs is None):
            try:
                results.write_bytes(file_of(trial), weights_in_bytes(model, kept_beside(row, study.source.samples)))
            except StudyError as error:
                print(f"weights not kept: {error}", file=sys.stderr)

    return keep


def remove_beaten(results: Results, definition: Definition, committed: Mapping[Trial, Row]) -> None:
    """Remove the kept networks of this study that are not to stay by `resources.keep_weights`."""
    if definition.resources.keep_weights == "all":
        return
    kept = set(results.names(WEIGHTS, SUFFIX))
    if not kept:
        return
    staying: Iterable[Trial] = ()
    if definition.resources.keep_weights == "best":
        staying = best_trials(definition, committed).values()
    ours = {f"{trial.id}{SUFFIX}" for trial in trials(definition)}
    for name in sorted((kept & ours) - {f"{trial.id}{SUFFIX}" for trial in staying}):
        results.remove(f"{WEIGHTS}/{name}")
