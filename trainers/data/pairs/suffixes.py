"""What stands in the names of images and masks beside the name that they share, such as _0000 and _mask."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

_MOST_NAMES = 500
_MARK = re.compile(r"[_.-]")


def suffixes_of(images: Sequence[str], masks: Sequence[str]) -> tuple[str, str]:
    """The suffixes of images and of masks under which most of them belong together; of equals the shortest.

    :param images: places without endings; so are the masks.
    """
    images, masks = images[:_MOST_NAMES], sorted(masks)[:_MOST_NAMES]
    if not images or not masks:
        return "", ""
    pairs = sorted(itertools.product(_endings(images), _endings(masks)), key=lambda pair: (len("".join(pair)), pair))
    return max(pairs, key=lambda pair: len(_without(images, pair[0]) & _without(masks, pair[1])))


def _endings(names: Sequence[str]) -> list[str]:
    """What may be a suffix: nothing, and what follows a mark in the first name or the last."""
    found = {""}
    for name in (names[0], names[-1]):
        stem = name.rpartition("/")[2]
        found |= {stem[mark.start() :] for mark in _MARK.finditer(stem) if mark.start() > 0}
    return sorted(found)


def _without(names: Sequence[str], suffix: str) -> set[str]:
    return {name.removesuffix(suffix) for name in names if name.endswith(suffix)}
