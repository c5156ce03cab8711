"""How fast this machine trains a definition's networks, from a few batches of each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from study.cost import SECONDS_PER_TRIAL, Factors, seconds_at
from study.definition import Definition
from study.prepare import Prepared, prepare
from trainers.data.split import Split
from trainers.recipe import ModelName

BATCHES, EPOCHS = 4, 3
"""Of each training; its first epoch, in which memory is taken and algorithms are chosen, does not count."""


@dataclass(frozen=True)
class Speed:
    """Of one network, as trials of this definition would train it here."""

    model: ModelName
    width: float
    images_per_second: float
    """Training images over the time of whole epochs, validation included."""
    factor: float
    """The seconds of a trial as a multiple of those on the reference machine."""


def calibrate(definition: Definition) -> list[Speed]:
    """Train every network of the grid for seconds, at its default width and, if it is searched, in the range's middle.

    Uses one worker's threads, or the GPU if there is one, alone; where several trials share a machine's memory they are
    slower by some percent.
    """
    study = prepare(definition)
    search = definition.search
    middle = {round(sum(search.width) / 2, 2)} if search.trials > 1 else set()
    return [
        _speed(study, model, width)
        for model in definition.grid.models
        for width in sorted({search.default_width} | middle)
    ]


def factors_of(speeds: list[Speed]) -> Factors:
    """The mean over a model's widths."""
    of_model: dict[str, list[float]] = {}
    for speed in speeds:
        of_model.setdefault(speed.model, []).append(speed.factor)
    return {model: sum(factors) / len(factors) for model, factors in of_model.items()}


def _speed(study: Prepared, model: ModelName, width: float) -> Speed:
    from trainers.train import Job, train  # torch takes seconds to import: not for those who only want the classes

    definition = study.definition
    split = _shortened(next(iter(study.splits.values())), BATCHES * definition.training.batch_size)
    short = definition.model_copy(update={"training": definition.training.model_copy(update={"epochs": EPOCHS})})
    job = Job(model, definition.grid.losses[0], width, definition.search.default_strength, ("calibration",))
    seconds = [line.seconds for line in train(job, short.training, study.source, split).history]
    taken = sum(seconds[1:]) / (EPOCHS - 1)
    expected = (seconds_at(short, model, width, len(split.train)) - SECONDS_PER_TRIAL) / EPOCHS
    return Speed(model, width, len(split.train) / taken, taken / expected)


def _shortened(split: Split, num_train: int) -> Split:
    """So many training samples, and as large a share of the validation samples."""
    num_train = min(num_train, len(split.train))
    num_val = max(1, round(len(split.val) * num_train / len(split.train)))
    return replace(split, train=split.train[:num_train], val=split.val[:num_val])
