"""The data set's images: whether they are sound, and as arrays at the working size."""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from trainers.catalogue import BackgroundFile, Catalogue, DataError, ImageFile, Problem
from trainers.compositing import MASK_THRESHOLD, Pixels, cut_out, object_mask, resized

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
MAX_PIXELS = 8192 * 8192
"""Larger images are refused before they are decoded: a small file can claim any size."""
BACKGROUND_SIDES = 4
"""Backgrounds are kept with a shorter side of at most this many working sizes."""


class UnusableImage(ValueError):
    """Why an image file cannot be used, in one line."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """The images at the working size, decoded once. N images, size H = W, C = 3 colours; every array is read-only."""

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    objects_NHWC: Pixels
    """The object's colours times its coverage."""
    coverage_NHW: Pixels
    """The share of each pixel that the object covers, 0 to 255."""
    labels_NHW: Pixels
    """The class id where the mask is (resized by nearest pixel), else 0."""
    class_ids_N: NDArray[np.int64]
    angles_N: NDArray[np.float64]
    """Degrees."""
    background_ids: tuple[str, ...]
    backgrounds: tuple[Pixels, ...]
    """One (height, width, 3) array for each of `background_ids`, of its own size."""
    index: dict[str, int] = field(init=False)
    """The row of each image id."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {name: row for row, name in enumerate(self.ids)})
        for value in (*vars(self).values(), *self.backgrounds):
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()  # pickling forgets that the arrays are read-only


def check(catalogue: Catalogue) -> list[Problem]:
    """Every problem of a data set, from its names and from opening and fully decoding every image."""
    problems = list(catalogue.problems)
    for file in catalogue.files:
        _read(file, catalogue, problems)
    return problems


def _read(file: ImageFile | BackgroundFile, catalogue: Catalogue, problems: list[Problem]) -> Pixels | None:
    """The file's pixels at native size, or None and one problem more."""
    try:
        return read_object(file.path) if isinstance(file, ImageFile) else read_background(file.path)
    except UnusableImage as error:
        problems.append(Problem(catalogue.place(file), str(error)))
        return None


def read_object(path: Path) -> Pixels:
    """Decode an object's image: uint8 RGBA, shape (H, W, 4), at its native size; from a palette or grey as well.

    Raises UnusableImage: unreadable, too large, more than 8 bits, no alpha channel, no object, no background.
    """
    rgba_HWC = _decode(path, "RGBA")
    mask_HW = object_mask(rgba_HWC)
    if not mask_HW.any():
        raise UnusableImage(f"empty mask: no pixel has alpha >= {MASK_THRESHOLD}, so there is no object")
    if mask_HW.all():
        raise UnusableImage(f"the mask covers everything: cut the object out (no pixel has alpha < {MASK_THRESHOLD})")
    return rgba_HWC


def read_background(path: Path) -> Pixels:
    """Decode a background: uint8 RGB, shape (H, W, 3), at its native size; an alpha channel is dropped.

    Raises UnusableImage: unreadable, too large, more than 8 bits.
    """
    return _decode(path, "RGB")


def _decode(path: Path, mode: str) -> Pixels:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about size and metadata: what matters of it is checked here
            with Image.open(path, formats=FORMATS) as image:
                _refuse_unfit(image, needs_alpha=mode == "RGBA")
                image.verify()  # a PNG's checksums, which decoding passes over; the image is spent by it
            with Image.open(path, formats=FORMATS) as image:
                return np.array(ImageOps.exif_transpose(image).convert(mode))
    except UnusableImage:
        raise
    except UnidentifiedImageError:
        raise UnusableImage(f"unreadable: none of the formats {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise UnusableImage(f"more than {MAX_PIXELS} pixels: reduce it") from None
    except Exception as error:  # decoders of damaged files raise nearly anything; whatever it is, the file gets named
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise UnusableImage(f"unreadable or truncated: {reason}") from error


def _refuse_unfit(image: Image.Image, needs_alpha: bool) -> None:
    """Judge an image by its header, before it is decoded."""
    if image.width * image.height > MAX_PIXELS:
        raise UnusableImage(f"{image.width} x {image.height} is more than {MAX_PIXELS} pixels: reduce it")
    # Pillow would clip 16-bit grey and drop the low byte of 16-bit colours, without a word.
    if image.mode.startswith(("I", "F")) or re.search(r";16[BLN]", str(getattr(image, "tile", ""))):
        raise UnusableImage("more than 8 bits a channel: save it with 8")
    if needs_alpha and not image.has_transparency_data:
        raise UnusableImage(f"no alpha channel: its mode is {image.mode}, save the cut-out object as RGBA")


def fingerprint(catalogue: Catalogue) -> str:
    """SHA-256 (hexadecimal) of all ids and file contents, in the order of ids: the same wherever the data set lies.

    Raises OSError if a file cannot be read.
    """
    digest = hashlib.sha256()
    for file in sorted(catalogue.files, key=lambda file: file.id):
        content = file.path.read_bytes()
        digest.update(
            f"{file.id}\0{len(content)}\0".encode()
        )  # the length: no file's end can pass for the next's start
        digest.update(content)
    return digest.hexdigest()


def load(catalogue: Catalogue, image_size: int) -> Dataset:
    """Decode every image once, at `image_size` x `image_size` pixels (`compositing` says what is kept of it).

    Raises DataError with every problem: those of `check`, and the objects that vanish at the working size.
    """
    problems = list(catalogue.problems)
    shape = (len(catalogue.images), image_size, image_size)
    objects_NHWC = np.zeros((*shape, 3), np.uint8)
    coverage_NHW = np.zeros(shape, np.uint8)
    labels_NHW = np.zeros(shape, np.uint8)
    class_ids_N = np.array([catalogue.classes.index(image.class_name) + 1 for image in catalogue.images], np.int64)
    for row, image in enumerate(catalogue.images):
        rgba_HWC = _read(image, catalogue, problems)
        if rgba_HWC is None:
            continue
        objects_NHWC[row], coverage_NHW[row], mask_HW = cut_out(rgba_HWC, image_size)
        labels_NHW[row] = mask_HW * class_ids_N[row]
        if not mask_HW.any():
            what = f"the object vanishes at {image_size} x {image_size} pixels: raise image_size"
            problems.append(Problem(catalogue.place(image), what))
    native = (_read(background, catalogue, problems) for background in catalogue.backgrounds)
    backgrounds = [_reduced(image, BACKGROUND_SIDES * image_size) for image in native if image is not None]
    if problems:
        raise DataError(problems)
    return Dataset(
        ids=tuple(image.id for image in catalogue.images),
        classes=catalogue.classes,
        objects_NHWC=objects_NHWC,
        coverage_NHW=coverage_NHW,
        labels_NHW=labels_NHW,
        class_ids_N=class_ids_N,
        angles_N=np.array([image.angle for image in catalogue.images], np.float64),
        background_ids=tuple(background.id for background in catalogue.backgrounds),
        backgrounds=tuple(backgrounds),
    )


def _reduced(image_HWC: Pixels, shorter_side: int) -> Pixels:
    """The image with a shorter side of at most `shorter_side` pixels, its aspect kept."""
    height, width = image_HWC.shape[:2]
    scale = min(1.0, shorter_side / min(height, width))
    return resized(image_HWC, round(height * scale), round(width * scale))
