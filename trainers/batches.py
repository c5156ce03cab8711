"""Split -> what a trial trains on, drawn by seeds named after what they are for.

Shapes: B images in a batch, H and W pixels, C = 3 colours (RGB).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from trainers.augment import Chain, augmentation
from trainers.compositing import Crop, Pixels, random_crops
from trainers.data import Dataset
from trainers.pasting import pasted
from trainers.seeds import generator_for, seed_of
from trainers.split import Split

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

    def chain(self, epoch: int, number: int) -> Chain:
        """What augments the batch's images, one after another; to be used before the next one is asked for."""
        chain = _chain(self.strength, self.image_size)
        chain.set_random_seed(seed_of(*self.purpose, "augmentation", epoch, number) % 2**32)
        return chain


Batches = Callable[[TrainingImages, range], Iterator[tuple[Tensor, Tensor]]]
"""(whose, epochs) -> the batches of these epochs one after another: images_BHWC and labels_BHW, uint8."""


@dataclass(frozen=True)
class Composition:
    """An object before a part of a background, by their rows in the data set."""

    object: int
    background: int
    crop: Crop


def compositions(dataset: Dataset, images: TrainingImages, epoch: int, number: int) -> list[Composition]:
    """What the images of a batch are put together from; every epoch is shuffled.

    A batch has draws of its own, so the batches can be made in any order, and are the same.
    """
    split, size = images.split, images.batch_size
    order = generator_for(*images.purpose, "order", epoch).permutation([dataset.index[name] for name in split.train])
    objects = order[number * size : (number + 1) * size]
    draws = generator_for(*images.purpose, "backgrounds", epoch, number)
    rows = {name: row for row, name in enumerate(dataset.background_ids)}
    backgrounds = draws.choice([rows[name] for name in split.train_backgrounds], len(objects))
    sides_N2 = np.array([dataset.backgrounds[row].shape[:2] for row in backgrounds])
    drawn = zip(objects.tolist(), backgrounds.tolist(), random_crops(sides_N2, draws), strict=True)
    return [Composition(*each) for each in drawn]


def make_batch(dataset: Dataset, images: TrainingImages, epoch: int, number: int) -> tuple[Pixels, Pixels]:
    """One batch of composited, augmented images_BHWC and labels_BHW."""
    chain = images.chain(epoch, number)
    pixels, labels = [], []
    for drawn in compositions(dataset, images, epoch, number):
        row, behind = drawn.object, dataset.backgrounds[drawn.background]
        image = pasted(dataset.objects_NHWC[row], dataset.coverage_NHW[row], behind, drawn.crop)
        augmented = chain(image=image, mask=dataset.labels_NHW[row])
        pixels.append(augmented["image"])
        labels.append(augmented["mask"])
    return np.stack(pixels), np.stack(labels)


def made_one_by_one(dataset: Dataset) -> Batches:
    """Each batch is made by this process when it is asked for."""

    def batches(images: TrainingImages, epochs: range) -> Iterator[tuple[Tensor, Tensor]]:
        for epoch, number in images.numbers(epochs):
            pixels, labels = make_batch(dataset, images, epoch, number)
            yield torch.from_numpy(pixels), torch.from_numpy(labels)

    return batches
