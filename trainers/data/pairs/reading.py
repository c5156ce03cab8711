"""Opening a pair's files: the image and its label map at their own size, or what is wrong with them."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from trainers.data.decoding import UnusableImage, cannot_be_opened, opened, turned
from trainers.data.pairs.decoding import SIXTEEN_BITS, MaskPixels, decode_image, decode_mask
from trainers.data.pairs.label_table import LabelTable
from trainers.data.pairs.pair import Pair
from trainers.data.pixels import Pixels
from trainers.data.problems import Problem
from trainers.data.size import Size

_UPRIGHT = 1


class UnusablePair(ValueError):
    """Why a pair cannot be used."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True)
class Stored:
    """How the pixels of a file lie in it: its size, and by which EXIF orientation they are to be turned."""

    size: Size
    orientation: int

    @property
    def upright(self) -> Size:
        """The size once they are turned."""
        return Size(self.size.width, self.size.height) if self.orientation in (5, 6, 7, 8) else self.size


@dataclass(frozen=True)
class Contents:
    """A pair, decoded at its own size, H x W pixels, and what names its files' contents (SHA-256)."""

    image_HWC: Pixels | None
    """RGB; None where only labels were asked for."""
    labels_HW: Pixels
    depth: int | None
    """Bits of a channel of the image's file."""
    largest: int | None
    """Value in the image's file."""
    is_grey: bool | None
    image_digest: bytes
    mask_digest: bytes


def read_pair(pair: Pair, table: LabelTable, *, with_image: bool = True) -> Contents:
    """Both turned upright where their orientations ask for it.

    :param with_image: False: of the image's file only the header is decoded.
    :raises UnusablePair: a file cannot be decoded, they do not fit each other, or the mask has an unknown value.
    """
    with named(pair.image_place):
        content = pair.image()
        image = decode_image(content, pair.image_maximum or SIXTEEN_BITS) if with_image else None
        stored = stored_as(content)
    with named(pair.mask_place):
        if pair.mask is not None:
            encoded = pair.mask()
            mask = decode_mask(encoded)
            mask_digest, turn, of_mask = hashlib.sha256(encoded).digest(), *turns(stored, _of_mask(mask))
        else:
            mask, turn = _drawn(pair, stored)
            mask_digest, of_mask = pair.outlines_digest.encode(), _UPRIGHT
        labels_HW = turned(table.labels_of(mask), of_mask)
    return Contents(
        image_HWC=None if image is None else turned(image.pixels_HWC, turn),
        labels_HW=labels_HW,
        depth=image.depth if image else None,
        largest=image.largest if image else None,
        is_grey=image.is_grey if image else None,
        image_digest=_image_digest(pair, content),
        mask_digest=mask_digest,
    )


def digests_of(pair: Pair) -> tuple[bytes, bytes]:
    """What names the contents of image and mask, as `Contents` has it; nothing is decoded. Raises UnusablePair."""
    with named(pair.image_place):
        image_digest = _image_digest(pair, pair.image())
    with named(pair.mask_place):
        mask = pair.outlines_digest.encode() if pair.mask is None else hashlib.sha256(pair.mask()).digest()
    return image_digest, mask


def _image_digest(pair: Pair, content: bytes) -> bytes:
    """Names what is seen of an image: its file, and what becomes 255 of it."""
    maximum = "" if pair.image_maximum is None else f"\0{pair.image_maximum}"
    return hashlib.sha256(content + maximum.encode()).digest()


def turns(image: Stored, mask: Stored) -> tuple[int, int]:
    """The orientations by which image and mask are turned so that they fit. Raises UnusableImage if none does, or it
    cannot be told.

    A mask without an orientation was made of the image as it is stored, or as viewers show it: its shape says which.
    """
    if image.orientation == mask.orientation:
        _refuse_other_size(image.size, mask.size)
        return image.orientation, mask.orientation
    if mask.orientation != _UPRIGHT:
        raise UnusableImage("turned by an EXIF orientation that its image does not have: save both upright")
    if image.upright == image.size:
        _refuse_other_size(image.size, mask.size)
        raise _cannot_be_told()
    if mask.size == image.upright:
        return image.orientation, _UPRIGHT
    _refuse_other_size(image.size, mask.size)
    return _UPRIGHT, _UPRIGHT


def _drawn(pair: Pair, image: Stored) -> tuple[MaskPixels, int]:
    """Outlines as a mask, and the orientation by which the image is turned to fit: they say of which size they are."""
    assert pair.outlines is not None
    if image.orientation != _UPRIGHT and image.upright == image.size:
        raise _cannot_be_told()
    try:
        return MaskPixels(pair.outlines(image.upright), None, _UPRIGHT), image.orientation
    except UnusableImage:
        if image.orientation == _UPRIGHT:
            raise
        return MaskPixels(pair.outlines(image.size), None, _UPRIGHT), _UPRIGHT


def _cannot_be_told() -> UnusableImage:
    what = "whether it is of the image as stored, or as its EXIF orientation turns it, cannot be told"
    return UnusableImage(f"{what}: save the image upright")


def _refuse_other_size(image: Size, mask: Size) -> None:
    if image != mask:
        what = "another size than its image: save it at the image's size"
        raise UnusableImage(what, f"it is {mask} (height x width), the image {image}")


def stored_as(content: bytes) -> Stored:
    """Of an image, from the bytes of its file. Raises UnusableImage."""
    with opened(content) as (image, orientation):
        return Stored(Size(image.height, image.width), _known(orientation))


def _of_mask(mask: MaskPixels) -> Stored:
    pixels = mask.values_HW if mask.values_HW is not None else mask.colours_HWC
    assert pixels is not None
    return Stored(Size(*pixels.shape[:2]), _known(mask.orientation))


def _known(orientation: int) -> int:
    return orientation if orientation in range(1, 9) else _UPRIGHT


@contextlib.contextmanager
def named(place: str) -> Iterator[None]:
    """What is wrong within the block is wrong with this file."""
    try:
        yield
    except UnusableImage as error:
        raise UnusablePair(Problem(place, error.what, error.detail)) from error
    except OSError as error:
        raise UnusablePair(Problem(place, cannot_be_opened(error).what, cannot_be_opened(error).detail)) from error
