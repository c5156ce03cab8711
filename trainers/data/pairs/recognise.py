"""Which layout a folder has."""

from __future__ import annotations

from pathlib import Path

from trainers.data.pairs.description import Pairs
from trainers.data.problems import DataError, Problem

_USUAL = (
    ("images", "masks", ""),
    ("img_dir", "ann_dir", ""),
    ("imagesTr", "labelsTr", "_0000"),
    ("JPEGImages", "SegmentationClass", ""),
)


def settled(root: Path, described: Pairs) -> Pairs:
    """The description with what it leaves open. Raises DataError."""
    if described.images and described.masks:
        return described.model_copy(update={"format": described.format or "folders"})
    for images, masks, suffix in _USUAL:
        if (root / images).is_dir() and (root / masks).is_dir():
            found = {"format": "folders", "images": images, "masks": masks, "image_suffix": suffix}
            return described.model_copy(update=found)
    raise DataError([Problem(".", "no layout that is known")])
