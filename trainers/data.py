"""The data set's images: whether they are sound, and as arrays at the working size."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers.catalogue import Catalogue, DataFile, ImageFile
from trainers.compositing import Pixels, cut_out, object_mask, resized
from trainers.copies import alike, copy_problems
from trainers.decoding import UnusableImage, read_background, read_object
from trainers.problems import DataError, Problem

BACKGROUND_SIDES = 4
"""Backgrounds are kept with a shorter side of at most this many working sizes."""


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


def check(catalogue: Catalogue, *, allow_copies: bool = False) -> list[Problem]:
    """Every problem of a data set, from its names and from opening and fully decoding every image.

    :param allow_copies: the same picture under several names is no problem.
    """
    reading = _Reading(catalogue)
    for file in catalogue.files:
        reading.pixels_of(file)
    return reading.all_problems(allow_copies)


class _Reading:
    """A data set's images, decoded one after the other; what is wrong with them, and which are the same."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._digests: dict[DataFile, bytes] = {}
        self._problems = list(catalogue.problems)

    def pixels_of(self, file: DataFile) -> Pixels | None:
        """The file's pixels at native size, or None and one problem more."""
        try:
            pixels = read_object(file.path) if isinstance(file, ImageFile) else read_background(file.path)
        except UnusableImage as error:
            self.report(file, error.what, error.detail)
            return None
        self._digests[file] = _digest_of(pixels)
        return pixels

    def report(self, file: DataFile, what: str, detail: str = "") -> None:
        self._problems.append(Problem(self._catalogue.place(file), what, detail))

    def all_problems(self, allow_copies: bool) -> list[Problem]:
        """What was found until now, copies at the end."""
        copies = [] if allow_copies else copy_problems(self._catalogue, alike(self._digests, self._digests.__getitem__))
        return [*self._problems, *copies]


def _digest_of(pixels_HWC: Pixels) -> bytes:
    """What a picture shows, whatever container it came in: the colours that an object's mask hides do not count."""
    if pixels_HWC.shape[2] == 4:
        mask_HW = object_mask(pixels_HWC).astype(np.uint8)
        pixels_HWC = np.dstack([pixels_HWC[..., :3] * mask_HW[..., None], mask_HW])
    return hashlib.sha256(str(pixels_HWC.shape).encode() + pixels_HWC.tobytes()).digest()


def fingerprint(catalogue: Catalogue) -> str:
    """SHA-256 (hexadecimal) of all ids and file contents, in the order of ids: the same wherever the data set lies.

    Raises OSError if a file cannot be read.
    """
    digest = hashlib.sha256()
    for file in sorted(catalogue.files, key=lambda file: file.id):
        content = file.path.read_bytes()
        # The length: no file's end can pass for the next's start.
        digest.update(f"{file.id}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def load(catalogue: Catalogue, image_size: int, *, allow_copies: bool = False) -> Dataset:
    """Decode every image once, at `image_size` x `image_size` pixels (`compositing` says what is kept of it).

    Raises DataError with every problem: those of `check`, and the objects that vanish at the working size.
    """
    reading = _Reading(catalogue)
    shape = (len(catalogue.images), image_size, image_size)
    objects_NHWC = np.zeros((*shape, 3), np.uint8)
    coverage_NHW = np.zeros(shape, np.uint8)
    labels_NHW = np.zeros(shape, np.uint8)
    class_ids_N = np.array([catalogue.classes.index(image.class_name) + 1 for image in catalogue.images], np.int64)
    for row, image in enumerate(catalogue.images):
        rgba_HWC = reading.pixels_of(image)
        if rgba_HWC is None:
            continue
        objects_NHWC[row], coverage_NHW[row], mask_HW = cut_out(rgba_HWC, image_size)
        labels_NHW[row] = mask_HW * class_ids_N[row]
        if not mask_HW.any():
            reading.report(image, f"the object vanishes at {image_size} x {image_size} pixels: raise image_size")
    native = (reading.pixels_of(background) for background in catalogue.backgrounds)
    backgrounds = [_reduced(image, BACKGROUND_SIDES * image_size) for image in native if image is not None]
    if problems := reading.all_problems(allow_copies):
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
