"""What a training asks of its data. Whoever answers these two questions can be trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from trainers.data.likeness import Glimpse
from trainers.data.pixels import Pixels
from trainers.data.split import Split
from trainers.data.table import Samples


class Source(Protocol):
    """The images of a table of samples: all of one size, H x W pixels, C = 3 colours (RGB), uint8.

    A label is a position in `samples.labels`, or IGNORED. A source is sent to workers, so it can be pickled.
    """

    @property
    def samples(self) -> Samples: ...

    def for_training(
        self, split: Split, ids: Sequence[str], generator: np.random.Generator
    ) -> Iterable[tuple[Pixels, Pixels]]:
        """image_HWC and labels_HW of each of these training samples, before augmentation.

        Whatever is random is drawn from the generator: the same generator gives the same images.
        """

    def for_evaluation(self, split: Split, ids: Sequence[str]) -> Iterable[tuple[Pixels, Pixels]]:
        """image_HWC and labels_HW of each of these samples of the split's val or test: the same whenever asked for."""

    def __hash__(self) -> int:
        """By identity, as no source equals another one."""


@runtime_checkable
class Glimpsed(Protocol):
    """A source whose images look the same in every split, so that they can be compared with each other."""

    @property
    def glimpses(self) -> Mapping[str, Glimpse]:
        """Of each image, by its sample's id."""


@runtime_checkable
class OwnSizes(Protocol):
    """A source whose images have sizes of their own, at which pixels can be counted."""

    def at_own_size(self, sample: str, predicted_HW: Pixels) -> tuple[Pixels, Pixels]:
        """A sample's labels, and what was predicted for it at the working size, at the size of its image."""
