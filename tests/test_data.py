"""The data set: the shipped set, every kind of problem caused for real, and the arrays that training sees."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainers import data
from trainers.catalogue import DataError, Problem, abbreviation, describe, distribution_table, locate, read_catalogue
from trainers.contact_sheet import MAX_BYTES, contact_sheet
from trainers.data import check, fingerprint, load

TABLE_1 = {
    "adapter": {0: 36, 30: 36, 60: 36, 90: 36},
    "bottle": {0: 26, 30: 27, 60: 48, 90: 0},
    "box": {0: 12, 30: 34, 60: 14, 90: 0},
    "clamp": {0: 12, 30: 41, 60: 54, 90: 0},
    "drill": {0: 19, 30: 36, 60: 36, 90: 49},
    "duck": {0: 11, 30: 33, 60: 50, 90: 0},
}


def cut_out_image(seed: int = 0, size: tuple[int, int] = (24, 32)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    pixels[size[0] // 4 : -4, size[1] // 4 : -4, 3] = 255
    return Image.fromarray(pixels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound data set of two classes, two images each, and three backgrounds in two groups."""
    root = tmp_path / "set"
    for seed, name in enumerate(("mug/0/a", "mug/22.5/b", "pen/0/a", "pen/-30/c")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cut_out_image(seed).save(root / f"{name}.png")
    (root / "backgrounds" / "hall").mkdir(parents=True)
    for seed, name in enumerate(("hall/1.png", "hall/2.png", "yard.jpg")):
        cut_out_image(seed, (40, 30)).convert("RGB").save(root / "backgrounds" / name)
    return root


def problems_of(root: Path) -> list[str]:
    return [str(problem) for problem in check(read_catalogue(root))]


# --- The shipped set


def test_the_stand_in_has_the_counts_of_table_1_and_no_problem() -> None:
    catalogue = read_catalogue("standin")
    assert check(catalogue) == []
    assert catalogue.classes == tuple(TABLE_1)
    assert describe(catalogue) == TABLE_1
    assert len(catalogue.images) == 646
    assert len(catalogue.backgrounds) == 72
    assert len({background.group for background in catalogue.backgrounds}) == 18
    assert catalogue.images[0].id == "adapter/0/adapter_00_000"
    assert catalogue.backgrounds[0].id == "backgrounds/apartment/apartment_0"


def test_the_table_reads_like_table_1() -> None:
    lines = distribution_table(read_catalogue("standin")).splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["class", "0", "30", "60", "90", "total"],
        ["adapter", *["36"] * 4, "144"],
    ]
    assert lines[-2].split() == ["total", "116", "207", "238", "85", "646"]
    assert lines[-1] == "72 backgrounds in 18 groups"
    assert len({len(line) for line in lines[:-1]}) == 1


def test_every_object_of_the_stand_in_is_seen_at_the_smallest_working_size() -> None:
    dataset = load(read_catalogue("standin"), 16)
    assert dataset.objects_NHWC.shape == (646, 16, 16, 3)
    for label, class_id in zip(dataset.labels_NHW, dataset.class_ids_N, strict=True):
        assert set(np.unique(label)) == {0, class_id}


def test_locate_and_the_word_standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    assert locate("standin") == Path(data.__file__).parent / "standin"
    assert locate("~/set") == Path.home() / "set"
    folder.rename(tmp_path / "standin")
    monkeypatch.chdir(tmp_path)
    assert len(read_catalogue("./standin").images) == 4
    assert len(read_catalogue(locate("./standin")).images) == 4
    assert len(read_catalogue("standin").images) == 646


def test_the_stand_in_states_origin_and_licence() -> None:
    assert "CC0" in (locate("standin") / "LICENSE").read_text()
    assert "@pmndrs/assets" in (locate("standin") / "README.md").read_text()


# --- Names


def test_a_catalogue_lists_by_class_angle_and_id(folder: Path) -> None:
    catalogue = read_catalogue(folder)
    assert catalogue.problems == ()
    assert catalogue.classes == ("mug", "pen")
    found = [(image.id, image.class_name, image.angle) for image in catalogue.images]
    assert found == [
        ("mug/0/a", "mug", 0),
        ("mug/22.5/b", "mug", 22.5),
        ("pen/-30/c", "pen", -30),
        ("pen/0/a", "pen", 0),
    ]
    backgrounds = [(background.id, background.group) for background in catalogue.backgrounds]
    assert backgrounds == [("backgrounds/hall/1", "hall"), ("backgrounds/hall/2", "hall"), ("backgrounds/yard", "yard")]
    assert problems_of(folder) == []


def test_the_order_does_not_depend_on_the_file_system(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, iterdir = read_catalogue(folder), Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(sorted(iterdir(self), reverse=True)))
    assert read_catalogue(folder) == expected


def test_what_is_no_data_is_passed_over(folder: Path) -> None:
    for name in (
        "README.md",
        "LICENSE",
        ".DS_Store",
        "mug/0/.hidden.png",
        "mug/0/readme.txt",
        "backgrounds/LICENSE-CC0",
    ):
        (folder / name).write_text("text")
    for name in ("mug/0/annotations", ".git/objects"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.json").write_text("{}")
    shutil.copy(folder / "mug/0/a.png", folder / "mug/0/a_mask.png")
    catalogue = read_catalogue(folder)
    assert problems_of(folder) == []
    assert len(catalogue.images) == 4


def test_a_mask_without_its_image_and_an_image_named_readme_are_images(folder: Path) -> None:
    for name in ("lonely_mask", "license_plate"):
        cut_out_image().save(folder / f"mug/0/{name}.png")
    assert [image.id for image in read_catalogue(folder).images][:3] == [
        "mug/0/a",
        "mug/0/license_plate",
        "mug/0/lonely_mask",
    ]


def write(name: str, content: bytes = b"text") -> Callable[[Path], object]:
    def cause(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    return cause


def move(source: str, target: str) -> Callable[[Path], object]:
    return lambda root: shutil.move(root / source, root / target)


def link(name: str, target: str) -> Callable[[Path], object]:
    return lambda root: (root / name).symlink_to(target)


NAMING = [
    (write("notes.txt"), "notes.txt: a file where only class folders"),
    (write("mug/notes.txt"), "mug/notes.txt: a file where only angle folders"),
    (write("mug/0/a.json"), "mug/0/a.json: not an image file"),
    (write("mug/0/more/b.png"), "mug/0/more: a folder where only images"),
    (write("backgrounds/hall/more/b.png"), "backgrounds/hall/more: a folder where only images"),
    (write("backgrounds/notes.txt"), "backgrounds/notes.txt: not an image file"),
    (lambda root: (root / "cup").mkdir(), "cup: no angle folder"),
    (lambda root: (root / "mug/45").mkdir(), "mug/45: no image in this folder"),
    (lambda root: (root / "backgrounds/lab").mkdir(), "backgrounds/lab: no image in this folder"),
    (move("mug/0", "mug/front"), "mug/front: the angle is no number"),
    (move("mug/0", "mug/nan"), "mug/nan: the angle is no number"),
    (move("mug/0", "mug/1_0"), "mug/1_0: the angle is no number"),
    (move("mug/0", "mug/361"), "mug/361: the angle is no number"),
    (move("mug", "bg"), "bg: a reserved name"),
    (move("mug", "All"), "All: a reserved name"),
    (move("mug", "Backgrounds"), "Backgrounds: a reserved name"),
    (move("mug", "mug & cup"), "mug & cup: a class name holds only"),
    (move("mug", "kubeł"), "kubeł: a class name holds only"),
    (move("mug", ".mug"), ".mug: a class name holds only"),
    (move("mug", "mug\ncup"), "mug\\ncup: the name holds characters"),
    (move("mug", "Pen"), "pen: differs only by case from the class Pen"),
    (lambda root: [move("mug", "box")(root), move("pen", "bx")(root)], "bx: is abbreviated like the class box"),
    (lambda root: shutil.copy(root / "mug/0/a.png", root / "mug/0/a.PNG"), "mug/0/a.png: has the same id as a.PNG"),
    (
        lambda root: shutil.copy(root / "mug/0/a.png", root / "mug/0/a\n.png"),
        "mug/0/a\\n.png: the name holds characters that cannot be printed",
    ),
    (move("backgrounds/hall", "backgrounds/ha\tll"), "backgrounds/ha\\tll: the name holds characters"),
    (move("backgrounds", "mug/annotations"), "backgrounds: no backgrounds"),
    (link("mug/0/b.png", "nothing.png"), "mug/0/b.png: a link to nothing"),
    (link("mug/0/b.png", "b.png"), "mug/0/b.png: a link to nothing"),
    (link("mug/0/b.png", "/etc/hostname"), "mug/0/b.png: a link that leaves the data set"),
    (link("cup", ".."), "cup: a link that leaves the data set"),
    (lambda root: os.mkfifo(root / "mug/0/b.png"), "mug/0/b.png: not an image file"),
]


@pytest.mark.parametrize(("cause", "expected"), NAMING, ids=[expected for _, expected in NAMING])
def test_a_problem_of_names(folder: Path, cause: Callable[[Path], object], expected: str) -> None:
    cause(folder)
    problems = [str(problem) for problem in read_catalogue(folder).problems]
    assert len(problems) == 1
    assert problems[0].startswith(expected)
    with pytest.raises(DataError, match="1 problem in the data set"):
        load(read_catalogue(folder), 16)


def test_names_that_are_no_text_are_reported(folder: Path) -> None:
    shutil.copy(folder / "mug/0/a.png", folder / "mug/0" / os.fsdecode(b"a\xff.png"))
    assert [str(problem)[:20] for problem in read_catalogue(folder).problems] == ["mug/0/a\\udcff.png: t"]


def test_links_within_the_data_set_and_to_the_data_set_are_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "mug/0/again.png").symlink_to("a.png")
    (tmp_path / "link").symlink_to(folder)
    assert check(read_catalogue(tmp_path / "link")) == []
    assert len(read_catalogue(tmp_path / "link").images) == 5


def test_no_folder_and_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: no such folder: give the folder that holds the class folders"):
        read_catalogue(tmp_path / "nowhere")
    assert [problem.place for problem in read_catalogue(tmp_path).problems] == [".", "backgrounds"]
    assert "0 backgrounds in 0 groups" in distribution_table(read_catalogue(tmp_path))


def test_more_classes_than_a_byte_can_tell_apart(folder: Path) -> None:
    for number in range(254):
        (folder / f"c{number}" / "0").mkdir(parents=True)
        shutil.copy(folder / "mug/0/a.png", folder / f"c{number}" / "0")
    assert [str(problem) for problem in read_catalogue(folder).problems] == [
        ".: 256 classes: at most 255 can be told apart"
    ]


def test_abbreviations_are_the_papers() -> None:
    names = ("background", "box", "clamp", "drill", "duck", "adapter", "bottle", "mug")
    assert [abbreviation(name) for name in names] == ["bg", "bx", "cl", "dr", "du", "ad", "bo", "mug"]


# --- Pixels


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
    ("mug/0/a.png", encoded(cut_out_image().convert("RGB")), "no alpha channel: its mode is RGB"),
    ("mug/0/a.png", encoded(cut_out_image().convert("L")), "no alpha channel: its mode is L"),
    ("mug/0/b.jpg", encoded(cut_out_image().convert("RGB"), "JPEG"), "no alpha channel: its mode is RGB"),
    ("mug/0/a.png", with_alpha(0), "empty mask"),
    ("mug/0/a.png", with_alpha(127), "empty mask"),
    ("mug/0/a.png", with_alpha(128), "the mask covers everything"),
    ("mug/0/a.png", b"", "unreadable: none of the formats PNG, JPEG, BMP, WEBP, TIFF"),
    ("mug/0/a.png", b"GIF89a", "unreadable: none of the formats"),
    ("mug/0/a.png", WHOLE[: len(WHOLE) // 2], "unreadable or truncated: "),
    ("mug/0/a.png", WHOLE[:-5], "unreadable or truncated: "),
    ("mug/0/a.png", flipped(WHOLE), "unreadable or truncated: "),
    ("mug/0/a.png", png(16, 6, 8, 8, 4), "more than 8 bits a channel"),
    ("mug/0/a.png", png(16, 4, 8, 8, 2), "more than 8 bits a channel"),
    ("mug/0/a.png", png(8, 6, 9000, 9000, 4, rows=False), "9000 x 9000 is more than 67108864 pixels"),
    ("mug/0/a.png", png(8, 6, 11000, 11000, 4, rows=False), "11000 x 11000 is more than 67108864 pixels"),
    ("mug/0/a.png", png(8, 6, 60000, 60000, 4, rows=False), "more than 67108864 pixels"),
    ("backgrounds/yard.jpg", encoded(cut_out_image().convert("RGB"), "JPEG")[:-200], "unreadable or truncated: "),
    ("backgrounds/yard.png", png(16, 0, 8, 8, 1), "more than 8 bits a channel"),
    ("backgrounds/yard.png", png(16, 2, 8, 8, 3), "more than 8 bits a channel"),
    ("backgrounds/yard.tif", encoded(Image.new("F", (8, 8)), "TIFF"), "more than 8 bits a channel"),
]


@pytest.mark.parametrize(("name", "content", "expected"), PIXELS, ids=[f"{name}: {what}" for name, _, what in PIXELS])
def test_a_problem_of_pixels(folder: Path, name: str, content: bytes, expected: str) -> None:
    for other in (folder / name).parent.glob(f"{Path(name).stem}.*"):
        other.unlink()
    (folder / name).write_bytes(content)
    (problem,) = problems_of(folder)
    assert problem.startswith(f"{name}: {expected}")
    assert str(folder) not in problem
    assert "\n" not in problem
    with pytest.raises(DataError) as refused:
        load(read_catalogue(folder), 16)
    assert [str(problem) for problem in refused.value.problems] == [problem]


def test_a_file_that_vanishes_is_named(folder: Path) -> None:
    catalogue = read_catalogue(folder)
    (folder / "mug/0/a.png").unlink()
    assert [str(problem) for problem in check(catalogue)] == [
        "mug/0/a.png: unreadable or truncated: No such file or directory"
    ]


def test_all_problems_are_in_one_list(folder: Path) -> None:
    (folder / "notes.txt").write_text("text")
    (folder / "mug/0/a.png").write_bytes(b"")
    (folder / "pen/0/a.png").write_bytes(with_alpha(0))
    (folder / "backgrounds/yard.jpg").write_bytes(b"")
    with pytest.raises(DataError) as refused:
        load(read_catalogue(folder), 16)
    assert list(refused.value.problems) == check(read_catalogue(folder))
    places = [problem.place for problem in refused.value.problems]
    assert places == ["notes.txt", "mug/0/a.png", "pen/0/a.png", "backgrounds/yard.jpg"]


def test_the_message_is_one_line_for_each_of_the_first_50() -> None:
    error = DataError(Problem(f"mug/0/{number}.png", "empty mask") for number in range(53))
    lines = str(error).splitlines()
    assert lines[0] == "53 problems in the data set:"
    assert lines[1] == "  mug/0/0.png: empty mask"
    assert len(lines) == 52
    assert lines[-1] == "  and 3 more"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


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
    np.testing.assert_array_equal(data.read_object(folder / "mug/0" / name)[..., 3] >= 128, mask)


def test_a_photograph_stands_as_its_orientation_says(folder: Path) -> None:
    photograph = Image.new("RGB", (40, 20))
    exif = photograph.getexif()
    exif[0x0112] = 6
    photograph.save(folder / "backgrounds/yard.jpg", exif=exif)
    assert data.read_background(folder / "backgrounds/yard.jpg").shape == (40, 20, 3)


# --- Identity and arrays


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
    dataset = load(catalogue, 16)
    assert dataset.ids == ("mug/0/a", "mug/22.5/b", "pen/-30/c", "pen/0/a")
    assert dataset.index == {name: row for row, name in enumerate(dataset.ids)}
    assert dataset.classes == ("mug", "pen")
    assert dataset.class_ids_N.tolist() == [1, 1, 2, 2]
    assert dataset.angles_N.tolist() == [0, 22.5, -30, 0]
    assert dataset.objects_NHWC.shape == (4, 16, 16, 3)
    assert dataset.coverage_NHW.shape == dataset.labels_NHW.shape == (4, 16, 16)
    assert dataset.objects_NHWC.dtype == dataset.coverage_NHW.dtype == dataset.labels_NHW.dtype == np.uint8
    assert set(np.unique(dataset.labels_NHW[0])) == {0, 1}
    assert set(np.unique(dataset.labels_NHW[3])) == {0, 2}
    assert dataset.background_ids == tuple(background.id for background in catalogue.backgrounds)
    assert [background.shape for background in dataset.backgrounds] == [(40, 30, 3)] * 3


def test_load_keeps_pixels_at_the_native_size(folder: Path) -> None:
    image = cut_out_image(5, (32, 32))
    image.save(folder / "mug/0/a.png")
    dataset = load(read_catalogue(folder), 32)
    rgba = np.asarray(image)
    mask = rgba[..., 3] >= 128
    np.testing.assert_array_equal(dataset.objects_NHWC[0], rgba[..., :3] * mask[..., None])
    np.testing.assert_array_equal(dataset.coverage_NHW[0], mask * 255)
    np.testing.assert_array_equal(dataset.labels_NHW[0], mask)


def test_large_backgrounds_are_reduced_with_their_aspect(folder: Path) -> None:
    Image.new("RGB", (300, 200)).save(folder / "backgrounds/yard.jpg")
    assert load(read_catalogue(folder), 16).backgrounds[2].shape == (64, 96, 3)


def test_arrays_are_read_only_also_after_pickling(folder: Path) -> None:
    dataset = load(read_catalogue(folder), 16)
    for copy in (dataset, *(pickle.loads(pickle.dumps(dataset, protocol)) for protocol in (4, 5))):
        arrays = [value for value in vars(copy).values() if isinstance(value, np.ndarray)]
        assert len(arrays) == 5
        assert not any(array.flags.writeable for array in (*arrays, *copy.backgrounds))
        np.testing.assert_array_equal(copy.objects_NHWC, dataset.objects_NHWC)


def test_an_object_that_vanishes_at_the_working_size_is_refused(folder: Path) -> None:
    speck = np.zeros((200, 200, 4), np.uint8)
    speck[100, 101] = 255
    Image.fromarray(speck).save(folder / "mug/0/a.png")
    assert problems_of(folder) == []
    with pytest.raises(DataError, match=r"mug/0/a.png: the object vanishes at 16 x 16 pixels: raise image_size"):
        load(read_catalogue(folder), 16)


def test_counts_include_zeros(folder: Path) -> None:
    assert describe(read_catalogue(folder)) == {"mug": {-30: 0, 0: 1, 22.5: 1}, "pen": {-30: 1, 0: 1, 22.5: 0}}
    assert distribution_table(read_catalogue(folder)).splitlines()[0].split() == ["class", "-30", "0", "22.5", "total"]


def test_importing_the_data_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'albumentations', 'cv2', 'ray', 'pandas'}"
    code = f"import sys, trainers.data, trainers.contact_sheet; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(data.__file__).parents[1])


# --- Contact sheet


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


def test_the_contact_sheet_stays_small_for_many_classes(folder: Path, tmp_path: Path) -> None:
    for number in range(60):
        shutil.copytree(folder / "mug", folder / f"a_class_with_a_long_name_{number}")
    path = contact_sheet(read_catalogue(folder), tmp_path / "sheet.png")
    assert path.stat().st_size < MAX_BYTES
