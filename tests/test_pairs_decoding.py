"""Of pairs: from the bytes of images and masks to pixels, whatever kind of file they are."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from small_pairs import encoded

from trainers.data.decoding import UnusableImage
from trainers.data.pairs.decoding import decode_image, decode_mask

RNG = np.random.default_rng(0)
COLOURS_HWC = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
VALUES_HW = RNG.integers(0, 9, (5, 7), dtype=np.uint8)
DEEP_HW = np.array([[0, 1, 128, 129, 385, 386, 32767, 65535]], np.uint16)
SCALED_HW = np.array([[round(int(value) * 255 / 65535) for value in DEEP_HW[0]]], np.uint8)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def deep(pixels: np.ndarray, ending: str) -> bytes:
    if pixels.ndim == 3:
        pixels = np.ascontiguousarray(pixels[..., ::-1] if pixels.shape[2] == 3 else pixels[..., [2, 1, 0, 3]])
    return cv2.imencode(ending, pixels)[1].tobytes()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_colours_are_taken_as_they_are(kind: str) -> None:
    found = decode_image(encoded(COLOURS_HWC, kind))
    np.testing.assert_array_equal(found.pixels_HWC, COLOURS_HWC)
    assert (found.depth, found.is_grey, found.orientation) == (8, False, 1)


def test_grey_has_three_equal_colours() -> None:
    found = decode_image(encoded(COLOURS_HWC[..., 0]))
    assert found.is_grey
    for colour in range(3):
        np.testing.assert_array_equal(found.pixels_HWC[..., colour], COLOURS_HWC[..., 0])


def test_an_alpha_channel_is_dropped_and_a_palette_looked_up() -> None:
    rgba = np.dstack([COLOURS_HWC, VALUES_HW])
    np.testing.assert_array_equal(decode_image(encoded(rgba)).pixels_HWC, COLOURS_HWC)
    palette = Image.fromarray(COLOURS_HWC).quantize(8)
    np.testing.assert_array_equal(decode_image(saved(palette)).pixels_HWC, np.array(palette.convert("RGB")))


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_divided_by_the_files_own_depth(ending: str, channels: int) -> None:
    pixels = DEEP_HW if channels == 1 else np.dstack([DEEP_HW, DEEP_HW[:, ::-1], 0 * DEEP_HW, DEEP_HW][:channels])
    found = decode_image(deep(pixels, ending))
    expected = [SCALED_HW] * 3 if channels == 1 else [SCALED_HW, SCALED_HW[:, ::-1], 0 * SCALED_HW]
    np.testing.assert_array_equal(found.pixels_HWC, np.dstack(expected))
    assert found.depth == 16
    assert found.is_grey == (channels == 1)


@pytest.mark.parametrize("maximum", [1, 255, 1023, 4095, 65535])
def test_of_16_bits_the_value_that_is_asked_for_becomes_255(maximum: int) -> None:
    values = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    found = decode_image(deep(values, ".png"), maximum)
    expected = [min(255, (510 * value + maximum) // (2 * maximum)) for value in range(2**16)]
    np.testing.assert_array_equal(found.pixels_HWC[..., 0].ravel(), expected)
    assert (found.largest, int(found.pixels_HWC[..., 0].ravel()[maximum])) == (65535, 255)
    np.testing.assert_array_equal(decode_image(encoded(COLOURS_HWC), maximum).pixels_HWC, COLOURS_HWC)


def test_more_than_16_bits_are_refused() -> None:
    content = saved(Image.fromarray(np.ones((3, 3), np.float32)), "TIFF")
    for decode in (decode_image, decode_mask):
        with pytest.raises(UnusableImage, match="more than 16 bits"):
            decode(content)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_stay_as_stored_until_they_are_turned(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    for kind in ("PNG", "TIFF"):
        content = encoded(COLOURS_HWC, kind, exif=exif)
        found = decode_image(content)
        assert found.orientation == orientation
        np.testing.assert_array_equal(found.pixels_HWC, COLOURS_HWC)
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
        np.testing.assert_array_equal(found.upright(), np.array(upright))


def test_values_of_grey_and_deep_masks() -> None:
    for content, values in (
        (encoded(VALUES_HW), VALUES_HW),
        (encoded(np.dstack([VALUES_HW] * 3)), VALUES_HW),
        (encoded(np.dstack([VALUES_HW] * 3 + [VALUES_HW * 9])), VALUES_HW),
        (saved(Image.fromarray(np.dstack([VALUES_HW, 3 * VALUES_HW]), "LA")), VALUES_HW),
        (saved(Image.fromarray(VALUES_HW > 4)), VALUES_HW > 4),
        (deep(DEEP_HW, ".png"), DEEP_HW),
        (deep(DEEP_HW, ".tif"), DEEP_HW),
        (deep(np.dstack([DEEP_HW] * 3), ".png"), DEEP_HW),
        (saved(Image.fromarray(VALUES_HW), "WEBP", lossless=True), VALUES_HW),
    ):
        found = decode_mask(content)
        np.testing.assert_array_equal(found.values_HW, values)
        assert found.colours_HWC is None


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_gives_indices_and_colours(bits: int) -> None:
    image = Image.fromarray(VALUES_HW % min(2**bits, 9), "P")
    image.putpalette(RNG.integers(0, 256, 27).tolist())
    found = decode_mask(saved(image, bits=bits, transparency=0))
    np.testing.assert_array_equal(found.values_HW, np.array(image))
    np.testing.assert_array_equal(found.colours_HWC, np.array(image.convert("RGB")))


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_values_of_few_bits_are_those_of_the_file(bits: int) -> None:
    """Pillow would spread them over 0 to 255."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    row = bytes([0b00011011] if bits == 2 else [0x01, 0x9F])
    header = struct.pack(">IIBBBBB", 4, 1, bits, 0, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    )
    expected = [[0, 1, 2, 3]] if bits == 2 else [[0, 1, 9, 15]]
    np.testing.assert_array_equal(decode_mask(png).values_HW, expected)


def test_colours_that_differ_are_no_values() -> None:
    found = decode_mask(encoded(COLOURS_HWC))
    assert found.values_HW is None
    np.testing.assert_array_equal(found.colours_HWC, COLOURS_HWC)


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {}), ("MPO", {}), ("WEBP", {}), ("TIFF", {"compression": "jpeg"})]
)
def test_masks_whose_values_are_smeared_are_refused(kind: str, options: dict[str, Any]) -> None:
    content = saved(Image.fromarray(COLOURS_HWC), kind, **options)
    assert decode_image(content).pixels_HWC.shape == COLOURS_HWC.shape
    with pytest.raises(UnusableImage, match="smears the values"):
        decode_mask(content)


def test_a_mask_of_another_kind_of_colours_is_refused() -> None:
    with pytest.raises(UnusableImage, match="neither grey nor RGB"):
        decode_mask(saved(Image.fromarray(COLOURS_HWC).convert("CMYK"), "TIFF"))


def test_animations_and_damage_are_refused() -> None:
    frames = [Image.fromarray(COLOURS_HWC ^ np.uint8(number)) for number in range(3)]
    several = saved(frames[0], save_all=True, append_images=frames[1:])
    for decode in (decode_image, decode_mask):
        with pytest.raises(UnusableImage, match="several pictures"):
            decode(several)
        for content in (encoded(COLOURS_HWC)[:-20], deep(np.dstack([DEEP_HW] * 3), ".tif")[:40], b"", b"words"):
            with pytest.raises(UnusableImage, match="unreadable"):
                decode(content)


@pytest.mark.parametrize("big", [False, True])
def test_a_deep_tiff_with_an_orientation_is_turned_once(big: bool) -> None:
    image = Image.fromarray(np.arange(6, dtype=np.uint16).reshape(2, 3) * 257)
    found = decode_image(saved(image, "TIFF", tiffinfo={0x112: 6}, big_tiff=big))
    np.testing.assert_array_equal(found.upright()[..., 0], [[3, 0], [4, 1], [5, 2]])
