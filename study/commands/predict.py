"""`study predict`: label maps of new images, at their own sizes."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from study.errors import StudyError
from study.export.folder import load_model, read_description
from trainers.data.decoding import UnusableImage, content_of, turned
from trainers.data.pairs.decoding import SIXTEEN_BITS, decode_image
from trainers.data.pairs.reading import stored_as
from trainers.data.pixels import Pixels
from trainers.data.walk import Walk, is_image
from trainers.model_description import Description
from trainers.printable import without_formula

LABELS, OVERLAYS, PIXELS = "labels", "overlays", "pixels.csv"
OPACITY = 0.5
"""Of the classes' colours over an image."""


@dataclass
class Predicted:
    """What became of the images."""

    images: list[str] = field(default_factory=list)
    """Places of those that were predicted, relative to the folder."""
    failed: dict[str, str] = field(default_factory=dict)
    """Place -> why it could not be."""


def predict(
    model: str, images: str, out: str, on_image: Callable[[int, int, str], None] = lambda *image: None
) -> Predicted:
    """Predict an image, or all images in a folder and its folders: `labels/` has a palette PNG of each at its own size,
    `overlays/` the same over the image, `pixels.csv` the pixels of each class.

    One image that cannot be read stops none of the others. Raises StudyError: no images, no model, OUT is not empty, or
    cannot be written.

    :param on_image: called before each with its number from 1, how many there are, and its place.
    """
    folder, found, passed_over = _images_in(Path(images))
    target = Path(out)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StudyError(f"{out} is there already, and is not an empty folder: name another one with --out")
    described, loaded = read_description(Path(model)), load_model(model)
    done, names = Predicted(failed=passed_over), _names(found, folder)
    with _writable(target), (target / PIXELS).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image", *map(without_formula, described.labels)])
        for number, path in enumerate(found, start=1):
            place = path.relative_to(folder).as_posix()
            on_image(number, len(found), place)
            try:
                image_HWC = _read(path, described)
            except UnusableImage as error:
                done.failed[place] = ": ".join(filter(None, (error.what, error.detail)))
                continue
            labels_HW = loaded.predict(image_HWC)
            _write(target, names[path], image_HWC, labels_HW, described)
            table.writerow(
                [without_formula(place), *np.bincount(labels_HW.ravel(), minlength=len(described.labels)).tolist()]
            )
            done.images.append(place)
    return done


@contextmanager
def _writable(target: Path) -> Iterator[None]:
    """The folder is made. Raises StudyError if it, or a file in it, cannot be written."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise StudyError(f"{error.filename or target} cannot be written: {error.strerror or error}") from error


def _images_in(place: Path) -> tuple[Path, list[Path], dict[str, str]]:
    """The folder that places are relative to, the files, and place -> why it is passed over, of what cannot be
    followed. Raises StudyError if there are no files."""
    if place.is_file():
        return place.parent, [place], {}
    if not place.is_dir():
        raise StudyError(f"there is no {place}")
    walk = Walk(place)
    found = list(_walked(walk, place))
    passed_over = {problem.place: problem.what for problem in walk.problems}
    if not found:
        why = [f"; {name}: {what}" for name, what in passed_over.items()]
        raise StudyError(f"{place} holds no images (PNG, JPEG, BMP, WEBP, TIFF){''.join(why[:1])}")
    return place, found, passed_over


def _walked(walk: Walk, folder: Path) -> Iterator[Path]:
    for entry in walk.entries(folder):
        if entry.is_dir():
            yield from _walked(walk, entry)
        elif is_image(entry):
            yield entry


def _read(path: Path, described: Description) -> Pixels:
    """RGB, upright, as the images that were trained on are read. Raises UnusableImage."""
    content = content_of(path)
    image = decode_image(content, described.image_maximum or SIXTEEN_BITS)
    return turned(image.pixels_HWC, stored_as(content).orientation)


def _names(found: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Of each image the place of what is predicted: its own, as PNG; behind its whole name where two could be one."""
    places = {path: path.relative_to(folder) for path in found}
    short = {path: place.with_suffix(".png") for path, place in places.items()}
    whole = {path: place.with_name(f"{place.name}.png") for path, place in places.items()}
    taken = Counter([*short.values(), *whole.values()])  # of a.png and a.png.png too
    return {path: short[path] if taken[short[path]] == 1 else whole[path] for path in found}


def _write(target: Path, name: Path, image_HWC: Pixels, labels_HW: Pixels, described: Description) -> None:
    colours = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in described.colours], np.uint8)
    for folder, picture in (
        (LABELS, _palette(labels_HW, colours)),
        (OVERLAYS, Image.fromarray(_overlay(image_HWC, labels_HW, colours, described.has_background))),
    ):
        path = target / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, format="PNG")


def _palette(labels_HW: Pixels, colours: Pixels) -> Image.Image:
    picture = Image.fromarray(labels_HW, mode="P")
    picture.putpalette(colours.ravel().tolist())
    return picture


def _overlay(image_HWC: Pixels, labels_HW: Pixels, colours: Pixels, has_background: bool) -> Pixels:
    mixed = (1 - OPACITY) * image_HWC + OPACITY * colours[labels_HW]
    shown = labels_HW > 0 if has_background else np.ones_like(labels_HW, bool)
    return np.where(shown[..., None], mixed.round().astype(np.uint8), image_HWC)
