"""Split -> what a trial trains on, drawn by seeds named after what they are for.

Shapes: B images in a batch, H and W pixels, C = 3 colours (RGB).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from trainers.augmentation.chain import Chain, augmentation
from trainers.data.pixels import Pixels
from trainers.data.size import Size
from trainers.data.source import Source
from trainers.data.split import Split
from trainers.seeds import generator_for, seed_of

PIXELS_AHEAD = 2**22
"""Of the batches made at once, 16 of the paper's: 16 MB."""

MOST_KEPT = 2**28
"""Bytes of validation images that are kept from epoch to epoch."""
COLOURS = 3

Batch = tuple[Tensor, Tensor]
"""images_BHWC and labels_BHW, uint8."""

_chain = lru_cache(maxsize=1)(augmentation)  # to make one takes longer than to augment a batch


@dataclass(frozen=True)
class TrainingImages:
    """What one trial sees of a split's training images."""

    split: Split
    batch_size: int
    size: Size
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
        return max(1, int(pixels / (self.batch_size * self.size.pixels)))

    def numbers(self, epochs: range) -> Iterator[tuple[int, int]]:
        """(epoch, number within the epoch) of all batches, in the order of training."""
        return ((epoch, number) for epoch in epochs for number in range(self.num_batches))

    def chain(self, epoch: int, number: int) -> Chain:
        """What augments the batch's images, one after another; to be used before the next one is asked for."""
        chain = _chain(self.strength, self.size)
        chain.set_random_seed(seed_of(*self.purpose, "augmentation", epoch, number) % 2**32)
        return chain


def make_batch(source: Source, images: TrainingImages, epoch: int, number: int) -> tuple[Pixels, Pixels]:
    """One batch of augmented images_BHWC and labels_BHW; every epoch is shuffled.

    A batch has draws of its own, so the batches can be made in any order, and are the same.
    """
    size, names, chain = images.batch_size, images.split.train, images.chain(epoch, number)
    order = generator_for(*images.purpose, "order", epoch).permutation(len(names))
    drawn = [names[place] for place in order[number * size : (number + 1) * size]]
    draws = generator_for(*images.purpose, "backgrounds", epoch, number)  # a word that stays, as the numbers do
    made = source.for_training(images.split, drawn, draws)
    pixels, labels = zip(*(chain.augmented(*each) for each in made), strict=True)
    return np.stack(pixels), np.stack(labels)


def training_batches(source: Source, images: TrainingImages, epochs: range, device: torch.device) -> Iterator[Batch]:
    """The batches of these epochs one after another, in the CPU's memory: the same bits for every device.

    On a CPU several are made at once: what makes them then stays in the processor's caches, which a network's step
    takes for itself. A GPU copies them from page-locked memory without keeping the CPU waiting, and one is always in
    hand, made while the GPU worked on those before it: so it has one at once when an epoch begins.
    """
    numbers = images.numbers(epochs)
    if device.type == "cuda":
        made = (_tensors(source, images, *each) for each in numbers)
        yield from _one_in_hand((pixels.pin_memory(), labels.pin_memory()) for pixels, labels in made)
    while some := list(islice(numbers, images.num_batches_of(PIXELS_AHEAD))):
        yield from [_tensors(source, images, *each) for each in some]


@dataclass(frozen=True)
class EvaluationImages:
    """Samples of a split's val or test, batch by batch in their order; the last batch may be a smaller one."""

    source: Source
    split: Split
    ids: tuple[str, ...]
    batch_size: int

    def __iter__(self) -> Iterator[Batch]:
        images = iter(self.source.for_evaluation(self.split, self.ids))
        while some := list(islice(images, self.batch_size)):
            pixels, labels = zip(*some, strict=True)
            yield torch.from_numpy(np.stack(pixels)), torch.from_numpy(np.stack(labels))

    def kept_on(self, device: torch.device, size: Size) -> Iterable[Batch]:
        """The same batches for several uses: made once and kept on the device where they take little memory."""
        if len(self.ids) * size.pixels * (COLOURS + 1) > MOST_KEPT:
            return self
        return [(pixels.to(device), labels.to(device)) for pixels, labels in self]


def _tensors(source: Source, images: TrainingImages, epoch: int, number: int) -> Batch:
    pixels, labels = make_batch(source, images, epoch, number)
    return torch.from_numpy(pixels), torch.from_numpy(labels)


def _one_in_hand(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches, each handed out when the one after it has been made."""
    for held in batches:
        for following in batches:
            yield held
            held = following
        yield held
