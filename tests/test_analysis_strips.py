"""Pictures of test images: the right images, the right labels in the colours that the key names."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from simulated_study import write_study

from analysis.errors import AnalysisError
from analysis.facts import Facts
from analysis.load import load
from analysis.report.strips import GAP, _picture, examples, strips
from analysis.statistics.false_classes import image_scores
from study.definition import file as definition_file
from study.errors import StudyError
from trainers.data.class_names import IGNORED
from trainers.data.palette import colours, label_colours
from trainers.data.pixels import Pixels
from trainers.data.table import Samples

SETTINGS = ["simulate=true", "grid.models=icnet", "grid.losses=ce", "grid.splits=random_0,rot_0", "search.trials=1"]
CLASSES = ("bx", "cl", "dr", "du", "ad", "bo")


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """Of the data set that ships, whose folders come in another order than the paper's classes."""
    out = write_study(tmp_path_factory.mktemp("strips") / "out", definition_file.load("demo", SETTINGS))
    return load(out).study_facts("a test")


def test_every_class_has_a_colour_of_its_own() -> None:
    papers = ["dr", "ad", "bx"]
    assert colours(papers) == colours(papers[::-1])
    assert list(colours(papers)) == ["bx", "dr", "ad"]
    assert list(colours(["organ_2", "organ_10", "bottle"])) == ["organ_2", "organ_10", "bottle"], "as they come"
    many = colours([f"class {i}" for i in range(30)])
    assert len(set(many.values())) == 30
    assert (0, 0, 0) not in many.values()


def test_the_background_is_black_where_there_is_one_and_what_is_ignored_is_grey() -> None:
    samples, by_class = Samples(("mug", "pen"), ()), colours(["mug", "pen"])
    with_background, without = (label_colours(replace(samples, has_background=each)) for each in (True, False))
    assert with_background[:3].tolist() == [[0, 0, 0], [*by_class["mug"]], [*by_class["pen"]]]
    assert without[:2].tolist() == with_background[1:3].tolist()
    for each in (with_background, without):
        red, green, blue = each[IGNORED].tolist()
        assert red == green == blue not in (0, 255)
        assert len(each) == 256


@pytest.mark.slow
def test_worst_median_and_best_of_every_class(facts: Facts) -> None:
    scores = image_scores(facts)
    shown = examples(scores, CLASSES)
    assert shown[["class", "rank"]].to_numpy().tolist() == [
        [name, rank] for name in CLASSES for rank in ("worst", "median", "best")
    ]
    for name, rows in shown.groupby("class"):
        dice = np.sort(scores.loc[scores["class"] == name, "dice"])
        assert rows["dice"].tolist() == [dice[0], dice[(len(dice) - 1) // 2], dice[-1]]


@pytest.mark.slow
def test_truth_and_prediction_are_in_the_colours_of_the_key(facts: Facts) -> None:
    """Dice and the falsely predicted classes, counted again in the colours of the picture."""
    by_class = colours(["ad", "bo", "bx", "cl", "dr", "du"])
    key, drawn = strips(facts, examples(image_scores(facts), CLASSES))
    assert key == {"bg": (0, 0, 0), **by_class}
    assert len(drawn) == 18
    for strip in drawn:
        pixels = np.asarray(Image.open(io.BytesIO(strip.png)).convert("RGB"))
        size = len(pixels)
        truth, predicted = pixels[:, size + GAP : 2 * size + GAP], pixels[:, 2 * (size + GAP) :]
        true, called = ((part == by_class[strip.class_]).all(axis=2) for part in (truth, predicted))
        assert 2 * (true & called).sum() / (true.sum() + called.sum()) == pytest.approx(strip.dice)
        others = {name: (predicted == colour).all(axis=2).sum() for name, colour in by_class.items()}
        for name in strip.false_classes.split():
            assert others[name] > 0
        assert not (predicted.sum() and sum(others.values()) == 0)


@pytest.mark.slow
def test_a_label_that_is_no_class_is_named(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, size = examples(image_scores(facts), CLASSES), facts.definition.training.image_size
    foreign = lambda self, trial, images: {name: np.full((size, size), 9, np.uint8) for name in images}  # noqa: E731
    monkeypatch.setattr(Facts, "masks", foreign)
    with pytest.raises(AnalysisError, match="has label 9, which is not a class"):
        strips(facts, shown)


@pytest.mark.slow
def test_a_mask_that_is_gone_is_named(facts: Facts, tmp_path: Path) -> None:
    shown = examples(image_scores(facts), CLASSES)
    masks = Path(str(facts.results.out)) / "masks"
    moved = masks.rename(tmp_path / "masks")
    try:
        with pytest.raises(StudyError, match=r"masks/.*parquet is lost: bring that file back"):
            strips(facts, shown)
    finally:
        moved.rename(masks)


def test_examples_are_in_the_order_of_the_classes() -> None:
    """Also where the first images do not show the first class."""
    row = {"model": "net", "loss": "ce", "trial": "t", "split": "random_0"}
    scores = [("pen", "a", 0.1), ("pen", "b", 0.2), ("mug", "b", 0.3)]
    table = pd.DataFrame([row | {"class": name, "image": image, "dice": dice} for name, image, dice in scores])
    assert examples(table, ["mug", "pen", "cup"])["class"].tolist() == ["mug"] * 3 + ["pen"] * 3


class Padded:
    """One image of which the right half is padding."""

    samples = Samples(("mug",), ())

    def for_evaluation(self, split: object, ids: tuple[str, ...]) -> list[tuple[Pixels, Pixels]]:
        labels = np.zeros((4, 6), np.uint8)
        labels[:, 3:] = IGNORED
        return [(np.zeros((4, 6, 3), np.uint8), labels)] * len(ids)


def test_what_is_ignored_is_grey_in_the_prediction_too() -> None:
    """As it is predicted, it would seem to count."""
    predicted = np.ones((4, 6), np.uint8)
    png = _picture(Padded(), None, "a", predicted, label_colours(Padded.samples))  # type: ignore[arg-type]
    strip = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    truth, prediction = strip[:, 6 + GAP : 12 + GAP], strip[:, 2 * (6 + GAP) :]
    np.testing.assert_array_equal(prediction[:, 3:], truth[:, 3:])
    assert (prediction[:, 3:] == 128).all()
    assert not (prediction[:, :3] == truth[:, :3]).all()
