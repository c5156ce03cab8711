"""A single mask whose values no other has, as it is no label map or belongs to another set: they name no classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from trainers.data.pairs.description import MaskValue
from trainers.data.pairs.mask_values import Seen
from trainers.data.pairs.pair import Listing
from trainers.printable import counted

FEWEST_MASKS, FEWEST_VALUES = 8, 2
"""Of fewer masks, and of a single value, nothing can be told: a class may be rare."""
_VALUES_TOLD = 5


@dataclass(frozen=True)
class OddMask:
    """The one mask, and the values that it alone has, ascending."""

    place: str
    values: tuple[MaskValue, ...]

    @property
    def in_words(self) -> str:
        told = ", ".join(map(str, self.values[:_VALUES_TOLD])) + ", ..." * (len(self.values) > _VALUES_TOLD)
        return (
            f"{self.place} alone holds {counted(len(self.values), 'value')} that no other mask has ({told}): not taken "
            "for classes. Correct that mask, or name them in data.pairs.classes."
        )


def odd_mask(listing: Listing, seen: Sequence[Seen]) -> OddMask | None:
    """Where all values that a single mask has are those of one mask, and they are several."""
    masks_of: dict[MaskValue, set[int]] = defaultdict(set)
    for number, each in enumerate(seen):
        for value in each.as_counted:
            masks_of[value].add(number)
    alone = {value: min(masks) for value, masks in masks_of.items() if len(masks) == 1}
    if len(set(alone.values())) != 1 or len(alone) < FEWEST_VALUES or len(seen) < FEWEST_MASKS:
        return None
    values = sorted(alone, key=lambda value: (isinstance(value, str), value))
    return OddMask(listing.pairs[alone[values[0]]].mask_place, tuple(values))
