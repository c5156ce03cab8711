"""What a trial will cost, before it is run. An estimate: nothing but plans and the time left depends on it."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

from study.cells import Trial
from study.definition import Definition
from study.definition.parts import NamedNetwork
from study.definition.point import Point
from study.halving import new_epochs_of
from study.planning.figures import REFERENCE, Figures, figures_of
from study.search import likely_points
from trainers.costs import TrainingCost
from trainers.data.split import Split
from trainers.recipe import Recipe

SECONDS_PER_AUGMENTED_IMAGE = 0.0007  # of one core of the reference machine
SECONDS_PER_TRIAL = 1.0
"""Beside its epochs: the test and the commit. A machine that is slow at training is not as slow at these."""


@dataclass(frozen=True)
class Estimate:
    """What trials will take, and by whose speed: this study's own trials', a calibration's, or another machine's."""

    seconds_of: Mapping[str, float]
    """Model -> seconds of one worker."""
    basis: Literal["measured", "calibrated", "constants"]
    """The last: those of the reference machine, which say little of any other."""
    unmeasured: tuple[str, ...] = ()
    """Networks of whose cost nothing is known: they are taken for as costly as the costliest that is known."""

    @property
    def seconds(self) -> float:
        return sum(self.seconds_of.values())

    @property
    def in_words(self) -> str:
        basis = {
            "measured": "by the speed of the trials that were done",
            "calibrated": "by the speed of a few batches here",
            "constants": f"by the speed of {REFERENCE}: this machine may take several times as long",
        }[self.basis]
        guessed = (
            f"; not measured yet, so taken for as slow as the slowest built-in network: {', '.join(self.unmeasured)}"
        )
        return basis + guessed * bool(self.unmeasured)


NumTrain = Mapping[str, int]
"""Split -> its number of training images."""
Factors = Mapping[str, float]
"""Model -> seconds that its epochs take here, as a multiple of those on the reference machine."""


def images_to_train_on(splits: Mapping[str, Split]) -> dict[str, int]:
    """Split -> its number of training images."""
    return {name: len(split.train) for name, split in splits.items()}


Costs = Mapping[str, TrainingCost]
"""Model -> its cost, as it has been measured with the recipe's own values; of networks that are not built in."""


def training_seconds(
    definition: Definition, num_train: NumTrain, costs: Costs = MappingProxyType({})
) -> Callable[[Trial], float]:
    """A function of trials that are still to be run: the seconds that the epochs of each take one core of the reference
    machine.

    Where TPE will choose the point, it is the mean over the space. What trials have in common is computed once.
    """
    recipe, startup = definition.recipe, definition.search.startup

    @cache
    def recipes(index: int) -> list[Recipe]:
        return [recipe.at(point) for point in likely_points(definition, index)]

    @cache
    def seconds(model: str, split: str, index: int, epochs: int | None) -> float:
        network = definition.network(model)
        cost = costs.get(model)
        return statistics.fmean(
            seconds_at(network, likely, num_train[split], epochs, cost) for likely in recipes(index)
        )

    def of_trial(trial: Trial) -> float:
        epochs = new_epochs_of(definition, trial)
        return seconds(trial.cell.model, trial.cell.split, min(trial.index, startup), epochs)

    return of_trial


def seconds_at(
    network: NamedNetwork,
    recipe: Recipe,
    num_train: int,
    epochs: int | None = None,
    cost: TrainingCost | None = None,
) -> float:
    """The same for a trial of known recipe: all of it grows with the image's area.

    :param epochs: that are trained; the recipe's, if not given.
    :param cost: of a network that is not built in, if it has been measured.
    """
    training = recipe.training
    figures, area = figures_of(network.make), training.size.pixels / 128**2
    if figures.is_measured or cost is None:
        step = figures.seconds_per_image(network.width_in(recipe))
    else:  # whatever width it has is in its cost
        step = Figures(cost).seconds_per_image(1.0)
    step /= training.threads
    return (step + SECONDS_PER_AUGMENTED_IMAGE) * area * num_train * (epochs or training.epochs)


def estimate(
    definition: Definition,
    missing: Iterable[Trial],
    committed: Mapping[Trial, Mapping[str, Any]],
    num_train: NumTrain,
    calibrated: Factors = MappingProxyType({}),
    costs: Costs = MappingProxyType({}),
) -> Estimate:
    """Worker-seconds for the missing trials, scaled for each model by what its committed trials took, if there are any,
    else by its calibration, else by what other models' trials took."""
    measured = _measured(definition, committed, costs)
    others = sum(measured.values()) / len(measured) if measured else 1.0
    seconds, seconds_of = dict.fromkeys(definition.grid.models, 0.0), training_seconds(definition, num_train, costs)
    for trial in missing:
        model = trial.cell.model
        factor = measured.get(model, calibrated.get(model, others))
        seconds[model] += seconds_of(trial) * factor + SECONDS_PER_TRIAL
    unknown = seconds.keys() - measured.keys() - calibrated.keys() - costs.keys()
    unmeasured = tuple(
        model for model in seconds if model in unknown and not figures_of(definition.network(model).make).is_measured
    )
    return Estimate(seconds, "measured" if measured else "calibrated" if calibrated else "constants", unmeasured)


def _measured(definition: Definition, committed: Mapping[Trial, Mapping[str, Any]], costs: Costs) -> Factors:
    """Of the models that have trained trials."""
    took, expected = defaultdict[str, float](float), defaultdict[str, float](float)
    recipe_at = cache(lambda point: definition.recipe.at(Point.from_json(point)))  # many cells share one
    for trial, row in committed.items():
        if row["status"] == "completed":
            took[trial.cell.model] += row["train_seconds"]
            network = definition.network(trial.cell.model)
            expected[trial.cell.model] += seconds_at(
                network, recipe_at(row["point"]), row["num_train"], trial.epochs, costs.get(trial.cell.model)
            )
    return {model: took[model] / expected[model] for model in took}


def readable(seconds: float) -> str:
    """`45 s`, `2.5 min`, `12 min`, `3 h 20 min`, `4 d 2 h`."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if minutes < 10:
        return f"{seconds / 60:.1f}".removesuffix(".0") + " min"
    if minutes < 100:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"
