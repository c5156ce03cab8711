"""A glance at a folder: which folders and files lie in it, within bounds, and which of them are COCO's."""

from __future__ import annotations

import itertools
import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trainers.data.pairs.pattern import Pattern
from trainers.data.walk import SUFFIXES, is_hidden

_COCO_KEY = re.compile(rb'"(images|annotations|categories|info|licenses)"\s*:\s*[\[{]')
_FILE_NAME = re.compile(rb'"file_name"\s*:\s*"((?:[^"\\]|\\.)*)"')
_MAX_FOLDERS, _MAX_DEPTH = 2000, 5
_FIRST_NAMES = 20
_MAX_JSON_FILES, HEAD = 10, 65536
"""Of a folder's JSON files, how many are looked into, and how many bytes of each at first."""


@dataclass(frozen=True)
class Folder:
    """What lies in it, by name, without what is hidden."""

    folders: tuple[str, ...]
    images: tuple[str, ...]
    others: tuple[str, ...]


@dataclass(frozen=True)
class Tree:
    """The folders of a data set by their places; `.` is the data set's own."""

    root: Path
    folders: dict[str, Folder]

    def holds_images(self, place: str) -> bool:
        """Whether a folder, or one below it, holds an image."""
        return any(folder.images for _, folder in self._within(place))

    def below(self, place: str, name: str) -> bool:
        """The same of a folder in a folder."""
        return self.holds_images(name if place == "." else f"{place}/{name}")

    def names(self, place: str) -> list[str]:
        """The images in a place, which may have a `{part}`, and below it: their places within it, without endings."""
        pattern = Pattern(place) if "{" in place else None
        tops = [each for each in self.folders if pattern.match(each)] if pattern else [place]
        return [
            PurePosixPath(os.path.relpath(f"{folder}/{name}", top)).with_suffix("").as_posix()
            for top in tops
            for folder, content in self._within(top)
            for name in content.images
        ]

    def files_ending(self, ending: str) -> Iterator[tuple[PurePosixPath, str]]:
        """Files that are no images, with their folders."""
        for place, folder in self.folders.items():
            yield from ((PurePosixPath(place), name) for name in folder.others if name.lower().endswith(ending))

    def _within(self, place: str) -> Iterator[tuple[str, Folder]]:
        for each, folder in self.folders.items():
            if place in (".", each) or each.startswith(f"{place}/"):
                yield each, folder


def look_at(root: Path) -> Tree:
    """The folders in a data set, as far as they are looked at: of very many the first, and none that lies very deep."""
    found: dict[str, Folder] = {}
    for place, below, files in itertools.islice(os.walk(root, followlinks=True), _MAX_FOLDERS):
        below[:] = sorted(name for name in below if _is_looked_into(Path(place, name), root))
        names = sorted(name for name in files if not is_hidden(Path(name)) and name.isprintable())
        images = [name for name in names if PurePosixPath(name).suffix.lower() in SUFFIXES]
        others = [name for name in names if name not in images and Path(place, name).is_file()]  # and no pipe
        relative = Path(place).relative_to(root)
        found[relative.as_posix()] = Folder(tuple(below), tuple(images), tuple(others))
        if len(relative.parts) >= _MAX_DEPTH:
            below.clear()
    return Tree(root, found)


def _is_looked_into(folder: Path, root: Path) -> bool:
    if is_hidden(folder) or not folder.name.isprintable():
        return False
    if not folder.is_symlink():
        return True
    target = folder.resolve()
    return target.is_relative_to(root.resolve()) and not folder.parent.resolve().is_relative_to(target)


def coco_files(tree: Tree) -> list[PurePosixPath]:
    """COCO's JSON files with categories (those of captions have none)."""
    return [file for file in few_json_files(tree) if is_coco(tree.root / file)]


def few_json_files(tree: Tree) -> list[PurePosixPath]:
    """The first JSON files of each folder."""
    of_folder = itertools.groupby(tree.files_ending(".json"), key=lambda found: found[0])
    return [folder / name for _, files in of_folder for folder, name in itertools.islice(files, _MAX_JSON_FILES)]


def has_a_key_of_coco(head: bytes) -> bool:
    """Whether the beginning of a JSON file has a key that COCO's files have."""
    return bool(_COCO_KEY.search(head))


def is_coco(file: Path) -> bool:
    """Whether a JSON file looks like one of COCO's."""
    try:
        with file.open("rb") as opened:
            if not has_a_key_of_coco(opened.read(HEAD)):
                return False
            with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return all(content.find(key) >= 0 for key in (b'"images"', b'"annotations"', b'"categories"'))
    except (OSError, ValueError):  # the latter: an empty file
        return False


def first_images_of(file: Path) -> list[str]:
    """The first names of images in a COCO file."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = [each[1] for each in itertools.islice(_FILE_NAME.finditer(content), _FIRST_NAMES)]
    return [name.decode("utf-8", "replace").replace("\\/", "/") for name in found]
