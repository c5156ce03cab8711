"""The few colours of which masks consist, although compression or smoothing has put many others beside them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEW_STEPS = 16
"""Of 255, in each of red, green and blue: classes are not told apart by so little."""
_NEARLY_ALL, _MOST_OF_ALL = 0.9, 0.6
_MOST, _FEWEST_BESIDE = 32, 10


class MainColours(NamedTuple):
    """Colours as numbers, red * 65536 + green * 256 + blue."""

    main: frozenset[int]
    beside: frozenset[int]
    """Within a few steps of a main one."""


def main_colours(codes_M: NDArray[np.int64], counts_M: NDArray[np.int64]) -> MainColours | None:
    """The main colours of M different ones, so many pixels of each, and those beside them.

    None where a few main ones do not have most pixels, and those near them nearly all; and where few are near them, as
    the colours of classes are far from each other.
    """
    order_M = np.lexsort((codes_M, -counts_M))
    codes_M, counts_M = codes_M[order_M], counts_M[order_M]
    rgb_M3 = np.stack([codes_M >> 16, codes_M >> 8 & 255, codes_M & 255], axis=1)
    free_M = np.ones(len(codes_M), bool)
    main: list[int] = []
    while counts_M[free_M].sum() > (1 - _NEARLY_ALL) * counts_M.sum() and len(main) <= _MOST:
        first = int(np.argmax(free_M))
        main.append(first)
        free_M &= np.abs(rgb_M3 - rgb_M3[first]).max(axis=1) > FEW_STEPS
    beside_M = ~free_M
    beside_M[main] = False
    has_few_main = len(main) <= _MOST and counts_M[main].sum() >= _MOST_OF_ALL * counts_M.sum()
    if not has_few_main or beside_M.sum() < _FEWEST_BESIDE:
        return None
    return MainColours(frozenset(codes_M[main].tolist()), frozenset(codes_M[beside_M].tolist()))
