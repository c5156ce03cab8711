"""What a training leaves, as plain facts. Imports nothing that is heavy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class OutOfGpuMemory(Exception):
    """The GPU, or what of it others had left, was too small: a fact of the machine, not of the trial."""


class CannotBeTrained(Exception):
    """This device cannot do what the network, the loss or the precision asks for, or not with the same bits every time.
    The message names it, and the remedy."""


@dataclass(frozen=True)
class Epoch:
    """One line of the training history."""

    epoch: int  # from 1
    train_loss: float
    val_loss: float | None  # None of a training without validation samples
    objective: float | None  # what the search maximises: mean example-wise Dice over the classes on validation
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Evaluation:
    """Of the images of one partition, in its order: the predicted label maps, and what was counted."""

    predicted_NHW: NDArray[np.uint8]
    confusion_NKK: NDArray[np.int64]  # [image, truth, predicted], pixels
    boundary_NK2D: NDArray[np.int64] | None = None  # [image, class, side, distance], pixels: see `trainers.boundaries`


@dataclass(frozen=True)
class Latency:
    """Milliseconds for one image on the device it was trained on, from pixels in memory to logits."""

    median: float
    p95: float
