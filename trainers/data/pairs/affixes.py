"""What stands in the names of images and masks around the name that they share, such as _0000, _mask and mask_."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trainers.data.pairs.channels import FIRST, channel_of
from trainers.data.pairs.description import Pairs

_MOST_IMAGES, _MOST_MASKS = 500, 2000
_MOST_PREFIXES = 4
"""That are tried of one name."""
_MARK = re.compile(r"[_.-]")
_PREFIX_END = re.compile(r"(?<=[_.-])|(?<=[^\W\d_])(?=\d)")
"""Behind a mark, and between a letter and a digit."""


class Affixes(NamedTuple):
    """Of the names of images, or of masks."""

    prefix: str
    suffix: str

    def shared(self, name: str) -> str | None:
        """What is left of a place without its ending; None where the affixes are not there, or nothing else is."""
        folder, slash, stem = name.rpartition("/")
        has_both = stem.startswith(self.prefix) and stem.endswith(self.suffix)
        if not has_both or len(stem) <= len(self.prefix) + len(self.suffix):
            return None
        return folder + slash + stem[len(self.prefix) : len(stem) - len(self.suffix)]


NO_AFFIXES = Affixes("", "")
OfBoth = tuple[Affixes, Affixes]
"""Of images, and of masks."""


def described_affixes(described: Pairs) -> OfBoth:
    """Those that a definition tells."""
    return Affixes(described.image_prefix, described.image_suffix), Affixes(
        described.mask_prefix, described.mask_suffix
    )


def affixes_of(images: Sequence[str], masks: Sequence[str]) -> list[OfBoth]:
    """The affixes under which most images and masks belong together; of those that pair the same files the shortest.

    Several, where as many belong together under others, with no image or no mask in common.

    :param images: places without endings; so are the masks.
    """
    images, masks = images[:_MOST_IMAGES], sorted(masks)[:_MOST_MASKS]
    if not images or not masks:
        return [(NO_AFFIXES, NO_AFFIXES)]
    of_images, of_masks = ({each: _shared(names, each) for each in _candidates(names)} for names in (images, masks))
    both = sorted(itertools.product(of_images, of_masks), key=lambda pair: (len("".join(sum(pair, ()))), pair))
    counts = {pair: len(of_images[pair[0]].keys() & of_masks[pair[1]].keys()) for pair in both}
    most = max(counts.values())
    best, *others = (pair for pair in both if counts[pair] == most)
    if best == (NO_AFFIXES, NO_AFFIXES):  # names that are equal need no other reason
        return [best]
    found = {best: _paired(of_images[best[0]], of_masks[best[1]])}
    for pair in others:
        if best[0].suffix == FIRST and channel_of(pair[0].suffix):
            continue  # further channels of the same images
        images_of, masks_of = _paired(of_images[pair[0]], of_masks[pair[1]])
        if all(images_of.isdisjoint(known) or masks_of.isdisjoint(more) for known, more in found.values()):
            found[pair] = images_of, masks_of
    return list(found)


_Shared = Mapping[str, str]
"""Shared name -> place."""


def _candidates(names: Sequence[str]) -> list[Affixes]:
    """What may be a prefix and a suffix by the first name and the last: nothing, what ends in a mark or before a digit,
    and what begins with a mark."""
    found = {NO_AFFIXES}
    for name in (names[0], names[-1]):
        stem = name.rpartition("/")[2]
        ends = [end.start() for end in _PREFIX_END.finditer(stem) if 0 < end.start() < len(stem)]
        prefixes = ["", *(stem[:end] for end in ends[:_MOST_PREFIXES])]
        suffixes = ["", *(stem[mark.start() :] for mark in _MARK.finditer(stem) if mark.start() > 0)]
        found |= {Affixes(*both) for both in itertools.product(prefixes, suffixes)}
    return sorted(found)


def _shared(names: Sequence[str], affixes: Affixes) -> _Shared:
    return {shared: name for name in names if (shared := affixes.shared(name)) is not None}


def _paired(images: _Shared, masks: _Shared) -> tuple[set[str], set[str]]:
    """The images and the masks that belong together."""
    both = images.keys() & masks.keys()
    return {images[name] for name in both}, {masks[name] for name in both}
