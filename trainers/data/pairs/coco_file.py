"""A JSON file of COCO: what it says of images, classes and outlines, checked."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from trainers.data.class_names import BACKGROUNDS
from trainers.data.decoding import MAX_PIXELS
from trainers.data.problems import Problem
from trainers.data.size import Size
from trainers.data.walk import NO_REGULAR_FILE

MOST_BYTES = 2**31
BACKGROUND, CROWD = 0, 255
"""Values of pixels that no outline covers, and of those that a crowd does."""
_LARGEST_VALUE = 254


@dataclass(frozen=True)
class Outline:
    """Of one object: polygons, or runs of pixels."""

    value: int
    is_crowd: bool
    polygons: tuple[tuple[float, ...], ...] = ()
    """x, y, x, y, ... of each, pixels."""
    runs: tuple[int, ...] = ()
    """How many pixels, column by column, are outside, inside, outside, and so on."""


@dataclass(frozen=True)
class CocoImage:
    """An image that the file names."""

    file_name: str
    size: Size
    outlines: tuple[Outline, ...]


@dataclass
class CocoFile:
    """The content of a file; what is wrong with it is a problem by the name of the image or of the file."""

    place: str
    categories: dict[int, str] = field(default_factory=dict)
    """Id -> name."""
    images: list[CocoImage] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def report(self, what: str, detail: str = "", place: str = "") -> None:
        self.problems.append(Problem(place or self.place, what, detail))

    @property
    def classes(self) -> dict[str, int]:
        """Class -> value; the background, which no outline covers, first."""
        own = self._background
        values = values_of(self.categories)
        named = {name: values[id] for id, name in self.categories.items() if name != own}
        return {own or "background": BACKGROUND, **dict(sorted(named.items(), key=lambda item: item[1]))}

    @property
    def _background(self) -> str | None:
        return next((name for name in self.categories.values() if name.casefold() in BACKGROUNDS), None)


def values_of(categories: Mapping[int, str]) -> dict[int, int]:
    """Category -> value in label maps: its id, if all ids are from 1 to 254, else its place by id, from 1 on,
    without the value of crowds."""
    objects = sorted(id for id, name in categories.items() if name.casefold() not in BACKGROUNDS)
    keep = all(0 < id <= _LARGEST_VALUE for id in objects)
    values = {id: id if keep else place + (place >= CROWD) for place, id in enumerate(objects, 1)}
    return values | dict.fromkeys(categories.keys() - values.keys(), BACKGROUND)


def read_coco_file(file: Path, place: str) -> CocoFile:
    """Everything in a file that can be used, and every problem of the rest. Raises nothing."""
    coco = CocoFile(place)
    table = _table(file, coco)
    if table is None:
        return coco
    coco.categories = _categories(table["categories"], coco)
    rows = _images(table["images"], coco)
    outlines = _outlines(table["annotations"], rows, coco)
    coco.images = [CocoImage(name, size, tuple(outlines[id])) for id, (name, size) in rows.items()]
    return coco


def _table(file: Path, coco: CocoFile) -> dict[str, list[Any]] | None:
    if file.exists() and not file.is_file():
        coco.report(NO_REGULAR_FILE)
        return None
    try:
        if file.stat().st_size > MOST_BYTES:
            coco.report("more than 2 GiB of outlines: divide the file")
            return None
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        coco.report("not valid JSON: export it anew")
        return None
    except OSError as error:
        coco.report("cannot be read", str(error.strerror))
        return None
    keys = ("images", "annotations", "categories")
    lacking = [key for key in keys if not isinstance(found, dict) or not isinstance(found.get(key), list)]
    if lacking:
        coco.report("no file of COCO, which has lists of images, annotations and categories", f"no {lacking[0]}")
        return None
    for key in keys:
        if not all(isinstance(row, dict) for row in found[key]):
            coco.report(f"an entry of {key} is not a table: export it again")
    return {key: [row for row in found[key] if isinstance(row, dict)] for key in keys}


def _categories(rows: Iterable[dict[str, Any]], coco: CocoFile) -> dict[int, str]:
    found: dict[int, str] = {}
    for row in rows:
        id, name = row.get("id"), row.get("name")
        if not _is_id(id) or not isinstance(name, str) or not 0 < len(name) <= 200:
            coco.report("a category without a whole number as id, or without a name", short(row))
        elif id in found or name in found.values():
            coco.report("two categories have one id or one name: rename one", short(name))
        else:
            found[id] = name
    if not found:
        coco.report("no category: name the classes that the outlines belong to")
    return found


def _images(rows: Iterable[dict[str, Any]], coco: CocoFile) -> dict[Any, tuple[str, Size]]:
    """Id -> file name and size."""
    found: dict[Any, tuple[str, Size]] = {}
    names: set[str] = set()
    for row in rows:
        id, name = row.get("id"), row.get("file_name")
        height, width = _whole(row.get("height")), _whole(row.get("width"))
        if not isinstance(id, int | str) or not isinstance(name, str) or not name:
            coco.report("an image without an id or a file_name", short(row))
        elif not (_is_id(height) and _is_id(width) and 0 < height * width <= MAX_PIXELS and min(height, width) > 0):
            coco.report(
                f"height and width are not the sides of an image of at most {MAX_PIXELS} pixels", place=short(name)
            )
        elif id in found:
            coco.report("two images have one id: give each its own", f"id {short(id)}", short(name))
        elif name in names:
            coco.report("listed twice: keep one entry, with all its outlines", place=short(name))
        else:
            found[id] = name, Size(height, width)
            names.add(name)
    return found


def _outlines(
    rows: Iterable[dict[str, Any]], images: Mapping[Any, tuple[str, Size]], coco: CocoFile
) -> Mapping[Any, list[Outline]]:
    """Id of an image -> its outlines, in the order of their ids."""
    values, found, seen = values_of(coco.categories), defaultdict(list), set()
    for row in sorted(rows, key=lambda row: row["id"] if _is_id(row.get("id")) else -1):
        id, image, category = row.get("id"), row.get("image_id"), row.get("category_id")
        detail = f"annotation {short(id)}"
        if not isinstance(image, int | str) or image not in images:
            coco.report("an annotation of an image that is not listed: remove it, or list the image", detail)
            continue
        name, size = images[image]
        if not _is_id(category) or category not in values:
            coco.report("a category that is not listed: list it, or correct the annotation", detail, short(name))
        elif _is_id(id) and id in seen:
            coco.report("two annotations have one id: give each its own", detail, short(name))
        else:
            seen.add(id)
            try:
                shape = _shape(row.get("segmentation"), size)
            except ValueError as error:
                coco.report(str(error), detail, short(name))
            else:
                found[image].append(Outline(values[category], row.get("iscrowd") == 1, **shape))
    return found


def _shape(given: Any, size: Size) -> dict[str, Any]:
    """Raises ValueError: why it is no outline."""
    match given:
        case None | []:
            raise ValueError("an annotation without an outline: only boxes are there, or it is empty")
        case list():
            return {"polygons": tuple(_polygon(each, size) for each in given)}
        case {"counts": (str() | list()) as counts, "size": [height, width]}:
            if [height, width] != list(size):
                raise ValueError("the outline is of an image of another size")
            return {"runs": _runs(decompressed(counts) if isinstance(counts, str) else counts, size)}
    raise ValueError("an outline that is neither polygons nor COCO's runs of pixels")


def _polygon(given: Any, size: Size) -> tuple[float, ...]:
    is_number = isinstance(given, list) and all(
        isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in given
    )
    if not is_number or len(given) < 6 or len(given) % 2:
        raise ValueError("a polygon that is not a list of at least three points, x, y, x, y, ...")
    for points, side in ((given[::2], size.width), (given[1::2], size.height)):
        if min(points) < -side or max(points) > 2 * side:
            raise ValueError("a polygon that leaves the image by more than the image's own size")
    return tuple(map(float, given))


def _runs(counts: list[Any], size: Size) -> tuple[int, ...]:
    if not all(_is_id(count) and count >= 0 for count in counts) or sum(counts) != size.pixels:
        raise ValueError("runs of pixels that do not make up the image")
    return tuple(counts)


def decompressed(text: str) -> list[int]:
    """The runs that COCO's text stands for: numbers of five bits a character, as differences from the third on."""
    counts: list[int] = []
    number, shift = 0, 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 30:
            raise ValueError("runs of pixels that do not make up the image")
        number |= (code & 31) << shift
        shift += 5
        if not code & 32:
            number -= (1 << shift) if code & 16 else 0
            counts.append(number + (counts[-2] if len(counts) > 2 else 0))
            number, shift = 0, 0
    return counts


def _is_id(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(value: Any) -> Any:
    """A whole number that is written as 48.0 as the number that it is; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def short(value: Any) -> str:
    text = str(value) if isinstance(value, str | int) else json.dumps(value, default=str)
    return text[:60] if text.isprintable() else ascii(text[:60])[1:-1]
