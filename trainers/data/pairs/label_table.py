"""Which label a value of a mask is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from trainers.data.pairs.decoding import MaskPixels
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.pair import Listing
from trainers.data.pixels import Pixels


@dataclass(frozen=True, eq=False)
class LabelTable:
    """The values (or colours) of masks, and the label that each of them is."""

    names: tuple[str, ...]
    """The classes in the order of their labels, without the background."""
    has_background: bool
    has_ignored: bool

    @classmethod
    def of(cls, described: Pairs, listing: Listing) -> Self:
        """As a definition describes them, else as the format has them. Raises DataError if there are none, or if names
        or values cannot be told apart."""
        raise NotImplementedError

    def labels_of(self, mask: MaskPixels) -> Pixels:
        """A mask's label map, shape (H, W). Raises UnusableImage naming values that are no class."""
        raise NotImplementedError
