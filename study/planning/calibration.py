"""How fast this machine trains a definition's networks, from a few batches of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from study.definition import Definition
from study.definition.point import Point
from study.errors import StudyError
from study.planning.cost import Factors, seconds_at
from study.prepare import Prepared, prepare
from study.search import middle_point
from trainers.data.split import Split

BATCHES, EPOCHS = 4, 3
"""Of each training; its first epoch, in which memory is taken and algorithms are chosen, does not count."""


@dataclass(frozen=True)
class Speed:
    """Of one network, as trials of this definition would train it here."""

    model: str
    point: Point
    images_per_second: float
    """Training images over the time of whole epochs, validation included."""
    factor: float
    """The seconds of its epochs as a multiple of those on the reference machine."""

    @property
    def in_words(self) -> str:
        """Without a search there is no point to tell apart."""
        at = f" at {self.point}" if self.point else ""
        return f"{self.model}{at}: {self.images_per_second:.1f} images/s here"


def calibrate(definition: Definition) -> list[Speed]:
    """Train every network of the grid for seconds, at the default point and, if there is a search, in its middle.

    Uses one worker's threads, or the GPU if there is one, alone; where several trials share a machine's memory they are
    slower by some percent. Raises StudyError where one cannot be trained.
    """
    study, points = prepare(definition), [definition.default_point]
    if definition.search.trials > 1:
        points.append(middle_point(definition))
    return [_speed(study, model, point) for model in definition.grid.models for point in dict.fromkeys(points)]


def factors_of(speeds: list[Speed]) -> Factors:
    """The mean over a model's points."""
    of_model: dict[str, list[float]] = {}
    for speed in speeds:
        of_model.setdefault(speed.model, []).append(speed.factor)
    return {model: sum(factors) / len(factors) for model, factors in of_model.items()}


def _speed(study: Prepared, model: str, point: Point) -> Speed:
    from study.trial import refusals_of_torch
    from trainers.outcome import CannotBeTrained, OutOfGpuMemory
    from trainers.train import (  # torch takes seconds to import: not for those who only want the classes
        Diverged,
        Job,
        train,
    )

    recipe = study.definition.recipe.at({**point, "training.epochs": EPOCHS})
    split = _shortened(next(iter(study.splits.values())), BATCHES * recipe.training.batch_size)
    name_of_loss = study.definition.grid.losses[0]
    network, loss = study.definition.network(model), study.definition.loss(name_of_loss)
    job = Job(network.make, loss.make, recipe, ("calibration",), model_args=network.args, loss_args=loss.args)
    try:
        with refusals_of_torch(model, name_of_loss):
            seconds = [line.seconds for line in train(job, study.source, split).history]
    except (CannotBeTrained, OutOfGpuMemory, Diverged) as error:
        raise StudyError(f"the speed of {model} cannot be measured: {error}") from error
    taken = sum(seconds[1:]) / (EPOCHS - 1)
    expected = seconds_at(network, recipe, len(split.train)) / EPOCHS
    return Speed(model, point, len(split.train) / taken, taken / expected)


def _shortened(split: Split, num_train: int) -> Split:
    """So many training samples, and as large a share of the validation samples."""
    num_train = min(num_train, len(split.train))
    num_val = max(1, round(len(split.val) * num_train / len(split.train)))
    return replace(split, train=split.train[:num_train], val=split.val[:num_val])
