"""The data set's catalogue: what lies in its folder, and whether the names make sense. No image is opened.

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
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from trainers.layouts import SUFFIXES, looks_like
from trainers.problems import DataError, Problem

STANDIN = "standin"
"""The word that names the data set shipped with this package (a folder of that name is `./standin`)."""
BACKGROUNDS = "backgrounds"
MAX_CLASSES = 255
"""A label is one byte, and 0 is the background."""
READ_TODAY = (
    "; what is read today are cut-outs with an alpha channel, <class>/<angle>/<name>.png, and photographs to paste "
    f"them on, {BACKGROUNDS}/<name>.jpg"
)
CANNOT_BE_LISTED = "cannot be listed: let it be read by whoever runs this"
LEFT_BEHIND = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
RESERVED_NAMES = frozenset({"all", "background", "backgrounds", "bg"})
ABBREVIATIONS = {
    "background": "bg",
    "box": "bx",
    "clamp": "cl",
    "drill": "dr",
    "duck": "du",
    "adapter": "ad",
    "bottle": "bo",
}
"""The paper's abbreviations (section 3.4)."""


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
    """The object classes by name. The class id is the position + 1; 0 is the background."""
    images: tuple[ImageFile, ...]
    backgrounds: tuple[BackgroundFile, ...]
    problems: tuple[Problem, ...]

    @property
    def files(self) -> tuple[DataFile, ...]:
        """Every image, then every background."""
        return (*self.images, *self.backgrounds)

    def place(self, file: DataFile) -> str:
        """The file's path relative to the data set, as problems name it."""
        return _place(file.path, self.root)


def locate(path: str) -> Path:
    """The folder of a data set: the shipped one for the word `standin`, else the path (`~` is the home folder)."""
    if path == STANDIN:
        return Path(__file__).parent / STANDIN
    try:
        return Path(path).expanduser()
    except RuntimeError:  # a folder called ~somebody, who has no home here
        return Path(path)


def abbreviation(class_name: str) -> str:
    """The paper's abbreviation of a class (section 3.4); a class that the paper lacks keeps its name."""
    return ABBREVIATIONS.get(class_name, class_name)


def read_catalogue(path: str | Path) -> Catalogue:
    """List a data set's files, opening none; a string may be the word `standin`.

    Problems in the names are kept in the catalogue; `check` opens the images too. Raises DataError without a folder
    that can be listed.
    """
    root = locate(path) if isinstance(path, str) else path
    if path == "" or not root.is_dir():
        remedy = f"give the folder that holds the class folders and {BACKGROUNDS}/, or the word {STANDIN}"
        raise DataError([Problem(_printable(str(path)) or '""', f"no such folder: {remedy}")])
    if not os.access(root, os.R_OK | os.X_OK):
        raise DataError([Problem(_printable(str(path)), CANNOT_BE_LISTED, "Permission denied")])
    walk = _Walk(root)
    images: list[ImageFile] = []
    backgrounds: list[BackgroundFile] = []
    classes = []
    for entry in walk.entries(root):
        if not entry.is_dir():
            walk.report(entry, f"a file where only class folders and {BACKGROUNDS}/ are expected: remove it")
        elif entry.name == BACKGROUNDS:
            backgrounds = walk.backgrounds(entry)
        else:
            classes.append(entry.name)
            images += walk.class_images(entry)
    if not images and (layout := looks_like(root)):
        return Catalogue(root, (), (), (), (Problem(_printable(str(path)), f"looks like {layout}{READ_TODAY}"),))
    if not backgrounds:
        walk.report(root / BACKGROUNDS, "no backgrounds: put at least one image there to paste the objects on")
    return Catalogue(
        root=root,
        classes=tuple(classes),
        images=tuple(sorted(images, key=lambda image: (image.class_name, image.angle, image.id))),
        backgrounds=tuple(sorted(backgrounds, key=lambda background: background.id)),
        problems=(*_class_problems(classes), *walk.problems),
    )


class _Walk:
    """A walk through a data set's folders that gathers the problems on its way."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []

    def report(self, path: Path, what: str, detail: str = "") -> None:
        self.problems.append(Problem(_place(path, self.root), what, detail))

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

    def class_images(self, class_folder: Path) -> list[ImageFile]:
        """The images of a class; reports what is not an angle folder."""
        images = []
        for folder in self.entries(class_folder, "no angle folder in this class folder: add some, or remove it"):
            angle = angle_of(folder.name)
            if not folder.is_dir():
                self.report(folder, "a file where only angle folders are expected: move it into that of its angle")
            elif angle is None:
                self.report(folder, "the angle is no number of degrees: name the folder 0, 30 or 22.5, up to 360")
            else:
                files = self.images_in(folder)
                images += [ImageFile(name, class_folder.name, angle, path) for name, path in files.items()]
        return images

    def backgrounds(self, folder: Path) -> list[BackgroundFile]:
        """The backgrounds: single files first, then the groups."""
        entries = self.entries(folder)
        loose = self.image_files([entry for entry in entries if not entry.is_dir()])
        backgrounds = [BackgroundFile(name, path.stem, path) for name, path in loose.items()]
        for scene in (entry for entry in entries if entry.is_dir()):
            files = self.images_in(scene)
            backgrounds += [BackgroundFile(name, scene.name, path) for name, path in files.items()]
        return backgrounds


def _place(path: Path, root: Path) -> str:
    """A path relative to the data set, printable on one line whatever bytes it holds."""
    return _printable(path.relative_to(root).as_posix())


def _printable(name: str) -> str:
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


def within_a_turn(degrees: Decimal) -> int | float:
    """The same direction from 0 to below 360 degrees, exactly; a whole number as int."""
    turned = (degrees % 360 + 360) % 360
    return int(turned) if turned == int(turned) else float(turned)


def _class_problems(classes: list[str]) -> list[Problem]:
    problems = []
    for name in classes:
        if name.casefold() in RESERVED_NAMES:
            problems.append(Problem(name, f"a reserved name ({', '.join(sorted(RESERVED_NAMES))}): rename the class"))
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name):
            what = "a class name holds only A-Z, a-z, 0-9, _, - and ., and does not begin with .: rename it"
            problems.append(Problem(name, what))
    for relation, key in (("differs only by case from", str.casefold), ("is abbreviated like", abbreviation)):
        seen: dict[str, str] = {}
        for name in classes:
            twin = seen.setdefault(key(name), name)
            if twin != name:
                problems.append(Problem(name, f"{relation} another class: rename one", twin))
    if not classes:
        problems.append(Problem(".", "no class folder: the images belong into <class>/<angle>/"))
    if len(classes) > MAX_CLASSES:
        problems.append(Problem(".", f"{len(classes)} classes: at most {MAX_CLASSES} can be told apart"))
    return problems
