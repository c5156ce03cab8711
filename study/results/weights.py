"""The trained networks that a study keeps in OUT/weights: of each model and loss the best by validation, or all.

They are a cache: a row is the recipe of its network, so who needs one that is not there trains it again, bit for bit.
While a study runs, a worker keeps a network unless the driver knew a better one when it handed the trial out; what
others have beaten meanwhile is removed at the end. So what stays does not depend on the order of the trials.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

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
AnyGroup = TypeVar("AnyGroup", bound=Hashable)


def file_of(trial: Trial) -> str:
    """In OUT."""
    return f"{WEIGHTS}/{trial.id}{SUFFIX}"


def facts_of(row: Row) -> dict[str, str]:
    """Of the network of a trial, from its row."""
    return {name: str(row[name]) for name in COLUMNS if row[name] is not None}


def kept_beside(row: Row, samples: Samples) -> dict[str, str]:
    """What stands in the file beside the weights: the facts, and what the labels stand for."""
    return facts_of(row) | {"labels": json.dumps(samples.labels), "has_background": json.dumps(samples.has_background)}


def splits_to_choose_from(definition: Definition) -> frozenset[str]:
    """On which the best network of a configuration is looked for: the random splits; where the grid has none, all of
    its splits, but for shares of their training samples."""
    kinds = {split: definition.splits.kind_of(split) for split in definition.all_splits}
    wanted = {"random"} if "random" in kinds.values() else {*kinds.values()} - {"share"}
    return frozenset(split for split, kind in kinds.items() if kind in wanted)


def best_trials(
    definition: Definition, committed: Mapping[Trial, Row], of: Callable[[Trial], AnyGroup]
) -> dict[AnyGroup, Trial]:
    """Of each group of whole trainings, by the rule of the search: the trial with the highest validation objective, or
    the cheapest near it.

    :param of: the group of a trial, such as its configuration or its cell.
    """
    splits, cost = splits_to_choose_from(definition), cost_column(definition.search.objectives)
    judged = [trial for trial in trials(definition) if trial in committed and trial.cell.split in splits]
    best = best_by_validation(
        (
            (of(trial), place, committed[trial]["objective"], committed[trial][cost] if cost else None)
            for place, trial in enumerate(judged)
        ),
        definition.search.within,
    )
    return {group: judged[place] for group, place in best.items()}


def configuration_of(trial: Trial) -> Configuration:
    return trial.cell.model, trial.cell.loss


class Best:
    """The highest validation objective of each configuration, as far as trials are done."""

    def __init__(self, definition: Definition, objectives: Mapping[Trial, float | None]) -> None:
        self._splits, self._within = splits_to_choose_from(definition), definition.search.within
        self._highest: dict[Configuration, float] = {}
        for trial, objective in objectives.items():
            self.note(trial, objective)

    def note(self, trial: Trial, objective: float | None) -> None:
        if objective is not None and trial.epochs is None and trial.cell.split in self._splits:
            of = configuration_of(trial)
            self._highest[of] = max(objective, self._highest.get(of, objective))

    def to_beat(self, trial: Trial) -> float | None:
        """With which objective the trial may become its configuration's best; None: with any."""
        highest = self._highest.get(configuration_of(trial))
        return None if highest is None else highest - self._within


def keeper(results: Results, study: Prepared, trial: Trial, to_beat: float | None) -> Callable[[Any, Row], None]:
    """What keeps a trained network (a torch module, and its trial's row) in OUT, if the definition wants it. One that
    cannot be kept is no reason to lose the trial: it can be made again.

    :param to_beat: as `Best` has it.
    """

    def keep(model: Any, row: Row) -> None:
        from trainers.weights import weights_in_bytes

        wanted = study.definition.resources.keep_weights
        beats = row["objective"] is not None and (to_beat is None or row["objective"] >= to_beat)
        may_be_best = wanted == "best" and beats and trial.cell.split in splits_to_choose_from(study.definition)
        if trial.epochs is None and (may_be_best or wanted == "all"):
            try:
                results.write_bytes(file_of(trial), weights_in_bytes(model, kept_beside(row, study.source.samples)))
            except StudyError as error:
                print(f"weights not kept: {error}", file=sys.stderr)

    return keep


def remove_beaten(results: Results, definition: Definition, committed: Mapping[Trial, Row]) -> None:
    """Remove the kept networks of this study that are not to stay by `resources.keep_weights`."""
    wanted = definition.resources.keep_weights
    if wanted == "all" or not (kept := set(results.names(WEIGHTS, SUFFIX))):
        return
    staying = best_trials(definition, committed, configuration_of).values() if wanted == "best" else ()
    beaten = set(map(file_of, trials(definition))) - set(map(file_of, staying))
    for name in sorted(beaten & {f"{WEIGHTS}/{name}" for name in kept}):
        results.remove(name)


def remove_all(results: Results) -> None:
    """Of a place that is full: what can be made again makes room for what cannot."""
    for name in results.names(WEIGHTS, SUFFIX):
        results.remove(f"{WEIGHTS}/{name}")
