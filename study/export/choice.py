"""Which trials' networks are handed over: one that is named, a configuration's best, or one of each random split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from study.cells import Trial, parse_trial
from study.definition import Definition
from study.errors import StudyError, did_you_mean
from study.results.digests import Row
from study.results.weights import Configuration, best_trials, configuration_of, splits_to_choose_from
from trainers.printable import counted


@dataclass(frozen=True)
class Choice:
    """Trials of one configuration, and by what they were chosen."""

    trials: tuple[Trial, ...]
    why: str


def choose(
    definition: Definition,
    committed: Mapping[Trial, Row],
    *,
    trial: str | None = None,
    model: str | None = None,
    loss: str | None = None,
    ensemble: bool = False,
) -> Choice:
    """Raises StudyError if nothing, or more than one configuration, is meant.

    :param trial: its id; else the best of the configuration.
    :param ensemble: of every random split (where there are none: of every split) and seed the tuned trial.
    """
    completed = {each: row for each, row in committed.items() if row["status"] == "completed" and each.epochs is None}
    if trial is not None:
        if model or loss or ensemble:
            raise StudyError("--trial names one trial: leave --model, --loss and --ensemble out")
        return Choice((_named(trial, completed),), "named by its id")
    configuration = _configuration(completed, model, loss)
    if ensemble:
        return _one_of_each_split(definition, completed, configuration)
    best = best_trials(definition, completed, configuration_of).get(configuration)
    if best is None:
        raise StudyError(f"no trial of {' '.join(configuration)} has a validation score: name one by its id (--trial)")
    why = f"chosen of {' '.join(configuration)} by validation Dice, among the trials on {_splits_in_words(definition)}"
    return Choice((best,), why)


def _named(trial_id: str, completed: Mapping[Trial, Row]) -> Trial:
    trial = parse_trial(trial_id)
    if trial not in completed:
        near = did_you_mean(trial_id, [each.id for each in completed])
        raise StudyError(f"there is no completed trial {trial_id}{near}")
    return trial


def _configuration(completed: Iterable[Trial], model: str | None, loss: str | None) -> Configuration:
    there = sorted(set(map(configuration_of, completed)))
    meant = [each for each in there if model in (None, each[0]) and loss in (None, each[1])]
    if len(meant) == 1:
        return meant[0]
    shown = "; ".join(f"--model {of_model} --loss {of_loss}" for of_model, of_loss in meant or there)
    if not meant:
        raise StudyError(f"no completed trial has this model and loss; there are: {shown or 'none at all'}")
    raise StudyError(f"{counted(len(meant), 'configuration')} are meant, and a model is of one: {shown}")


def _one_of_each_split(definition: Definition, completed: Mapping[Trial, Row], configuration: Configuration) -> Choice:
    tuned = best_trials(definition, completed, lambda trial: trial.cell).values()
    chosen = sorted(trial for trial in tuned if configuration_of(trial) == configuration)
    if len(chosen) < 2:
        raise StudyError(f"an ensemble is of several networks, and {' '.join(configuration)} has {len(chosen)}")
    why = f"of {' '.join(configuration)} the tuned trial of each cell on {_splits_in_words(definition)}, averaged"
    return Choice(tuple(chosen), why)


def _splits_in_words(definition: Definition) -> str:
    kinds = {definition.splits.kind_of(split) for split in splits_to_choose_from(definition)}
    return "random splits" if kinds == {"random"} else "its splits, none of which is random"
