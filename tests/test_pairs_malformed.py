"""Malformed sets of every format: each ends in one list of problems by file, and nothing is written."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pair_formats import FORMATS, encoded, save, scenes
from PIL import Image

from study.terminal.cli import main

SCENES = scenes()
Change = Callable[[Path], Any]


def coco_of(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "annotations/instances.json").read_text())
    return found


def put_coco(root: Path, key: str, row: int, **changed: Any) -> None:
    table = coco_of(root)
    table[key][row] |= changed
    (root / "annotations/instances.json").write_text(json.dumps(table))


def add_coco(root: Path, key: str, **row: Any) -> None:
    table = coco_of(root)
    table[key].append(row)
    (root / "annotations/instances.json").write_text(json.dumps(table))


def outline(root: Path, segmentation: Any) -> None:
    put_coco(root, "annotations", 0, segmentation=segmentation)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def table(root: Path, only: int | None = None, **of_first: Any) -> None:
    """Put something into the first row of a table, of which so many rows are kept."""
    file = next(root.rglob("*.parquet"))
    rows = pq.read_table(file).to_pylist()[:only]
    rows[0] |= of_first
    pq.write_table(pa.Table.from_pylist(rows), file)


def jpeg(root: Path, place: str) -> None:
    (root / place).unlink()
    Image.new("L", (80, 40)).save((root / place).with_suffix(".jpg"))


def metadata(root: Path, *lines: str) -> None:
    (root / "metadata.csv").write_text("\n".join(lines) + "\n")


def long_png(root: Path) -> None:
    """A header that claims 100,000 x 100,000 pixels."""
    content = bytearray(encoded(np.zeros((8, 8, 3), np.uint8)))
    content[16:24] = (100_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    (root / "images/hall0_000.png").write_bytes(bytes(content))


FIRST, SECOND = list(SCENES)[:2]
IMAGE, MASK = f"images/{FIRST}.png", f"masks/{FIRST}.png"
MALFORMED: dict[str, tuple[str, Change, str]] = {
    "a pipe as an image": ("plain", lambda r: pipe(r / IMAGE), f"{IMAGE}: no regular file"),
    "a pipe as a mask": ("plain", lambda r: pipe(r / MASK), f"{MASK}: no regular file"),
    "a link to a pipe": (
        "plain",
        lambda r: [pipe(r / MASK), (r / "images/x.png").symlink_to(r / MASK)],
        f"{MASK}: no regular file",
    ),
    "COCO: a pipe": ("COCO", lambda r: pipe(r / IMAGE), f"{IMAGE}: no regular file"),
    "Parquet: a pipe": ("Hugging Face", lambda r: os.mkfifo(r / "data/z.parquet"), "z.parquet: no regular file"),
    "no mask": ("plain", lambda r: (r / MASK).unlink(), f"{IMAGE}: an image without a mask"),
    "no image": ("plain", lambda r: (r / IMAGE).unlink(), f"{MASK}: a mask without an image"),
    "two endings": ("plain", lambda r: save(r / f"images/{FIRST}.bmp", SCENES[FIRST][0]), "differs from another only"),
    "two masks": ("plain", lambda r: save(r / f"masks/{FIRST}.tif", SCENES[FIRST][1]), "differs from another only"),
    "a mask as JPEG": ("plain", lambda r: jpeg(r, MASK), "1 problem in the data set: masks/"),
    "a JPEG called PNG": (
        "plain",
        lambda r: Image.new("L", (80, 40)).save(r / MASK, "JPEG"),
        "compression smears the values",
    ),
    "an empty folder": ("plain", lambda r: (r / "images/more").mkdir(), "images/more: an empty folder"),
    "no masks at all": ("plain", lambda r: [each.unlink() for each in (r / "masks").iterdir()], "no layout"),
    "a link to nothing": ("plain", lambda r: (r / "images/x.png").symlink_to(r / "gone.png"), "a link to nothing"),
    "a link outwards": ("plain", lambda r: (r / "images/x.png").symlink_to("/etc/hostname"), "a link that leaves"),
    "a link in a circle": ("plain", lambda r: (r / "images/x").symlink_to(r / "images"), "a folder that it lies in"),
    "a broken image": ("plain", lambda r: (r / IMAGE).write_bytes(b"\x89PNG\r\n\x1a\nno"), f"{IMAGE}"),
    "an empty mask": ("plain", lambda r: (r / MASK).write_bytes(b""), f"{MASK}: unreadable"),
    "a cut mask": ("plain", lambda r: (r / MASK).write_bytes((r / MASK).read_bytes()[:90]), f"{MASK}"),
    "another size": ("plain", lambda r: save(r / MASK, np.zeros((8, 8), np.uint8)), "another size than its image"),
    "an unknown value": (
        "plain",
        lambda r: save(r / MASK, np.full((40, 80), 99, np.uint8)),
        "values that belong to no class",
    ),
    "a huge image": ("plain", long_png, "pixels: reduce it"),
    "a copy": ("plain", lambda r: shutil.copy(r / IMAGE, r / f"images/{SECOND}.png"), "another size than its image"),
    "a mask of colours": (
        "plain",
        lambda r: save(r / MASK, np.random.default_rng(0).integers(0, 9, (40, 80, 3)).astype(np.uint8)),
        "a mask of colours: name them",
    ),
    "a class list in no code": (
        "plain",
        lambda r: (r / "classes.txt").write_bytes(b"\xff\xfe\x00bad"),
        "not text in UTF",
    ),
    "a class twice": ("plain", lambda r: (r / "classes.txt").write_text("a\nb\na\n"), "is named twice"),
    "an empty class list": ("plain", lambda r: (r / "classes.txt").write_text("# nothing\n"), "it names no class"),
    "two layouts": ("plain", lambda r: shutil.copytree(r / "masks", r / "labels"), "more than one layout fits"),
    "a channel of its own": (
        "nnU-Net",
        lambda r: save(r / f"imagesTr/{FIRST}_0001.png", SCENES[FIRST][0]),
        "a channel that other images have is missing",
    ),
    "too many channels": (
        "nnU-Net",
        lambda r: [save(r / f"imagesTr/{name}_{n:04d}.png", SCENES[name][0]) for name in SCENES for n in range(1, 4)],
        "more than three channels in files of their own, and an image has three colours: leave those of three",
    ),
    "a channel without its first": (
        "nnU-Net",
        lambda r: save(r / "imagesTr/gone_0001.png", SCENES[FIRST][0]),
        "a channel of an image that has no _0000",
    ),
    "channels of colours": (
        "nnU-Net",
        lambda r: [save(r / f"imagesTr/{name}_0001.png", SCENES[name][0]) for name in SCENES],
        "a channel that is not a grey image",
    ),
    "no JSON": ("nnU-Net", lambda r: (r / "dataset.json").write_text("{"), "not valid JSON"),
    "regions": (
        "nnU-Net",
        lambda r: (r / "dataset.json").write_text('{"labels": {"background": 0, "whole": [1, 2]}}'),
        "(whole): labels that are regions of several values, which overlap, while a pixel has one class here: give "
        'every value a class of its own, such as data.pairs.classes = { "background" = 0, "class_1" = 1, "class_2" = 2',
    ),
    "a listed image is missing": (
        "CVAT",
        lambda r: (r / "ImageSets/Segmentation/default.txt").write_text("\n".join([*SCENES, "gone"])),
        "an image that ImageSets lists is missing",
    ),
    "a bad labelmap": ("CVAT", lambda r: (r / "labelmap.txt").write_text("a:1,2::\n"), "line 1 is not name:r,g,b"),
    "a colour above 255": ("CVAT", lambda r: (r / "labelmap.txt").write_text("a:1,2,300::\n"), "from 0 to 255"),
    "a colour not listed": (
        "CVAT",
        lambda r: (r / "labelmap.txt").write_text("background:0,0,0::\nadapter:255,0,0::\n"),
        "values that belong to no class",
    ),
    "COCO: an image is missing": ("COCO", lambda r: (r / IMAGE).unlink(), f"{FIRST}.png: there is no such image"),
    "COCO: no category": (
        "COCO",
        lambda r: put_coco(r, "annotations", 0, category_id=7),
        "a category that is not listed",
    ),
    "COCO: of no image": ("COCO", lambda r: put_coco(r, "annotations", 0, image_id=99), "an image that is not listed"),
    "COCO: two images of one id": ("COCO", lambda r: put_coco(r, "images", 1, id=0), "two images have one id"),
    "COCO: an image twice": (
        "COCO",
        lambda r: add_coco(r, "images", id=77, file_name=f"{FIRST}.png", height=40, width=80),
        "listed twice",
    ),
    "COCO: one id twice": ("COCO", lambda r: put_coco(r, "annotations", 1, id=1), "two annotations have one id"),
    "COCO: a category twice": ("COCO", lambda r: put_coco(r, "categories", 1, name="adapter"), "one id or one name"),
    "COCO: an odd number": ("COCO", lambda r: outline(r, [[1, 2, 3, 4, 5]]), "not a list of at least three points"),
    "COCO: two points": ("COCO", lambda r: outline(r, [[1, 2, 3, 4]]), "not a list of at least three points"),
    "COCO: words": ("COCO", lambda r: outline(r, [["a"] * 6]), "not a list of at least three points"),
    "COCO: far outside": ("COCO", lambda r: outline(r, [[0, 0, 1e9, 0, 5, 5]]), "leaves the image by more"),
    "COCO: not a number": ("COCO", lambda r: outline(r, [[0, 0, float("nan"), 0, 5, 5]]), "at least three points"),
    "COCO: a box alone": ("COCO", lambda r: outline(r, []), "an annotation without an outline"),
    "COCO: runs too long": (
        "COCO",
        lambda r: outline(r, {"counts": [0, 10**9], "size": [40, 80]}),
        "runs of pixels that do not make up the image",
    ),
    "COCO: runs of no code": (
        "COCO",
        lambda r: outline(r, {"counts": "\x00~~~~~~~~", "size": [40, 80]}),
        "runs of pixels that do not make up the image",
    ),
    "COCO: runs of another size": ("COCO", lambda r: outline(r, {"counts": [9], "size": [3, 3]}), "of another size"),
    "COCO: another size": ("COCO", lambda r: put_coco(r, "images", 0, height=41), "another size"),
    "COCO: no size": ("COCO", lambda r: put_coco(r, "images", 0, height="40"), "height and width are not the sides"),
    "COCO: a long name": (
        "COCO",
        lambda r: put_coco(r, "images", 0, file_name="x" * 5000),
        f"{'x' * 60}: there is no such image",
    ),
    "COCO: no table": (
        "COCO",
        lambda r: (r / "annotations/instances.json").write_text('{"images": [], "annotations": 3, "categories": []}'),
        "no file of COCO",
    ),
    "COCO: cut off": (
        "COCO",
        lambda r: (r / "annotations/instances.json").write_text(json.dumps(coco_of(r))[:-9]),
        "not valid JSON",
    ),
    "Parquet: damaged": (
        "Hugging Face",
        lambda r: (r / "data/validation-00000-of-00001.parquet").write_bytes(b"PAR1no"),
        "cannot be read as Parquet",
    ),
    "Parquet: no mask": ("Hugging Face", lambda r: table(r, annotation=None), "without a mask"),
    "Parquet: no image": ("Hugging Face", lambda r: table(r, image=None), "without an image"),
    "Parquet: other columns": (
        "Hugging Face",
        lambda r: pq.write_table(pa.table({"image": [1], "annotation": [2]}), r / "data/z.parquet"),
        "no column of encoded images",
    ),
    "Parquet: bytes as text": (
        "Hugging Face",
        lambda r: table(r, annotation={"bytes": "abc", "path": None}, only=1),
        "(annotation.bytes is of string): encoded images are of the type binary",
    ),
    "Parquet: JPEG": (
        "Hugging Face",
        lambda r: table(r, annotation={"bytes": b"\xff\xd8\xff", "path": None}),
        "a mask whose compression smears",
    ),
    "Parquet: bad id2label": (
        "Hugging Face, bytes alone",
        lambda r: (r / "id2label.json").write_text('{"zero": "background"}'),
        "is not a whole number with a name",
    ),
    "table: a row of no image": (
        "plain",
        lambda r: metadata(r, "file_name,patient", *(f"{name}.png,1" for name in SCENES), "gone.png,2"),
        "names no image with a mask",
    ),
    "table: an image without a row": ("plain", lambda r: metadata(r, "file_name,p", f"{FIRST}.png,1"), "no row of"),
    "table: a row twice": (
        "plain",
        lambda r: metadata(r, "file_name,p", *(f"{name}.png,1" for name in [*SCENES, FIRST])),
        "two rows of metadata.csv are of one image",
    ),
    "table: no file_name": (
        "plain",
        lambda r: metadata(r, "p,q", "a,1"),
        "no column is called file_name; its columns: p, q",
    ),
    "table: filename": ("plain", lambda r: metadata(r, "p,FileName", "1,a"), "rename the column FileName to file_name"),
    "table: two columns of one name": ("plain", lambda r: metadata(r, "file_name,p,p"), "two columns are called 'p'"),
    "table: uneven": ("plain", lambda r: metadata(r, "file_name,p", f"{FIRST}.png,1,2"), "row 2 has 3 cells"),
    "table: no name": (
        "plain",
        lambda r: metadata(r, ",file_name", f"1,{FIRST}.png"),
        "cannot be the name of a column",
    ),
    "table: no text": ("plain", lambda r: (r / "metadata.csv").write_bytes(b"file_name,\xff\n"), "not text in UTF-8"),
    "table: empty": ("plain", lambda r: (r / "metadata.csv").write_bytes(b""), "it is empty"),
    "too few": (
        "plain",
        lambda r: [(r / f"{kind}/{name}.png").unlink() for kind in ("images", "masks") for name in list(SCENES)[2:]],
        "problem",
    ),
}


def refused(root: Path, *arguments: str) -> list[str]:
    """What `study init` says, in lines, of a set that it does not write a definition for."""
    before = sorted(root.rglob("*"))
    target = root.parent / "written.toml"
    said, shown = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(shown):
        status = main(["init", str(root), "--to", str(target), *arguments])
    assert status == 2, shown.getvalue()
    assert shown.getvalue() == ""
    assert not target.exists()
    assert sorted(root.rglob("*")) == before
    assert "Traceback" not in said.getvalue()
    assert "defect of this program" not in said.getvalue()
    assert said.getvalue().count("problem") >= 1
    return said.getvalue().splitlines()


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_set_is_one_list(tmp_path: Path, name: str) -> None:
    format, change, expected = MALFORMED[name]
    root = tmp_path / "set"
    root.mkdir()
    FORMATS[format](root, SCENES)
    change(root)
    lines = refused(root)
    assert expected in "\n".join(lines)
    assert len(lines) <= 6


def test_a_pattern_that_does_not_match_names_the_images(tmp_path: Path) -> None:
    root = tmp_path / "set"
    FORMATS["plain"](root, SCENES)
    (line,) = refused(root, "--set", "data.pairs.columns={hall}-{number}")
    assert f"{IMAGE}" in line
    assert "and 3 more: the place does not have the form of data.pairs.columns" in line
    _, line = refused(root, "--set", "data.pairs.columns={a}{b}")
    assert "between two columns there must be some text" in line
    for place in ("../set/images", str(root / "images")):
        _, line = refused(root, "--set", f"data.pairs.images={place}")
        assert "does not lie within data.path" in line


def test_many_problems_are_one_list(tmp_path: Path) -> None:
    root = tmp_path / "set"
    FORMATS["plain"](root, SCENES)
    (root / IMAGE).unlink()
    (root / f"masks/{SECOND}.png").unlink()
    save(root / "masks/hall0_002.png", np.zeros((8, 8), np.uint8))
    metadata(root, "file_name,p", "gone.png,1")
    heading, *lines = refused(root)
    assert heading.endswith("problems in the data set:")
    assert len(lines) == 5
    assert all(line.startswith("  ") for line in lines)


@given(seed=st.integers(0, 2**32), changes=st.integers(1, 4))
def test_sets_with_damage_anywhere_end_in_a_list_or_a_definition(seed: int, changes: int) -> None:
    """Files cut, overwritten, renamed, removed, doubled: whatever it is, no traceback, and never half of a result."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        root, target = Path(folder, "set"), Path(folder, "written.toml")
        format = sorted(FORMATS)[rng.integers(len(FORMATS))]
        root.mkdir()
        FORMATS[format](root, SCENES)
        for _ in range(changes):
            damage(root, rng)
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            status = main(["init", str(root), "--to", str(target)])
        assert status in (0, 2)
        assert (status == 0) == target.exists()
        assert "defect of this program" not in said.getvalue(), said.getvalue()


def damage(root: Path, rng: np.random.Generator) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    if not files:
        return
    file = files[rng.integers(len(files))]
    content = file.read_bytes()
    match rng.integers(7):
        case 0:
            file.unlink()
        case 1:
            file.write_bytes(content[: rng.integers(len(content) + 1)])
        case 2:
            file.write_bytes(rng.bytes(int(rng.integers(200))))
        case 3:
            file.rename(file.with_name(f"x{file.name}"))
        case 4:
            file.with_suffix([".jpg", ".bmp", ".txt"][rng.integers(3)]).write_bytes(content)
        case 5 if content:
            place = int(rng.integers(len(content)))
            file.write_bytes(content[:place] + rng.bytes(3) + content[place + 3 :])
        case _:
            file.write_bytes(files[rng.integers(len(files))].read_bytes())
