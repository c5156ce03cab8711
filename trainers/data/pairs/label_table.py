"""Which label a value of a mask is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from trainers.data.class_names import BACKGROUNDS, IGNORED, class_problems
from trainers.data.decoding import UnusableImage
from trainers.data.pairs.decoding import MaskPixels
from trainers.data.pairs.description import MaskValue, Pairs
from trainers.data.pairs.pair import Listing
from trainers.data.pixels import Pixels
from trainers.data.problems import DataError, Problem

CLASSES, IGNORE, BACKGROUND = "data.pairs.classes", "data.pairs.ignore", "data.pairs.background"
UNKNOWN_TOLD = 5
"""Values of one mask, at most."""


@dataclass(frozen=True, eq=False)
class LabelTable:
    """The values (all numbers, or all colours) of masks, and the label that each of them is."""

    names: tuple[str, ...]
    """The classes in the order of their labels."""
    has_background: bool
    label_of: Mapping[MaskValue, int]
    """Of every value of a class, of the background, and of what is ignored."""

    @classmethod
    def of(cls, described: Pairs, listing: Listing) -> Self:
        """As a definition describes them, else as the format has them.

        Labels are in the order in which the classes are named. Raises DataError if there are none, or if names or
        values cannot be told apart.
        """
        values, ignored = _values_of(described, listing), described.ignore or listing.ignore
        problems = _value_problems(described, values, ignored)
        background, more = _background_of(described, values)
        names = tuple(name for name in values if name != background)
        problems += more + [Problem(each.place, f"{each.what} ({CLASSES})") for each in class_problems(names)]
        if not names:
            problems.append(Problem(CLASSES, "no class beside the background: name one"))
        if len(names) == 1 and background is None:
            added = "its value in the masks" if 0 in values.values() else "0, or what else its value in the masks is"
            what = f"one class and no background, so there is nothing to tell apart: add background = {added}"
            problems.append(Problem(CLASSES, what, names[0]))
        if problems:
            raise DataError(problems)
        first = int(background is not None)
        labels = {values[name]: label for label, name in enumerate(names, first)}
        if background is not None:
            labels[values[background]] = 0
        return cls(names, background is not None, labels | dict.fromkeys(ignored, IGNORED))

    @property
    def has_ignored(self) -> bool:
        return IGNORED in self.label_of.values()

    @property
    def meaning(self) -> str:
        """JSON that is the same where masks get the same labels, of the same names."""
        return json.dumps([self.names, self.has_background, sorted(self.label_of.items())])

    def labels_of(self, mask: MaskPixels) -> Pixels:
        """A mask's label map, shape (H, W), as it is stored. Raises UnusableImage naming values of no class."""
        codes_HW = self._codes_of(mask)
        labels_HW = self._labels.take(codes_HW, mode="clip")
        if (labels_HW == _UNKNOWN).any():
            unknown = codes_HW[labels_HW == _UNKNOWN]
            raise self._of_another_value(unknown, labels_HW) or _unknown(unknown, colours=self.of_colours)
        return labels_HW.astype(np.uint8)

    def _of_another_value(self, unknown: NDArray[np.int64], labels_HW: NDArray[np.int16]) -> UnusableImage | None:
        """Where the only class has no pixel, and one unknown value is in its place, such as 255 instead of 1."""
        found = np.unique(unknown).tolist()
        if self.of_colours or len(self.names) > 1 or len(found) > 1 or (labels_HW == int(self.has_background)).any():
            return None
        (name,), (value,) = self.names, found
        value_of = {label: each for each, label in self.label_of.items()}
        held = " and ".join(sorted(map(str, (value_of[0], value)), key=int))
        said = f"{CLASSES} says {name} = {value_of[int(self.has_background)]}"
        return UnusableImage(f"masks hold {held}; did you mean {name} = {value}? ({said})")

    def _codes_of(self, mask: MaskPixels) -> NDArray[np.int64]:
        if not self.of_colours:
            if mask.values_HW is None:
                raise UnusableImage(f'a mask of colours: name them in {CLASSES}, such as "#ff8000"')
            return mask.values_HW
        if mask.colours_HWC is not None:
            codes_HW: NDArray[np.int64] = mask.colours_HWC @ np.array([1 << 16, 1 << 8, 1])
            return codes_HW
        assert mask.values_HW is not None  # of greys, whose three colours are equal
        return mask.values_HW * 0x010101

    @cached_property
    def of_colours(self) -> bool:
        return any(isinstance(value, str) for value in self.label_of)

    @cached_property
    def _labels(self) -> NDArray[np.int16]:
        """The label of each number up to the largest, and _UNKNOWN for the one after it."""
        codes = {_code(value): label for value, label in self.label_of.items()}
        labels = np.full(max(codes) + 2, _UNKNOWN, np.int16)
        labels[list(codes)] = list(codes.values())
        return labels


_UNKNOWN = -1


def _code(value: MaskValue) -> int:
    return int(value[1:], 16) if isinstance(value, str) else value


def _values_of(described: Pairs, listing: Listing) -> Mapping[str, MaskValue]:
    """Class -> value. Raises DataError if nobody says which there are."""
    if isinstance(described.classes, tuple):
        if twice := [name for name, count in Counter(described.classes).items() if count > 1]:
            raise DataError(Problem(CLASSES, "a class is named twice", name) for name in twice)
        return {name: value for value, name in enumerate(described.classes)}
    values = described.classes if described.classes is not None else listing.classes
    if values is not None:
        return values
    what = "not given, and nothing in the data set says which classes there are: name them and their values in masks"
    raise DataError([Problem(CLASSES, f'{what}, such as {{ background = 0, road = 1 }} or {{ road = "#ff8000" }}')])


def _value_problems(described: Pairs, values: Mapping[str, MaskValue], ignored: Iterable[MaskValue]) -> list[Problem]:
    problems = []
    name_of: dict[MaskValue, str] = {}
    for name, value in values.items():
        if (twin := name_of.setdefault(value, name)) != name:
            what = "several classes may not share a value"
            problems.append(Problem(CLASSES, what, f"{twin} and {name} have {value}"))
    for value in ignored:
        if value in name_of:
            what = f"a value is named here and in {CLASSES}: leave one out"
            problems.append(Problem(IGNORE, what, f"{name_of[value]} has {value}"))
    if len({isinstance(value, str) for value in (*values.values(), *ignored)}) > 1:
        problems.append(Problem(CLASSES, f"numbers and colours cannot be mixed, {IGNORE} included"))
    return problems


def _background_of(described: Pairs, values: Mapping[str, MaskValue]) -> tuple[str | None, list[Problem]]:
    """The class that is the background, if one is."""
    if described.background is not None:
        if described.background in values:
            return described.background, []
        return None, [Problem(BACKGROUND, f"no such class; there are {', '.join(values)}", described.background)]
    found = [name for name in values if name.casefold() in BACKGROUNDS]
    if len(found) > 1:
        return None, [Problem(CLASSES, f"several are called like a background: set {BACKGROUND}", ", ".join(found))]
    return (found[0] if found else None), []


def _unknown(codes: NDArray[np.int64], *, colours: bool) -> UnusableImage:
    found, counts = np.unique(codes, return_counts=True)
    told = [
        f"{f'#{code:06x}' if colours else code} in {count} pixel{'s' * (count != 1)}"
        for code, count in zip(found[:UNKNOWN_TOLD].tolist(), counts.tolist(), strict=False)
    ]
    more = [f"{len(found) - UNKNOWN_TOLD} more"] if len(found) > UNKNOWN_TOLD else []
    return UnusableImage(f"values that belong to no class: name them in {CLASSES} or {IGNORE}", ", ".join(told + more))
