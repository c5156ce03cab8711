"""From files to pixels: what stands beside the pixels decides nothing, and one file is one picture."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from odd_data import cut_out_image, problems_of
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from trainers.data.cut_outs.reading import read_background, read_object
from trainers.data.decoding import MAX_BYTES, UnusableImage

ORIENTATION, RESOLUTION = 0x112, 0x11A


def encoded(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    (image or cut_out_image()).save(file, kind, **options)
    return file.getvalue()


def odd_exif(orientation: int = 6) -> bytes:
    """A readable orientation, and a resolution of which the denominator is zero."""
    tags = b"II*\0" + struct.pack("<IH", 8, 2)
    tags += struct.pack("<HHIHH", ORIENTATION, 3, 1, orientation, 0) + struct.pack("<HHII", RESOLUTION, 10, 1, 38)
    return b"Exif\0\0" + tags + struct.pack("<Iii", 0, -1, 0)


def chunk(kind: bytes, content: bytes, checksum: int | None = None) -> bytes:
    right = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", right if checksum is None else checksum)


def png_with(*chunks: bytes) -> bytes:
    """A sound PNG with chunks put in behind its header."""
    content = encoded("PNG")
    return content[:33] + b"".join(chunks) + content[33:]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_readable_orientation_beside_odd_numbers_is_followed(folder: Path, kind: str) -> None:
    path = folder / "backgrounds/yard.jpg"
    options = {"lossless": True} if kind == "WEBP" else {}
    path.write_bytes(encoded(kind, Image.new("RGB", (40, 20)), exif=odd_exif(), **options))
    assert problems_of(folder) == []
    assert read_background(path).shape == (40, 20, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_stands_upright(tmp_path: Path, orientation: int) -> None:
    """As Pillow's own function turns a picture with an orientation alone."""
    plain = Image.Exif()
    plain[ORIENTATION] = orientation
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded("PNG", exif=plain))))
    (tmp_path / "a.png").write_bytes(encoded("PNG", exif=odd_exif(orientation)))
    (tmp_path / "a.tif").write_bytes(encoded("TIFF", tiffinfo={ORIENTATION: orientation}))
    for name in ("a.png", "a.tif"):
        np.testing.assert_array_equal(read_object(tmp_path / name), np.asarray(expected))


ODD_CHUNKS = {
    "a text with another checksum": chunk(b"tEXt", b"Author\0me", checksum=1),
    "a text that does not inflate": chunk(b"zTXt", b"Comment\0\0" + b"none"),
    "a text that inflates to 80 MiB": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80 << 20))),
    "an international text that is torn": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1"),
    "a colour profile of nothing": chunk(b"iCCP", b""),
    "a colour profile with another checksum": chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"profile"), checksum=1),
    "a physical size that is too short": chunk(b"pHYs", b"\0"),
    "a time that is none": chunk(b"tIME", b"\xff" * 7),
    "an orientation with another checksum": chunk(b"eXIf", odd_exif()[6:], checksum=1),
    "an orientation of nothing": chunk(b"eXIf", b""),
    "an orientation that is no number": chunk(b"eXIf", b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x112, 2, 4, 66, 0)),
    "a private chunk": chunk(b"prVt", b"anything"),
}


@pytest.mark.parametrize("name", ODD_CHUNKS)
def test_what_stands_beside_the_pixels_of_a_png_is_passed_over(folder: Path, name: str) -> None:
    (folder / "mug/0/a.png").write_bytes(png_with(ODD_CHUNKS[name]))
    assert problems_of(folder) == []
    np.testing.assert_array_equal(read_object(folder / "mug/0/a.png"), np.asarray(cut_out_image()))


def places_beside_the_pixels(kind: str, content: bytes) -> Iterator[int]:
    """Where a file holds metadata: a JPEG's application segments and comments, a PNG's ancillary chunks, and so on."""
    place = {"JPEG": 2, "PNG": 8, "WEBP": 12}[kind]
    while place < len(content) and content[place : place + 2] != b"\xff\xda":
        if kind == "JPEG":
            end = place + 2 + int.from_bytes(content[place + 2 : place + 4])
            is_beside = 0xE1 <= content[place + 1] <= 0xED or content[place + 1] == 0xFE
        elif kind == "PNG":
            end = place + 12 + int.from_bytes(content[place : place + 4])
            is_beside = content[place + 4] & 32 > 0
        else:
            end = place + 8 + (int.from_bytes(content[place + 4 : place + 8], "little") + 1) // 2 * 2
            is_beside = content[place : place + 4] in (b"EXIF", b"ICCP", b"XMP ")
        yield from range(place + (4 if kind == "JPEG" else 8), end) if is_beside else ()
        place = end


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_no_damage_beside_the_pixels_stops_a_picture(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    image = cut_out_image().convert("RGB")
    exif = image.getexif()
    exif[RESOLUTION], exif[0x10F] = 72.0, "maker"
    exif.get_ifd(0x8769)[0x9000] = b"0230"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "words " * 9, zip=True)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options = {"PNG": {"pnginfo": texts}, "WEBP": {"lossless": True}, "JPEG": {"comment": "words"}}[kind]
    content = encoded(kind, image, exif=exif, icc_profile=profile, dpi=(72, 72), **options)
    places = list(places_beside_the_pixels(kind, content))
    assert len(places) > 500
    path = tmp_path / "a.img"
    path.write_bytes(content)
    expected = read_background(path)
    for _ in range(200):
        damaged = bytearray(content)
        for place in rng.choice(places, 6):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        found = read_background(path)  # upside down is right, where the damage is an orientation
        assert sorted(found.shape) == sorted(expected.shape)
        np.testing.assert_array_equal(np.sort(found, axis=None), np.sort(expected, axis=None))


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_no_damage_of_its_other_tags_stops_a_tiff(
    tmp_path: Path, compression: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    """Any type, count and value, in every tag that says nothing of the pixels."""
    info = {270: "words", 274: 6, 700: b"<x/>", 33723: b"abcd", 34665: 8}
    content = encoded("TIFF", compression=compression, tiffinfo=info, dpi=(72, 72), icc_profile=b"profile")
    start = int.from_bytes(content[4:8], "little")
    tags = range(start + 2, start + 2 + 12 * int.from_bytes(content[start : start + 2], "little"), 12)
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    expected = read_object(path)
    damaged_tags = [tag for tag in tags if int.from_bytes(content[tag : tag + 2], "little") in {*info, 282, 296, 34675}]
    assert len(damaged_tags) == 8
    for tag in damaged_tags:
        for kind, count, value in product((0, 2, 5, 7, 13, 99), (0, 1, 2**31), (0, 100, 2**31)):
            path.write_bytes(content[: tag + 2] + struct.pack("<HII", kind, count, value) + content[tag + 12 :])
            found = read_object(path)
            upright = tag != damaged_tags[1]
            np.testing.assert_array_equal(found, expected if upright else np.rot90(expected))
    assert capfd.readouterr().err == "", "libtiff speaks of tags that it does not know"


def test_odd_tags_of_a_tiff_are_passed_over(folder: Path) -> None:
    tags = {270: "é" * 9, 700: b"<x:xmpmeta tiff:Orientation='x", 34665: 7, 40961: "sRGB", 65000: b"\0" * 5}
    (folder / "backgrounds/yard.jpg").unlink()
    image = cut_out_image(7).convert("RGB")
    for number, compression in enumerate((None, "tiff_lzw", "tiff_deflate")):
        path = folder / f"backgrounds/{number}.tif"
        pixels = Image.fromarray(np.asarray(image) ^ np.uint8(number))
        path.write_bytes(encoded("TIFF", pixels, tiffinfo=tags, icc_profile=b"none", compression=compression))
    assert problems_of(folder) == []


def test_pillows_warnings_are_no_problem(tmp_path: Path) -> None:
    """Of which a palette with transparency in bytes is one cause, a truncated EXIF another."""
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG", Image.new("RGB", (9, 9)), exif=odd_exif()[:20]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_background(tmp_path / "a.jpg").shape == (9, 9, 3)


FRAMES = [cut_out_image(seed) for seed in (5, 6, 7)]


@pytest.mark.parametrize(("name", "kind"), [("a.png", "PNG"), ("a.tif", "TIFF"), ("a.webp", "WEBP")])
def test_a_file_of_several_pictures_is_named(folder: Path, name: str, kind: str) -> None:
    (folder / "mug/0/a.png").unlink()
    (folder / f"mug/0/{name}").write_bytes(encoded(kind, FRAMES[0], save_all=True, append_images=FRAMES[1:]))
    assert problems_of(folder) == [
        f"mug/0/{name} (it holds 3): several pictures in one file: save each as a file of its own"
    ]


@pytest.mark.parametrize(("name", "kind"), [("a.png", "PNG"), ("a.tif", "TIFF"), ("a.webp", "WEBP")])
def test_an_animation_of_one_picture_is_a_picture(folder: Path, name: str, kind: str) -> None:
    (folder / "mug/0/a.png").unlink()
    options = {"lossless": True} if kind == "WEBP" else {}
    (folder / f"mug/0/{name}").write_bytes(encoded(kind, FRAMES[0], save_all=True, **options))
    assert problems_of(folder) == []


def test_of_a_jpeg_the_first_picture_counts(folder: Path) -> None:
    """Cameras put previews, gain maps and a second eye's view behind it."""
    first, second = (image.convert("RGB") for image in FRAMES[:2])
    path = folder / "backgrounds/yard.jpg"
    path.write_bytes(encoded("MPO", first, save_all=True, append_images=[second]))
    assert problems_of(folder) == []
    (folder / "alone.jpg").write_bytes(encoded("JPEG", first))
    np.testing.assert_array_equal(read_background(path), read_background(folder / "alone.jpg"))


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.write(encoded("PNG"))
        file.truncate(MAX_BYTES + 1)  # takes no room on the disk
    with pytest.raises(UnusableImage, match="a file of more than"):
        read_object(path)


def test_a_png_whose_parts_claim_any_length_is_named(tmp_path: Path) -> None:
    content = encoded("PNG")
    for length in (0, 1, 2**31, 2**32 - 1):
        (tmp_path / "a.png").write_bytes(content[:33] + struct.pack(">I", length) + content[37:])
        with pytest.raises(UnusableImage, match="unreadable or truncated"):
            read_object(tmp_path / "a.png")
