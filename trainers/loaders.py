"""Who makes the batches: the process that trains, between its steps, or others ahead of it.

Beside a CPU's training the making is a few percent of the time, and another process would take its core. A GPU eats
batches faster than one core makes them. Both ways give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from trainers.batches import TrainingImages, make_batch
from trainers.data import Dataset

Batches = Callable[[TrainingImages, range], Iterator[tuple[Tensor, Tensor]]]
"""(whose, epochs) -> the batches of these epochs one after another: images_BHWC and labels_BHW, uint8."""
_AHEAD = 4
"""Batches that every process makes ahead."""


def made_here(dataset: Dataset) -> Batches:
    """Each batch is made when it is asked for."""

    def batches(images: TrainingImages, epochs: range) -> Iterator[tuple[Tensor, Tensor]]:
        for epoch, number in images.numbers(epochs):
            pixels, labels = make_batch(dataset, images, epoch, number)
            yield torch.from_numpy(pixels), torch.from_numpy(labels)

    return batches


def made_ahead(dataset: Dataset, processes: int) -> Batches:
    """Processes make the batches ahead, in memory that a GPU reads from directly.

    They take seconds to start, at the first use, and serve any number of trainings one after another, until what is
    returned here is forgotten or this process ends. One that dies makes the training end with a RuntimeError.
    """
    requests: list[_Request] = []
    loader = DataLoader(
        _Maker(dataset),
        sampler=requests,
        batch_size=None,  # a request is for a whole batch
        num_workers=processes,
        prefetch_factor=_AHEAD,
        persistent_workers=True,
        multiprocessing_context="spawn",  # a process that has used a GPU cannot be forked
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # else it draws from the global one
    )

    def batches(images: TrainingImages, epochs: range) -> Iterator[tuple[Tensor, Tensor]]:
        requests[:] = [(images, *which) for which in images.numbers(epochs)]
        return iter(loader)

    return batches


_Request = tuple[TrainingImages, int, int]


class _Maker(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """What the processes run: a batch for every request."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def __getitem__(self, request: _Request) -> tuple[Tensor, Tensor]:
        pixels, labels = make_batch(self._dataset, *request)
        return torch.from_numpy(pixels), torch.from_numpy(labels)
