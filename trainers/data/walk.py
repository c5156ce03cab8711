"""A walk through the folder of a data set, on which every entry is passed over, followed, or reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from trainers.data.problems import Problem

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
"""How the name of an image file ends, in any case."""
CANNOT_BE_LISTED = "cannot be listed: let it be read by whoever runs this"
NO_REGULAR_FILE = "no regular file, so reading it might never end: remove it"
_LEFT_BEHIND = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def is_hidden(entry: Path) -> bool:
    """Whether an entry is none of the user's: hidden, or what Windows and macOS leave behind."""
    return entry.name.startswith(".") or is_left_behind(entry)


def is_left_behind(entry: Path) -> bool:
    """Whether an entry is what Windows and macOS leave behind without hiding it."""
    return entry.name.casefold() in _LEFT_BEHIND


def is_image(entry: Path) -> bool:
    """Whether a file is called as an image is."""
    return entry.suffix.lower() in SUFFIXES


class Walk:
    """A walk through a data set's folders that gathers the problems on its way.

    :param passed_over: whether an entry is no data and may lie there without a complaint.
    """

    def __init__(self, root: Path, passed_over: Callable[[Path], bool] = is_hidden) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self._passed_over = passed_over

    def report(self, path: Path, what: str, detail: str = "") -> None:
        self.problems.append(Problem(place_of(path, self.root), what, detail))

    def entries(self, folder: Path, if_empty: str = "") -> list[Path]:
        """What a folder holds, by name, without what is passed over; reports what must not be followed.

        :param if_empty: what to report of a folder that holds nothing.
        """
        try:
            entries = [entry for entry in sorted(folder.iterdir()) if not self._passed_over(entry)]
            kept = [entry for entry in entries if self._may_be_followed(entry)]
        except OSError as error:
            self.report(folder, CANNOT_BE_LISTED, str(error.strerror))
            return []
        if not entries and if_empty:
            self.report(folder, if_empty)
        return kept

    def files(self, folder: Path) -> Iterator[Path]:
        """All files in a folder and the folders below, by name; reports folders that hold nothing."""
        for entry in self.entries(folder, "an empty folder: put its images there, or remove it"):
            if not entry.is_dir():
                yield entry
            elif entry.is_symlink() and folder.resolve().is_relative_to(entry.resolve()):
                self.report(entry, "a link to a folder that it lies in: remove it")
            else:
                yield from self.files(entry)

    def _may_be_followed(self, entry: Path) -> bool:
        if entry.is_symlink() and not entry.exists():
            what = "a link to nothing: restore what it points to, or remove it"
        elif entry.is_symlink() and not entry.resolve().is_relative_to(self.root.resolve()):
            what = "a link that leaves the data set: replace it by what it points to"
        elif not entry.name.isprintable():
            what = "the name holds characters that cannot be printed: rename it"
        elif not (entry.is_file() or entry.is_dir()):
            what = NO_REGULAR_FILE
        else:
            return True
        self.report(entry, what)
        return False


def place_of(path: Path, root: Path) -> str:
    """A path relative to the data set, printable on one line whatever bytes it holds."""
    return printable_name(path.relative_to(root).as_posix())


def printable_name(name: str) -> str:
    return name if name.isprintable() else ascii(name)[1:-1]
