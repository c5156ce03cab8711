"""Columns of pairs: patterns over places, tables, folders; which values are numbers."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pair_formats import a_folder_a_part, encoded, save, scenes, voc_of_cvat

from trainers.data.pairs.columns import metadata_place
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.listing import list_pairs
from trainers.data.pairs.pattern import Pattern, as_values

WORD = st.text(st.characters(categories=["Lu", "Nd"]), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("pattern", "place", "expected"),
    [
        ("{a}_{b}", "x_y", {"a": "x", "b": "y"}),
        ("{a}_{b}", "x_y_z", {"a": "x", "b": "y_z"}),
        ("{a}/{b}-{c}", "p/q-r", {"a": "p", "b": "q", "c": "r"}),
        ("{a}_{b}", "p/x_y", None),
        ("{a}_{b}", "xy", None),
        ("{a}_{b}", "_y", None),
        ("img({n}).v1", "img(7).v1", {"n": "7"}),
        ("img({n}).v1", "img(7)xv1", None),
        ("{patient id}_{b}", "3_4", {"patient id": "3", "b": "4"}),
    ],
)
def test_a_name_matches_as_little_as_possible_and_no_slash(
    pattern: str, place: str, expected: dict[str, str] | None
) -> None:
    assert Pattern(pattern).match(place) == expected


@given(
    values=st.lists(WORD, min_size=1, max_size=4), marks=st.lists(st.sampled_from(["_", "-", "/", "_-"]), min_size=3)
)
def test_what_is_filled_in_is_found_again(values: list[str], marks: list[str]) -> None:
    names = [f"n{number}" for number in range(len(values))]
    text = "".join(f"{{{name}}}{mark}" for name, mark in zip(names, [*marks[: len(names) - 1], ""], strict=False))
    pattern = Pattern(text)
    filled = dict(zip(names, values, strict=False))
    assert pattern.match(pattern.fill(filled)) == filled


@pytest.mark.parametrize(
    "text", ["", "plain", "{}", "{a}{b}", "{a}_{a}", "{a", "a}_{b}", "{a}_{b\n}", "{" + "a" * 101 + "}"]
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"names|brace|between|column"):
        Pattern(text)


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", "20", "-3"], [1, 20, -3]),
        (["1", "22.5"], [1, 22.5]),
        (["0", "-0.5"], [0, -0.5]),
        (["1", "007"], None),
        (["1.50"], None),
        (["1e5"], None),
        (["-0"], None),
        (["1_0"], None),
        (["nan", "1"], None),
        (["+1"], None),
        (["9" * 20], None),
        (["\u0663"], None),
    ],
)
def test_values_are_numbers_only_if_all_are_written_as_such(texts: list[str], values: list[float] | None) -> None:
    found = as_values(texts)
    assert list(found.values()) == (texts if values is None else values)
    assert [str(value) for value in found.values()] == texts


def pairs(root: Path, *names: str) -> Path:
    for name in names:
        save(root / f"images/{name}.png", np.zeros((4, 4, 3), np.uint8))
        save(root / f"masks/{name}.png", np.zeros((4, 4), np.uint8))
    return root


@pytest.mark.parametrize("file_name", ["images/{}.png", "{}.png", "{}", "./images/{}.png"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_beside_the_images_gives_columns(tmp_path: Path, file_name: str, mark: str) -> None:
    root = pairs(tmp_path, "p/a", "b")
    rows = [("site", "file_name", "age"), ("north, left" if mark != "," else "north", file_name.format("p/a"), "30")]
    rows += [("", file_name.format("b"), "22.5")]
    (root / "metadata.csv").write_text("\ufeff" + "\r\n".join(mark.join(row) for row in rows), "utf-8")
    listing = list_pairs(root, Pairs())
    assert listing.problems == ()
    assert [pair.id for pair in listing.pairs] == ["b", "p/a"]
    assert listing.pairs[0].values == {"age": 22.5}
    assert listing.pairs[1].values == {"site": rows[1][0], "age": 30}


def test_a_table_of_another_name_and_a_pattern_come_together(tmp_path: Path) -> None:
    root = pairs(tmp_path, "a_1", "b_2")
    (root / "about.csv").write_text("file_name,site\na_1,north\nb_2,south\n")
    listing = list_pairs(root, Pairs(metadata="about.csv", columns="{patient}_{visit}"))
    assert listing.problems == ()
    assert listing.pairs[1].values == {"patient": "b", "visit": 2, "site": "south"}


def in_parts(root: Path, place: str, names: Sequence[str], tables: str) -> Path:
    for part in ("train", "val"):
        for name in names:
            save(root / f"{place.format(part, 'images')}/{name}.png", np.zeros((4, 4, 3), np.uint8))
            save(root / f"{place.format(part, 'masks')}/{name}.png", np.zeros((4, 4), np.uint8))
        rows = [f"{'images/' if tables == '{}' else ''}{name}.png,{part[0]}{name}" for name in names]
        (root / tables.format(part) / "metadata.csv").write_text("\n".join(["file_name,patient", *rows]))
    return root


@pytest.mark.parametrize(("place", "tables"), [("{}/{}", "{}"), ("{}/{}", "{}/images"), ("{1}/{0}", "images/{}")])
def test_tables_in_the_folders_of_parts_are_read(tmp_path: Path, place: str, tables: str) -> None:
    root = in_parts(tmp_path, place, ["a", "b"], tables)
    images = place.format("{part}", "images") if place == "{}/{}" else "images/{part}"
    described = Pairs(format="folders", images=images, masks=images.replace("images", "masks"))
    listing = list_pairs(root, described)
    assert listing.problems == ()
    assert [pair.values["patient"] for pair in listing.pairs] == ["ta", "tb", "va", "vb"]
    assert metadata_place(root, described, listing.pairs) == f"{tables.format('{part}')}/metadata.csv"
    (root / tables.format("val") / "metadata.csv").unlink()
    (problem, *_) = list_pairs(root, described).problems
    assert str(problem).startswith(f"{tables.format('val')}/metadata.csv: no table of columns: it cannot be read")


def test_a_pipe_is_no_table(tmp_path: Path) -> None:
    os.mkfifo(pairs(tmp_path, "a") / "about.csv")
    (problem,) = list_pairs(tmp_path, Pairs(metadata="about.csv")).problems
    assert "no regular file" in str(problem)


def test_one_column_of_two_sources_must_agree(tmp_path: Path) -> None:
    root = pairs(tmp_path, "a_1", "b_2")
    (root / "metadata.csv").write_text("file_name,patient\na_1,a\nb_2,c\n")
    (problem,) = list_pairs(root, Pairs(columns="{patient}_{visit}")).problems
    assert str(problem).startswith("patient: a column that two of folders, pattern and table give")


def test_folders_are_columns(tmp_path: Path) -> None:
    a_folder_a_part(tmp_path, scenes())
    listing = list_pairs(tmp_path, Pairs())
    assert [pair.values for pair in listing.pairs] == [{"part": "train"}] * 4 + [{"part": "val"}] * 2
    assert listing.pairs[0].id == "train/hall0_000"
    by_pattern = list_pairs(tmp_path, Pairs(columns="{part}/{hall}_{number}"))
    assert by_pattern.pairs[-1].values == {"part": "val", "hall": "hall1", "number": "005"}


def test_lists_of_images_are_a_column_and_leave_out_what_they_do_not_list(tmp_path: Path) -> None:
    made = scenes()
    voc_of_cvat(tmp_path, made)
    lists = tmp_path / "ImageSets/Segmentation"
    (lists / "default.txt").unlink()
    names = sorted(made)
    (lists / "train.txt").write_text("\n".join(names[:3]))
    (lists / "val.txt").write_text("\n".join(names[3:5]))
    (lists / "trainval.txt").write_text("\n".join(names[:5]))
    (tmp_path / f"SegmentationClass/{names[5]}.png").unlink()
    listing = list_pairs(tmp_path, Pairs())
    assert listing.problems == ()
    assert [pair.values["part"] for pair in listing.pairs] == ["train"] * 3 + ["val"] * 2
    assert any("passed over: images that are not asked for" in note for note in listing.notes)


def test_a_part_that_nobody_labelled_is_passed_over_and_said(tmp_path: Path) -> None:
    root = pairs(tmp_path, "train/a", "train/b")
    save(root / "images/test/c.png", np.zeros((4, 4, 3), np.uint8))
    listing = list_pairs(root, Pairs())
    assert [pair.id for pair in listing.pairs] == ["train/a", "train/b"]
    assert listing.problems == ()
    assert listing.notes == ("images/test/c.png passed over: images that are not asked for",)


def test_hidden_files_and_what_is_no_image_are_passed_over(tmp_path: Path) -> None:
    root = pairs(tmp_path, "a", "b")
    for place in (
        "images/._a.png",
        "images/.DS_Store",
        "masks/Thumbs.db",
        "masks/desktop.ini",
        "__MACOSX/images/a.png",
    ):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(b"hidden")
    (root / "images/notes.txt").write_text("seen")
    listing = list_pairs(root, Pairs())
    assert [pair.id for pair in listing.pairs] == ["a", "b"]
    assert listing.problems == ()
    assert listing.notes == ("images/notes.txt passed over: no image files",)


def in_a_table(root: Path, path: object, **columns: pa.Array) -> Path:
    """A table of two pairs, the images with this path."""
    content = encoded(np.zeros((4, 4), np.uint8))
    cells = pa.array([{"bytes": content, "path": path}] * 2)
    pq.write_table(pa.table({"image": cells, "label": cells, **columns}), root / "t.parquet")
    return root


def test_a_tables_categories_and_dates_are_columns_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    noon = datetime.datetime(2020, 1, 2, 12, tzinfo=datetime.UTC)
    columns = {
        "site": pa.array(["north", "south"]).dictionary_encode(),
        "day": pa.array([noon.date()] * 2),
        "time": pa.array([noon] * 2, pa.timestamp("ns", "Europe/Berlin")),
        "boxes": pa.array([[1], [2]]),
        "nothing": pa.nulls(2),
    }
    listing = list_pairs(in_a_table(tmp_path, None, **columns), Pairs())
    assert listing.problems == ()
    assert listing.pairs[1].values == {"site": "south", "day": "2020-01-02", "time": "2020-01-02T12:00:00+00:00"}
    assert "Columns that hold neither text nor numbers nor dates are left out: boxes." in listing.notes


@pytest.mark.parametrize("path", [7, b"a.png", ["a"]])
def test_a_tables_path_that_is_no_text_is_none(tmp_path: Path, path: object) -> None:
    listing = list_pairs(in_a_table(tmp_path, path), Pairs())
    assert listing.problems == ()
    assert [pair.id for pair in listing.pairs] == ["t/000000", "t/000001"]
