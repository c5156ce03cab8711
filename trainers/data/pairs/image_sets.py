"""PASCAL VOC's lists of images: of the many in JPEGImages those in ImageSets/Segmentation have masks."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from trainers.data.pairs.parts import PART
from trainers.data.walk import Walk

_UNIONS = frozenset({"trainval", "default", "all"})
"""Lists that repeat what is in others, or all that there is."""


def read_image_sets(walk: Walk, images: Path) -> dict[str, dict[str, str]] | None:
    """Image's name -> its columns, of all that are listed beside a folder of images; None where there are no lists.

    The column `part` is there if each image is in exactly one of several lists.
    """
    folder = images.parent / "ImageSets" / "Segmentation"
    if not images.is_relative_to(walk.root) or images == walk.root or not folder.is_dir():
        return None
    lists: dict[str, list[str]] = defaultdict(list)
    for file in (entry for entry in walk.entries(folder) if entry.suffix.lower() == ".txt"):
        for name in _lines(walk, file):
            lists[name].append(file.stem)
    if not lists:
        return None
    parts = {name: [part for part in of_name if part not in _UNIONS] for name, of_name in lists.items()}
    divided = all(len(part) == 1 for part in parts.values()) and len({part[0] for part in parts.values()}) > 1
    return {name: {PART: part[0]} if divided else {} for name, part in parts.items()}


def _lines(walk: Walk, file: Path) -> list[str]:
    try:
        return [line.strip() for line in file.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        walk.report(file, "a list of images that cannot be read as text", str(error))
        return []
