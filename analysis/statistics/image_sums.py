"""What every test image adds to the scores of a trial: the numerators and the weights of which a score is the ratio."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError
from analysis.facts import FACTORS, Facts
from analysis.scores import Configuration, Floats
from study.data_set import data_set_of
from study.errors import StudyError
from trainers.data.class_names import BACKGROUNDS
from trainers.dice import sums_of_images


@dataclass(frozen=True)
class TrialSums:
    """A trial's N test images and K classes, the background left out."""

    factors: Mapping[str, object]
    """The columns FACTORS."""
    images: list[str]
    classes: list[str]
    shown_K: NDArray[np.bool_]
    """Whether any of the images shows the class; if none does, it has no score."""
    sums: Mapping[str, tuple[Floats, Floats]]
    """Averaging -> numerators and weights, shape (N, K) each."""

    @property
    def configuration(self) -> tuple[str, str]:
        return str(self.factors["model"]), str(self.factors["loss"])


def by_image(
    facts: Facts | None, configurations: Collection[Configuration]
) -> tuple[list[TrialSums], dict[str, str]] | str:
    """The selected trials of these configurations, and the units of images (see `unit_of_images`); or why not."""
    if facts is None:
        return "no pixel counts of single images: these results hold scores alone"
    selected = facts.selected
    own = [each in configurations for each in zip(selected["model"], selected["loss"], strict=True)]
    try:
        return trial_sums(facts, selected.loc[own, "trial"]), unit_of_images(facts)
    except AnalysisError as error:
        return str(error)


def trial_sums(facts: Facts, trials: Iterable[str]) -> list[TrialSums]:
    """Of these trials, by id. Raises AnalysisError for one whose pixel counts are gone."""
    factors = facts.trials.set_index("trial")[FACTORS[1:]]
    found = []
    for trial, counted in facts.counts(list(trials)).items():
        classes = counted.classes
        first = int(classes[0] in BACKGROUNDS)
        sums = {
            averaging: (np.asarray(numerator, float)[:, first:], np.asarray(weight, float)[:, first:])
            for averaging, (numerator, weight) in sums_of_images(counted.pixels, counted.ratio).items()
        }
        place = {"trial": trial} | factors.loc[trial].to_dict()
        shown_K = np.asarray(counted.pixels.shown[:, first:].any(axis=0))
        found.append(TrialSums(place, counted.images, classes[first:], shown_K, sums))
    return found


def unit_of_images(facts: Facts) -> dict[str, str]:
    """Image -> its unit, where the definition has `splits.unit`; empty where it has none: each image is its own.

    Units stand in the data set alone. Raises AnalysisError, with the remedy, where it is not at hand as it was: images
    of one unit, taken for independent, would give intervals that are too narrow.
    """
    definition = facts.definition
    if (column := definition.splits.unit) is None:
        return {}
    remedy = f"which images have one {column} (splits.unit) stands in the data set alone: have it at data.path"
    try:
        data = data_set_of(definition)
        same = set(facts.trials["data_fingerprint"]) == {data.fingerprint()}
        samples = (data.samples_by_names or data.samples()) if same else None
    except StudyError as error:
        raise AnalysisError(f"{remedy} ({error})") from None
    if samples is None:
        raise AnalysisError(f"{remedy} ({definition.data.path} is another data set)")
    return {row.id: str(row.values[column]) for row in samples.rows}
