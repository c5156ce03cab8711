"""Batches as a GPU makes them, on a CPU: those of the process that trains, however many are made together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_study import write_data
from torch import Tensor

import trainers.gpu.backgrounds as backgrounds_module
import trainers.gpu.images as images_module
from study.definition_file import load, parse
from study.prepare import Prepared, prepare
from trainers.batches import Batches, TrainingImages, made_ahead
from trainers.compositing import Pixels, composite, cropped_background, random_crops
from trainers.gpu.backgrounds import Backgrounds
from trainers.gpu.images import made_together
from trainers.gpu.operations import augmented

CPU = torch.device("cpu")
SIZE = 32


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    data = {"path": str(write_data(tmp_path_factory.mktemp("set")))}
    training = {"image_size": SIZE, "epochs": 3, "batch_size": 4}
    return prepare(parse({"data": data, "grid": {"splits": ["random_0"]}, "training": training}))


def training_images(study: Prepared, strength: float = 1.0) -> TrainingImages:
    return TrainingImages(study.splits["random_0"], 4, SIZE, strength, ("a trial",))


def made(batches: Batches, images: TrainingImages, epochs: range = range(1, 4)) -> tuple[Pixels, Pixels]:
    """All batches of these epochs."""
    pixels, labels = zip(*batches(images, epochs), strict=True)
    return torch.stack(pixels).numpy(), torch.stack(labels).numpy()


def noise(*shape: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("size", [16, 48])
@pytest.mark.parametrize("at_once", [1, 2**12, 2**23])
def test_crops_of_backgrounds_are_pillows_to_the_bit(size: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backgrounds_module, "PIXELS_AT_ONCE", at_once)
    shapes = ((48, 48), (190, 260), (16, 16), (64, 30), (3, 7))
    originals = [noise(*shape, 3, seed=seed) for seed, shape in enumerate(shapes)]
    rng = np.random.default_rng(0)
    rows = [int(row) for row in rng.integers(0, len(shapes), 40)]
    crops = random_crops(np.array([shapes[row] for row in rows]), rng)
    ours = Backgrounds(originals, CPU).cropped(rows, crops, size)
    expected = [cropped_background(originals[row], crop, size) for row, crop in zip(rows, crops, strict=True)]
    assert np.array_equal(ours.numpy(), np.stack(expected))


def test_compositing_is_the_cpus_to_the_bit() -> None:
    coverage, colours, behind = np.meshgrid(np.arange(256), np.arange(0, 256, 17), np.arange(0, 256, 5), indexing="ij")
    objects = np.repeat(np.minimum(colours, coverage)[..., None], 3, -1).astype(np.uint8)
    arrays = objects, coverage.astype(np.uint8), np.repeat(behind[..., None], 3, -1).astype(np.uint8)
    ours = images_module.composite(*(torch.from_numpy(array) for array in arrays))
    assert np.array_equal(ours.numpy(), composite(*arrays))


def test_batches_without_augmentation_are_the_cpus_to_the_bit(study: Prepared) -> None:
    images = training_images(study, strength=0.0)
    ours, theirs = made(made_together(study.dataset, CPU), images), made(made_ahead(study.dataset), images)
    assert np.array_equal(ours[0], theirs[0])
    assert np.array_equal(ours[1], theirs[1])


@pytest.mark.slow
def test_augmented_batches_are_the_cpus_within_rounding() -> None:
    """Photographs, strength 1."""
    study = prepare(load("demo", ["grid.splits=random_0"]))
    images = TrainingImages(study.splits["random_0"], 16, study.definition.training.image_size, 1.0, ("a trial",))
    ours, theirs = (
        made(batches, images, range(1, 2)) for batches in (made_together(study.dataset, CPU), made_ahead(study.dataset))
    )
    assert (ours[0] != theirs[0]).mean() < 1e-4
    assert (ours[1] != theirs[1]).mean() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("together", [0.5, 3])
def test_any_number_made_together_gives_the_same_bits(
    study: Prepared, together: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = training_images(study)
    expected = made(made_together(study.dataset, CPU), images)
    monkeypatch.setattr(images_module, "PIXELS_TOGETHER", together * 4 * SIZE**2)
    for ours, theirs in zip(made(made_together(study.dataset, CPU), images), expected, strict=True):
        assert np.array_equal(ours, theirs)


def test_a_training_that_goes_on_gets_the_batches_of_one_that_was_not_interrupted(study: Prepared) -> None:
    images, batches = training_images(study), made_together(study.dataset, CPU)
    (whole, _), (rest, _) = made(batches, images, range(1, 4)), made(batches, images, range(3, 4))
    assert np.array_equal(whole[-images.num_batches :], rest)
    assert list(batches(images, range(4, 4))) == []


def test_the_next_are_made_before_the_last_is_handed_out(study: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training waits for the GPU after an epoch's last step: what comes next has to be under way by then."""
    calls: list[int] = []

    def counted(images: Tensor, labels: Tensor, drawn: object) -> tuple[Tensor, Tensor]:
        calls.append(len(images))
        return augmented(images, labels, drawn)

    monkeypatch.setattr(images_module, "augmented", counted)
    images = training_images(study)
    coming, seen = made_together(study.dataset, CPU)(images, range(1, 3)), []
    for _ in range(2 * images.num_batches):
        next(coming)
        seen.append(len(calls))
    before_last = images.num_batches - 1
    assert seen == [1] * before_last + [2] * (images.num_batches + 1)


@pytest.mark.slow
def test_nothing_is_asked_of_the_device_nor_mixed_with_what_lies_elsewhere(study: Prepared) -> None:
    """The device `meta` has no values that one could wait for, and refuses to be mixed with others, as a GPU does."""
    images = training_images(study, strength=1.5)
    for pixels, labels in made_together(study.dataset, torch.device("meta"))(images, range(1, 6)):
        assert pixels.device.type == labels.device.type == "meta"
        assert pixels.shape == (4, SIZE, SIZE, 3)
        assert pixels.dtype == labels.dtype == torch.uint8


def test_the_data_set_is_left_alone(tmp_path: Path, study: Prepared) -> None:
    dataset = study.dataset
    before = [array.tobytes() for array in (dataset.objects_NHWC, dataset.labels_NHW, *dataset.backgrounds)]
    list(made_together(dataset, CPU)(training_images(study), range(1, 3)))
    assert [array.tobytes() for array in (dataset.objects_NHWC, dataset.labels_NHW, *dataset.backgrounds)] == before
