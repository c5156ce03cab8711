"""Split -> what a trial trains on, drawn by seeds named after what they are for.

Shapes: B images in a batch, H and W pixels, C = 3 colours (RGB).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trainers.augment import augmentation
from trainers.compositing import background_crop, composite
from trainers.data import Dataset
from trainers.seeds import generator_for, seed_of
from trainers.split import Split

Pixels = NDArray[np.uint8]

_chain = lru_cache(maxsize=1)(augmentation)  # to make one takes longer than to augment a batch


@dataclass(frozen=True)
class TrainingImages:
    """What one trial sees of a split's training images."""

    split: Split
    batch_size: int
    image_size: int
    strength: float
    """Of the augmentation."""
    purpose: tuple[str | int, ...]
    """Whose images they are (study seed, trial): the words that seed every draw."""

    @property
    def num_batches(self) -> int:
        """Of an epoch; an incomplete last batch is dropped."""
        return len(self.split.train) // self.batch_size

    def numbers(self, epochs: range) -> Iterator[tuple[int, int]]:
        """(epoch, number within the epoch) of all batches, in the order of training."""
        return ((epoch, number) for epoch in epochs for number in range(self.num_batches))


def make_batch(dataset: Dataset, images: TrainingImages, epoch: int, number: int) -> tuple[Pixels, Pixels]:
    """One batch of composited, augmented images_BHWC and labels_BHW; every epoch is shuffled.

    A batch has draws of its own, so the batches can be made in any order, by any number of processes, and are the same.
    """
    split, size = images.split, images.image_size
    backgrounds = dict(zip(dataset.background_ids, dataset.backgrounds, strict=True))
    pool = [backgrounds[name] for name in split.train_backgrounds]
    order = generator_for(*images.purpose, "order", epoch).permutation([dataset.index[name] for name in split.train])
    draws = generator_for(*images.purpose, "backgrounds", epoch, number)
    chain = _chain(images.strength, size)
    chain.set_random_seed(seed_of(*images.purpose, "augmentation", epoch, number) % 2**32)
    pixels, labels = [], []
    for row in order[number * images.batch_size : (number + 1) * images.batch_size]:
        background = background_crop(pool[draws.integers(len(pool))], draws, size)
        image = composite(dataset.objects_NHWC[row], dataset.coverage_NHW[row], background)
        augmented = chain(image=image, mask=dataset.labels_NHW[row])
        pixels.append(augmented["image"])
        labels.append(augmented["mask"])
    return np.stack(pixels), np.stack(labels)
