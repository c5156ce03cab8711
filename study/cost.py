"""What a trial will cost, before it is run. An estimate: nothing but plans and the time left depends on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from study.cells import Trial
from study.definition import Definition
from study.search import expected_width

# One core of an AMX Xeon, bf16, November 2026: training steps of 128 x 128 images at width 1.0; their augmentation.
IMAGES_PER_SECOND = {"icnet": 45.0, "unet": 7.0, "icnet_cascade": 170.0}
SECONDS_PER_AUGMENTED_IMAGE = 0.0007
SECONDS_PER_TRIAL = 1.0


@dataclass(frozen=True)
class Estimate:
    """Seconds of one worker."""

    seconds: float
    measured: bool  # scaled by trials that were run, not by the constants of another machine alone


NumTrain = Mapping[str, int]
"""Split -> its number of training images."""


def trial_seconds(definition: Definition, trial: Trial, num_train: NumTrain) -> float:
    """Seconds that one CPU core of the reference machine needs for a trial that is still to be run."""
    width = expected_width(definition.search, definition.seed, trial.index)
    return seconds_at(definition, trial.cell.model, width, num_train[trial.cell.split])


def seconds_at(definition: Definition, model: str, width: float, num_train: int) -> float:
    """The same for a trial of known width: arithmetic grows with its square, both with the image's area."""
    training = definition.training
    area = (training.image_size / 128) ** 2
    step = width**2 / IMAGES_PER_SECOND[model] / training.threads
    return (step + SECONDS_PER_AUGMENTED_IMAGE) * area * num_train * training.epochs + SECONDS_PER_TRIAL


def estimate(
    definition: Definition, missing: Iterable[Trial], committed: Mapping[Trial, Mapping[str, Any]], num_train: NumTrain
) -> Estimate:
    """Worker-seconds for the missing trials, scaled by what the committed ones took, if there are any."""
    predicted = sum(trial_seconds(definition, trial, num_train) for trial in missing)
    done = [(trial, row) for trial, row in committed.items() if row["status"] == "completed"]
    if not done:
        return Estimate(predicted, measured=False)
    expected = sum(seconds_at(definition, trial.cell.model, row["width"], row["num_train"]) for trial, row in done)
    return Estimate(predicted * sum(row["train_seconds"] for _, row in done) / expected, measured=True)


def readable(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`, `4 d 2 h`."""
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if minutes < 100:
        return f"{minutes} min"
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"
