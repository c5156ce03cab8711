"""Split -> what a trial trains on, drawn by seeds named after what they are for.

Shapes: B images in a batch, H and W pixels, C = 3 colours (RGB).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from trainers.augmentation.chain import Chain, augmentation
from trainers.compositing import Crop, Pixels, random_crops
from trainers.data import Dataset
from trainers.pasting import pasted
from trainers.seeds import generator_for, seed_of
from trainers.split import Split

PIXELS_AHEAD = 2**22
"""Of the batches made at once, 16 of the paper's: 16 MB."""

Batch = tuple[Tensor, Tensor]
"""images_BHWC and labels_BHW, uint8."""

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

    def num_batches_of(self, pixels: float) -> int:
        """As many batches as have so many pixels; at least one."""
        return max(1, int(pixels / (self.batch_size * self.image_size**2)))

    def numbers(self, epochs: range) -> Iterator[tuple[int, int]]:
        """(epoch, number within the epoch) of all batches, in the order of training."""
        return ((epoch, number) for epoch in epochs for number in range(self.num_batches))

    def chain(self, epoch: int, number: int) -> Chain:
        """What augments the batch's images, one after another; to be used before the next one is asked for."""
        chain = _chain(self.strength, self.image_size)
        chain.set_random_seed(seed_of(*self.purpose, "augmentation", epoch, number) % 2**32)
        return chain


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
    order = generator_for(*images.purpose, "order", epoch).permutation(len(split.train))
    objects = [dataset.index[split.train[place]] for place in order[number * size : (number + 1) * size]]
    draws = generator_for(*images.purpose, "backgrounds", epoch, number)
    rows = {name: row for row, name in enumerate(dataset.background_ids)}
    chosen = draws.choice(len(split.train_backgrounds), len(objects))
    backgrounds = [rows[split.train_backgrounds[place]] for place in chosen]
    sides_N2 = np.array([dataset.backgrounds[row].shape[:2] for row in backgrounds])
    drawn = zip(objects, backgrounds, random_crops(sides_N2, draws), strict=True)
    return [Composition(*each) for each in drawn]


def make_batch(dataset: Dataset, images: TrainingImages, epoch: int, number: int) -> tuple[Pixels, Pixels]:
    """One batch of composited, augmented images_BHWC and labels_BHW."""
    chain = images.chain(epoch, number)
    pixels, labels = [], []
    for drawn in compositions(dataset, images, epoch, number):
        row, behind = drawn.object, dataset.backgrounds[drawn.background]
        image = pasted(dataset.objects_NHWC[row], dataset.coverage_NHW[row], behind, drawn.crop)
        augmented = chain.augmented(image, dataset.labels_NHW[row])
        pixels.append(augmented[0])
        labels.append(augmented[1])
    return np.stack(pixels), np.stack(labels)


def training_batches(dataset: Dataset, images: TrainingImages, epochs: range, device: torch.device) -> Iterator[Batch]:
    """The batches of these epochs one after another, in the CPU's memory: the same bits for every device.

    On a CPU several are made at once: what makes them then stays in the processor's caches, which a network's step
    takes for itself. A GPU copies them from page-locked memory without keeping the CPU waiting, and one is always in
    hand, made while the GPU worked on those before it: so it has one at once when an epoch begins.
    """
    numbers = images.numbers(epochs)
    if device.type == "cuda":
        made = (_tensors(dataset, images, *each) for each in numbers)
        yield from _one_in_hand((pixels.pin_memory(), labels.pin_memory()) for pixels, labels in made)
    while some := list(islice(numbers, images.num_batches_of(PIXELS_AHEAD))):
        yield from [_tensors(dataset, images, *each) for each in some]


def _tensors(dataset: Dataset, images: TrainingImages, epoch: int, number: int) -> Batch:
    pixels, labels = make_batch(dataset, images, epoch, number)
    return torch.from_numpy(pixels), torch.from_numpy(labels)


def _one_in_hand(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, each handed out when the one after it has been made."""
    for held in batches:
        for following in batches:
            yield held
            held = following
        yield held
