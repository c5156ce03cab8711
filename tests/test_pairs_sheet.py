"""`study data` of images with label maps: the contact sheet, with and without a definition, and what is alike."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_pairs import NUM_IMAGES, encoded, write_data, write_definition

from study.commands.data import describe_data
from study.definition.file import load
from study.errors import StudyError
from study.terminal.cli import main
from trainers.data.pairs.contact_sheet import COLUMNS, LEAST_ROWS
from trainers.data.palette import BACKGROUND_COLOUR, COLOURS, IGNORED_COLOUR
from trainers.data.sheet import FAULT, MAX_BYTES


def colours_of(sheet: Path) -> dict[tuple[int, ...], int]:
    """Colour -> pixels."""
    pixels, counts = np.unique(np.asarray(Image.open(sheet)).reshape(-1, 3), axis=0, return_counts=True)
    return {tuple(pixel): int(count) for pixel, count in zip(pixels.tolist(), counts, strict=True)}


@pytest.mark.slow
def test_labels_are_drawn_in_the_colours_of_the_legend(tmp_path: Path) -> None:
    data, sheet = write_data(tmp_path / "set"), tmp_path / "look.png"
    for mask in (data / "masks").iterdir():
        labels = np.array(Image.open(mask))
        labels[:5] = 255
        mask.write_bytes(encoded(labels))
    report = describe_data(str(data), sheet=sheet, settings=["data.pairs.classes=background,mug,pen"])
    assert (report.problems, report.sheet) == ([], str(sheet))
    shown = colours_of(sheet)
    for colour in (BACKGROUND_COLOUR, *COLOURS[:2], IGNORED_COLOUR):
        assert shown[colour] > 15 * 15 + 500, "a square of the legend, and pixels of labels"
    assert shown.get(COLOURS[2], 0) == shown.get(FAULT, 0) == 0
    assert sheet.stat().st_size <= MAX_BYTES


@pytest.mark.slow
def test_a_pair_that_cannot_be_used_is_crossed_out(tmp_path: Path) -> None:
    definition, sheet = load(write_definition(tmp_path)), tmp_path / "look.png"
    (tmp_path / "data/images/scene_03.png").write_bytes(b"")
    report = describe_data(definition=definition, sheet=sheet)
    assert [problem.place for problem in report.problems] == ["images/scene_03.png"]
    assert colours_of(sheet)[FAULT] > 400


@pytest.mark.slow
def test_of_many_images_some_are_chosen_and_a_rare_class_is_among_them(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (200, 16, 16, 3), dtype=np.uint8)
    for number, pixels in enumerate(image):
        labels = np.zeros((16, 16), np.uint8)
        labels[4:12, 4:12] = 2 if number == 77 else 1
        for kind, content in (("images", pixels), ("masks", labels)):
            (tmp_path / kind).mkdir(exist_ok=True)
            (tmp_path / kind / f"{number:03d}.png").write_bytes(encoded(content))
    sheet = tmp_path / "look.png"
    describe_data(str(tmp_path), sheet=sheet, settings=["data.pairs.classes=background,mug,pen"])
    mug, pen = (colours_of(sheet)[colour] for colour in COLOURS[:2])
    assert mug // (COLUMNS * LEAST_ROWS - 1) <= pen <= 2 * mug // (COLUMNS * LEAST_ROWS - 1), "in one of 32 images"


def test_a_sheet_without_a_single_image_is_drawn(tmp_path: Path) -> None:
    definition = load(write_definition(tmp_path))
    for image in (tmp_path / "data/images").iterdir():
        image.write_bytes(b"")
    report = describe_data(definition=definition, sheet=tmp_path / "look.png")
    assert len(report.problems) == NUM_IMAGES
    assert report.sheet


def test_without_a_definition_classes_are_proposed_and_problems_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path / "set")
    assert main(["data", str(data)]) == 0
    shown = capsys.readouterr().out
    assert "Taken for photographs and masks in folders of their own" in shown
    assert "No problems. Fingerprint" in shown
    (data / "images/scene_03.png").write_bytes(b"")
    assert main(["data", str(data), "--json"]) == 1
    assert "images/scene_03.png" in str(json.loads(capsys.readouterr().out)["problems"])


def test_two_layouts_are_refused_in_the_words_of_init(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_data(tmp_path / "set")
    shutil.copytree(data / "masks", data / "labels")
    words = []
    for command in ("data", "init"):
        assert main([command, str(data)]) == 2
        words.append(capsys.readouterr().err.partition("more than one layout fits")[2])
    assert words[0] == words[1] != ""


def test_what_is_alike_is_named_without_a_definition(tmp_path: Path) -> None:
    data = write_data(tmp_path / "set")
    image = np.array(Image.open(data / "images/scene_03.png"))
    (data / "images/scene_04.png").write_bytes(encoded(image // 2 + 4))
    shutil.copy(data / "masks/scene_03.png", data / "masks/scene_04.png")
    report = describe_data(str(data))
    assert ("scene_03", "scene_04") in report.near_identical
    assert "scene_03 and scene_04: near-identical images" in report.text
    shutil.copy(data / "images/scene_03.png", data / "images/scene_04.png")
    assert "images/scene_03.png = images/scene_04.png: one picture under several names" in describe_data(str(data)).text


def test_what_a_definitions_splits_leak_is_named(tmp_path: Path) -> None:
    definition = load(write_definition(tmp_path))
    image = np.array(Image.open(tmp_path / "data/images/scene_03.png"))
    for number in range(4, 14):
        (tmp_path / f"data/images/scene_{number:02d}.png").write_bytes(encoded(image // 2 + number))
        shutil.copy(tmp_path / "data/masks/scene_03.png", tmp_path / f"data/masks/scene_{number:02d}.png")
    report = describe_data(definition=definition)
    assert report.problems == []
    assert "a near-identical image among those trained on or validated with" in report.text


def test_a_definition_says_already_what_a_data_set_is(tmp_path: Path) -> None:
    definition = load(write_definition(tmp_path))
    with pytest.raises(StudyError, match="--format says what a data set is, and a definition says it"):
        describe_data(definition=definition, format="coco")
