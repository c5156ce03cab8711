"""Opening pairs: whether image and mask fit each other, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from small_pairs import CLASSES, encoded, listing, pair

from trainers.data.decoding import UnusableImage
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.fitting import Fitting
from trainers.data.pairs.label_table import LabelTable
from trainers.data.pairs.listing import with_maximum
from trainers.data.pairs.pair import Pair
from trainers.data.pairs.reading import UnusablePair, read_pair
from trainers.data.pairs.source import load
from trainers.data.pairs.survey import Survey, fingerprint
from trainers.data.problems import Problem, in_lines, listed
from trainers.data.size import Size

TABLE = LabelTable.of(Pairs(), listing(ignore=(255,)))
IMAGE_HWC = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
LABELS_HW = np.array([[0, 1, 2, 1, 0]] * 3 + [[2, 2, 2, 1, 1]], np.uint8)


def turned_by(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x112] = orientation
    return exif


def read(image: bytes, mask: bytes) -> tuple[np.ndarray, np.ndarray]:
    found = read_pair(pair("a", image, mask), TABLE)
    assert found.image_HWC is not None
    without = read_pair(pair("a", image, mask), TABLE, with_image=False)
    np.testing.assert_array_equal(without.labels_HW, found.labels_HW)
    return found.image_HWC, found.labels_HW


def refusal(image: bytes, mask: bytes) -> str:
    found = []
    for with_image in (True, False):
        with pytest.raises(UnusablePair) as error:
            read_pair(pair("a", image, mask), TABLE, with_image=with_image)
        found.append(str(error.value.problem))
    assert found[0] == found[1]
    return found[0]


def test_a_pair_is_taken_as_it_is() -> None:
    image, labels = read(encoded(IMAGE_HWC), encoded(LABELS_HW))
    np.testing.assert_array_equal(image, IMAGE_HWC)
    np.testing.assert_array_equal(labels, LABELS_HW)


def test_a_mask_of_the_upright_image_turns_the_image() -> None:
    image, labels = read(encoded(IMAGE_HWC, exif=turned_by(6)), encoded(np.rot90(LABELS_HW, -1)))
    np.testing.assert_array_equal(image, np.rot90(IMAGE_HWC, -1))
    np.testing.assert_array_equal(labels, np.rot90(LABELS_HW, -1))


def test_a_mask_of_the_stored_image_leaves_it_as_stored() -> None:
    image, labels = read(encoded(IMAGE_HWC, exif=turned_by(6)), encoded(LABELS_HW))
    np.testing.assert_array_equal(image, IMAGE_HWC)
    np.testing.assert_array_equal(labels, LABELS_HW)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_mask_with_the_same_orientation_is_turned_with_its_image(orientation: int) -> None:
    exif, quarters = turned_by(orientation), {3: 2, 6: -1}[orientation]
    image, labels = read(encoded(IMAGE_HWC, exif=exif), encoded(LABELS_HW, exif=exif))
    np.testing.assert_array_equal(image, np.rot90(IMAGE_HWC, quarters))
    np.testing.assert_array_equal(labels, np.rot90(LABELS_HW, quarters))


@pytest.mark.parametrize(("orientation", "side"), [(3, 5), (2, 5), (6, 4), (5, 4)])
def test_what_cannot_be_told_is_refused(orientation: int, side: int) -> None:
    image, mask = IMAGE_HWC[:4, :side], LABELS_HW[:4, :side]
    message = refusal(encoded(image, exif=turned_by(orientation)), encoded(mask))
    assert message.endswith("cannot be told: save the image upright")
    assert message.startswith("masks/a.png: ")


def test_an_orientation_that_is_none_is_none() -> None:
    image, _ = read(encoded(IMAGE_HWC, exif=turned_by(9)), encoded(LABELS_HW))
    np.testing.assert_array_equal(image, IMAGE_HWC)


def test_a_mask_with_an_orientation_of_its_own_is_refused() -> None:
    assert refusal(encoded(IMAGE_HWC), encoded(LABELS_HW, exif=turned_by(3))) == (
        "masks/a.png: turned by an EXIF orientation that its image does not have: save both upright"
    )


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_another_size_is_named(orientation: int) -> None:
    assert refusal(encoded(IMAGE_HWC, exif=turned_by(orientation)), encoded(LABELS_HW[:3])) == (
        "masks/a.png (it is 3 x 5 (height x width), the image 4 x 5): another size than its image: save it at the "
        "image's size"
    )


def test_each_file_is_named_by_what_is_wrong_with_it() -> None:
    sound = encoded(IMAGE_HWC), encoded(LABELS_HW)
    assert refusal(b"words", sound[1]).startswith("images/a.png: unreadable")
    assert refusal(sound[0], b"words").startswith("masks/a.png: unreadable")
    assert refusal(sound[0], encoded(LABELS_HW + 1)).startswith(
        "masks/a.png (3 in 6 pixels): values that belong to no class"
    )


def test_a_file_that_cannot_be_opened_is_named() -> None:
    def absent() -> bytes:
        raise FileNotFoundError(2, "No such file or directory")

    broken = Pair("a", "images/a.png", "masks/a.png", absent, absent)
    with pytest.raises(UnusablePair) as error:
        read_pair(broken, TABLE)
    expected = "images/a.png (No such file or directory): cannot be opened: let it be read, or remove it"
    assert str(error.value.problem) == expected


def outlines_of(size: Size) -> Callable[[Size], np.ndarray]:
    def drawn(asked: Size) -> np.ndarray:
        if asked != size:
            raise UnusableImage("outlines of another size")
        return np.resize(np.array([0, 1, 2]), size)

    return drawn


@pytest.mark.parametrize(("orientation", "size"), [(1, Size(4, 5)), (6, Size(5, 4)), (6, Size(4, 5))])
def test_outlines_say_whether_the_image_is_turned(orientation: int, size: Size) -> None:
    image = encoded(IMAGE_HWC, exif=turned_by(orientation))
    outlined = Pair("a", "images/a.png", "outlines.json", lambda: image, None, outlines_of(size), "digest")
    found = read_pair(outlined, TABLE)
    assert found.labels_HW.shape == size
    assert found.image_HWC is not None
    assert found.image_HWC.shape[:2] == size
    assert found.mask_digest == b"digest"


def test_outlines_of_another_size_are_refused() -> None:
    for orientation in (1, 6):
        image = encoded(IMAGE_HWC, exif=turned_by(orientation))
        outlined = Pair("a", "images/a.png", "outlines.json", lambda image=image: image, None, outlines_of(Size(9, 9)))
        with pytest.raises(UnusablePair, match="outlines of another size"):
            read_pair(outlined, TABLE)


def surveyed(*pairs: Pair, size: Size = Size(4, 5)) -> Survey:  # noqa: B008
    survey = Survey(listing(*pairs, ignore=(255,)), TABLE, Fitting(size, "stretch"))
    survey.look()
    return survey


def sound_pair(name: str, shift: int = 0, mask: np.ndarray = LABELS_HW, **more: object) -> Pair:
    return pair(name, encoded(IMAGE_HWC + np.uint8(shift)), encoded(mask), **more)


def test_rows_have_the_classes_that_are_left_at_the_working_size() -> None:
    thin = np.zeros((4, 5), np.uint8)
    thin[0, 0] = 2
    found = surveyed(sound_pair("a", values={"patient": 7}), sound_pair("b", 1, thin), size=Size(2, 2)).samples
    assert [(row.id, row.classes, dict(row.values)) for row in found.rows] == [
        ("a", ("mug", "pen"), {"patient": 7}),
        ("b", (), {}),
    ]
    assert (found.classes, found.has_background, found.has_ignored) == (("mug", "pen"), True, True)


def test_problems_of_all_files_come_together() -> None:
    broken = pair("c", b"words", encoded(LABELS_HW))
    survey = surveyed(sound_pair("a"), sound_pair("b"), broken, sound_pair("d", 1, LABELS_HW + 1))
    assert [problem.place for problem in survey.problems(allow_copies=False)] == [
        "images/c.png",
        "masks/d.png",
        "images/a.png = images/b.png",
    ]
    assert [problem.place for problem in survey.problems(allow_copies=True)] == ["images/c.png", "masks/d.png"]


def test_a_class_that_no_image_shows_and_one_that_vanishes() -> None:
    mask = np.zeros((4, 5), np.uint8)
    mask[0, 0] = 2
    assert list(map(str, surveyed(sound_pair("a", 0, mask), size=Size(2, 2)).problems(allow_copies=False))) == [
        "mug: a class that no image shows: take it out of data.pairs.classes",
        "pen: its pixels vanish in every image at 2 x 2: raise training.image_size, such as by "
        "--set training.image_size=4,4",
    ]


def test_an_image_of_which_all_is_ignored() -> None:
    survey = surveyed(sound_pair("a"), sound_pair("b", 1, np.full((4, 5), 255, np.uint8)))
    assert survey.problems(allow_copies=False) == [
        Problem("masks/b.png", "every pixel is ignored: leave the image out")
    ]


def test_what_changes_the_fingerprint() -> None:
    one, two = sound_pair("a"), sound_pair("b", 1)

    def named(*pairs: Pair, table: LabelTable = TABLE) -> str:
        return fingerprint(listing(*pairs), table)

    def outlined(digest: str) -> Pair:
        return Pair("b", "b", "b", two.image, None, outlines_of(Size(4, 5)), digest)

    kept = named(one, two)
    survey = surveyed(one, two)
    assert survey.fingerprint == kept == named(two, one)
    elsewhere = Pair("a", "elsewhere/a.png", "elsewhere/a.png", one.image, one.mask, values={"patient": 3})
    assert named(elsewhere, two) == kept, "nor the place nor the columns"
    others = [
        named(one),
        named(one, sound_pair("c", 1)),
        named(one, sound_pair("b", 2)),
        named(one, sound_pair("b", 1, LABELS_HW[::-1])),
        named(one, outlined("x")),
        named(one, outlined("y")),
        named(one, two, table=LabelTable.of(Pairs(classes=CLASSES), listing())),
    ]
    assert len({kept, *others}) == len(others) + 1


def test_16_bits_and_grey_are_noted() -> None:
    deep = np.arange(20, dtype=np.uint16).reshape(4, 5) * 1000
    survey = Survey(
        listing(pair("a", encoded(deep), encoded(LABELS_HW)), sound_pair("b")), TABLE, Fitting(Size(4, 5), "pad")
    )
    load(survey)
    assert survey.notes == (
        "1 of 2 images have 16 bits a channel, of which 65535 becomes 255.",
        "1 of 2 images are grey: their three colours are equal.",
    )


@pytest.mark.parametrize(("largest", "maximum"), [(200, 255), (700, 1023), (4000, 4095), (16000, 16383), (16500, None)])
def test_images_that_do_not_fill_their_bits_are_told(largest: int, maximum: int | None) -> None:
    deep = np.linspace(0, largest, 20).astype(np.uint16).reshape(4, 5)
    listed = listing(pair("a", encoded(deep), encoded(LABELS_HW)), sound_pair("b"))
    survey = Survey(listed, TABLE, Fitting(Size(4, 5), "pad"))
    source = load(survey)
    assert survey.likely_maximum == maximum
    if maximum is None:
        assert survey.warnings == ()
        return
    (said,) = survey.warnings
    assert f"the largest is {largest}, as if images of {maximum.bit_length()} bits were kept in 16" in said
    assert f"Set data.pairs.image_maximum = {maximum}" in said
    assert f"{said}." in survey.notes
    light = Survey(with_maximum(listed, maximum), TABLE, Fitting(Size(4, 5), "pad"))
    lit = load(light)
    assert lit.store[0][0].max() == round(255 * largest / maximum)
    assert source.store[0][0].max() < 70
    assert light.warnings == ()
    assert f"of which {maximum} becomes 255." in light.notes[0]
    assert light.fingerprint != survey.fingerprint
    assert light.fingerprint == fingerprint(light.listing, TABLE)


def test_a_line_end_in_a_name_breaks_no_line() -> None:
    assert in_lines([Problem("a\nb", "vanishes")]) == [r"a\nb: vanishes"]


def test_a_problem_that_is_found_twice_is_told_once() -> None:
    found = [Problem("a", "torn"), Problem("b", "torn"), Problem("a", "torn"), Problem(".", "empty")]
    assert listed(found) == "3 problems:\n  a, b: torn\n  the folder: empty"
