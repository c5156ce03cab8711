"""Opening a catalogue's files: their pixels, what is wrong with them, which are the same, and their fingerprint."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from trainers.data.copies import alike
from trainers.data.cut_outs.catalogue import Catalogue, DataFile, ImageFile
from trainers.data.cut_outs.compositing import MASK_THRESHOLD, object_mask
from trainers.data.cut_outs.copies import copy_problems
from trainers.data.decoding import UnusableImage, decode
from trainers.data.pixels import Pixels
from trainers.data.problems import Problem


def read_object(path: Path) -> Pixels:
    """Decode an object's image: uint8 RGBA, shape (H, W, 4), at its native size; from a palette or grey as well.

    Raises UnusableImage: as `decode`, and without an object, or without a background.
    """
    rgba_HWC = decode(path, "RGBA")
    mask_HW = object_mask(rgba_HWC)
    if not mask_HW.any():
        raise UnusableImage(f"empty mask: no pixel has alpha >= {MASK_THRESHOLD}, so there is no object")
    if mask_HW.all():
        raise UnusableImage(f"the mask covers everything: cut the object out (no pixel has alpha < {MASK_THRESHOLD})")
    return rgba_HWC


def read_background(path: Path) -> Pixels:
    """Decode a background: uint8 RGB, shape (H, W, 3), at its native size; an alpha channel is dropped.

    Raises UnusableImage as `decode`.
    """
    return decode(path, "RGB")


def check(catalogue: Catalogue, *, allow_copies: bool = False) -> list[Problem]:
    """Every problem of a data set, from its names and from opening and fully decoding every image.

    :param allow_copies: the same picture under several names is no problem.
    """
    reading = Reading(catalogue)
    for file in catalogue.files:
        reading.pixels_of(file)
    return reading.all_problems(allow_copies)


class Reading:
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
