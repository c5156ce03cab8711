"""Images that show the same, and splits that have such images on both sides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from small_pairs import encoded, listing, pair

from study.definition import Definition
from study.definition.file import parse
from study.errors import StudyError
from study.leaks import leak_notes, leak_problems, leaks, near_notes
from study.prepare import prepared
from trainers.data import likeness as module
from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.cut_outs.reading import read_object
from trainers.data.likeness import LIKE_FROM, Glimpse, Likeness, glimpse
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.fitting import Fitting
from trainers.data.pairs.label_table import LabelTable
from trainers.data.pairs.source import load
from trainers.data.pairs.survey import Survey
from trainers.data.pixels import Pixels
from trainers.data.size import Size
from trainers.data.split import Split
from trainers.data.table import Sample, Samples


def likeness(images: Iterable[tuple[str, Pixels]]) -> Likeness:
    return module.likeness({id_: glimpse(image_HWC) for id_, image_HWC in images})


def photograph(number: int, size: int = 96) -> Pixels:
    """Some large patches of light and dark, with fine noise."""
    draws = np.random.default_rng(number)
    coarse = Image.fromarray(draws.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(
        (size, size), Image.Resampling.BICUBIC
    )
    return np.clip(np.asarray(coarse, np.int16) + draws.integers(-20, 21, (size, size, 3)), 0, 255).astype(np.uint8)


def compressed_anew(image_HWC: Pixels) -> Pixels:
    content = BytesIO()
    Image.fromarray(image_HWC).resize((60, 60)).save(content, "JPEG", quality=40)
    return np.clip(np.asarray(Image.open(content), np.int16) + 15, 0, 255).astype(np.uint8)


def a_frame_later(image_HWC: Pixels) -> Pixels:
    return np.roll(image_HWC, 1, axis=1)


def test_identical_and_near_identical_images_are_told_from_others() -> None:
    others = {f"other{i}": photograph(i) for i in range(20)}
    one = photograph(100)
    alike = {"one": one, "copy": one.copy(), "jpeg": compressed_anew(one), "later": a_frame_later(one)}
    found = likeness([*others.items(), *alike.items()])
    assert found.identical == (("one", "copy"),)
    assert set(found.near) == {
        ("one", "jpeg"),
        ("one", "later"),
        ("copy", "jpeg"),
        ("copy", "later"),
        ("jpeg", "later"),
    }


def test_flipped_and_turned_images_are_near_identical() -> None:
    image_HWC = photograph(1)
    turned = [np.rot90(way, quarters) for way in (image_HWC, image_HWC[:, ::-1]) for quarters in range(4)]
    found = likeness([(str(place), each) for place, each in enumerate([*turned, photograph(2)])])
    assert len(found.near) == 8 * 7 / 2
    assert not any("8" in pair for pair in found.near)


def test_images_without_contrast_are_like_nothing_but_themselves() -> None:
    flat = np.full((32, 32, 3), 90, np.uint8)
    noise = np.random.default_rng(0).integers(0, 2, (2, 32, 32, 3), dtype=np.uint8) + np.uint8(90)
    found = likeness([("flat", flat), ("same", flat), ("a", noise[0]), ("b", noise[1])])
    assert found == Likeness(("flat", "same", "a", "b"), (("flat", "same"),), ())


def test_what_is_put_around_images_makes_none_alike() -> None:
    """Two of another shape than the working size, which bars of black fill up: without them they have nothing in
    common."""
    fitting = Fitting(Size(96, 128), "pad")
    empty, full = np.full((128, 96, 3), (90, 40, 90), np.uint8), np.full((128, 96, 3), (110, 80, 40), np.uint8)
    full[20:60, 30:70] = (200, 60, 60)
    framed = {name: fitting.image(image) for name, image in (("empty", empty), ("full", full))}
    assert likeness(framed.items()).near == (("empty", "full"),)
    pictures = {name: fitting.picture(image) for name, image in (("empty", empty), ("full", full))}
    assert likeness(pictures.items()).near == ()
    mask = encoded(np.indices((128, 96)).sum(0).astype(np.uint8) % 3)
    listed = listing(pair("empty", encoded(empty), mask), pair("full", encoded(full), mask))
    survey = Survey(listed, LabelTable.of(Pairs(), listed), fitting)
    survey.look(with_images=True)
    assert module.likeness(survey.glimpses).near == ()
    assert module.likeness(load(Survey(listed, survey.table, fitting)).glimpses).near == ()


def test_nothing_and_one_image() -> None:
    assert likeness([]) == Likeness((), (), ())
    assert likeness([("a", photograph(0))]) == Likeness(("a",), (), ())


def test_pairs_are_those_of_every_image_with_every_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slowly: a correlation for each pair. Block by block it is the same."""
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 4)
    images = [photograph(i // 3) if i % 3 else compressed_anew(photograph(i // 3)) for i in range(18)]
    images = [np.roll(image, i % 3, axis=0) for i, image in enumerate(images)]
    grey = [np.asarray(Image.fromarray(image).convert("L").resize((24, 24), Image.Resampling.BOX)) for image in images]
    expected = {
        (str(i), str(j))
        for j in range(18)
        for i in range(j)
        if np.corrcoef(grey[i].ravel(), grey[j].ravel())[0, 1] >= LIKE_FROM
    }
    assert set(likeness((str(i), image) for i, image in enumerate(images)).near) == expected
    assert expected


def test_of_many_alike_the_likest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LIKE_ONE", 2)
    shifts = [np.roll(photograph(0, 480), step, axis=1) for step in (0, 4, 1, 2)]
    near = likeness((str(i), image) for i, image in enumerate(shifts)).near
    assert [pair for pair in near if pair[0] == "0"] == [("0", "2"), ("0", "3")]


@pytest.mark.slow
def test_different_objects_of_the_shipped_set_are_not_alike() -> None:
    catalogue = read_catalogue("standin")
    objects = [(image.class_name, read_object(image.path)) for image in catalogue.images[::5]]
    shown = [
        (f"{name}/{i}", np.where(rgba[..., 3:] >= 128, rgba[..., :3], 128).astype(np.uint8))
        for i, (name, rgba) in enumerate(objects)
    ]
    assert all(one.split("/")[0] == other.split("/")[0] for one, other in likeness(shown).near)


def split(name: str, train: str, val: str, test: str) -> Split:
    return Split(name, "random", None, tuple(train), tuple(val), tuple(test), "f")


FOUND = Likeness(tuple("abcdefg"), (("a", "b"),), (("a", "c"), ("b", "c"), ("d", "e"), ("f", "g")))
APART = split("apart", "abc", "fg", "de")
DIVIDED = split("divided", "ad", "f", "bceg")


def test_what_lies_on_both_sides_of_a_split() -> None:
    identical, near = leaks(FOUND, [APART, DIVIDED])
    assert (identical.split, identical.is_identical, identical.pairs) == ("divided", True, (("b", "a"),))
    assert (near.split, near.is_identical, near.pairs) == ("divided", False, (("c", "a"), ("e", "d"), ("g", "f")))


def test_the_words_for_it() -> None:
    found = list(leaks(FOUND, [DIVIDED]))
    (problem,) = leak_problems(found, parse({}))
    assert str(problem).startswith(
        "split divided (1 of 4, e.g. b and a): test images with an identical image among those trained on or validated "
        "with; keep one of them"
    )
    assert str(problem).endswith("keep one of them, or set data.allow_copies = true"), "no column is there to be named"
    assert leak_notes(found, parse({})) == [
        "split divided (3 of 4, e.g. c and a): test images with a near-identical image among those trained on or "
        "validated with; if they belong together, give them a column that says so (in metadata.csv), and set "
        "splits.unit to it"
    ]
    several = leaks(FOUND, [replace(DIVIDED, name=f"random_{i}") for i in range(5)])
    identical, near = leak_notes(several, parse({"data": {"allow_copies": True}}))
    assert "split random_2 (1 of 4, e.g. b and a) and 2 more: test images with an identical" in identical
    assert "split random_2 (3 of 4, e.g. c and a) and 2 more: test images with a near-identical" in near
    allowed = parse({"data": {"allow_copies": True}, "splits": {"unit": "patient"}})
    assert leak_problems(found, allowed) == []
    assert len(leak_notes(found, allowed)) == 2
    assert "splits.unit, patient, does not keep them together" in leak_notes(found, allowed)[0]


def test_the_column_that_keeps_such_images_together_is_named() -> None:
    columns = {
        "a": ("p", 1, 1),
        "b": ("p", 1, 1),
        "c": ("p", 1, 2),
        "d": ("q", 2, 3),
        "e": ("q", 2, 3),
        "f": ("r", 3, 4),
    }
    columns["g"] = ("r", 3, 4)
    names = ("patient", "visit", "number")
    samples = Samples(
        ("leaf",), tuple(Sample(id_, ("leaf",), dict(zip(names, row, strict=True))) for id_, row in columns.items())
    )
    found = list(leaks(FOUND, [DIVIDED], samples))
    assert [leak.kept_by for leak in found] == ["number", "patient"]
    (problem,) = leak_problems(found, parse({}))
    assert 'keep one of them, set splits.unit = "number", a column that all such images share, or set' in str(problem)
    (of_all,) = near_notes(FOUND.near, samples)
    assert of_all.endswith('that it trained on; set splits.unit = "patient", a column that all such images share')
    (note,) = leak_notes(found, parse({"splits": {"unit": "number"}}))
    assert note.endswith('validated with; set splits.unit = "patient", a column that all such images share')


@dataclass
class CutOuts:
    """Twelve images, each twice: the second as a frame later. They are put before backgrounds, split by split."""

    copied: bool = False

    @property
    def samples(self) -> Samples:
        return Samples(("leaf",), tuple(Sample(f"{i:02d}", ("leaf",), {"pair": i // 2}) for i in range(24)))

    def for_training(
        self, split: Split, ids: Sequence[str], generator: np.random.Generator
    ) -> Iterator[tuple[Pixels, Pixels]]:
        return self.for_evaluation(split, ids)

    def for_evaluation(self, split: Split, ids: Sequence[str]) -> Iterator[tuple[Pixels, Pixels]]:
        for id_ in map(int, ids):
            image_HWC = photograph(id_ // 2)
            yield image_HWC if self.copied or id_ % 2 else a_frame_later(image_HWC), np.ones((96, 96), np.uint8)


class Photographs(CutOuts):
    """The same as they are."""

    @property
    def glimpses(self) -> dict[str, Glimpse]:
        ids = [row.id for row in self.samples.rows]
        everything = Split("all", "given", None, train=(), val=(), test=tuple(ids), fingerprint="")
        images = (image_HWC for image_HWC, _ in self.for_evaluation(everything, ids))
        return {id_: glimpse(image_HWC) for id_, image_HWC in zip(ids, images, strict=True)}


def of_pairs(**splits: object) -> Definition:
    return parse(
        {"data": {"pairs": {}}, "grid": {"splits": ["random_0"]}, "splits": splits, "training": {"batch_size": 2}}
    )


def test_a_study_of_photographs_notes_near_identical_ones_and_refuses_identical_ones() -> None:
    (note,) = prepared(of_pairs(), Photographs(), "f").notes
    assert note.startswith("split random_0 (")
    assert " of 5, e.g. " in note
    assert "test images with a near-identical image among those trained on" in note
    with pytest.raises(
        StudyError, match=r"problems? in the splits: split random_0 \(. of 5, e.*: test images with an identical"
    ):
        prepared(of_pairs(), Photographs(copied=True), "f")


def test_with_units_there_is_nothing_to_be_said() -> None:
    assert prepared(of_pairs(unit="pair"), Photographs(), "f").notes == ()
    assert prepared(of_pairs(unit="pair"), Photographs(copied=True), "f").notes == ()


def test_cut_outs_are_not_looked_at() -> None:
    definition = parse({"grid": {"splits": ["random_0"]}, "training": {"batch_size": 2}})
    assert prepared(definition, CutOuts(copied=True), "f").notes == ()
