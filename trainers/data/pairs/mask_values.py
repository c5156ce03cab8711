"""What can be told of a data set's pairs before anybody has said what a value of a mask means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainers.data.decoding import UnusableImage
from trainers.data.pairs.decoding import SMEARED, MaskPixels, decode_mask
from trainers.data.pairs.description import MaskValue
from trainers.data.pairs.label_table import LabelTable
from trainers.data.pairs.main_colours import main_colours
from trainers.data.pairs.pair import Pair
from trainers.data.pairs.reading import UnusablePair, named, stored_as
from trainers.data.pairs.survey import in_turn
from trainers.data.problems import Problem
from trainers.data.size import Size

MOST_VALUES = 1000
"""Of one mask: with more it is no label map."""
NO_LABEL_MAP = f"more than {MOST_VALUES} values: a label map has as many as there are classes, so this is none"
Counts = Mapping[MaskValue, int]
"""Value -> pixels."""


@dataclass(frozen=True)
class Seen:
    """Of one pair: the image's size, upright, and what its mask holds, or what is wrong with it."""

    size: Size | None = None
    values: Counts | None = None
    """Numbers; of a mask of colours None."""
    colours: Counts | None = None
    """Of a mask of colours, or of a palette."""
    problem: Problem | None = None

    @property
    def as_counted(self) -> Counts:
        """Numbers, where there are any, else colours."""
        return self.values if self.values is not None else self.colours or {}

    @property
    def as_colours(self) -> Counts:
        """Colours; grey values, where there is no palette, as the colours that they are."""
        return self.colours or {_as_colour(value): count for value, count in self.as_counted.items()}

    def labels(self, table: LabelTable) -> Counter[int]:
        """Label -> pixels, of the values that the table knows."""
        counts = self.as_colours if table.of_colours else self.as_counted
        labels: Counter[int] = Counter()
        for value in counts.keys() & table.label_of.keys():
            labels[table.label_of[value]] += counts[value]
        return labels


def see_all(pairs: Iterable[Pair]) -> list[Seen]:
    """What each pair holds, in their order."""
    return list(in_turn(_see, pairs))


def values_in(seen: Iterable[Seen]) -> list[MaskValue]:
    """The values of all masks, ascending: numbers, or, if some mask has colours alone, the colours of all."""
    seen = list(seen)
    has_colours_alone = any(each.values is None and each.colours for each in seen)
    found = {value for each in seen for value in (each.as_colours if has_colours_alone else each.as_counted)}
    return sorted(found, key=lambda value: (isinstance(value, str), value))


def _see(pair: Pair) -> Seen:
    try:
        with named(pair.image_place):
            size = stored_as(pair.image()).upright
        with named(pair.mask_place):
            mask = _mask_of(pair, size)
            values = None if mask.values_HW is None else dict(_counted(mask.values_HW))
            colours = None if mask.colours_HWC is None else _counted_colours(mask.colours_HWC)
    except UnusablePair as error:
        return Seen(problem=error.problem)
    return Seen(size, values, colours)


def _mask_of(pair: Pair, size: Size) -> MaskPixels:
    if pair.outlines is not None:
        return MaskPixels(pair.outlines(size), None, 1)
    assert pair.mask is not None
    return decode_mask(pair.mask())


def _counted(values_HW: NDArray[np.int64], *, of_colours: bool = False) -> dict[MaskValue, int]:
    values, counts = np.unique(values_HW, return_counts=True)
    if len(values) > MOST_VALUES:
        is_smeared = of_colours and main_colours(values, counts) is not None
        raise UnusableImage(SMEARED if is_smeared else NO_LABEL_MAP)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _counted_colours(colours_HWC: NDArray[np.uint8]) -> dict[MaskValue, int]:
    counts = _counted(colours_HWC.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1]), of_colours=True)
    return {f"#{code:06x}": count for code, count in counts.items()}


def _as_colour(value: MaskValue) -> str:
    """A grey value as the colour that it is."""
    return value if isinstance(value, str) else f"#{value * 0x010101:06x}"
