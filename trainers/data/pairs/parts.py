"""Folders that a data set is divided into: `{part}` in the places of images and masks stands for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trainers.data.pairs.description import Pairs
from trainers.data.pairs.pattern import Pattern
from trainers.data.problems import Problem
from trainers.data.walk import is_hidden

PART = "part"
IN_BRACES = f"{{{PART}}}"
"""Such as train: of the places of images and masks, and the column that it gives."""


@dataclass(frozen=True)
class Part:
    """Where images and their masks lie."""

    images: Path
    masks: Path
    """A folder, or, of outlines, their file."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Column -> value, of all images of the part."""

    def id_of(self, name: str) -> str:
        """Of the image with this place within the part's images."""
        return "/".join([*self.values.values(), name])


def parts_of(root: Path, described: Pairs) -> tuple[list[Part], list[Problem]]:
    """The parts of a data set, and what is missing. Without `{part}` in its places it is one."""
    images, masks = described.images, described.masks
    assert images is not None
    assert masks is not None
    if IN_BRACES not in images + masks:
        missing = [
            Problem(place, "there is no such folder or file: correct its place within data.path")
            for place in dict.fromkeys((images, masks))
            if not (root / place).exists()
        ]
        return ([] if missing else [Part(root / images, root / masks)]), missing
    found = [
        Part(root / images.replace(IN_BRACES, name), root / masks.replace(IN_BRACES, name), {PART: name})
        for name in part_names(root, images if IN_BRACES in images else masks)
    ]
    whole = [part for part in found if part.images.is_dir() and part.masks.exists()]
    what = f"nothing stands for {IN_BRACES} so that there are these images and masks: correct the places"
    return whole, [] if whole else [Problem(f"{images}, {masks}", what)]


def part_names(root: Path, place: str) -> list[str]:
    """What `{part}` can stand for in a place, such as `{part}/images`, by name."""
    folder = place.partition(IN_BRACES)[0].rpartition("/")[0]
    form = Pattern(place.removeprefix(folder).strip("/").split("/")[0])
    try:
        names = [entry.name for entry in sorted((root / folder).iterdir()) if not is_hidden(entry)]
    except OSError:
        return []
    return [found[PART] for name in names if (found := form.match(name))]
