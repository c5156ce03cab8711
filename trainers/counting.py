"""Pixels of predictions, counted where the recipe says: at the working size, or each image at its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainers.data.pixels import Pixels
from trainers.data.source import OwnSizes, Source
from trainers.dice import confusion


def counted_at_own_size(source: Source, ids: Sequence[str], predicted_NHW: Pixels) -> NDArray[np.int64]:
    """Pixel counts [image, truth, predicted] of these samples, shape (N, K, K), each image at its own size.

    :param predicted_NHW: at the working size.
    """
    if not isinstance(source, OwnSizes):
        raise TypeError(f"{type(source).__name__} keeps no labels at the images' own sizes")
    num_classes = len(source.samples.labels)
    pairs = (source.at_own_size(*each) for each in zip(ids, predicted_NHW, strict=True))
    return np.concatenate([confusion(truth[None], predicted[None], num_classes) for truth, predicted in pairs])
