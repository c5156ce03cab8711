"""Outlines of COCO, drawn: overlaps, crowds, polygons, values of categories."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pair_formats import counts, save
from pycocotools import mask as coco_mask

from trainers.data.decoding import UnusableImage
from trainers.data.pairs.coco import CROWDS, OVERLAPS
from trainers.data.pairs.coco_file import decompressed, read_coco_file, values_of
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.label_table import LabelTable
from trainers.data.pairs.listing import list_pairs
from trainers.data.pairs.pair import Listing
from trainers.data.size import Size

SIZE = Size(10, 12)


def square(left: int, top: int, side: int) -> list[list[float]]:
    return [[left, top, left + side, top, left + side, top + side, left, top + side]]


def runs(left: int, top: int, side: int) -> dict[str, Any]:
    inside_HW = np.zeros(SIZE, bool)
    inside_HW[top : top + side, left : left + side] = True
    return {"counts": counts(inside_HW), "size": list(SIZE)}


def listing_of(root: Path, *annotations: dict[str, Any], categories: dict[int, str] | None = None) -> Listing:
    save(root / "images/a.png", np.zeros((*SIZE, 3), np.uint8))
    rows = [{"id": number, "image_id": 5, "iscrowd": 0} | each for number, each in enumerate(annotations)]
    table = {
        "images": [{"id": 5, "file_name": "a.png", "height": SIZE.height, "width": SIZE.width}],
        "annotations": rows,
        "categories": [{"id": id, "name": name} for id, name in (categories or {3: "cup", 8: "table"}).items()],
    }
    (root / "coco.json").write_text(json.dumps(table))
    return list_pairs(root, Pairs())


def drawn(listing: Listing) -> np.ndarray:
    assert listing.problems == ()
    (pair,) = listing.pairs
    assert pair.outlines is not None
    return pair.outlines(SIZE)


def test_the_smaller_of_two_objects_lies_on_top_whatever_their_order(tmp_path: Path) -> None:
    large, small = {"category_id": 8, "segmentation": runs(0, 0, 8)}, {"category_id": 3, "segmentation": runs(2, 3, 2)}
    first, second = listing_of(tmp_path / "a", large, small), listing_of(tmp_path / "b", small, large)
    values_HW = drawn(first)
    assert np.array_equal(values_HW, drawn(second))
    assert (values_HW == 3).sum() == 4
    assert (values_HW == 8).sum() == 60
    assert (values_HW == 0).sum() == 120 - 64
    assert OVERLAPS in first.notes
    assert CROWDS not in first.notes


def test_a_crowd_is_ignored_and_lies_beneath(tmp_path: Path) -> None:
    crowd = {"category_id": 3, "segmentation": runs(0, 0, 2), "iscrowd": 1}
    listing = listing_of(tmp_path, crowd, {"category_id": 8, "segmentation": runs(0, 0, 10)})
    assert (drawn(listing) == 255).sum() == 0
    listing = listing_of(tmp_path, crowd)
    assert (drawn(listing) == 255).sum() == 4
    assert CROWDS in listing.notes
    assert listing.ignore == (255,)
    assert LabelTable.of(Pairs(), listing).has_ignored


def test_polygons_are_drawn_as_pycocotools_draws_them(tmp_path: Path) -> None:
    polygons = [*square(1, 1, 4), [6, 6, 11.5, 6.5, 8, 9.5]]
    values_HW = drawn(listing_of(tmp_path, {"category_id": 3, "segmentation": polygons}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pycocotools', about numpy
        expected_HW = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, *SIZE)))
    assert np.array_equal(values_HW == 3, expected_HW == 1)
    assert 16 <= (values_HW == 3).sum() <= 40


def test_an_image_without_outlines_is_background(tmp_path: Path) -> None:
    listing = listing_of(tmp_path)
    assert not drawn(listing).any()
    assert "1 image has no outline in coco.json: background alone." in listing.notes


def test_outlines_have_a_digest_that_follows_them(tmp_path: Path) -> None:
    digests = {
        listing_of(tmp_path / str(n), {"category_id": 3, "segmentation": runs(n, 0, 3)}).pairs[0].outlines_digest
        for n in (0, 1)
    }
    again = listing_of(tmp_path / "again", {"category_id": 3, "segmentation": runs(0, 0, 3)}).pairs[0]
    assert len(digests) == 2
    assert again.outlines_digest in digests


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    (pair,) = listing_of(tmp_path).pairs
    assert pair.outlines is not None
    with pytest.raises(UnusableImage, match="another size than the file of its outlines says"):
        pair.outlines(Size(12, 10))


def test_whole_numbers_may_be_written_as_floats(tmp_path: Path) -> None:
    listing_of(tmp_path, {"category_id": 3, "segmentation": square(1, 1, 3)})
    file = tmp_path / "coco.json"
    file.write_text(file.read_text().replace('"height": 10, "width": 12', '"height": 10.0, "width": 1.2e1'))
    assert drawn(list_pairs(tmp_path, Pairs())).shape == SIZE


def test_values_are_ids_where_these_are_small_and_the_background_is_0() -> None:
    assert values_of({3: "cup", 8: "table"}) == {3: 3, 8: 8}
    assert values_of({0: "cup", 8: "table"}) == {0: 1, 8: 2}
    assert values_of({1: "cup", 900: "table"}) == {1: 1, 900: 2}
    assert values_of({0: "Background", 7: "cup"}) == {0: 0, 7: 7}
    of_many = values_of({id: f"c{id}" for id in range(1, 300)})
    assert [of_many[id] for id in (1, 254, 255, 299)] == [1, 254, 256, 300], "255 is a crowd's"


def test_a_background_among_the_categories_is_the_background(tmp_path: Path) -> None:
    listing = listing_of(tmp_path, categories={1: "background", 2: "cup"})
    assert listing.classes == {"background": 0, "cup": 2}


@given(bits=st.lists(st.booleans(), min_size=120, max_size=120))
def test_compressed_runs_are_read_as_pycocotools_writes_them(bits: list[bool]) -> None:
    inside_HW = np.array(bits).reshape(SIZE)
    text = coco_mask.encode(np.asfortranarray(inside_HW))["counts"].decode()
    assert decompressed(text) == counts(inside_HW)


def test_a_pipe_is_no_file_of_outlines(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "coco.json")
    (problem,) = read_coco_file(tmp_path / "coco.json", "coco.json").problems
    assert "no regular file" in str(problem)
