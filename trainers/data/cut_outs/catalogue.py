"""What lies in a folder of cut-outs, and whether the names make sense. No image is opened.

The layout is that of VISAPP (the paper's section 3.2 and Table 1), with any class names and angles:

    <class>/<angle>/<name>.png      an object without background: alpha >= 128 is the object; the angle is in degrees,
                                    those of a full turn being one: 0 and 360, -30 and 330, 30 and 030
    backgrounds/<name>.jpg          a background, a group of its own
    backgrounds/<group>/<name>.jpg  views of one scene: a group, held out together

Passed over: hidden files and what Windows and macOS leave behind, README and LICENSE files, `annotations` folders, and
`<name>_mask.png` beside an image `<name>`. Whatever else is there is a problem, reported by name. An id is a file's
place in the data set without its suffix, so neither an id nor the fingerprint knows where the data set lies.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import trainers
from trainers.data.class_names import class_problems
from trainers.data.cut_outs.scenes import Background, SceneRules, scene_problems
from trainers.data.cut_outs.walk import CutOutWalk, angle_of
from trainers.data.pairs.recognise import labelled_otherwise, layouts_of
from trainers.data.problems import DataError, Problem
from trainers.data.table import Sample, Samples
from trainers.data.walk import CANNOT_BE_LISTED, place_of, printable_name

STANDIN = "standin"
"""The word that names the data set shipped with this package (a folder of that name is `./standin`)."""
BACKGROUNDS = "backgrounds"
ANGLE = "angle"
"""The column that the folders of a class give its samples."""


@dataclass(frozen=True)
class ImageFile:
    """An object's image; id `<class>/<angle>/<stem>`, angle in degrees, from 0 to below 360."""

    id: str
    class_name: str
    angle: int | float
    path: Path


@dataclass(frozen=True)
class BackgroundFile:
    """A background; id `backgrounds/<stem>` or `backgrounds/<group>/<stem>`. A group is never divided between parts."""

    id: str
    group: str
    path: Path


DataFile = ImageFile | BackgroundFile


@dataclass(frozen=True)
class Catalogue:
    """The files of a data set: images by class, angle and id; backgrounds by id; problems seen in the names alone."""

    root: Path
    classes: tuple[str, ...]
    """The classes by name. The class id is the position + 1; 0 is the background."""
    images: tuple[ImageFile, ...]
    backgrounds: tuple[BackgroundFile, ...]
    problems: tuple[Problem, ...]

    @property
    def files(self) -> tuple[DataFile, ...]:
        """Every image, then every background."""
        return (*self.images, *self.backgrounds)

    @cached_property
    def samples(self) -> Samples:
        """The table of what can be trained on: one row an image, with its angle."""
        rows = (Sample(image.id, (image.class_name,), {ANGLE: image.angle}) for image in self.images)
        return Samples(self.classes, tuple(rows), in_degrees=frozenset({ANGLE}))

    @property
    def views(self) -> tuple[Background, ...]:
        """The backgrounds without their files."""
        return tuple(Background(each.id, each.group) for each in self.backgrounds)

    @property
    def num_groups(self) -> int:
        """How many groups the backgrounds form."""
        return len({background.group for background in self.backgrounds})

    def all_problems(self, rules: SceneRules) -> list[Problem]:
        """The problems in the names, and why backgrounds cannot be held out by these rules."""
        return [*self.problems, *scene_problems(self.views, rules)]

    def place(self, file: DataFile) -> str:
        """The file's path relative to the data set, as problems name it."""
        return place_of(file.path, self.root)


def locate(path: str) -> Path:
    """The folder of a data set: the shipped one for the word `standin`, else the path (`~` is the home folder)."""
    if path == STANDIN:
        return Path(trainers.__path__[0]) / STANDIN
    try:
        return Path(path).expanduser()
    except RuntimeError:  # a folder called ~somebody, who has no home here
        return Path(path)


def read_catalogue(path: str | Path) -> Catalogue:
    """List a data set's files, opening none; a string may be the word `standin`.

    Problems in the names are kept in the catalogue; `check` opens the images too. Raises DataError without a folder
    that can be listed.
    """
    root = locate(path) if isinstance(path, str) else path
    if path == "" or not root.is_dir():
        remedy = f"give the folder that holds the class folders and {BACKGROUNDS}/, or the word {STANDIN}"
        raise DataError([Problem(printable_name(str(path)) or '""', f"no such folder: {remedy}")])
    if not os.access(root, os.R_OK | os.X_OK):
        raise DataError([Problem(printable_name(str(path)), CANNOT_BE_LISTED, "Permission denied")])
    walk = CutOutWalk(root)
    images: list[ImageFile] = []
    backgrounds: list[BackgroundFile] = []
    classes = []
    for entry in walk.entries(root):
        if not entry.is_dir():
            walk.report(entry, f"a file where only class folders and {BACKGROUNDS}/ are expected: remove it")
        elif entry.name == BACKGROUNDS:
            backgrounds = _backgrounds(walk, entry)
        else:
            classes.append(entry.name)
            images += _images_of_class(walk, entry)
    if not images and (what := _looks_like(root)):
        return Catalogue(root, (), (), (), (Problem(printable_name(str(path)), what),))
    if not classes:
        walk.report(root, "no class folder: the images belong into <class>/<angle>/")
    if not backgrounds:
        walk.report(root / BACKGROUNDS, "no backgrounds: put at least one image there to paste the objects on")
    return Catalogue(
        root=root,
        classes=tuple(classes),
        images=tuple(sorted(images, key=lambda image: (image.class_name, image.angle, image.id))),
        backgrounds=tuple(sorted(backgrounds, key=lambda background: background.id)),
        problems=(*class_problems(classes), *walk.problems),
    )


def _looks_like(root: Path) -> str | None:
    """What to say of a folder without cut-outs: a data set lies near, or there are photographs with labels."""
    if near := _data_set_near(root):
        return (
            f"no cut-outs where they should be: {printable_name(str(near))} looks like the data set; give that folder"
        )
    if layouts := layouts_of(root):
        return f"no cut-outs, but {layouts[0].why}: describe them in data.pairs, as `study init FOLDER` does"
    if labels := labelled_otherwise(root):
        return (
            f"no cut-outs, but photographs with labels beside them ({labels}): export these as masks (PNG) or as "
            "COCO's JSON; then `study init FOLDER` writes a definition"
        )
    return None


def _data_set_near(root: Path) -> Path | None:
    """The folder that was meant where one too high, or one or two too low, is given."""
    try:
        within = sorted(child for child in root.iterdir() if child.is_dir())
        here = root.resolve()
        return next(filter(_is_laid_out, [*within, here.parent, here.parent.parent]), None)
    except OSError:
        return None


def _is_laid_out(folder: Path) -> bool:
    """Whether it has backgrounds, and a class with an angle."""
    if not (folder / BACKGROUNDS).is_dir():
        return False
    return any(angle_of(angle.name) is not None and angle.is_dir() for angle in folder.glob("*/*"))


def _images_of_class(walk: CutOutWalk, class_folder: Path) -> list[ImageFile]:
    return [
        ImageFile(name, class_folder.name, angle, path)
        for angle, folder in walk.angle_folders(class_folder)
        for name, path in walk.images_in(folder).items()
    ]


def _backgrounds(walk: CutOutWalk, folder: Path) -> list[BackgroundFile]:
    """Single files first, then the groups."""
    entries = walk.entries(folder)
    loose = walk.image_files([entry for entry in entries if not entry.is_dir()])
    backgrounds = [BackgroundFile(name, path.stem, path) for name, path in loose.items()]
    for scene in (entry for entry in entries if entry.is_dir()):
        backgrounds += [BackgroundFile(name, scene.name, path) for name, path in walk.images_in(scene).items()]
    return backgrounds
