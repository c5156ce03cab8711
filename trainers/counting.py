"""Pixels of predictions, counted where the recipe says: at the working size, or each image at its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trainers.data.pixels import Pixels
from trainers.data.source import OwnSizes, Source


def at_own_sizes(source: Source, ids: Sequence[str], predicted_NHW: Pixels) -> Iterator[tuple[Pixels, Pixels]]:
    """True and predicted labels of these samples, shape (1, H, W) each, every image at its own size.

    :param predicted_NHW: at the working size.
    """
    if not isinstance(source, OwnSizes):
        raise TypeError(f"{type(source).__name__} keeps no labels at the images' own sizes")
    for each in zip(ids, predicted_NHW, strict=True):
        truth, predicted = source.at_own_size(*each)
        yield truth[None], predicted[None]
