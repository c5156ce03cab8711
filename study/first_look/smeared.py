"""Masks whose values run into each other, as at smoothed edges: most of what they hold is no class."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np

from trainers.data.pairs.description import MaskValue
from trainers.data.pairs.main_colours import main_colours
from trainers.data.pairs.mask_values import Seen
from trainers.data.pairs.pair import Listing
from trainers.data.problems import PLACES_TOLD, Problem
from trainers.printable import counted, in_percent

_NEARLY_ALL = 0.9
_MOST_COMMON, _FEWEST_RARE = 4, 10
_DENSE = 64
"""So many values without a gap may be as many classes."""


def smeared_problem(listing: Listing, seen: Sequence[Seen]) -> Problem | None:
    """That a few values hold nearly all pixels, and many rare ones lie between them, or, of colours, near them; else
    None."""
    pixels: Counter[MaskValue] = sum((Counter(each.as_counted) for each in seen), Counter())
    common = _common(pixels)
    if _are_smeared(sorted(value for value in pixels if isinstance(value, int)), common):
        kind = "value"
    elif colours := _main_colours(pixels):
        common, kind = colours, "colour"
    else:
        return None
    with_rare = [
        pair.mask_place
        for pair, each in zip(listing.pairs, seen, strict=True)
        if any(value not in common for value in each.as_counted)
    ]
    more = f" and {len(with_rare) - PLACES_TOLD} more" if len(with_rare) > PLACES_TOLD else ""
    share = sum(pixels[value] for value in common) / pixels.total()
    values = counted(len(pixels), kind)
    what = (
        f"masks hold {values}, of which {len(common)} have {in_percent(share)} of the pixels: they look smeared "
        "(anti-aliased or once compressed); save masks without smoothing, or name their values in data.pairs.classes"
    )
    return Problem(", ".join(with_rare[:PLACES_TOLD]) + more, what)


def _main_colours(pixels: Counter[MaskValue]) -> list[MaskValue]:
    """Of colours, the main ones that many others are near to; none where that is not so."""
    colours = {int(value[1:], 16): count for value, count in pixels.items() if isinstance(value, str)}
    if not colours:
        return []
    found = main_colours(np.array([*colours]), np.array([*colours.values()]))
    return [f"#{code:06x}" for code in found.main] if found else []


def _common(pixels: Counter[MaskValue]) -> list[MaskValue]:
    """The fewest values that hold nearly all pixels; two at least."""
    ordered = pixels.most_common()
    held = list(itertools.accumulate(count for _, count in ordered))
    fewest = next((place for place, count in enumerate(held, 1) if count >= _NEARLY_ALL * pixels.total()), 0)
    return [value for value, _ in ordered[: max(2, fewest)]]


def _are_smeared(values: Sequence[int], common: Sequence[MaskValue]) -> bool:
    """:param values: all numbers, ascending."""
    ends = [value for value in common if isinstance(value, int)]
    if len(ends) != len(common) or not 2 <= len(ends) <= _MOST_COMMON:
        return False
    has_gaps = len(values) <= values[-1] - values[0]
    rare = [value for value in values if value not in common]
    between = [value for value in rare if min(ends) < value < max(ends)]
    lower = sum(2 * value < min(ends) + max(ends) for value in between)
    return (
        len(rare) >= _FEWEST_RARE
        and len(between) >= 0.9 * len(rare)
        and min(lower, len(between) - lower) >= len(between) / 4
        and (has_gaps or len(values) > _DENSE)
    )
