"""From an image file to its pixels. The pixels decide: what stands beside them and cannot be read is passed over."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from trainers.data.pixels import Pixels

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
MAX_PIXELS = 8192 * 8192
"""Larger images are refused before they are decoded: a small file can claim any size."""
MAX_BYTES = 8 * MAX_PIXELS
"""Twice what that many pixels take without any compression. Larger files are refused before they are read."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TIFF_SIGNATURES = (b"II*\0", b"MM\0*")
_FIRST = {b"IHDR": 0, b"eXIf": 1}
"""Of a PNG's chunks: so that the orientation is known before the pixels are decoded."""
_PIXEL_TAGS = frozenset(
    # Of TIFF 6.0 and its supplements: sizes, depths, compression, strips and tiles, colours, the tables of JPEG.
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, 339, 347}
    | set(range(512, 522))
    | {529, 530, 531, 532}
)
_ORIENTATION_TAG = (ExifTags.Base.Orientation, 3, 1)
"""One 16-bit number: of another kind or count it is not read."""
_TAG = "HHI4s"

Number = TypeVar("Number", bound=np.generic)


class UnusableImage(ValueError):
    """Why an image file cannot be used: `what` is the kind of problem, `detail` what is this file's own."""

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(what, detail)
        self.what, self.detail = what, detail


def decode(path: Path, mode: str) -> Pixels:
    """An image file's pixels, uint8, at their native size: in mode RGB of shape (H, W, 3), in RGBA (H, W, 4).

    From a palette or grey as well. RGB drops an alpha channel; RGBA must have one. Raises UnusableImage: unreadable,
    too large, several pictures, more than 8 bits, no alpha channel.
    """
    with opened(content_of(path)) as (image, orientation):
        # Pillow would clip 16-bit grey and drop the low byte of 16-bit colours without saying so.
        if bits_of(image) > 8:
            raise UnusableImage("more than 8 bits a channel: save it with 8")
        if mode == "RGBA" and not image.has_transparency_data:
            raise UnusableImage("no alpha channel: save the cut-out object as RGBA", f"its mode is {image.mode}")
        image.load()
        return turned(np.array(image.convert(mode)), orientation)


def content_of(path: Path) -> bytes:
    """The bytes of an image file. Raises UnusableImage if it cannot be read, or is too large to be."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _too_many_bytes()
        return path.read_bytes()
    except OSError as error:
        raise cannot_be_opened(error) from error


@contextmanager
def opened(content: bytes) -> Iterator[tuple[Image.Image, int]]:
    """The one picture in the bytes of an image file, as it is stored, and its EXIF orientation (1 is upright).

    It is judged by its header; whatever its decoder then raises says why. What stands beside the pixels is left out.
    Raises UnusableImage: unreadable, too large, several pictures.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about size and metadata: what matters of it is checked here
            with Image.open(io.BytesIO(pixels_alone(content)), formats=FORMATS) as image:
                _refuse_unfit(image)
                yield image, _orientation_of_tiff(content) if image.format == "TIFF" else _orientation_of(image)
    except UnusableImage:
        raise
    except UnidentifiedImageError:
        raise UnusableImage(f"unreadable: none of the formats {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise UnusableImage(f"more than {MAX_PIXELS} pixels: reduce it") from None
    except Exception as error:  # decoders of damaged files raise nearly anything; whatever it is, the file gets named
        if isinstance(error, OSError) and error.strerror:
            raise cannot_be_opened(error) from error
        raise damaged(" ".join(str(error).split()) or type(error).__name__) from error


def bits_of(image: Image.Image) -> int:
    """Of each channel of an opened picture: 8 (or fewer), 16 or 32."""
    if re.search(r";16[BLN]?\b", f"{image.mode} {getattr(image, 'tile', '')}"):
        return 16
    return 32 if image.mode.startswith(("I", "F")) else 8


def _orientation_of(image: Image.Image) -> int:
    """1, which is upright, where there is none that can be read."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # else Pillow would decode the pixels, and look for one behind them
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # as above: damaged metadata makes its readers raise nearly anything
        return 1


def _orientation_of_tiff(content: bytes) -> int:
    """The same. Decoders do not see it: they would turn the pixels without saying so, as they do with a BigTIFF's."""
    if not content.startswith(_TIFF_SIGNATURES):
        return 1
    directory = _Directory.of(content)
    found = [value for *head, value in directory.tags if tuple(head) == _ORIENTATION_TAG]
    return int(struct.unpack_from(directory.order + "H", found[0])[0]) if found else 1


def turned(pixels: NDArray[Number], orientation: int) -> NDArray[Number]:
    """An (H, W) or (H, W, C) array as its EXIF orientation asks for, so that a photograph stands upright."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def cannot_be_opened(error: OSError) -> UnusableImage:
    return UnusableImage("cannot be opened: let it be read, or remove it", str(error.strerror or error))


def damaged(reason: str) -> UnusableImage:
    return UnusableImage("unreadable or truncated: replace it", reason)


def _too_many_bytes() -> UnusableImage:
    return UnusableImage(f"a file of more than {MAX_BYTES} bytes: reduce it")


def pixels_alone(content: bytes) -> bytes:
    """What decoders are given: the file, where they can do without what stands beside the pixels, else without that.

    Raises UnusableImage if it is too large, a PNG that is damaged, or an animation.
    """
    if len(content) > MAX_BYTES:
        raise _too_many_bytes()
    if content.startswith(_PNG_SIGNATURE):
        chunks = sorted(_pixel_chunks(content[len(_PNG_SIGNATURE) :]), key=lambda chunk: _FIRST.get(chunk[4:8], 2))
        return _PNG_SIGNATURE + b"".join(chunks)
    if content.startswith(_TIFF_SIGNATURES):
        return _with_pixel_tags(content)
    return content


def _pixel_chunks(content: bytes) -> Iterator[bytes]:
    """A PNG's chunks that decide its pixels and its orientation. Their checksums must hold: decoding passes them over.

    Raises UnusableImage if a chunk is damaged or missing, and for an animation.
    """
    place, kind = 0, b""
    while kind != b"IEND":
        length, kind = int.from_bytes(content[place : place + 4]), content[place + 4 : place + 8]
        chunk = content[place : place + 12 + length]
        place += 12 + length
        sound = len(chunk) == 12 + length and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])
        is_critical = kind[:1].isupper() or kind in (b"", b"tRNS")
        if is_critical and not sound:
            raise damaged("it ends too soon, or a checksum does not hold")
        if kind == b"acTL" and sound:
            _refuse_several(int.from_bytes(chunk[8:12]))
        if is_critical or (kind == b"eXIf" and sound):
            yield chunk


class _Directory(NamedTuple):
    """The first one of a TIFF."""

    order: str
    """Of bytes, as struct writes it."""
    place: int
    end: int
    tags: list[tuple[int, int, int, bytes]]
    """Name, kind, count, and the value or where it is."""

    @classmethod
    def of(cls, content: bytes) -> Self:
        order = "<" if content.startswith(b"II") else ">"
        (place,) = struct.unpack_from(order + "I", content, 4)
        (num_tags,) = struct.unpack_from(order + "H", content, place)
        tag = struct.Struct(order + _TAG)
        end = place + 2 + num_tags * tag.size
        return cls(order, place, end, list(tag.iter_unpack(content[place + 2 : end])))


def _with_pixel_tags(content: bytes) -> bytes:
    """A TIFF whose first directory lists only what its pixels take."""
    order, place, end, tags = _Directory.of(content)
    kept = [struct.pack(order + _TAG, *each) for each in tags if each[0] in _PIXEL_TAGS]
    directory = struct.pack(order + "H", len(kept)) + b"".join(kept) + content[end : end + 4]
    return content[:place] + directory + content[place + len(directory) :]


def _refuse_unfit(image: Image.Image) -> None:
    """Judge an image by its header, before it is decoded."""
    if image.width * image.height > MAX_PIXELS:
        raise UnusableImage(f"more than {MAX_PIXELS} pixels: reduce it", f"{image.width} x {image.height}")
    # Of a JPEG the first picture counts: a camera's previews, gain maps and second views come behind it.
    if image.format in ("TIFF", "WEBP"):
        _refuse_several(getattr(image, "n_frames", 1))


def _refuse_several(count: int) -> None:
    if count > 1:
        raise UnusableImage("several pictures in one file: save each as a file of its own", f"it holds {count}")
