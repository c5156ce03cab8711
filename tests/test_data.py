"""A data set's images: every kind of fault caused for real, the arrays that training sees, the contact sheet."""

from __future__ import annotations

import io
import pickle
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from odd_data import cut_out_image, problems_of
from PIL import Image

from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.cut_outs.contact_sheet import contact_sheet
from trainers.data.cut_outs.reading import check, fingerprint, read_background, read_object
from trainers.data.cut_outs.source import load
from trainers.data.problems import DataError, Problem
from trainers.data.sheet import MAX_BYTES
from trainers.data.size import square


def png(bits: int, colour_type: int, width: int, height: int, channels: int, rows: bool = True) -> bytes:
    """A black PNG of any depth and claimed size, written by hand; without `rows` it holds no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    pixels = bytes(1 + width * channels * bits // 8) * (height if rows else 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]


def with_alpha(value: int) -> bytes:
    image = cut_out_image()
    image.putalpha(value)
    return encoded(image)


WHOLE = encoded(cut_out_image())
PIXELS = [
    ("mug/0/a.png", encoded(cut_out_image().convert("RGB")), " (its mode is RGB): no alpha channel"),
    ("mug/0/a.png", encoded(cut_out_image().convert("L")), " (its mode is L): no alpha channel"),
    ("mug/0/b.jpg", encoded(cut_out_image().convert("RGB"), "JPEG"), " (its mode is RGB): no alpha channel"),
    ("mug/0/a.png", with_alpha(0), ": empty mask"),
    ("mug/0/a.png", with_alpha(127), ": empty mask"),
    ("mug/0/a.png", with_alpha(128), ": the mask covers everything"),
    ("mug/0/a.png", b"", ": unreadable: none of the formats PNG, JPEG, BMP, WEBP, TIFF"),
    ("mug/0/a.png", b"GIF89a", ": unreadable: none of the formats"),
    ("mug/0/a.png", WHOLE[: len(WHOLE) // 2], " (it ends too soon, or a checksum does not hold): unreadable"),
    ("mug/0/a.png", WHOLE[:-5], " (it ends too soon, or a checksum does not hold): unreadable"),
    ("mug/0/a.png", flipped(WHOLE), " (it ends too soon, or a checksum does not hold): unreadable"),
    ("mug/0/a.png", png(16, 6, 8, 8, 4), ": more than 8 bits a channel"),
    ("mug/0/a.png", png(16, 4, 8, 8, 2), ": more than 8 bits a channel"),
    ("mug/0/a.png", png(8, 6, 9000, 9000, 4, rows=False), " (9000 x 9000): more than 67108864 pixels"),
    ("mug/0/a.png", png(8, 6, 11000, 11000, 4, rows=False), " (11000 x 11000): more than 67108864 pixels"),
    ("mug/0/a.png", png(8, 6, 60000, 60000, 4, rows=False), ": more than 67108864 pixels"),
    ("backgrounds/yard.jpg", encoded(cut_out_image().convert("RGB"), "JPEG")[:-200], " (image file is truncated"),
    ("backgrounds/yard.png", png(16, 0, 8, 8, 1), ": more than 8 bits a channel"),
    ("backgrounds/yard.png", png(16, 2, 8, 8, 3), ": more than 8 bits a channel"),
    ("backgrounds/yard.tif", encoded(Image.new("F", (8, 8)), "TIFF"), ": more than 8 bits a channel"),
]


@pytest.mark.parametrize(("name", "content", "expected"), PIXELS, ids=[name + what for name, _, what in PIXELS])
def test_a_problem_of_pixels(folder: Path, name: str, content: bytes, expected: str) -> None:
    for other in (folder / name).parent.glob(f"{Path(name).stem}.*"):
        other.unlink()
    (folder / name).write_bytes(content)
    (problem,) = problems_of(folder)
    assert problem.startswith(name + expected)
    assert str(folder) not in problem
    assert "\n" not in problem
    with pytest.raises(DataError) as refused:
        load(read_catalogue(folder), square(16))
    assert [str(problem) for problem in refused.value.problems] == [problem]


def test_a_file_that_vanishes_is_named(folder: Path) -> None:
    catalogue = read_catalogue(folder)
    (folder / "mug/0/a.png").unlink()
    assert [str(problem) for problem in check(catalogue)] == [
        "mug/0/a.png (No such file or directory): cannot be opened: let it be read, or remove it"
    ]


def test_all_problems_are_in_one_list(folder: Path) -> None:
    (folder / "notes.txt").write_text("text")
    (folder / "mug/0/a.png").write_bytes(b"")
    (folder / "pen/0/a.png").write_bytes(with_alpha(0))
    (folder / "backgrounds/yard.jpg").write_bytes(b"")
    with pytest.raises(DataError) as refused:
        load(read_catalogue(folder), square(16))
    assert list(refused.value.problems) == check(read_catalogue(folder))
    places = [problem.place for problem in refused.value.problems]
    assert places == ["notes.txt", "mug/0/a.png", "pen/0/a.png", "backgrounds/yard.jpg"]


def test_a_kind_of_problem_is_told_once_with_a_count() -> None:
    empty = [Problem(f"mug/0/{number}.png", "empty mask") for number in range(53)]
    error = DataError([*empty[:2], Problem("a.png", "too large", "9 x 9"), *empty[2:]])
    assert str(error).splitlines() == [
        "54 problems in the data set:",
        "  mug/0/0.png, mug/0/1.png, mug/0/2.png and 50 more: empty mask",
        "  a.png (9 x 9): too large",
    ]
    assert str(DataError(empty[:2])) == "2 problems in the data set: mug/0/0.png, mug/0/1.png: empty mask"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    many = str(DataError(Problem("a.png", f"kind {number}") for number in range(53))).splitlines()
    assert (len(many), many[-1]) == (52, "  and 3 more kinds of problems")


def palette(image: Image.Image) -> bytes:
    """Palette index 0 is transparent, the object has the others."""
    indices = np.where(np.asarray(image)[..., 3] > 0, 1 + np.asarray(image)[..., 0] % 3, 0).astype(np.uint8)
    with_palette = Image.frombytes("P", image.size, indices.tobytes())
    with_palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    return encoded(with_palette, transparency=0)


SOUND = {
    "palette.png": palette(cut_out_image()),
    "grey.png": encoded(cut_out_image().convert("LA")),
    "lossless.webp": encoded(cut_out_image(), "WEBP", lossless=True),
    "tagged.tiff": encoded(cut_out_image(), "TIFF"),
    "capital.PNG": WHOLE,
}


@pytest.mark.parametrize("name", SOUND)
def test_transparency_of_any_kind_will_do(folder: Path, name: str) -> None:
    (folder / "mug/0/a.png").unlink()
    (folder / "mug/0" / name).write_bytes(SOUND[name])
    assert problems_of(folder) == []
    mask = np.asarray(cut_out_image())[..., 3] >= 128
    np.testing.assert_array_equal(read_object(folder / "mug/0" / name)[..., 3] >= 128, mask)


def test_a_photograph_stands_as_its_orientation_says(folder: Path) -> None:
    photograph = Image.new("RGB", (40, 20))
    exif = photograph.getexif()
    exif[0x0112] = 6
    photograph.save(folder / "backgrounds/yard.jpg", exif=exif)
    assert read_background(folder / "backgrounds/yard.jpg").shape == (40, 20, 3)


def test_the_fingerprint_follows_the_content_not_the_place(folder: Path, tmp_path: Path) -> None:
    before = fingerprint(read_catalogue(folder))
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "copy")
    assert fingerprint(read_catalogue(moved)) == before
    content = (moved / "backgrounds/yard.jpg").read_bytes()
    (moved / "backgrounds/yard.jpg").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert fingerprint(read_catalogue(moved)) != before
    (folder / "mug/0/a.png").rename(folder / "mug/0/z.png")
    assert fingerprint(read_catalogue(folder)) != before


def test_load_gives_documented_arrays(folder: Path) -> None:
    catalogue = read_catalogue(folder)
    source = load(catalogue, square(16))
    assert source.samples.classes == ("mug", "pen")
    assert [(row.id, row.classes, row.values) for row in source.samples.rows] == [
        ("mug/0/a", ("mug",), {"angle": 0}),
        ("mug/22.5/b", ("mug",), {"angle": 22.5}),
        ("pen/0/a", ("pen",), {"angle": 0}),
        ("pen/-30/c", ("pen",), {"angle": 330}),
    ]
    assert source.index == {row.id: place for place, row in enumerate(source.samples.rows)}
    assert source.objects_NHWC.shape == (4, 16, 16, 3)
    assert source.coverage_NHW.shape == source.labels_NHW.shape == (4, 16, 16)
    assert source.objects_NHWC.dtype == source.coverage_NHW.dtype == source.labels_NHW.dtype == np.uint8
    assert set(np.unique(source.labels_NHW[0])) == {0, 1}
    assert set(np.unique(source.labels_NHW[3])) == {0, 2}
    assert [view.group for view in source.views] == ["hall", "hall", "yard"]
    assert [background.shape for background in source.backgrounds] == [(40, 30, 3)] * 3


def test_load_keeps_pixels_at_the_native_size(folder: Path) -> None:
    image = cut_out_image(5, (32, 32))
    image.save(folder / "mug/0/a.png")
    source = load(read_catalogue(folder), square(32))
    rgba = np.asarray(image)
    mask = rgba[..., 3] >= 128
    np.testing.assert_array_equal(source.objects_NHWC[0], rgba[..., :3] * mask[..., None])
    np.testing.assert_array_equal(source.coverage_NHW[0], mask * 255)
    np.testing.assert_array_equal(source.labels_NHW[0], mask)


def test_large_backgrounds_are_reduced_with_their_aspect(folder: Path) -> None:
    Image.new("RGB", (300, 200)).save(folder / "backgrounds/yard.jpg")
    assert load(read_catalogue(folder), square(16)).backgrounds[2].shape == (64, 96, 3)


def test_arrays_are_read_only_also_after_pickling(folder: Path) -> None:
    source = load(read_catalogue(folder), square(16))
    for copy in (source, *(pickle.loads(pickle.dumps(source, protocol)) for protocol in (4, 5))):
        arrays = [value for value in vars(copy).values() if isinstance(value, np.ndarray)]
        assert len(arrays) == 3
        assert not any(array.flags.writeable for array in (*arrays, *copy.backgrounds))
        np.testing.assert_array_equal(copy.objects_NHWC, source.objects_NHWC)


def test_an_object_that_vanishes_at_the_working_size_is_refused(folder: Path) -> None:
    speck = np.zeros((200, 200, 4), np.uint8)
    speck[100, 101] = 255
    Image.fromarray(speck).save(folder / "mug/0/a.png")
    assert problems_of(folder) == []
    with pytest.raises(DataError, match=r"mug/0/a.png: the object vanishes at 16 x 16 pixels: raise image_size"):
        load(read_catalogue(folder), square(16))


def test_every_object_of_the_stand_in_is_seen_at_the_smallest_working_size() -> None:
    source = load(read_catalogue("standin"), square(16))
    assert source.objects_NHWC.shape == (646, 16, 16, 3)
    for label, sample in zip(source.labels_NHW, source.samples.rows, strict=True):
        assert set(np.unique(label)) == {0, source.samples.classes.index(sample.classes[0]) + 1}


@pytest.mark.slow
def test_the_contact_sheet_shows_a_row_for_each_class_and_angle(tmp_path: Path) -> None:
    path = contact_sheet(read_catalogue("standin"), tmp_path / "sheet.png")
    assert path == tmp_path / "sheet.png"
    assert path.stat().st_size < MAX_BYTES
    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
        assert sheet.height > 20 * 104


def test_the_contact_sheet_survives_bad_and_missing_images(folder: Path, tmp_path: Path) -> None:
    (folder / "mug/0/a.png").write_bytes(b"")
    (folder / "backgrounds/yard.jpg").write_bytes(b"")
    contact_sheet(read_catalogue(folder), tmp_path / "bad.png")
    (tmp_path / "empty").mkdir()
    contact_sheet(read_catalogue(tmp_path / "empty"), tmp_path / "empty.png")


@pytest.mark.slow
def test_the_contact_sheet_stays_small_for_many_classes(folder: Path, tmp_path: Path) -> None:
    for number in range(60):
        shutil.copytree(folder / "mug", folder / f"a_class_with_a_long_name_{number}")
    path = contact_sheet(read_catalogue(folder), tmp_path / "sheet.png")
    assert path.stat().st_size < MAX_BYTES
