"""Training images made on a GPU: the data set lies there; the CPU only draws what is to be done with it.

Shapes: N images of many batches, B of one, H and W pixels, C = 3 colours (RGB).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from trainers.batches import Batches, TrainingImages, compositions
from trainers.data import Dataset
from trainers.gpu.backgrounds import Backgrounds
from trainers.gpu.operations import augmented
from trainers.gpu.sending import sent

PIXELS_TOGETHER = 2**23
"""Of the batches made at once, 32 of the paper's: a GPU's kernels take as long for a few images as for hundreds, and
each pixel some 100 bytes meanwhile."""


def made_together(dataset: Dataset, device: torch.device) -> Batches:
    """Many batches are made at once on the device. The CPU never waits for it.

    The images are those of `batches.make_batch` by draws, and within the tolerances of `operations` by levels.
    """
    objects_NHWC, coverage_NHW, labels_NHW = (
        sent(array, device) for array in (dataset.objects_NHWC, dataset.coverage_NHW, dataset.labels_NHW)
    )
    backgrounds = Backgrounds(dataset.backgrounds, device)

    def made(images: TrainingImages, epoch: int, numbers: range) -> tuple[Tensor, Tensor]:
        together = [each for number in numbers for each in compositions(dataset, images, epoch, number)]
        drawn = []
        for number in numbers:
            chain = images.chain(epoch, number)
            drawn += [chain.drawn(images.image_size) for _ in range(images.batch_size)]
        rows = sent(np.array([each.object for each in together]), device)
        behind = backgrounds.cropped(
            [each.background for each in together], [each.crop for each in together], images.image_size
        )
        composited = composite(objects_NHWC[rows], coverage_NHW[rows], behind)
        return augmented(composited, labels_NHW[rows], drawn)

    def batches(images: TrainingImages, epochs: range) -> Iterator[tuple[Tensor, Tensor]]:
        coming = (made(images, epoch, numbers) for epoch in epochs for numbers in _parts(images))
        now = next(coming, None)
        while now is not None:
            *first, last = zip(*(torch.split(tensor, images.batch_size) for tensor in now), strict=True)
            yield from first
            now = next(coming, None)  # while the GPU trains on the first: after the last it would stand idle
            yield last

    return batches


def _parts(images: TrainingImages) -> Iterator[range]:
    """An epoch's batches, as many at a time as are made together."""
    together, number = images.num_batches_of(PIXELS_TOGETHER), images.num_batches
    return (range(first, min(first + together, number)) for first in range(0, number, together))


def composite(objects_NHWC: Tensor, coverage_NHW: Tensor, backgrounds_NHWC: Tensor) -> Tensor:
    """`compositing.composite`, bit for bit."""
    uncovered = (255 - coverage_NHW.int())[..., None]
    behind = (backgrounds_NHWC * uncovered + 127).div(255, rounding_mode="floor")
    return objects_NHWC + behind.to(torch.uint8)
