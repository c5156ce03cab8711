"""From the bytes of a pair's files to pixels: of photographs the colours, of masks the values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainers.data.decoding import UnusableImage, bits_of, damaged, opened, pixels_alone, turned
from trainers.data.pixels import Pixels, is_grey

Values = NDArray[np.int64]
SIXTEEN_BITS = 2**16 - 1
SMEARED = "a mask whose compression smears the values of its pixels: save it anew as PNG, from its source"


@dataclass(frozen=True)
class Photograph:
    """An image, H x W pixels, as it is stored."""

    pixels_HWC: Pixels
    """RGB; of 16 bits, what was asked for has become 255."""
    orientation: int
    """Of EXIF, 1 to 8; 1 is upright."""
    depth: int
    """Bits of a channel in the file: 8 (or fewer) or 16."""
    largest: int
    """Value in the file."""
    is_grey: bool
    """Whether the three colours of every pixel are equal."""

    def upright(self) -> Pixels:
        """Turned as its orientation asks for."""
        return turned(self.pixels_HWC, self.orientation)


@dataclass(frozen=True)
class MaskPixels:
    """A mask, H x W pixels, as it is stored: values or colours, or both of a palette."""

    values_HW: Values | None
    """Indices of a palette, or grey values; of 1 bit, 0 and 1."""
    colours_HWC: Pixels | None
    """RGB, of a palette or where the three colours of some pixel differ."""
    orientation: int


def decode_image(content: bytes, maximum: int = SIXTEEN_BITS) -> Photograph:
    """The image in the bytes of a file. An alpha channel is dropped.

    :param maximum: of an image of 16 bits, what becomes 255; so does what is larger.
    :raises UnusableImage: unreadable, too large, several pictures, more than 16 bits.
    """
    with opened(content) as (image, orientation):
        depth = _depth_of(image)
        image.load()
        pixels: NDArray[Any] = _sixteen_bits(content, image) if depth == 16 else np.array(image.convert("RGB"))
    pixels_HWC = _eight_bits(pixels, maximum) if depth == 16 else pixels
    if pixels_HWC.ndim == 2:
        pixels_HWC = np.repeat(pixels_HWC[..., None], 3, axis=2)
    return Photograph(pixels_HWC, orientation, depth, int(pixels.max()), is_grey(pixels_HWC))


def decode_mask(content: bytes) -> MaskPixels:
    """The mask in the bytes of a file: of a palette the indices, not the colours. An alpha channel is dropped.

    Raises UnusableImage: as `decode_image`, and where compression has smeared the values.
    """
    with opened(content) as (image, orientation):
        if _is_smeared(image, content):
            raise UnusableImage(SMEARED)
        depth, step = _depth_of(image), _step_of(str(getattr(image, "tile", "")))
        image.load()
        pixels: NDArray[Any] = _sixteen_bits(content, image) if depth == 16 else _as_stored(image)
        pixels = pixels // step if image.mode == "L" else pixels
        colours_HWC = np.array(image.convert("RGB")) if image.mode in ("P", "PA") else None
    if pixels.ndim == 2:
        return MaskPixels(pixels.astype(np.int64), colours_HWC, orientation)
    if is_grey(pixels):
        return MaskPixels(pixels[..., 0].astype(np.int64), None, orientation)
    if depth == 16:
        raise UnusableImage("a mask of colours of 16 bits: save it with 8")
    return MaskPixels(None, pixels, orientation)


def _depth_of(image: Image.Image) -> int:
    bits = bits_of(image)
    if bits > 16:
        raise UnusableImage("more than 16 bits a channel: save it with 8 or 16", f"its mode is {image.mode}")
    return bits


def _sixteen_bits(content: bytes, image: Image.Image) -> NDArray[Any]:
    """(H, W), or (H, W, 3) in RGB, of a file that Pillow has decoded without complaint: it drops the low bytes."""
    import cv2  # takes time to import: few files have 16 bits

    pixels = cv2.imdecode(np.frombuffer(pixels_alone(content), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.shape[:2] != (image.height, image.width):
        raise damaged("its 16 bits cannot be read")
    # OpenCV gives the colours the other way round.
    sixteen: NDArray[Any] = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., 2::-1])
    return sixteen


def _eight_bits(pixels: NDArray[Any], maximum: int) -> Pixels:
    """round(value * 255 / maximum), exactly (halves go up), and at most 255."""
    twice = np.minimum(pixels, maximum).astype(np.uint32) * 510
    scaled: Pixels = ((twice + maximum) // (2 * maximum)).astype(np.uint8)
    return scaled


def _as_stored(image: Image.Image) -> Pixels:
    """A loaded mask's values, shape (H, W), or its colours, shape (H, W, 3)."""
    pixels = np.array(image)
    match image.mode:
        case "P" | "L":
            return pixels
        case "1":
            return pixels.astype(np.uint8)
        case "PA" | "LA":
            return pixels[..., 0]
        case "RGB" | "RGBA" | "RGBX":
            return pixels[..., :3]
    raise UnusableImage("neither grey nor RGB nor of a palette: save it as PNG", f"its mode is {image.mode}")


def _step_of(tile: str) -> int:
    """What Pillow has multiplied the grey values of a file of 2 or 4 bits by."""
    return next((step for mode, step in (("L;2", 85), ("L;4", 17)) if mode in tile), 1)


def _is_smeared(image: Image.Image, content: bytes) -> bool:
    if image.format == "WEBP":
        return next(kind for kind in _webp_chunks(content) if kind in (b"VP8 ", b"VP8L")) == b"VP8 "
    return image.format in ("JPEG", "MPO") or image.info.get("compression") == "jpeg"


def _webp_chunks(content: bytes) -> Iterator[bytes]:
    """The kinds of a WebP file's chunks."""
    place = 12
    while place < len(content):
        yield content[place : place + 4]
        place += 8 + (int.from_bytes(content[place + 4 : place + 8], "little") + 1) // 2 * 2
