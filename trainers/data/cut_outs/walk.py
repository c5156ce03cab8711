"""A walk through the folder of a data set, which says of every entry what it is, or what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from trainers.data.table import within_a_turn
from trainers.data.walk import SUFFIXES, Walk, is_left_behind


class CutOutWalk(Walk):
    """A walk through folders of cut-outs and backgrounds."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, _passed_over)

    def image_files(self, entries: list[Path]) -> dict[str, Path]:
        """The images among a folder's entries by id, without generated masks; reports every other entry."""
        images: dict[str, Path] = {}
        stems = {entry.stem for entry in entries if entry.suffix.lower() in SUFFIXES}
        for entry in entries:
            name = entry.relative_to(self.root).with_suffix("").as_posix()
            if entry.is_dir():
                self.report(entry, "a folder where only images are expected: move its images up, or remove it")
            elif entry.suffix.lower() not in SUFFIXES:
                self.report(entry, f"not an image file ({', '.join(sorted(SUFFIXES))}): remove it")
            elif entry.name.endswith("_mask.png") and entry.stem.removesuffix("_mask") in stems:
                continue
            elif name in images:
                self.report(entry, "the name differs from another only by its ending: rename one", images[name].name)
            else:
                images[name] = entry
        return images

    def images_in(self, folder: Path) -> dict[str, Path]:
        """The images of an angle or a group, by id."""
        return self.image_files(self.entries(folder, "no image in this folder: add some, or remove it"))

    def angle_folders(self, class_folder: Path) -> Iterator[tuple[int | float, Path]]:
        """The folders of a class with their angles; reports what is none."""
        for folder in self.entries(class_folder, "no angle folder in this class folder: add some, or remove it"):
            angle = angle_of(folder.name)
            if not folder.is_dir():
                what = "move it into that of its angle (one folder such as 0/ will do where there are no angles)"
                self.report(folder, f"a file where only angle folders are expected: {what}")
            elif angle is None:
                self.report(folder, "the angle is not a number of degrees: name the folder 0, 30 or 22.5, up to 360")
            else:
                yield angle, folder


def _passed_over(entry: Path) -> bool:
    """Whether an entry is no data and may lie there without a complaint."""
    if is_left_behind(entry):
        return True
    if not entry.is_dir():
        document = entry.name.upper().startswith(("README", "LICENSE")) and entry.suffix.lower() not in SUFFIXES
        return document or entry.name.startswith(".")
    # A hidden folder such as .git is no data; one that holds an angle is a class, which must not be lost in silence.
    return entry.name == "annotations" or (entry.name.startswith(".") and not _holds_an_angle(entry))


def _holds_an_angle(folder: Path) -> bool:
    try:
        return any(angle_of(child.name) is not None for child in folder.iterdir())
    except OSError:
        return False


def angle_of(name: str) -> int | float | None:
    """The degrees that a folder's name gives, from 0 to below 360: all names of one direction are one angle.

    None if it gives none: also for nan, inf, 1e3 and 1_0, which `float` would read.
    """
    if not re.fullmatch(r"[+-]?[0-9]{1,3}(\.[0-9]{1,9})?", name) or abs(float(name)) > 360:
        return None
    return within_a_turn(Decimal(name))
