"""A walk through the folder of a data set, which says of every entry what it is, or what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from trainers.data.layouts import SUFFIXES
from trainers.data.problems import Problem
from trainers.data.table import within_a_turn

CANNOT_BE_LISTED = "cannot be listed: let it be read by whoever runs this"
LEFT_BEHIND = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})


class Walk:
    """A walk through a data set's folders that gathers the problems on its way."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []

    def report(self, path: Path, what: str, detail: str = "") -> None:
        self.problems.append(Problem(place_of(path, self.root), what, detail))

    def entries(self, folder: Path, if_empty: str = "") -> list[Path]:
        """What a folder holds, by name, without what is passed over; reports what must not be followed.

        :param if_empty: what to report of a folder that holds nothing.
        """
        try:
            entries = [entry for entry in sorted(folder.iterdir()) if not _passed_over(entry)]
            kept = [entry for entry in entries if self._may_be_followed(entry)]
        except OSError as error:
            self.report(folder, CANNOT_BE_LISTED, str(error.strerror))
            return []
        if not entries and if_empty:
            self.report(folder, if_empty)
        return kept

    def _may_be_followed(self, entry: Path) -> bool:
        if entry.is_symlink() and not entry.exists():
            what = "a link to nothing: restore what it points to, or remove it"
        elif entry.is_symlink() and not entry.resolve().is_relative_to(self.root.resolve()):
            what = "a link that leaves the data set: replace it by what it points to"
        elif not entry.name.isprintable():
            what = "the name holds characters that cannot be printed: rename it"
        else:
            return True
        self.report(entry, what)
        return False

    def image_files(self, entries: list[Path]) -> dict[str, Path]:
        """The images among a folder's entries by id, without generated masks; reports every other entry."""
        images: dict[str, Path] = {}
        stems = {entry.stem for entry in entries if entry.suffix.lower() in SUFFIXES}
        for entry in entries:
            name = entry.relative_to(self.root).with_suffix("").as_posix()
            if entry.is_dir():
                self.report(entry, "a folder where only images are expected: move its images up, or remove it")
            elif entry.suffix.lower() not in SUFFIXES or not entry.is_file():
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
                self.report(folder, "a file where only angle folders are expected: move it into that of its angle")
            elif angle is None:
                self.report(folder, "the angle is no number of degrees: name the folder 0, 30 or 22.5, up to 360")
            else:
                yield angle, folder


def place_of(path: Path, root: Path) -> str:
    """A path relative to the data set, printable on one line whatever bytes it holds."""
    return printable_name(path.relative_to(root).as_posix())


def printable_name(name: str) -> str:
    return name if name.isprintable() else ascii(name)[1:-1]


def _passed_over(entry: Path) -> bool:
    """Whether an entry is no data and may lie there without a complaint."""
    if entry.name in LEFT_BEHIND:
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
