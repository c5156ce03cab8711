"""Pairs as a source: decoded once, kept in a file, counted at their own size."""

from __future__ import annotations

import gc
import os
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from small_pairs import encoded, listing, pair, scenes, write_definition

from study.commands.data import describe_data
from study.data_set import PairsOfFolder, data_set_of
from study.definition.file import load as definition_from
from study.errors import StudyError
from trainers.counting import at_own_sizes
from trainers.data.class_names import IGNORED
from trainers.data.likeness import glimpse, likeness
from trainers.data.pairs import source as pairs_source
from trainers.data.pairs.description import Pairs
from trainers.data.pairs.fitting import Fitting
from trainers.data.pairs.label_table import LabelTable
from trainers.data.pairs.pair import Listing
from trainers.data.pairs.source import LabelledImages, load
from trainers.data.pairs.survey import Survey
from trainers.data.problems import DataError
from trainers.data.size import Size
from trainers.data.split import Split
from trainers.dice import confusion

SPLIT = Split("random_0", "random", None, (), (), (), "")
FITTING = Fitting(Size(16, 32), "pad")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def small() -> Listing:
    return listing(*(pair(name, encoded(image), encoded(labels)) for name, (image, labels) in scenes().items()))


def loaded(found: Listing | None = None, fitting: Fitting = FITTING, **how: bool) -> LabelledImages:
    found = found or small()
    return load(Survey(found, LabelTable.of(Pairs(), found), fitting), **how)


def test_images_and_labels_are_given_at_the_working_size() -> None:
    source, made = loaded(), scenes()
    ids = list(made)[::-2]
    for given in (source.for_evaluation(SPLIT, ids), source.for_training(SPLIT, ids, np.random.default_rng(0))):
        for name, (image, labels) in zip(ids, given, strict=True):
            np.testing.assert_array_equal(image, FITTING.image(made[name][0]))
            np.testing.assert_array_equal(labels, FITTING.labels(made[name][1]))


def test_what_is_put_around_images_is_no_likeness() -> None:
    """Of narrow pictures of noise two are alike by their frames alone."""
    rng, labels = np.random.default_rng(0), np.array([[0, 1, 2]] * 40, np.uint8)
    noise = [rng.integers(100, 256, (40, 3, 3), dtype=np.uint8) for _ in range(6)]
    found = listing(*(pair(f"{number}", encoded(image), encoded(labels)) for number, image in enumerate(noise)))
    source = loaded(found, Fitting(Size(40, 40), "pad"))
    assert likeness(source.glimpses).near == ()
    framed = {
        id_: glimpse(image) for id_, (image, _) in zip("012345", source.for_evaluation(SPLIT, "012345"), strict=True)
    }
    assert len(likeness(framed).near) == 15
    assert pickle.loads(pickle.dumps(source)).glimpses == {}


def test_what_is_given_may_be_changed() -> None:
    source = loaded()
    [(image, labels)] = source.for_evaluation(SPLIT, ["scene_00"])
    image[:], labels[:] = 1, 1
    [(again, _)] = source.for_evaluation(SPLIT, ["scene_00"])
    assert not (again == 1).all()


def test_pickled_it_is_small_and_reads_the_same_file() -> None:
    source = loaded()
    content = pickle.dumps(source)
    assert len(content) < source.store.num_bytes / 5
    copy = pickle.loads(content)
    for (image, labels), (other, other_labels) in zip(
        source.for_evaluation(SPLIT, list(source.index)), copy.for_evaluation(SPLIT, list(source.index)), strict=True
    ):
        np.testing.assert_array_equal(image, other)
        np.testing.assert_array_equal(labels, other_labels)


def test_the_file_goes_with_the_source(temporary: Path) -> None:
    source = loaded()
    [folder] = temporary.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    copy = pickle.loads(pickle.dumps(source))
    del copy
    gc.collect()
    assert source.store.path.exists(), "a copy takes nothing with it"
    del source
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_a_set_with_problems_leaves_no_file(temporary: Path) -> None:
    broken = listing(*small().pairs, pair("x", b"words", b"words"))
    with pytest.raises(DataError, match=r"images/x.png: unreadable"):
        loaded(broken)
    gc.collect()
    assert list(temporary.iterdir()) == []


def test_too_little_room_is_said_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_source.shutil, "disk_usage", lambda path: os.terminal_size((0, 0)) and Free(5))
    with pytest.raises(DataError, match=r"0 MiB are free, 1 are needed\): .*set TMPDIR"):
        loaded()


class Free:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_disk_that_fills_up_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pairs_source.StoreWriter, "add", full)
    with pytest.raises(DataError, match=r"No space left on device.*set TMPDIR"):
        loaded()


def nearest(place: int, length: int, own: int) -> int:
    """Of pixels in a row, the one at the middle of pixel `place` of `own` in the same row; none is as near."""
    assert (2 * place + 1) * length % (2 * own), "equally near to two"
    return (2 * place + 1) * length // (2 * own)


@pytest.mark.parametrize("resize", ["pad", "stretch"])
def test_pixels_are_counted_at_each_images_own_size(resize: str) -> None:
    """Against a count pixel by pixel, in plain Python."""
    fitting = Fitting(Size(15, 21), resize)  # type: ignore[arg-type]
    rng, made = np.random.default_rng(0), {}
    for number, size in enumerate([(15, 21), (40, 30), (25, 35), (50, 18)]):
        labels = rng.integers(0, 3, size, dtype=np.uint8)
        made[f"scene_{number}"] = rng.integers(0, 255, (*size, 3), dtype=np.uint8), labels
    found = listing(*(pair(name, encoded(image), encoded(labels)) for name, (image, labels) in made.items()))
    source, ids = loaded(found, fitting, keeps_own_size=True), sorted(made)[::-1]
    predicted_NHW = rng.integers(0, 3, (len(ids), 15, 21), dtype=np.uint8)
    for pair_NHW, name, predicted in zip(at_own_sizes(source, ids, predicted_NHW), ids, predicted_NHW, strict=True):
        truth, expected = made[name][1], np.zeros((3, 3), np.int64)
        inside = fitting.labels(np.zeros_like(truth)) != IGNORED
        cropped = predicted[inside.any(1)][:, inside.any(0)]
        for row, column in np.ndindex(truth.shape):
            place = tuple(map(nearest, (row, column), cropped.shape, truth.shape))
            expected[truth[row, column], cropped[place]] += 1
        np.testing.assert_array_equal(confusion(*pair_NHW, 3)[0], expected)


def test_without_labels_at_their_own_size_nothing_is_counted_there() -> None:
    class Nothing:
        pass

    with pytest.raises(TypeError, match="keeps no labels"):
        list(at_own_sizes(Nothing(), [], np.zeros((0, 2, 2), np.uint8)))  # type: ignore[arg-type]


def test_a_definition_of_pairs(tmp_path: Path) -> None:
    definition = definition_from(str(write_definition(tmp_path)))
    source, fingerprint, _ = data_set_of(definition).load()
    assert fingerprint == data_set_of(definition).fingerprint()
    assert source.samples == data_set_of(definition).samples()
    assert [row.id for row in source.samples.rows] == sorted(scenes())
    assert source.samples.labels == ("background", "mug", "pen")
    assert source.samples.has_ignored, "what is put around images"


def test_planning_decodes_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainers.data.pairs import reading

    definition = definition_from(str(write_definition(tmp_path)))
    monkeypatch.delattr(reading, "decode_image")
    assert len(data_set_of(definition).samples().rows) == len(scenes())


def test_running_lists_the_folder_once_and_decodes_each_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from study import data_set
    from study.prepare import prepare
    from trainers.data.pairs import reading

    counted = []
    for module, name in ((data_set, "list_pairs"), (reading, "decode_image"), (reading, "decode_mask")):
        function = getattr(module, name)

        def counting(*arguments: object, function: object = function, name: str = name) -> object:
            counted.append(name)
            return function(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(module, name, counting)
    prepare(definition_from(str(write_definition(tmp_path))))
    assert [counted.count(name) for name in ("list_pairs", "decode_image", "decode_mask")] == [1, 18, 18]


@pytest.mark.parametrize("problem", ["copy", "unknown"])
def test_plan_and_run_refuse_the_same(tmp_path: Path, problem: str) -> None:
    path = write_definition(tmp_path)
    image, mask = (tmp_path / f"data/{kind}/scene_00.png" for kind in ("images", "masks"))
    if problem == "copy":
        for file in (image, mask):
            (file.parent / "scene_x.png").write_bytes(file.read_bytes())
    else:
        mask.write_bytes(encoded(scenes()["scene_00"][1] + np.uint8(9)))
    messages = []
    for open_ in (PairsOfFolder.samples, PairsOfFolder.load):
        with pytest.raises(StudyError) as error:
            open_(data_set_of(definition_from(str(path))))
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    if problem == "copy":
        assert len(data_set_of(definition_from(str(path), ["data.allow_copies=true"])).samples().rows) == 19


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.counted_at=original size", "cut-outs are composited at the working size and have no other"),
        ("training.resize=pad", "cut-outs are always stretched to the working size"),
    ],
)
def test_keys_of_pairs_are_refused_for_cut_outs(setting: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        data_set_of(definition_from("demo", [setting]))


def test_keys_of_cut_outs_are_refused_for_pairs(tmp_path: Path) -> None:
    definition = definition_from(str(write_definition(tmp_path)), ["splits.shared_backgrounds=true"])
    with pytest.raises(StudyError, match="photographs with label maps have no backgrounds of their own"):
        data_set_of(definition)


def test_a_set_of_pairs_is_described(tmp_path: Path) -> None:
    definition = definition_from(str(write_definition(tmp_path)))
    report = describe_data(definition=definition)
    assert report.fingerprint == data_set_of(definition).fingerprint()
    assert (
        "18 images with label maps. How many show each class:\nbackground  18\nmug         18\npen         18"
        in report.text
    )
    assert "No problems." in report.text
    (tmp_path / "data/images/scene_00.png").write_bytes(b"words")
    report = describe_data(definition=definition)
    assert [problem.place for problem in report.problems] == ["images/scene_00.png"]
    assert report.fingerprint is None
