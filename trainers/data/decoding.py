"""From an image file to its pixels. The pixels decide: what stands beside them and cannot be read is passed over."""

from __future__ import annotations

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from trainers.data.pixels import Pixels

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
MAX_PIXELS = 8192 * 8192
"""Larger images are refused before they are decoded: a small file can claim any size."""
MAX_BYTES = 8 * MAX_PIXELS
"""Twice what that many pixels take without any compression. Larger files are refused before they are read."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXEL_TAGS = frozenset(
    # Of TIFF 6.0 and its supplements: sizes, depths, compression, strips and tiles, colours, the tables of JPEG.
    {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, 339, 347}
    | set(range(512, 522))
    | {529, 530, 531, 532}
)
_ORIENTATION_TAG = (ExifTags.Base.Orientation, 3, 1)
"""One 16-bit number: of another kind or count it is not read."""
_TURNS = {
    # What the EXIF orientation asks for, so that a photograph stands upright.
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about size and metadata: what matters of it is checked here
            with Image.open(_pixels_alone(path), formats=FORMATS) as image:
                _refuse_unfit(image, needs_alpha=mode == "RGBA")
                image.load()
                turn = _TURNS.get(_orientation(image))
                return np.array((image if turn is None else image.transpose(turn)).convert(mode))
    except UnusableImage:
        raise
    except UnidentifiedImageError:
        raise UnusableImage(f"unreadable: none of the formats {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise UnusableImage(f"more than {MAX_PIXELS} pixels: reduce it") from None
    except Exception as error:  # decoders of damaged files raise nearly anything; whatever it is, the file gets named
        if isinstance(error, OSError) and error.strerror:
            raise UnusableImage("cannot be opened: let it be read, or remove it", error.strerror) from error
        raise _damaged(" ".join(str(error).split()) or type(error).__name__) from error


def _damaged(reason: str) -> UnusableImage:
    return UnusableImage("unreadable or truncated: replace it", reason)


def _pixels_alone(path: Path) -> io.BytesIO:
    """What Pillow is given: the file, where it can do without what stands beside the pixels, else one without that."""
    if path.stat().st_size > MAX_BYTES:
        raise UnusableImage(f"a file of more than {MAX_BYTES} bytes: reduce it")
    content = path.read_bytes()
    if content.startswith(_PNG_SIGNATURE):
        content = _PNG_SIGNATURE + b"".join(_pixel_chunks(content[len(_PNG_SIGNATURE) :]))
    elif content.startswith((b"II*\0", b"MM\0*")):
        content = _with_pixel_tags(content)
    return io.BytesIO(content)


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
            raise _damaged("it ends too soon, or a checksum does not hold")
        if kind == b"acTL" and sound:
            _refuse_several(int.from_bytes(chunk[8:12]))
        if is_critical or (kind == b"eXIf" and sound):
            yield chunk


def _with_pixel_tags(content: bytes) -> bytes:
    """A TIFF whose first directory lists only what its pixels and its orientation take."""
    order = "<" if content.startswith(b"II") else ">"
    tag = struct.Struct(order + "HHI4s")  # name, kind, count, and the value or where it is
    (place,) = struct.unpack_from(order + "I", content, 4)
    (num_tags,) = struct.unpack_from(order + "H", content, place)
    end = place + 2 + num_tags * tag.size
    tags = tag.iter_unpack(content[place + 2 : end])
    kept = [tag.pack(*each) for each in tags if each[0] in _PIXEL_TAGS or each[:3] == _ORIENTATION_TAG]
    directory = struct.pack(order + "H", len(kept)) + b"".join(kept) + content[end : end + 4]
    return content[:place] + directory + content[place + len(directory) :]


def _refuse_unfit(image: Image.Image, needs_alpha: bool) -> None:
    """Judge an image by its header, before it is decoded."""
    if image.width * image.height > MAX_PIXELS:
        raise UnusableImage(f"more than {MAX_PIXELS} pixels: reduce it", f"{image.width} x {image.height}")
    # Of a JPEG the first picture counts: a camera's previews, gain maps and second views come behind it.
    if image.format in ("TIFF", "WEBP"):
        _refuse_several(getattr(image, "n_frames", 1))
    # Pillow would clip 16-bit grey and drop the low byte of 16-bit colours without saying so.
    if image.mode.startswith(("I", "F")) or re.search(r";16[BLN]", str(getattr(image, "tile", ""))):
        raise UnusableImage("more than 8 bits a channel: save it with 8")
    if needs_alpha and not image.has_transparency_data:
        raise UnusableImage("no alpha channel: save the cut-out object as RGBA", f"its mode is {image.mode}")


def _refuse_several(count: int) -> None:
    if count > 1:
        raise UnusableImage("several pictures in one file: save each as a file of its own", f"it holds {count}")


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation; 1, which is upright, where there is none that can be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # as above: damaged metadata makes its readers raise nearly anything
        return 1
