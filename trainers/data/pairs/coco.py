"""Outlines in COCO's JSON: polygons and runs of pixels, drawn as label maps when they are asked for.

Where objects overlap, COCO has no rule; here the smaller one lies on top (of two of one size, the later). A crowd lies
beneath all objects and is ignored."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from trainers.data.decoding import UnusableImage
from trainers.data.pairs.coco_file import (
    BACKGROUND,
    CROWD,
    CocoFile,
    CocoImage,
    Outline,
    decompressed,
    read_coco_file,
    short,
)
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.pair import Listing, Pair
from trainers.data.pairs.parts import Part, parts_of
from trainers.data.problems import Problem
from trainers.data.size import Size
from trainers.data.walk import Walk, is_image, place_of
from trainers.printable import counted

OVERLAPS = "Where outlines overlap, the smaller one lies on top."
CROWDS = "Crowds (iscrowd) lie beneath all others, and are ignored."


@dataclass(frozen=True)
class Drawing:
    """The label map of an image's outlines."""

    size: Size
    outlines: tuple[Outline, ...]

    def __call__(self, size: Size) -> NDArray[np.int64]:
        """Shape (H, W), in values of classes. Raises UnusableImage for an image of another size than the file says."""
        if size != self.size:
            what = "the image has another size than the file of its outlines says: export the outlines anew"
            raise UnusableImage(what, f"{size}, not {self.size}")
        values_HW = np.full(size, BACKGROUND, np.int64)
        drawn = [(outline, _drawn(outline, size)) for outline in self.outlines]
        for outline, inside_HW in sorted(drawn, key=lambda pair: (not pair[0].is_crowd, -int(pair[1].sum()))):
            values_HW[inside_HW] = CROWD if outline.is_crowd else outline.value
        return values_HW

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) of all that decides the label map."""
        return hashlib.sha256(repr((tuple(self.size), self.outlines)).encode()).hexdigest()


def _drawn(outline: Outline, size: Size) -> NDArray[np.bool_]:
    """The pixels of an outline, shape (H, W)."""
    runs = outline.runs or _runs_of(outline.polygons, size)
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return inside.reshape(size.width, size.height).T


def _runs_of(polygons: Sequence[Sequence[float]], size: Size) -> Sequence[int]:
    """As pycocotools draws them, which is what everybody counts with."""
    encoded = coco_mask.frPyObjects([list(polygon) for polygon in polygons], *size)
    return decompressed(coco_mask.merge(encoded)["counts"].decode())


def list_coco(root: Path, described: Pairs) -> Listing:
    """The pairs of one file, or of one a part; `described.images` is their folder, `described.masks` the file.

    Problems: images that are missing, and whatever the file says that cannot be.
    """
    parts, problems = parts_of(root, described)
    walk = Walk(root)
    pairs: list[Pair] = []
    notes: list[str] = [OVERLAPS]
    files: list[CocoFile] = []
    for part in parts:
        coco = read_coco_file(part.masks, place_of(part.masks, root))
        files.append(coco)
        pairs += _pairs(part, coco, walk, notes)
        problems += coco.problems
        if any(outline.is_crowd for image in coco.images for outline in image.outlines):
            notes.append(CROWDS)
        if coco.classes != files[0].classes:
            problems.append(Problem(coco.place, "other categories than those of another part: make them alike"))
    pairs.sort(key=lambda pair: pair.id)
    problems += [*dict.fromkeys(walk.problems), *_twice(pairs)]
    classes = files[0].classes if files else None
    return Listing(tuple(pairs), classes, (CROWD,), tuple(problems), tuple(dict.fromkeys(notes)))


def _pairs(part: Part, coco: CocoFile, walk: Walk, notes: list[str]) -> list[Pair]:
    images = {path.relative_to(part.images).as_posix(): path for path in walk.files(part.images) if is_image(path)}
    found = []
    for image in coco.images:
        path = _path_of(image, images, part, walk.root)
        if path is None:
            coco.report("there is no such image: add it, or strike it out", place=short(image.file_name))
        else:
            name = path.relative_to(part.images).with_suffix("").as_posix()
            found.append(_pair(part.id_of(name), path, image, part, walk.root))
    unlisted = len(images) - len(found)
    if unlisted > 0 and found:
        images_passed = counted(unlisted, "image")
        notes.append(
            f"{images_passed} of {place_of(part.images, walk.root)} passed over: {coco.place} does not name them"
        )
    if empty := sum(not image.outlines for image in coco.images):
        have = "image has" if empty == 1 else "images have"
        notes.append(f"{empty} {have} no outline in {coco.place}: background alone.")
    return found


def _path_of(image: CocoImage, images: dict[str, Path], part: Part, root: Path) -> Path | None:
    """The file of an image, whose name may start at the images or at the data set."""
    name = str(PurePosixPath(image.file_name.replace("\\", "/")))
    folder = place_of(part.images, root)
    return images.get(name) or images.get(name.removeprefix(f"{folder}/"))


def _pair(id: str, path: Path, image: CocoImage, part: Part, root: Path) -> Pair:
    drawing = Drawing(image.size, image.outlines)
    return Pair(
        id=id,
        image_place=place_of(path, root),
        mask_place=place_of(part.masks, root),
        image=path.read_bytes,
        mask=None,
        outlines=drawing,
        outlines_digest=drawing.digest,
        values=dict(part.values),
    )


def _twice(pairs: Sequence[Pair]) -> list[Problem]:
    what = "the name differs from another only by its ending: rename one, or remove it"
    return [Problem(b.image_place, what) for a, b in itertools.pairwise(pairs) if a.id == b.id]
