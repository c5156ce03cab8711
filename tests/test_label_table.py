"""Which label a value of a mask is."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from small_pairs import encoded, listing
from test_pairs_decoding import saved

from trainers.data.class_names import IGNORED
from trainers.data.decoding import UnusableImage
from trainers.data.pairs.decoding import MaskPixels, decode_mask
from trainers.data.pairs.description import MaskValue, Pairs
from trainers.data.pairs.label_table import LabelTable
from trainers.data.pairs.pair import Listing
from trainers.data.problems import DataError

NOTHING = Listing((), None, (), ())


def table(classes: object, found: Listing = NOTHING, **more: object) -> LabelTable:
    return LabelTable.of(Pairs(classes=classes, **more), found)  # type: ignore[arg-type]


def values(*rows: list[int]) -> MaskPixels:
    return MaskPixels(np.array(rows, np.int64), None, 1)


def test_a_list_of_names_has_the_values_from_0() -> None:
    made = table(("sky", "Background", "road"))
    assert (made.names, made.has_background, made.has_ignored) == (("sky", "road"), True, False)
    np.testing.assert_array_equal(made.labels_of(values([0, 1, 2])), [[1, 0, 2]])


def test_without_a_background_labels_begin_with_the_first_class() -> None:
    made = table({"sky": 7, "road": 3}, ignore=(11, 255))
    assert (made.names, made.has_background, made.has_ignored) == (("sky", "road"), False, True)
    found = made.labels_of(values([7, 3], [11, 255]))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, [[0, 1], [IGNORED, IGNORED]])


def test_any_class_can_be_named_as_the_background() -> None:
    made = table({"sky": 7, "road": 3}, background="road")
    assert (made.names, made.has_background) == (("sky",), True)
    np.testing.assert_array_equal(made.labels_of(values([7, 3])), [[1, 0]])


def test_the_formats_classes_and_ignored_values_are_taken_where_none_are_described() -> None:
    found = listing(classes={"bg": 0, "road": 2}, ignore=(9,))
    made = table(None, found)
    np.testing.assert_array_equal(made.labels_of(values([0, 2, 9])), [[0, 1, IGNORED]])
    described = table({"sky": 9, "sea": 0}, found, ignore=(2,))
    np.testing.assert_array_equal(described.labels_of(values([9, 2])), [[0, IGNORED]])


def test_colours_of_rgb_grey_and_palette_masks() -> None:
    colours: dict[str, MaskValue] = {"background": "#000000", "road": "#ff8000", "sky": "#808080"}
    made = table(colours, ignore=("#ffffff",))
    rgb = np.array([[[0, 0, 0], [255, 128, 0]], [[128, 128, 128], [255, 255, 255]]], np.uint8)
    np.testing.assert_array_equal(made.labels_of(decode_mask(encoded(rgb))), [[0, 1], [2, IGNORED]])
    np.testing.assert_array_equal(made.labels_of(values([0, 128, 255])), [[0, 2, IGNORED]])
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([255, 128, 0, 0, 0, 0])
    np.testing.assert_array_equal(made.labels_of(decode_mask(saved(palette))), [[1, 0]])


def test_values_of_16_bits() -> None:
    np.testing.assert_array_equal(table({"road": 65535, "sky": 1}).labels_of(values([65535, 1])), [[0, 1]])


@pytest.mark.parametrize(
    ("mask", "detail"),
    [
        (values([0, 3, 3], [1, 70000, 1]), "3 in 2 pixels, 70000 in 1 pixel"),
        (values(list(range(9))), "2 in 1 pixel, 3 in 1 pixel, 4 in 1 pixel, 5 in 1 pixel, 6 in 1 pixel, 2 more"),
    ],
)
def test_unknown_values_are_named(mask: MaskPixels, detail: str) -> None:
    with pytest.raises(UnusableImage, match=r"name them in data\.pairs\.classes or data\.pairs\.ignore") as error:
        table(("background", "road")).labels_of(mask)
    assert error.value.detail == detail


def test_a_value_in_the_place_of_the_only_class_is_told() -> None:
    with pytest.raises(UnusableImage) as caught:
        table({"background": 0, "cell": 1}).labels_of(values([0, 255], [255, 0]))
    assert caught.value.what == ("masks hold 0 and 255; did you mean cell = 255? (data.pairs.classes says cell = 1)")
    for mask in (values([0, 1, 255]), values([0, 7, 255])):  # where it has pixels, or several stand in its place
        with pytest.raises(UnusableImage, match="values that belong to no class"):
            table({"background": 0, "cell": 1}).labels_of(mask)


def test_unknown_colours_are_named() -> None:
    with pytest.raises(UnusableImage) as error:
        table({"bg": "#000000", "road": "#ff8000"}).labels_of(
            decode_mask(encoded(np.array([[[255, 128, 0], [1, 2, 3]]], np.uint8)))
        )
    assert error.value.detail == "#010203 in 1 pixel"


def test_a_mask_of_colours_needs_colours() -> None:
    with pytest.raises(UnusableImage, match=r"a mask of colours: name them in data.pairs.classes"):
        table(("background", "road")).labels_of(decode_mask(encoded(np.array([[[1, 2, 3]]], np.uint8))))


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"classes": None}, "data.pairs.classes: not given"),
        ({"classes": ("a", "b", "a")}, r"data.pairs.classes \(a\): a class is named twice"),
        ({"classes": {"a": 1, "b": 1}}, r"\(a and b have 1\): several classes may not share a value"),
        ({"classes": {"a": 1, "b": 2}, "ignore": (2,)}, r"data.pairs.ignore \(b has 2\): a value is named here and in"),
        ({"classes": {"a": 1, "b": "#ff0000"}}, "numbers and colours cannot be mixed"),
        ({"classes": {"a": 1}, "ignore": ("#ff0000",)}, "numbers and colours cannot be mixed"),
        ({"classes": ("a", "b"), "background": "c"}, r"data.pairs.background \(c\): no such class; there are a, b"),
        ({"classes": {"bg": 0, "background": 1, "a": 2}}, "several are called like a background"),
        ({"classes": ("background",)}, "no class beside the background"),
        (
            {"classes": ("cell",)},
            r"data.pairs.classes \(cell\): one class and no background.*: add background = its value",
        ),
        ({"classes": {"cell": 255}}, r"one class and no background, so there .*: add background = 0, or what else"),
        ({"classes": ("all", "b")}, "all: a reserved name"),
        ({"classes": ("traffic light", "b")}, "traffic light: a class name holds only"),
        ({"classes": tuple(f"c{number}" for number in range(255))}, "at most 254"),
    ],
)
def test_classes_that_cannot_be_told_apart_are_refused(described: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        LabelTable.of(Pairs(**described), NOTHING)  # type: ignore[arg-type]


def test_what_masks_mean_has_a_name_of_its_own() -> None:
    made = table(("background", "road"))
    assert made.meaning == table({"background": 0, "road": 1}).meaning
    for other in (table(("background", "sky")), table(("sky", "road")), table(("background", "road"), ignore=(2,))):
        assert other.meaning != made.meaning
