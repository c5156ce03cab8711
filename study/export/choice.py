"""Which trials' networks are handed over: one that is named, a configuration's best, one of each random split, or one
that is trained on all samples as these tell."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from study.cells import Trial, parse_trial
from study.definition import Definition
from study.definition.point import Point
from study.errors import StudyError, did_you_mean
from study.halving import decided_trials, undecided_trials
from study.results.committed import objectives
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
    refit: bool = False,
) -> Choice:
    """Raises StudyError if nothing, or more than one configuration, is meant.

    :param trial: its id; else the best of the configuration.
    :param ensemble: of every random split (where there are none: of every split) and seed the tuned trial.
    :param refit: a training on all samples (see `_on_all_samples`), which OUT may not hold yet.
    """
    completed = {each: row for each, row in committed.items() if row["status"] == "completed" and each.epochs is None}
    if trial is not None:
        if model or loss or ensemble or refit:
            raise StudyError("--trial names one trial: leave --model, --loss, --ensemble and --refit out")
        return Choice((_named(trial, completed),), "named by its id")
    if ensemble and refit:
        raise StudyError(
            "--ensemble averages the networks of the splits, and --refit trains a single one on all images: leave one "
            "of the two out"
        )
    configuration = _configuration(completed, model, loss)
    if ensemble:
        return _one_of_each_split(definition, completed, configuration)
    best = best_trials(definition, completed, configuration_of).get(configuration)
    if best is None:
        raise StudyError(f"no trial of {' '.join(configuration)} has a validation score: name one by its id (--trial)")
    if refit:
        return _on_all_samples(definition, committed, completed, best)
    why = f"chosen of {' '.join(configuration)} by validation Dice, among the trials on {_splits_in_words(definition)}"
    return Choice((best,), why)


def _named(trial_id: str, completed: Mapping[Trial, Row]) -> Trial:
    trial = parse_trial(trial_id)
    if trial.is_refit:
        raise StudyError(f"{trial_id} is a training on all images: --refit, in place of --trial, hands it over")
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
    raise StudyError(
        f"{counted(len(meant), 'configuration')} are meant, and a model is of one; add one of these: {shown}"
    )


def _one_of_each_split(definition: Definition, completed: Mapping[Trial, Row], configuration: Configuration) -> Choice:
    chosen = _tuned(definition, completed, configuration)
    if len(chosen) < 2:
        raise StudyError(f"an ensemble is of several networks, and {' '.join(configuration)} has {len(chosen)}")
    why = f"of {' '.join(configuration)} the tuned trial of each cell on {_splits_in_words(definition)}, averaged"
    return Choice(tuple(chosen), why)


def _tuned(definition: Definition, completed: Mapping[Trial, Row], configuration: Configuration) -> list[Trial]:
    """Of each cell of the configuration that is chosen from."""
    tuned = best_trials(definition, completed, lambda trial: trial.cell).values()
    return sorted(trial for trial in tuned if configuration_of(trial) == configuration)


def _on_all_samples(
    definition: Definition, committed: Mapping[Trial, Row], completed: Mapping[Trial, Row], best: Trial
) -> Choice:
    """A training on all samples, at the point of a configuration's best trial, for as many epochs as its cells tell.

    No sample is left to choose an epoch by. So it takes the median of the epochs that the tuned trials have chosen, of
    two in the middle the later (more images are overfitted later), and never more than the point has: where epochs are
    searched, other points may have more. Epochs, not steps: each image is seen as often as it was there, at the same
    learning rates.
    """
    tuned = _tuned(definition, completed, configuration_of(best))
    chosen = statistics.median_high(completed[each]["selected_epoch"] for each in tuned)
    most = definition.recipe.at(Point.from_json(completed[best]["point"])).training.epochs
    refit = Trial(best.cell, best.index, min(chosen, most), is_refit=True)
    splits = _splits_in_words(definition)
    point = f"the point of {best.id}" + " (the default one)" * (best.index == 0)
    why = (
        f"trained on all images at {point}, chosen of {' '.join(configuration_of(best))} by validation Dice, among the "
        f"trials on {splits}; for {counted(min(chosen, most), 'epoch')}, the median of those that had the lowest "
        f"validation loss in {counted(len(tuned), 'tuned trial')}" + f", {chosen}, or all of its own" * (chosen > most)
    )
    if num_missing := _num_missing(definition, committed, configuration_of(best)):
        why += f". The study was not finished; missing on {splits}: {counted(num_missing, 'trial')}"
    return Choice((refit,), why)


def _num_missing(definition: Definition, committed: Mapping[Trial, Row], configuration: Configuration) -> int:
    """Trials of a configuration, on the splits that are chosen from, that were to tell and are not there."""
    splits, known = splits_to_choose_from(definition), objectives(committed)
    missing = [each for each in decided_trials(definition, known) if each not in committed]
    ahead = [*missing, *undecided_trials(definition, known)]
    return sum(configuration_of(each) == configuration and each.cell.split in splits for each in ahead)


def _splits_in_words(definition: Definition) -> str:
    kinds = {definition.splits.kind_of(split) for split in splits_to_choose_from(definition)}
    return "random splits" if kinds == {"random"} else "its splits, none of which is random"
