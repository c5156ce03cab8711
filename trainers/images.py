"""Split -> the images of a validation or test partition, the same for every model. Imports nothing that is heavy."""

from __future__ import annotations

import numpy as np

from trainers.compositing import Pixels, composite, whole_background
from trainers.data import Dataset
from trainers.split import Partition


def fixed_images(dataset: Dataset, partition: Partition) -> tuple[Pixels, Pixels]:
    """The composited images_NHWC and labels_NHW of a partition: N images of H x W pixels, C = 3 colours (RGB)."""
    size = dataset.labels_NHW.shape[1]
    rows = [dataset.index[image] for image in partition.images]
    backgrounds = dict(zip(dataset.background_ids, dataset.backgrounds, strict=True))
    whole = {name: whole_background(backgrounds[name], size) for name in set(partition.backgrounds)}
    images = [
        composite(dataset.objects_NHWC[row], dataset.coverage_NHW[row], whole[background])
        for row, background in zip(rows, partition.backgrounds, strict=True)
    ]
    return np.stack(images), dataset.labels_NHW[rows]
